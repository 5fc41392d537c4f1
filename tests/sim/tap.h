/*
 * Listens to what the two ends of one connection say, and checks that neither takes
 * anything back, whatever engine speaks for it meanwhile:
 *
 *   - each byte of payload, sent for the first time or again, is the stream's
 *   - the ACK number, the right edge of the window and the timestamp never go back
 *   - the FIN has one place, and nothing is sent beyond it
 *   - nothing is sent beyond the window that the other end has ever offered, but one
 *     octet that probes it, and the FIN
 */
#ifndef TESTS_SIM_TAP_H
#define TESTS_SIM_TAP_H

#include "stack/stack.h"

#define TAP_OFFERS 8u

struct tap_side {
	uint64_t key;   /* of its stream */
	uint64_t total; /* length of that */
	bool syn;       /* has sent one: what follows is valid */
	bool scaling;   /* ... with a window scale */
	bool acked;     /* ack and edge are valid */
	bool fin;
	bool stamped; /* stamp is valid */
	uint8_t scale;
	bool settled; /* the other end has taken up iss: a cookie may have offered several */
	uint32_t iss;
	uint32_t offer[TAP_OFFERS]; /* the last numbers of its SYNs */
	unsigned offers;
	uint32_t ack;
	uint32_t edge; /* the farthest it has offered */
	uint32_t fin_seq;
	uint32_t stamp;
	uint64_t segments;
};

struct tap {
	bool unscaled; /* the network takes window scaling out */
	struct tap_side side[2];
};

/* Side NUMBER sends this packet. What is wrong with that; NULL: nothing. */
const char *tap_hear(struct tap *tap, unsigned number, const struct packet_out *packet);

#endif
