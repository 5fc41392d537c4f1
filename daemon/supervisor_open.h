/*
 * What the supervisor needs before it can begin, and what it opens at the start
 * (supervisor_open.c). Private to supervisor*.c.
 */
#ifndef DAEMON_SUPERVISOR_OPEN_H
#define DAEMON_SUPERVISOR_OPEN_H

#include "daemon/supervisor_state.h"

/*
 * Notes the limit of descriptors as it is, for workers and sessions, and raises it, before
 * there are many of them. -1 when a line was logged.
 */
int supervisor_raise_limits(struct supervisor *s);

/* Users, programs: what a supervisor needs before it has anything. -1 when a line was logged. */
int supervisor_prepare(struct supervisor *s);

/* Opens everything in `kept`; -1 when a line was logged. */
int supervisor_open(struct supervisor *s);

/* Closes what supervisor_open() opened and takes the control socket away. */
void supervisor_close(struct supervisor *s);

/* Room for the descriptors that CONFIG may need, here and in the master. 0, or -1 with errno. */
int limits_raise(struct supervisor *s, const struct config *config);

/* CONFIG as the master has it; what else stands in *MASTER stays. */
void master_config_fill(const struct config *config, struct message_master_config *master);

#endif
