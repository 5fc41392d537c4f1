/*
 * ICMP errors (RFC 1122, 4.2.3.9; RFC 5461, 5927): looked at only when they quote a
 * sequence number that is in flight. A hard error ends only a connection that is not
 * synchronized yet; what "too big" means is decided in pmtu.c.
 */
#include "engine.h"

void stack_icmp(struct stack *s, const struct icmp_error *error, uint64_t now_us)
{
	uint32_t slot = lookup_find(s->lookup, &error->flow);
	struct conn *c;

	if (slot == LOOKUP_NONE || !slot_is_conn(s, slot)) {
		s->stats.icmp_ignored++;
		return;
	}
	c = slot_conn(s, slot);
	if (!seq_geq(error->seq, c->snd_una) || !seq_lt(error->seq, c->snd_nxt)) {
		s->stats.icmp_ignored++;
		return;
	}
	s->stats.icmp_in++;
	event_begin(s, now_us);
	c = event_conn(s, slot);
	if (error->kind == ICMP_TOO_BIG)
		pmtu_too_big(s, slot, error->seq, error->mtu);
	else if (error->kind == ICMP_HARD && c->state == TCP_SYN_SENT)
		conn_destroy(s, slot, RING_RESET_TIMEOUT, "the host says it is unreachable (ICMP)");
	else
		c->counters.soft_errors++; /* for whoever asks (RFC 9293, SHLD-25) */
	event_end(s);
}
