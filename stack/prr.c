/*
 * Proportional rate reduction (RFC 9937, which replaces RFC 6937): what may be sent
 * in fast recovery on each ACK, so that a window that shrinks does so evenly over a
 * round trip and ends at ssthresh, neither in silence first nor with a burst.
 *
 * It speaks to output.c through cwnd alone: the bytes in flight and those that may
 * go now.
 */
#include "engine.h"

void prr_start(struct prr *prr, uint32_t in_flight, uint32_t mss)
{
	*prr = (struct prr){.recover_fs = in_flight > mss ? in_flight : mss};
}

/* prr_delivered * ssthresh / RecoverFS, rounded up; no product of three counts overflows. */
static uint64_t share(const struct prr *prr, uint32_t ssthresh)
{
	uint64_t whole = prr->delivered / prr->recover_fs;
	uint64_t rest = prr->delivered % prr->recover_fs;

	return whole * ssthresh + (rest * ssthresh + prr->recover_fs - 1) / prr->recover_fs;
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void prr_ack(struct prr *prr, struct congestion *cc, uint32_t in_flight, uint32_t delivered,
             bool safe)
{
	uint64_t out;

	prr->delivered += delivered;
	if (in_flight > cc->ssthresh) {
		out = above(share(prr, cc->ssthresh), prr->out);
	} else {
		/* PRR-CRB: a byte for a byte ... */
		out = above(prr->delivered, prr->out);
		if (out < delivered)
			out = delivered;
		/* ... and PRR-SSRB, as slow start, while nothing more is lost */
		if (safe)
			out += cc->mss;
		if (out > cc->ssthresh - in_flight)
			out = cc->ssthresh - in_flight;
	}
	/* what began the recovery is sent again at once */
	if (prr->out == 0 && out == 0)
		out = cc->mss;
	cc->cwnd = out < UINT32_MAX - in_flight ? in_flight + (uint32_t)out : UINT32_MAX;
	if (cc->cwnd < cc->mss)
		cc->cwnd = cc->mss;
}
