/*
 * Where a process that writes its records itself puts them, and those of others: the supervisor
 * under every circumstance, an opener where it is a unit of its own. Links libc only.
 */
#ifndef DAEMON_LOG_OUTPUT_H
#define DAEMON_LOG_OUTPUT_H

#include "daemon/log_record.h"

/* The configuration's `log-to`. */
enum log_output {
	/*
	 * The journal where JOURNAL_STREAM names the very file that stderr is (systemd.exec(5)),
	 * syslog where stderr is closed or /dev/null, else stderr.
	 */
	LOG_OUTPUT_AUTO,
	LOG_OUTPUT_STDERR,  /* a line a record */
	LOG_OUTPUT_JSON,    /* a JSON object a record, on stderr */
	LOG_OUTPUT_JOURNAL, /* the journal's own socket; stderr when there is none */
	LOG_OUTPUT_SYSLOG,  /* syslog's own socket; stderr when there is none */
	LOG_OUTPUTS
};

/*
 * This process writes its records itself, as NAME in the role ROLE: to the journal
 * where that is stderr, else to stderr as lines, until log_output_set().
 */
void log_output_open(const char *name, enum role role);

/* Where they go from now on. */
void log_output_set(enum log_output output);

/*
 * Writes a record that another process, PID of ROLE, has sent; log_record_valid() holds for it. An
 * event that is not ROLE's to report loses its kind. Never blocks: what cannot be written at once
 * is lost, and counted.
 */
void log_relay(enum role role, int pid, const struct message_log *record, const char *text,
               size_t length);

/* For tests: the sockets of journal and syslog, instead of those of the system. */
void log_output_sockets(const char *journal, const char *syslog);

#endif
