/*
 * The supervisor: root, without any input from the network. It opens what needs
 * rights, starts and watches the other processes, and keeps every descriptor that
 * must outlive the master. Theory of operation in supervisor.c.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include "daemon/config.h"
#include "daemon/registry.h"

/* Arguments that an upgrade hands on: calmd takes no more than that. */
#define SUPERVISOR_ARGUMENTS_MAX 512

struct supervisor_start {
	struct config_source *source; /* read again on SIGHUP, and then changed */
	struct config *config;        /* the same */
	char **arguments; /* as main() has them, without a role; an upgrade hands them on */
	const struct registry *registry; /* what is gone on with; NULL: a fresh start */
};

/* Runs until it is told to end (SIGTERM, SIGINT); returns the exit status. */
int supervisor_run(const struct supervisor_start *start);

/*
 * The text of the configuration that was in effect in a supervisor which has left
 * something to go on with, to be freed; NULL when there is none. For a start whose own
 * configuration is wrong.
 */
char *supervisor_last_configuration(void);

/* With --role=check, what it says last when everything is well: this, and its version. */
#define SUPERVISOR_CHECKED "checked: "

/*
 * Whether this program could go on where the supervisor is that has started it, with
 * its registry as SPAWN_FD_FIRST, and with the configuration in SOURCE. Returns the
 * exit status, 0 when it could.
 */
int supervisor_check(const struct config_source *source);

#endif
