/* A worker played by hand: see worker.h. */
#include "tests/tcp/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ring_map.h"

void worker_open(struct worker *worker, uint32_t rx_size, uint32_t tx_size)
{
	int fd = ring_create(rx_size, tx_size);

	memset(worker, 0, sizeof(*worker));
	if (fd < 0 || ring_map(fd, rx_size, tx_size, &worker->ring) < 0) {
		perror("no ring for the test");
		abort();
	}
	close(fd);
	/* it takes up at once whatever it is given */
	atomic_store(&worker->ring.worker->conn_id, 1);
}

void worker_close(struct worker *worker)
{
	ring_unmap(&worker->ring);
}

uint32_t worker_room(const struct worker *worker)
{
	return worker->ring.tx_size - (uint32_t)(worker->tx_head - worker_tx_tail(worker));
}

uint32_t worker_waiting(const struct worker *worker)
{
	return (uint32_t)(atomic_load(&worker->ring.master->rx_head) - worker->rx_tail);
}

uint32_t worker_write(struct worker *worker, const void *bytes, uint32_t length)
{
	uint32_t room = worker_room(worker);

	if (length > room)
		length = room;
	memcpy(ring_tx_at(&worker->ring, worker->tx_head), bytes, length);
	worker->tx_head += length;
	atomic_store(&worker->ring.worker->tx_head, worker->tx_head);
	return length;
}

uint32_t worker_take(struct worker *worker, void *bytes, uint32_t length)
{
	uint32_t waiting = worker_waiting(worker);

	if (length > waiting)
		length = waiting;
	if (bytes != NULL)
		memcpy(bytes, ring_rx_at(&worker->ring, worker->rx_tail), length);
	worker->rx_tail += length;
	atomic_store(&worker->ring.worker->rx_tail, worker->rx_tail);
	return length;
}

void worker_urgent(struct worker *worker)
{
	atomic_store(&worker->ring.worker->tx_urgent, worker->tx_head);
}

void worker_fin(struct worker *worker)
{
	atomic_store(&worker->ring.worker->tx_fin, 1);
}

void worker_abort(struct worker *worker)
{
	atomic_store(&worker->ring.worker->abort, 1);
}

void worker_sleep(struct worker *worker, bool asleep)
{
	uint32_t room = worker_room(worker) == 0 ? RING_ASLEEP_ROOM : 0;

	atomic_store(&worker->ring.worker->asleep, asleep ? RING_ASLEEP | room : 0);
}

uint64_t worker_conn_id(const struct worker *worker)
{
	return atomic_load(&worker->ring.master->conn_id);
}

uint64_t worker_rx_urgent(const struct worker *worker)
{
	return atomic_load(&worker->ring.master->rx_urgent);
}

uint64_t worker_tx_tail(const struct worker *worker)
{
	return atomic_load(&worker->ring.master->tx_tail);
}

uint64_t worker_tx_sent(const struct worker *worker)
{
	return atomic_load(&worker->ring.master->tx_sent);
}

bool worker_rx_fin(const struct worker *worker)
{
	return atomic_load(&worker->ring.master->rx_fin) != 0;
}

uint32_t worker_reset_reason(const struct worker *worker)
{
	return atomic_load(&worker->ring.master->reset_reason);
}
