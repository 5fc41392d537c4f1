/*
 * The user's side (RFC 9293, 3.10: SEND, RECEIVE, CLOSE, ABORT): what a worker's
 * page says, read once and checked before it is believed; and handing a
 * connection to its worker. A worker that writes nonsense loses its connection
 * and nothing else.
 */
#include "engine.h"

#include <string.h>

bool user_discards(const struct conn *c)
{
	return (c->flags & (CONN_FIN_QUEUED | CONN_WORKER_GONE | CONN_BUSY)) != 0;
}

bool user_has_data(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);

	return c->worker == CONN_NO_WORKER || slot_private(s, slot)->ring.master != NULL;
}

const uint8_t *user_data(const struct stack *s, uint32_t slot, uint64_t offset)
{
	if (slot_conn(s, slot)->flags & CONN_BUSY)
		return table_early(&s->table, slot) + offset;
	return ring_tx_at(&slot_private(s, slot)->ring, offset);
}

/* ---- the worker's page ---- */

/* The worker's page, each field read once. */
struct user_view {
	uint64_t tx_head;
	uint64_t rx_tail;
	uint64_t tx_urgent;
	bool tx_fin;
	bool abort;
};

static struct user_view user_view(const struct ring *ring)
{
	const struct ring_worker_page *page = ring->worker;
	struct user_view view;

	/* tx_fin first: when it is set, tx_head below is final */
	view.tx_fin = atomic_load_explicit(&page->tx_fin, memory_order_acquire) != 0;
	view.abort = atomic_load_explicit(&page->abort, memory_order_relaxed) != 0;
	view.tx_head = atomic_load_explicit(&page->tx_head, memory_order_acquire);
	/* stored before the tx_head that it belongs to, so read behind it */
	view.tx_urgent = atomic_load_explicit(&page->tx_urgent, memory_order_relaxed);
	view.rx_tail = atomic_load_explicit(&page->rx_tail, memory_order_acquire);
	return view;
}

/* What is wrong with it, or NULL. */
static const char *user_check(const struct conn *c, const struct ring *ring,
                              const struct user_view *view)
{
	if (view->tx_head < c->tx_head || view->tx_head - c->tx_una > ring->tx_size)
		return "its worker wrote an impossible tx_head";
	if (view->rx_tail < c->rx_tail || view->rx_tail > c->rx_head)
		return "its worker wrote an impossible rx_tail";
	return NULL;
}

/* New urgent data (RFC 9293, 3.8.5): the pointer names the octet after the urgent one. */
static void user_urgent(struct conn *c, uint64_t urgent)
{
	uint32_t up = c->snd_una + (uint32_t)(urgent - c->tx_una);

	if (urgent <= c->tx_una || !(c->flags & CONN_SYN_ACKED))
		return;
	if ((c->flags & CONN_URGENT_OUT) && !seq_gt(up, c->snd_up))
		return;
	c->snd_up = up;
	c->flags |= CONN_URGENT_OUT;
	/* the peer is to know of it even if it has no room for the data before it */
	if (seq_gt(up, c->snd_una + c->snd_wnd))
		c->flags |= CONN_ACK_NOW;
}

bool user_read_ring(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	const struct ring *ring = &slot_private(s, slot)->ring;
	struct user_view view;
	const char *wrong;

	if (ring->master == NULL)
		return true;
	view = user_view(ring);
	if (view.abort) {
		conn_abort(s, slot, RING_RESET_ABORT, "aborted by its worker");
		return false;
	}
	if (c->flags & CONN_FIN_QUEUED)
		return true; /* tx_head was final, and nobody reads any more */
	wrong = user_check(c, ring, &view);
	if (wrong != NULL) {
		s->stats.ring_errors++;
		conn_abort(s, slot, RING_RESET_ERROR, wrong);
		return false;
	}
	if (c->tx_head == c->tx_una && view.tx_head > c->tx_head)
		c->stalled_since_us = s->event.now_us;
	c->tx_head = view.tx_head;
	c->rx_tail = view.rx_tail;
	/* a mark ahead of tx_head is not due yet */
	if (view.tx_urgent <= view.tx_head)
		user_urgent(c, view.tx_urgent);
	if (view.tx_fin)
		conn_close(s, slot, "closed by its session");
	return true;
}

/* ---- calls ---- */

/* The connection that the handle names, or NULL when it is stale. */
static struct conn *user_conn(const struct stack *s, struct conn_handle handle)
{
	if (!slot_is_conn(s, handle.slot) || handle.id == 0 ||
	    slot_conn(s, handle.slot)->identity.id != handle.id)
		return NULL;
	return slot_conn(s, handle.slot);
}

const struct flow *stack_flow(struct stack *s, struct conn_handle handle)
{
	const struct conn *c = user_conn(s, handle);

	if (c == NULL)
		return NULL;
	s->shown = conn_flow(c);
	return &s->shown;
}

void stack_ring_changed(struct stack *s, struct conn_handle handle, uint64_t now_us)
{
	(void)now_us;
	if (user_conn(s, handle) != NULL)
		conn_dirty(s, handle.slot);
}

bool stack_accept_next(const struct stack *s, struct conn_handle *handle)
{
	uint32_t slot;

	if (s->accept_queue.count == 0)
		return false;
	slot = s->accept_queue.slot[s->accept_queue.head];
	handle->slot = slot;
	handle->id = slot_conn(s, slot)->identity.id;
	return true;
}

/* Everything in the master page is written at the next publication, whatever it holds. */
static void user_forget_published(struct conn_private *p)
{
	p->published_rx_head = UINT64_MAX;
	p->published_tx_tail = UINT64_MAX;
	p->published_tx_sent = UINT64_MAX;
	p->published_tx_limit = UINT64_MAX;
}

/* False for an entry that a former engine left damaged, or with another ring. */
static bool user_fits(const struct conn *c, const struct ring *ring)
{
	return c->tx_head - c->tx_una <= ring->tx_size &&
	       c->rx_head - c->rx_tail <= ring->rx_size &&
	       (state_peer_closed((enum tcp_state)c->state) ||
	        c->rcv_adv - c->rcv_nxt <= ring->rx_size - (c->rx_head - c->rx_tail));
}

bool stack_attach(struct stack *s, struct conn_handle handle, uint32_t worker,
                  const struct ring *ring, uint64_t now_us)
{
	struct conn *c = user_conn(s, handle);
	struct conn_private *p;

	if (c == NULL || ring->rx_size < CONN_EARLY_BYTES ||
	    (c->worker != CONN_NO_WORKER && c->worker != worker))
		return false;
	p = slot_private(s, handle.slot);
	event_begin(s, now_us);
	c = event_conn(s, handle.slot);
	if (!user_fits(c, ring)) {
		s->stats.ring_errors++;
		conn_abort(s, handle.slot, RING_RESET_ERROR, "its ring is too small for it");
		event_end(s);
		return false;
	}
	if (c->worker == CONN_NO_WORKER) {
		memcpy(ring->rx, table_early(&s->table, handle.slot) + c->header_bytes,
		       c->early_bytes);
		c->early_bytes = 0;
		c->worker = worker;
		s->workers_busy++;
	}
	if (c->flags & CONN_WAITING) {
		c->flags &= ~CONN_WAITING;
		slot_queue_drop(&s->accept_queue, handle.slot);
	}
	p->ring = *ring;
	user_forget_published(p);
	conn_dirty(s, handle.slot);
	event_end(s);
	atomic_store_explicit(&ring->master->conn_id, handle.id, memory_order_release);
	return true;
}

bool stack_next_served(const struct stack *s, uint32_t *cursor, struct conn_handle *handle,
                       uint32_t *worker)
{
	for (; *cursor < s->free_conns.fresh; (*cursor)++) {
		const struct conn *c = slot_conn(s, *cursor);

		if (c->identity.id == 0 || c->worker == CONN_NO_WORKER ||
		    slot_private(s, *cursor)->ring.master != NULL)
			continue;
		*handle = (struct conn_handle){(*cursor)++, c->identity.id};
		*worker = c->worker;
		return true;
	}
	return false;
}

void stack_worker_lost(struct stack *s, struct conn_handle handle, const char *why, uint64_t now_us)
{
	const struct conn *c = user_conn(s, handle);

	if (c == NULL)
		return;
	if (!(c->flags & CONN_WORKER_GONE) && s->workers_busy > 0)
		s->workers_busy--;
	event_begin(s, now_us);
	(void)event_conn(s, handle.slot);
	conn_abort(s, handle.slot, RING_RESET_ERROR, why);
	event_end(s);
}

void stack_worker_left(struct stack *s)
{
	s->workers_busy++;
}

/* The worker ended before it took the connection up: nothing has been taken or written. */
static bool user_untouched(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	const struct ring *ring = &slot_private(s, slot)->ring;

	return ring->master != NULL && c->state == TCP_ESTABLISHED &&
	       !(c->flags & CONN_FIN_QUEUED) && c->tx_head == 0 && c->rx_tail == 0 &&
	       c->rx_head <= CONN_EARLY_BYTES - c->header_bytes &&
	       s->table.reassembly[slot].count == 0 &&
	       atomic_load_explicit(&ring->worker->conn_id, memory_order_relaxed) == 0;
}

/* Back into the accept queue, for another worker; what came meanwhile is early data again. */
static void user_requeue(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	struct event_note *note = event_note(s, NOTE_DETACHED, &c->identity);

	note->to = TCP_ESTABLISHED;
	note->handle = (struct conn_handle){slot, c->identity.id};
	note->worker = c->worker;
	memcpy(table_early(&s->table, slot) + c->header_bytes, slot_private(s, slot)->ring.rx,
	       c->rx_head);
	c->early_bytes = (uint32_t)c->rx_head;
	c->worker = CONN_NO_WORKER;
	conn_enqueue(s, slot);
}

void stack_worker_gone(struct stack *s, struct conn_handle handle, uint64_t now_us)
{
	struct conn *c = user_conn(s, handle);

	if (c != NULL && (c->flags & CONN_WORKER_GONE))
		return; /* a former engine was told */
	if (s->workers_busy > 0)
		s->workers_busy--;
	if (c == NULL)
		return;
	event_begin(s, now_us);
	c = event_conn(s, handle.slot);
	if (user_untouched(s, handle.slot)) {
		user_requeue(s, handle.slot);
	} else if (user_read_ring(s, handle.slot)) {
		c->flags |= CONN_WORKER_GONE;
		orphan_notice(s, handle.slot);
		if (c->flags & CONN_COUNTED) {
			c->flags &= ~CONN_COUNTED;
			source_remove(s->sources, conn_source(c));
		}
		if (c->flags & CONN_FIN_QUEUED)
			conn_dirty(s, handle.slot);
		else
			conn_abort(s, handle.slot, RING_RESET_ABORT, "its worker died");
	}
	event_end(s);
}
