/*
 * A bottleneck for tests of congestion control: a link of a fixed rate behind a
 * queue of limited size, with a round trip, random loss and aggregation of ACKs,
 * on virtual time; and flows over it, each of which sends numbered packets as its
 * congestion control lets it, and tells it what comes back as loss recovery would.
 */
#ifndef TESTS_UNIT_BOTTLENECK_H
#define TESTS_UNIT_BOTTLENECK_H

#include "tests/unit/random.h"

#include "stack/congestion.h"
#include "stack/rtt.h"

#define BOTTLENECK_FLOWS   4
#define BOTTLENECK_PACKETS 16384u /* of a flow in flight, and not yet judged */
#define BOTTLENECK_MSS     1448u
#define BOTTLENECK_HEADERS 66u

struct bottleneck_packet {
	uint64_t ack_us; /* when its ACK arrives; UINT64_MAX: it is lost */
	uint64_t sent_us;
	uint64_t delivered;
	uint64_t delivered_us;
	uint64_t first_sent_us;
	uint64_t lost;
	uint32_t tx_in_flight;
	bool app_limited;
	bool done; /* acknowledged, or taken for lost */
};

struct flow {
	struct congestion cc;
	struct rtt rtt;
	bool has_data;
	uint64_t start_us;

	/* packets by number; those below FIRST are done */
	struct bottleneck_packet packet[BOTTLENECK_PACKETS];
	uint64_t first;
	uint64_t next;
	uint32_t in_flight;
	uint64_t next_send_us;
	uint64_t timeout_us;

	bool in_recovery;
	uint64_t recover; /* the first packet of after its beginning */

	/* delivery-rate sampling */
	uint64_t delivered;
	uint64_t delivered_us;
	uint64_t first_sent_us;
	uint64_t lost;
	uint64_t app_limited; /* delivered, until which samples are limited; 0: they are not */

	uint64_t timeouts;
	uint64_t sent;
};

struct bottleneck {
	struct random random;
	uint64_t now_us;
	uint64_t rate;          /* bytes a second */
	uint64_t rtt_us;        /* without a queue */
	uint64_t queue_limit;   /* bytes */
	uint32_t loss;          /* of a million packets, at random */
	uint64_t ack_every_us;  /* ACKs come at multiples of this; 0: each at its own time */
	uint64_t busy_until_us; /* in sixteenths of a microsecond */
	uint32_t flows;
	struct flow *flow[BOTTLENECK_FLOWS];

	/* measured, until reset by the test */
	uint64_t queue_us_sum; /* over the packets that got through */
	uint64_t queue_samples;
	uint64_t dropped;
};

/* MBIT a second, with the queue of QUEUE bytes; LOSS per million. */
void bottleneck_open(struct bottleneck *path, uint64_t seed, uint32_t mbit, uint64_t rtt_us,
                     uint64_t queue, uint32_t loss);
void bottleneck_close(struct bottleneck *path);

/* A new flow, which has had its handshake and begins now, with data to send. */
struct flow *bottleneck_flow(struct bottleneck *path, enum congestion_algorithm algorithm);

/* Lets time pass. */
void bottleneck_run(struct bottleneck *path, uint64_t us);

/* Runs that long and returns how many percent of the link's rate FLOW got through. */
uint32_t bottleneck_share(struct bottleneck *path, const struct flow *flow, uint64_t us);

#endif
