/*
 * Writing records. Whoever reads stderr, or the journal, may be slow or stand still; this
 * process serves others meanwhile, so what finds no room is lost and counted
 * (log.c says how much once there is some again).
 *
 * Sockets are opened for each record: the journal may be restarted, and a process that
 * forks and closes everything can go on logging.
 */
#include "daemon/log_output.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log_format.h"

#define OLD_US      10000000u /* no record waits longer in a channel */
#define PATIENCE_MS 20        /* for a reader of stderr that has read all up to now */

static struct {
	const char *name;
	enum role role;
	enum log_output output; /* never LOG_OUTPUT_AUTO */
	const char *journal, *syslog;
	bool stuck; /* stderr had no room the last time */
} to = {
	.name = "calmd",
	.output = LOG_OUTPUT_STDERR,
	.journal = "/run/systemd/journal/socket",
	.syslog = "/dev/log",
};

/* True when JOURNAL_STREAM ("device:inode") names stderr. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat status;

	if (stream == NULL || sscanf(stream, "%ju:%ju", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

/* True when what is written to stderr is seen by nobody. */
static bool stderr_is_nowhere(void)
{
	struct stat status;

	return fstat(STDERR_FILENO, &status) < 0 ||
	       (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3));
}

/* ---- ways out: each returns false when the record is lost ---- */

static bool write_stderr(const char *bytes, size_t length)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

	/* No flag can be set for this writer alone, so room is looked for first. */
	to.stuck = poll(&room, 1, to.stuck ? 0 : PATIENCE_MS) == 0;
	if (to.stuck)
		return false;
	for (size_t done = 0; done < length;) {
		ssize_t n = write(STDERR_FILENO, bytes + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno != EAGAIN; /* there is nobody to tell, now or later */
		done += (size_t)n;
	}
	return true;
}

enum delivery {
	DELIVERED,
	DELIVERY_LOST,    /* no room */
	DELIVERY_NOWHERE, /* nobody is there */
};

static enum delivery send_datagram(const char *path, const char *bytes, size_t length)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	enum delivery result = DELIVERY_NOWHERE;

	if (strlen(path) >= sizeof(address.sun_path))
		return result;
	memcpy(address.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return result;
	if (sendto(fd, bytes, length, MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof(address)) >=
	    0)
		result = DELIVERED;
	else if (errno == EAGAIN || errno == ENOBUFS)
		result = DELIVERY_LOST;
	close(fd);
	return result;
}

static bool write_line(const struct log_origin *origin, const struct log_said *said)
{
	char line[LOG_FORMAT_LINE_MAX];

	return write_stderr(line, log_format_line(origin, said, stderr_is_journal(), line));
}

/* True when it was written; false: lost. */
static bool write_record(const struct log_origin *origin, const struct log_said *said)
{
	char bytes[LOG_FORMAT_DATAGRAM_MAX];
	enum delivery delivery;

	switch (to.output) {
	case LOG_OUTPUT_JSON:
		return write_stderr(bytes, log_format_json(origin, said, bytes));
	case LOG_OUTPUT_JOURNAL:
		delivery =
			send_datagram(to.journal, bytes, log_format_journal(origin, said, bytes));
		break;
	case LOG_OUTPUT_SYSLOG:
		delivery = send_datagram(to.syslog, bytes, log_format_syslog(origin, said, bytes));
		break;
	default:
		return write_line(origin, said);
	}
	return delivery == DELIVERY_NOWHERE ? write_line(origin, said) : delivery == DELIVERED;
}

/* The sink of a process that writes itself. */
static bool write_own(const struct message_log *record, const char *text, size_t length)
{
	const struct log_said said = {record, text, length};
	const struct log_origin origin = {
		.name = to.name,
		.role = role_name(to.role),
		.pid = getpid(),
	};

	return write_record(&origin, &said);
}

/* The time that a process says, where that can be. */
static uint64_t believable(uint64_t time_us)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return time_us > now_us || now_us - time_us > OLD_US ? now_us : time_us;
}

void log_relay(enum role role, int pid, const struct message_log *record, const char *text,
               size_t length)
{
	struct message_log checked = *record;
	const struct log_said said = {&checked, text,
	                              length > LOG_LINE_MAX ? LOG_LINE_MAX : length};
	const struct log_origin origin = {
		.name = to.name,
		.role = role_name(role),
		.pid = pid,
		.relayed = true,
	};

	if (!log_wanted(record->level))
		return;
	checked.time_us = believable(record->time_us);
	if (!log_event_from(record->event, role))
		checked.event = LOG_EVENT_NONE;
	log_tell_lost();
	if (!write_record(&origin, &said))
		log_count_lost();
}

/* ---- where to ---- */

void log_output_open(const char *name, enum role role)
{
	to.name = name;
	to.role = role;
	to.output = stderr_is_journal() ? LOG_OUTPUT_JOURNAL : LOG_OUTPUT_STDERR;
	log_set_sink(write_own);
}

void log_output_set(enum log_output output)
{
	if (output == LOG_OUTPUT_AUTO)
		output = stderr_is_journal()   ? LOG_OUTPUT_JOURNAL
		         : stderr_is_nowhere() ? LOG_OUTPUT_SYSLOG
		                               : LOG_OUTPUT_STDERR;
	to.output = output;
}

void log_output_sockets(const char *journal, const char *syslog)
{
	to.journal = journal;
	to.syslog = syslog;
}
