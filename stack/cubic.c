/*
 * CUBIC (RFC 9438), with HyStart++ (RFC 9406) in the first slow start.
 *
 * Theory of operation: Reno adds a segment a round trip, so that after a loss a long fat
 * pipe stays half empty for minutes. CUBIC lets cwnd follow a cubic curve of the time
 * since congestion avoidance began (the epoch): fast up to where the last loss was (W_max),
 * flat around it, then faster and faster beyond. It does not depend on the round trip, so
 * long paths get their share. Where Reno would be faster, on short or thin paths, it does as
 * Reno does (W_est).
 *
 *     W(t) = C * (t - K)^3 + W_max         C = 0.4 segments / s^3
 *     K    = cbrt((W_max - cwnd_epoch) / C)    so that W(0) = cwnd_epoch
 *
 * It paces, somewhat faster than cwnd a round trip: an ACK that opens much of the
 * window, or the end of recovery, would otherwise be a burst that the queue has no room for.
 *
 * Windows are bytes and times milliseconds here; all in integers, with a bound for each
 * product (the private words may come from a damaged table). Time in which the application,
 * and not cwnd, was the limit moves the epoch instead of counting (section 5.8).
 */
#include "congestion.h"

#include <stddef.h>
#include <string.h>

#include "hystart.h"
#include "rtt.h"

#define BETA_NUM       7u /* beta_cubic, 0.7 */
#define BETA_DEN       10u
#define ALPHA_NUM      9u /* alpha_cubic, 3 * (1 - beta) / (1 + beta) = 9 / 17 */
#define ALPHA_DEN      17u
#define ELAPSED_MAX_MS (UINT64_C(1) << 20) /* of the curve: its cube times a MSS fits */
#define LIMIT_LATER    2u                  /* RFC 3465, L, in later slow starts ... */
#define LIMIT_TIMEOUT  1u                  /* ... and in those after a time-out */

/* What the curve is made of. */
struct cubic_curve {
	uint64_t epoch_us; /* where t is 0; meaningless unless in_epoch */
	uint64_t k_ms;
	uint64_t remainder;     /* of cwnd's growth, below one byte */
	uint64_t est_remainder; /* of W_est's */
	uint32_t in_epoch;
	uint32_t w_max;  /* cwnd before the last reduction, or less; 0: unknown */
	uint32_t origin; /* the curve's W_max */
	uint32_t w_est;  /* what Reno's cwnd would be */
	uint32_t cwnd_prior;
	uint32_t reserved;
};

/* Pacing, in percent of cwnd a round trip: never the limit, but where cwnd comes at once. */
#define PACE_SLOW_START 200u /* cwnd doubles meanwhile */
#define PACE_AVOIDANCE  125u
#define QUANTUM_US      1000u /* a timer for each millisecond is enough */
#define QUANTUM_MAX     65536u

/* In private_words. */
struct cubic {
	struct cubic_curve curve;
	struct hystart hystart;
	uint64_t last_us;       /* of the last ACK, or of the end of idleness */
	uint32_t after_timeout; /* until slow start ends */
	uint32_t undo_valid;
	/* as before the last reduction */
	uint32_t undo_cwnd;
	uint32_t undo_ssthresh;
	struct cubic_curve undo_curve;
} __attribute__((may_alias));

_Static_assert(sizeof(struct cubic) <= sizeof(((struct congestion *)0)->private_words),
               "private_words are too few for CUBIC");

static struct cubic *cubic_of(struct congestion *cc)
{
	return (struct cubic *)cc->private_words;
}

static uint32_t cubic_cwnd(const struct congestion *cc)
{
	return cc->cwnd > 0 ? cc->cwnd : 1;
}

/* ---- the curve ---- */

/* The largest root whose cube is at most VALUE. */
static uint64_t cube_root(uint64_t value)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 21; bit > 0; bit >>= 1) {
		uint64_t next = root | bit;

		if (next <= 2642245 && next * next * next <= value)
			root = next;
	}
	return root;
}

/* K in milliseconds for a curve that has FAR bytes to climb. */
static uint64_t cubic_k(uint32_t far, uint32_t mss)
{
	if (far > CONGESTION_CWND_MAX)
		far = CONGESTION_CWND_MAX;
	/* cbrt(segments / 0.4) seconds; 2^30 times 2.5e9 is below 2^62 */
	return cube_root(far * UINT64_C(2500000000) / (mss > 0 ? mss : 1));
}

/* C * t^3 in bytes for a time on either side of K. */
static uint64_t cubic_distance(uint64_t ms, uint32_t mss)
{
	uint64_t cube;

	if (ms > ELAPSED_MAX_MS)
		ms = ELAPSED_MAX_MS;
	if (mss > UINT16_MAX)
		mss = UINT16_MAX;
	/* in seconds^3 times 1000: below 2^41 */
	cube = ms * ms * ms / 1000000;
	return cube * mss * 4 / 10000;
}

/* W_cubic MS after the epoch began (equation 1). */
static uint32_t cubic_window(const struct cubic_curve *curve, uint64_t ms, uint32_t mss)
{
	uint64_t window;

	if (ms < curve->k_ms) {
		uint64_t below = cubic_distance(curve->k_ms - ms, mss);

		return below < curve->origin ? curve->origin - (uint32_t)below : 0;
	}
	window = curve->origin + cubic_distance(ms - curve->k_ms, mss);
	return window < CONGESTION_CWND_MAX ? (uint32_t)window : CONGESTION_CWND_MAX;
}

/*
 * Congestion avoidance begins, or begins again (section 4.2). Where no loss has said how
 * much is too much, the curve begins at its flat part (sections 4.8 and 4.10).
 */
static void cubic_begin(struct congestion *cc, uint64_t now_us)
{
	struct cubic_curve *curve = &cubic_of(cc)->curve;

	curve->in_epoch = 1;
	curve->epoch_us = now_us;
	curve->remainder = 0;
	curve->est_remainder = 0;
	curve->w_est = cc->cwnd;
	if (curve->w_max > cc->cwnd) {
		curve->origin = curve->w_max;
		curve->k_ms = cubic_k(curve->w_max - cc->cwnd, cc->mss);
	} else {
		curve->origin = cc->cwnd;
		curve->k_ms = 0;
	}
}

/* What PRODUCT, carried over from before by REMAINDER, holds of DIVISOR; cwnd changes between. */
static uint32_t cubic_divide(uint64_t product, uint64_t *remainder, uint64_t divisor)
{
	product += *remainder % divisor;
	*remainder = product % divisor;
	return (uint32_t)(product / divisor);
}

/* W_est: a window that grows by alpha segments a round trip (section 4.3). */
static void cubic_estimate(struct congestion *cc, uint32_t acked)
{
	struct cubic_curve *curve = &cubic_of(cc)->curve;
	uint32_t mss = cc->mss < UINT16_MAX ? cc->mss : UINT16_MAX;
	/* from where it was before the reduction on, as fast as Reno */
	uint32_t alpha = curve->w_est < curve->cwnd_prior ? ALPHA_NUM : ALPHA_DEN;
	uint64_t more = (uint64_t)acked * mss * alpha;
	uint64_t window = curve->w_est;

	window += cubic_divide(more, &curve->est_remainder, (uint64_t)cubic_cwnd(cc) * ALPHA_DEN);
	curve->w_est = window < CONGESTION_CWND_MAX ? (uint32_t)window : CONGESTION_CWND_MAX;
}

/* ACKED bytes in congestion avoidance (sections 4.2 to 4.5). */
static void cubic_avoidance(struct congestion *cc, const struct congestion_ack *ack, uint32_t acked)
{
	struct cubic_curve *curve = &cubic_of(cc)->curve;
	uint64_t rtt_ms = ack->rtt != NULL ? ack->rtt->srtt_us / 1000 : 0;
	uint32_t target, cwnd = cubic_cwnd(cc);
	uint64_t ms;

	if (!curve->in_epoch)
		cubic_begin(cc, ack->now_us);
	if (curve->epoch_us > ack->now_us)
		curve->epoch_us = ack->now_us;
	ms = (ack->now_us - curve->epoch_us) / 1000;
	/* an ACK of more than a window would count for more than a round trip */
	if (acked > cwnd)
		acked = cwnd;
	cubic_estimate(cc, acked);
	if (cubic_window(curve, ms, cc->mss) < curve->w_est) {
		if (curve->w_est > cwnd)
			congestion_grow(cc, curve->w_est - cwnd);
		return;
	}
	target = cubic_window(curve, ms + rtt_ms, cc->mss);
	if (target > cwnd + cwnd / 2)
		target = cwnd + cwnd / 2;
	if (target > cwnd)
		congestion_grow(cc, cubic_divide((uint64_t)(target - cwnd) * acked,
		                                 &curve->remainder, cwnd));
}

/* ---- pacing ---- */

/* In recovery cwnd goes down with what is in flight, and must come back to ssthresh. */
static void cubic_pace(struct congestion *cc, const struct rtt *rtt, bool in_recovery)
{
	bool slow_start = cc->cwnd < cc->ssthresh && !in_recovery;
	uint32_t percent = slow_start ? PACE_SLOW_START : PACE_AVOIDANCE;
	uint64_t window = cc->cwnd;
	uint64_t quantum;

	if (rtt == NULL || rtt->samples == 0 || rtt->srtt_us == 0)
		return;
	if (in_recovery && cc->ssthresh > cc->cwnd && cc->ssthresh <= CONGESTION_CWND_MAX)
		window = cc->ssthresh;
	cc->pacing_rate = window * percent * 10000 / rtt->srtt_us;
	quantum = cc->pacing_rate * QUANTUM_US / 1000000;
	if (quantum < 2 * (uint64_t)cc->mss)
		quantum = 2 * (uint64_t)cc->mss;
	cc->send_quantum = (uint32_t)(quantum < QUANTUM_MAX ? quantum : QUANTUM_MAX);
}

/* ---- what ACKs do ---- */

/* Returns what is left over for congestion avoidance. */
static uint32_t cubic_slow_start(struct congestion *cc, const struct congestion_ack *ack)
{
	struct cubic *cubic = cubic_of(cc);
	uint32_t limit = (cubic->after_timeout ? LIMIT_TIMEOUT : LIMIT_LATER) * cc->mss;
	uint32_t bytes = ack->acked_bytes < limit ? ack->acked_bytes : limit;
	bool done;

	/* HyStart++ is for the first one only (RFC 9406, section 4.3) */
	if (cc->ssthresh != CONGESTION_SSTHRESH_INFINITE)
		return congestion_slow_start(cc, bytes);
	bytes = hystart_ack(&cubic->hystart, ack, cc->mss, cc->pacing_rate != 0, &done);
	if (ack->cwnd_limited)
		congestion_grow(cc, bytes);
	if (done)
		cc->ssthresh = cc->cwnd;
	return 0;
}

/* Time up to now, since the last ACK, was not cwnd's: t stands still for so long. */
static void cubic_pause(struct cubic *cubic, uint64_t now_us)
{
	if (cubic->last_us < now_us)
		cubic->curve.epoch_us += now_us - cubic->last_us;
	cubic->last_us = now_us;
}

static void cubic_increase(struct congestion *cc, const struct congestion_ack *ack)
{
	struct cubic *cubic = cubic_of(cc);
	uint32_t acked = ack->acked_bytes;

	if (!ack->cwnd_limited)
		cubic_pause(cubic, ack->now_us);
	cubic->last_us = ack->now_us;
	if (ack->in_recovery || ack->ece || acked == 0)
		return;
	if (cc->cwnd < cc->ssthresh) {
		/* the first one looks at every round trip */
		if (!ack->cwnd_limited && cc->ssthresh != CONGESTION_SSTHRESH_INFINITE)
			return;
		acked = cubic_slow_start(cc, ack);
	}
	if (cc->cwnd >= cc->ssthresh)
		cubic->after_timeout = 0;
	if (acked > 0 && ack->cwnd_limited)
		cubic_avoidance(cc, ack, acked);
}

static void cubic_on_ack(struct congestion *cc, const struct congestion_ack *ack)
{
	cubic_increase(cc, ack);
	cubic_pace(cc, ack->rtt, ack->in_recovery);
}

static void cubic_on_transmit(struct congestion *cc, uint32_t in_flight, bool app_limited,
                              uint64_t now_us)
{
	(void)app_limited;
	if (in_flight == 0)
		cubic_pause(cubic_of(cc), now_us);
}

/* ---- reductions ---- */

static void cubic_remember(struct congestion *cc)
{
	struct cubic *cubic = cubic_of(cc);

	cubic->undo_valid = 1;
	cubic->undo_cwnd = cc->cwnd;
	cubic->undo_ssthresh = cc->ssthresh;
	cubic->undo_curve = cubic->curve;
}

/* To beta times FLIGHT (section 4.6); a flow that shrinks makes room for new ones (4.7). */
static void cubic_reduce(struct congestion *cc, uint32_t flight)
{
	struct cubic_curve *curve = &cubic_of(cc)->curve;
	uint64_t before = cubic_cwnd(cc);

	curve->w_max =
		(uint32_t)(before < curve->w_max ? before * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN)
	                                         : before);
	curve->cwnd_prior = (uint32_t)before;
	curve->in_epoch = 0;
	cc->ssthresh = congestion_fraction(cc, flight, BETA_NUM, BETA_DEN);
}

static void cubic_on_loss(struct congestion *cc, uint32_t flight, uint64_t now_us)
{
	(void)now_us;
	cubic_remember(cc);
	cubic_reduce(cc, flight);
	if (cc->cwnd > cc->ssthresh)
		cc->cwnd = cc->ssthresh;
	cubic_of(cc)->after_timeout = 0;
}

static void cubic_on_ecn(struct congestion *cc, uint32_t flight, uint64_t now_us)
{
	cubic_on_loss(cc, flight, now_us);
	congestion_marked(cc, flight, BETA_NUM, BETA_DEN);
	cubic_of(cc)->undo_valid = 0; /* a mark is no mistake */
}

/* RFC 5681's way down, beta's ssthresh, and then a curve from where slow start ends (4.8). */
static void cubic_on_timeout(struct congestion *cc, uint32_t flight, bool first, uint64_t now_us)
{
	(void)now_us;
	if (first) {
		cubic_remember(cc);
		cubic_reduce(cc, flight);
	}
	cubic_of(cc)->curve.w_max = 0;
	cubic_of(cc)->curve.in_epoch = 0;
	cubic_of(cc)->after_timeout = 1;
	cc->cwnd = cc->mss;
}

/* Everything as before, as if the curve had gone on (section 4.9). */
static void cubic_on_undo(struct congestion *cc, uint64_t now_us)
{
	struct cubic *cubic = cubic_of(cc);

	(void)now_us;
	if (!cubic->undo_valid)
		return;
	cubic->undo_valid = 0;
	cubic->after_timeout = 0;
	cubic->curve = cubic->undo_curve;
	congestion_restore(cc, cubic->undo_cwnd, cubic->undo_ssthresh);
}

/* ---- the rest ---- */

static void cubic_init(struct congestion *cc, const struct rtt *rtt, uint64_t now_us)
{
	(void)rtt;
	memset(cc->private_words, 0, sizeof(cc->private_words));
	cc->cwnd = congestion_initial_window(cc->mss);
	cc->ssthresh = CONGESTION_SSTHRESH_INFINITE;
	cubic_of(cc)->last_us = now_us;
	hystart_init(&cubic_of(cc)->hystart);
}

/* Fast recovery has brought cwnd to ssthresh; after a time-out slow start goes on. */
static void cubic_on_recovered(struct congestion *cc, uint64_t now_us)
{
	(void)cc;
	(void)now_us;
}

const struct congestion_ops congestion_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.on_transmit = cubic_on_transmit,
	.on_ack = cubic_on_ack,
	.on_loss = cubic_on_loss,
	.on_ecn = cubic_on_ecn,
	.on_recovered = cubic_on_recovered,
	.on_timeout = cubic_on_timeout,
	.on_undo = cubic_on_undo,
};
