/*
 * The master's loop: what every turn ends with, and the timers.
 *
 * A turn begins with one libevent callback (a lane, a worker's channel, the
 * control socket, a message, a timer) that calls the engine, and ends in
 * master_settle(). The engine's timers are one here; it is only set anew when
 * the engine's deadline has come nearer or it has gone off, so that a deadline
 * that keeps moving away costs nothing.
 *
 * A deadline that is far (retransmission, keepalive, a delayed ACK) waits in the
 * loop, which is free but knows no more than milliseconds of the kernel's coarse
 * clock: a timer that goes off early is set again. A near one, such as pacing has
 * a thousand times a second, gets a timer descriptor, exact to some microseconds
 * and a system call each. Keystrokes have no near deadlines.
 *
 * System calls: timerfd_settime.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/call.h"
#include "daemon/link.h"
#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"

/* Times that a turn looks at rings once more before others have theirs. */
#define SLEEP_ROUNDS 4
/* Below that the loop's clock would be too late by too much. */
#define NEAR_US 20000u

/* Exact: on the clock that the engine's times are of. */
static bool set_near_timer(const struct master *m, uint64_t deadline_us)
{
	struct itimerspec at = {0};

	at.it_value.tv_sec = (time_t)(deadline_us / 1000000u);
	at.it_value.tv_nsec = (long)(deadline_us % 1000000u) * 1000 + 1; /* all zero: off */
	return timerfd_settime(m->near_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0;
}

static void set_timer(struct master *m, uint64_t now_us)
{
	uint64_t deadline = stack_deadline(m->stack);
	uint64_t wait_us;
	struct timeval tv;

	if (deadline >= m->armed_us)
		return;
	m->armed_us = deadline;
	wait_us = deadline > now_us ? deadline - now_us : 0;
	if (wait_us < NEAR_US && set_near_timer(m, deadline))
		return;
	tv.tv_sec = (time_t)(wait_us / 1000000u);
	tv.tv_usec = (suseconds_t)(wait_us % 1000000u);
	evtimer_add(m->timer, &tv);
}

void master_settle(struct master *m, uint64_t now_us)
{
	int rounds = 0;

	do
		link_flush(m->link, now_us);
	while (master_proxy_settle(m, now_us) | pool_settle(m->pool, now_us));
	call_settle(m->calls);
	while (pool_sleep(m->pool, now_us)) {
		link_flush(m->link, now_us);
		if (++rounds == SLEEP_ROUNDS) {
			event_active(m->again, EV_TIMEOUT, 0);
			break;
		}
	}
	if (rounds > 0 && pool_settle(m->pool, now_us))
		link_flush(m->link, now_us);
	if (m->phase == PHASE_END)
		master_end_check(m);
	set_timer(m, now_us);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	uint64_t now_us = master_now_us();

	(void)fd;
	(void)what;
	m->armed_us = UINT64_MAX;
	stack_timers(m->stack, now_us);
	master_settle(m, now_us);
}

/* Edge-triggered: the descriptor need not be read, which would be a call more. */
static bool create_near_timer(struct master *m)
{
	m->near_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (m->near_fd < 0)
		return false;
	m->near_timer = event_new(m->base, m->near_fd, EV_READ | EV_ET | EV_PERSIST, on_timer, m);
	return m->near_timer != NULL && event_add(m->near_timer, NULL) == 0;
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	master_settle(arg, master_now_us());
}

bool master_loop_create(struct master *m)
{
	m->armed_us = UINT64_MAX;
	m->timer = evtimer_new(m->base, on_timer, m);
	m->again = event_new(m->base, -1, 0, on_again, m);
	if (m->timer != NULL && m->again != NULL && create_near_timer(m))
		return true;
	log_error("cannot make the master's timers: %s", strerror(errno));
	return false;
}

void master_loop_destroy(struct master *m)
{
	if (m->timer != NULL)
		event_free(m->timer);
	if (m->near_timer != NULL)
		event_free(m->near_timer);
	if (m->near_fd >= 0)
		close(m->near_fd);
	if (m->again != NULL)
		event_free(m->again);
	if (m->closed_timer != NULL)
		event_free(m->closed_timer);
	if (m->end_timer != NULL)
		event_free(m->end_timer);
}

void master_loop_run(struct master *m)
{
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

	while (event_base_loop(m->base, flags) == 0 && !event_base_got_break(m->base)) {
		bool awake = dialogue_waits(&m->dialogue, master_now_us());

		flags = EVLOOP_NO_EXIT_ON_EMPTY | (awake ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
	}
}

/*
 * Blocks where the channel is full: the supervisor reads it always, and what is
 * said here must not be lost.
 */
void master_tell(struct master *m, enum message_type type, const void *payload, size_t length)
{
	if (message_send(m->channel, type, payload, length, NULL, 0, 0) == 0)
		return;
	log_error("cannot tell the supervisor %s: %s", message_name(type), strerror(errno));
	master_stop(m, 1);
}

void master_stop(struct master *m, int status)
{
	m->stopped = true;
	m->status = status;
	event_base_loopbreak(m->base);
}
