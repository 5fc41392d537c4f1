/*
 * Listeners: RFC 9293, 3.10.7.1 (CLOSED) and 3.10.7.2 (LISTEN), and what a client over a
 * limit gets. Limits are applied to the SYN, and again to the ACK (half_open.c), since what
 * was free then may be taken now. Which SYN gets a cookie instead of an entry, cookie.c says.
 */
#include "engine.h"

#include <string.h>

/* ---- listeners ---- */

bool stack_listen(struct stack *s, const struct endpoint *local)
{
	for (uint32_t i = 0; i < s->listens; i++)
		if (memcmp(&s->listen[i], local, sizeof(*local)) == 0)
			return false;
	if (s->listens == STACK_LISTEN_MAX)
		return false;
	s->listen[s->listens] = *local;
	s->listen_id[s->listens] = s->table.header->next_id++;
	s->listens++;
	return true;
}

void stack_accepting(struct stack *s, bool accepting)
{
	s->accepting = accepting;
}

int listen_match(const struct stack *s, const struct endpoint *local)
{
	for (uint32_t i = 0; i < s->listens; i++) {
		const struct endpoint *l = &s->listen[i];

		if (l->port != local->port || l->address.version != local->address.version)
			continue;
		if (address_is_any(&l->address) || address_equal(&l->address, &local->address))
			return (int)i;
	}
	return -1;
}

/* ---- segments to them ---- */

/* What a client over a limit gets: true when it may go on, to get the message. */
static bool listen_busy(struct stack *s, const struct packet_in *packet, const struct segment *seg,
                        const struct flow *flow, uint64_t now_us)
{
	switch (s->config.busy) {
	case STACK_BUSY_MESSAGE:
		if (s->busy_messages < BUSY_MESSAGES_MAX)
			return true;
		/* fallthrough */
	case STACK_BUSY_RESET:
		s->stats.busy_reset++;
		emit_reset_for(s, flow, packet->ifindex, seg, now_us);
		return false;
	default:
		s->stats.busy_dropped++;
		return false;
	}
}

/* Nobody's segment (RFC 9293, 3.10.7.2): the third of a handshake by cookie, or answered with RST. */
static void listen_ack(struct stack *s, const struct packet_in *packet, const struct segment *seg,
                       const struct flow *flow, uint64_t now_us)
{
	struct half_open half;
	uint32_t slot;

	switch (cookie_check(s, packet, seg, flow, &half, now_us)) {
	case COOKIE_GOOD:
		slot = half_open_restore(s, &half, now_us);
		if (slot != LOOKUP_NONE)
			half_open_input(s, slot, packet, seg, now_us);
		break;
	case COOKIE_LIMITED:
		break;
	case COOKIE_NONE:
		emit_reset_for(s, flow, packet->ifindex, seg, now_us);
		break;
	}
}

void listen_input(struct stack *s, const struct packet_in *packet, const struct segment *seg,
                  const struct flow *flow, const uint32_t *after, uint64_t now_us)
{
	struct syn syn = {packet, seg, flow, after, false};

	if (listen_match(s, &flow->local) < 0) {
		if (!aborted_input(s, flow, seg, now_us))
			s->stats.not_ours++;
		return;
	}
	/* RFC 9293, 3.10.7.2: RST is ignored, ACK is answered with RST, then SYN */
	if (seg->flags & TCP_RST)
		return;
	if ((seg->flags & TCP_ACK) || !(seg->flags & TCP_SYN)) {
		if (seg->flags & TCP_ACK)
			listen_ack(s, packet, seg, flow, now_us);
		return;
	}
	if (!s->accepting)
		return;
	if (limits_refuse(s, &flow->peer.address, true) != NULL) {
		if (!listen_busy(s, packet, seg, flow, now_us))
			return;
		syn.busy = true;
	}
	if (cookie_wanted(s, &syn))
		cookie_answer(s, &syn, now_us);
	else
		half_open_create(s, &syn, now_us);
}
