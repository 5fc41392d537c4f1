/*
 * Starting the other processes: each from a descriptor of its program, opened
 * once, with exactly the descriptors it is meant to have.
 */
#ifndef DAEMON_SPAWN_H
#define DAEMON_SPAWN_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Descriptors below this number are kept free for children: see spawn_reserve(). */
#define SPAWN_FD_FIRST 3
#define SPAWN_FDS_MAX  6

struct spawn {
	int program;             /* executable, opened with O_PATH | O_CLOEXEC */
	const char *const *argv; /* NULL at the end */
	const int *fds;          /* become SPAWN_FD_FIRST, and so on */
	unsigned fd_count;
	const struct rlimit *files; /* RLIMIT_NOFILE of the child; NULL: as here */
	int standard_error;         /* its own; 0: as the others have it */
};

/*
 * Once at the start, before signals are handled. Signals that whoever started
 * this process ignored no longer are; standard input and output become
 * /dev/null (children have the same), and the numbers that children's descriptors
 * get are occupied, so that no descriptor of ours is in the way of a dup2(). With
 * QUIET_CHILDREN their standard error is /dev/null, too. 0, or -1 with errno.
 */
int spawn_reserve(bool quiet_children);

/*
 * Starts the child; every descriptor of this process is close-on-exec, so it has
 * no others. Returns its pid, or -1 with errno.
 */
pid_t spawn(const struct spawn *child);

/*
 * Becomes another program (executable, opened with O_PATH | O_CLOEXEC), which has
 * this one's environment, standard error, and FD as SPAWN_FD_FIRST. All signals are
 * blocked then, so that none is lost before the program can take them. Returns only
 * when that fails, with errno, and then everything is as before.
 */
void spawn_become(int program, const char *const *argv, int fd);

#endif
