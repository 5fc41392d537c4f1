/*
 * The worker's side of the ring (stack/ring.h): reading the master's page with
 * every value checked, publishing its own, and doorbells.
 *
 * When the master is rung: always for output, FIN and urgent data that it cannot
 * know of; for input taken only when that is a quarter of the buffer, because
 * every acknowledgement that it sends carries the window of that moment anyway
 * and a doorbell a keystroke would double the cost of one.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "daemon/bell.h"
#include "daemon/log.h"
#include "shell/worker.h"

#define LOAD(field)         atomic_load_explicit(&(field), memory_order_acquire)
#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_release)

bool ring_take_up(struct worker *worker, uint64_t conn_id)
{
	if (conn_id == 0 || LOAD(worker->ring.master->conn_id) != conn_id)
		return false;
	worker->conn_id = conn_id;
	STORE(worker->ring.worker->conn_id, conn_id);
	return true;
}

static const char *gone_text(uint32_t reason)
{
	switch (reason) {
	case RING_RESET_PEER:
		return "reset by the client";
	case RING_RESET_TIMEOUT:
		return "the client is gone";
	case RING_RESET_ABORT:
		return "aborted";
	case RING_RESET_CLOSE:
		return "closed";
	default:
		return "the connection is gone";
	}
}

bool ring_look(struct worker *worker)
{
	const struct ring_master_page *page = worker->ring.master;
	struct worker_view *view = &worker->view;
	uint32_t reset = LOAD(page->reset_reason);
	bool rx_fin = LOAD(page->rx_fin) != 0; /* before rx_head, which it makes final */
	uint64_t rx_head = LOAD(page->rx_head);
	uint64_t rx_urgent = LOAD(page->rx_urgent); /* behind the data that it belongs to */
	uint64_t tx_tail = LOAD(page->tx_tail);
	uint64_t tx_limit = LOAD(page->tx_limit); /* any value will do */

	if (reset != RING_RESET_NONE) {
		log_debug("connection %llu is gone (reason %u)",
		          (unsigned long long)worker->conn_id, reset);
		audit_reason(worker, gone_text(reset));
		worker_exit(0);
	}
	if (rx_head < view->rx_head || rx_head - worker->rx_tail > worker->ring.rx_size ||
	    tx_tail < view->tx_tail || tx_tail > worker->tx_published ||
	    (view->rx_fin && rx_head != view->rx_head)) {
		log_error("the ring of connection %llu holds what cannot be: rx_head %llu, "
		          "rx_tail %llu, tx_tail %llu, tx_head %llu",
		          (unsigned long long)worker->conn_id, (unsigned long long)rx_head,
		          (unsigned long long)worker->rx_tail, (unsigned long long)tx_tail,
		          (unsigned long long)worker->tx_published);
		worker_exit(1);
	}
	bool changed =
		rx_head != view->rx_head || rx_fin != view->rx_fin ||
		rx_urgent != view->rx_urgent ||
		(worker->need_space && (tx_tail != view->tx_tail || tx_limit != view->tx_limit));
	*view = (struct worker_view){
		.rx_head = rx_head,
		.tx_tail = tx_tail,
		.tx_limit = tx_limit,
		.rx_urgent = rx_urgent,
		.rx_fin = rx_fin || view->rx_fin,
	};
	return changed;
}

uint32_t ring_room(const struct worker *worker)
{
	return worker->ring.tx_size - (uint32_t)(worker->tx_head - worker->view.tx_tail);
}

uint32_t ring_output_room(const struct worker *worker)
{
	uint32_t room = ring_room(worker);

	if (worker->view.tx_limit <= worker->tx_head)
		return 0;
	return worker->view.tx_limit - worker->tx_head < room
	               ? (uint32_t)(worker->view.tx_limit - worker->tx_head)
	               : room;
}

void ring_append(struct worker *worker, const void *bytes, size_t length)
{
	memcpy(ring_tx_at(&worker->ring, worker->tx_head), bytes, length);
	worker->tx_head += length;
}

static void doorbell(struct worker *worker)
{
	worker->rx_told = worker->rx_tail;
	if (ring_master_asleep(&worker->ring))
		bell_ring(WORKER_FD_BELL_RING);
}

void ring_publish(struct worker *worker)
{
	struct ring_worker_page *page = worker->ring.worker;
	bool ring = false;

	if (worker->rx_tail != worker->rx_published) {
		worker->rx_published = worker->rx_tail;
		STORE(page->rx_tail, worker->rx_tail);
		ring = worker->rx_tail - worker->rx_told >= worker->ring.rx_size / 4;
	}
	if (worker->tx_head != worker->tx_published) {
		worker->tx_published = worker->tx_head;
		/* Before tx_head, so that nobody sees DM without its mark. */
		STORE(page->tx_urgent, worker->tx_urgent);
		STORE(page->tx_head, worker->tx_head);
		ring = true;
	}
	if (ring)
		doorbell(worker);
}

void ring_trim(struct worker *worker)
{
	if (worker->tx_head - worker->tx_trimmed < WORKER_TRIM_MIN)
		return;
	if (worker_timer_due(worker, TIMER_TRIM) && worker->view.tx_tail == worker->tx_head) {
		/* All is acknowledged, so nobody reads it again: the memory of both copies goes. */
		madvise(worker->ring.tx, worker->ring.tx_size, MADV_REMOVE);
		worker->tx_trimmed = worker->tx_head;
	} else if (worker->timers[TIMER_TRIM] == 0) {
		worker_timer_arm(worker, TIMER_TRIM, WORKER_TRIM_MS);
	}
}

void ring_finish(struct worker *worker)
{
	if (worker->stage == WORKER_DONE)
		return;
	if (telnet_output_settle(&worker->output) != 0 && ring_room(worker) > 0)
		ring_append(worker, "", 1);
	audit_session_end(worker);
	worker->stage = WORKER_DONE;
	ring_publish(worker);
	STORE(worker->ring.worker->tx_fin, 1);
	doorbell(worker);
}
