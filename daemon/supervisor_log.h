/*
 * What children say for the log, as the supervisor takes it in: checked, limited,
 * written. Part of supervisor_state.h.
 */
#ifndef DAEMON_SUPERVISOR_LOG_H
#define DAEMON_SUPERVISOR_LOG_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/log_limit.h"
#include "daemon/message.h"

struct child;
struct supervisor;

/* Of one child. */
struct child_log {
	pid_t pid; /* known when it has ended, too; of one that is no child, as it says */
	struct log_bucket bucket;
	uint64_t said_us; /* when it was last said that it says too much; 0: never */
};

/* What is left out. */
struct supervisor_log {
	struct log_limit limit; /* of what workers and opener say of clients */
	uint64_t processes;     /* records of processes above their own limits */
	struct event report;    /* when that will be told */
	bool reporting;         /* it is set */
};

void supervisor_log_init(struct supervisor *s);

/* The child is PID: nothing has come from it yet. */
void supervisor_log_child(struct child_log *log, pid_t pid);

/* MESSAGE_LOG of CHILD: written, or left out and counted. One that is malformed ends the child. */
void supervisor_log(struct child *child, const struct message *message);

/* Says what was left out a while ago; with ALL everything that was. */
void supervisor_log_report(struct supervisor *s, bool all);

#endif
