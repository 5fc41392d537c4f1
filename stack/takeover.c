/*
 * What is derived from a table that a former master left is built again from it:
 * every entry is put back into lookup, timers, queues and counts.
 *
 * Theory of operation: the entries are all there is to know. The daemon then
 * calls stack_attach() again for each connection that has a worker, with the
 * same ring mapped anew.
 *
 * Entries that do not hold (takeover_check.c) are dropped here. Their peers are told with
 * the first output, if it is certain who they are: by a RST, which will do unless the
 * number that it needs is what was damaged; and by an ACK from outside of any window,
 * to which the peer's answer brings the right number.
 */
#include "engine.h"
#include "proxied.h"

#include <stdlib.h>

/* What a peer must be told when its entry is dropped. */
static struct condemned *condemn(struct stack *s, const struct conn_identity *identity)
{
	struct condemned *condemned;

	if (!takeover_identity_holds(identity) || s->condemned_count == CONDEMNED_MAX)
		return NULL;
	condemned = &s->condemned[s->condemned_count++];
	condemned->flow = identity->flow;
	condemned->ifindex = identity->ifindex;
	return condemned;
}

static void drop(struct stack *s, uint32_t slot, const char *why)
{
	struct conn_identity *identity = slot_identity(s, slot);
	bool known = takeover_identity_holds(identity);

	s->stats.entries_dropped++;
	if (s->hooks.dropped)
		s->hooks.dropped(s->hooks.arg, identity->id, known ? &identity->flow : NULL, why);
	identity->id = 0;
}

/* Why an entry that holds is dropped all the same; NULL: it is not. */
static const char *unwanted(const struct stack *s, const struct conn_identity *identity)
{
	/* who comes second is wrong */
	if (lookup_find(s->lookup, &identity->flow) != LOOKUP_NONE)
		return "another entry has its pair of sockets";
	if (poison_is(s, identity->id))
		return "three masters have died at work on it";
	return NULL;
}

void takeover_reset(struct stack *s, uint64_t now_us)
{
	while (s->condemned_count > 0) {
		const struct condemned *condemned = &s->condemned[s->condemned_count - 1];

		if (!emit_condemned(s, condemned, now_us))
			return;
		aborted_remember(s,
		                 &(struct aborted){.flow = condemned->flow,
		                                   .ifindex = condemned->ifindex,
		                                   .snd_una = condemned->snd_una,
		                                   .snd_nxt = condemned->snd_nxt},
		                 now_us);
		s->condemned_count--;
	}
}

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

static void drop_conn(struct stack *s, uint32_t slot, const char *why)
{
	const struct conn *c = slot_conn(s, slot);
	struct condemned *condemned = condemn(s, &c->identity);

	if (condemned != NULL) {
		condemned->snd_una = c->snd_una;
		condemned->snd_nxt = c->snd_nxt;
		condemned->rcv_nxt = c->rcv_nxt;
		condemned->ts_recent = c->ts_recent;
		condemned->timestamps = (c->flags & CONN_TIMESTAMPS) != 0;
	}
	drop(s, slot, why);
}

/* What is different under a new master; an event, because a master may die here, too. */
static void renew_conn(struct stack *s, uint32_t slot)
{
	struct conn *c;

	event_begin(s, 0);
	c = event_conn(s, slot);
	restore_timers(s, c);
	recovery_take_over(s, slot);
	pmtu_take_over(c);
	event_end(s);
}

static void rebuild_conn(struct stack *s, uint32_t slot)
{
	struct conn *c = slot_conn(s, slot);
	uint64_t deadline = TIMER_NEVER;
	const char *why;

	if (c->identity.id == 0)
		return;
	why = takeover_conn_wrong(s, slot);
	if (why == NULL)
		why = unwanted(s, &c->identity);
	if (why != NULL) {
		drop_conn(s, slot, why);
		return;
	}
	note_id(s, c->identity.id);
	renew_conn(s, slot);
	slot_pool_claim(&s->free_conns, slot);
	lookup_add(s->lookup, slot);
	s->open_conns++;
	if (c->flags & CONN_WAITING)
		slot_queue_put(&s->accept_queue, slot);
	if (c->flags & CONN_BUSY)
		s->busy_messages++;
	s->headers_awaited += (c->flags & CONN_HEADER) != 0;
	proxied_news(s, slot);
	if (c->flags & CONN_COUNTED) {
		event_begin(s, 0);
		source_add(s->sources, conn_source(c), 0);
		event_end(s);
	}
	if (c->worker != CONN_NO_WORKER && !(c->flags & CONN_WORKER_GONE))
		s->workers_busy++;
	for (int i = 0; i < CONN_TIMERS; i++)
		if (c->timer_us[i] < deadline)
			deadline = c->timer_us[i];
	orphan_notice(s, slot);
	timer_set(s->timers, slot, deadline);
	conn_dirty(s, slot);
}

/* Its client may take itself for connected, and wait for us to speak. */
static void drop_half_open(struct stack *s, uint32_t slot, const char *why)
{
	const struct half_open *half = slot_half_open(s, slot);
	struct condemned *condemned = condemn(s, &half->identity);

	if (condemned != NULL) {
		condemned->snd_una = half->iss + 1;
		condemned->snd_nxt = half->iss + 1;
		condemned->rcv_nxt = half->irs + 1;
		condemned->ts_recent = half->ts_recent;
		condemned->timestamps = (half->flags & CONN_TIMESTAMPS) != 0;
	}
	drop(s, slot, why);
}

static void rebuild_half_open(struct stack *s, uint32_t slot)
{
	struct half_open *half = slot_half_open(s, slot);
	const char *why;

	if (half->identity.id == 0)
		return;
	why = takeover_half_open_wrong(s, slot);
	if (why == NULL)
		why = unwanted(s, &half->identity);
	if (why != NULL) {
		drop_half_open(s, slot, why);
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
	const char *why;

	if (wait->identity.id == 0)
		return;
	why = takeover_time_wait_wrong(s, slot);
	if (why == NULL)
		why = unwanted(s, &wait->identity);
	if (why != NULL) {
		drop(s, slot, why); /* its peer has closed: nobody is left to tell */
		return;
	}
	note_id(s, wait->identity.id);
	slot_pool_claim(&s->free_time_waits, slot);
	lookup_add(s->lookup, slot);
	slot_list_put(&s->used_time_waits, slot);
	timer_set(s->timers, slot, wait->deadline_us);
	s->open_time_waits++;
}

/* ---- who has been in a list for longest ---- */

/* Since when the entry is what it is, as far as its own list is concerned. */
static uint64_t since(const struct stack *s, uint32_t slot)
{
	if (slot_is_conn(s, slot))
		return slot_conn(s, slot)->established_us;
	if (slot_is_half_open(s, slot))
		return slot_identity(s, slot)->created_us;
	return slot_time_wait(s, slot)->deadline_us;
}

static int compare_since(const void *one, const void *other, void *stack)
{
	uint64_t a = since(stack, *(const uint32_t *)one);
	uint64_t b = since(stack, *(const uint32_t *)other);

	return (a > b) - (a < b);
}

/* Without memory for it the order stays that of the slots. */
static void list_by_age(struct stack *s, struct slot_list *list)
{
	uint32_t *slots = calloc(list->count + 1, sizeof(*slots)), count = 0;

	if (slots == NULL)
		return;
	for (uint32_t slot = slot_list_oldest(list); slot != LOOKUP_NONE;
	     slot = slot_list_next(list, slot))
		slots[count++] = slot;
	qsort_r(slots, count, sizeof(*slots), compare_since, s);
	for (uint32_t i = 0; i < count; i++) {
		slot_list_drop(list, slots[i]);
		slot_list_put(list, slots[i]);
	}
	free(slots);
}

void takeover_rebuild(struct stack *s)
{
	uint32_t slot = 0;

	source_rebuild(s->sources, &s->shape);
	for (; slot_is_conn(s, slot); slot++)
		rebuild_conn(s, slot);
	for (; slot_is_half_open(s, slot); slot++)
		rebuild_half_open(s, slot);
	for (uint32_t i = 0; i < s->shape.time_waits; i++, slot++)
		rebuild_time_wait(s, slot);
	/* it has just been filled from its beginning */
	qsort_r(s->accept_queue.slot, s->accept_queue.count, sizeof(*s->accept_queue.slot),
	        compare_since, s);
	list_by_age(s, &s->used_half_opens);
	list_by_age(s, &s->used_time_waits);
}
