/*
 * Ending in order: first everybody is told; when the workers have ended, their
 * connections' last output is with the master, which ends when every connection
 * has; then nobody needs the opener. Each stage has a deadline, after which what
 * is left of it is killed. Being told a second time shortens them.
 */
#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/service.h"
#include "daemon/supervisor_opener.h"
#include "daemon/supervisor_state.h"

#define WORKERS_SECONDS 6
#define MASTER_SECONDS  6
#define OPENER_SECONDS  5
#define HURRY_US        200000

static void terminate_worker(struct supervisor *s, struct worker *worker)
{
	(void)s;
	child_terminate(&worker->child);
}

static void kill_worker(struct supervisor *s, struct worker *worker)
{
	(void)s;
	child_kill(&worker->child);
}

static bool stage_is_over(const struct supervisor *s)
{
	switch (s->stage) {
	case END_WORKERS:
		return s->workers.alive == 0;
	case END_MASTER:
		return s->master.pid == 0;
	case END_OPENER:
		return !opener_is_there(s);
	default:
		return false;
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	if (s->stage == END_WORKERS) {
		log_warning("%u workers did not end in time and are killed", s->workers.alive);
		workers_each(s, kill_worker);
	} else if (s->stage == END_MASTER) {
		log_warning("the master did not end in time and is killed");
		child_kill(&s->master);
	} else if (s->stage == END_OPENER) {
		log_warning("the opener did not end in time");
		opener_abandon(s);
	}
}

static void set_deadline(struct supervisor *s)
{
	struct timeval left = {0, HURRY_US};

	if (!s->hurry) {
		left.tv_usec = 0;
		left.tv_sec = s->stage == END_WORKERS  ? WORKERS_SECONDS
		              : s->stage == END_MASTER ? MASTER_SECONDS
		                                       : OPENER_SECONDS;
	}
	evtimer_add(&s->deadline, &left);
}

void end_step(struct supervisor *s)
{
	while (s->stage != END_NOT && s->stage != END_DONE && stage_is_over(s)) {
		s->stage++;
		if (s->stage == END_OPENER)
			child_terminate(&s->opener);
		if (s->stage != END_DONE)
			set_deadline(s);
	}
	if (s->stage == END_DONE)
		event_base_loopbreak(s->base);
}

void end_begin(struct supervisor *s, int status)
{
	if (s->stage != END_NOT) {
		s->hurry = true;
		set_deadline(s);
		return;
	}
	s->status = status;
	s->stage = END_WORKERS;
	service_stopping();
	evtimer_assign(&s->deadline, s->base, on_deadline, s);
	evtimer_del(&s->workers.upkeep);
	upgrade_end(s);
	master_needed(s);
	child_terminate(&s->master);
	workers_each(s, terminate_worker);
	set_deadline(s);
	end_step(s);
}
