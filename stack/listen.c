/*
 * Listeners: RFC 9293, 3.10.7.1 (CLOSED) and 3.10.7.2 (LISTEN), and what a client over a
 * limit gets. Limits are applied to the SYN, and again to the ACK (half_open.c), since what
 * was free then may be taken now. Which SYN gets a cookie instead of an entry, cookie.c says.
 */
#include "engine.h"
#include "limits.h"
#include "proxied.h"

#include <string.h>

/* ---- listeners ---- */

/* The listener on exactly LOCAL, open or closed; -1 when there is none. */
static int listen_find(const struct stack *s, const struct endpoint *local)
{
	for (uint32_t i = 0; i < s->listens; i++)
		if (memcmp(&s->listen[i], local, sizeof(*local)) == 0)
			return (int)i;
	return -1;
}

bool stack_listen(struct stack *s, const struct endpoint *local)
{
	int at = listen_find(s, local);

	if (at >= 0 && s->listen_closed[at]) {
		s->listen_closed[at] = false;
		return true;
	}
	if (at >= 0 || s->listens == STACK_LISTEN_MAX)
		return false;
	s->listen[s->listens] = *local;
	s->listen_id[s->listens] = s->table.header->next_id++;
	s->listen_closed[s->listens] = false;
	s->listen_proxied[s->listens] = false;
	s->listens++;
	return true;
}

bool stack_unlisten(struct stack *s, const struct endpoint *local)
{
	int at = listen_find(s, local);

	if (at >= 0)
		s->listen_closed[at] = true;
	return at >= 0;
}

void stack_listen_forget(struct stack *s, const struct endpoint *local)
{
	int at = listen_find(s, local);

	if (at < 0 || !s->listen_closed[at])
		return;
	s->listens--;
	for (uint32_t i = (uint32_t)at; i < s->listens; i++) {
		s->listen[i] = s->listen[i + 1];
		s->listen_id[i] = s->listen_id[i + 1];
		s->listen_closed[i] = s->listen_closed[i + 1];
		s->listen_proxied[i] = s->listen_proxied[i + 1];
	}
}

void stack_accepting(struct stack *s, bool accepting)
{
	s->accepting = accepting;
}

static bool listen_covers(const struct endpoint *listen, const struct endpoint *local)
{
	return listen->port == local->port && listen->address.version == local->address.version &&
	       (address_is_any(&listen->address) ||
	        address_equal(&listen->address, &local->address));
}

static int listen_match_kind(const struct stack *s, const struct endpoint *local, bool closed)
{
	for (uint32_t i = 0; i < s->listens; i++)
		if (s->listen_closed[i] == closed && listen_covers(&s->listen[i], local))
			return (int)i;
	return -1;
}

int listen_match(const struct stack *s, const struct endpoint *local)
{
	return listen_match_kind(s, local, false);
}

bool stack_listen_used(const struct stack *s, const struct endpoint *local)
{
	uint32_t cursor = 0;
	uint32_t slot;

	while (slot_next(s, &cursor, &slot)) {
		const struct conn_identity *identity = slot_identity(s, slot);

		if (identity->id != 0 && listen_covers(local, &identity->flow.local) &&
		    listen_match(s, &identity->flow.local) < 0)
			return true;
	}
	return false;
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

	if (!proxied_listener(s, &flow->local) && limits_banned(s, &flow->peer.address, now_us))
		return;
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

/* Of a listener that takes clients from proxies: any other peer. */
static void listen_stranger(struct stack *s, const struct syn *syn, uint64_t now_us)
{
	s->stats.proxy_strangers++;
	emit_reset_for(s, syn->flow, syn->packet->ifindex, syn->seg, now_us);
	if (s->hooks.refused)
		s->hooks.refused(s->hooks.arg, syn->flow, "not in proxy-from");
}

/* False when the SYN's peer must not come in, and has been told what there was to say. */
static bool listen_admits(struct stack *s, struct syn *syn, uint64_t now_us)
{
	const struct flow *flow = syn->flow;
	bool proxied = proxied_listener(s, &flow->local);

	if (proxied && !proxied_from(s, &flow->peer.address)) {
		listen_stranger(s, syn, now_us);
		return false;
	}
	if (!proxied && limits_banned(s, &flow->peer.address, now_us))
		return false;
	if (limits_refuse(s, proxied ? NULL : &flow->peer.address, true) == NULL)
		return true;
	syn->busy = true;
	return listen_busy(s, syn->packet, syn->seg, flow, now_us);
}

void listen_input(struct stack *s, const struct packet_in *packet, const struct segment *seg,
                  const struct flow *flow, const uint32_t *after, uint64_t now_us)
{
	struct syn syn = {packet, seg, flow, after, false};

	if (listen_match(s, &flow->local) < 0) {
		if (listen_match_kind(s, &flow->local, true) >= 0)
			emit_reset_for(s, flow, packet->ifindex, seg, now_us);
		else if (!aborted_input(s, flow, seg, now_us))
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
	if (!s->accepting) {
		s->stats.not_accepting++;
		return;
	}
	if (!listen_admits(s, &syn, now_us))
		return;
	if (cookie_wanted(s, &syn))
		cookie_answer(s, &syn, now_us);
	else
		half_open_create(s, &syn, now_us);
}
