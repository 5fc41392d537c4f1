/*
 * Round-trip time and time-out (RFC 6298, section 2). Two deviations from the
 * letter:
 *
 * The variance counts as at least RTO_MIN_US instead of the clock's granularity:
 * where RTT hardly varies, RFC 6298's minimum of a second otherwise covers a
 * receiver that delays its ACK by up to 200 ms, and ours would not.
 *
 * With timestamps every ACK brings a sample. RFC 7323, appendix G, would then
 * make the gains smaller by the number of samples in flight; the lower bound of
 * the variance does what it is for, and the gains stay those of RFC 6298.
 */
#include "rtt.h"

#include <stdbool.h>
#include <string.h>

#define GAIN_SRTT   8  /* 1 / alpha */
#define GAIN_RTTVAR 4  /* 1 / beta */
#define BACKOFF_MAX 16 /* RTO_MIN_US << 16 is far above RTO_MAX_US */

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

void rtt_init(struct rtt *rtt)
{
	memset(rtt, 0, sizeof(*rtt));
	rtt->rto_us = RTO_INITIAL_US;
}

static uint64_t timeout_of(const struct rtt *rtt)
{
	uint64_t variance = clamp(4 * rtt->rttvar_us, RTO_MIN_US, RTO_MAX_US);

	return clamp(rtt->srtt_us + variance, RTO_MIN_US, RTO_MAX_US);
}

void rtt_sample(struct rtt *rtt, uint64_t sample_us)
{
	/* Longer ones don't come from RFC 6298's world; the sums must not overflow. */
	sample_us = clamp(sample_us, 1, RTO_MAX_US);

	if (rtt->samples == 0) {
		rtt->srtt_us = sample_us;
		rtt->rttvar_us = sample_us / 2;
	} else {
		uint64_t deviation = sample_us > rtt->srtt_us ? sample_us - rtt->srtt_us
		                                              : rtt->srtt_us - sample_us;

		/* The variance first, with the old SRTT (2.3). */
		rtt->rttvar_us = ((GAIN_RTTVAR - 1) * rtt->rttvar_us + deviation) / GAIN_RTTVAR;
		rtt->srtt_us = ((GAIN_SRTT - 1) * rtt->srtt_us + sample_us) / GAIN_SRTT;
	}
	if (rtt->samples == 0 || sample_us < rtt->min_us)
		rtt->min_us = sample_us;
	rtt->latest_us = sample_us;
	if (rtt->samples < UINT32_MAX)
		rtt->samples++;
	rtt->rto_us = timeout_of(rtt);
	rtt->backoff = 0;
}

void rtt_note_min(struct rtt *rtt, uint64_t us)
{
	us = clamp(us, 1, RTO_MAX_US);
	if (rtt->samples > 0 && us < rtt->min_us)
		rtt->min_us = us;
}

void rtt_backoff(struct rtt *rtt)
{
	if (rtt->backoff < BACKOFF_MAX)
		rtt->backoff++;
}

void rtt_syn_lost(struct rtt *rtt)
{
	rtt->backoff = 0;
	if (rtt->samples == 0)
		rtt->rto_us = RTO_SYN_LOST_US;
}

uint64_t rtt_timeout(const struct rtt *rtt)
{
	unsigned shift = rtt->backoff < BACKOFF_MAX ? rtt->backoff : BACKOFF_MAX;

	return clamp(rtt->rto_us << shift, RTO_MIN_US, RTO_MAX_US);
}

static bool is_sample(uint64_t value)
{
	return value >= 1 && value <= RTO_MAX_US;
}

int rtt_valid(const struct rtt *rtt)
{
	if (rtt->backoff > BACKOFF_MAX)
		return false;
	if (rtt->samples == 0)
		return rtt->srtt_us == 0 && rtt->rttvar_us == 0 && rtt->min_us == 0 &&
		       rtt->latest_us == 0 &&
		       (rtt->rto_us == RTO_INITIAL_US || rtt->rto_us == RTO_SYN_LOST_US);
	return is_sample(rtt->srtt_us) && is_sample(rtt->min_us) && is_sample(rtt->latest_us) &&
	       rtt->min_us <= rtt->latest_us && rtt->rttvar_us <= RTO_MAX_US &&
	       rtt->rto_us == timeout_of(rtt);
}
