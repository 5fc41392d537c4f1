/*
 * The supervisor: root, without any input from the network. It opens what needs
 * rights, starts and watches the other processes, and keeps every descriptor that
 * must outlive the master. Theory of operation in supervisor.c.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include "daemon/config.h"

/*
 * Runs with *CONFIG, which came from SOURCE, until it is told to end (SIGTERM,
 * SIGINT); returns the exit status. Reads SOURCE again on SIGHUP, and then
 * changes both.
 */
int supervisor_run(struct config_source *source, struct config *config);

#endif
