/*
 * One line of log at a time, from any process, to where it belongs: stderr in
 * the supervisor, the channel to the supervisor everywhere else.
 *
 * The journal takes a level from a "<N>" in front of each line (sd-daemon(3));
 * it is written only when JOURNAL_STREAM names the very file that stderr is
 * (systemd.exec(5)). What other processes say is escaped, so that nobody on the
 * network can write lines of their own or drive the administrator's terminal.
 */
#include "daemon/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/message.h"

/* A name, a number, a level, and every byte as \xHH. */
#define OUTPUT_MAX (64 + 4 * LOG_LINE_MAX)

static struct {
	enum log_level level;
	const char *name; /* of a process that logs to stderr */
	int channel;      /* -1: stderr */
	bool journal;
	unsigned lost; /* lines that the channel had no room for */
} log_state = {
	.level = LOG_LEVEL_INFO,
	.name = "calmd",
	.channel = -1,
};

void log_set_level(enum log_level level)
{
	log_state.level = level;
}

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

void log_to_stderr(const char *name)
{
	log_state.name = name;
	log_state.channel = -1;
	log_state.journal = stderr_is_journal();
}

void log_to_channel(int channel)
{
	log_state.channel = channel;
}

/* The level's priority in syslog(3). */
static int priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return 3;
	case LOG_LEVEL_WARNING:
		return 4;
	case LOG_LEVEL_INFO:
		return 6;
	default:
		return 7;
	}
}

/* Writes HEAD and the escaped TEXT to stderr, as one line in one write. */
static void write_line(enum log_level level, const char *head, const char *text, size_t length,
                       bool ascii_only)
{
	char line[OUTPUT_MAX];
	size_t used = 0;

	if (log_state.journal)
		used += (size_t)snprintf(line, sizeof(line), "<%d>", priority(level));
	used += (size_t)snprintf(line + used, sizeof(line) - used, "%.48s: ", head);
	for (size_t i = 0; i < length && used + 6 < sizeof(line); i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7f || (ascii_only && c > 0x7e))
			used += (size_t)snprintf(line + used, sizeof(line) - used, "\\x%02x", c);
		else
			line[used++] = (char)c;
	}
	line[used++] = '\n';
	for (size_t done = 0; done < used;) {
		ssize_t n = write(STDERR_FILENO, line + done, used - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* there is nobody to tell */
		done += (size_t)n;
	}
}

/* Sends one line to the supervisor; false when there was no room. */
static bool send_line(enum log_level level, const char *text, size_t length)
{
	struct {
		struct message_log log;
		char text[LOG_LINE_MAX];
	} payload = {.log = {.level = level}};

	if (length > sizeof(payload.text))
		length = sizeof(payload.text);
	memcpy(payload.text, text, length);
	return message_send(log_state.channel, MESSAGE_LOG, &payload, sizeof(payload.log) + length,
	                    NULL, 0, MSG_DONTWAIT) == 0;
}

static void log_line(enum log_level level, const char *format, va_list arguments)
{
	char text[LOG_LINE_MAX + 1];
	int cause = errno;

	if (level > log_state.level)
		return;
	int n = vsnprintf(text, sizeof(text), format, arguments);
	size_t length = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	if (log_state.channel < 0) {
		write_line(level, log_state.name, text, length, false);
	} else {
		if (log_state.lost > 0) {
			char note[64];
			int m = snprintf(note, sizeof(note), "%u lines of log were lost",
			                 log_state.lost);
			if (send_line(LOG_LEVEL_WARNING, note, (size_t)m))
				log_state.lost = 0;
		}
		if (!send_line(level, text, length))
			log_state.lost++;
	}
	errno = cause;
}

#define LOG_AT(level)                                                                              \
	do {                                                                                       \
		va_list arguments;                                                                 \
		va_start(arguments, format);                                                       \
		log_line(level, format, arguments);                                                \
		va_end(arguments);                                                                 \
	} while (0)

void log_error(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_ERROR);
}

void log_warning(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_WARNING);
}

void log_info(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_INFO);
}

void log_debug(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_DEBUG);
}

void log_relay(enum log_level level, const char *name, int pid, const char *text, size_t length)
{
	char head[48];

	if (level > log_state.level)
		return;
	if (length > LOG_LINE_MAX)
		length = LOG_LINE_MAX;
	snprintf(head, sizeof(head), "%s[%s %d]", log_state.name, name, pid);
	write_line(level, head, text, length, true);
}
