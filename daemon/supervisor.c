/*
 * The supervisor's life: start, loop, end.
 *
 * Theory of operation
 *
 * The supervisor is the one process that stays root in this machine's network
 * namespace, so it reads nothing that comes from the network. It opens everything
 * that needs rights (supervisor_open.c) and gives copies to the processes that
 * work with it, over a channel to each (channel.c):
 *
 *   opener    one, opens sessions; started again when it ends
 *   workers   preforked, kept between a minimum and a maximum of idle ones
 *   master    one, the TCP stack; another one takes over from one that dies
 *
 * It then only reacts: to messages, all of which are checked against the table
 * of message.c; to the end of a child (SIGCHLD); to SIGHUP, which makes it read
 * its configuration again (supervisor_reload.c); to SIGTERM and SIGINT, which
 * end everything in order (supervisor_end.c); to SIGUSR1, at which it leaves
 * everything as it is to the next supervisor (supervisor_lobby.c). It never waits
 * for anybody.
 *
 * Whatever must outlive the master has its descriptor here, in `kept` and in the
 * workers' records.
 */
#include "daemon/supervisor.h"

#include <bsd/string.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/address_text.h"
#include "daemon/capabilities.h"
#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/sandbox_calls.h"
#include "daemon/service.h"
#include "daemon/spawn.h"
#include "daemon/supervisor_open.h"
#include "daemon/supervisor_opener.h"
#include "daemon/supervisor_state.h"
#include "daemon/version.h"

/* A sanitizer reports to standard error what it finds in a child. */
#ifdef __SANITIZE_ADDRESS__
#define CHILDREN_MAY_SPEAK true
#else
#define CHILDREN_MAY_SPEAK false
#endif

int supervisor_fail(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	return -1;
}

struct timeval supervisor_backoff(unsigned failures)
{
	unsigned milliseconds = 5000;

	if (failures == 0)
		milliseconds = 0;
	else if (failures < 7)
		milliseconds = 100u << (failures - 1);
	if (milliseconds > 5000)
		milliseconds = 5000;
	return (struct timeval){.tv_sec = milliseconds / 1000,
	                        .tv_usec = 1000 * (milliseconds % 1000)};
}

void supervisor_announce(struct supervisor *s)
{
	char list[MESSAGE_LISTEN_MAX * (ENDPOINT_TEXT_MAX + 2)] = "";
	char text[ENDPOINT_TEXT_MAX];
	size_t used = 0;

	if (s->announced || !s->succession.serving || s->succession.replacing ||
	    (s->opener.channel.phase & PHASE_RUN) == 0)
		return;
	s->announced = true;
	for (uint32_t i = 0; i < s->config->listens; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
		                         i == 0 ? "" : ", ",
		                         endpoint_format(&s->config->listen[i], text));
	log_info("calmd %s ready, listening on %s", version_text(), list);
	if (!sandbox_exists())
		log_warning("built without the sandbox of master and workers");
	service_ready();
}

void supervisor_report(struct supervisor *s)
{
	const uint64_t until_us = s->master_config.quiet_until_us;
	uint64_t now_us = clock_now_us();
	uint32_t sessions = s->workers.alive - s->workers.idle;
	char text[SERVICE_STATUS_MAX], quiet[64] = "";

	if (!s->announced)
		return;
	if (until_us > now_us)
		snprintf(quiet, sizeof(quiet), ", quiet time for %llu s more",
		         (unsigned long long)((until_us - now_us + 999999) / 1000000));
	snprintf(text, sizeof(text), "%u %s, %u workers ready%s", sessions,
	         sessions == 1 ? "connection" : "connections", s->workers.idle, quiet);
	if (strcmp(text, s->reported) == 0)
		return;
	strlcpy(s->reported, text, sizeof(s->reported));
	service_status("%s", text);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)what;
	if (number == SIGCHLD) {
		children_reap(s);
		return;
	}
	if (number == SIGHUP) {
		reload_on_signal(s);
		return;
	}
	if (number == SIGUSR2) {
		upgrade_on_signal(s);
		return;
	}
	if (number == SIGUSR1) {
		lobby_leave(s);
		return;
	}
	if (s->stage == END_NOT)
		log_info("ending: %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
	end_begin(s, 0);
}

/* From now on; those that came before, while they were blocked, come now. */
static int listen_to_signals(struct supervisor *s)
{
	static const int numbers[] = {SIGCHLD, SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT};
	sigset_t none;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (evsignal_assign(&s->signals[i], s->base, numbers[i], on_signal, s) < 0 ||
		    evsignal_add(&s->signals[i], NULL) < 0) {
			log_error("signal %d cannot be handled", numbers[i]);
			return -1;
		}
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

/* Before anything is opened that is to stay. */
static int reserve(struct supervisor *s)
{
	if (geteuid() != 0) {
		log_error("must be started as root");
		return -1;
	}
	if (spawn_reserve(!CHILDREN_MAY_SPEAK && s->config->log_level < LOG_LEVEL_DEBUG) < 0)
		return supervisor_fail("/dev/null");
	if (capabilities_drop(s->config->opener_socket[0] != '\0') < 0)
		return supervisor_fail("capabilities");
	return supervisor_raise_limits(s);
}

/* What every start begins with. */
static int begin(struct supervisor *s)
{
	s->base = event_base_new();
	if (s->base == NULL) {
		log_error("no event loop");
		return -1;
	}
	reload_prepare(s);
	if (supervisor_prepare(s) < 0)
		return -1;
	supervisor_log_init(s);
	workers_init(s);
	succession_init(s);
	upgrade_init(s);
	return watch_init(s);
}

static int open_or_adopt(struct supervisor *s, struct registry *left)
{
	if (left != NULL)
		return resume_adopt(s, left);
	if (supervisor_open(s) < 0)
		return -1;
	lobby_begin(s);
	return 0;
}

/* LEFT: by a supervisor before us, or NULL. */
static int start(struct supervisor *s, struct registry *left)
{
	if (begin(s) < 0 || open_or_adopt(s, left) < 0 || listen_to_signals(s) < 0 ||
	    opener_start(s) < 0)
		return -1;
	workers_upkeep(s);
	if (quiet_begin(s, left != NULL) == 0 && master_start(s) == 0)
		return 0;
	end_begin(s, 1); /* the others are there already */
	return 0;
}

/* Starts anew, or goes on with what an earlier supervisor has left. */
static int start_or_resume(struct supervisor *s)
{
	struct registry left;

	resume_fetch(s); /* it has the numbers that are reserved next */
	if (reserve(s) < 0)
		return -1;
	int found = resume_look(s, &left);
	if (found <= 0)
		return found == 0 ? start(s, NULL) : -1;
	int result = start(s, &left);
	registry_free(&left);
	return result;
}

/*
 * Goes on where another version of us stopped. Everything that new sessions need is
 * replaced by what belongs to this version, the master last: it is to find workers.
 */
static int go_on(struct supervisor *s, const struct registry *registry)
{
	char error[REGISTRY_ERROR_MAX];

	strlcpy(s->program, registry->program, sizeof(s->program));
	if (registry_claim(registry, error) < 0) {
		log_error("%s", error);
		return -1;
	}
	if (reserve(s) < 0 || begin(s) < 0 || supervisor_adopt(s, registry) < 0 ||
	    listen_to_signals(s) < 0 || quiet_begin(s, true) < 0)
		return -1;
	lobby_go_on(s);
	opener_replace(s);
	workers_upkeep(s);
	master_replace(s, "calmd was upgraded");
	children_reap(s); /* whoever ended meanwhile */
	return 0;
}

static void mark_closed(struct supervisor *s)
{
	kept_init(&s->kept);
	s->program_calmd = s->program_worker = s->program_opener = -1;
	s->master.channel.fd = s->opener.channel.fd = -1;
	s->master.pidfd = s->opener.pidfd = -1;
	s->quiet.file.fd = -1;
	lobby_none(&s->lobby);
}

/* Nothing is left, or all of it to a next supervisor. */
static void clean_up(struct supervisor *s, int status)
{
	if ((s->lobby.in >= 0 || s->kept.lobby[0] >= 0) && s->stage != END_DONE)
		_exit(status);
	calls_close(s);
	workers_close(s);
	supervisor_close(s);
	lobby_end(s);
}

int supervisor_run(const struct supervisor_start *how)
{
	struct supervisor *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		log_error("no memory");
		return 1;
	}
	s->source = how->source;
	s->config = how->config;
	s->arguments = how->arguments;
	mark_closed(s);
	int status = 1;
	if ((how->registry != NULL ? go_on(s, how->registry) : start_or_resume(s)) == 0) {
		event_base_loop(s->base, EVLOOP_NO_EXIT_ON_EMPTY);
		status = s->status;
		if (s->stage == END_DONE) {
			quiet_end(s);
			supervisor_log_report(s, true);
			log_info("ended");
		}
	}
	clean_up(s, status);
	if (s->base != NULL)
		event_base_free(s->base);
	free(s);
	return status;
}
