/*
 * The sandbox of master and worker: from sandbox_enter() on, a system call that is
 * not in the list of sandbox_calls.c is not made; it ends the process, and the
 * supervisor learns which it was. Links libc only.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <linux/filter.h>
#include <stdint.h>

/* Instructions that a filter may have; a worker's comes in one message. */
#define SANDBOX_FILTER_MAX 512u

/* What a process ends with that the sandbox has ended. */
#define SANDBOX_EXIT 159

/* A program for seccomp(2), which the supervisor makes (sandbox_calls.h). */
struct sandbox_filter {
	uint32_t length; /* in instructions; 0: built without a sandbox */
	struct sock_filter code[SANDBOX_FILTER_MAX];
};

/*
 * Limits of this process, for good: no child, no core dump, no byte into a file, and, where
 * FILES is not 0, so many descriptors. 0, or -1 with errno and *WHAT naming the limit.
 */
int sandbox_limit(uint32_t files, const char **what);

/*
 * Enters it for good; privileges_drop() comes before. A call that is not allowed is reported
 * over CHANNEL as MESSAGE_VIOLATION, and ends the process with SANDBOX_EXIT. LENGTH
 * instructions of CODE; none are a build without a sandbox. 0, or -1 with errno: the
 * caller must exit.
 */
int sandbox_enter(const struct sock_filter *code, uint32_t length, int channel);

#endif
