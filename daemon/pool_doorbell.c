/*
 * Doorbells between the master and its workers, and the sleep of rings.
 *
 * A ring's `asleep` is 1 except while the master works on it: a doorbell
 * clears it, the engine looks at the ring, the packets go out, and pool_sleep()
 * sets it again, fences and compares what the worker's page says with what it
 * said before the engine looked. So a worker that writes meanwhile on another
 * CPU rings no bell, and nothing it writes is missed.
 *
 * System calls: recvmsg, write.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#include "daemon/bell.h"
#include "daemon/log.h"
#include "daemon/master_audit.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"
#include "daemon/pool_worker.h"
#include "daemon/session_notes.h"

void pool_view(const struct worker *w, struct ring_view *v)
{
	const struct ring_worker_page *page = w->ring.worker;

	v->rx_tail = atomic_load_explicit(&page->rx_tail, memory_order_relaxed);
	v->tx_head = atomic_load_explicit(&page->tx_head, memory_order_relaxed);
	v->tx_urgent = atomic_load_explicit(&page->tx_urgent, memory_order_relaxed);
	v->tx_fin = atomic_load_explicit(&page->tx_fin, memory_order_relaxed);
	v->abort = atomic_load_explicit(&page->abort, memory_order_relaxed);
}

#define NOTES_MAX 16u /* one for the user, one for the end, and some that were in doubt */

static bool view_equal(const struct ring_view *a, const struct ring_view *b)
{
	return a->tx_head == b->tx_head && a->rx_tail == b->rx_tail && a->tx_fin == b->tx_fin &&
	       a->abort == b->abort && a->tx_urgent == b->tx_urgent;
}

void pool_set_asleep(struct worker *w, uint32_t asleep)
{
	atomic_store_explicit(&w->ring.master->asleep, asleep, memory_order_relaxed);
}

void pool_look(struct worker *w, uint64_t now_us)
{
	uint64_t written = w->seen.tx_head;

	pool_set_asleep(w, 0);
	pool_view(w, &w->seen);
	dialogue_answered(&w->pool->master->dialogue, (uint32_t)w->number,
	                  w->seen.tx_head - written, now_us);
	stack_ring_changed(w->pool->master->stack, w->conn, now_us);
}

/* An attack: it costs the client's source once a connection. */
static void take_attack(struct worker *w, uint32_t signature, bool first, uint64_t now_us)
{
	audit_attack(w->pool->master, w->conn.id, &w->peer, signature_name(signature));
	if (first)
		(void)stack_offence(w->pool->master->stack, &w->peer.address,
		                    STACK_OFFENCE_SIGNATURE, now_us);
}

/* What the client should not have done; each of it once. */
static bool take_signature(struct worker *w, const struct message_signature *report,
                           uint64_t now_us)
{
	bool first = (w->signatures & ~(1u << SIGNATURE_LOGIN)) == 0;

	if (!w->taken || report->conn_id != w->conn.id || report->signature == SIGNATURE_NONE ||
	    report->signature >= SIGNATURES || (w->signatures & (1u << report->signature)) != 0)
		return false;
	w->signatures |= 1u << report->signature;
	if (report->signature == SIGNATURE_LOGIN)
		(void)stack_offence(w->pool->master->stack, &w->peer.address, STACK_OFFENCE_LOGIN,
		                    now_us);
	else
		take_attack(w, report->signature, first, now_us);
	return true;
}

/* What is known of its session; kept as long as the connection is. */
static bool take_note(struct worker *w, const struct message_session_note *note)
{
	struct master *m = w->pool->master;

	if (++w->notes > NOTES_MAX || !w->taken || note->conn_id != w->conn.id ||
	    note->ending >= SESSION_ENDINGS ||
	    (note->user[0] != '\0' && !message_user_valid(note->user, sizeof(note->user))))
		return false;
	if (stack_flow(m->stack, w->conn) != NULL)
		session_notes_set(m->notes, note);
	return true;
}

/* True when what it says is in order. */
static bool take_message(struct worker *w, const struct message *message, uint64_t now_us)
{
	if (!message_allowed(message, ROLE_WORKER, ROLE_MASTER, PHASE_RUN))
		return false;
	switch (message->header.type) {
	case MESSAGE_SIGNATURE:
		return take_signature(w, (const struct message_signature *)message->payload,
		                      now_us);
	case MESSAGE_SESSION_NOTE:
		return take_note(w, (const struct message_session_note *)message->payload);
	default:
		return false;
	}
}

void pool_read_last(struct worker *w, uint64_t now_us)
{
	struct master *m = w->pool->master;

	while (w->channel >= 0 && message_receive(w->channel, &m->message, MSG_DONTWAIT) > 0) {
		if (!take_message(w, &m->message, now_us)) {
			message_discard(&m->message);
			return;
		}
	}
}

/* It has hung up, has something to tell, or breaks the protocol. */
void pool_on_channel(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct master *m = w->pool->master;
	uint64_t now_us = master_now_us();
	int got = message_receive(fd, &m->message, MSG_DONTWAIT);

	(void)what;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got == 0 || (got < 0 && errno != EBADMSG)) {
		pool_close_channel(w);
		if (w->attached) /* it may have written before */
			pool_look(w, now_us);
	} else if (got < 0 || !take_message(w, &m->message, now_us)) {
		log_error("worker %" PRIu64 " sent a message, which it may not: no longer "
		          "listening to it",
		          w->number);
		if (got > 0)
			message_discard(&m->message);
		pool_hang_up(w);
		if (w->attached)
			stack_abort(m->stack, w->conn.id, now_us);
	}
	master_settle(m, now_us);
}

void pool_on_bell(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	uint64_t now_us = master_now_us();

	(void)fd;
	(void)what;
	if (w->attached) {
		pool_look(w, now_us);
		pool_set_awake(w, true);
	}
	master_settle(w->pool->master, now_us);
}

void pool_doorbell(struct pool *pool, uint32_t number)
{
	struct worker *w = pool_find(pool, number);

	if (w != NULL && w->channel >= 0 && !w->opening) {
		dialogue_asked(&pool->master->dialogue, number);
		bell_ring(w->bell_out);
	}
}

bool pool_sleep(struct pool *pool, uint64_t now_us)
{
	struct worker *w, *next;
	struct ring_view now;
	bool called = false;

	for (w = SLIST_FIRST(&pool->awake); w != NULL; w = next) {
		next = SLIST_NEXT(w, awake_entry);
		if (!w->attached) {
			pool_set_awake(w, false);
			continue;
		}
		pool_set_asleep(w, 1);
		atomic_thread_fence(memory_order_seq_cst);
		pool_view(w, &now);
		if (view_equal(&now, &w->seen)) {
			pool_set_awake(w, false);
			continue;
		}
		pool_look(w, now_us);
		called = true;
	}
	return called;
}
