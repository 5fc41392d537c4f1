/*
 * Segments for a connection: RFC 9293, 3.10.7.3 (SYN-SENT) and 3.10.7.4 (all
 * others).
 *
 * Theory of operation: 3.10.7.4 is eight steps, and each is a function named
 * after it: input_check_sequence(), input_check_rst(), (security and compartment
 * are not used), input_check_syn(), input_check_ack(), input_check_urgent(),
 * input_process_data(), input_check_fin(). A step that ends the matter returns
 * false; then the entry may be gone. One segment is one event. Nothing is sent
 * here but answers that must not wait (duplicate ACKs, challenges); everything
 * else is left to output.c, which runs once for a batch of segments.
 */
#include "engine.h"
#include "proxied.h"

static void input_steps(struct stack *s, uint32_t slot, const struct segment *seg)
{
	if (!input_check_sequence(s, slot, seg))
		return;
	if (!input_check_rst(s, slot, seg))
		return;
	if (!input_check_syn(s, slot, seg))
		return;
	if (!input_check_ack(s, slot, seg))
		return;
	if (seg->has_user_timeout)
		user_timeout_heard(s, slot, seg->user_timeout_s);
	ecn_received(s, slot, seg);
	input_check_urgent(s, slot, seg);
	input_process_data(s, slot, seg);
	(void)input_check_fin(s, slot);
}

/*
 * Both have opened at once and this is the peer's SYN-ACK (RFC 9293, figure 8):
 * its SYN is old, and only its ACK is new.
 */
static bool input_is_open_answer(const struct conn *c, const struct segment *seg)
{
	return c->state == TCP_SYN_RECEIVED && seg->seq == c->irs &&
	       (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK);
}

void conn_input(struct stack *s, uint32_t slot, const struct segment *seg, uint64_t now_us)
{
	struct conn *c;

	event_begin(s, now_us);
	c = event_conn(s, slot);
	c->counters.segs_in++;
	if (c->state == TCP_SYN_SENT) {
		(void)input_syn_sent(s, slot, seg);
	} else if (input_is_open_answer(c, seg)) {
		struct segment answer = *seg;

		ecn_peer_syn(&c->flags, seg);
		answer.flags &= (uint8_t)~TCP_SYN;
		answer.seq++;
		/* never scaled in a SYN (RFC 7323, 2.2) */
		answer.window = (uint16_t)(answer.window >> c->snd_wscale);
		input_steps(s, slot, &answer);
	} else {
		input_steps(s, slot, seg);
	}
	proxied_news(s, slot);
	event_end(s);
	stalled_limit(s, now_us);
}

/* ---- SYN-SENT: 3.10.7.3 ---- */

/* What the peer's SYN settles. */
static void syn_sent_options(struct stack *s, struct conn *c, const struct segment *seg)
{
	bool v6 = c->identity.flow.peer.address.version == IP_V6;

	c->irs = seg->seq;
	c->rcv_nxt = seg->seq + 1;
	c->rcv_adv = c->rcv_nxt + CONN_EARLY_BYTES;
	c->rcv_up = c->rcv_nxt;
	c->last_ack_sent = c->rcv_nxt;
	c->peer_mss = seg->has_mss ? seg->mss : (v6 ? MSS_DEFAULT_V6 : MSS_DEFAULT_V4);
	if (seg->has_timestamps) {
		c->ts_recent = seg->ts_value;
		c->ts_recent_us = s->event.now_us;
	} else {
		c->flags &= ~CONN_TIMESTAMPS;
	}
	if (!seg->sack_permitted)
		c->flags &= ~CONN_SACK;
	ecn_peer_syn(&c->flags, seg);
	if (seg->has_window_scale) {
		c->snd_wscale =
			seg->window_scale < WINDOW_SCALE_MAX ? seg->window_scale : WINDOW_SCALE_MAX;
	} else {
		c->flags &= ~CONN_SCALING;
		c->rcv_wscale = 0;
	}
	c->snd_wnd = seg->window; /* never scaled in a SYN (RFC 7323, 2.2) */
	c->max_snd_wnd = seg->window;
	c->snd_wl1 = seg->seq;
	c->snd_wl2 = seg->ack;
	conn_set_mss(c);
	congestion_init(&c->congestion, s->config.congestion, c->snd_mss, &c->rtt, s->event.now_us);
}

static void syn_sent_established(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct conn *c = event_conn(s, slot);

	c->snd_una = seg->ack;
	c->flags = (c->flags | CONN_SYN_ACKED | CONN_ACK_NOW) & ~CONN_SYN_OWED;
	if (c->retransmits == 0) {
		uint64_t rtt = s->event.now_us - c->unacked_since_us;

		rtt_sample(&c->rtt, rtt > 0 ? rtt : 1);
	} else {
		recovery_syn_lost(c, c->retransmits);
	}
	c->retransmits = 0;
	conn_timer_stop(s, slot, CONN_TIMER_RETRANSMIT);
	conn_timer_stop(s, slot, CONN_TIMER_END);
	conn_move(s, slot, TCP_ESTABLISHED, "SYN and ACK");
	conn_enqueue(s, slot);
	conn_dirty(s, slot);
}

bool input_syn_sent(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct conn *c = event_conn(s, slot);
	bool ack = (seg->flags & TCP_ACK) != 0;

	/* first check the ACK bit */
	if (ack && (seg->ack != c->snd_nxt || c->snd_nxt == c->iss)) {
		s->stats.bad_ack++;
		emit_reset_for(s, &c->identity.flow, c->identity.ifindex, seg, s->event.now_us);
		return false;
	}
	/* second check the RST bit: believed only with an ACK of our SYN (RFC 5961, 3.2) */
	if (seg->flags & TCP_RST) {
		if (ack)
			conn_destroy(s, slot, RING_RESET_PEER, "refused by the peer (RST)");
		return false;
	}
	/* fourth check the SYN bit */
	if (!(seg->flags & TCP_SYN))
		return false;
	syn_sent_options(s, c, seg);
	if (seg->has_user_timeout)
		user_timeout_heard(s, slot, seg->user_timeout_s);
	c->last_in_us = s->event.now_us;
	if (ack) {
		syn_sent_established(s, slot, seg);
	} else {
		/* both open at once: SYN-ACK goes out instead of SYN from now on */
		conn_move(s, slot, TCP_SYN_RECEIVED, "SYN without ACK: both open at once");
		c->flags |= CONN_SYN_OWED;
		conn_dirty(s, slot);
	}
	return true;
}
