/*
 * BBR, version 3 (draft-ietf-ccwg-bbr-06): the events, and the first two states.
 *
 * Theory of operation
 *
 * Reno and CUBIC fill the bottleneck's queue until it overflows, and take the loss
 * for the answer. BBR instead keeps a model of the path: the most it has delivered
 * in the last two probing cycles (max_bw) and the shortest round trip (min_rtt). It
 * sends at that rate, paced, with about their product (the BDP) in flight, which
 * fills the path and not the queue. What the model says can only be learnt by
 * sending differently now and then, and that is what the states are for:
 *
 *   Startup        doubles the rate each round until max_bw stops growing
 *   Drain          sends slowly until the queue that this built is gone
 *   ProbeBW        DOWN, CRUISE, REFILL, UP: in turn less, the same, more
 *   ProbeRTT       every five seconds if need be, little in flight, for min_rtt
 *
 * Losses bound the model: over a cycle (inflight_longterm) where they came of a
 * probe, and until the next one (bw_shortterm, inflight_shortterm) otherwise.
 *
 * Each event takes the private words through bbr_of(), which begins anew when
 * they cannot be what BBR has left there. On an ACK the model is brought up to
 * date (bbr_model.c, bbr_loss.c), then the state (here, bbr_probe_bw.c,
 * bbr_probe_rtt.c), then what follows for the sender (bbr_control.c).
 *
 * ECN (section 3.7): an ECN-Echo counts as a round with too much loss.
 */
#include "bbr.h"

#include <string.h>

#include "rtt.h"

#define STARTUP_LOSS_EVENTS 6u /* BBRStartupFullLossCnt */
#define DRAIN_ROUNDS_MOST   3u

/* ---- the private words ---- */

static bool bbr_rate_valid(uint64_t rate)
{
	return rate <= BBR_RATE_MAX || rate == BBR_RATE_UNBOUNDED;
}

static bool bbr_volume_valid(uint32_t volume)
{
	return volume <= BBR_VOLUME_MAX || volume == BBR_UNBOUNDED;
}

static bool bbr_time_valid(uint64_t us)
{
	return us > 0 && us <= BBR_TIME_MAX_US;
}

static bool bbr_rates_valid(const struct bbr *b)
{
	return b->max_bw[0] <= BBR_RATE_MAX && b->max_bw[1] <= BBR_RATE_MAX &&
	       b->bw <= BBR_RATE_MAX && b->bw_latest <= BBR_RATE_MAX &&
	       b->full_bw <= BBR_RATE_MAX && bbr_rate_valid(b->bw_shortterm) &&
	       bbr_rate_valid(b->undo_bw_shortterm);
}

static bool bbr_times_valid(const struct bbr *b, uint64_t now_us)
{
	return bbr_time_valid(b->min_rtt_us) && bbr_time_valid(b->probe_rtt_min_delay) &&
	       b->min_rtt_stamp <= now_us && b->probe_rtt_min_stamp <= now_us &&
	       b->cycle_stamp <= now_us && b->extra_acked_interval_start <= now_us &&
	       (b->probe_rtt_done_stamp <= now_us ||
	        b->probe_rtt_done_stamp - now_us <= BBR_PROBE_RTT_DURATION_US) &&
	       b->bw_probe_wait <= BBR_PROBE_WAIT_US + BBR_PROBE_WAIT_RANDOM_US;
}

static bool bbr_volumes_valid(const struct bbr *b)
{
	return bbr_volume_valid(b->inflight_longterm) && bbr_volume_valid(b->inflight_shortterm) &&
	       bbr_volume_valid(b->undo_inflight_longterm) &&
	       bbr_volume_valid(b->undo_inflight_shortterm) && b->quiet_lost <= BBR_VOLUME_MAX &&
	       b->quiet_delivered <= BBR_VOLUME_MAX && b->extra_acked_delivered < UINT64_C(1) << 62;
}

static void bbr_init(struct congestion *cc, const struct rtt *rtt, uint64_t now_us)
{
	struct bbr *b = (struct bbr *)cc->private_words;
	uint64_t srtt_us = rtt != NULL ? bbr_min(rtt->srtt_us, BBR_TIME_MAX_US - 1) : 0;

	memset(cc->private_words, 0, sizeof(cc->private_words));
	cc->cwnd = congestion_initial_window(cc->mss);
	cc->ssthresh = CONGESTION_SSTHRESH_INFINITE;
	b->random = now_us + (srtt_us << 32);
	b->has_rtt = srtt_us > 0;
	b->inflight_longterm = BBR_UNBOUNDED;
	b->undo_inflight_longterm = BBR_UNBOUNDED;
	b->probe_up_acked_per_inc = BBR_UNBOUNDED;
	bbr_model_init(b, srtt_us, now_us);
	bbr_reset_shortterm(b);
	bbr_enter_startup(b);
	bbr_init_pacing(cc, srtt_us);
	cc->send_quantum = bbr_volume(2 * (uint64_t)cc->mss);
}

/* The state in the private words, or a new one when what stands there is not one. */
static struct bbr *bbr_of(struct congestion *cc, uint64_t now_us)
{
	struct bbr *b = (struct bbr *)cc->private_words;

	if (b->state >= BBR_STATES || b->ack_phase >= BBR_ACK_PHASES ||
	    b->undo_state >= BBR_UNDOS || !bbr_rates_valid(b) || !bbr_times_valid(b, now_us) ||
	    !bbr_volumes_valid(b))
		bbr_init(cc, NULL, now_us);
	return b;
}

/* A new master may count delivered bytes anew: no mark may be ahead of the count. */
static void bbr_set_delivered(struct bbr *b, uint64_t total_delivered)
{
	b->delivered = total_delivered;
	b->next_round_delivered = bbr_min(b->next_round_delivered, total_delivered);
	b->loss_round_delivered = bbr_min(b->loss_round_delivered, total_delivered);
	if (b->limited_from > total_delivered)
		b->limited_from = b->limited_until = 0;
}

/* ---- Startup and Drain ---- */

void bbr_enter_startup(struct bbr *b)
{
	b->state = BBR_STARTUP;
}

static void bbr_enter_drain(struct bbr *b)
{
	b->state = BBR_DRAIN;
	b->drain_rounds = 0;
}

void bbr_leave_startup(struct congestion *cc, struct bbr *b)
{
	b->full_bw_reached = 1;
	b->inflight_longterm =
		bbr_volume(bbr_max(bbr_bdp(cc, b, bbr_max_bw(b), 100), b->inflight_latest));
	bbr_enter_drain(b);
}

/* Losses over a whole round of fast recovery say that the pipe is full (5.3.1.3). */
static bool bbr_startup_loses(const struct congestion *cc, const struct bbr *b,
                              const struct bbr_sample *rs)
{
	return b->loss_round_start && b->in_recovery && b->recovery_rounds > 0 &&
	       b->loss_events >= STARTUP_LOSS_EVENTS &&
	       bbr_too_much_lost(cc, b, rs->lost, rs->tx_in_flight);
}

static void bbr_check_startup_done(struct congestion *cc, struct bbr *b,
                                   const struct bbr_sample *rs)
{
	if (b->state != BBR_STARTUP)
		return;
	if (b->full_bw_reached) {
		bbr_enter_drain(b);
	} else if (bbr_startup_loses(cc, b, rs)) {
		b->undo_state = BBR_UNDO_STARTUP;
		bbr_leave_startup(cc, b);
	}
}

static void bbr_check_drain_done(const struct congestion *cc, struct bbr *b,
                                 const struct bbr_sample *rs)
{
	if (b->state != BBR_DRAIN)
		return;
	if (rs->in_flight <= bbr_inflight(cc, b, b->bw, 100) || b->drain_rounds > DRAIN_ROUNDS_MOST)
		bbr_start_down(b, rs->now_us);
}

/* ---- events ---- */

static void bbr_on_transmit(struct congestion *cc, uint32_t in_flight, bool app_limited,
                            uint64_t now_us)
{
	struct bbr *b = bbr_of(cc, now_us);

	/* restart from idle (section 5.4.1) */
	if (in_flight > 0 || !app_limited)
		return;
	b->idle_restart = 1;
	b->extra_acked_interval_start = now_us;
	if (bbr_in_probe_bw(b))
		bbr_set_pacing_rate(cc, b, 100);
	else if (b->state == BBR_PROBE_RTT)
		bbr_check_probe_rtt_done(cc, b, now_us);
}

static struct bbr_sample bbr_sample_of(const struct bbr *b, const struct congestion_ack *ack)
{
	const struct rate_sample *rate = &ack->rate;
	bool by_probe_rtt = b->limited_until > b->limited_from &&
	                    rate->prior_delivered >= b->limited_from &&
	                    rate->prior_delivered <= b->limited_until;

	return (struct bbr_sample){
		.now_us = ack->now_us,
		.rtt_us = bbr_min(ack->rtt_us, BBR_TIME_MAX_US - 1),
		.delivery_rate = bbr_min(rate->delivery_rate, BBR_RATE_MAX),
		.prior_delivered = rate->prior_delivered,
		.delivered = bbr_volume(rate->delivered),
		.newly_acked = bbr_volume(ack->delivered_bytes),
		.newly_lost = ack->lost_bytes,
		.tx_in_flight = bbr_volume(rate->tx_in_flight),
		.lost = rate->lost,
		.in_flight_before = bbr_volume(ack->in_flight_before),
		.in_flight = bbr_volume(ack->in_flight),
		.has_data = ack->delivered_bytes > 0 && rate->delivered > 0,
		.is_app_limited = rate->is_app_limited || by_probe_rtt,
		.cwnd_limited = ack->cwnd_limited,
	};
}

static void bbr_on_ack(struct congestion *cc, const struct congestion_ack *ack)
{
	struct bbr *b = bbr_of(cc, ack->now_us);
	struct bbr_sample rs;

	bbr_set_delivered(b, ack->rate.total_delivered);
	rs = bbr_sample_of(b, ack);
	if (!b->has_rtt && rs.rtt_us > 0) {
		b->has_rtt = 1;
		bbr_init_pacing(cc, rs.rtt_us);
	}
	bbr_note_queue(cc, b, &rs);
	bbr_update_latest(b, &rs);
	bbr_update_max_bw(b, &rs);
	bbr_adapt_lower_bounds(cc, b);
	bbr_update_aggregation(cc, b, &rs);
	bbr_check_full_bw(b, &rs);
	bbr_check_startup_done(cc, b, &rs);
	bbr_check_drain_done(cc, b, &rs);
	bbr_update_probe_bw(cc, b, &rs);
	bbr_update_min_rtt(b, &rs);
	bbr_check_probe_rtt(cc, b, &rs);
	bbr_advance_latest(b, &rs);
	bbr_bound_bw(b);
	bbr_update_control(cc, b, &rs);
}

static void bbr_on_segment_lost(struct congestion *cc, const struct congestion_lost *lost)
{
	struct bbr *b = bbr_of(cc, lost->now_us);

	bbr_set_delivered(b, lost->total_delivered);
	bbr_handle_lost(cc, b, lost);
}

/* cwnd stays: the model bounds what may be in flight, in recovery as elsewhere (5.6.4.4). */
static void bbr_on_loss(struct congestion *cc, uint32_t flight, uint64_t now_us)
{
	struct bbr *b = bbr_of(cc, now_us);

	(void)flight;
	bbr_save_for_undo(cc, b);
	b->in_recovery = 1;
	b->recovery_rounds = 0;
}

static void bbr_on_ecn(struct congestion *cc, uint32_t flight, uint64_t now_us)
{
	struct bbr *b = bbr_of(cc, now_us);

	if (!b->is_loss_in_round)
		b->loss_round_delivered = b->delivered;
	b->is_loss_in_round = 1;
	b->is_congestion_in_round = 1;
	if (b->state == BBR_STARTUP)
		bbr_leave_startup(cc, b);
	else if (b->is_bw_probe_sample)
		bbr_inflight_too_high(cc, b, bbr_volume(flight), false, now_us);
}

static void bbr_on_recovered(struct congestion *cc, uint64_t now_us)
{
	struct bbr *b = bbr_of(cc, now_us);

	b->in_recovery = 0;
	b->undo_saved = 0;
	bbr_restore_cwnd(cc, b);
	bbr_bound_cwnd(cc, b);
}

/* One segment may go; with the first ACK that it brings, cwnd begins to grow back. */
static void bbr_on_timeout(struct congestion *cc, uint32_t flight, bool first, uint64_t now_us)
{
	struct bbr *b = bbr_of(cc, now_us);

	(void)flight;
	(void)first;
	bbr_save_for_undo(cc, b);
	b->in_recovery = 1;
	b->recovery_rounds = 0;
	cc->cwnd = bbr_volume(cc->mss);
}

/* Goes back to the state that the loss has made it leave (5.5.11.2). */
static void bbr_undo_state(struct bbr *b)
{
	if (b->undo_state == BBR_UNDO_STARTUP && b->state != BBR_STARTUP) {
		b->full_bw_reached = 0;
		if (b->state != BBR_PROBE_RTT)
			bbr_enter_startup(b);
	} else if (b->undo_state == BBR_UNDO_PROBE_BW_UP && b->state != BBR_PROBE_BW_UP) {
		if (b->state != BBR_PROBE_RTT)
			bbr_start_refill(b);
	}
	b->undo_state = BBR_UNDO_NONE;
}

static void bbr_on_undo(struct congestion *cc, uint64_t now_us)
{
	struct bbr *b = bbr_of(cc, now_us);

	b->in_recovery = 0;
	b->undo_saved = 0;
	bbr_restore_cwnd(cc, b);
	b->is_loss_in_round = 0;
	b->is_congestion_in_round = 0;
	bbr_reset_full_bw(b, 0);
	b->bw_shortterm = bbr_max(b->bw_shortterm, b->undo_bw_shortterm);
	if (b->undo_inflight_shortterm > b->inflight_shortterm)
		b->inflight_shortterm = b->undo_inflight_shortterm;
	if (b->undo_inflight_longterm > b->inflight_longterm)
		b->inflight_longterm = b->undo_inflight_longterm;
	bbr_undo_state(b);
	bbr_bound_bw(b);
	bbr_bound_cwnd(cc, b);
}

const struct congestion_ops congestion_bbr = {
	.name = "bbr",
	.controls_recovery = true,
	.init = bbr_init,
	.on_transmit = bbr_on_transmit,
	.on_ack = bbr_on_ack,
	.on_segment_lost = bbr_on_segment_lost,
	.on_loss = bbr_on_loss,
	.on_ecn = bbr_on_ecn,
	.on_recovered = bbr_on_recovered,
	.on_timeout = bbr_on_timeout,
	.on_undo = bbr_on_undo,
};
