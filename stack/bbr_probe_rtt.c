/*
 * BBR's estimate of the round trip without a queue, and the state that measures it
 * again (draft-ietf-ccwg-bbr, sections 5.3.4 and 5.5.7): when no sample in five
 * seconds was as short, for 200 ms and a round only half a BDP is kept in flight.
 */
#include "bbr.h"

void bbr_update_min_rtt(struct bbr *b, const struct bbr_sample *rs)
{
	b->probe_rtt_expired =
		bbr_since(b->probe_rtt_min_stamp, rs->now_us) > BBR_PROBE_RTT_INTERVAL_US;
	if (rs->rtt_us > 0 && (rs->rtt_us < b->probe_rtt_min_delay || b->probe_rtt_expired)) {
		b->probe_rtt_min_delay = bbr_min(rs->rtt_us, BBR_TIME_MAX_US - 1);
		b->probe_rtt_min_stamp = rs->now_us;
	}
	if (b->probe_rtt_min_delay < b->min_rtt_us ||
	    bbr_since(b->min_rtt_stamp, rs->now_us) > BBR_MIN_RTT_FILTER_US) {
		b->min_rtt_us = b->probe_rtt_min_delay;
		b->min_rtt_stamp = b->probe_rtt_min_stamp;
	}
}

static void bbr_enter_probe_rtt(const struct congestion *cc, struct bbr *b)
{
	bbr_save_cwnd(cc, b);
	b->state = BBR_PROBE_RTT;
	b->probe_rtt_done_stamp = 0;
	b->ack_phase = BBR_ACKS_PROBE_STOPPING;
	b->limited_from = b->delivered;
	bbr_start_round(b);
}

/* Below the bound already, so that DOWN has nothing to drain. */
static void bbr_exit_probe_rtt(struct bbr *b, uint64_t now_us)
{
	bbr_reset_shortterm(b);
	if (!b->full_bw_reached) {
		bbr_enter_startup(b);
		return;
	}
	bbr_start_down(b, now_us);
	bbr_start_cruise(b);
}

void bbr_check_probe_rtt_done(struct congestion *cc, struct bbr *b, uint64_t now_us)
{
	if (b->probe_rtt_done_stamp == 0 || now_us <= b->probe_rtt_done_stamp)
		return;
	b->probe_rtt_min_stamp = now_us; /* the next one in five seconds */
	bbr_restore_cwnd(cc, b);
	bbr_exit_probe_rtt(b, now_us);
}

static void bbr_handle_probe_rtt(struct congestion *cc, struct bbr *b, const struct bbr_sample *rs)
{
	/* the low rates that we measure now are our own doing */
	b->limited_until = b->delivered + rs->in_flight;
	if (b->probe_rtt_done_stamp == 0) {
		if (rs->in_flight > bbr_probe_rtt_cwnd(cc, b))
			return;
		b->probe_rtt_done_stamp = rs->now_us + BBR_PROBE_RTT_DURATION_US;
		b->probe_rtt_round_done = 0;
		bbr_start_round(b);
		return;
	}
	if (b->round_start)
		b->probe_rtt_round_done = 1;
	if (b->probe_rtt_round_done)
		bbr_check_probe_rtt_done(cc, b, rs->now_us);
}

void bbr_check_probe_rtt(struct congestion *cc, struct bbr *b, const struct bbr_sample *rs)
{
	if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart)
		bbr_enter_probe_rtt(cc, b);
	if (b->state == BBR_PROBE_RTT)
		bbr_handle_probe_rtt(cc, b, rs);
	if (rs->delivered > 0)
		b->idle_restart = 0;
}
