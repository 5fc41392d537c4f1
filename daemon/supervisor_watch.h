/* The watch that the supervisor keeps over the master: see supervisor_watch.c. */
#ifndef DAEMON_SUPERVISOR_WATCH_H
#define DAEMON_SUPERVISOR_WATCH_H

#include "daemon/watch.h"

struct supervisor;

/* From now on the master is watched; masters come and go. -1 when a line was logged. */
int watch_init(struct supervisor *s);

#endif
