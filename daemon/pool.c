/*
 * The master's view of its workers.
 *
 * Theory of operation
 *
 * A worker is added by the supervisor, idle, with its ring mapped at once, so
 * that handing over a connection costs no mapping. (After another master nobody is
 * idle before pool_takeover.c has found out who has a connection.) It serves one connection:
 *
 *   idle       in the idle list, oldest first (the longest ready)
 *   attached   stack_attach() has been called; the ring is the engine's
 *   detached   the engine needs the ring no more: it is unmapped
 *   gone       the supervisor says that the process has ended
 *
 * and is forgotten when it is both gone and not attached; the supervisor is then
 * told that nobody needs the ring (MESSAGE_WORKER_RELEASE). A worker that hangs
 * up its channel, or sends what it may not, is no longer listened to; the
 * supervisor notices its end.
 *
 * The hooks only mark and queue; the engine is called from pool_settle(),
 * pool_gone(), and pool_doorbell.c, which keeps the doorbells.
 */
#include "daemon/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/master_audit.h"
#include "daemon/master_state.h"
#include "daemon/pool_worker.h"
#include "daemon/ring_map.h"

#define WORKERS_IDLE_MAX 1000u /* max-spare-workers, at most */

struct pool *pool_create(struct master *m)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->master = m;
	TAILQ_INIT(&pool->idle);
	pool_limit(pool);
	if (pool_linger_create(pool))
		return pool;
	pool_destroy(pool);
	return NULL;
}

/*
 * Those that are ending, and some to spare for the busy message. Limits may have come
 * down since some of them were started; the table has the shape that it had then.
 */
void pool_limit(struct pool *pool)
{
	const struct message_master_config *config = &pool->master->config;
	uint32_t busy = 2 * config->max_connections;
	uint32_t most =
		(busy > config->table_conns ? busy : config->table_conns) + WORKERS_IDLE_MAX + 64;

	if (pool->workers_max < most)
		pool->workers_max = most;
}

struct worker *pool_find(const struct pool *pool, uint64_t number)
{
	struct worker *w;

	LIST_FOREACH (w, &pool->bucket[number % POOL_BUCKETS], bucket) {
		if (w->number == number)
			return w;
	}
	return NULL;
}

void pool_set_idle(struct worker *w, bool idle)
{
	struct pool *pool = w->pool;

	if (w->idle == idle)
		return;
	w->idle = idle;
	if (idle) {
		TAILQ_INSERT_TAIL(&pool->idle, w, idle_entry);
		pool->idle_count++;
	} else {
		TAILQ_REMOVE(&pool->idle, w, idle_entry);
		pool->idle_count--;
	}
}

void pool_close_channel(struct worker *w)
{
	pool_set_idle(w, false);
	if (w->channel_event != NULL)
		event_free(w->channel_event);
	if (w->bell_event != NULL)
		event_free(w->bell_event);
	w->channel_event = w->bell_event = NULL;
	if (w->channel < 0)
		return;
	close(w->channel);
	close(w->bell_in);
	close(w->bell_out);
	w->channel = -1;
}

/* Closing is not enough: the supervisor keeps this end open too. */
void pool_hang_up(struct worker *w)
{
	if (w->channel >= 0)
		shutdown(w->channel, SHUT_RDWR);
	pool_close_channel(w);
}

void pool_set_awake(struct worker *w, bool awake)
{
	if (w->awake == awake)
		return;
	w->awake = awake;
	if (awake)
		SLIST_INSERT_HEAD(&w->pool->awake, w, awake_entry);
	else
		SLIST_REMOVE(&w->pool->awake, w, worker, awake_entry);
}

static void unmap(struct worker *w)
{
	pool_set_awake(w, false);
	if (w->mapped)
		ring_unmap(&w->ring);
	w->mapped = false;
}

static void worker_free(struct worker *w)
{
	pool_close_channel(w);
	pool_linger_forget(w);
	unmap(w);
	LIST_REMOVE(w, bucket);
	w->pool->workers--;
	free(w);
}

void pool_destroy(struct pool *pool)
{
	if (pool == NULL)
		return;
	for (unsigned i = 0; i < POOL_BUCKETS; i++) {
		while (!LIST_EMPTY(&pool->bucket[i]))
			worker_free(LIST_FIRST(&pool->bucket[i]));
	}
	pool_linger_destroy(pool);
	free(pool);
}

void pool_note_freed(struct worker *w)
{
	if (w->freed)
		return;
	w->freed = true;
	SLIST_INSERT_HEAD(&w->pool->freed, w, freed_entry);
}

/* Makes the entry; CHANNEL and the mapping follow. */
static struct worker *worker_new(struct pool *pool, uint64_t number)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->pool = pool;
	w->number = number;
	w->channel = -1;
	LIST_INSERT_HEAD(&pool->bucket[number % POOL_BUCKETS], w, bucket);
	pool->workers++;
	return w;
}

/* Why the worker cannot be taken on; NULL: it can. */
static const char *refuse(const struct pool *pool, const struct message_worker *worker)
{
	if (worker->worker >= UINT32_MAX || pool_find(pool, worker->worker) != NULL)
		return "its number cannot be used";
	if (pool->workers >= pool->workers_max)
		return "there are too many";
	if (!ring_size_valid(worker->rx_size) || !ring_size_valid(worker->tx_size))
		return "its ring has an impossible size";
	return NULL;
}

/* Bells are edge-triggered: each ring is one event, and nobody reads. */
static bool listen_to(struct worker *w)
{
	struct event_base *base = w->pool->master->base;

	w->channel_event = event_new(base, w->channel, EV_READ | EV_PERSIST, pool_on_channel, w);
	w->bell_event = event_new(base, w->bell_in, EV_READ | EV_PERSIST | EV_ET, pool_on_bell, w);
	return w->channel_event != NULL && w->bell_event != NULL &&
	       event_add(w->channel_event, NULL) == 0 && event_add(w->bell_event, NULL) == 0;
}

void pool_add(struct pool *pool, const struct message_worker *worker, const int fds[4])
{
	struct worker *w = NULL;
	const char *why = refuse(pool, worker);

	if (why == NULL && (w = worker_new(pool, worker->worker)) == NULL)
		why = "out of memory";
	if (w == NULL) {
		log_error("worker %" PRIu64 " is not taken on: %s", worker->worker, why);
		for (int i = 0; i < 4; i++)
			close(fds[i]);
		return;
	}
	w->taken = worker->taken != 0;
	w->channel = fds[0];
	w->bell_in = fds[2];
	w->bell_out = fds[3];
	if (ring_map(fds[1], worker->rx_size, worker->tx_size, &w->ring) == 0)
		w->mapped = true;
	else
		why = strerror(errno);
	close(fds[1]);
	if (w->mapped && !listen_to(w))
		why = "no event for its channel";
	if (why != NULL) {
		/* It ends then; the entry waits for the supervisor's word. */
		log_error("worker %" PRIu64 " is not taken on: %s", worker->worker, why);
		pool_hang_up(w);
		return;
	}
	w->former = worker->former != 0;
	if (pool->settled)
		pool_set_idle(w, true);
}

/* One that was killed could not report the end of its session; its connection may still be there. */
static void audit_gone(struct pool *pool, const struct worker *w, int status)
{
	struct conn_info info;

	if (w->attached && WIFSIGNALED(status) &&
	    stack_info(pool->master->stack, w->conn.id, &info))
		audit_worker_killed(pool->master, &info, WTERMSIG(status));
}

void pool_gone(struct pool *pool, const struct message_worker_gone *gone, uint64_t now_us)
{
	struct message_worker unknown = {.worker = gone->worker};
	struct worker *w = pool_find(pool, gone->worker);

	if (w == NULL) { /* it was not taken on */
		if (pool->settled)
			master_tell(pool->master, MESSAGE_WORKER_RELEASE, &unknown,
			            sizeof(unknown));
		return;
	}
	if (w->gone)
		return;
	w->gone = true;
	pool_read_last(w, now_us);
	pool_close_channel(w);
	if (!pool->settled)
		return;
	audit_gone(pool, w, gone->status);
	/* Also when the connection has ended before: the engine counts its worker until now. */
	if (w->taken)
		stack_worker_gone(pool->master->stack, w->conn, now_us);
	pool_note_freed(w);
}

void pool_detached(struct pool *pool, struct conn_handle conn, uint32_t number)
{
	struct worker *w = pool_find(pool, number);

	if (w == NULL || !w->attached || w->conn.id != conn.id)
		return;
	w->attached = false;
	pool->busy_count--;
	pool_note_freed(w);
}

/* Unmaps the rings of detached workers, and forgets those that have ended too. */
static void release(struct pool *pool, uint64_t now_us)
{
	struct worker *w;

	while ((w = SLIST_FIRST(&pool->freed)) != NULL) {
		struct message_worker released = {.worker = w->number};

		SLIST_REMOVE_HEAD(&pool->freed, freed_entry);
		w->freed = false;
		if (w->attached)
			continue;
		unmap(w);
		if (!w->gone) {
			pool_linger(w, now_us);
			continue;
		}
		master_tell(pool->master, MESSAGE_WORKER_RELEASE, &released, sizeof(released));
		worker_free(w);
	}
}

/* Of the configuration's times none is above INT32_MAX of them. */
static uint32_t milliseconds(uint64_t us)
{
	return us / 1000 <= INT32_MAX ? (uint32_t)(us / 1000) : INT32_MAX;
}

void pool_tell_taken(struct worker *w, const struct flow *flow)
{
	struct message_worker taken = {.worker = w->number};
	const struct message_master_config *config = &w->pool->master->config;
	struct message_open open = {
		.conn_id = w->conn.id,
		.flow = *flow,
		.login_timeout_ms = milliseconds(config->login_timeout_us),
		.idle_timeout_ms = milliseconds(config->idle_timeout_us),
		.probe_ms = milliseconds(config->probe_us),
	};

	w->peer = flow->peer;
	/* The supervisor first: it must know before it can see this worker end. */
	master_tell(w->pool->master, MESSAGE_WORKER_TAKEN, &taken, sizeof(taken));
	if (w->channel < 0)
		return;
	if (message_send(w->channel, MESSAGE_OPEN, &open, sizeof(open), NULL, 0, MSG_DONTWAIT) != 0)
		log_warning("cannot hand connection %" PRIu64 " to worker %" PRIu64 ": %s",
		            w->conn.id, w->number, strerror(errno));
}

/*
 * Gives the connection to the worker. The engine commits that before the worker
 * hears of it; its doorbell is left out because OPEN wakes the worker anyway.
 */
static bool open_worker(struct worker *w, struct conn_handle conn, uint64_t now_us)
{
	struct master *m = w->pool->master;
	const struct flow *of = stack_flow(m->stack, conn);
	struct flow flow;

	if (of == NULL)
		return false;
	flow = *of;
	w->opening = true;
	w->conn = conn;
	w->attached = true;
	if (!stack_attach(m->stack, conn, (uint32_t)w->number, &w->ring, now_us)) {
		w->opening = w->attached = false;
		return false;
	}
	w->opening = false;
	w->taken = true;
	pool_set_idle(w, false);
	w->pool->busy_count++;
	pool_view(w, &w->seen);
	pool_set_asleep(w, 1);
	pool_tell_taken(w, &flow);
	return true;
}

/* The worker that has been idle longest and whose process has not ended; NULL for none. */
static struct worker *idle_worker(struct pool *pool)
{
	struct worker *w;
	char byte;

	while ((w = TAILQ_FIRST(&pool->idle)) != NULL) {
		/* its end may not have been noticed yet: it would cost a client its connection */
		if (recv(w->channel, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 &&
		    errno == EAGAIN)
			return w;
		pool_hang_up(w);
	}
	return NULL;
}

bool pool_settle(struct pool *pool, uint64_t now_us)
{
	struct conn_handle conn;
	struct worker *w;
	bool called = false;

	while (stack_accept_next(pool->master->stack, &conn) && (w = idle_worker(pool)) != NULL &&
	       open_worker(w, conn, now_us))
		called = true;
	release(pool, now_us);
	return called;
}

void pool_get_usage(const struct pool *pool, struct pool_usage *usage)
{
	usage->idle = pool->idle_count;
	usage->busy = pool->busy_count;
}
