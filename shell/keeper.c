/*
 * A keeper: the parent of one session's login. It waits for the session to end
 * and tells the worker; when the worker's channel hangs up first it hangs the
 * session up. It writes utmp and wtmp, and reads in utmp who has logged in when the
 * worker asks.
 *
 * It needs no signal handler: the child's end comes through a pidfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shell/opener.h"
#include "shell/title.h"

#define KILL_AFTER_MS 5000 /* a session that SIGHUP does not end is killed after */
#define ASKS_A_SECOND 16   /* more often no worker of ours asks who has logged in */

/* The keeper's descriptors, at fixed places. */
#define KEEPER_FD_CHANNEL 3
#define KEEPER_FD_SLAVE   4

/* Puts the keeper's two descriptors where they belong and closes all others. */
static int keep_descriptors(int channel, int slave)
{
	/* Clear of the targets first, as either may stand where the other goes. */
	int high_channel = fcntl(channel, F_DUPFD_CLOEXEC, KEEPER_FD_SLAVE + 1);
	int high_slave = fcntl(slave, F_DUPFD_CLOEXEC, KEEPER_FD_SLAVE + 1);

	if (high_channel < 0 || high_slave < 0 ||
	    dup3(high_channel, KEEPER_FD_CHANNEL, O_CLOEXEC) < 0 ||
	    dup3(high_slave, KEEPER_FD_SLAVE, O_CLOEXEC) < 0)
		return -1;
	return close_range(KEEPER_FD_SLAVE + 1, ~0u, 0);
}

/*
 * Forks login. vfork(2) saves copying a process that is replaced at once; until
 * then the child works in the keeper's memory, while the keeper stands still. The
 * child does not return from here.
 */
static pid_t fork_login(const struct keeping *keeping)
{
	pid_t pid = vfork();
	if (pid == 0) {
		login_record_start(keeping->pty.number, getpid(), &keeping->request->peer);
		login_exec(keeping->login, keeping->request, KEEPER_FD_SLAVE);
	}
	return pid;
}

/*
 * Hangs the session up: its foreground group gets SIGHUP from the kernel when
 * the pty's master is closed; the leader may have it from here already. SIGCONT
 * wakes what is stopped, so that it can end.
 */
static void hang_up(pid_t leader)
{
	kill(leader, SIGHUP);
	kill(-leader, SIGHUP);
	kill(leader, SIGCONT);
	kill(-leader, SIGCONT);
}

/* Whoever runs a worker must not keep us busy. */
static bool asks_too_often(void)
{
	static time_t second;
	static unsigned asked;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != second)
		asked = 0;
	second = now.tv_sec;
	return ++asked > ASKS_A_SECOND;
}

/* The privileged answer to priv_find_user. */
static void root_find_user(unsigned number)
{
	struct message_session_user user;

	login_record_user(number, user.user);
	message_send(KEEPER_FD_CHANNEL, MESSAGE_SESSION_USER, &user, sizeof(user), NULL, 0,
	             MSG_DONTWAIT);
}

/* The worker asks something; false: it has hung up, or asks what it may not. */
static bool worker_asks(unsigned number)
{
	static struct message message;
	int got = message_receive(KEEPER_FD_CHANNEL, &message, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return true;
	if (got <= 0)
		return false;
	if (!message_allowed(&message, ROLE_WORKER, ROLE_KEEPER, PHASE_SESSION) ||
	    asks_too_often()) {
		message_discard(&message);
		return false;
	}
	root_find_user(number);
	return true;
}

/* Waits until the child has ended, however long that takes. */
static void wait_for_end(pid_t pid, int child, unsigned number)
{
	struct pollfd fds[2] = {
		{.fd = child, .events = POLLIN},
		{.fd = KEEPER_FD_CHANNEL, .events = POLLIN},
	};
	int timeout = -1;

	for (;;) {
		int count = poll(fds, 2, timeout);
		if (fds[0].revents != 0)
			return;
		if (count == 0) {
			kill(pid, SIGKILL);
			timeout = -1;
		} else if (fds[1].revents != 0 && !worker_asks(number)) {
			hang_up(pid);
			fds[1].fd = -1;
			timeout = KILL_AFTER_MS;
		}
	}
}

noreturn void keeper_run(const struct keeping *keeping)
{
	struct message_session_ended ended = {.status = 0};

	signal(SIGCHLD, SIG_DFL);
	if (keep_descriptors(keeping->channel, keeping->pty.slave) < 0)
		_exit(1);
	title_name("calmd-keeper");
	title_set("calmd-keeper: pts/%u", keeping->pty.number);
	pid_t pid = fork_login(keeping);
	if (pid < 0)
		dprintf(KEEPER_FD_SLAVE, "calmd: no session: fork: %s\n", strerror(errno));
	/* The worker must see the pty hang up when the session has closed it. */
	close(KEEPER_FD_SLAVE);
	int child = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (child >= 0)
		wait_for_end(pid, child, keeping->pty.number);
	while (pid > 0 && waitpid(pid, &ended.status, 0) < 0 && errno == EINTR)
		;
	login_record_user(keeping->pty.number, ended.user);
	message_send(KEEPER_FD_CHANNEL, MESSAGE_SESSION_ENDED, &ended, sizeof(ended), NULL, 0,
	             MSG_DONTWAIT);
	if (pid > 0)
		login_record_end(keeping->pty.number, pid);
	_exit(0);
}
