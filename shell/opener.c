/*
 * The opener's loop: its configuration, the workers that may ask, their
 * requests; see opener.h for what it is.
 *
 * A supervisor that hangs up has another opener now, or is dead. Workers that it
 * gave us may have a connection that waits for its session, so the opener ends with
 * the last of them.
 *
 * A worker asks once: its channel is closed with the answer. Keepers are reaped
 * (opener_keepers.c).
 */
#include "shell/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "shell/title.h"

#define EVENTS_AT_ONCE 64

/* A worker that may still ask. */
struct client {
	LIST_ENTRY(client) entry;
	uint64_t worker;
	int channel;
};

/* Idle workers only, so a handful: a list is enough. */
static LIST_HEAD(, client) clients = LIST_HEAD_INITIALIZER(clients);
static struct login login;
static struct message_opener_config config;
static struct message message;
static int epoll = -1;
static char keepers_marker; /* epoll's word for something about the keepers; no client */
static bool retired;        /* by a supervisor that has hung up: serves those that it was given */

noreturn static void fail(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	_exit(1);
}

/* ---- configuration ---- */

/* EACH gets where the strings begin; false when they are not as the message says. */
static bool take_strings(const struct message_strings *strings,
                         const char *each[MESSAGE_STRINGS_MAX])
{
	size_t offset = 0;

	if (strings->count > MESSAGE_STRINGS_MAX || strings->size > MESSAGE_STRINGS_SIZE)
		return false;
	for (size_t i = 0; i < strings->count; i++) {
		size_t left = strings->size - offset;
		size_t length = strnlen(strings->text + offset, left);
		if (length == left)
			return false;
		each[i] = strings->text + offset;
		offset += length + 1;
	}
	return offset == strings->size;
}

static void take_config(void)
{
	const char *patterns[MESSAGE_STRINGS_MAX];

	memcpy(&config, message.payload, sizeof(config));
	log_set_level((enum log_level)config.log_level);
	if (!take_strings(&config.login, login.argv) || config.login.count == 0 ||
	    login.argv[0][0] == '\0' || !take_strings(&config.accept_env, patterns)) {
		log_error("the configuration's lists are malformed");
		_exit(1);
	}
	login.count = config.login.count;
	login.accept_env = &config.accept_env;
	config.banner[sizeof(config.banner) - 1] = '\0';
	login.banner = config.banner;
}

/*
 * Each worker without a session is a descriptor here, and a rush can bring more of them than
 * the limit that is right for sessions. One that cannot be received is a client lost.
 */
static void raise_limit(void)
{
	if (getrlimit(RLIMIT_NOFILE, &login.files) < 0)
		fail("limit of descriptors");
	struct rlimit limit = {login.files.rlim_max, login.files.rlim_max};
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("limit of descriptors");
}

static void start(void)
{
	fcntl(OPENER_FD_SUPERVISOR, F_SETFD, FD_CLOEXEC);
	log_to_channel(OPENER_FD_SUPERVISOR);
	int got = message_receive(OPENER_FD_SUPERVISOR, &message, 0);
	if (got == 0)
		_exit(0);
	if (got < 0)
		fail("no configuration");
	if (!message_allowed(&message, ROLE_SUPERVISOR, ROLE_OPENER, PHASE_RUN) ||
	    message.header.type != MESSAGE_OPENER_CONFIG)
		_exit(message.header.type == MESSAGE_TERMINATE ? 0 : 1);
	take_config();
	raise_limit();
	/* Sessions inherit this. */
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* not KILL and STOP, and what libc keeps */
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	struct epoll_event keepers = {.events = EPOLLIN, .data.ptr = &keepers_marker};
	int children = keepers_start();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, OPENER_FD_SUPERVISOR, &event) < 0)
		fail("cannot watch the supervisor");
	if (children < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, children, &keepers) < 0)
		fail("cannot watch the keepers");
	title_name("calmd-opener");
	title_set("calmd-opener");
	const struct message_ready ready = {.pid = (uint32_t)getpid()};
	if (message_send(OPENER_FD_SUPERVISOR, MESSAGE_READY, &ready, sizeof(ready), NULL, 0, 0) <
	    0)
		_exit(0);
}

/* ---- workers ---- */

static void client_remove(struct client *client)
{
	LIST_REMOVE(client, entry);
	/* A keeper just forked still has the channel open, so closing it is not enough. */
	epoll_ctl(epoll, EPOLL_CTL_DEL, client->channel, NULL);
	close(client->channel);
	free(client);
	if (retired && LIST_EMPTY(&clients))
		_exit(0); /* keepers and their sessions go on */
}

static void worker_add(uint64_t worker, int channel)
{
	struct client *client = malloc(sizeof(*client));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

	if (client == NULL || epoll_ctl(epoll, EPOLL_CTL_ADD, channel, &event) < 0) {
		log_error("cannot serve worker %llu: %s", (unsigned long long)worker,
		          strerror(errno));
		close(channel);
		free(client);
		return;
	}
	client->worker = worker;
	client->channel = channel;
	LIST_INSERT_HEAD(&clients, client, entry);
}

static void worker_gone(uint64_t worker)
{
	struct client *client;

	LIST_FOREACH (client, &clients, entry) {
		if (client->worker == worker) {
			client_remove(client);
			return;
		}
	}
}

/* Nobody new comes; those that are there may still ask. */
static void retire(void)
{
	if (LIST_EMPTY(&clients))
		_exit(0); /* keepers and their sessions go on */
	retired = true;
	epoll_ctl(epoll, EPOLL_CTL_DEL, OPENER_FD_SUPERVISOR, NULL);
}

/* ---- messages ---- */

static void supervisor_message(void)
{
	int got = message_receive(OPENER_FD_SUPERVISOR, &message, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		if (got < 0)
			log_error("cannot read the supervisor's channel: %s", strerror(errno));
		retire();
		return;
	}
	if (!message_allowed(&message, ROLE_SUPERVISOR, ROLE_OPENER, PHASE_RUN)) {
		log_error("supervisor sent %s, which it may not",
		          message_name(message.header.type));
		_exit(1);
	}
	struct message_worker added;
	struct message_worker_gone gone;
	switch (message.header.type) {
	case MESSAGE_WORKER_ADD:
		memcpy(&added, message.payload, sizeof(added));
		worker_add(added.worker, message.fd[0]);
		return;
	case MESSAGE_WORKER_GONE:
		memcpy(&gone, message.payload, sizeof(gone));
		worker_gone(gone.worker);
		return;
	case MESSAGE_OPENER_CONFIG:
		take_config(); /* another one, for sessions to come */
		return;
	default: /* MESSAGE_TERMINATE */
		_exit(0);
	}
}

/* A worker has asked, or is gone. Either way it will not ask again. */
static void worker_message(struct client *client)
{
	struct message_open_session request;
	int got = message_receive(client->channel, &message, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0 && message_allowed(&message, ROLE_WORKER, ROLE_OPENER, PHASE_RUN)) {
		memcpy(&request, message.payload, sizeof(request));
		if (open_session_valid(&request))
			root_open_session(&login, &request, client->channel);
		else
			log_error("worker %llu asks for a session with malformed data",
			          (unsigned long long)client->worker);
	} else if (got > 0) {
		log_error("worker %llu sent %s, which it may not",
		          (unsigned long long)client->worker, message_name(message.header.type));
		message_discard(&message);
	}
	client_remove(client);
}

noreturn void opener_run(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	start();
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS_AT_ONCE, -1);
		bool supervisor = false;

		/* Workers first: the supervisor's messages may remove them. */
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == &keepers_marker)
				keepers_ready();
			else if (events[i].data.ptr != NULL)
				worker_message(events[i].data.ptr);
			else
				supervisor = true;
		}
		if (supervisor)
			supervisor_message();
	}
}
