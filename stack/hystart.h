/*
 * HyStart++ (RFC 9406): the end of the first slow start, found by the round trips
 * growing longer before anything is lost. In an algorithm's private words, so no
 * pointers.
 */
#ifndef STACK_HYSTART_H
#define STACK_HYSTART_H

#include <stdbool.h>
#include <stdint.h>

#include "congestion.h"

struct hystart {
	uint64_t round_end;   /* C.delivered at which the round trip under way ends */
	uint64_t last_us;     /* shortest round trip of the round before; 0: none */
	uint64_t current_us;  /* ... and of this round so far */
	uint64_t baseline_us; /* ... and of that which began conservative slow start */
	uint32_t samples;     /* of this round */
	uint32_t css_rounds;  /* rounds of conservative slow start begun; 0: standard slow start */
};

/* No round has begun. */
void hystart_init(struct hystart *hystart);

/*
 * Takes in an ACK of the first slow start (RFC 9406, section 4.2) and returns how many bytes
 * cwnd may grow for it: those acknowledged, at most 8 segments of MSS unless PACED, and a
 * fourth of that in conservative slow start. Sets *DONE when slow start is over: cwnd is
 * ssthresh then. Rounds are told by ack->rate; without one nothing is found.
 */
uint32_t hystart_ack(struct hystart *hystart, const struct congestion_ack *ack, uint32_t mss,
                     bool paced, bool *done);

#endif
