/*
 * Reno: slow start and congestion avoidance (RFC 5681, section 3.1) with
 * appropriate byte counting (RFC 3465). As the RFC has it, to compare others with: no
 * HyStart++, no pacing.
 *
 * During fast recovery cwnd is not Reno's: recovery.c lets it go down to ssthresh in
 * proportion to what is delivered, so that RFC 6582's inflation and deflation by
 * duplicate ACKs have nothing left to do.
 */
#include "congestion.h"

#include <stddef.h>
#include <string.h>

/* In private_words. */
struct reno {
	uint64_t bytes_acked;   /* in congestion avoidance, not yet turned into cwnd */
	uint32_t after_timeout; /* 1 from a time-out to the end of its slow start */
	uint32_t undo_valid;
	uint32_t undo_cwnd; /* as before the last reduction */
	uint32_t undo_ssthresh;
} __attribute__((may_alias));

_Static_assert(sizeof(struct reno) <= sizeof(((struct congestion *)0)->private_words),
               "private_words are too few for Reno");

static struct reno *reno_of(struct congestion *cc)
{
	return (struct reno *)cc->private_words;
}

static void reno_init(struct congestion *cc, const struct rtt *rtt, uint64_t now_us)
{
	(void)rtt;
	(void)now_us;
	cc->cwnd = congestion_initial_window(cc->mss);
	cc->ssthresh = CONGESTION_SSTHRESH_INFINITE;
	memset(cc->private_words, 0, sizeof(cc->private_words));
}

static void reno_on_transmit(struct congestion *cc, uint32_t in_flight, bool app_limited,
                             uint64_t now_us)
{
	(void)cc;
	(void)in_flight;
	(void)app_limited;
	(void)now_us;
}

/*
 * RFC 3465, section 2.2 and 2.3: by the bytes acknowledged, at most L segments an
 * ACK. L is 2, but 1 after a time-out: there an ACK may cover data that had left
 * the network long before. Returns the bytes left over for congestion avoidance.
 */
static uint32_t slow_start(struct congestion *cc, uint32_t acked)
{
	uint32_t limit = (reno_of(cc)->after_timeout ? 1 : 2) * cc->mss;
	uint32_t rest = congestion_slow_start(cc, acked < limit ? acked : limit);

	if (cc->cwnd >= cc->ssthresh)
		reno_of(cc)->after_timeout = 0;
	return rest;
}

/* One segment for each cwnd of bytes acknowledged (RFC 3465, section 2.1). */
static void congestion_avoidance(struct congestion *cc, uint32_t acked)
{
	struct reno *reno = reno_of(cc);

	reno->bytes_acked += acked;
	if (reno->bytes_acked >= cc->cwnd) {
		reno->bytes_acked -= cc->cwnd;
		congestion_grow(cc, cc->mss);
	}
	/* No more than one segment a round trip. */
	if (reno->bytes_acked >= cc->cwnd)
		reno->bytes_acked = cc->cwnd - 1;
}

static void reno_on_ack(struct congestion *cc, const struct congestion_ack *ack)
{
	uint32_t acked = ack->acked_bytes;

	/* A window that was not used has proved nothing (RFC 7661, section 1). */
	if (ack->in_recovery || !ack->cwnd_limited || ack->ece)
		return;
	if (cc->cwnd < cc->ssthresh)
		acked = slow_start(cc, acked);
	if (acked > 0)
		congestion_avoidance(cc, acked);
}

static void reno_remember(struct congestion *cc)
{
	struct reno *reno = reno_of(cc);

	reno->undo_valid = 1;
	reno->undo_cwnd = cc->cwnd;
	reno->undo_ssthresh = cc->ssthresh;
}

/* Half of what was outstanding (RFC 5681, equation 4). */
static void reno_on_loss(struct congestion *cc, uint32_t flight, uint64_t now_us)
{
	(void)now_us;
	reno_remember(cc);
	cc->ssthresh = congestion_fraction(cc, flight, 1, 2);
	if (cc->cwnd > cc->ssthresh)
		cc->cwnd = cc->ssthresh;
	reno_of(cc)->bytes_acked = 0;
	reno_of(cc)->after_timeout = 0;
}

/* The same for a mark (RFC 3168, section 6.1.2), which is no mistake. */
static void reno_on_ecn(struct congestion *cc, uint32_t flight, uint64_t now_us)
{
	reno_on_loss(cc, flight, now_us);
	congestion_marked(cc, flight, 1, 2);
	reno_of(cc)->undo_valid = 0;
}

/*
 * cwnd is ssthresh already after fast recovery; after a time-out it is on its way
 * there, and that slow start goes on.
 */
static void reno_on_recovered(struct congestion *cc, uint64_t now_us)
{
	(void)cc;
	(void)now_us;
}

static void reno_on_timeout(struct congestion *cc, uint32_t flight, bool first, uint64_t now_us)
{
	(void)now_us;
	/* A segment lost again doesn't halve ssthresh again (RFC 5681, section 3.1). */
	if (first) {
		reno_remember(cc);
		cc->ssthresh = congestion_fraction(cc, flight, 1, 2);
	}
	cc->cwnd = cc->mss;
	reno_of(cc)->bytes_acked = 0;
	reno_of(cc)->after_timeout = 1;
}

static void reno_on_undo(struct congestion *cc, uint64_t now_us)
{
	struct reno *reno = reno_of(cc);

	(void)now_us;
	if (!reno->undo_valid)
		return;
	reno->undo_valid = 0;
	reno->after_timeout = 0;
	congestion_restore(cc, reno->undo_cwnd, reno->undo_ssthresh);
}

const struct congestion_ops congestion_reno = {
	.name = "reno",
	.init = reno_init,
	.on_transmit = reno_on_transmit,
	.on_ack = reno_on_ack,
	.on_loss = reno_on_loss,
	.on_ecn = reno_on_ecn,
	.on_recovered = reno_on_recovered,
	.on_timeout = reno_on_timeout,
	.on_undo = reno_on_undo,
};
