/*
 * The workers of a former master: who of them has which connection.
 *
 * Theory of operation
 *
 * The table says which worker a connection has; a former master committed that before
 * it told anybody. So the connections are gone through first, and each gets its ring
 * back. It is told and rung again: OPEN is harmless when it is not the first one, and
 * the former master may have died before it rang, or sent what it had acknowledged
 * room for. Its ring is awake, so that it is looked at before the master first sleeps.
 *
 * What then is left over:
 *
 *   a worker that has or had a connection, which is gone: the former master committed
 *   that and died before the worker was told. It is told, and ends.
 *   a worker whose process has ended: its connection is what it is for any worker that
 *   ends (stack_worker_gone()), and its ring is released.
 *   a worker that nobody was ever given to: it is idle; but one that an earlier version
 *   of calmd has started is left alone, for the supervisor ends it.
 *
 * Who was given to somebody the supervisor knows, and the connection table; what stands
 * in the ring itself, which the worker can write, only counts against it.
 */
#include <inttypes.h>

#include "daemon/bell.h"
#include "daemon/link.h"
#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"
#include "daemon/pool_worker.h"

/* The connection that the worker says it serves; 0: none. */
static uint64_t serves(const struct worker *w)
{
	return atomic_load_explicit(&w->ring.worker->conn_id, memory_order_relaxed);
}

/* Why the worker, as the table names it, cannot have the connection; NULL: it can. */
static const char *misfit(const struct worker *w, struct conn_handle conn)
{
	if (w == NULL)
		return "its worker is not there any more";
	if (!w->mapped)
		return "its ring cannot be mapped";
	if (w->attached || (serves(w) != 0 && serves(w) != conn.id))
		return "its worker serves another one";
	return NULL;
}

/* Gives the connection its ring back. False: it had to be reset. */
static bool attach(struct worker *w, struct conn_handle conn, uint64_t now_us)
{
	struct stack *stack = w->pool->master->stack;
	struct flow flow = *stack_flow(stack, conn);

	w->conn = conn;
	w->attached = w->taken = true;
	w->pool->busy_count++;
	if (!stack_attach(stack, conn, (uint32_t)w->number, &w->ring, now_us)) {
		if (w->attached) /* else the hook has seen to it */
			w->pool->busy_count--;
		w->attached = false;
		return false;
	}
	if (w->gone) {
		stack_worker_gone(stack, conn, now_us);
		return true;
	}
	pool_tell_taken(w, &flow);
	pool_look(w, now_us);
	pool_set_awake(w, true);
	pool_doorbell(w->pool, (uint32_t)w->number);
	return true;
}

/* Its connection is gone. The engine counts it until it has ended. */
static void dismiss(struct worker *w)
{
	w->taken = true;
	w->conn = (struct conn_handle){0};
	stack_worker_left(w->pool->master->stack);
	if (w->mapped)
		atomic_store_explicit(&w->ring.master->reset_reason, RING_RESET_ERROR,
		                      memory_order_release);
	else
		priv_worker_end(w); /* only the supervisor can tell it */
	if (w->channel >= 0)
		bell_ring(w->bell_out);
	pool_note_freed(w);
}

static void settle(struct worker *w)
{
	if (w->attached)
		return;
	if (w->gone)
		pool_note_freed(w);
	else if (w->taken || (w->mapped && serves(w) != 0))
		dismiss(w);
	else if (w->mapped && w->channel >= 0 && !w->former)
		pool_set_idle(w, true);
}

uint32_t pool_take_over(struct pool *pool, uint32_t *lost, uint64_t now_us)
{
	struct master *m = pool->master;
	struct conn_handle conn;
	uint32_t cursor = 0, number, count = 0;
	struct worker *w;

	pool->settled = true;
	while (stack_next_served(m->stack, &cursor, &conn, &number)) {
		const char *why;

		w = pool_find(pool, number);
		why = misfit(w, conn);
		if (why != NULL)
			stack_worker_lost(m->stack, conn, why, now_us);
		if (why == NULL && attach(w, conn, now_us))
			count++;
		else
			(*lost)++;
		if (stack_output_pressing(m->stack))
			link_flush(m->link, now_us);
	}
	for (unsigned i = 0; i < POOL_BUCKETS; i++)
		LIST_FOREACH (w, &pool->bucket[i], bucket)
			settle(w);
	return count;
}
