/*
 * The master's orderly end. The workers have been told by the supervisor too:
 * each ends its session, writes what is left and sets tx_fin, and its connection
 * closes. What nobody will ever serve is closed here. Whatever is still open
 * after END_WAIT_S is reset; so is, sooner, what has all been delivered and only
 * waits for the peer's FIN (FIN-WAIT-2), when nothing else is left to wait for.
 * TIME-WAIT entries need nothing more: the supervisor sees to them.
 */
#include <event2/event.h>

#include "daemon/link.h"
#include "daemon/log.h"
#include "daemon/master_state.h"

#define END_WAIT_S 5

void master_end_check(struct master *m)
{
	struct stack_usage usage;

	stack_usage(m->stack, &usage);
	if (usage.open != 0)
		return;
	master_tell(m, MESSAGE_DRAINED, NULL, 0);
	master_stop(m, 0);
}

/* RST for what is still open. */
static void reset_all(struct master *m, uint64_t now_us)
{
	struct conn_info info;
	uint32_t cursor = 0, count = 0;

	while (stack_next(m->stack, &cursor, &info)) {
		if (info.state == TCP_LISTEN || info.state == TCP_TIME_WAIT)
			continue;
		if (stack_abort(m->stack, info.id, now_us))
			count++;
		if (stack_output_pressing(m->stack))
			link_flush(m->link, now_us);
	}
	link_flush(m->link, now_us);
	log_info("%u connections whose peers did not close them were reset", count);
}

/* True when a connection has something left to deliver or to acknowledge. */
static bool is_busy(struct master *m)
{
	struct conn_info info;
	uint32_t cursor = 0;

	while (stack_next(m->stack, &cursor, &info)) {
		if (info.state != TCP_LISTEN && info.state != TCP_FIN_WAIT_2 &&
		    info.state != TCP_TIME_WAIT)
			return true;
	}
	return false;
}

/* Once a second. */
static void on_end_timer(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	uint64_t now_us = master_now_us();

	(void)fd;
	(void)what;
	if (now_us < m->end_us && is_busy(m))
		return;
	reset_all(m, now_us);
	master_tell(m, MESSAGE_DRAINED, NULL, 0);
	master_stop(m, 0);
}

void master_terminate(struct master *m, uint64_t now_us)
{
	static const struct timeval second = {.tv_sec = 1};
	struct conn_info info;
	uint32_t cursor = 0;

	if (m->taking_in) {
		m->terminate_asked = true;
		return;
	}
	if (m->phase == PHASE_END)
		return;
	m->phase = PHASE_END;
	stack_accepting(m->stack, false);
	/* The cursor names a slot: closing what it has shown does not disturb the walk. */
	while (stack_next(m->stack, &cursor, &info)) {
		if (info.waiting || info.state == TCP_SYN_SENT)
			stack_close(m->stack, info.id, now_us);
		if (stack_output_pressing(m->stack))
			link_flush(m->link, now_us);
	}
	m->end_us = now_us + END_WAIT_S * UINT64_C(1000000);
	m->end_timer = event_new(m->base, -1, EV_PERSIST, on_end_timer, m);
	if (m->end_timer == NULL || event_add(m->end_timer, &second) != 0) {
		reset_all(m, now_us);
		master_stop(m, 0);
	}
}
