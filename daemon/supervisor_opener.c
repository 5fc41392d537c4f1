/*
 * The opener as the supervisor sees it. Sessions belong to their keepers and go
 * on without it. Idle workers, whose channels lead to the old one, could give a
 * client no session: they end with it, and connections wait until there are new
 * ones.
 *
 * It is our child, at the other end of a pair of sockets. Or, where `opener-socket` is
 * set, somebody else's: systemd listens there (calmd-opener.socket) and starts one for
 * each connection, outside of what calmd.service is confined to, since sessions inherit
 * what the opener may do. Its end of the channel is its descriptor 3 in either case,
 * and what is said over it is the same; both ends see to it that the other one is
 * root. The end of our child is told by SIGCHLD, that of another one by the channel.
 */
#include <bsd/string.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/spawn.h"
#include "daemon/supervisor_opener.h"
#include "daemon/supervisor_state.h"

static void try_again_later(struct supervisor *s)
{
	struct timeval pause = supervisor_backoff(++s->opener_failures);

	evtimer_add(&s->opener_restart, &pause);
}

static struct supervisor *supervisor_of(struct channel *channel)
{
	struct child *opener = (struct child *)((char *)channel - offsetof(struct child, channel));

	return opener->supervisor;
}

static void on_message(struct channel *channel, struct message *message)
{
	struct supervisor *s = supervisor_of(channel);

	const struct message_ready *ready = (const void *)message->payload;

	if (child_message(&s->opener, message) && message->header.type == MESSAGE_READY) {
		if (s->opener.pid == 0)
			s->opener.log.pid = (pid_t)ready->pid;
		s->opener_failures = 0;
		supervisor_announce(s);
	}
}

/* It is gone, and so are the workers that it would have served; WHY is for the log. */
static void lost(struct supervisor *s, const char *why)
{
	s->opener.pid = 0;
	channel_close(&s->opener.channel);
	if (s->stage != END_NOT) {
		end_step(s);
		return;
	}
	log_error("the opener %s; it is started again", why);
	workers_end_idle(s);
	try_again_later(s);
}

static void on_hung_up(struct channel *channel)
{
	struct supervisor *s = supervisor_of(channel);

	if (s->opener.pid == 0)
		lost(s, "has hung up");
}

static void on_violation(struct channel *channel, const char *why)
{
	struct supervisor *s = supervisor_of(channel);

	if (s->opener.pid != 0) {
		child_violation(channel, why);
		return;
	}
	log_error("opener: %s", why);
	lost(s, "has broken the rules");
}

const struct channel_handler opener_handler = {
	.message = on_message, .violation = on_violation, .hung_up = on_hung_up};

/* Now, or after a pause. */
static void start(struct supervisor *s)
{
	if (opener_start(s) < 0)
		try_again_later(s);
	else
		workers_upkeep(s);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	if (s->stage == END_NOT)
		start(s);
}

void opener_config_fill(const struct config *config, struct message_opener_config *opener)
{
	*opener = (struct message_opener_config){
		.log_level = config->log_level,
		.login = config->login,
		.accept_env = config->accept_env,
	};
	memcpy(opener->banner, config->banner, sizeof(opener->banner));
}

void opener_configure(struct supervisor *s)
{
	struct message_opener_config config;

	opener_config_fill(s->config, &config);
	channel_send(&s->opener.channel, MESSAGE_OPENER_CONFIG, &config, sizeof(config), NULL, 0);
}

/* Starts our own. 0, or -1 with errno. */
static int start_child(struct supervisor *s)
{
	static const char *const argv[] = {"calmd-opener", NULL};
	int pair[2];

	if (message_channel(pair) < 0)
		return -1;
	const struct spawn how = {
		.program = s->program_opener,
		.argv = argv,
		.fds = &pair[1],
		.fd_count = 1,
		.files = &s->files,
	};
	int started = child_start(&s->opener, s, &how, pair[0], ROLE_OPENER, &opener_handler);
	int cause = errno;
	close(pair[1]);
	if (started < 0)
		close(pair[0]);
	errno = cause;
	return started;
}

/* The socket at PATH, of which root alone may be at the other end; -1 with errno. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	strlcpy(address.sun_path, path, sizeof(address.sun_path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	    message_peer_is_root(fd))
		return fd;
	int cause = errno;
	close(fd);
	errno = cause;
	return -1;
}

/* Has somebody else start one. 0, or -1 with errno. */
static int start_elsewhere(struct supervisor *s)
{
	int fd = connect_to(s->config->opener_socket);

	if (fd < 0)
		return -1;
	s->opener = (struct child){.supervisor = s, .pidfd = -1};
	if (channel_open(&s->opener.channel, s->base, fd, ROLE_OPENER, &opener_handler) == 0)
		return 0;
	int cause = errno;
	close(fd);
	errno = cause;
	return -1;
}

int opener_start(struct supervisor *s)
{
	const char *path = s->config->opener_socket;
	char what[sizeof(s->config->opener_socket) + sizeof("opener-socket ")];

	if (!event_initialized(&s->opener_restart))
		evtimer_assign(&s->opener_restart, s->base, on_restart, s);
	snprintf(what, sizeof(what), "opener-socket %s", path);
	if ((path[0] != '\0' ? start_elsewhere(s) : start_child(s)) < 0)
		return supervisor_fail(path[0] != '\0' ? what : "start of the opener");
	opener_configure(s);
	return 0;
}

void opener_ended(struct supervisor *s, int status)
{
	char text[STATUS_TEXT_MAX];

	lost(s, status_text(status, text));
}

bool opener_is_there(const struct supervisor *s)
{
	return s->opener.pid != 0 || s->opener.channel.fd >= 0;
}

void opener_abandon(struct supervisor *s)
{
	if (s->opener.pid != 0)
		child_kill(&s->opener);
	else
		lost(s, "does not end");
}

void opener_replace(struct supervisor *s)
{
	/* Its process is reaped as any other, whenever it ends. */
	s->opener.pid = 0;
	channel_close(&s->opener.channel);
	if (event_initialized(&s->opener_restart))
		evtimer_del(&s->opener_restart);
	if (s->stage == END_NOT)
		start(s);
}
