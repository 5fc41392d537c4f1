/*
 * Reno: slow start and congestion avoidance (RFC 5681, section 3.1) with
 * appropriate byte counting (RFC 3465).
 *
 * During fast recovery cwnd stays at ssthresh and is not inflated: what may be
 * sent then is cwnd less the bytes that the scoreboard thinks are in the network
 * (RFC 6675, section 5), so that RFC 6582's inflation and deflation by duplicate
 * ACKs have nothing left to do here.
 */
#include "congestion.h"

#include <string.h>

/* No window of TCP is larger (RFC 7323, section 2.3), so no cwnd need be. */
#define CWND_MAX (UINT32_C(1) << 30)

/* Reno's private words. */
enum {
	BYTES_ACKED,   /* acknowledged in congestion avoidance, not yet turned into cwnd */
	AFTER_TIMEOUT, /* 1 from a time-out to the end of its slow start */
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void reno_init(struct congestion *cc, const struct rtt *rtt, uint64_t now_us)
{
	(void)rtt;
	(void)now_us;
	cc->cwnd = congestion_initial_window(cc->mss);
	cc->ssthresh = CONGESTION_SSTHRESH_INFINITE;
	memset(cc->private_words, 0, sizeof(cc->private_words));
}

/* Half of what was outstanding (RFC 5681, equation 4). */
static uint32_t reduced(const struct congestion *cc, uint32_t flight)
{
	return larger(flight / 2, 2 * cc->mss);
}

static void grow(struct congestion *cc, uint32_t bytes)
{
	cc->cwnd = cc->cwnd < CWND_MAX - smaller(bytes, CWND_MAX) ? cc->cwnd + bytes : CWND_MAX;
}

/*
 * RFC 3465, section 2.2 and 2.3: by the bytes acknowledged, at most L segments an
 * ACK. L is 2, but 1 after a time-out: there an ACK may cover data that had left
 * the network long before. Returns the bytes left over for congestion avoidance.
 */
static uint32_t slow_start(struct congestion *cc, uint32_t acked)
{
	uint32_t limit = (cc->private_words[AFTER_TIMEOUT] ? 1 : 2) * cc->mss;
	uint32_t growth = smaller(smaller(acked, limit), cc->ssthresh - cc->cwnd);

	grow(cc, growth);
	if (cc->cwnd < cc->ssthresh)
		return 0;
	cc->private_words[AFTER_TIMEOUT] = 0;
	return smaller(acked, limit) - growth;
}

/* One segment for each cwnd of bytes acknowledged (RFC 3465, section 2.1). */
static void congestion_avoidance(struct congestion *cc, uint32_t acked)
{
	uint64_t bytes_acked = cc->private_words[BYTES_ACKED] + acked;

	if (bytes_acked >= cc->cwnd) {
		bytes_acked -= cc->cwnd;
		grow(cc, cc->mss);
	}
	/* No more than one segment a round trip. */
	cc->private_words[BYTES_ACKED] = bytes_acked < cc->cwnd ? bytes_acked : cc->cwnd - 1;
}

static void reno_on_ack(struct congestion *cc, const struct congestion_ack *ack)
{
	uint32_t acked = ack->acked_bytes;

	/* A window that was not used has proved nothing (RFC 7661, section 1). */
	if (ack->in_recovery || !ack->cwnd_limited)
		return;
	if (cc->cwnd < cc->ssthresh)
		acked = slow_start(cc, acked);
	if (acked > 0)
		congestion_avoidance(cc, acked);
}

static void reno_on_loss(struct congestion *cc, uint32_t flight, uint64_t now_us)
{
	(void)now_us;
	cc->ssthresh = reduced(cc, flight);
	cc->cwnd = cc->ssthresh;
	cc->private_words[BYTES_ACKED] = 0;
	cc->private_words[AFTER_TIMEOUT] = 0;
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
	if (first)
		cc->ssthresh = reduced(cc, flight);
	cc->cwnd = cc->mss;
	cc->private_words[BYTES_ACKED] = 0;
	cc->private_words[AFTER_TIMEOUT] = 1;
}

static void reno_on_idle(struct congestion *cc, uint64_t now_us)
{
	(void)now_us;
	cc->cwnd = smaller(cc->cwnd, congestion_initial_window(cc->mss));
	cc->private_words[BYTES_ACKED] = 0;
}

const struct congestion_ops congestion_reno = {
	.name = "reno",
	.init = reno_init,
	.on_ack = reno_on_ack,
	.on_loss = reno_on_loss,
	.on_recovered = reno_on_recovered,
	.on_timeout = reno_on_timeout,
	.on_idle = reno_on_idle,
};
