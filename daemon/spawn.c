/*
 * Starting the other processes.
 *
 * A worker serves one connection, so that a process is started for every login:
 * the child shares our memory until it has called execveat(2) (as vfork(2), but
 * on a stack of its own), which costs no copy of page tables, and does only what
 * must be done in between. There is one thread here, so one stack will do.
 */
#include "daemon/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES (128 * 1024)

static _Alignas(16) uint8_t child_stack[STACK_BYTES];
static int null_fd = -1;
static bool quiet;

struct start {
	const struct spawn *child;
	sigset_t none;
	int error; /* of what failed in the child */
};

/* A shell that starts us in the background ignores signals that sessions need. */
static void forget_signals(void)
{
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* not KILL and STOP, and what libc keeps */
}

int spawn_reserve(bool quiet_children)
{
	int fd;

	quiet = quiet_children;
	forget_signals();
	/* Whatever we were started with is not for our children. */
	if (close_range(SPAWN_FD_FIRST, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return -1;
	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd < SPAWN_FD_FIRST + SPAWN_FDS_MAX);
	if (fd < 0)
		return -1;
	null_fd = fd;
	return dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ? -1 : 0;
}

/* In the child: signals as a fresh process has them. */
static void reset_signals(const sigset_t *none)
{
	static const int changed[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGUSR1, SIGUSR2};

	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++)
		signal(changed[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, none, NULL);
}

/* The child, in our memory: whatever it writes, we see. */
static int child_main(void *arg)
{
	static const char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct start *start = arg;
	const struct spawn *child = start->child;

	reset_signals(&start->none);
	/* A terminal's Ctrl-C is for the supervisor alone, which ends the others in order. */
	setsid();
	for (unsigned i = 0; i < child->fd_count; i++) {
		if (dup2(child->fds[i], SPAWN_FD_FIRST + (int)i) < 0)
			goto failed;
	}
	int standard_error = child->standard_error > 0 ? child->standard_error
	                     : quiet                   ? null_fd
	                                               : STDERR_FILENO;
	if (dup2(standard_error, STDERR_FILENO) < 0)
		goto failed;
	if (child->files != NULL && setrlimit(RLIMIT_NOFILE, child->files) < 0)
		goto failed;
	syscall(SYS_execveat, child->program, "", child->argv, environment, AT_EMPTY_PATH);
failed:
	start->error = errno;
	_exit(127);
}

pid_t spawn(const struct spawn *child)
{
	struct start start = {.child = child};
	sigset_t all, mask;

	if (child->fd_count > SPAWN_FDS_MAX || null_fd < 0) {
		errno = EINVAL;
		return -1;
	}
	sigemptyset(&start.none);
	/* No handler of ours may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pid_t pid = clone(child_main, child_stack + sizeof(child_stack),
	                  CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
	int cause = errno;
	if (pid > 0 && start.error != 0) {
		waitpid(pid, NULL, 0);
		cause = start.error;
		pid = -1;
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	errno = cause;
	return pid;
}

void spawn_become(int program, const char *const *argv, int fd)
{
	sigset_t all, mask;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	if (dup2(fd, SPAWN_FD_FIRST) >= 0)
		syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
	int cause = errno;
	dup3(null_fd, SPAWN_FD_FIRST, O_CLOEXEC);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	errno = cause;
}
