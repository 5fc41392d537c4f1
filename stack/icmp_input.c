/*
 * ICMP errors (RFC 1122, 4.2.3.9; RFC 1191, 8201; RFC 5461, 5927): believed only
 * when they quote a sequence number that is in flight; a hard error ends only a
 * connection that is not synchronized yet.
 */
#include "engine.h"

/* Smaller "path MTUs" are an attack (RFC 8201 for IPv6; Linux's min_pmtu for IPv4). */
#define PATH_MTU_LEAST_V4 552u
#define PATH_MTU_LEAST_V6 1280u

static void icmp_too_big(struct stack *s, uint32_t slot, uint32_t mtu)
{
	struct conn *c = event_conn(s, slot);
	const struct ip_address *peer = &c->identity.flow.peer.address;
	uint32_t least = peer->version == IP_V6 ? PATH_MTU_LEAST_V6 : PATH_MTU_LEAST_V4;

	if (mtu < least)
		mtu = least;
	/* compared as segments, since the interface's MTU may be unknown: it never grows */
	if (mss_for_mtu(peer, mtu) >= mss_for_mtu(peer, c->identity.mtu))
		return;
	c->identity.mtu = mtu;
	conn_set_mss(c);
	c->congestion.mss = c->snd_mss;
	recovery_resend_all(s, slot);
}

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
		icmp_too_big(s, slot, error->mtu);
	else if (error->kind == ICMP_HARD && c->state == TCP_SYN_SENT)
		conn_destroy(s, slot, RING_RESET_TIMEOUT, "the host says it is unreachable (ICMP)");
	else
		c->counters.soft_errors++; /* for whoever asks (RFC 9293, SHLD-25) */
	event_end(s);
}
