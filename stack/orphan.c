/*
 * Orphans: connections that no session will ever speak for again. Their worker has ended,
 * or they never get one: the busy message, what was closed before a worker took it up. They
 * keep their slots until the peer has acknowledged the last byte, which it may never do, and
 * which a peer can make happen as often as it likes. So when no slot is left, one of them
 * is reset for the next connection.
 *
 * There is always one then: those with a session are at most max-connections, those that
 * wait for one at most backlog, and there are more slots than that (stack_shape()).
 */
#include "engine.h"

/* How many of the oldest are looked at, so that a flood of new connections stays cheap. */
#define ORPHANS_CONSIDERED 64u

static bool orphan_is(const struct conn *c)
{
	return (c->flags & (CONN_WORKER_GONE | CONN_BUSY)) != 0 ||
	       ((c->flags & CONN_FIN_QUEUED) && c->worker == CONN_NO_WORKER);
}

void orphan_notice(struct stack *s, uint32_t slot)
{
	if (orphan_is(slot_conn(s, slot)) && !slot_list_has(&s->orphans, slot))
		slot_list_put(&s->orphans, slot);
}

/* Of the oldest, the one whose peer has acknowledged nothing for longest. */
static uint32_t orphan_choose(const struct stack *s)
{
	uint32_t chosen = slot_list_oldest(&s->orphans), slot = chosen;

	for (uint32_t i = 0; i < ORPHANS_CONSIDERED && slot != LOOKUP_NONE; i++) {
		if (slot_conn(s, slot)->unacked_since_us < slot_conn(s, chosen)->unacked_since_us)
			chosen = slot;
		slot = slot_list_next(&s->orphans, slot);
	}
	return chosen;
}

void orphan_make_room(struct stack *s, uint64_t now_us)
{
	uint32_t slot;

	if (slot_pool_free(&s->free_conns) > 0)
		return;
	slot = orphan_choose(s);
	if (slot == LOOKUP_NONE)
		return;
	event_begin(s, now_us);
	s->stats.orphans_ended++;
	conn_abort(s, slot, RING_RESET_TIMEOUT, "made room for a newer connection");
	event_end(s);
}
