/*
 * The control socket's server.
 *
 * A client connects to a Unix stream socket and writes requests, one JSON object
 * a line (control_request.h); each gets one line back: {"ok":true,"result":...}
 * or {"ok":false,"error":"..."}, in order, one at a time.
 *
 * Who may: root and the members of control-group everything, those of
 * control-read-group what changes nothing. The kernel says who it is
 * (SO_PEERCRED, and SO_PEERGROUPS for supplementary groups); whoever may nothing
 * gets one refusal and is closed.
 *
 * Bounds: CLIENTS_MAX clients, CONTROL_REQUEST_MAX bytes a request, IDLE_S
 * seconds without one, and as much output as OUTPUT_HIGH plus one reply: a list
 * is written in pieces as the client reads it, and the next request is looked at
 * only when the reply before is out.
 */
#include "daemon/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "daemon/control_commands.h"
#include "daemon/control_request.h"
#include "daemon/control_sources.h"
#include "daemon/log.h"
#include "daemon/master_state.h"

#define CLIENTS_MAX 32
#define IDLE_S      60
#define WRITE_S     20
#define OUTPUT_HIGH 16384u
#define GROUPS_MAX  65536u /* NGROUPS_MAX of the kernel */

struct client {
	LIST_ENTRY(client) entry;
	struct control *control;
	struct bufferevent *stream;
	uint64_t number;
	bool may_act;
	bool waiting; /* the reply comes by control_answer() */
	bool listing; /* a list is on its way */
	bool first_row;
	bool eof;     /* it has shut its writing side: it may still wait for answers */
	bool closing; /* once everything is written */
	/* the list's rows */
	json_t *(*next_row)(struct master *m, uint32_t *cursor, uint64_t now_us);
	uint32_t cursor;
};

struct control {
	struct master *master;
	struct evconnlistener *listener;
	LIST_HEAD(, client) clients;
	unsigned count;
	uint64_t last_number;
};

static void client_free(struct client *client)
{
	LIST_REMOVE(client, entry);
	client->control->count--;
	bufferevent_free(client->stream);
	free(client);
}

static bool is_idle(const struct client *client)
{
	return !client->waiting && !client->listing && !client->closing &&
	       evbuffer_get_length(bufferevent_get_output(client->stream)) == 0;
}

/* Writes REPLY as a line and gives it up. */
static void send_reply(struct client *client, json_t *reply)
{
	char *text = reply != NULL ? json_dumps(reply, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	if (text != NULL) {
		bufferevent_write(client->stream, text, strlen(text));
		bufferevent_write(client->stream, "\n", 1);
	} else {
		log_error("cannot answer a control request: out of memory");
		client->closing = true;
	}
	free(text);
	json_decref(reply);
}

/* The next piece of a list, until enough waits to be written. */
static void send_rows(struct client *client)
{
	struct evbuffer *output = bufferevent_get_output(client->stream);
	uint64_t now_us = master_now_us();

	while (client->listing && evbuffer_get_length(output) < OUTPUT_HIGH) {
		json_t *row = client->next_row(client->control->master, &client->cursor, now_us);
		char *text = row != NULL ? json_dumps(row, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

		if (text == NULL) {
			bufferevent_write(client->stream, "]}\n", 3);
			client->listing = false;
		} else {
			if (!client->first_row)
				bufferevent_write(client->stream, ",", 1);
			client->first_row = false;
			bufferevent_write(client->stream, text, strlen(text));
		}
		free(text);
		json_decref(row);
	}
}

static void begin_list(struct client *client, enum control_command command)
{
	static const char head[] = "{\"ok\":true,\"result\":[";

	client->listing = client->first_row = true;
	client->next_row = command == CONTROL_LIST ? control_list_row : control_source_row;
	client->cursor = 0;
	bufferevent_write(client->stream, head, sizeof(head) - 1);
	send_rows(client);
}

static void handle_line(struct client *client, const char *line, size_t length)
{
	struct control_request request;
	char error[CONTROL_ERROR_MAX];
	json_t *reply;

	if (!control_request_parse(line, length, &request, error)) {
		send_reply(client, control_refusal(error));
		return;
	}
	if (!client->may_act && control_command_acts(request.command)) {
		send_reply(client, control_refusal("you may look, but not act"));
		return;
	}
	if (request.command == CONTROL_LIST || request.command == CONTROL_SOURCES) {
		begin_list(client, request.command);
		return;
	}
	reply = control_run(client->control->master, client->number, &request, master_now_us());
	if (reply != NULL) {
		send_reply(client, reply);
		return;
	}
	client->waiting = true;
	bufferevent_set_timeouts(client->stream, NULL, NULL);
}

/* Takes the requests that have arrived, one at a time. */
static void take_requests(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);

	while (is_idle(client)) {
		size_t length = 0;
		char *line = evbuffer_readln(input, &length, EVBUFFER_EOL_LF);

		if (line == NULL) {
			if (evbuffer_get_length(input) > CONTROL_REQUEST_MAX) {
				send_reply(client, control_refusal("the request is too long"));
				client->closing = true;
				bufferevent_disable(client->stream, EV_READ);
			}
			return;
		}
		handle_line(client, line, length);
		free(line);
	}
}

static void on_read(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;
	struct master *m = client->control->master;

	(void)stream;
	take_requests(client);
	master_settle(m, master_now_us());
}

/* Everything has been written. */
static void on_written(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;
	struct master *m = client->control->master;

	(void)stream;
	if (client->listing) {
		send_rows(client);
		return;
	}
	if (client->closing) {
		client_free(client);
		return;
	}
	take_requests(client);
	if (client->eof && is_idle(client))
		client_free(client);
	master_settle(m, master_now_us());
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
	struct client *client = arg;

	if ((what & BEV_EVENT_EOF) && (what & BEV_EVENT_READING) && !is_idle(client)) {
		client->eof = true;
		bufferevent_disable(stream, EV_READ);
		return;
	}
	client_free(client);
}

static bool in_group(gid_t gid, const gid_t *groups, size_t count, uint32_t wanted)
{
	if (wanted == UINT32_MAX)
		return false;
	if (gid == wanted)
		return true;
	for (size_t i = 0; i < count; i++) {
		if (groups[i] == wanted)
			return true;
	}
	return false;
}

/* What the process at the other end may do. */
static void look_up_rights(const struct master *m, int fd, bool *look, bool *act)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	socklen_t bytes = GROUPS_MAX * sizeof(gid_t);
	gid_t *groups = NULL;
	size_t count = 0;

	*look = *act = false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		return;
	if (peer.uid == 0) {
		*look = *act = true;
		return;
	}
	groups = malloc(bytes);
	if (groups != NULL && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) == 0)
		count = bytes / sizeof(gid_t);
	*act = in_group(peer.gid, groups, count, m->config.control_gid);
	*look = *act || in_group(peer.gid, groups, count, m->config.control_read_gid);
	free(groups);
}

/* One line without waiting, then the end. */
static void refuse(int fd, const char *text)
{
	json_t *reply = control_refusal(text);
	char *line = reply != NULL ? json_dumps(reply, JSON_COMPACT) : NULL;

	if (line != NULL) {
		send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
		send(fd, "\n", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	free(line);
	json_decref(reply);
	close(fd);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int from_length, void *arg)
{
	static const struct timeval idle = {.tv_sec = IDLE_S}, slow = {.tv_sec = WRITE_S};
	struct control *control = arg;
	struct client *client;
	bool look, act;

	(void)listener;
	(void)from;
	(void)from_length;
	look_up_rights(control->master, fd, &look, &act);
	if (!look) {
		refuse(fd, "permission denied: not root and not in the control groups");
		return;
	}
	if (control->count >= CLIENTS_MAX) {
		refuse(fd, "too many control clients");
		return;
	}
	client = calloc(1, sizeof(*client));
	if (client != NULL)
		client->stream =
			bufferevent_socket_new(control->master->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client == NULL || client->stream == NULL) {
		free(client);
		refuse(fd, "out of memory");
		return;
	}
	client->control = control;
	client->number = ++control->last_number;
	client->may_act = act;
	LIST_INSERT_HEAD(&control->clients, client, entry);
	control->count++;
	bufferevent_setcb(client->stream, on_read, on_written, on_event, client);
	/* Reading stops at the high mark, so that unread requests stay in the kernel. */
	bufferevent_setwatermark(client->stream, EV_READ, 0, CONTROL_REQUEST_MAX + 1);
	bufferevent_set_timeouts(client->stream, &idle, &slow);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

struct control *control_create(struct master *m, int listener)
{
	struct control *control = calloc(1, sizeof(*control));

	if (control != NULL) {
		control->master = m;
		LIST_INIT(&control->clients);
		evutil_make_socket_nonblocking(listener);
		/* A backlog of 0: it listens already. */
		control->listener = evconnlistener_new(
			m->base, on_accept, control, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
			0, listener);
	}
	if (control == NULL || control->listener == NULL) {
		log_error("cannot serve the control socket: out of memory");
		close(listener);
		free(control);
		return NULL;
	}
	return control;
}

void control_destroy(struct control *control)
{
	if (control == NULL)
		return;
	while (!LIST_EMPTY(&control->clients))
		client_free(LIST_FIRST(&control->clients));
	evconnlistener_free(control->listener);
	free(control);
}

void control_answer(struct control *control, uint64_t number, json_t *reply)
{
	static const struct timeval idle = {.tv_sec = IDLE_S}, slow = {.tv_sec = WRITE_S};
	struct client *client;

	LIST_FOREACH (client, &control->clients, entry) {
		if (client->number != number || !client->waiting)
			continue;
		client->waiting = false;
		bufferevent_set_timeouts(client->stream, &idle, &slow);
		send_reply(client, reply);
		return;
	}
	json_decref(reply);
}
