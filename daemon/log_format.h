/*
 * A record of the log as text: a line for people, a JSON object, the journal's native format, a
 * datagram for syslog. All bytes that a terminal or a parser could take for something else are
 * escaped, as \xHH.
 */
#ifndef DAEMON_LOG_FORMAT_H
#define DAEMON_LOG_FORMAT_H

#include "daemon/log_record.h"

/* A line or an object is never longer: so much fits into a pipe at once (pipe(7), PIPE_BUF). */
#define LOG_FORMAT_LINE_MAX 4096
/* What goes to the journal or to syslog is never longer. */
#define LOG_FORMAT_DATAGRAM_MAX 8192

/* Who says it. */
struct log_origin {
	const char *name; /* the daemon's: "calmd" */
	const char *role; /* "supervisor" */
	int pid;
	bool relayed; /* another process says it, and may have been taken over */
};

/* A record, with its text of LENGTH bytes. */
struct log_said {
	const struct message_log *record;
	const char *text;
	size_t length;
};

/*
 * Each writes to BUFFER and returns how many bytes; what has no room is cut from the text, and
 * what is written is well-formed nevertheless. The line and the object end with a newline.
 * PRIORITY: the line begins with "<N>" (sd-daemon(3)).
 */
size_t log_format_line(const struct log_origin *origin, const struct log_said *said, bool priority,
                       char buffer[LOG_FORMAT_LINE_MAX]);
size_t log_format_json(const struct log_origin *origin, const struct log_said *said,
                       char buffer[LOG_FORMAT_LINE_MAX]);
size_t log_format_journal(const struct log_origin *origin, const struct log_said *said,
                          char buffer[LOG_FORMAT_DATAGRAM_MAX]);
size_t log_format_syslog(const struct log_origin *origin, const struct log_said *said,
                         char buffer[LOG_FORMAT_DATAGRAM_MAX]);

#endif
