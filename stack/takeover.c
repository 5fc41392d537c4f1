/*
 * What is derived from a table that a former master left is built again from it:
 * every entry is put back into lookup, timers, queues and counts.
 *
 * Theory of operation: the entries are all there is to know. The daemon then
 * calls stack_attach() again for each connection that has a worker, with the
 * same ring mapped anew. Entries that do not hold (takeover_check.c) are dropped here.
 */
#include "engine.h"

/* Ids are given once: whatever became of the count of them. */
static void note_id(struct stack *s, uint64_t id)
{
	struct table_header *header = s->table.header;

	if (header->next_id <= id)
		header->next_id = id + 1;
}

/*
 * What is in flight is waited for with a timer: the former master may have died when it
 * had stopped one, and before the output that starts the other. Probing takes data. And
 * the configuration may be another one.
 */
static void restore_timers(const struct stack *s, struct conn *c)
{
	bool open = state_synchronized((enum tcp_state)c->state);
	bool probing = c->timer_us[CONN_TIMER_PERSIST] != TIMER_NEVER && c->tx_una != c->tx_head;
	uint64_t *keepalive = &c->timer_us[CONN_TIMER_KEEPALIVE];

	if (c->snd_una != c->snd_nxt && c->timer_us[CONN_TIMER_RETRANSMIT] == TIMER_NEVER &&
	    !probing)
		c->timer_us[CONN_TIMER_RETRANSMIT] = c->last_data_us + rtt_timeout(&c->rtt);
	if (!open || s->config.keepalive_us == 0)
		*keepalive = TIMER_NEVER;
	else if (*keepalive == TIMER_NEVER)
		*keepalive = c->last_in_us + s->config.keepalive_us;
}

static void rebuild_conn(struct stack *s, uint32_t slot)
{
	struct conn *c = slot_conn(s, slot);
	uint64_t deadline = TIMER_NEVER;

	if (c->identity.id == 0)
		return;
	if (!takeover_conn_holds(s, slot) ||
	    lookup_find(s->lookup, &c->identity.flow) != LOOKUP_NONE) {
		c->identity.id = 0;
		return;
	}
	note_id(s, c->identity.id);
	restore_timers(s, c);
	slot_pool_claim(&s->free_conns, slot);
	lookup_add(s->lookup, slot);
	s->open_conns++;
	if (c->flags & CONN_WAITING)
		slot_queue_put(&s->accept_queue, slot);
	if (c->flags & CONN_BUSY)
		s->busy_messages++;
	if (c->flags & CONN_COUNTED)
		source_add(s->sources, &c->identity.flow.peer.address);
	if (c->worker != CONN_NO_WORKER && !(c->flags & CONN_WORKER_GONE))
		s->workers_busy++;
	for (int i = 0; i < CONN_TIMERS; i++)
		if (c->timer_us[i] < deadline)
			deadline = c->timer_us[i];
	orphan_notice(s, slot);
	timer_set(s->timers, slot, deadline);
	recovery_take_over(s, slot);
	pmtu_take_over(c);
	conn_dirty(s, slot);
}

static void rebuild_half_open(struct stack *s, uint32_t slot)
{
	struct half_open *half = slot_half_open(s, slot);

	if (half->identity.id == 0)
		return;
	if (!takeover_half_open_holds(s, slot) ||
	    lookup_find(s->lookup, &half->identity.flow) != LOOKUP_NONE) {
		half->identity.id = 0;
		return;
	}
	note_id(s, half->identity.id);
	slot_pool_claim(&s->free_half_opens, slot);
	lookup_add(s->lookup, slot);
	slot_list_put(&s->used_half_opens, slot);
	timer_set(s->timers, slot, half->deadline_us);
	s->open_half_opens++;
}

static void rebuild_time_wait(struct stack *s, uint32_t slot)
{
	struct time_wait *wait = slot_time_wait(s, slot);

	if (wait->identity.id == 0)
		return;
	if (!takeover_time_wait_holds(s, slot) ||
	    lookup_find(s->lookup, &wait->identity.flow) != LOOKUP_NONE) {
		wait->identity.id = 0;
		return;
	}
	note_id(s, wait->identity.id);
	slot_pool_claim(&s->free_time_waits, slot);
	lookup_add(s->lookup, slot);
	slot_list_put(&s->used_time_waits, slot);
	timer_set(s->timers, slot, wait->deadline_us);
	s->open_time_waits++;
}

void takeover_rebuild(struct stack *s)
{
	uint32_t slot = 0;

	for (; slot_is_conn(s, slot); slot++)
		rebuild_conn(s, slot);
	for (; slot_is_half_open(s, slot); slot++)
		rebuild_half_open(s, slot);
	for (uint32_t i = 0; i < s->shape.time_waits; i++, slot++)
		rebuild_time_wait(s, slot);
}
