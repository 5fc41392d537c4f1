/*
 * The opener's keepers, until they are reaped.
 *
 * A keeper that ends by itself has written utmp and wtmp. One that was killed has
 * not: its worker sees it go, and lets go of the pty, so that the session is hung up;
 * but login's own parent was the keeper, and nobody would say that the session is
 * over. The opener knows the pts of each keeper, utmp has the pid of its login, and a
 * pidfd tells when that has ended.
 *
 * Any local user can hold a lock on utmp, for which writing an entry then waits ten
 * seconds: so a process of its own does that, and never the opener.
 *
 * An opener that is killed leaves its keepers alone, and they go on; only what those
 * of them leave that are killed, too, waits for the next opener's start.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "shell/opener.h"

struct keeper {
	LIST_ENTRY(keeper) entry;
	int pid;       /* 0: it was killed */
	int login_fd;  /* then: the pidfd of its login */
	int login_pid; /* and its pid */
	unsigned number;
};

#define BUCKETS 256u

static LIST_HEAD(bucket, keeper) keepers[BUCKETS]; /* by pid */
static struct bucket killed;                       /* whose login has not ended yet */

static int epoll = -1, children = -1;

static void sweep(void)
{
	if (fork() == 0) {
		login_record_sweep();
		_exit(0);
	}
}

static void record_end(unsigned number, int pid)
{
	if (fork() == 0) {
		login_record_end_of(number, pid);
		_exit(0);
	}
}

int keepers_start(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &child, NULL) < 0)
		return -1;
	children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (children < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, children, &event) < 0)
		return -1;
	sweep();
	return epoll;
}

void keepers_add(int pid, unsigned number)
{
	struct keeper *keeper = malloc(sizeof(*keeper));

	/* Then its entry is as it would be with nobody to finish it: until the next start. */
	if (keeper == NULL)
		return;
	*keeper = (struct keeper){.pid = pid, .login_fd = -1, .number = number};
	LIST_INSERT_HEAD(&keepers[(unsigned)pid % BUCKETS], keeper, entry);
}

/* Somebody has pts/NUMBER by now; its entry is theirs. */
static bool taken_again(const struct keeper *by)
{
	const struct keeper *keeper;

	for (unsigned i = 0; i < BUCKETS; i++) {
		LIST_FOREACH (keeper, &keepers[i], entry) {
			if (keeper->number == by->number && keeper != by)
				return true;
		}
	}
	return false;
}

static void finish(struct keeper *keeper)
{
	if (!taken_again(keeper))
		record_end(keeper->number, keeper->login_pid);
	LIST_REMOVE(keeper, entry);
	if (keeper->login_fd >= 0) {
		/* A child just forked still has it open, so closing it is not enough. */
		epoll_ctl(epoll, EPOLL_CTL_DEL, keeper->login_fd, NULL);
		close(keeper->login_fd);
	}
	free(keeper);
}

/* Was killed: its session is hung up as it would have done, and its end waited for. */
static void take_over(struct keeper *keeper)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = keeper};

	log_warning("the keeper of pts/%u was killed", keeper->number);
	keeper->pid = 0;
	keeper->login_pid = taken_again(keeper) ? 0 : login_record_pid(keeper->number);
	if (keeper->login_pid > 0)
		keeper->login_fd = pidfd_open(keeper->login_pid, 0);
	if (keeper->login_fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, keeper->login_fd, &event) < 0) {
		finish(keeper);
		return;
	}
	pidfd_send_signal(keeper->login_fd, SIGHUP, NULL, 0);
	LIST_REMOVE(keeper, entry);
	LIST_INSERT_HEAD(&killed, keeper, entry);
}

static void reap(void)
{
	struct signalfd_siginfo info;
	struct keeper *keeper;
	int status, pid;

	while (read(children, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		LIST_FOREACH (keeper, &keepers[(unsigned)pid % BUCKETS], entry) {
			if (keeper->pid == pid)
				break;
		}
		if (keeper == NULL)
			continue;
		if (!WIFEXITED(status)) {
			take_over(keeper);
			continue;
		}
		LIST_REMOVE(keeper, entry);
		free(keeper);
	}
}

void keepers_ready(void)
{
	struct epoll_event events[16];
	int count = epoll_wait(epoll, events, 16, 0);

	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == NULL)
			reap();
		else
			finish(events[i].data.ptr);
	}
}
