/*
 * bench-superserver: what inetd(8) does for a "nowait" service, and nothing else.
 *
 * Listens on one address and runs a program for each connection with the socket as descriptors 0, 1
 * and 2. It exists because a bench must not blame telnetd for its inetd: inetutils-inetd sleeps for a
 * second whenever a finished child interrupts its select(2), so that sessions one after the other
 * come at one a second. This one has no such pause, no rate limit and no access lists; it is the
 * fastest inetd that telnetd could have.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 256

static int listen_on(const char *address, const char *port)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	const int on = 1;
	char *end;
	long number = strtol(port, &end, 10);
	int listener;

	if (*end != '\0' || number < 1 || number > 65535 ||
	    inet_pton(AF_INET, address, &name.sin_addr) != 1)
		errx(2, "%s and %s are not an IPv4 address and a port", address, port);
	name.sin_port = htons((uint16_t)number);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0)
		err(1, "making a socket");
	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		err(1, "setting SO_REUSEADDR");
	if (bind(listener, (const struct sockaddr *)&name, sizeof(name)) < 0)
		err(1, "binding to %s port %s", address, port);
	if (listen(listener, BACKLOG) < 0)
		err(1, "listening on %s port %s", address, port);
	return listener;
}

/* In the child: the connection becomes descriptors 0, 1 and 2, and the program takes over. */
static void serve(int connection, char **program)
{
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR || setsid() < 0)
		_exit(126);
	for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
		if (dup2(connection, descriptor) < 0)
			_exit(126);
	execv(program[0], program);
	_exit(127);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fputs("usage: bench-superserver ADDRESS PORT PROGRAM [ARGUMENT]...\n", stderr);
		return 2;
	}
	/* Children that nobody waits for leave no zombies, and no signal disturbs accept(2). */
	if (signal(SIGCHLD, SIG_IGN) == SIG_ERR)
		err(1, "ignoring the end of children");
	int listener = listen_on(argv[1], argv[2]);

	for (;;) {
		int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (connection < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (connection < 0)
			err(1, "accepting a connection");
		pid_t child = fork();

		if (child < 0)
			warn("starting %s", argv[3]);
		if (child == 0)
			serve(connection, argv + 3);
		close(connection);
	}
}
