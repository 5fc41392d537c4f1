/*
 * What the master's parts share: the one struct that holds them together and
 * the few functions of master_loop.c, master_hooks.c, master_messages.c and
 * master_end.c that the others call. Private to the master; tests use the parts'
 * own headers.
 */
#ifndef DAEMON_MASTER_STATE_H
#define DAEMON_MASTER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/clock.h"
#include "daemon/dialogue.h"
#include "daemon/message.h"
#include "stack/stack.h"

struct audit;
struct call_table;
struct control;
struct event;
struct event_base;
struct link;
struct pool;
struct route;
struct session_notes;

struct master {
	struct event_base *base;
	int channel; /* to the supervisor */
	struct event *channel_event;
	struct message_master_config config;
	enum phase phase;
	struct message message; /* being handled; too big for the call stack */
	bool stopped;           /* the loop is over, or will not begin */
	bool taking_in;         /* what is kept is still being told: see master_takeover.c */
	bool terminate_asked;   /* ... and this comes after it */
	bool hand_over_asked;

	struct stack *stack;
	void *table;
	size_t table_bytes;

	struct link *link;
	struct route *route;
	struct pool *pool;
	struct session_notes *notes;
	struct call_table *calls;
	struct control *control;
	int icmp_fd[2]; /* ICMPv4, ICMPv6 */
	struct event *icmp_event[2];

	struct event *timer;      /* stack_timers() */
	struct event *near_timer; /* the same, for near deadlines */
	int near_fd;              /* its timerfd(2) */
	uint64_t armed_us;        /* what the two are set to; UINT64_MAX: nothing */
	struct dialogue dialogue;
	struct event *again;        /* work was left over for the next turn of the loop */
	struct event *closed_timer; /* closed listeners are looked at */
	struct event *end_timer;
	struct event *quiet_timer; /* NULL: there was nothing to wait for */
	uint64_t end_us;           /* when an orderly end has lasted long enough */

	struct audit *audit;

	uint64_t started_us; /* this master; config.started_us is the daemon's */
	int status;          /* the process's exit status */
};

/* The engine's clock. */
static inline uint64_t master_now_us(void)
{
	return clock_now_us();
}

/* master_loop.c */

/* Makes the timers; false with the cause logged. */
bool master_loop_create(struct master *m);
void master_loop_destroy(struct master *m);

/* Runs until master_stop(). */
void master_loop_run(struct master *m);

/*
 * Ends every turn: whoever has called the engine calls this once afterwards. It
 * sends what has become due, hands waiting connections to workers, does what the
 * hooks have asked for, lets the rings sleep again and sets the timer. It may
 * free workers, lanes and calls: the caller uses none of them afterwards.
 */
void master_settle(struct master *m, uint64_t now_us);

/* Sends MESSAGE of the master to the supervisor; a failure ends the loop. */
void master_tell(struct master *m, enum message_type type, const void *payload, size_t length);

/* Ends the loop; master_main() then returns STATUS. */
void master_stop(struct master *m, int status);

/* master_hooks.c */

/* What the engine tells; they only note what master_settle() then does. */
void master_hooks(struct master *m, struct stack_hooks *hooks);

/* master_proxy.c */

/* True when FLOW's client is known by its proxy's header only. */
bool master_proxied(const struct master *m, const struct flow *flow);

/* Reads headers that have come; true when the engine has been called. Part of master_settle(). */
bool master_proxy_settle(struct master *m, uint64_t now_us);

/* master_messages.c */

/* The supervisor's channel is readable. */
void master_on_channel(int fd, short what, void *arg);

/* Receives one message (FLAGS as for recv(2)) and does what it says; false: there is none. */
bool master_receive(struct master *m, int flags, uint64_t now_us);

/* master_takeover.c */

/* Takes in everything that the supervisor keeps; false: the master must end. Waits. */
bool master_take_in(struct master *m);

/* Goes on where the last master stopped. The first packet is read after that. */
void master_take_over(struct master *m);

/* MESSAGE_HAND_OVER: this turn is the last, and everything stays as it is. */
void master_hand_over(struct master *m);

/* master_configure.c */

/* Bounds what CONFIG counts and terminates its strings; false when a count is impossible. */
bool master_config_bound(struct message_master_config *config);

/*
 * Listens as the configuration says; BEFORE is the one that was in effect, NULL at the
 * start. False when something could not be done.
 */
bool master_listen(struct master *m, const struct message_master_config *before);

/* MESSAGE_CONFIGURE */
void master_configure(struct master *m, const struct message_master_config *config,
                      uint64_t now_us);

/* master_icmp.c */

bool master_icmp_create(struct master *m);
void master_icmp_destroy(struct master *m);

/* master_quiet.c */

/* Quiet time for a table that is new, and the timer that tells of its end; false: no memory. */
bool master_quiet_create(struct master *m, bool new_table);
void master_quiet_destroy(struct master *m);
/* MESSAGE_BARRED_PAIRS. */
void master_bar_pairs(struct master *m, const struct message_barred_pairs *pairs, uint64_t now_us);

/* master_end.c */

/* MESSAGE_TERMINATE: no new connections, and an end to those that are there. */
void master_terminate(struct master *m, uint64_t now_us);

/* Says MESSAGE_DRAINED and ends the loop once nothing is open. */
void master_end_check(struct master *m);

#endif
