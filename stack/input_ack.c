/*
 * RFC 9293, 3.10.7.4, fifth step: the ACK field. What it covers, the send window,
 * and the moves that an ACK of our SYN or FIN makes. Round trips, and what is lost,
 * are recovery.c's.
 */
#include "engine.h"
#include "proxied.h"

/* Our SYN is acknowledged in SYN-RECEIVED. */
static void ack_establish(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	conn_move(s, slot, TCP_ESTABLISHED, "ACK of the SYN");
	conn_timer_stop(s, slot, CONN_TIMER_END);
	if (c->retransmits > 0)
		recovery_syn_lost(c, c->retransmits);
	if (c->flags & CONN_BUSY)
		conn_busy_message(s, slot);
	else if (proxied_listener(s, &c->identity.flow.local) && (c->flags & CONN_PASSIVE))
		proxied_wait(s, slot);
	else
		conn_enqueue(s, slot);
}

/* RFC 5961, 5.2: from a largest window before snd_una up to snd_nxt. */
static bool ack_in_range(const struct conn *c, uint32_t ack)
{
	return seq_geq(ack, c->snd_una - c->max_snd_wnd) && seq_leq(ack, c->snd_nxt);
}

/*
 * RFC 9293: a segment's window counts when it is not older than the last one taken. By
 * its sequence number, what is sent again looks older than it is; but an ACK number never
 * goes back, so one that is new tells as well. Its window must be taken then: the old
 * one, counted from the new snd_una, would reach beyond what was offered.
 */
static bool ack_take_window(struct conn *c, const struct segment *seg)
{
	uint32_t window = (uint32_t)seg->window << c->snd_wscale;
	uint32_t before = c->snd_wnd;

	if (!seq_gt(seg->ack, c->snd_una) && !seq_lt(c->snd_wl1, seg->seq) &&
	    !(c->snd_wl1 == seg->seq && seq_leq(c->snd_wl2, seg->ack)))
		return false;
	c->snd_wnd = window;
	c->snd_wl1 = seq_max(c->snd_wl1, seg->seq);
	c->snd_wl2 = seg->ack;
	if (window > c->max_snd_wnd)
		c->max_snd_wnd = window;
	return window != before;
}

/* snd_una moves to ACK, and the stream with it. */
static void ack_advance(struct conn *c, uint32_t ack)
{
	uint32_t data = ack - c->snd_una;

	if (!(c->flags & CONN_SYN_ACKED)) {
		c->flags = (c->flags | CONN_SYN_ACKED) & ~CONN_SYN_OWED;
		data--;
	}
	if ((c->flags & CONN_FIN_SENT) && ack == c->snd_nxt)
		data--;
	c->snd_una = ack;
	c->tx_una += data;
	if ((c->flags & CONN_URGENT_OUT) && seq_geq(ack, c->snd_up))
		c->flags &= ~CONN_URGENT_OUT;
}

static bool fin_acked(const struct conn *c)
{
	return (c->flags & CONN_FIN_SENT) && c->snd_una == c->snd_nxt;
}

/* The moves that the ACK of our FIN makes. False when the entry is gone. */
static bool ack_of_fin(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (!fin_acked(c))
		return true;
	switch (c->state) {
	case TCP_FIN_WAIT_1:
		conn_move(s, slot, TCP_FIN_WAIT_2, "ACK of our FIN");
		conn_timer(s, slot, CONN_TIMER_END, s->event.now_us + FIN_WAIT_2_US);
		return true;
	case TCP_CLOSING:
		time_wait_enter(s, slot, "ACK of our FIN");
		return false;
	case TCP_LAST_ACK:
		conn_destroy(s, slot, RING_RESET_NONE, "closed by both sides");
		return false;
	default:
		return true;
	}
}

/* RFC 5681, section 2: what counts as a duplicate ACK. */
static bool ack_is_duplicate(const struct conn *c, const struct segment *seg, bool window_changed)
{
	return seg->ack == c->snd_una && c->snd_nxt != c->snd_una && seg->data_length == 0 &&
	       !(seg->flags & TCP_FIN) && !window_changed;
}

/*
 * RFC 7323, 4.3, (2): only segments that span last_ack_sent carry our clock on. Not
 * before the ACK is checked: who has guessed the sequence number alone could make PAWS
 * refuse all that the peer sends from then on.
 */
static void ack_take_timestamp(struct stack *s, struct conn *c, const struct segment *seg)
{
	if (!(c->flags & CONN_TIMESTAMPS) || !seg->has_timestamps ||
	    !seq_leq(seg->seq, c->last_ack_sent) || (seg->flags & TCP_RST))
		return;
	c->ts_recent = seg->ts_value;
	c->ts_recent_us = s->event.now_us;
}

/* After recovery.c has taken the round trip. */
static void ack_restart_timer(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	/* the back-off stays until a sample ends it (RFC 6298, section 3) */
	c->retransmits = 0;
	c->unacked_since_us = c->stalled_since_us = s->event.now_us;
	stalled_forget(s, slot);
	/* RFC 6298, 5.2 and 5.3 */
	if (c->snd_una == c->snd_nxt)
		conn_timer_stop(s, slot, CONN_TIMER_RETRANSMIT);
	else
		conn_timer(s, slot, CONN_TIMER_RETRANSMIT, s->event.now_us + rtt_timeout(&c->rtt));
}

/*
 * The window is open, and was shut or too small to be worth a segment. What went out against
 * a shut one, a probe or the FIN, is surely lost, so send on at once. What waits is
 * output.c's; until it has sent something the probe's timer goes on, or a peer that says
 * the same again and again would put off the override of 3.8.6.2.1 for ever.
 */
static void ack_window_opened(struct stack *s, uint32_t slot, bool was_shut)
{
	struct conn *c = event_conn(s, slot);
	uint64_t *probe_us = &c->timer_us[CONN_TIMER_PERSIST];
	uint64_t soon = s->event.now_us + rtt_timeout(&c->rtt);

	c->persist_shift = 0;
	if (c->snd_una == c->snd_nxt) {
		if (c->tx_una == c->tx_head)
			conn_timer_stop(s, slot, CONN_TIMER_PERSIST);
		else if (*probe_us != TIMER_NEVER && *probe_us > soon)
			conn_timer(s, slot, CONN_TIMER_PERSIST, soon);
		return;
	}
	conn_timer_stop(s, slot, CONN_TIMER_PERSIST);
	if (was_shut) /* otherwise it is what the override has sent, and may arrive */
		recovery_resend(s, slot, 0);
	/* a new master would not know that it is to be sent again, and needs something that runs */
	if (c->timer_us[CONN_TIMER_RETRANSMIT] == TIMER_NEVER)
		conn_timer(s, slot, CONN_TIMER_RETRANSMIT, soon);
}

/* The window stays shut but the peer answers: never a reason to give up (RFC 9293, MUST-37). */
static void ack_window_shut(struct stack *s, struct conn *c)
{
	c->unacked_since_us = s->event.now_us;
	c->retransmits = 0;
}

bool input_check_ack(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct conn *c = event_conn(s, slot);
	uint32_t flight = c->snd_nxt - c->snd_una;
	uint32_t acked;
	bool was_shut = c->snd_wnd == 0;
	bool changed;

	if (!(seg->flags & TCP_ACK))
		return false;
	/* closed before that, it is in FIN-WAIT-1 and the peer's ACK of the SYN is still to come */
	if (!(c->flags & CONN_SYN_ACKED)) {
		if (!seq_gt(seg->ack, c->snd_una) || !seq_leq(seg->ack, c->snd_nxt)) {
			s->stats.bad_ack++;
			emit_reset_for(s, &c->identity.flow, c->identity.ifindex, seg,
			               s->event.now_us);
			return false;
		}
		if (c->state == TCP_SYN_RECEIVED)
			ack_establish(s, slot);
	} else if (!ack_in_range(c, seg->ack)) {
		s->stats.bad_ack++;
		challenge_ack(s, slot);
		return false;
	}
	conn_dirty(s, slot);
	ack_take_timestamp(s, c, seg);
	if (seq_lt(seg->ack, c->snd_una))
		return true; /* old, but its data may be new */
	acked = seg->ack - c->snd_una;
	changed = ack_take_window(c, seg);
	if (acked > 0)
		ack_advance(c, seg->ack);
	recovery_ack(s, slot, seg, acked, acked == 0 && ack_is_duplicate(c, seg, changed));
	if (acked > 0)
		ack_restart_timer(s, slot);
	else
		stalled_look(s, slot);
	if (c->snd_wnd > 0 && (was_shut || c->timer_us[CONN_TIMER_PERSIST] != TIMER_NEVER))
		ack_window_opened(s, slot, was_shut);
	else if (c->snd_wnd == 0)
		ack_window_shut(s, c);
	ecn_acked(s, slot, seg, flight);
	return ack_of_fin(s, slot);
}
