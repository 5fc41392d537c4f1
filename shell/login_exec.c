/*
 * The session's process: from a fork of the keeper to login(1), whose arguments and
 * environment login_command.c makes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell/opener.h"

/* Where a login without a slash is looked for. */
static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};

/* Ends the process, saying on the terminal why there is no session. */
noreturn static void fail(const char *what)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "calmd: cannot run %s: %s\n", what, strerror(errno));

	if (n > 0) {
		size_t length = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
		if (write(STDOUT_FILENO, text, length) < 0)
			_exit(126); /* there is nobody to tell */
	}
	_exit(127);
}

/* Makes SLAVE the controlling terminal and standard input, output and error, and all else gone. */
static void take_terminal(int slave)
{
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		_exit(126);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (slave == fd ? fcntl(fd, F_SETFD, 0) < 0 : dup2(slave, fd) < 0)
			_exit(126);
	}
	close_range(STDERR_FILENO + 1, ~0u, 0);
}

static void reset_process(const struct login *login)
{
	sigset_t none;

	/* signals are as by default: the opener saw to that, once for all sessions */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	if (setrlimit(RLIMIT_NOFILE, &login->files) < 0)
		fail("setrlimit");
	if (chdir("/") < 0)
		fail("chdir /");
}

/* As execvpe(3) with a path of its own: the last error that says more than "not there" wins. */
static void exec_in_folders(char *const argv[], char *const environment[])
{
	int error = ENOENT;
	char path[MESSAGE_STRINGS_SIZE + 16];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int n = snprintf(path, sizeof(path), "%s/%s", folders[i], argv[0]);
		if (n < 0 || (size_t)n >= sizeof(path))
			continue;
		execve(path, argv, environment);
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
	}
	errno = error;
}

noreturn void login_exec(const struct login *login, const struct message_open_session *request,
                         int slave)
{
	struct login_command command;

	take_terminal(slave);
	reset_process(login);
	if (!login_command(login, request, &command)) {
		errno = E2BIG;
		fail(login->argv[0]);
	}
	if (strchr(command.argv[0], '/') != NULL)
		execve(command.argv[0], command.argv, command.environment);
	else
		exec_in_folders(command.argv, command.environment);
	fail(command.argv[0]);
}
