/*
 * Round-trip time and retransmission time-out (RFC 6298). In the connection
 * table; times in microseconds.
 */
#ifndef STACK_RTT_H
#define STACK_RTT_H

#include <stdint.h>

#define RTO_INITIAL_US  1000000ULL  /* RFC 6298, (2.1) */
#define RTO_SYN_LOST_US 3000000ULL  /* RFC 6298, (5.7) */
#define RTO_MIN_US      200000ULL   /* less than RFC 6298's SHOULD of 1 s, as every current TCP */
#define RTO_MAX_US      60000000ULL /* RFC 6298, (2.5) */

struct rtt {
	uint64_t srtt_us; /* 0: no sample yet */
	uint64_t rttvar_us;
	uint64_t rto_us; /* without back-off */
	uint64_t min_us; /* smallest sample; 0: none */
	uint64_t latest_us;
	uint32_t backoff; /* how often the time-out was doubled in a row */
	uint32_t samples;
};

/* Back to "no sample", with the initial time-out. */
void rtt_init(struct rtt *rtt);

/*
 * Takes in one sample and ends any back-off (2.2, 2.3). Samples of 0 count as 1
 * microsecond, those above RTO_MAX_US as RTO_MAX_US. The time-out becomes
 * SRTT + max(RTO_MIN_US, 4 * RTTVAR). Karn's rule is the caller's (section 3).
 */
void rtt_sample(struct rtt *rtt, uint64_t sample_us);

/* A round trip not worth a sample of its own: lowers min_us if it is the least. */
void rtt_note_min(struct rtt *rtt, uint64_t us);

/* The time-out expired: doubles it (5.5). */
void rtt_backoff(struct rtt *rtt);

/*
 * The handshake is over, and its SYN had to be sent again (5.7): ends any back-off; without
 * a sample the time-out becomes RTO_SYN_LOST_US.
 */
void rtt_syn_lost(struct rtt *rtt);

/* The time-out to use now: with back-off, between RTO_MIN_US and RTO_MAX_US. */
uint64_t rtt_timeout(const struct rtt *rtt);

/* True when the values can have come from the functions above. */
int rtt_valid(const struct rtt *rtt);

#endif
