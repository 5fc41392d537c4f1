/*
 * Connections that come by way of a proxy, which says first whom it brings (the PROXY
 * protocol). The engine keeps such a connection until somebody has read that header, and
 * then knows two peers of it: the proxy, with whom TCP speaks, and the client, whom logs,
 * sessions and limits mean.
 *
 * Theory of operation. A listener may be proxied. A SYN to it is taken from the proxies that
 * the configuration names alone, and is not held against any source, since the clients are not
 * known yet. Once established the connection waits (CONN_HEADER), with a deadline, outside of
 * the accept queue; what has come stands in the early buffer, where stack_header_next() shows it
 * to whoever can read it. stack_header_done() takes the header off the stream: the early
 * buffer is not moved (its bytes have no undo), the stream's offset 0 becomes the byte behind
 * the header (conn.header_bytes). From then on limits are the client's. What they refuse is
 * already established, so that with `busy = drop`, too, the answer is RST.
 *
 * Those that wait count for max-connections; not for the backlog, since a proxy is not to be
 * kept waiting for another one's client.
 */
#include "proxied.h"

#include <string.h>

#include "limits.h"

/* ---- listeners ---- */

void stack_listen_proxied(struct stack *s, const struct endpoint *local, bool proxied)
{
	for (uint32_t i = 0; i < s->listens; i++)
		if (memcmp(&s->listen[i], local, sizeof(*local)) == 0)
			s->listen_proxied[i] = proxied;
}

bool proxied_listener(const struct stack *s, const struct endpoint *local)
{
	int at = listen_match(s, local);

	return at >= 0 && s->listen_proxied[at];
}

bool proxied_from(const struct stack *s, const struct ip_address *peer)
{
	for (uint32_t i = 0; i < s->config.proxy_froms; i++)
		if (prefix_covers(&s->config.proxy_from[i], peer))
			return true;
	return false;
}

/* ---- waiting ---- */

void proxied_wait(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	c->flags |= CONN_HEADER;
	s->headers_awaited++;
	conn_timer(s, slot, CONN_TIMER_END, s->event.now_us + HEADER_US);
}

void proxied_forget(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (!(c->flags & CONN_HEADER))
		return;
	c->flags &= ~CONN_HEADER;
	s->headers_awaited--;
	conn_timer_stop(s, slot, CONN_TIMER_END);
}

void proxied_news(struct stack *s, uint32_t slot)
{
	struct conn_private *p = slot_private(s, slot);

	if ((slot_conn(s, slot)->flags & CONN_HEADER) && !p->header_news &&
	    slot_queue_put(&s->header_news, slot))
		p->header_news = true;
}

/* The connection is not served: its peer is told by RST. In an event. */
static void proxied_refuse(struct stack *s, uint32_t slot, const char *why)
{
	struct conn_identity identity = slot_conn(s, slot)->identity;

	identity.flow = conn_flow(slot_conn(s, slot));
	proxied_forget(s, slot);
	limits_note_refused(s, &identity, why);
	conn_abort(s, slot, RING_RESET_ABORT, why);
}

void proxied_timeout(struct stack *s, uint32_t slot)
{
	s->stats.headers_refused++;
	proxied_refuse(s, slot, "no PROXY header came in time");
}

/* ---- whoever reads headers ---- */

bool stack_header_next(struct stack *s, struct conn_handle *handle, const uint8_t **bytes,
                       size_t *length, bool *ended)
{
	uint32_t slot;

	while (slot_queue_take(&s->header_news, &slot)) {
		const struct conn *c = slot_conn(s, slot);

		slot_private(s, slot)->header_news = false;
		if (c->identity.id == 0 || !(c->flags & CONN_HEADER))
			continue;
		*handle = (struct conn_handle){slot, c->identity.id};
		*bytes = table_early(&s->table, slot);
		*length = c->early_bytes;
		*ended = state_peer_closed((enum tcp_state)c->state);
		return true;
	}
	return false;
}

/* The connection that the handle names, when it waits for its header; or NULL. */
static struct conn *header_conn(const struct stack *s, struct conn_handle handle)
{
	struct conn *c;

	if (!slot_is_conn(s, handle.slot) || handle.id == 0)
		return NULL;
	c = slot_conn(s, handle.slot);
	return c->identity.id == handle.id && (c->flags & CONN_HEADER) ? c : NULL;
}

void stack_header_bad(struct stack *s, struct conn_handle handle, const char *why, uint64_t now_us)
{
	if (header_conn(s, handle) == NULL)
		return;
	event_begin(s, now_us);
	(void)event_conn(s, handle.slot);
	s->stats.headers_refused++;
	proxied_refuse(s, handle.slot, why);
	event_end(s);
}

/* BYTES of the stream were the header: it begins behind them. */
static void header_strip(struct conn *c, uint32_t bytes)
{
	c->header_bytes = bytes;
	c->early_bytes -= bytes;
	c->rx_head -= bytes;
	/* an urgent mark amid the header marks nothing of the stream */
	if ((c->flags & CONN_URGENT_IN) && seq_leq(c->rcv_up, c->irs + 1 + bytes))
		c->flags &= ~CONN_URGENT_IN;
}

/* The client is over a limit, which its proxy has made an established connection. */
static void client_refuse(struct stack *s, uint32_t slot, const char *why)
{
	struct conn *c = event_conn(s, slot);
	struct conn_identity identity = c->identity;

	if (limits_own(s, conn_source(c)))
		limits_offence(s, conn_source(c), STACK_OFFENCE_REFUSED);
	if (s->config.busy != STACK_BUSY_MESSAGE || s->busy_messages >= BUSY_MESSAGES_MAX) {
		s->stats.busy_reset++;
		proxied_refuse(s, slot, why);
		return;
	}
	identity.flow = conn_flow(c);
	limits_note_refused(s, &identity, why);
	c->flags |= CONN_BUSY;
	c->early_bytes = 0;
	s->busy_messages++;
	s->stats.busy_message++;
	conn_busy_message(s, slot);
	orphan_notice(s, slot);
}

/* What the proxy itself has opened and said all of: it only looked whether somebody is there. */
static bool only_looked(const struct conn *c, const struct endpoint *client)
{
	return client == NULL && c->early_bytes == 0 && state_peer_closed((enum tcp_state)c->state);
}

static void header_done(struct stack *s, uint32_t slot, const struct endpoint *client)
{
	struct conn *c = event_conn(s, slot);
	const char *why;

	proxied_forget(s, slot);
	if (only_looked(c, client)) {
		conn_close(s, slot, "its proxy has only looked");
		return;
	}
	if (client == NULL) {
		conn_enqueue(s, slot);
		return;
	}
	c->client = *client;
	if (limits_banned(s, &client->address, s->event.now_us)) {
		proxied_refuse(s, slot, "its source is banned");
		return;
	}
	why = limits_refuse_proven(s, &client->address);
	if (why != NULL) {
		client_refuse(s, slot, why);
		return;
	}
	limits_admit(s, &client->address);
	conn_enqueue(s, slot);
}

bool stack_header_done(struct stack *s, struct conn_handle handle, size_t bytes,
                       const struct endpoint *client, uint64_t now_us)
{
	const struct conn *c = header_conn(s, handle);

	if (c == NULL || bytes > c->early_bytes || (client != NULL && !endpoint_valid(client)))
		return false;
	event_begin(s, now_us);
	header_strip(event_conn(s, handle.slot), (uint32_t)bytes);
	header_done(s, handle.slot, client);
	event_end(s);
	return true;
}
