/*
 * The network between the two engines of the simulator: packets in flight on
 * virtual time, with delay, jitter, loss, duplication, corruption, blackouts, a
 * bottleneck with a queue, and links that are too narrow for some packets.
 */
#ifndef TESTS_SIM_LINK_H
#define TESTS_SIM_LINK_H

#include "tests/unit/random.h"

#include "stack/stack.h"

#define LINK_PACKETS 16384

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
	uint32_t mangle; /* that many arrive with whatever mark (RFC 3168) */
	unsigned strip;
	uint64_t rate;    /* of the bottleneck, bytes a second each way; 0: none */
	uint32_t queue;   /* bytes that may wait before it */
	uint32_t mark;    /* packets that can bear it get CE when more than that wait; 0: never */
	uint32_t mtu;     /* larger packets are dropped; 0: none is too large */
	bool too_big;     /* ... and their sender told by ICMP */
	bool loss_to_one; /* only packets to odd parties get lost */
};

struct link_packet {
	uint64_t at_us;
	uint64_t order;
	unsigned to;      /* which party */
	uint32_t too_big; /* not a segment that arrives: one of TO's own was larger than this */
	uint8_t tos;
	struct ip_address src;
	struct ip_address dst;
	size_t length;
	uint8_t tcp[]; /* nothing behind it, so that a sanitizer sees what is read there */
};

struct link {
	struct link_config config;
	struct random *random;
	uint64_t dark_until_us; /* nothing passes until then */
	uint64_t busy_until_ns[2];
	uint64_t order;
	uint32_t count;
	struct link_packet *packet[LINK_PACKETS]; /* a heap by at_us, then order */
};

void link_open(struct link *link, const struct link_config *config, struct random *random);
void link_close(struct link *link);

/*
 * Sends a packet towards party TO. The other end is TO ^ 1; all packets to odd parties
 * share one bottleneck, all packets to even ones the other.
 */
void link_send(struct link *link, const struct packet_out *packet, unsigned to, uint64_t now_us);

/* When the next packet arrives; UINT64_MAX: none is in flight. */
uint64_t link_next(const struct link *link);

/* Takes out the packet that arrives next; the caller frees it. */
struct link_packet *link_take(struct link *link);

#endif
