/*
 * What people ask for by a connection's id: OPEN (active), CLOSE, ABORT (RFC 9293,
 * 3.10.1, 3.10.4, 3.10.5).
 */
#include "engine.h"
#include "limits.h"

#include <string.h>

/* ---- active OPEN ---- */

static void call_fill(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	bool v6 = c->identity.flow.peer.address.version == IP_V6;

	c->flags |= CONN_TIMESTAMPS | CONN_SACK | CONN_SCALING | CONN_SYN_OWED;
	if (s->config.ecn)
		c->flags |= CONN_ECN | CONN_ECT;
	c->iss = iss_generate(s, &c->identity.flow, s->event.now_us);
	c->snd_una = c->snd_nxt = c->snd_up = c->iss;
	c->peer_mss = v6 ? MSS_DEFAULT_V6 : MSS_DEFAULT_V4;
	c->rcv_wscale = window_scale_for(s->config.receive_buffer);
	c->ts_offset = timestamp_offset(s, &c->identity.flow);
	conn_set_mss(c);
	recovery_init(c);
	congestion_init(&c->congestion, s->config.congestion, c->snd_mss, &c->rtt, s->event.now_us);
}

static const char *call_refuse(struct stack *s, const struct flow *flow, bool from_listen,
                               uint64_t now_us)
{
	const struct endpoint *local = &flow->local;

	if (quiet_holds(s, now_us))
		return "calmd keeps quiet for now: calmctl status says for how long, and why";
	if (!address_is_unicast(&local->address) || !address_is_unicast(&flow->peer.address) ||
	    local->address.version != flow->peer.address.version)
		return "not a pair of unicast addresses of one family";
	if (local->port == 0 || flow->peer.port == 0)
		return "a port is zero";
	if (from_listen && listen_match(s, local) < 0)
		return "nothing listens there";
	if (lookup_find(s->lookup, flow) != LOOKUP_NONE)
		return "this pair of sockets is in use";
	return limits_refuse(s, &flow->peer.address, false);
}

uint64_t stack_call(struct stack *s, const struct endpoint *local, const struct endpoint *peer,
                    uint32_t ifindex, uint32_t mtu, bool from_listen, uint64_t now_us,
                    const char **error)
{
	struct flow flow = {*local, *peer};
	struct conn_identity identity = {0};
	uint32_t slot;
	struct conn *c;

	*error = call_refuse(s, &flow, from_listen, now_us);
	if (*error == NULL)
		orphan_make_room(s, now_us);
	if (*error == NULL && slot_pool_free(&s->free_conns) == 0)
		*error = "no connection slot is free";
	if (*error != NULL)
		return 0;
	event_begin(s, now_us);
	identity_init(s, &identity, &flow, ifindex, mtu);
	slot = conn_create(s, &identity);
	call_fill(s, slot);
	if (from_listen)
		conn_move(s, slot, TCP_LISTEN, "a call from a listener's port");
	conn_move(s, slot, TCP_SYN_SENT, "call");
	conn_timer(s, slot, CONN_TIMER_END, now_us + s->config.call_timeout_us);
	c = slot_conn(s, slot);
	c->unacked_since_us = now_us;
	conn_dirty(s, slot);
	event_end(s);
	return identity.id;
}

/* ---- CLOSE and ABORT ---- */

bool stack_close(struct stack *s, uint64_t id, uint64_t now_us)
{
	uint32_t slot = slot_by_id(s, id), conn = slot;

	if (slot == LOOKUP_NONE)
		return false;
	if (slot_is_half_open(s, slot))
		orphan_make_room(s, now_us);
	event_begin(s, now_us);
	if (slot_is_half_open(s, slot)) {
		conn = half_open_promote(s, slot);
		/* it takes a slot to wait for the ACK of a FIN, and none could be had */
		if (conn == LOOKUP_NONE)
			half_open_abort(s, slot, "close, and no connection slot is free");
	}
	if (slot_is_conn(s, conn))
		conn_close(s, conn, "close");
	event_end(s);
	return true;
}

bool stack_abort(struct stack *s, uint64_t id, uint64_t now_us)
{
	uint32_t slot = slot_by_id(s, id);

	if (slot == LOOKUP_NONE)
		return false;
	event_begin(s, now_us);
	if (slot_is_half_open(s, slot))
		half_open_abort(s, slot, "abort");
	else if (slot_is_conn(s, slot))
		conn_abort(s, slot, RING_RESET_ABORT, "abort");
	else
		time_wait_destroy(s, slot, "abort");
	event_end(s);
	return true;
}
