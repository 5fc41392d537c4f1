/*
 * Explicit congestion notification (RFC 3168): routers mark instead of dropping.
 *
 * Theory of operation: both sides say in their SYNs that they can (ECE and CWR, then
 * ECE). From then on new data goes out marked as capable (ECT(0)), and nothing else does:
 * the loss of a SYN, an ACK, a retransmission or a probe must not go unnoticed (6.1.4 to
 * 6.1.6). A router on the way may turn the mark into CE. The receiver of CE sets ECE in
 * all it sends until it sees CWR; the sender of the data reduces cwnd, once a round trip,
 * as for a loss, and says so by CWR in the next new segment, so that the ECE ends. It does
 * that for every reduction, whatever the reason (6.1.2).
 *
 * Two flags, as a handshake can leave the two sides of different minds (6.1.1): CONN_ECN,
 * the peer may think that we heed CE; CONN_ECT, we may send marked data. A SYN or SYN-ACK
 * that had to be sent again goes without (6.1.1.1: something on the way may drop it
 * for its flags), and then we send no marks, but heed them.
 *
 * Whatever a path does to the marks does no harm: without them it is TCP as ever, and
 * with CE on everything cwnd is one segment.
 */
#include "engine.h"

bool ecn_setup(const struct segment *seg)
{
	uint8_t wanted = (seg->flags & TCP_ACK) ? TCP_ECE : TCP_ECE | TCP_CWR;

	return (seg->flags & (TCP_ECE | TCP_CWR)) == wanted;
}

void ecn_peer_syn(uint32_t *flags, const struct segment *seg)
{
	if (!ecn_setup(seg))
		*flags &= ~(CONN_ECN | CONN_ECT);
}

uint8_t ecn_syn_flags(struct conn *c)
{
	if (c->retransmits > 0)
		c->flags &= ~CONN_ECT;
	if (!(c->flags & CONN_ECT))
		return 0;
	return c->state == TCP_SYN_SENT ? TCP_ECE | TCP_CWR : TCP_ECE;
}

/* Section 6.1.3. A packet from outside the window never comes here (6.1.5). */
void ecn_received(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct conn *c = event_conn(s, slot);

	if (!(c->flags & CONN_ECN))
		return;
	if (seg->flags & TCP_CWR)
		c->flags &= ~CONN_ECE;
	if (seg->ecn == IP_ECN_CE && segment_length(seg) > 0) {
		c->flags |= CONN_ECE;
		c->counters.ce_in++;
		s->stats.ce_in++;
	}
}

bool ecn_echoed(const struct conn *c, const struct segment *seg)
{
	return (c->flags & CONN_ECT) && (seg->flags & TCP_ECE);
}

/* Section 6.1.2. */
void ecn_acked(struct stack *s, uint32_t slot, const struct segment *seg, uint32_t flight)
{
	struct conn *c = event_conn(s, slot);
	struct congestion *cc = &c->congestion;

	/* what was sent before the last reduction, for a loss too, says nothing about it */
	if ((c->flags & CONN_ECN_REDUCED) && seq_gt(c->snd_una, c->ecn_seq))
		c->flags &= ~CONN_ECN_REDUCED;
	if (!ecn_echoed(c, seg) || (c->flags & CONN_ECN_REDUCED))
		return;
	if (flight > cc->cwnd)
		flight = cc->cwnd;
	congestion_ops(cc)->on_ecn(cc, flight, s->event.now_us);
	ecn_reduced(c);
	c->counters.ecn_reductions++;
	s->stats.ecn_reductions++;
}

void ecn_reduced(struct conn *c)
{
	if (!(c->flags & CONN_ECT))
		return;
	c->flags |= CONN_CWR | CONN_ECN_REDUCED;
	c->ecn_seq = c->snd_nxt;
}

void ecn_undone(struct conn *c)
{
	c->flags &= ~(CONN_CWR | CONN_ECN_REDUCED);
}

void ecn_mark(struct conn *c, struct segment *seg)
{
	if (!(c->flags & CONN_ECT) || seg->data_length == 0)
		return;
	seg->ecn = IP_ECN_ECT0;
	if (c->flags & CONN_CWR)
		seg->flags |= TCP_CWR;
	c->flags &= ~CONN_CWR;
}
