/*
 * The network between the two engines of the simulator: packets in flight on
 * virtual time, with delay, jitter, loss, duplication, corruption and blackouts.
 */
#ifndef TESTS_SIM_LINK_H
#define TESTS_SIM_LINK_H

#include "tests/unit/random.h"

#include "stack/stack.h"

#define LINK_PACKETS 4096
#define LINK_BYTES   9200

/* Options that a middlebox takes out of SYNs, so that both sides do without. */
#define LINK_STRIP_SACK       1u
#define LINK_STRIP_TIMESTAMPS 2u
#define LINK_STRIP_SCALE      4u
#define LINK_STRIP_MSS        8u

/* Chances in thousandths. */
struct link_config {
	uint64_t delay_us;
	uint64_t jitter_us;
	uint32_t loss;
	uint32_t late; /* that many take ten times as long */
	uint32_t duplicate;
	uint32_t corrupt;
	unsigned strip;
};

struct link_packet {
	uint64_t at_us;
	uint64_t order;
	unsigned to; /* 0 or 1 */
	struct ip_address src;
	struct ip_address dst;
	size_t length;
	uint8_t *tcp;
};

struct link {
	struct link_config config;
	struct random *random;
	uint64_t dark_until_us; /* nothing passes until then */
	uint64_t order;
	uint32_t count;
	struct link_packet packet[LINK_PACKETS]; /* a heap by at_us, then order */
};

void link_open(struct link *link, const struct link_config *config, struct random *random);
void link_close(struct link *link);

/* Sends a packet towards party TO. */
void link_send(struct link *link, const struct packet_out *packet, unsigned to, uint64_t now_us);

/* When the next packet arrives; UINT64_MAX: none is in flight. */
uint64_t link_next(const struct link *link);

/* Takes out the packet that arrives next; its bytes are the caller's to free. */
struct link_packet link_take(struct link *link);

#endif
