/*
 * RFC 9293, 3.10.7.4, steps one to four: sequence number, RST, SYN; with PAWS (RFC
 * 7323, section 5) and the checks of RFC 5961 against blind attacks.
 */
#include "engine.h"

uint32_t receive_window(const struct conn *c)
{
	return c->rcv_adv - c->rcv_nxt;
}

void challenge_ack(struct stack *s, uint32_t slot)
{
	if (!answer_allowed(s, &slot_private(s, slot)->answers_until_us)) {
		s->stats.challenge_limited++;
		return;
	}
	s->stats.challenge_acks++;
	emit_ack(s, slot);
}

/* The four cases of RFC 9293, table 6. */
static bool sequence_acceptable(const struct conn *c, const struct segment *seg)
{
	uint32_t window = receive_window(c);
	uint32_t length = segment_length(seg);
	uint32_t last = seg->seq + length - 1;

	if (length == 0)
		return window == 0 ? seg->seq == c->rcv_nxt
		                   : seq_geq(seg->seq, c->rcv_nxt) && seq_lt(seg->seq, c->rcv_adv);
	if (window == 0)
		return false;
	return (seq_geq(seg->seq, c->rcv_nxt) && seq_lt(seg->seq, c->rcv_adv)) ||
	       (seq_geq(last, c->rcv_nxt) && seq_lt(last, c->rcv_adv));
}

/* RFC 7323, 5.3, R1: an old timestamp means an old duplicate. */
static bool paws_rejects(const struct stack *s, const struct conn *c, const struct segment *seg)
{
	if (!(c->flags & CONN_TIMESTAMPS) || !seg->has_timestamps || (seg->flags & TCP_RST))
		return false;
	if (!seq_lt(seg->ts_value, c->ts_recent))
		return false;
	return s->event.now_us - c->ts_recent_us < PAWS_EXPIRY_US;
}

/* The answer to a segment outside the window; RST gets none, floods of empty ones few. */
static void sequence_refuse(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct conn *c = event_conn(s, slot);

	if (seg->flags & TCP_RST)
		return;
	if (c->state == TCP_SYN_RECEIVED && (seg->flags & TCP_SYN)) {
		c->flags |= CONN_SYN_OWED; /* its SYN again: our SYN-ACK was lost */
		conn_dirty(s, slot);
		return;
	}
	if (segment_length(seg) > 0 && !(seg->flags & TCP_SYN))
		emit_ack(s, slot);
	else
		challenge_ack(s, slot);
}

bool input_check_sequence(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct conn *c = event_conn(s, slot);

	if ((c->flags & CONN_TIMESTAMPS) && !seg->has_timestamps && !(seg->flags & TCP_RST)) {
		s->stats.paws++; /* RFC 7323, 3.2: negotiated, so each segment must have it */
		return false;
	}
	if (paws_rejects(s, c, seg)) {
		s->stats.paws++;
		sequence_refuse(s, slot, seg);
		return false;
	}
	if (!sequence_acceptable(c, seg)) {
		/*
		 * A shut window still lets valid ACKs, URGs and RSTs through (3.10.7.4):
		 * the steps after this one take no data from beyond it.
		 */
		if (receive_window(c) == 0 && seg->seq == c->rcv_nxt && !(seg->flags & TCP_SYN)) {
			c->flags |= CONN_ACK_NOW;
			conn_dirty(s, slot);
			return true;
		}
		if (segment_length(seg) > 0 && seq_lt(seg->seq, c->rcv_nxt)) {
			s->stats.duplicates++;
			input_duplicate(s, slot, seg->seq, seg->seq + seg->data_length);
		} else {
			s->stats.out_of_window++;
		}
		sequence_refuse(s, slot, seg);
		return false;
	}
	c->last_in_us = s->event.now_us;
	c->probes = 0;
	return true;
}

/* RFC 9293, 3.10.7.4, second, as RFC 5961, 3.2 has it. */
bool input_check_rst(struct stack *s, uint32_t slot, const struct segment *seg)
{
	const struct conn *c = slot_conn(s, slot);

	if (!(seg->flags & TCP_RST))
		return true;
	if (seg->seq != c->rcv_nxt) {
		s->stats.rst_ignored++;
		challenge_ack(s, slot);
		return false;
	}
	if (c->state == TCP_SYN_RECEIVED && (c->flags & CONN_PASSIVE))
		conn_move(s, slot, TCP_LISTEN, "RST");
	conn_destroy(s, slot, RING_RESET_PEER, "reset by the peer");
	return false;
}

/* Fourth: a SYN on a synchronized connection is never believed (RFC 5961, 4.2). */
bool input_check_syn(struct stack *s, uint32_t slot, const struct segment *seg)
{
	if (!(seg->flags & TCP_SYN))
		return true;
	challenge_ack(s, slot);
	return false;
}
