/*
 * Connections that send as much as they can across one bottleneck, on virtual time: how
 * much of each one's bytes arrives. Each has two engines of its own.
 */
#ifndef TESTS_SIM_BULK_H
#define TESTS_SIM_BULK_H

#include <stdint.h>

#include "stack/congestion.h"

#define BULK_FLOWS 2u

/* The bottleneck: 100 Mbit/s with a queue of 256 KB. */
#define BULK_RATE  12500000u
#define BULK_QUEUE 262144u

struct bulk {
	unsigned flows;
	enum congestion_algorithm algorithm[BULK_FLOWS];
	uint64_t start_us[BULK_FLOWS]; /* when it is called, from the beginning */
	uint32_t rtt_ms;
	uint32_t jitter_us; /* at most so much longer each way, packet by packet */
	uint32_t loss;      /* thousandths of the data segments */
	uint64_t duration_us;
	uint64_t seed;
};

struct bulk_result {
	uint64_t bytes[BULK_FLOWS]; /* payload delivered in order, handshakes included */
	uint64_t segments;          /* with data, sent by all */
};

/* The same setup gives the same result. Fails the cmocka test when an invariant is broken. */
struct bulk_result bulk_run(const struct bulk *setup);

#endif
