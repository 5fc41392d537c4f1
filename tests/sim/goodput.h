/*
 * How fast one connection gets bytes across a bottleneck, on virtual time: the cell of a
 * table by congestion control, loss and round trip.
 */
#ifndef TESTS_SIM_GOODPUT_H
#define TESTS_SIM_GOODPUT_H

#include <stdint.h>

#include "stack/congestion.h"

struct goodput_cell {
	enum congestion_algorithm algorithm;
	uint32_t loss; /* thousandths of the data segments */
	uint32_t rtt_ms;
};

/*
 * Mbit/s of payload delivered in order in the first ten seconds, the handshake included,
 * over 100 Mbit/s with a queue of 256 KB. With loss, the mean of several runs whose seeds
 * are always the same: as many as it takes to send 150,000 segments, at least four, at
 * most twenty-four.
 */
double goodput_measure(const struct goodput_cell *cell);

#endif
