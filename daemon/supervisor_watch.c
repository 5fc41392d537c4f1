/*
 * The supervisor watches the master, and the service manager the supervisor.
 *
 * Once a second the master is asked for a sign of life, which its loop gives
 * (MESSAGE_HEARTBEAT); watch.h decides what silence means. One that hangs is killed,
 * and followed as any that dies of its own fault (supervisor_succession.c): its
 * connections go on. That needs no service manager. Where there is one, it hears of
 * us (WATCHDOG=1) while a master answers or is being replaced; when it does not, it
 * ends this supervisor, and the next one takes over.
 */
#include "daemon/supervisor_watch.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/service.h"
#include "daemon/supervisor_state.h"

/* proc_pid_stat(5): pid (comm) state. False for S, T, Z and what nobody can read. */
static bool is_runnable(pid_t pid)
{
	char path[32], text[128];
	const char *comm_end;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	comm_end = strrchr(text, ')');
	return comm_end != NULL && comm_end[1] == ' ' && strchr("RD", comm_end[2]) != NULL;
}

static uint64_t processor_time_us(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
		return 0;
	return (uint64_t)used.tv_sec * 1000000u + (uint64_t)used.tv_nsec / 1000u;
}

static void look(struct supervisor *s)
{
	pid_t pid = s->master.pid;
	struct watch_sample sample = {.now_us = clock_now_us(), .master = pid != 0};

	if (pid != 0) {
		sample.cpu_us = processor_time_us(pid);
		sample.runnable = is_runnable(pid);
	}
	switch (watch_look(&s->watch, &sample)) {
	case WATCH_ASK:
		watch_asked(&s->watch, &sample);
		channel_send(&s->master.channel, MESSAGE_HEARTBEAT, NULL, 0, NULL, 0);
		return;
	case WATCH_HANGS:
		log_error("master %d does not answer any more, and is killed", (int)pid);
		s->master.violated =
			true; /* its own fault: one packet may do it to the next, too */
		child_kill(&s->master);
		return;
	default:
		return;
	}
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	if (s->stage == END_NOT && !s->master.violated)
		look(s);
	if (s->stage != END_NOT ||
	    watch_is_well(&s->watch)) /* each stage of the end has a deadline */
		service_alive();
}

int watch_init(struct supervisor *s)
{
	static const struct timeval second = {.tv_sec = 1};

	if (event_assign(&s->watch_second, s->base, -1, EV_PERSIST, on_second, s) == 0 &&
	    event_add(&s->watch_second, &second) == 0)
		return 0;
	log_error("no timer to watch the master");
	return -1;
}
