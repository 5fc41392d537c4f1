/*
 * Was a recovery needless? Then cwnd and ssthresh become what they were.
 *
 * Three ways to find out, each from a time when only one of them was at hand:
 *
 * Eifel detection (RFC 3522): with timestamps, the first ACK that moves snd_una
 * after the first segment was sent again echoes the timestamp of what the peer
 * received. An echo older than the second copy can only come from the first, which
 * then was late, not lost.
 *
 * DSACK (RFC 2883, 3708): when all that was sent again comes back as duplicate, none
 * of it had been lost.
 *
 * F-RTO (RFC 5682, section 2.1): without timestamps, after a time-out. When the first
 * segment, sent again, is acknowledged, new data goes out instead of the rest of
 * what seems lost. If the next ACK moves snd_una again, it covers something that was
 * never sent again: the time-out was needless.
 *
 * The answer is RFC 4015's: the window from before, and nothing counts as lost.
 */
#include "engine.h"

/* A recovery so many bytes ago is beyond judging, and its numbers will come again. */
#define FORGET_BYTES (1 << 29)

void undo_start(struct stack *s, uint32_t slot, bool timeout)
{
	const struct conn *c = slot_conn(s, slot);
	struct undo *undo = &slot_recovery(s, slot)->undo;

	*undo = (struct undo){.possible = true, .start = c->snd_una, .end = c->snd_nxt};
	if (timeout && !(c->flags & CONN_TIMESTAMPS))
		undo->frto = FRTO_RESENT;
}

void undo_impossible(struct stack *s, uint32_t slot)
{
	slot_recovery(s, slot)->undo = (struct undo){0};
}

void undo_resent(struct stack *s, uint32_t slot, struct seq_range range)
{
	const struct conn *c = slot_conn(s, slot);
	struct undo *undo = &slot_recovery(s, slot)->undo;

	if (!undo->possible || c->recovery == RECOVERY_OPEN)
		return;
	undo->resent += range.end - range.start;
	undo->resent_any = true;
	if (undo->stamped || range.start != undo->start)
		return;
	undo->stamped = true;
	undo->stamp = timestamp_now(c->ts_offset, s->event.now_us);
}

bool undo_holds_back(const struct stack *s, uint32_t slot)
{
	return slot_recovery(s, slot)->undo.frto == FRTO_NEW;
}

/* The echo of the first ACK for what was sent again tells which copy came (RFC 3522). */
static bool eifel_says(const struct conn *c, struct undo *undo, const struct ack_news *news)
{
	bool older;

	if (!undo->stamped || news->acked == 0 || !(c->flags & CONN_TIMESTAMPS) ||
	    !news->seg->has_timestamps)
		return false;
	older = seq_lt(news->seg->ts_echo, undo->stamp);
	undo->stamped = false; /* only the first such ACK counts (3.2, step 5) */
	return older;
}

static bool dsack_says(struct undo *undo, const struct ack_news *news)
{
	uint32_t bytes = news->dsack_block.end - news->dsack_block.start;

	if (!news->dsack || !undo->resent_any || seq_lt(news->dsack_block.start, undo->start) ||
	    seq_gt(news->dsack_block.end, undo->end))
		return false;
	undo->resent -= bytes < undo->resent ? bytes : undo->resent;
	return undo->resent == 0;
}

/* Data that never was sent can go now, which F-RTO needs. */
static bool has_new_data(const struct conn *c)
{
	uint64_t sent = c->tx_una + (c->snd_nxt - c->snd_una);

	return !(c->flags & CONN_FIN_SENT) && c->tx_head > sent &&
	       seq_gt(c->snd_una + c->snd_wnd, c->snd_nxt);
}

static bool frto_says(const struct conn *c, struct undo *undo, const struct ack_news *news)
{
	bool goes_on = news->acked > 0 && seq_lt(c->snd_una, c->recover);

	if (c->recovery != RECOVERY_TIMEOUT || undo->frto == FRTO_OFF)
		return false;
	if (undo->frto == FRTO_NEW) {
		undo->frto = FRTO_OFF;
		return news->acked > 0 || news->original;
	}
	if (goes_on && has_new_data(c))
		undo->frto = FRTO_NEW;
	else
		undo->frto = FRTO_OFF;
	return false;
}

static void undo_now(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	const struct congestion_ops *ops = congestion_ops(&c->congestion);

	undo_impossible(s, slot);
	sent_clear_lost(&slot_recovery(s, slot)->sent);
	rack_rescan(s, slot);
	c->recovery = RECOVERY_OPEN;
	c->dup_acks = 0;
	slot_recovery(s, slot)->reno_sacked = 0;
	s->stats.undone++;
	ecn_undone(c);
	ops->on_undo(&c->congestion, s->event.now_us);
}

void undo_ack(struct stack *s, uint32_t slot, const struct ack_news *news)
{
	const struct conn *c = slot_conn(s, slot);
	struct undo *undo = &slot_recovery(s, slot)->undo;
	bool needless;

	if (!undo->possible)
		return;
	/* needless or not, the path is congested (RFC 4015, section 3) */
	if (ecn_echoed(c, news->seg)) {
		undo_impossible(s, slot);
		return;
	}
	needless = eifel_says(c, undo, news);
	needless = dsack_says(undo, news) || needless;
	needless = frto_says(c, undo, news) || needless;
	if (needless)
		undo_now(s, slot);
	else if (seq_diff(c->snd_una, undo->start) > FORGET_BYTES)
		undo_impossible(s, slot);
}
