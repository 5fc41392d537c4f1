/*
 * What to send now (RFC 9293, 3.8; 3.10.2).
 *
 * Theory of operation: whatever happens to a connection marks it dirty; once for
 * a batch of work, stack_output() runs conn_output() for each dirty one, as an
 * event of its own. It takes in the worker's page, then sends: a SYN that is
 * owed; what recovery.c names as lost; new data, as far as the peer's window, cwnd
 * and pacing let it and no silly window comes of it (3.8.6.2.1); FIN behind the last
 * byte; and an ACK, if one is owed and no data carried it. Nagle's algorithm is
 * off: this is telnet, and a worker writes whole bursts into its ring.
 */
#include "engine.h"

/* ---- receive side: the window to advertise ---- */

/* Bytes of room for the peer's data, before any silly-window avoidance. */
static uint32_t window_room(const struct stack *s, uint32_t slot, uint32_t *capacity)
{
	const struct conn *c = slot_conn(s, slot);
	const struct conn_private *p = slot_private(s, slot);
	uint32_t used = (uint32_t)(c->rx_head - c->rx_tail);

	if (p->ring.master == NULL && c->worker != CONN_NO_WORKER) {
		*capacity = receive_window(c); /* a new master has not mapped the ring yet */
		return *capacity;
	}
	*capacity = p->ring.master != NULL ? p->ring.rx_size : CONN_EARLY_BYTES - c->header_bytes;
	return used < *capacity ? *capacity - used : 0;
}

uint32_t output_window(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	uint32_t mss = mss_for_mtu(&c->identity.flow.peer.address, c->identity.mtu);
	uint32_t offered = receive_window(c);
	uint32_t capacity;
	uint32_t room = window_room(s, slot, &capacity);
	uint32_t step = capacity / 2 < mss ? capacity / 2 : mss;
	uint32_t most = 65535u << c->rcv_wscale;

	if (room > most)
		room = most;
	/* RFC 9293, 3.8.6.2.2: the edge moves by a step worth having or not at all */
	return room >= offered + step ? room : offered;
}

/* The worker has taken so much that the peer should know at once. */
static bool window_update_due(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);

	return state_can_receive((enum tcp_state)c->state) &&
	       output_window(s, slot) > receive_window(c);
}

/* ---- send side ---- */

/* Stream offset of snd_nxt. */
static uint64_t output_sent(const struct conn *c)
{
	uint32_t space = c->snd_nxt - c->snd_una;

	if (!(c->flags & CONN_SYN_ACKED))
		space = 0; /* nothing but the SYN */
	else if (c->flags & CONN_FIN_SENT)
		space--;
	return c->tx_una + space;
}

static void output_started(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (c->timer_us[CONN_TIMER_RETRANSMIT] == TIMER_NEVER)
		conn_timer(s, slot, CONN_TIMER_RETRANSMIT, s->event.now_us + rtt_timeout(&c->rtt));
	user_timeout_start(s, slot);
	c->last_data_us = s->event.now_us;
}

static bool output_syn(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint8_t flags = c->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK;

	flags |= ecn_syn_flags(c);
	if (!emit_segment(s, slot, c->iss, 0, flags))
		return false;
	if (c->snd_nxt != c->iss)
		emit_count_again(s);
	c->flags &= ~CONN_SYN_OWED;
	c->snd_nxt = seq_max(c->snd_nxt, c->iss + 1);
	output_started(s, slot);
	return true;
}

/* One range that was sent before. */
static bool output_again(struct stack *s, uint32_t slot, struct seq_range range)
{
	struct conn *c = event_conn(s, slot);
	bool fin = (c->flags & CONN_FIN_SENT) && range.end == c->snd_nxt;
	uint8_t flags = (uint8_t)(TCP_ACK | TCP_PSH | (fin ? TCP_FIN : 0));
	uint32_t length = range.end - range.start - fin;

	if (!emit_segment(s, slot, range.start, length, flags))
		return false;
	c->counters.segs_retransmitted++;
	c->counters.bytes_retransmitted += length;
	emit_count_again(s);
	recovery_resent(s, slot, range);
	output_started(s, slot);
	return true;
}

/* Sends lost ranges again while the pipe is below cwnd; the first in flight always goes. */
static bool output_lost(struct stack *s, uint32_t slot)
{
	const struct conn *c = event_conn(s, slot);
	uint32_t pipe = recovery_pipe(s, slot);
	struct seq_range range;

	while (recovery_next(s, slot, &range)) {
		uint32_t length = range.end - range.start;

		if (range.start != c->snd_una && pipe + length > c->congestion.cwnd)
			return true;
		if (!pacing_allows(s, slot, length, pipe))
			return true;
		if (!output_again(s, slot, range))
			return false;
		pacing_sent(s, slot, length);
		pipe += length;
	}
	return true;
}

/* RFC 9293, 3.8.6.2.1, without Nagle: worth sending LENGTH of AVAILABLE bytes? */
static bool output_worthwhile(const struct conn *c, uint32_t length, uint64_t available)
{
	return length >= c->snd_mss || length == available || length >= c->max_snd_wnd / 2;
}

/* Nothing can go and nothing is on its way that would bring an ACK: probe later. */
static void output_blocked(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (c->snd_una != c->snd_nxt)
		return;
	/* the peer's silence counts from the first probe, not from its last ACK */
	if (c->timer_us[CONN_TIMER_PERSIST] == TIMER_NEVER)
		c->unacked_since_us = s->event.now_us;
	persist_start(s, slot);
}

static bool output_one(struct stack *s, uint32_t slot, uint32_t length, bool last)
{
	struct conn *c = event_conn(s, slot);
	bool fin = last && (c->flags & CONN_FIN_QUEUED);
	uint8_t flags = (uint8_t)(TCP_ACK | (last ? TCP_PSH : 0) | (fin ? TCP_FIN : 0));

	if (!emit_new(s, slot, length, flags))
		return false;
	if (c->snd_una == c->snd_nxt)
		c->unacked_since_us = s->event.now_us;
	recovery_sent(s, slot, c->snd_nxt, c->snd_nxt + length + fin);
	pmtu_sent(s, slot, c->snd_nxt, length);
	c->snd_nxt += length + fin;
	c->counters.bytes_out += length;
	if (fin)
		c->flags |= CONN_FIN_SENT;
	conn_timer_stop(s, slot, CONN_TIMER_PERSIST);
	output_started(s, slot);
	probe_schedule(s, slot);
	return true;
}

/* New data, and FIN. False when the batch is full. */
static bool output_new(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint32_t pipe = recovery_pipe(s, slot);

	validation_look(s, slot);
	while (!(c->flags & CONN_FIN_SENT)) {
		uint64_t available = c->tx_head - output_sent(c);
		int32_t window = seq_diff(c->snd_una + c->snd_wnd, c->snd_nxt);
		uint32_t room = pipe < c->congestion.cwnd ? c->congestion.cwnd - pipe : 0;
		uint32_t length = pmtu_segment(s, slot, available, window);
		bool last;

		if (available == 0 && !(c->flags & CONN_FIN_QUEUED))
			return true;
		if (length > available)
			length = (uint32_t)available;
		if (window < (int32_t)length)
			length = window > 0 ? (uint32_t)window : 0;
		if (room < length)
			return true; /* cwnd: an ACK will come */
		if (available > 0 && (length == 0 || !output_worthwhile(c, length, available))) {
			output_blocked(s, slot);
			return true;
		}
		if (!recovery_room(s, slot))
			return true; /* as many segments in flight as can be: an ACK will come */
		if (!pacing_allows(s, slot, length, pipe))
			return true;
		last = length == available;
		if (!output_one(s, slot, length, last))
			return false;
		pacing_sent(s, slot, length);
		pipe += length;
	}
	return true;
}

/*
 * A tail loss probe (RFC 8985, 7.3): a segment of new data, cwnd or not, or the last
 * one again.
 */
static bool output_probe(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint64_t available = c->tx_head - output_sent(c);
	uint32_t length = available < c->snd_mss ? (uint32_t)available : c->snd_mss;
	struct seq_range last;
	bool done = true;

	if (!probe_due(s, slot))
		return true;
	if (length > 0 && seq_diff(c->snd_una + c->snd_wnd, c->snd_nxt) >= (int32_t)length &&
	    recovery_room(s, slot)) {
		done = output_one(s, slot, length, length == available);
		if (done)
			probe_sent(s, slot, false);
	} else if (probe_last(s, slot, &last)) {
		done = output_again(s, slot, last);
		if (done)
			probe_sent(s, slot, true);
	} else {
		probe_cancel(s, slot);
	}
	return done;
}

/* The peer's window, or a wait for more data, keeps a full segment from going. */
static bool output_lacks(const struct conn *c)
{
	return c->tx_head == output_sent(c) ||
	       seq_diff(c->snd_una + c->snd_wnd, c->snd_nxt) < (int32_t)c->snd_mss;
}

/*
 * All is sent, or as much as the peer has room for, and the network could take more: what
 * is delivered from now on does not show what the path can do. Windows begin small and are
 * full while a lost segment is waited for, just when BBR looks for the rate of the path.
 */
static void output_app_limited(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint32_t pipe = recovery_pipe(s, slot);

	if (output_lacks(c) && pipe < c->congestion.cwnd && slot_recovery(s, slot)->sent.lost == 0)
		rate_app_limited(&c->rate, pipe);
}

/* What was lost, then what is new. False when the batch is full. */
static bool output_data(struct stack *s, uint32_t slot)
{
	bool all;

	pacing_begin(s, slot);
	all = output_lost(s, slot) && output_probe(s, slot) && output_new(s, slot);
	pacing_end(s, slot);
	output_app_limited(s, slot);
	return all;
}

/* ---- ACKs ---- */

static void output_ack(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	/* before our first data: the worker's greeting will carry the larger window */
	bool greeting = c->snd_nxt == c->iss + 1 && !(c->flags & CONN_FIN_QUEUED);

	if (window_update_due(s, slot))
		c->flags |= greeting ? CONN_ACK_DELAYED : CONN_ACK_NOW;
	if (c->flags & CONN_ACK_NOW)
		emit_ack(s, slot);
	else if ((c->flags & CONN_ACK_DELAYED) &&
	         c->timer_us[CONN_TIMER_DELAYED_ACK] == TIMER_NEVER)
		conn_timer(s, slot, CONN_TIMER_DELAYED_ACK, s->event.now_us + DELAYED_ACK_US);
}

void conn_output(struct stack *s, uint32_t slot, uint64_t now_us)
{
	const struct conn *c;
	bool all = true;

	event_begin(s, now_us);
	c = event_conn(s, slot);
	if (!user_read_ring(s, slot)) {
		event_end(s);
		return;
	}
	if (c->flags & CONN_SYN_OWED)
		all = output_syn(s, slot);
	if (c->flags & CONN_SYN_ACKED || c->state == TCP_FIN_WAIT_1) {
		if (user_has_data(s, slot))
			all = all && output_data(s, slot);
		if (all)
			output_ack(s, slot);
	}
	if (!all)
		conn_dirty(s, slot);
	event_end(s);
}
