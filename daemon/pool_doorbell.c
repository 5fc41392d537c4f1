/*
 * Doorbells between the master and its workers, and the sleep of rings.
 *
 * A ring's `asleep` is 1 except while the master works on it: a doorbell
 * clears it, the engine looks at the ring, the packets go out, and pool_sleep()
 * sets it again, fences and compares what the worker's page says with what it
 * said before the engine looked. So a worker that writes meanwhile on another
 * CPU rings no bell, and nothing it writes is missed.
 *
 * System calls: recvmmsg, sendmsg.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/message.h"
#include "daemon/pool.h"
#include "daemon/pool_worker.h"

/* Doorbells read by one call; more wait for the next turn. */
#define DOORBELL_BATCH 4

void pool_view(const struct worker *w, struct ring_view *v)
{
	const struct ring_worker_page *page = w->ring.worker;

	v->rx_tail = atomic_load_explicit(&page->rx_tail, memory_order_relaxed);
	v->tx_head = atomic_load_explicit(&page->tx_head, memory_order_relaxed);
	v->tx_urgent = atomic_load_explicit(&page->tx_urgent, memory_order_relaxed);
	v->tx_fin = atomic_load_explicit(&page->tx_fin, memory_order_relaxed);
	v->abort = atomic_load_explicit(&page->abort, memory_order_relaxed);
}

static bool view_equal(const struct ring_view *a, const struct ring_view *b)
{
	return a->tx_head == b->tx_head && a->rx_tail == b->rx_tail && a->tx_fin == b->tx_fin &&
	       a->abort == b->abort && a->tx_urgent == b->tx_urgent;
}

void pool_set_asleep(struct worker *w, uint32_t asleep)
{
	atomic_store_explicit(&w->ring.master->asleep, asleep, memory_order_relaxed);
}

/* The engine looks at a ring. What the worker writes from here on is noticed by pool_sleep(). */
static void look(struct worker *w, uint64_t now_us)
{
	pool_set_asleep(w, 0);
	pool_view(w, &w->seen);
	stack_ring_changed(w->pool->master->stack, w->conn, now_us);
}

/* A worker broke the protocol of its channel: its connection ends with RST. */
static void misbehaved(struct worker *w, const char *what, uint64_t now_us)
{
	struct pool *pool = w->pool;

	log_error("worker %" PRIu64 " sent %s: no longer listening to it", w->number, what);
	pool_hang_up(w);
	if (w->attached)
		stack_abort(pool->master->stack, w->conn.id, now_us);
}

/*
 * Reads the doorbells that are there with one call: a lone recv would leave a
 * second bell for another turn, a loop of them would always end with a failure.
 * True when the ring must be looked at.
 */
static bool read_doorbells(struct worker *w, uint64_t now_us)
{
	struct message_header header[DOORBELL_BATCH];
	struct iovec iov[DOORBELL_BATCH];
	struct mmsghdr message[DOORBELL_BATCH];
	int got;

	memset(message, 0, sizeof(message));
	for (int i = 0; i < DOORBELL_BATCH; i++) {
		iov[i].iov_base = &header[i];
		iov[i].iov_len = sizeof(header[i]);
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	got = recvmmsg(w->channel, message, DOORBELL_BATCH, MSG_DONTWAIT, NULL);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		pool_close_channel(w);
		return true;
	}
	for (int i = 0; i < got; i++) {
		if (message[i].msg_len == 0) { /* hung up; it may have written before */
			pool_close_channel(w);
			return true;
		}
		if (message[i].msg_len != sizeof(header[i]) ||
		    (message[i].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
		    header[i].version != MESSAGE_VERSION || header[i].type != MESSAGE_DOORBELL ||
		    header[i].length != 0 || header[i].fds != 0) {
			misbehaved(w, "something other than a doorbell", now_us);
			return false;
		}
	}
	return true;
}

void pool_on_channel(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct master *m = w->pool->master;
	uint64_t now_us = master_now_us();

	(void)fd;
	(void)what;
	if (read_doorbells(w, now_us) && w->attached) {
		look(w, now_us);
		pool_set_awake(w, true);
	}
	master_settle(m, now_us);
}

void pool_doorbell(struct pool *pool, uint32_t number)
{
	struct worker *w = pool_find(pool, number);

	/* A full channel holds doorbells enough. */
	if (w != NULL && w->channel >= 0 && !w->opening)
		message_send(w->channel, MESSAGE_DOORBELL, NULL, 0, NULL, 0, MSG_DONTWAIT);
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
		look(w, now_us);
		called = true;
	}
	return called;
}
