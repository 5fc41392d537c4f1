/*
 * What pool.c and pool_doorbell.c share.
 */
#ifndef DAEMON_POOL_WORKER_H
#define DAEMON_POOL_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "stack/ring.h"
#include "stack/stack.h"

#define POOL_BUCKETS 4096u /* of the hash by number; a power of two */

/* What the worker's page said. */
struct ring_view {
	uint64_t rx_tail, tx_head, tx_urgent;
	uint32_t tx_fin, abort;
};

struct worker {
	LIST_ENTRY(worker) bucket;
	TAILQ_ENTRY(worker) idle_entry;
	SLIST_ENTRY(worker) awake_entry;
	SLIST_ENTRY(worker) freed_entry;
	TAILQ_ENTRY(worker) linger_entry;
	uint64_t linger_us; /* when its end is asked for; 0: it is not to end */
	struct pool *pool;
	uint64_t number;
	int channel; /* -1: closed, as are the bells then */
	int bell_in; /* the worker rings it */
	int bell_out;
	struct event *channel_event, *bell_event;
	struct ring ring;
	struct ring_view seen; /* before the engine last looked */
	struct conn_handle conn;
	struct endpoint peer; /* of the connection that it was given last */
	uint32_t signatures;  /* that it has reported, a bit each */
	uint32_t notes;       /* of its session, that it has sent */
	bool mapped, idle, attached, gone;
	bool taken;   /* has or had a connection */
	bool former;  /* of an earlier version: is to have none */
	bool opening; /* OPEN is about to be sent: no doorbell needed */
	bool awake;   /* in the list of rings that must go to sleep */
	bool freed;   /* in the list for pool_settle() */
};

struct pool {
	struct master *master;
	LIST_HEAD(, worker) bucket[POOL_BUCKETS];
	TAILQ_HEAD(, worker) idle;
	SLIST_HEAD(, worker) awake;
	SLIST_HEAD(, worker) freed;
	TAILQ_HEAD(, worker) lingering; /* their connection is gone, the first to be ended first */
	struct event *linger_timer;
	uint32_t workers, workers_max;
	uint32_t idle_count, busy_count;
	bool settled; /* pool_take_over() has been called */
};

/* The worker with this number; NULL for none. In pool.c. */
struct worker *pool_find(const struct pool *pool, uint64_t number);

/* Listens to the worker no more. In pool.c. */
void pool_close_channel(struct worker *w);

/* The same, and the worker sees its channel hang up. In pool.c. */
void pool_hang_up(struct worker *w);

/* Puts its ring into the list of those that must go to sleep, or takes it out. In pool.c. */
void pool_set_awake(struct worker *w, bool awake);

/* Into the list of idle ones, or out of it. In pool.c. */
void pool_set_idle(struct worker *w, bool idle);

/* For pool_settle() to look at, once the engine has returned. In pool.c. */
void pool_note_freed(struct worker *w);

/* Has the supervisor tell the worker to end; asked again, kill it. In pool_linger.c. */
void priv_worker_end(struct worker *w);

/* The worker's connection is gone: it is made to end unless it does. In pool_linger.c. */
void pool_linger(struct worker *w, uint64_t now_us);

/* It has ended. In pool_linger.c. */
void pool_linger_forget(struct worker *w);

/* Asks for the end of those that should have ended by NOW_US. In pool_linger.c. */
void pool_linger_look(struct pool *pool, uint64_t now_us);

/* False when memory is short; pool_linger_destroy() in any case. In pool_linger.c. */
bool pool_linger_create(struct pool *pool);
void pool_linger_destroy(struct pool *pool);

/* Tells supervisor and worker that the worker has CONN, whose ring is attached. In pool.c. */
void pool_tell_taken(struct worker *w, const struct flow *flow);

/* The engine looks at a ring. What the worker writes from here on is noticed by pool_sleep(). */
void pool_look(struct worker *w, uint64_t now_us);

/* Reads what the worker's page says. */
void pool_view(const struct worker *w, struct ring_view *v);

/* Writes the ring's flag: 1 and the master wants a doorbell. */
void pool_set_asleep(struct worker *w, uint32_t asleep);

/* The worker has rung. */
void pool_on_bell(evutil_socket_t fd, short what, void *arg);

/* The worker's channel is readable: it has something to tell, or has hung up. */
void pool_on_channel(evutil_socket_t fd, short what, void *arg);

/* The worker has ended: takes what it had still to tell. */
void pool_read_last(struct worker *w, uint64_t now_us);

#endif
