/*
 * The master's view of its workers: a channel and a ring each, which of them are
 * idle, and which connection each has. Theory of operation in pool.c.
 */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/message.h"
#include "stack/stack.h"

struct master;
struct pool;

/* NULL when memory is short. */
struct pool *pool_create(struct master *m);
/* The configuration has changed: room for as many workers as it may need, never less than before. */
void pool_limit(struct pool *pool);

void pool_destroy(struct pool *pool);

/*
 * MESSAGE_WORKER_ADD: a worker with its descriptors as that message has them,
 * which now belong to the pool. It is idle; until pool_take_over() nothing is known
 * of it. What fails is logged, and the worker hung up on, so that it ends.
 */
void pool_add(struct pool *pool, const struct message_worker *worker, const int fds[4]);

/* MESSAGE_WORKER_GONE: its process has ended. */
void pool_gone(struct pool *pool, const struct message_worker_gone *gone, uint64_t now_us);

/*
 * Every worker there is has been added: each connection of the table that has one gets
 * its ring back, workers whose connection is gone are told, the others are idle. *LOST
 * connections had to be reset for they could not. Returns how many go on.
 */
uint32_t pool_take_over(struct pool *pool, uint32_t *lost, uint64_t now_us);

/* For the engine's hooks of the same names. WORKER is the number given to stack_attach(). */
void pool_doorbell(struct pool *pool, uint32_t worker);
void pool_detached(struct pool *pool, struct conn_handle conn, uint32_t worker);

/*
 * Releases what has become free and hands waiting connections to idle workers.
 * True when the engine has been called: its output must be sent.
 */
bool pool_settle(struct pool *pool, uint64_t now_us);

/*
 * Lets every ring that was awake in this turn sleep, unless its worker has
 * written in the meantime: then the engine looks at it again and true is
 * returned, and this must be called again after sending. Part of the protocol
 * in stack/ring.h: the loop must not wait while this returns true.
 */
bool pool_sleep(struct pool *pool, uint64_t now_us);

struct pool_usage {
	uint32_t idle;
	uint32_t busy;
};
void pool_get_usage(const struct pool *pool, struct pool_usage *usage);

#endif
