/*
 * BBR's model of the path: packet-timed round trips, the bandwidth filter, the
 * degree of aggregation, and whether the pipe is full (draft-ietf-ccwg-bbr,
 * sections 5.3.1.2, 5.5.1 to 5.5.6 and 5.5.9). What losses say is in bbr_loss.c.
 */
#include "bbr.h"

#define FULL_BW_ROUNDS 3u
#define FULL_BW_GROWTH 125u

void bbr_model_init(struct bbr *b, uint64_t srtt_us, uint64_t now_us)
{
	b->min_rtt_us = srtt_us > 0 ? bbr_min(srtt_us, BBR_TIME_MAX_US - 1) : BBR_TIME_MAX_US;
	b->min_rtt_stamp = now_us;
	b->probe_rtt_min_delay = b->min_rtt_us;
	b->probe_rtt_min_stamp = now_us;
	b->extra_acked_interval_start = now_us;
	b->cycle_stamp = now_us;
}

uint64_t bbr_max_bw(const struct bbr *b)
{
	return bbr_max(b->max_bw[0], b->max_bw[1]);
}

uint32_t bbr_bdp(const struct congestion *cc, const struct bbr *b, uint64_t rate, uint32_t gain)
{
	if (b->min_rtt_us >= BBR_TIME_MAX_US)
		return congestion_initial_window(cc->mss);
	rate = bbr_min(rate, BBR_RATE_MAX);
	return bbr_volume(bbr_min(rate * b->min_rtt_us / 1000000, UINT32_MAX) * gain / 100);
}

/* SplitMix64, stirred with what has happened on this connection. */
uint64_t bbr_random(struct bbr *b, uint64_t limit)
{
	uint64_t z = b->random += UINT64_C(0x9e3779b97f4a7c15) + b->delivered;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % limit;
}

/* ---- rounds ---- */

void bbr_start_round(struct bbr *b)
{
	b->next_round_delivered = b->delivered;
}

static void bbr_update_round(struct bbr *b, const struct bbr_sample *rs)
{
	b->round_start = rs->has_data && rs->prior_delivered >= b->next_round_delivered;
	if (!b->round_start)
		return;
	bbr_start_round(b);
	b->round_count++;
	b->rounds_since_probe_up += b->rounds_since_probe_up < UINT32_MAX;
	b->drain_rounds += b->drain_rounds < UINT32_MAX;
	b->recovery_rounds += b->recovery_rounds < UINT32_MAX;
}

/* ---- bandwidth ---- */

void bbr_update_max_bw(struct bbr *b, const struct bbr_sample *rs)
{
	bbr_update_round(b, rs);
	/* what the application limited tells something only when it is more (5.5.4) */
	if (rs->delivery_rate >= bbr_max_bw(b) || !rs->is_app_limited)
		b->max_bw[1] = bbr_max(b->max_bw[1], rs->delivery_rate);
}

void bbr_advance_max_bw(struct bbr *b)
{
	if (b->max_bw[1] == 0)
		return; /* no sample in this cycle */
	b->max_bw[0] = b->max_bw[1];
	b->max_bw[1] = 0;
}

void bbr_bound_bw(struct bbr *b)
{
	b->bw = bbr_min(bbr_max_bw(b), b->bw_shortterm);
}

void bbr_reset_full_bw(struct bbr *b, uint64_t baseline)
{
	b->full_bw = baseline;
	b->full_bw_count = 0;
	b->full_bw_now = 0;
}

/*
 * The pipe is full when three rounds bring no quarter more. Growth counts on any
 * ACK of a round: a single sample may have met a loss.
 */
void bbr_check_full_bw(struct bbr *b, const struct bbr_sample *rs)
{
	if (b->full_bw_now || rs->is_app_limited || rs->delivery_rate == 0)
		return;
	if (rs->delivery_rate >= b->full_bw * FULL_BW_GROWTH / 100) {
		bbr_reset_full_bw(b, rs->delivery_rate);
		return;
	}
	if (!b->round_start)
		return;
	b->full_bw_count++;
	b->full_bw_now = b->full_bw_count >= FULL_BW_ROUNDS;
	if (b->full_bw_now)
		b->full_bw_reached = 1;
}

/* ---- aggregation ---- */

uint32_t bbr_extra_acked(const struct bbr *b)
{
	return b->extra_acked[0] > b->extra_acked[1] ? b->extra_acked[0] : b->extra_acked[1];
}

/* Two slots of rounds stand for the window of ten; in Startup, of one each. */
static void bbr_extra_acked_window(struct bbr *b)
{
	uint32_t rounds = b->full_bw_reached ? BBR_EXTRA_ACKED_SLOT_ROUNDS : 1;

	if (!b->round_start)
		return;
	b->extra_acked_rounds++;
	if (b->extra_acked_rounds < rounds)
		return;
	b->extra_acked_rounds = 0;
	b->extra_acked[0] = b->full_bw_reached ? b->extra_acked[1] : 0;
	b->extra_acked[1] = 0;
}

void bbr_update_aggregation(const struct congestion *cc, struct bbr *b, const struct bbr_sample *rs)
{
	uint64_t interval = bbr_since(b->extra_acked_interval_start, rs->now_us);
	uint64_t expected = bbr_min(b->bw, BBR_RATE_MAX) * interval / 1000000;
	uint64_t extra;

	if (rs->newly_acked == 0)
		return;
	bbr_extra_acked_window(b);
	if (b->extra_acked_delivered <= expected) {
		b->extra_acked_delivered = 0;
		b->extra_acked_interval_start = rs->now_us;
		expected = 0;
	}
	b->extra_acked_delivered += rs->newly_acked;
	extra = b->extra_acked_delivered > expected ? b->extra_acked_delivered - expected : 0;
	extra = bbr_min(extra, cc->cwnd);
	if (extra > b->extra_acked[1])
		b->extra_acked[1] = bbr_volume(extra);
}
