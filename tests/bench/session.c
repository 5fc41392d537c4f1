/*
 * Opens, reads, writes and ends one session, over the kernel's TCP or on a pty of our own.
 *
 * Reads and writes block, one system call each, so that the client adds as little as it can to what
 * it measures. TCP_NODELAY is set, as telnet clients do, so that a keystroke leaves at once.
 * Delayed acknowledgements are left as the kernel has them: real clients have them too.
 */
#include "tests/bench/session.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ADDRESS_ROOM 64

static const char *volatile doing_now = "starting";

static void target_parse_address(struct target *target, const char *text)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	                               .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char host[ADDRESS_ROOM];
	const char *colon = strrchr(text, ':');
	int error;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		errx(2, "%s is neither pty nor ADDRESS:PORT", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	char *start = host;
	size_t length = strlen(host);

	if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		start++;
	}
	error = getaddrinfo(start, colon + 1, &hints, &found);
	if (error)
		errx(2, "%s is not ADDRESS:PORT: %s", text, gai_strerror(error));
	memcpy(&target->address, found->ai_addr, found->ai_addrlen);
	target->address_length = found->ai_addrlen;
	freeaddrinfo(found);
}

void target_parse(struct target *target, const char *text, const char *shell)
{
	memset(target, 0, sizeof(*target));
	target->shell = shell;
	target->is_pty = strcmp(text, "pty") == 0;
	if (!target->is_pty)
		target_parse_address(target, text);
}

static void watchdog_bark(int signal_number)
{
	const char *parts[] = {"bench-load: timed out while ", doing_now, "\n"};

	(void)signal_number;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			break;
	_exit(3);
}

void watchdog_set(unsigned int seconds, const char *doing)
{
	doing_now = doing;
	if (signal(SIGALRM, watchdog_bark) == SIG_ERR)
		err(1, "watching the time");
	alarm(seconds);
}

static void open_pty(struct session *session)
{
	const char *shell = session->target->shell;

	session->child = forkpty(&session->descriptor, NULL, NULL, NULL);
	if (session->child < 0)
		err(1, "opening a pty for %s", shell);
	if (session->child > 0)
		return;
	char *const environment[] = {"TERM=xterm", NULL};

	execle(shell, shell, (char *)NULL, environment);
	warn("running %s", shell);
	_exit(127);
}

static void open_connection(struct session *session)
{
	const struct target *target = session->target;
	const int on = 1;

	session->descriptor = socket(target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (session->descriptor < 0)
		err(1, "making a socket");
	if (connect(session->descriptor, (const struct sockaddr *)&target->address,
	            target->address_length) < 0)
		err(1, "connecting to the server");
	if (setsockopt(session->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		err(1, "setting TCP_NODELAY");
}

void session_open(struct session *session, const struct target *target)
{
	session->target = target;
	session->child = 0;
	session->ended = false;
	session->reset = false;
	session->passed = 0;
	session->length = 0;
	telnet_begin(&session->telnet, target->manners);
	if (target->is_pty)
		open_pty(session);
	else
		open_connection(session);
}

/* One read(2). Returns 0 at the end: FIN or RST from a server, EIO from a pty. */
static size_t read_some(struct session *session, uint8_t *into, size_t room)
{
	ssize_t got;

	do {
		got = read(session->descriptor, into, room);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		return (size_t)got;
	if (got < 0 && errno != EIO && errno != ECONNRESET)
		err(1, "reading from the session");
	session->reset = got < 0 && errno == ECONNRESET;
	session->ended = true;
	return 0;
}

static size_t decode(struct session *session, uint8_t *bytes, size_t length)
{
	struct telnet *telnet = &session->telnet;

	if (session->target->is_pty)
		return length;
	length = telnet_decode(telnet, bytes, length);
	if (telnet->answer_overflow)
		errx(1, "the server asks for more than %d bytes of answers", TELNET_ANSWER_ROOM);
	if (telnet->answer_length > 0) {
		session_send(session, telnet->answer, telnet->answer_length);
		telnet->answer_length = 0;
	}
	return length;
}

size_t session_read(struct session *session)
{
	uint8_t *end = session->buffer + session->length;
	size_t room = sizeof(session->buffer) - session->length;
	size_t added = 0;

	while (added == 0) {
		size_t got = read_some(session, end, room);

		if (got == 0)
			return 0;
		added = decode(session, end, got);
	}
	session->length += added;
	return added;
}

void session_consume(struct session *session, size_t length)
{
	session->length -= length;
	session->passed += length;
	if (session->length > 0)
		memmove(session->buffer, session->buffer + length, session->length);
}

bool session_await(struct session *session, const char *text)
{
	size_t length = strlen(text);

	for (;;) {
		const uint8_t *found = memmem(session->buffer, session->length, text, length);

		if (found) {
			session_consume(session, (size_t)(found - session->buffer) + length);
			return true;
		}
		/* A text that is cut by the buffer's end begins in its last length - 1 bytes. */
		if (session->length >= length)
			session_consume(session, session->length - (length - 1));
		if (session_read(session) == 0)
			return false;
	}
}

void session_expect(struct session *session, const char *text)
{
	if (!session_await(session, text))
		errx(1, "the session ended%s instead of showing \"%s\"",
		     session->reset ? " with a reset" : "", text);
}

void session_send(struct session *session, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;

	while (length > 0) {
		ssize_t sent = session->target->is_pty
		                       ? write(session->descriptor, from, length)
		                       : send(session->descriptor, from, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		/* What a server that has ended did not want to hear: reading tells how it ended. */
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		if (sent < 0)
			err(1, "sending to the session");
		from += sent;
		length -= (size_t)sent;
	}
}

void session_type(struct session *session, const char *line)
{
	char typed[512];
	size_t length = strlen(line);

	if (length > sizeof(typed) - 2)
		errx(1, "a line of %zu bytes is too long to type", length);
	memcpy(typed, line, length);
	typed[length++] = '\r';
	if (!session->target->is_pty && !session->telnet.ours[TELNET_OPTION_BINARY])
		typed[length++] = '\0';
	session_send(session, typed, length);
}

void session_await_end(struct session *session)
{
	do {
		session_consume(session, session->length);
	} while (!session->ended && session_read(session) > 0);
}

void session_close(struct session *session)
{
	close(session->descriptor);
	session->descriptor = -1;
	if (session->child > 0)
		while (waitpid(session->child, NULL, 0) < 0 && errno == EINTR)
			;
	session->child = 0;
}
