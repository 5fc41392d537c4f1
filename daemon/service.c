/*
 * What systemd is told, and keeps: see service.h. FDPOLL=0 with everything that is
 * kept: otherwise systemd drops a socket or pipe as soon as its other end is gone.
 */
#include "daemon/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/spawn.h"

#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>

/* What was kept, until it is asked for. */
static char **names;
static int count = -1; /* not yet looked */

bool service_managed(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

void service_ready(void)
{
	sd_notify(0, "READY=1");
}

void service_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void service_status(const char *format, ...)
{
	char text[SERVICE_STATUS_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sd_notifyf(0, "STATUS=%s", text);
}

int service_keep(const char *name, int fd)
{
	char state[128];

	snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	int sent = sd_pid_notify_with_fds(0, 0, state, &fd, 1);
	if (sent > 0)
		return 0;
	errno = sent < 0 ? -sent : ENOTSUP;
	return -1;
}

void service_release(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

/* The descriptors begin at SD_LISTEN_FDS_START, in the order of their names. */
static void look(void)
{
	count = sd_listen_fds_with_names(1, &names);
	if (count < 0)
		count = 0;
}

static void forget_name(int i)
{
	free(names[i]);
	names[i] = NULL;
}

/* To where it is in nobody's way: the low numbers are for children (spawn.h). */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_FD_FIRST + SPAWN_FDS_MAX);

	close(fd);
	return moved;
}

int service_kept(const char *name)
{
	if (count < 0)
		look();
	for (int i = 0; i < count; i++) {
		if (names[i] == NULL || strcmp(names[i], name) != 0)
			continue;
		forget_name(i);
		return move_up(SD_LISTEN_FDS_START + i);
	}
	return -1;
}

void service_forget(void)
{
	if (count < 0)
		look();
	for (int i = 0; i < count; i++) {
		if (names[i] == NULL)
			continue;
		forget_name(i);
		close(SD_LISTEN_FDS_START + i);
	}
	free(names);
	names = NULL;
	count = 0;
}

#else

bool service_managed(void)
{
	return false;
}

void service_ready(void)
{
}

void service_alive(void)
{
}

void service_stopping(void)
{
}

void service_status(const char *format, ...)
{
	(void)format;
}

int service_keep(const char *name, int fd)
{
	(void)name;
	(void)fd;
	errno = ENOTSUP;
	return -1;
}

void service_release(const char *name)
{
	(void)name;
}

int service_kept(const char *name)
{
	(void)name;
	return -1;
}

void service_forget(void)
{
}

#endif
