/*
 * A worker as the engine sees one: a ring and somebody who reads and writes it.
 * Tests and the simulator play it by hand.
 */
#ifndef TESTS_TCP_WORKER_H
#define TESTS_TCP_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/ring.h"

struct worker {
	struct ring ring;
	uint64_t tx_head; /* written so far */
	uint64_t rx_tail; /* taken so far */
};

/* A worker with a fresh ring of these sizes. Aborts when there is no memory. */
void worker_open(struct worker *worker, uint32_t rx_size, uint32_t tx_size);
void worker_close(struct worker *worker);

/* Bytes that may be written and taken now. */
uint32_t worker_room(const struct worker *worker);
uint32_t worker_waiting(const struct worker *worker);

/* Writes up to LENGTH bytes and returns how many fitted. */
uint32_t worker_write(struct worker *worker, const void *bytes, uint32_t length);

/* Takes up to LENGTH bytes to BYTES (NULL: throws them away) and returns how many. */
uint32_t worker_take(struct worker *worker, void *bytes, uint32_t length);

/* The octet before what is written now is the urgent one. */
void worker_urgent(struct worker *worker);
void worker_fin(struct worker *worker);
void worker_abort(struct worker *worker);
/* Sets or clears the wish for a doorbell; with a full send buffer, for room too. */
void worker_sleep(struct worker *worker, bool asleep);

/* What the master's page says. */
uint64_t worker_conn_id(const struct worker *worker);
uint64_t worker_rx_urgent(const struct worker *worker);
uint64_t worker_tx_tail(const struct worker *worker);
uint64_t worker_tx_sent(const struct worker *worker);
bool worker_rx_fin(const struct worker *worker);
uint32_t worker_reset_reason(const struct worker *worker);

#endif
