/*
 * BBR's cycle of probing for bandwidth (draft-ietf-ccwg-bbr, section 5.3.3): DOWN
 * drains what the last probe has queued, CRUISE holds the rate, REFILL fills the
 * pipe again, UP sends more than the path is thought to carry and listens to what
 * comes of it. inflight_longterm is what has been found safe to have in flight.
 */
#include "bbr.h"

#define SLOPE_ROUNDS_MOST 30u

/* ---- entering the states ---- */

/* How long until the next probe: 2 to 3 s, or rounds as Reno would need (5.3.3.8). */
static void bbr_pick_probe_wait(struct bbr *b, uint64_t now_us)
{
	b->random ^= now_us;
	b->rounds_since_probe_up = (uint32_t)bbr_random(b, 2);
	b->bw_probe_wait = BBR_PROBE_WAIT_US + bbr_random(b, BBR_PROBE_WAIT_RANDOM_US);
}

void bbr_start_down(struct bbr *b, uint64_t now_us)
{
	bbr_reset_congestion_signals(b);
	b->probe_up_acked_per_inc = BBR_UNBOUNDED;
	bbr_pick_probe_wait(b, now_us);
	b->cycle_stamp = now_us;
	b->ack_phase = BBR_ACKS_PROBE_STOPPING;
	bbr_start_round(b);
	b->state = BBR_PROBE_BW_DOWN;
}

void bbr_start_cruise(struct bbr *b)
{
	b->state = BBR_PROBE_BW_CRUISE;
}

void bbr_start_refill(struct bbr *b)
{
	bbr_reset_shortterm(b);
	b->bw_probe_up_rounds = 0;
	b->bw_probe_up_acked = 0;
	b->prev_probe_precautionary = 0;
	b->ack_phase = BBR_ACKS_REFILLING;
	bbr_start_round(b);
	b->state = BBR_PROBE_BW_REFILL;
}

/* inflight_longterm is to grow by 1, 2, 4, ... segments a round. */
static void bbr_raise_slope(const struct congestion *cc, struct bbr *b)
{
	uint32_t growth = 1u << bbr_min(b->bw_probe_up_rounds, SLOPE_ROUNDS_MOST);

	b->bw_probe_up_rounds = (uint32_t)bbr_min(b->bw_probe_up_rounds, SLOPE_ROUNDS_MOST - 1) + 1;
	b->probe_up_acked_per_inc = cc->cwnd / growth > cc->mss ? cc->cwnd / growth : cc->mss;
}

static void bbr_start_up(const struct congestion *cc, struct bbr *b, const struct bbr_sample *rs)
{
	b->ack_phase = BBR_ACKS_PROBE_STARTING;
	bbr_start_round(b);
	bbr_reset_full_bw(b, rs->delivery_rate);
	b->state = BBR_PROBE_BW_UP;
	bbr_raise_slope(cc, b);
}

/* ---- leaving them ---- */

uint32_t bbr_target_inflight(const struct congestion *cc, const struct bbr *b)
{
	uint32_t bdp = bbr_bdp(cc, b, b->bw, 100);

	return bdp < cc->cwnd ? bdp : cc->cwnd;
}

static bool bbr_time_to_probe(const struct congestion *cc, struct bbr *b, uint64_t now_us)
{
	uint32_t reno_rounds = bbr_target_inflight(cc, b) / (cc->mss > 0 ? cc->mss : 1);

	if (reno_rounds > BBR_RENO_ROUNDS)
		reno_rounds = BBR_RENO_ROUNDS;
	return bbr_since(b->cycle_stamp, now_us) > b->bw_probe_wait ||
	       b->rounds_since_probe_up >= reno_rounds;
}

static bool bbr_time_to_cruise(const struct congestion *cc, const struct bbr *b,
                               const struct bbr_sample *rs)
{
	return rs->in_flight <= bbr_inflight_with_headroom(cc, b) &&
	       rs->in_flight <= bbr_inflight(cc, b, bbr_max_bw(b), 100);
}

static bool bbr_time_to_go_down(const struct congestion *cc, struct bbr *b,
                                const struct bbr_sample *rs)
{
	/*
	 * Once it was too high: no longer there than needed (5.3.3.6). As it is cwnd,
	 * too, what is in flight comes within a segment of it, and before an ACK only.
	 */
	if (b->prev_probe_too_high &&
	    (uint64_t)rs->in_flight_before + cc->mss > b->inflight_longterm) {
		b->prev_probe_precautionary = 1;
		return true;
	}
	if (rs->cwnd_limited && cc->cwnd >= b->inflight_longterm) {
		bbr_reset_full_bw(b, rs->delivery_rate); /* our own bound limits bw */
		return false;
	}
	return b->full_bw_now;
}

/* ---- inflight_longterm ---- */

static void bbr_probe_longterm_upward(const struct congestion *cc, struct bbr *b,
                                      const struct bbr_sample *rs)
{
	uint32_t step = b->probe_up_acked_per_inc > 0 ? b->probe_up_acked_per_inc : 1;
	uint64_t acked;

	if (!rs->cwnd_limited || cc->cwnd < b->inflight_longterm)
		return; /* not using all of it */
	acked = (uint64_t)b->bw_probe_up_acked + rs->newly_acked;
	b->inflight_longterm = bbr_volume(b->inflight_longterm + acked / step * cc->mss);
	b->bw_probe_up_acked = (uint32_t)(acked % step);
	if (b->round_start)
		bbr_raise_slope(cc, b);
}

/* The ACKs of a probe have all come in. True when a state has been entered. */
static bool bbr_probe_feedback_ends(struct bbr *b, const struct bbr_sample *rs)
{
	b->is_bw_probe_sample = 0;
	b->ack_phase = BBR_ACKS_INIT;
	if (!bbr_in_probe_bw(b))
		return false;
	if (!rs->is_app_limited)
		bbr_advance_max_bw(b);
	/* the careful probe did no harm: now a longer one (5.3.3.6) */
	if (!b->prev_probe_precautionary || b->prev_probe_too_high)
		return false;
	bbr_start_refill(b);
	return true;
}

static bool bbr_adapt_longterm(const struct congestion *cc, struct bbr *b,
                               const struct bbr_sample *rs)
{
	if (b->ack_phase == BBR_ACKS_PROBE_STARTING && b->round_start)
		b->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
	if (b->ack_phase == BBR_ACKS_PROBE_STOPPING && b->round_start &&
	    bbr_probe_feedback_ends(b, rs))
		return true;
	if (b->inflight_longterm == BBR_UNBOUNDED ||
	    bbr_too_much_lost(cc, b, rs->lost, rs->tx_in_flight))
		return false;
	if (rs->tx_in_flight > b->inflight_longterm)
		b->inflight_longterm = bbr_volume(rs->tx_in_flight);
	if (b->state == BBR_PROBE_BW_UP)
		bbr_probe_longterm_upward(cc, b, rs);
	return false;
}

/* ---- the cycle ---- */

void bbr_update_probe_bw(struct congestion *cc, struct bbr *b, const struct bbr_sample *rs)
{
	if (!b->full_bw_reached || bbr_adapt_longterm(cc, b, rs))
		return;
	switch (b->state) {
	case BBR_PROBE_BW_DOWN:
		if (bbr_time_to_probe(cc, b, rs->now_us))
			bbr_start_refill(b);
		else if (bbr_time_to_cruise(cc, b, rs))
			bbr_start_cruise(b);
		break;
	case BBR_PROBE_BW_CRUISE:
		if (bbr_time_to_probe(cc, b, rs->now_us))
			bbr_start_refill(b);
		break;
	case BBR_PROBE_BW_REFILL:
		if (b->round_start) {
			b->is_bw_probe_sample = 1;
			bbr_start_up(cc, b, rs);
		}
		break;
	case BBR_PROBE_BW_UP:
		if (bbr_time_to_go_down(cc, b, rs)) {
			b->prev_probe_too_high = 0;
			bbr_start_down(b, rs->now_us);
		}
		break;
	default:
		break;
	}
}
