/*
 * Workers that outlive their connection.
 *
 * A worker ends by itself when its connection has, after its session at the latest. One that
 * does not hangs, or has been taken over: and since the engine counts a worker until its
 * process has ended, whoever makes many of them would take all places, and nobody could
 * connect any more. So the supervisor is asked to end it; and asked again, which means
 * that it is to be killed.
 */
#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/pool_worker.h"

/* Much longer than the end of a session may take (WORKER_HANGUP_MS). */
#define LINGER_US    UINT64_C(30000000)
#define LOOK_SECONDS 5

void priv_worker_end(struct worker *w)
{
	struct message_worker end = {.worker = w->number};

	master_tell(w->pool->master, MESSAGE_PRIV_WORKER_END, &end, sizeof(end));
}

static void look_later(struct pool *pool)
{
	static const struct timeval wait = {LOOK_SECONDS, 0};

	if (!TAILQ_EMPTY(&pool->lingering) && !evtimer_pending(pool->linger_timer, NULL))
		evtimer_add(pool->linger_timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pool *pool = arg;

	(void)fd;
	(void)what;
	pool_linger_look(pool, master_now_us());
	look_later(pool);
}

bool pool_linger_create(struct pool *pool)
{
	TAILQ_INIT(&pool->lingering);
	pool->linger_timer = evtimer_new(pool->master->base, on_timer, pool);
	return pool->linger_timer != NULL;
}

void pool_linger_destroy(struct pool *pool)
{
	if (pool->linger_timer != NULL)
		event_free(pool->linger_timer);
}

void pool_linger(struct worker *w, uint64_t now_us)
{
	if (w->linger_us != 0)
		return;
	w->linger_us = now_us + LINGER_US;
	TAILQ_INSERT_TAIL(&w->pool->lingering, w, linger_entry);
	look_later(w->pool);
}

void pool_linger_forget(struct worker *w)
{
	if (w->linger_us != 0)
		TAILQ_REMOVE(&w->pool->lingering, w, linger_entry);
	w->linger_us = 0;
}

void pool_linger_look(struct pool *pool, uint64_t now_us)
{
	struct worker *w;

	while ((w = TAILQ_FIRST(&pool->lingering)) != NULL && w->linger_us <= now_us) {
		priv_worker_end(w);
		pool_linger_forget(w);
		pool_linger(w, now_us);
	}
}
