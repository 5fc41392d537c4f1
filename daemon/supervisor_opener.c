/*
 * The opener as the supervisor sees it. Sessions belong to their keepers and go
 * on without it. Idle workers, whose channels lead to the old one, could give a
 * client no session: they end with it, and connections wait until there are new
 * ones.
 */
#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/spawn.h"
#include "daemon/supervisor_state.h"

static void on_message(struct channel *channel, struct message *message)
{
	struct child *opener = (struct child *)((char *)channel - offsetof(struct child, channel));
	struct supervisor *s = opener->supervisor;

	if (child_message(opener, message) && message->header.type == MESSAGE_READY) {
		s->opener_failures = 0;
		supervisor_announce(s);
	}
}

const struct channel_handler opener_handler = {on_message, child_violation, NULL};

static void try_again_later(struct supervisor *s)
{
	struct timeval pause = supervisor_backoff(++s->opener_failures);

	evtimer_add(&s->opener_restart, &pause);
}

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
}

void opener_configure(struct supervisor *s)
{
	struct message_opener_config config;

	opener_config_fill(s->config, &config);
	channel_send(&s->opener.channel, MESSAGE_OPENER_CONFIG, &config, sizeof(config), NULL, 0);
}

int opener_start(struct supervisor *s)
{
	static const char *const argv[] = {"calmd-opener", NULL};
	int pair[2];

	if (!event_initialized(&s->opener_restart))
		evtimer_assign(&s->opener_restart, s->base, on_restart, s);
	if (message_channel(pair) < 0)
		return supervisor_fail("channel to the opener");
	struct spawn how = {
		.program = s->program_opener,
		.argv = argv,
		.fds = &pair[1],
		.fd_count = 1,
		.files = &s->files,
	};
	int started = child_start(&s->opener, s, &how, pair[0], ROLE_OPENER, &opener_handler);
	int cause = errno;
	close(pair[1]);
	if (started < 0) {
		close(pair[0]);
		errno = cause;
		return supervisor_fail("start of the opener");
	}
	opener_configure(s);
	return 0;
}

void opener_ended(struct supervisor *s, int status)
{
	char text[STATUS_TEXT_MAX];

	s->opener.pid = 0;
	channel_close(&s->opener.channel);
	if (s->stage != END_NOT)
		return;
	log_error("the opener %s; it is started again", status_text(status, text));
	workers_end_idle(s);
	try_again_later(s);
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
