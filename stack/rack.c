/*
 * RACK (RFC 8985, section 6): what was sent before a segment that has been
 * delivered, and enough longer ago, is lost.
 *
 * Theory of operation: each record knows when it was sent last. Of all that was
 * delivered, the one sent last tells how long a round trip takes now; whatever was
 * sent before it should have been acknowledged by then, unless the network changes
 * the order of packets. So it gets a little longer, the reordering window: nothing
 * as long as no reordering was seen and there is other evidence of loss (three
 * segments SACKed, or a recovery under way), a quarter of a round trip otherwise,
 * and more in steps when the peer says by DSACK that segments were sent again
 * needlessly. Who is still waiting then gets a timer.
 *
 * The cost of an ACK stays small: among segments sent only once the first that is
 * not lost yet ends the search, and those below `scanned` are dealt with; those
 * sent again all lie below `high_resent`, and runs of SACKED ones are jumped over. When
 * very many lie there, they are looked at once a millisecond: a peer could make
 * each of its ACKs cost a walk along thousands.
 */
#include "engine.h"

#define DUPLICATE_THRESHOLD 3u
#define WINDOW_PERSIST      16u /* recoveries without a DSACK before the window shrinks */
#define WINDOW_MULT_MAX     250u
#define WALK_MANY           256u    /* records: a walk along so many is long ... */
#define WALK_US             1000ULL /* ... and not made more often */

/* RACK_sent_after(): A was sent after B; what was sent at once is ordered by number. */
static bool sent_after(uint64_t a_us, uint32_t a_end, uint64_t b_us, uint32_t b_end)
{
	return a_us > b_us || (a_us == b_us && seq_gt(a_end, b_end));
}

/*
 * The ACK may be for the first copy of what was sent again (6.2, step 2). What a former
 * master sent counts as sent once, no later than we know: without that nothing would
 * be found lost after a take-over until the time-out.
 */
static bool ambiguous(const struct conn *c, const struct segment *seg,
                      const struct sent_record *record, uint64_t rtt_us)
{
	if (!(record->flags & SENT_RETRANSMITTED) || record->delivered_us == 0)
		return false;
	if ((c->flags & CONN_TIMESTAMPS) && seg->has_timestamps &&
	    seq_lt(seg->ts_echo, timestamp_now(c->ts_offset, record->sent_us)))
		return true;
	return rtt_us < c->rtt.min_us;
}

void rack_delivered(struct stack *s, uint32_t slot, const struct segment *seg,
                    const struct sent_record *record)
{
	struct rack *rack = &slot_recovery(s, slot)->rack;
	uint64_t rtt_us = s->event.now_us - record->sent_us;

	/* RACK_detect_reordering() */
	if (!rack->fack_valid || seq_gt(record->end, rack->fack))
		rack->fack = record->end;
	else if (seq_lt(record->end, rack->fack) && !(record->flags & SENT_RETRANSMITTED))
		rack->reordering_seen = true;
	rack->fack_valid = true;
	/* RACK_update() */
	if (ambiguous(slot_conn(s, slot), seg, record, rtt_us))
		return;
	rack->rtt_us = rtt_us;
	if (sent_after(record->sent_us, record->end, rack->sent_us, rack->sent_end)) {
		rack->sent_us = record->sent_us;
		rack->sent_end = record->end;
	}
}

void rack_dsack(struct stack *s, uint32_t slot)
{
	struct rack *rack = &slot_recovery(s, slot)->rack;
	const struct conn *c = slot_conn(s, slot);

	if (rack->in_dsack_round)
		return; /* once a round trip */
	rack->in_dsack_round = true;
	rack->dsack_round = c->snd_nxt;
	if (rack->window_mult < WINDOW_MULT_MAX)
		rack->window_mult++;
	rack->window_persist = WINDOW_PERSIST;
}

void rack_recovered(struct rack *rack)
{
	if (rack->window_persist > 0)
		rack->window_persist--;
	if (rack->window_persist == 0)
		rack->window_mult = 0;
}

/* RACK_update_reo_wnd() */
static uint64_t reordering_window(struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	const struct recovery *r = slot_recovery(s, slot);
	uint64_t window = (r->rack.window_mult + 1u) * c->rtt.min_us / 4;

	if (!r->rack.reordering_seen &&
	    (c->recovery != RECOVERY_OPEN || r->sent.sacked_records >= DUPLICATE_THRESHOLD))
		return 0;
	return window < c->rtt.srtt_us ? window : c->rtt.srtt_us;
}

/* Many would have to be looked at, and they have been just now: returns until when to wait. */
static uint64_t wait_to_walk(const struct stack *s, struct recovery *r)
{
	struct rack *rack = &r->rack;
	uint64_t now = s->event.now_us;

	if (sent_find(&r->sent, rack->high_resent) < WALK_MANY)
		return now;
	if (now - rack->walked_us < WALK_US)
		return rack->walked_us + WALK_US;
	rack->walked_us = now;
	return now;
}

uint32_t rack_detect(struct stack *s, uint32_t slot, uint64_t *deadline_us)
{
	struct recovery *r = slot_recovery(s, slot);
	struct rack *rack = &r->rack;
	uint64_t wait = rack->rtt_us + reordering_window(s, slot);
	uint32_t lost = 0, i = 0;

	*deadline_us = wait_to_walk(s, r);
	if (*deadline_us > s->event.now_us)
		return 0;
	*deadline_us = TIMER_NEVER;
	while (rack->sent_us != 0 && i < r->sent.count) {
		const struct sent_record *record = sent_at(&r->sent, i);

		if (seq_geq(record->start, rack->high_resent) &&
		    seq_leq(record->end, rack->scanned)) {
			i = sent_find(&r->sent, rack->scanned);
			continue;
		}
		if (!(record->flags & (SENT_SACKED | SENT_LOST))) {
			bool late = record->sent_us + wait <= s->event.now_us;
			bool older = sent_after(rack->sent_us, rack->sent_end, record->sent_us,
			                        record->end);

			if (older && late) {
				lost += recovery_mark_lost(s, slot, i);
			} else {
				if (older && record->sent_us + wait < *deadline_us)
					*deadline_us = record->sent_us + wait;
				/* all above that were sent once only were sent later still */
				if (seq_geq(record->start, rack->high_resent)) {
					rack->scanned = record->start;
					break;
				}
			}
		}
		i = (record->flags & SENT_SACKED) ? sent_behind_run(&r->sent, i) : i + 1;
	}
	return lost;
}

bool rack_overdue(const struct stack *s, uint32_t slot, const struct sent_record *record)
{
	const struct rack *rack = &slot_recovery(s, slot)->rack;
	uint64_t wait = rack->rtt_us + slot_conn(s, slot)->rtt.min_us / 4;

	return record->sent_us + wait <= s->event.now_us;
}

void rack_rescan(struct stack *s, uint32_t slot)
{
	slot_recovery(s, slot)->rack.scanned = slot_conn(s, slot)->snd_una;
}
