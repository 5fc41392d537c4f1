/*
 * Loss recovery: what is in flight, and what of it to send again. What an ACK says is in
 * recovery_ack.c, what is lost and what follows in recovery_loss.c.
 *
 * Theory of operation
 *
 * snd_nxt never moves back. Each segment in flight has a record (sent.h): in the
 * network, SACKED, or LOST and to be sent again, after which it is in the network
 * once more. What is in the network is the pipe (RFC 6675), kept as a sum; output.c
 * sends while it is below cwnd, first what recovery_next() names, then new data.
 *
 * Who finds out what is lost: RACK (rack.c) from the times of what was delivered;
 * three duplicate ACKs where the peer has no SACK (RFC 5681, 6582); the retransmission
 * timer. A probe (probe.c) makes a silent peer answer before that timer has to.
 *
 * Three phases: OPEN; FAST from the first loss until snd_una reaches recover; TIMEOUT,
 * from an expired timer until then. The congestion control (congestion.h) is told of
 * each; in FAST, PRR (prr.c) says what may go, unless the algorithm does itself. When
 * it turns out that nothing had been lost, undo.c takes all of it back.
 *
 * An ACK is taken in (recovery_ack.c) in this order: records (delivered bytes, rate and RTT samples,
 * RACK), duplicates, probe, undo, losses (on_segment_lost, on_loss), window (PRR,
 * on_ack), end of recovery (on_recovered), timers.
 */
#include "engine.h"

void recovery_init(struct conn *c)
{
	c->recovery = RECOVERY_OPEN;
	c->recover = c->snd_una;
	c->dup_acks = 0;
}

/* One loss may be chance, but not the second: begin as carefully as RFC 5681, 3.1, asks. */
void recovery_syn_lost(struct conn *c, uint32_t times)
{
	rtt_syn_lost(&c->rtt);
	if (times > 1)
		c->congestion.cwnd = c->congestion.mss;
}

/* The first sequence number that a record can have: behind the SYN. */
static uint32_t recovery_base(const struct conn *c)
{
	return (c->flags & CONN_SYN_ACKED) ? c->snd_una : c->iss + 1;
}

/*
 * Nothing bursts: what was in flight still counts so until a probe, the timer or the
 * peer's SACKs show what is missing. Of a fast recovery the window is its end's, and the
 * first segment goes again, since the former master may have died before it sent it.
 * After a time-out all goes again, in slow start as before.
 */
void recovery_take_over(struct stack *s, uint32_t slot)
{
	struct conn *c = slot_conn(s, slot);
	struct recovery *r = slot_recovery(s, slot);
	uint32_t base = recovery_base(c);

	c->recover = c->snd_nxt;
	c->dup_acks = 0;
	c->rate.app_limited = 0;
	if (!seq_lt(base, c->snd_nxt)) {
		c->recovery = RECOVERY_OPEN;
		return;
	}
	sent_cover(&r->sent, base, c->snd_nxt, c->last_data_us,
	           c->recovery == RECOVERY_OPEN && c->retransmits == 0);
	r->rack.scanned = base;
	r->rack.high_resent = c->snd_nxt;
	if (c->recovery == RECOVERY_FAST) {
		recovery_window_end(c);
		c->recovery = RECOVERY_OPEN;
		if (c->snd_nxt - base > c->snd_mss)
			(void)sent_cut(&r->sent, 0, base + c->snd_mss);
		sent_mark_lost(&r->sent, 0);
	} else if (c->recovery == RECOVERY_TIMEOUT) {
		uint32_t most = congestion_initial_window(c->congestion.mss);

		if (c->congestion.cwnd > most)
			c->congestion.cwnd = most;
		for (uint32_t i = 0; i < r->sent.count; i++)
			sent_mark_lost(&r->sent, i);
	}
}

uint32_t recovery_pipe(const struct stack *s, uint32_t slot)
{
	const struct recovery *r = slot_recovery(s, slot);

	return r->sent.in_flight > r->reno_sacked ? r->sent.in_flight - r->reno_sacked : 0;
}

void recovery_cap_reno(struct recovery *r)
{
	if (r->reno_sacked > r->sent.in_flight)
		r->reno_sacked = r->sent.in_flight;
}

/* ---- sending ---- */

bool recovery_room(struct stack *s, uint32_t slot)
{
	return sent_room(&slot_recovery(s, slot)->sent);
}

void recovery_sent(struct stack *s, uint32_t slot, uint32_t start, uint32_t end)
{
	struct conn *c = event_conn(s, slot);
	struct recovery *r = slot_recovery(s, slot);
	const struct congestion_ops *ops = congestion_ops(&c->congestion);
	uint32_t pipe = recovery_pipe(s, slot);

	if (r->sent.count == 0)
		r->rack.scanned = r->rack.high_resent = start;
	ops->on_transmit(&c->congestion, pipe, c->rate.app_limited != 0, s->event.now_us);
	rate_sent(&c->rate, sent_push(&r->sent, start, end), pipe, s->event.now_us);
	r->prr.out += end - start;
}

bool recovery_next(struct stack *s, uint32_t slot, struct seq_range *range)
{
	struct sent *sent = &slot_recovery(s, slot)->sent;
	uint32_t i;

	if (sent->lost == 0 || undo_holds_back(s, slot))
		return false;
	i = sent_first_lost(sent);
	range->start = sent_at(sent, i)->start;
	range->end = range->start + sent_fit(sent, i, slot_conn(s, slot)->snd_mss);
	return true;
}

void recovery_resent(struct stack *s, uint32_t slot, struct seq_range range)
{
	struct conn *c = event_conn(s, slot);
	struct recovery *r = slot_recovery(s, slot);
	uint32_t i = sent_find(&r->sent, range.start);
	struct sent_record *record = sent_at(&r->sent, i);

	rate_sent(&c->rate, record, recovery_pipe(s, slot), s->event.now_us);
	sent_again(&r->sent, i);
	r->rack.high_resent = seq_max(r->rack.high_resent, record->end);
	r->prr.out += range.end - range.start;
	undo_resent(s, slot, range);
	/* the timer is the first segment's, which has only now been sent */
	if (i == 0)
		conn_timer(s, slot, CONN_TIMER_RETRANSMIT, s->event.now_us + rtt_timeout(&c->rtt));
}

void recovery_probed(struct stack *s, uint32_t slot)
{
	struct recovery *r = slot_recovery(s, slot);

	if (r->sent.count == 0)
		return;
	sent_at(&r->sent, 0)->flags |= SENT_RETRANSMITTED;
	r->rack.high_resent = seq_max(r->rack.high_resent, sent_at(&r->sent, 0)->end);
}

void recovery_resend(struct stack *s, uint32_t slot, uint32_t most)
{
	struct conn *c = event_conn(s, slot);
	struct sent *sent = &slot_recovery(s, slot)->sent;

	conn_dirty(s, slot);
	if (!(c->flags & CONN_SYN_ACKED)) {
		c->flags |= CONN_SYN_OWED; /* the SYN has no record */
		return;
	}
	for (uint32_t i = 0; i < sent->count; i++) {
		const struct sent_record *record = sent_at(sent, i);

		if (record->end - record->start > most &&
		    !(record->flags & (SENT_SACKED | SENT_LOST)))
			sent_mark_lost(sent, i);
	}
	recovery_cap_reno(slot_recovery(s, slot));
}
