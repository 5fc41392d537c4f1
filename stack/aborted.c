/*
 * What is left of connections that were aborted a while ago: a pair of sockets that
 * nobody listens on is not ours any more, but a peer whose RST was lost still sends to
 * it, and must hear again that it is over (RFC 9293, 3.10.7.1). Others may use the same
 * pair by then, so only a segment that acknowledges the old connection's numbers is
 * answered. A few are kept, for 2 MSL; a new master knows none.
 */
#include "engine.h"

void aborted_remember(struct stack *s, const struct aborted *aborted, uint64_t now_us)
{
	struct aborted *a = &s->aborted[s->aborted_next];

	if (listen_match(s, &aborted->flow.local) >= 0)
		return; /* answered anyway */
	*a = *aborted;
	a->until_us = now_us + 2 * s->config.msl_us;
	s->aborted_next = (s->aborted_next + 1) % ABORTED_MAX;
}

bool aborted_input(struct stack *s, const struct flow *flow, const struct segment *seg,
                   uint64_t now_us)
{
	for (uint32_t i = 0; i < ABORTED_MAX; i++) {
		const struct aborted *a = &s->aborted[i];

		if (now_us >= a->until_us || !flow_equal(&a->flow, flow))
			continue;
		if (!(seg->flags & TCP_ACK) || !seq_geq(seg->ack, a->snd_una) ||
		    !seq_leq(seg->ack, a->snd_nxt))
			return false;
		emit_reset_for(s, flow, a->ifindex, seg, now_us);
		return true;
	}
	return false;
}
