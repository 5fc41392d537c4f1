/*
 * The session's process: from a fork of the keeper to login(1).
 *
 * The environment is made here from nothing: TERM is all that it holds (what a
 * client may add is a list for a later day). Nothing from the network becomes an
 * argument but the numeric address that stands for %h.
 */
#include <arpa/inet.h>
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

/* All arguments after %h is replaced. */
#define EXPANDED_SIZE (2 * OPENER_ARGS_SIZE)

void login_address(const struct endpoint *peer, char address[LOGIN_ADDRESS_SIZE])
{
	int family = peer->address.version == IP_V6 ? AF_INET6 : AF_INET;

	_Static_assert(LOGIN_ADDRESS_SIZE >= INET6_ADDRSTRLEN, "holds any address");
	if (inet_ntop(family, peer->address.bytes, address, LOGIN_ADDRESS_SIZE) == NULL)
		address[0] = '\0';
}

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

/* Copies ARGUMENT to *AT, up to END, with each %h replaced; false when there is no room. */
static bool expand(const char *argument, const char *address, char **at, const char *end)
{
	while (*argument != '\0') {
		bool host = argument[0] == '%' && argument[1] == 'h';
		const char *from = host ? address : argument;
		size_t length = host ? strlen(address) : 1;

		if (length >= (size_t)(end - *at))
			return false;
		memcpy(*at, from, length);
		*at += length;
		argument += host ? 2 : 1;
	}
	if (*at == end)
		return false;
	*(*at)++ = '\0';
	return true;
}

/* As execvpe(3) with a path of its own: the last error that says more than "not there" wins. */
static void exec_in_folders(char *const argv[], char *const environment[])
{
	int error = ENOENT;
	char path[OPENER_ARGS_SIZE + 16];

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

noreturn void login_exec(const struct login *login, int slave, const char *terminal,
                         const char *address)
{
	char text[EXPANDED_SIZE];
	char *at = text;
	char *argv[OPENER_ARGS_MAX + 1];
	char term[sizeof("TERM=") + 44];
	char *environment[] = {term, NULL};

	take_terminal(slave);
	reset_process(login);
	for (size_t i = 0; i < login->count; i++) {
		argv[i] = at;
		if (!expand(login->argv[i], address, &at, text + sizeof(text))) {
			errno = E2BIG;
			fail(login->argv[0]);
		}
	}
	argv[login->count] = NULL;
	snprintf(term, sizeof(term), "TERM=%s", terminal);
	if (strchr(argv[0], '/') != NULL)
		execve(argv[0], argv, environment);
	else
		exec_in_folders(argv, environment);
	fail(argv[0]);
}
