/*
 * What BBR does with its model: the pacing rate, the quantum that may go at once,
 * and cwnd (draft-ietf-ccwg-bbr, section 5.6).
 */
#include "bbr.h"

#define PACING_MARGIN    1u /* percent below bw, so that queues drain */
#define MARGIN_QUEUE_US  1000u
#define QUANTUM_MOST     65536u
#define QUANTUM_SEGMENTS 2u
#define QUANTUM_US       1000u

static const uint16_t pacing_gain[BBR_STATES] = {
	[BBR_STARTUP] = 277,         [BBR_DRAIN] = 50,
	[BBR_PROBE_BW_DOWN] = 90,    [BBR_PROBE_BW_CRUISE] = 100,
	[BBR_PROBE_BW_REFILL] = 100, [BBR_PROBE_BW_UP] = 125,
	[BBR_PROBE_RTT] = 100,
};

/* ---- how fast ---- */

void bbr_init_pacing(struct congestion *cc, uint64_t srtt_us)
{
	uint64_t window = congestion_initial_window(cc->mss);

	cc->pacing_rate =
		window * 10000 * pacing_gain[BBR_STARTUP] / (srtt_us > 0 ? srtt_us : 1000);
	cc->pacing_rate = bbr_max(bbr_min(cc->pacing_rate, BBR_RATE_MAX), 1);
}

/*
 * PacingMarginPercent. Where the round trips show no queue there is none to drain, and
 * what is not sent is lost to us.
 */
static uint32_t bbr_pacing_margin(const struct bbr *b)
{
	return b->latest_rtt_us > b->min_rtt_us + MARGIN_QUEUE_US ? PACING_MARGIN : 0;
}

void bbr_set_pacing_rate(struct congestion *cc, const struct bbr *b, uint32_t gain)
{
	uint64_t rate = bbr_min(b->bw, BBR_RATE_MAX) * gain * (100 - bbr_pacing_margin(b)) / 10000;

	/* bw is what arrives; the path takes its share on the way */
	rate = rate * (1000 + bbr_quiet_loss(cc, b)) / 1000;
	if (rate > 0 && (b->full_bw_reached || rate > cc->pacing_rate))
		cc->pacing_rate = bbr_min(rate, BBR_RATE_MAX);
}

static void bbr_set_send_quantum(struct congestion *cc)
{
	uint64_t quantum = bbr_min(cc->pacing_rate, BBR_RATE_MAX) * QUANTUM_US / 1000000;

	quantum = bbr_min(quantum, QUANTUM_MOST);
	quantum = bbr_max(quantum, QUANTUM_SEGMENTS * (uint64_t)cc->mss);
	cc->send_quantum = bbr_volume(quantum);
}

/* ---- how much ---- */

uint32_t bbr_min_pipe_cwnd(const struct congestion *cc)
{
	return bbr_volume(BBR_MIN_PIPE_SEGMENTS * (uint64_t)cc->mss);
}

/* A volume, with what it takes to send and to acknowledge it in quanta (5.5.8.1). */
static uint32_t bbr_quantized(const struct congestion *cc, const struct bbr *b, uint64_t volume)
{
	volume = bbr_max(volume, 3 * (uint64_t)cc->send_quantum);
	volume = bbr_max(volume, bbr_min_pipe_cwnd(cc));
	if (b->state == BBR_PROBE_BW_UP)
		volume += 2 * (uint64_t)cc->mss;
	return bbr_volume(volume);
}

uint32_t bbr_inflight(const struct congestion *cc, const struct bbr *b, uint64_t rate,
                      uint32_t gain)
{
	return bbr_quantized(cc, b, bbr_bdp(cc, b, rate, gain));
}

uint32_t bbr_inflight_with_headroom(const struct congestion *cc, const struct bbr *b)
{
	uint64_t longterm = b->inflight_longterm;
	uint64_t headroom = bbr_max(longterm * BBR_HEADROOM / 100, cc->mss);

	if (b->inflight_longterm == BBR_UNBOUNDED)
		return BBR_UNBOUNDED;
	longterm = longterm > headroom ? longterm - headroom : 0;
	return bbr_volume(bbr_max(longterm, bbr_min_pipe_cwnd(cc)));
}

uint32_t bbr_probe_rtt_cwnd(const struct congestion *cc, const struct bbr *b)
{
	return bbr_volume(
		bbr_max(bbr_bdp(cc, b, b->bw, BBR_CWND_GAIN_PROBE_RTT), bbr_min_pipe_cwnd(cc)));
}

/* The column "volume cap" of the table in section 5.6.1. */
void bbr_bound_cwnd(struct congestion *cc, const struct bbr *b)
{
	uint64_t cap = BBR_VOLUME_MAX;

	if (b->state == BBR_PROBE_RTT || b->state == BBR_PROBE_BW_CRUISE)
		cap = bbr_inflight_with_headroom(cc, b);
	else if (bbr_in_probe_bw(b))
		cap = b->inflight_longterm;
	cap = bbr_min(cap, b->inflight_shortterm);
	cap = bbr_max(cap, bbr_min_pipe_cwnd(cc));
	cc->cwnd = (uint32_t)bbr_min(cc->cwnd, bbr_min(cap, BBR_VOLUME_MAX));
}

static void bbr_set_cwnd(struct congestion *cc, struct bbr *b, const struct bbr_sample *rs)
{
	uint32_t gain = b->state == BBR_PROBE_BW_UP ? BBR_CWND_GAIN_UP
	                : b->state == BBR_PROBE_RTT ? BBR_CWND_GAIN_PROBE_RTT
	                                            : BBR_CWND_GAIN;
	uint64_t grown = (uint64_t)cc->cwnd + rs->newly_acked;

	b->max_inflight =
		bbr_quantized(cc, b, (uint64_t)bbr_bdp(cc, b, b->bw, gain) + bbr_extra_acked(b));
	if (b->full_bw_reached)
		cc->cwnd = bbr_volume(bbr_min(grown, b->max_inflight));
	else if (cc->cwnd < b->max_inflight || b->delivered < congestion_initial_window(cc->mss))
		cc->cwnd = bbr_volume(grown);
	if (cc->cwnd < bbr_min_pipe_cwnd(cc))
		cc->cwnd = bbr_min_pipe_cwnd(cc);
	if (b->state == BBR_PROBE_RTT)
		cc->cwnd = (uint32_t)bbr_min(cc->cwnd, bbr_probe_rtt_cwnd(cc, b));
	bbr_bound_cwnd(cc, b);
}

void bbr_save_cwnd(const struct congestion *cc, struct bbr *b)
{
	if ((!b->in_recovery && b->state != BBR_PROBE_RTT) || cc->cwnd > b->prior_cwnd)
		b->prior_cwnd = bbr_volume(cc->cwnd);
}

void bbr_restore_cwnd(struct congestion *cc, const struct bbr *b)
{
	if (b->prior_cwnd > cc->cwnd)
		cc->cwnd = bbr_volume(b->prior_cwnd);
}

void bbr_update_control(struct congestion *cc, struct bbr *b, const struct bbr_sample *rs)
{
	bbr_set_pacing_rate(cc, b, pacing_gain[b->state]);
	bbr_set_send_quantum(cc);
	bbr_set_cwnd(cc, b, rs);
}
