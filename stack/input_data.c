/*
 * RFC 9293, 3.10.7.4, steps six to eight: urgent pointer, payload, FIN. In-order
 * and out-of-order payload alike is copied once, to its final place in the
 * receive ring; before a worker is there, in-order payload goes to the early
 * buffer and the rest is dropped, which the window makes rare.
 */
#include "engine.h"

#include <string.h>

/* An urgent pointer that data has passed by so much is forgotten. */
#define URGENT_FORGOTTEN (1u << 30)

/*
 * Sixth: the pointer is taken as RFC 6093 found all hosts to: it names the octet
 * after the urgent one.
 */
void input_check_urgent(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct conn *c = event_conn(s, slot);
	uint32_t up = seg->seq + seg->urgent;

	if (!(seg->flags & TCP_URG) || seg->urgent == 0 ||
	    !state_can_receive((enum tcp_state)c->state))
		return;
	if (seq_leq(up, c->rcv_nxt) || ((c->flags & CONN_URGENT_IN) && seq_leq(up, c->rcv_up)))
		return;
	c->rcv_up = up;
	c->flags |= CONN_URGENT_IN;
}

/* A part of a segment's payload that is inside the window. */
struct piece {
	uint32_t start;
	uint32_t end;
	const uint8_t *data;
};

/* Cuts what is old, beyond the window or beyond the peer's FIN. */
static struct piece data_trim(struct stack *s, const struct conn *c, const struct segment *seg)
{
	struct piece piece = {seg->seq, seg->seq + seg->data_length, seg->data};

	if (seq_lt(piece.start, c->rcv_nxt)) {
		uint32_t old = c->rcv_nxt - piece.start;

		if (seq_leq(piece.end, c->rcv_nxt))
			return (struct piece){c->rcv_nxt, c->rcv_nxt, NULL};
		piece.start += old;
		piece.data += old;
	}
	if (seq_gt(piece.end, c->rcv_adv)) {
		s->stats.window_dropped += piece.end - seq_max(c->rcv_adv, piece.start);
		piece.end = seq_max(c->rcv_adv, piece.start);
	}
	if ((c->flags & CONN_FIN_RECEIVED) && seq_gt(piece.end, c->peer_fin))
		piece.end = seq_max(c->peer_fin, piece.start);
	return piece;
}

/* Copies a piece to its place; false where it can't be kept. */
static bool data_store(struct stack *s, uint32_t slot, const struct piece *piece)
{
	struct conn *c = event_conn(s, slot);
	struct conn_private *p = slot_private(s, slot);
	uint32_t ahead = piece->start - c->rcv_nxt;
	uint32_t length = piece->end - piece->start;

	if (user_discards(c))
		return true;
	if (p->ring.master != NULL) {
		if (c->rx_head + ahead + length - c->rx_tail > p->ring.rx_size)
			return false; /* the window never lets this happen */
		memcpy(ring_rx_at(&p->ring, c->rx_head + ahead), piece->data, length);
		return true;
	}
	if (c->worker != CONN_NO_WORKER || ahead > 0 ||
	    length > CONN_EARLY_BYTES - c->header_bytes - c->early_bytes)
		return false;
	memcpy(table_early(&s->table, slot) + c->header_bytes + c->early_bytes, piece->data,
	       length);
	c->early_bytes += length;
	return true;
}

/* rcv_nxt moves to NEXT. */
static void data_advance(struct conn *c, uint32_t next)
{
	uint32_t bytes = next - c->rcv_nxt;

	c->rcv_nxt = next;
	c->rx_head += bytes;
	c->rcv_unacked += bytes;
	c->counters.bytes_in += bytes;
	/* told long ago; soon its number would look like one ahead */
	if ((c->flags & CONN_URGENT_IN) && next - c->rcv_up > URGENT_FORGOTTEN &&
	    seq_gt(next, c->rcv_up))
		c->flags &= ~CONN_URGENT_IN;
	if (user_discards(c))
		c->rx_tail = c->rx_head;
}

static void data_in_order(struct stack *s, uint32_t slot, const struct piece *piece)
{
	struct conn *c = event_conn(s, slot);
	bool gaps = s->table.reassembly[slot].count > 0;
	uint32_t next = piece->end;

	if (gaps)
		next = reassembly_advance(event_reassembly(s, slot), piece->end);
	/* nothing comes behind a FIN, whatever a peer had sent there before */
	if ((c->flags & CONN_FIN_RECEIVED) && seq_gt(next, c->peer_fin))
		next = c->peer_fin;
	data_advance(c, next);
	/* RFC 5681, 4.2: every second full segment at once, and all that fill a gap */
	if (gaps || c->rcv_unacked >= 2 * c->rcv_mss)
		c->flags |= CONN_ACK_NOW;
	else
		c->flags |= CONN_ACK_DELAYED;
}

static void data_out_of_order(struct stack *s, uint32_t slot, const struct piece *piece)
{
	struct conn *c = event_conn(s, slot);
	const struct reassembly *now = &s->table.reassembly[slot];

	if (reassembly_has_room(now, piece->start, piece->end) && data_store(s, slot, piece)) {
		reassembly_add(event_reassembly(s, slot), piece->start, piece->end);
		s->stats.out_of_order++;
		c->counters.out_of_order_in++;
	} else {
		s->stats.ooo_dropped++;
	}
	emit_ack(s, slot); /* a duplicate ACK for each (RFC 5681, 4.2) */
}

/* A second duplicate before the first was told is joined to it, or sends it off at once. */
void input_duplicate(struct stack *s, uint32_t slot, uint32_t start, uint32_t end)
{
	const struct conn *c = slot_conn(s, slot);
	struct seq_range *dsack = &slot_private(s, slot)->dsack;
	struct seq_range twice = {start, seq_min(end, c->rcv_nxt)};

	if (!seq_lt(start, c->rcv_nxt))
		twice = reassembly_overlap(&s->table.reassembly[slot], start, end);
	if (!(c->flags & CONN_SACK) || !seq_lt(twice.start, twice.end))
		return;
	if (dsack->start != dsack->end && dsack->end == twice.start) {
		dsack->end = twice.end;
		return;
	}
	if (dsack->start != dsack->end && (c->flags & CONN_ACK_NOW))
		emit_ack(s, slot);
	*dsack = twice;
}

static void data_take(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct conn *c = event_conn(s, slot);
	struct piece piece = data_trim(s, c, seg);
	uint32_t mss = mss_for_mtu(&c->identity.flow.peer.address, c->identity.mtu);

	if (seg->data_length > c->rcv_mss)
		c->rcv_mss = seg->data_length < mss ? seg->data_length : mss;
	input_duplicate(s, slot, seg->seq, seg->seq + seg->data_length);
	if (piece.start == piece.end) {
		s->stats.duplicates++;
		c->flags |= CONN_ACK_NOW;
	} else if (piece.start != c->rcv_nxt) {
		data_out_of_order(s, slot, &piece);
	} else if (data_store(s, slot, &piece)) {
		data_in_order(s, slot, &piece);
	} else {
		c->flags |= CONN_ACK_NOW;
	}
}

/* Seventh. */
void input_process_data(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct conn *c = event_conn(s, slot);
	uint32_t fin = seg->seq + seg->data_length;

	if (!state_can_receive((enum tcp_state)c->state)) {
		if (segment_length(seg) > 0)
			c->flags |= CONN_ACK_NOW;
		return;
	}
	if ((seg->flags & TCP_FIN) && !(c->flags & CONN_FIN_RECEIVED) && seq_lt(fin, c->rcv_adv) &&
	    seq_geq(fin, c->rcv_nxt)) {
		c->flags |= CONN_FIN_RECEIVED;
		c->peer_fin = fin;
	}
	if (seg->data_length > 0)
		data_take(s, slot, seg);
	else if ((seg->flags & TCP_FIN) && fin != c->rcv_nxt)
		emit_ack(s, slot); /* a FIN beyond a gap */
}

/* Eighth: the FIN counts once everything before it has come. False when the entry is gone. */
bool input_check_fin(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (!(c->flags & CONN_FIN_RECEIVED) || c->rcv_nxt != c->peer_fin)
		return true;
	c->flags &= ~CONN_FIN_RECEIVED;
	c->flags |= CONN_ACK_NOW;
	c->rcv_nxt++;
	if (s->table.reassembly[slot].count > 0)
		reassembly_clear(event_reassembly(s, slot));
	conn_dirty(s, slot);
	switch (c->state) {
	case TCP_ESTABLISHED:
		conn_move(s, slot, TCP_CLOSE_WAIT, "FIN");
		return true;
	case TCP_FIN_WAIT_1:
		conn_move(s, slot, TCP_CLOSING, "FIN: both close at once");
		return true;
	case TCP_FIN_WAIT_2:
		time_wait_enter(s, slot, "FIN");
		return false;
	default:
		return true;
	}
}
