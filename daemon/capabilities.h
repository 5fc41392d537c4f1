/*
 * What the supervisor may do as root.
 */
#ifndef DAEMON_CAPABILITIES_H
#define DAEMON_CAPABILITIES_H

#include <stdbool.h>

/*
 * Gives up every capability of this process that the lists in capabilities.c do not name; one
 * that they name and that is not there stays away. Where SESSIONS_ELSEWHERE, since
 * somebody else starts the opener, no program that is executed from now on can have more than
 * that either. 0, or -1 with errno.
 */
int capabilities_drop(bool sessions_elsewhere);

#endif
