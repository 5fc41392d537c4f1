/*
 * What BBR concludes from losses (draft-ietf-ccwg-bbr, sections 5.5.10 and
 * 5.5.11.1): in a probe for bandwidth, that the volume in flight was too high; at
 * other times that the path has less to give for a while.
 *
 * Where this goes beyond the draft
 *
 * The draft answers every loss outside of a probe, and in a probe more than 2 % of
 * a flight, as if a queue had run over. Over a path that loses one segment in
 * twenty at random, the bounds then sink round by round to a small part of what
 * the path carries. But a queue that runs over is seen first in the round trips.
 * So losses while no queue stands make a rate of their own, the path's own.
 * Beside a queue, what is lost beyond that rate is congestion; where no queue is
 * seen, and in Startup, it is when it exceeds that rate by 2 %. The rate is
 * capped, so that a fifth of a flight lost is too much on any path, as in BBR's
 * first version: behind a buffer so small that no queue is ever seen, that is
 * what bounds us. The pacing rate makes up for the path's own losses, for bw is
 * what arrives.
 *
 * A probe beside a queue thus ends with the first loss that the path does not
 * explain. The draft lets it go on up to 2 %; but who shares that queue and answers
 * every loss, as Reno and CUBIC do, gives way meanwhile, the probe finds room, and
 * inflight_longterm grows from probe to probe at his expense. For the same reason
 * inflight_longterm is then not all that was in flight, but clear of it by Headroom.
 */
#include "bbr.h"

/* A queue stands when a round trip is longer than min_rtt by a quarter, within these. */
#define QUEUE_LEAST_US UINT64_C(2000)
#define QUEUE_MOST_US  UINT64_C(10000)

/* The memory of the path's own loss rate: about so many segments. */
#define QUIET_SEGMENTS   1024u
#define QUIET_LOSS_LEAST 1u  /* thousandths: less is none */
#define QUIET_LOSS_MOST  90u /* thousandths */
#define QUIET_SLACK      2u  /* segments: few losses make no rate */

/* ---- which losses count ---- */

static bool bbr_queue_stands(const struct bbr *b)
{
	uint64_t more = bbr_min(bbr_max(b->min_rtt_us / 4, QUEUE_LEAST_US), QUEUE_MOST_US);

	return b->latest_rtt_us > b->min_rtt_us + more;
}

uint32_t bbr_quiet_loss(const struct congestion *cc, const struct bbr *b)
{
	/* the first segments prove little: as if some more had arrived */
	uint64_t all = (uint64_t)b->quiet_lost + b->quiet_delivered + 32 * (uint64_t)cc->mss;
	uint64_t rate = all > 0 ? 1000 * (uint64_t)b->quiet_lost / all : 0;

	if (rate < QUIET_LOSS_LEAST)
		return 0;
	return rate < QUIET_LOSS_MOST ? (uint32_t)rate : QUIET_LOSS_MOST;
}

static void bbr_quiet_count(const struct congestion *cc, struct bbr *b, uint32_t lost,
                            uint32_t delivered)
{
	/* in UP we send more than the path carries, on purpose; and hear of it a round longer */
	if (bbr_queue_stands(b) || b->state == BBR_PROBE_BW_UP ||
	    b->ack_phase == BBR_ACKS_PROBE_STOPPING)
		return;
	b->quiet_lost = bbr_volume((uint64_t)b->quiet_lost + lost);
	b->quiet_delivered = bbr_volume((uint64_t)b->quiet_delivered + delivered);
	if (b->quiet_delivered / QUIET_SEGMENTS < cc->mss && b->quiet_lost < BBR_VOLUME_MAX)
		return;
	b->quiet_lost /= 2;
	b->quiet_delivered /= 2;
}

void bbr_note_queue(const struct congestion *cc, struct bbr *b, const struct bbr_sample *rs)
{
	if (rs->rtt_us > 0)
		b->latest_rtt_us = (uint32_t)bbr_min(rs->rtt_us, BBR_TIME_MAX_US);
	bbr_quiet_count(cc, b, 0, rs->newly_acked);
}

/* What the path may lose of TX_IN_FLIGHT by itself, in bytes: twice the mean, for luck. */
static uint64_t bbr_loss_of_path(const struct congestion *cc, const struct bbr *b,
                                 uint32_t tx_in_flight)
{
	uint32_t quiet = bbr_quiet_loss(cc, b);
	uint64_t lost = (uint64_t)tx_in_flight * 2 * quiet / 1000;

	return quiet > 0 ? lost + QUIET_SLACK * (uint64_t)cc->mss : 0;
}

/*
 * What may be lost of TX_IN_FLIGHT, in bytes, before it means something. In Startup
 * there is a queue in any case.
 */
static uint64_t bbr_loss_allowed(const struct congestion *cc, const struct bbr *b,
                                 uint32_t tx_in_flight)
{
	uint64_t lost = bbr_loss_of_path(cc, b, tx_in_flight);

	if (b->full_bw_reached && bbr_queue_stands(b))
		return lost;
	return lost + (uint64_t)tx_in_flight * BBR_LOSS_THRESHOLD / 100;
}

bool bbr_too_much_lost(const struct congestion *cc, const struct bbr *b, uint32_t lost,
                       uint32_t tx_in_flight)
{
	return lost > bbr_loss_allowed(cc, b, tx_in_flight);
}

/* ---- a loss ---- */

void bbr_save_for_undo(const struct congestion *cc, struct bbr *b)
{
	if (b->undo_saved)
		return;
	bbr_save_cwnd(cc, b);
	b->undo_saved = 1;
	b->undo_state = BBR_UNDO_NONE;
	b->undo_bw_shortterm = b->bw_shortterm;
	b->undo_inflight_shortterm = b->inflight_shortterm;
	b->undo_inflight_longterm = b->inflight_longterm;
}

static void bbr_note_loss(const struct congestion *cc, struct bbr *b,
                          const struct congestion_lost *lost)
{
	bbr_save_for_undo(cc, b);
	if (!b->is_loss_in_round) {
		b->loss_round_delivered = lost->total_delivered;
		b->is_loss_in_round = 1;
		b->is_congestion_in_round = 0;
	}
	if (bbr_too_much_lost(cc, b, lost->lost, lost->tx_in_flight))
		b->is_congestion_in_round = 1;
}

/* Where in the flight the losses came to be too many (InflightAtLoss). */
static uint32_t bbr_inflight_at_loss(const struct congestion *cc, const struct bbr *b,
                                     const struct congestion_lost *lost)
{
	uint32_t before = lost->tx_in_flight > lost->bytes ? lost->tx_in_flight - lost->bytes : 0;
	uint32_t lost_before = lost->lost > lost->bytes ? lost->lost - lost->bytes : 0;
	uint64_t allowed = bbr_loss_allowed(cc, b, before);
	uint64_t prefix = allowed > lost_before ? allowed - lost_before : 0;

	/* dividing by 1 - threshold would be more exact than a segment is large */
	return bbr_volume(before + bbr_min(prefix, lost->bytes));
}

void bbr_handle_lost(struct congestion *cc, struct bbr *b, const struct congestion_lost *lost)
{
	bbr_note_loss(cc, b, lost);
	bbr_quiet_count(cc, b, lost->bytes, 0);
	if (!b->is_bw_probe_sample)
		return; /* not sent in a probe */
	if (bbr_too_much_lost(cc, b, lost->lost, lost->tx_in_flight))
		bbr_inflight_too_high(cc, b, bbr_inflight_at_loss(cc, b, lost),
		                      lost->is_app_limited, lost->now_us);
}

/*
 * What the queue held of a flight that was too much is not ours alone: the headroom stays
 * free from now on, in the next probes as well; but what bw needs while cruising is left.
 */
static uint32_t bbr_clear_of_queue(const struct congestion *cc, const struct bbr *b,
                                   uint32_t flight)
{
	uint64_t need = (uint64_t)bbr_bdp(cc, b, b->bw, 100) * 100 / (100 - BBR_HEADROOM);
	uint64_t clear = (uint64_t)flight * (100 - BBR_HEADROOM) / 100;

	if (!b->full_bw_reached || !bbr_queue_stands(b))
		return flight;
	return (uint32_t)bbr_min(flight, bbr_max(clear, need));
}

void bbr_inflight_too_high(struct congestion *cc, struct bbr *b, uint32_t tx_in_flight,
                           bool is_app_limited, uint64_t now_us)
{
	uint64_t target = (uint64_t)bbr_target_inflight(cc, b) * BBR_BETA / 100;

	b->prev_probe_too_high = 1;
	b->is_bw_probe_sample = 0; /* one answer a probe */
	if (!is_app_limited)
		b->inflight_longterm =
			bbr_volume(bbr_max(bbr_clear_of_queue(cc, b, tx_in_flight), target));
	if (b->state == BBR_PROBE_BW_UP) {
		b->undo_state = BBR_UNDO_PROBE_BW_UP;
		bbr_start_down(b, now_us);
	}
}

/* ---- the last round ---- */

void bbr_reset_congestion_signals(struct bbr *b)
{
	b->is_loss_in_round = 0;
	b->is_congestion_in_round = 0;
	b->loss_events = 0;
	b->bw_latest = 0;
	b->inflight_latest = 0;
}

void bbr_reset_shortterm(struct bbr *b)
{
	b->bw_shortterm = BBR_RATE_UNBOUNDED;
	b->inflight_shortterm = BBR_UNBOUNDED;
}

void bbr_update_latest(struct bbr *b, const struct bbr_sample *rs)
{
	b->loss_round_start = 0;
	b->bw_latest = bbr_max(b->bw_latest, rs->delivery_rate);
	if (rs->delivered > b->inflight_latest)
		b->inflight_latest = rs->delivered;
	if (rs->newly_lost > 0)
		b->loss_events += b->loss_events < UINT32_MAX;
	if (rs->has_data && rs->prior_delivered >= b->loss_round_delivered) {
		b->loss_round_delivered = b->delivered;
		b->loss_round_start = 1;
	}
}

void bbr_advance_latest(struct bbr *b, const struct bbr_sample *rs)
{
	if (!b->loss_round_start)
		return;
	b->bw_latest = rs->delivery_rate;
	b->inflight_latest = rs->delivered;
	b->loss_events = 0;
}

/*
 * At the end of a round with congestion, and not in a probe: down to what was
 * delivered in it, but not by more than Beta.
 */
void bbr_adapt_lower_bounds(const struct congestion *cc, struct bbr *b)
{
	bool probing = b->state == BBR_STARTUP || b->state == BBR_PROBE_BW_REFILL ||
	               b->state == BBR_PROBE_BW_UP;

	if (!b->loss_round_start)
		return;
	if (!probing && b->is_congestion_in_round) {
		if (b->bw_shortterm > BBR_RATE_MAX)
			b->bw_shortterm = bbr_max_bw(b);
		if (b->inflight_shortterm == BBR_UNBOUNDED)
			b->inflight_shortterm = bbr_volume(cc->cwnd);
		b->bw_shortterm = bbr_max(b->bw_latest, b->bw_shortterm * BBR_BETA / 100);
		b->inflight_shortterm = bbr_volume(bbr_max(
			b->inflight_latest, (uint64_t)b->inflight_shortterm * BBR_BETA / 100));
	}
	b->is_loss_in_round = 0;
	b->is_congestion_in_round = 0;
}
