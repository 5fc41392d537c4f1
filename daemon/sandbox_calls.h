/*
 * The system calls that master and worker may make, and the filters that see to it.
 */
#ifndef DAEMON_SANDBOX_CALLS_H
#define DAEMON_SANDBOX_CALLS_H

#include "daemon/message.h"
#include "daemon/sandbox.h"

/*
 * The filter of ROLE, which is ROLE_MASTER or ROLE_WORKER. The master's is for the process
 * that makes it: it names its pid. 0, or -1 with errno. A build without a sandbox makes
 * one of no length.
 */
int sandbox_build(enum role role, struct sandbox_filter *filter);

#define SANDBOX_CALL_MAX 48

/* "socket (41)": the call that was not allowed, in BUFFER. */
const char *sandbox_call_text(const struct message_violation *violation,
                              char buffer[SANDBOX_CALL_MAX]);

/* True when this build has a sandbox. */
bool sandbox_exists(void);

#endif
