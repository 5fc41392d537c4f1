/*
 * Loss recovery: segments are found to be lost, and the phases that follow. The
 * theory is in recovery.c.
 */
#include "engine.h"

#define DUPLICATE_THRESHOLD 3u

/* ---- marking ---- */

uint32_t recovery_mark_lost(struct stack *s, uint32_t slot, uint32_t i)
{
	struct conn *c = event_conn(s, slot);
	struct sent *sent = &slot_recovery(s, slot)->sent;
	const struct congestion_ops *ops = congestion_ops(&c->congestion);
	const struct sent_record *record;
	struct congestion_lost lost;

	sent_mark_lost(sent, i);
	recovery_cap_reno(slot_recovery(s, slot));
	record = sent_at(sent, i);
	if (pmtu_lost(s, slot, record->start))
		return 0;
	c->rate.lost += record->end - record->start;
	if (ops->on_segment_lost == NULL)
		return record->end - record->start;
	lost = (struct congestion_lost){
		.now_us = s->event.now_us,
		.bytes = record->end - record->start,
		.tx_in_flight = record->tx_in_flight,
		.lost = (uint32_t)c->rate.lost - record->lost,
		.is_app_limited = (record->flags & SENT_APP_LIMITED) != 0,
		.total_delivered = c->rate.delivered,
		.total_lost = c->rate.lost,
	};
	ops->on_segment_lost(&c->congestion, &lost);
	return lost.bytes;
}

/* Of the first record at most one segment; returns how many bytes. */
static uint32_t loss_mark_head(struct stack *s, uint32_t slot)
{
	struct sent *sent = &slot_recovery(s, slot)->sent;
	const struct sent_record *head;
	const struct conn *c = slot_conn(s, slot);

	if (sent->count == 0)
		return 0;
	head = sent_at(sent, 0);
	if (head->flags & (SENT_SACKED | SENT_LOST))
		return 0;
	if (head->end - head->start > c->snd_mss && !pmtu_is_probe(c, head->start))
		(void)sent_cut(sent, 0, head->start + c->snd_mss);
	return recovery_mark_lost(s, slot, 0);
}

/* ---- fast recovery ---- */

void recovery_enter(struct stack *s, uint32_t slot, uint32_t in_flight)
{
	struct conn *c = event_conn(s, slot);
	uint32_t flight = c->snd_nxt - c->snd_una;

	/* what limited transmit has sent beyond cwnd does not count (RFC 5681, 3.2, step 2) */
	flight = validation_flight(s, slot, flight);
	if (flight > c->congestion.cwnd)
		flight = c->congestion.cwnd;
	c->recovery = RECOVERY_FAST;
	c->recover = c->snd_nxt;
	c->counters.fast_recoveries++;
	s->stats.fast_recoveries++;
	undo_start(s, slot, false);
	probe_cancel(s, slot);
	conn_timer_stop(s, slot, CONN_TIMER_PROBE);
	congestion_ops(&c->congestion)->on_loss(&c->congestion, flight, s->event.now_us);
	ecn_reduced(c);
	prr_start(&slot_recovery(s, slot)->prr, in_flight, c->snd_mss);
}

void recovery_window_end(struct conn *c)
{
	struct congestion *cc = &c->congestion;

	if (!congestion_ops(cc)->controls_recovery && cc->ssthresh != CONGESTION_SSTHRESH_INFINITE)
		cc->cwnd = cc->ssthresh > cc->mss ? cc->ssthresh : cc->mss;
}

void recovery_leave(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	struct recovery *r = slot_recovery(s, slot);

	if (c->recovery == RECOVERY_FAST)
		recovery_window_end(c);
	c->recovery = RECOVERY_OPEN;
	c->dup_acks = 0;
	r->reno_sacked = 0;
	r->undo.frto = FRTO_OFF;
	rack_recovered(&r->rack);
	validation_recovered(r);
	congestion_ops(&c->congestion)->on_recovered(&c->congestion, s->event.now_us);
}

void recovery_reduce(struct stack *s, uint32_t slot, uint32_t delivered, bool safe)
{
	struct conn *c = event_conn(s, slot);

	if (c->recovery == RECOVERY_FAST && !congestion_ops(&c->congestion)->controls_recovery)
		prr_ack(&slot_recovery(s, slot)->prr, &c->congestion, recovery_pipe(s, slot),
		        delivered, safe);
}

/*
 * Without SACK: three duplicate ACKs, or an ACK inside fast recovery that does not
 * end it (RFC 6582, 3.2). Duplicate ACKs right at the end of the last recovery may
 * come from what was sent again needlessly in it: only those beyond it tell of a loss
 * (step 1).
 */
static uint32_t loss_without_sack(const struct ack_news *news)
{
	struct conn *c = event_conn(news->stack, news->slot);
	uint32_t lost;
	bool third = c->recovery == RECOVERY_OPEN && c->dup_acks >= DUPLICATE_THRESHOLD &&
	             seq_gt(c->snd_una, c->recover);
	bool partial =
		c->recovery == RECOVERY_FAST && news->acked > 0 && seq_lt(c->snd_una, c->recover);

	if (!third && !partial)
		return 0;
	lost = loss_mark_head(news->stack, news->slot);
	/* a path MTU probe: further duplicates of the same flight tell of it only */
	if (third && lost == 0)
		c->recover = c->snd_nxt;
	return lost;
}

/* By RACK, whose timer stands for what it cannot tell yet. */
static uint32_t loss_by_rack(struct stack *s, uint32_t slot)
{
	uint64_t deadline;
	uint32_t lost = rack_detect(s, slot, &deadline);

	if (deadline == TIMER_NEVER)
		conn_timer_stop(s, slot, CONN_TIMER_REORDER);
	else
		conn_timer(s, slot, CONN_TIMER_REORDER, deadline);
	return lost;
}

void recovery_detect(struct ack_news *news)
{
	const struct conn *c = slot_conn(news->stack, news->slot);

	if (!(c->flags & CONN_SACK))
		news->lost = loss_without_sack(news);
	else if (news->delivered > 0)
		news->lost = loss_by_rack(news->stack, news->slot);
	if (news->lost > 0 && c->recovery == RECOVERY_OPEN)
		recovery_enter(news->stack, news->slot, news->before);
}

void recovery_reordered(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint32_t before = recovery_pipe(s, slot);

	if (loss_by_rack(s, slot) == 0)
		return;
	if (c->recovery == RECOVERY_OPEN)
		recovery_enter(s, slot, before);
	recovery_reduce(s, slot, 0, false);
	conn_dirty(s, slot);
}

/* ---- time-out ---- */

/*
 * RFC 8985, 6.3: the first segment, and what else should have been acknowledged; all,
 * when the peer has no SACK. A second time-out in a row trusts no SACK any more (RFC
 * 2018, section 8).
 */
static void timeout_mark(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	struct sent *sent = &slot_recovery(s, slot)->sent;

	if (c->retransmits > 1)
		sent_clear_sacked(sent);
	for (uint32_t i = 0; i < sent->count; i++) {
		const struct sent_record *record = sent_at(sent, i);

		if (record->flags & (SENT_SACKED | SENT_LOST))
			continue;
		if (i == 0 || !(c->flags & CONN_SACK) || rack_overdue(s, slot, record))
			(void)recovery_mark_lost(s, slot, i);
	}
}

void recovery_timeout(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	struct recovery *r = slot_recovery(s, slot);
	uint32_t flight = c->snd_nxt - c->snd_una;

	s->stats.timeouts++;
	c->counters.timeouts++;
	c->retransmits++;
	rtt_backoff(&c->rtt);
	conn_timer(s, slot, CONN_TIMER_RETRANSMIT, s->event.now_us + rtt_timeout(&c->rtt));
	conn_dirty(s, slot);
	if (!(c->flags & CONN_SYN_ACKED)) {
		c->flags |= CONN_SYN_OWED;
		return;
	}
	timeout_mark(s, slot);
	pmtu_timeout(s, slot);
	congestion_ops(&c->congestion)
		->on_timeout(&c->congestion, flight, c->retransmits == 1, s->event.now_us);
	ecn_reduced(c);
	if (c->recovery == RECOVERY_OPEN)
		undo_start(s, slot, true);
	else if (c->recovery == RECOVERY_FAST)
		undo_impossible(s, slot);
	else
		r->undo.frto = FRTO_OFF;
	c->recovery = RECOVERY_TIMEOUT;
	c->recover = c->snd_nxt;
	c->dup_acks = 0;
	r->reno_sacked = 0;
	r->probe = (struct probe){.needless = r->probe.needless};
	conn_timer_stop(s, slot, CONN_TIMER_PROBE);
	conn_timer_stop(s, slot, CONN_TIMER_REORDER);
}
