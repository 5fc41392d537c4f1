/*
 * One event: begin, work on entries that are saved for undo, commit, and only
 * then speak: ring pages first, then doorbells and hooks (table.h has the why).
 * Packets wait in the batch until the caller asks for them.
 */
#include "engine.h"

#include <stdlib.h>

void event_begin(struct stack *stack, uint64_t now_us)
{
	stack->event.now_us = now_us;
	stack->event.notes = 0;
	stack->event.conns = 0;
	table_begin(&stack->table);
}

struct conn *event_conn(struct stack *stack, uint32_t slot)
{
	struct event *event = &stack->event;
	struct conn *c = slot_conn(stack, slot);

	for (uint32_t i = 0; i < event->conns; i++)
		if (event->conn[i] == slot)
			return c;
	table_touch(&stack->table, c, sizeof(*c));
	if (event->conns == EVENT_CONNS)
		abort();
	event->conn[event->conns++] = slot;
	return c;
}

struct reassembly *event_reassembly(struct stack *stack, uint32_t slot)
{
	struct reassembly *reassembly = &stack->table.reassembly[slot];

	table_touch(&stack->table, reassembly, sizeof(*reassembly));
	return reassembly;
}

/* An event makes few moves, so notes can't run out but by a defect. */
struct event_note *event_note(struct stack *stack, int kind, const struct conn_identity *identity)
{
	struct event *event = &stack->event;
	struct event_note *note;

	if (event->notes == EVENT_NOTES)
		abort();
	note = &event->note[event->notes++];
	*note = (struct event_note){.id = identity->id, .flow = identity->flow};
	note->kind = kind;
	return note;
}

/* What of a publication the worker may wait for. */
enum event_news {
	NEWS_NONE = 0,
	NEWS = RING_ASLEEP,
	NEWS_ROOM = RING_ASLEEP_ROOM, /* tx_tail or tx_limit has moved */
};

/* How much a worker may have written that is not yet sent (ring.h, tx_limit). */
static uint64_t event_unsent_max(const struct conn *c)
{
	uint32_t share = c->congestion.cwnd / RING_UNSENT_CWND;

	return share > RING_UNSENT_MIN ? share : RING_UNSENT_MIN;
}

/*
 * A worker that waits for room is woken once a quarter of its send buffer is free
 * and half of what it may write ahead is sent.
 */
static bool event_room_worthwhile(const struct conn *c, const struct conn_private *p)
{
	uint64_t head = atomic_load_explicit(&p->ring.worker->tx_head, memory_order_relaxed);

	return head - p->published_tx_tail <= p->ring.tx_size / 4 * 3 &&
	       head + event_unsent_max(c) / 2 <= p->published_tx_limit;
}

/* True when the worker sleeps and waits for what NEWS says. After the publication. */
static bool event_must_ring(const struct conn *c, const struct conn_private *p, unsigned news)
{
	uint32_t asleep = news != NEWS_NONE ? ring_worker_asleep(&p->ring) : 0;

	if ((news & NEWS) != 0 && asleep != 0)
		return true;
	return (news & asleep & RING_ASLEEP_ROOM) != 0 && event_room_worthwhile(c, p);
}

/* The urgent mark stands before the data it belongs to, so that nobody sees that without it. */
static bool event_publish_urgent(const struct conn *c, struct conn_private *p)
{
	/* sequence number of the byte at rx_head: the FIN takes one, but no offset */
	uint32_t head = c->rcv_nxt - state_peer_closed((enum tcp_state)c->state);
	uint64_t urgent = c->rx_head + (uint64_t)(int64_t)seq_diff(c->rcv_up, head);

	/* only ahead of what was published does it mean anything to the session */
	if (!(c->flags & CONN_URGENT_IN) || urgent <= p->published_rx_urgent)
		return false;
	p->published_rx_urgent = urgent;
	atomic_store_explicit(&p->ring.master->rx_urgent, urgent, memory_order_release);
	return true;
}

/*
 * Closed on request, not by the session: it is told to end. False when the
 * session has closed by itself.
 */
static bool event_publish_close(const struct conn *c, struct conn_private *p)
{
	if (!(c->flags & CONN_FIN_QUEUED) || p->published_close)
		return false;
	p->published_close = true;
	if (atomic_load_explicit(&p->ring.worker->tx_fin, memory_order_relaxed) != 0)
		return false;
	atomic_store_explicit(&p->ring.master->reset_reason, RING_RESET_CLOSE,
	                      memory_order_release);
	return true;
}

/* Writes what has changed; returns a set of enum event_news. */
static unsigned event_publish(const struct conn *c, struct conn_private *p)
{
	struct ring_master_page *page = p->ring.master;
	uint64_t sent = c->tx_una + (c->snd_nxt - c->snd_una);
	unsigned news = NEWS_NONE;
	uint64_t limit;

	if ((c->flags & CONN_FIN_SENT) && c->snd_nxt != c->snd_una)
		sent--;
	limit = sent + event_unsent_max(c);
	if (event_publish_urgent(c, p))
		news |= NEWS;
	/* what is thrown away never stood in the ring */
	if (c->rx_head != p->published_rx_head && !user_discards(c)) {
		p->published_rx_head = c->rx_head;
		atomic_store_explicit(&page->rx_head, c->rx_head, memory_order_release);
		news |= NEWS;
	}
	if (c->tx_una != p->published_tx_tail) {
		p->published_tx_tail = c->tx_una;
		atomic_store_explicit(&page->tx_tail, c->tx_una, memory_order_release);
		news |= NEWS_ROOM;
	}
	if (sent != p->published_tx_sent) {
		p->published_tx_sent = sent;
		atomic_store_explicit(&page->tx_sent, sent, memory_order_release);
	}
	if (limit != p->published_tx_limit) {
		p->published_tx_limit = limit;
		atomic_store_explicit(&page->tx_limit, limit, memory_order_release);
		news |= NEWS_ROOM;
	}
	if (state_peer_closed((enum tcp_state)c->state) && !p->published_fin) {
		p->published_fin = true;
		atomic_store_explicit(&page->rx_fin, 1, memory_order_release);
		news |= NEWS;
	}
	if (event_publish_close(c, p))
		news |= NEWS;
	return news;
}

static void event_publish_all(struct stack *stack)
{
	struct event *event = &stack->event;

	for (uint32_t i = 0; i < event->conns; i++) {
		uint32_t slot = event->conn[i];
		const struct conn *c = slot_conn(stack, slot);
		struct conn_private *p = slot_private(stack, slot);
		struct conn_handle handle = {slot, c->identity.id};

		if (p->ring.master == NULL || c->identity.id == 0)
			continue;
		if (event_must_ring(c, p, event_publish(c, p)) && stack->hooks.doorbell)
			stack->hooks.doorbell(stack->hooks.arg, handle, c->worker);
	}
}

/* The connection has left its slot: the last word to the worker, then the ring is let go. */
static void event_detach(struct stack *stack, const struct event_note *note)
{
	struct conn_private *p = slot_private(stack, note->handle.slot);

	if (p->ring.master != NULL) {
		struct ring_master_page *page = p->ring.master;

		/* before what makes its reader stop reading */
		atomic_store_explicit(&page->tx_tail, note->tx_una, memory_order_release);
		if (note->to == TCP_TIME_WAIT)
			atomic_store_explicit(&page->rx_fin, 1, memory_order_release);
		if (p->reset_reason != RING_RESET_NONE)
			atomic_store_explicit(&page->reset_reason, p->reset_reason,
			                      memory_order_release);
		if (ring_worker_asleep(&p->ring) != 0 && stack->hooks.doorbell)
			stack->hooks.doorbell(stack->hooks.arg, note->handle, note->worker);
	}
	conn_private_reset(p);
	if (note->worker != CONN_NO_WORKER && stack->hooks.detached)
		stack->hooks.detached(stack->hooks.arg, note->handle, note->worker);
}

void event_end(struct stack *stack)
{
	struct event *event = &stack->event;
	const struct stack_hooks *hooks = &stack->hooks;

	table_commit(&stack->table);
	event_publish_all(stack);
	for (uint32_t i = 0; i < event->notes; i++) {
		const struct event_note *note = &event->note[i];

		switch (note->kind) {
		case NOTE_MOVED:
			if (hooks->moved)
				hooks->moved(hooks->arg, note->id, &note->flow, note->from,
				             note->to, note->why);
			if (note->finished && hooks->finished)
				hooks->finished(hooks->arg, note->id, &note->flow, &note->totals,
				                note->to, note->why);
			break;
		case NOTE_ENDED:
			if (hooks->ended)
				hooks->ended(hooks->arg, note->id, &note->flow, note->why);
			break;
		case NOTE_DETACHED:
			event_detach(stack, note);
			break;
		case NOTE_REFUSED:
			if (hooks->refused)
				hooks->refused(hooks->arg, &note->flow, note->why);
			break;
		case NOTE_BANNED:
			if (hooks->banned)
				hooks->banned(hooks->arg, &note->flow.peer.address, note->until_us,
				              note->why);
			break;
		}
	}
}
