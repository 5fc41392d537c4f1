/*
 * The supervisor's end of a channel.
 */
#include "daemon/channel.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MESSAGES 64 /* read from one channel before others have their turn */

struct channel_waiting {
	STAILQ_ENTRY(channel_waiting) entry;
	enum message_type type;
	size_t length;
	size_t count;
	int fds[MESSAGE_FDS_MAX];
	_Alignas(16) uint8_t payload[];
};

static void waiting_free(struct channel_waiting *waiting)
{
	for (size_t i = 0; i < waiting->count; i++)
		close(waiting->fds[i]);
	free(waiting);
}

/* A copy of a message, or NULL with errno. */
static struct channel_waiting *waiting_create(enum message_type type, const void *payload,
                                              size_t length, const int *fds, size_t count)
{
	struct channel_waiting *waiting = malloc(sizeof(*waiting) + length);

	if (waiting == NULL)
		return NULL;
	waiting->type = type;
	waiting->length = length;
	waiting->count = 0;
	if (length > 0)
		memcpy(waiting->payload, payload, length);
	for (; waiting->count < count; waiting->count++) {
		int copy = fcntl(fds[waiting->count], F_DUPFD_CLOEXEC, 0);
		if (copy < 0) {
			waiting_free(waiting);
			return NULL;
		}
		waiting->fds[waiting->count] = copy;
	}
	return waiting;
}

static void violation(struct channel *channel, const char *why)
{
	channel->handler->violation(channel, why);
}

/* Handles one message; false when there are no more for now. */
static bool receive_one(struct channel *channel)
{
	static struct message message;
	char why[96];
	int got = message_receive(channel->fd, &message, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return false;
	if (got == 0) {
		event_del(&channel->readable);
		if (channel->handler->hung_up != NULL)
			channel->handler->hung_up(channel);
		return false;
	}
	if (got < 0) {
		violation(channel, errno == EBADMSG ? "a malformed message" : strerror(errno));
		return false;
	}
	if (!message_allowed(&message, channel->peer, ROLE_SUPERVISOR, channel->phase)) {
		message_discard(&message);
		snprintf(why, sizeof(why), "a message it may not send now: %s",
		         message_name(message.header.type));
		violation(channel, why);
		return false;
	}
	channel->handler->message(channel, &message);
	return channel->fd >= 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < TURN_MESSAGES && receive_one(channel); i++)
		;
}

void channel_receive(struct channel *channel)
{
	for (int i = 0; i < CHANNEL_RECEIVE_MAX && channel->fd >= 0 && receive_one(channel); i++)
		;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;
	struct channel_waiting *first;

	(void)what;
	while ((first = STAILQ_FIRST(&channel->queue)) != NULL) {
		if (message_send(fd, first->type, first->payload, first->length, first->fds,
		                 first->count, MSG_DONTWAIT) < 0 &&
		    errno == EAGAIN) {
			event_add(&channel->writable, NULL);
			return;
		}
		STAILQ_REMOVE_HEAD(&channel->queue, entry);
		channel->waiting--;
		waiting_free(first);
	}
	if (channel->handler->drained != NULL)
		channel->handler->drained(channel);
}

int channel_open(struct channel *channel, struct event_base *base, int fd, enum role peer,
                 const struct channel_handler *handler)
{
	channel->peer = peer;
	channel->phase = PHASE_START;
	channel->handler = handler;
	channel->waiting = 0;
	STAILQ_INIT(&channel->queue);
	channel->fd = -1;
	if (event_assign(&channel->readable, base, fd, EV_READ | EV_PERSIST, on_readable, channel) <
	            0 ||
	    event_assign(&channel->writable, base, fd, EV_WRITE, on_writable, channel) < 0 ||
	    event_add(&channel->readable, NULL) < 0) {
		errno = ENOMEM;
		return -1;
	}
	channel->fd = fd;
	return 0;
}

void channel_close(struct channel *channel)
{
	struct channel_waiting *first;

	if (channel->fd < 0)
		return;
	event_del(&channel->readable);
	event_del(&channel->writable);
	while ((first = STAILQ_FIRST(&channel->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&channel->queue, entry);
		waiting_free(first);
	}
	channel->waiting = 0;
	close(channel->fd);
	channel->fd = -1;
}

void channel_send(struct channel *channel, enum message_type type, const void *payload,
                  size_t length, const int *fds, size_t count)
{
	if (channel->fd < 0)
		return;
	if (channel->waiting == 0) {
		if (message_send(channel->fd, type, payload, length, fds, count, MSG_DONTWAIT) == 0)
			return;
		if (errno == EPIPE)
			return;
		if (errno != EAGAIN) {
			violation(channel, strerror(errno));
			return;
		}
	}
	struct channel_waiting *waiting = NULL;
	if (channel->waiting < CHANNEL_QUEUE_MAX)
		waiting = waiting_create(type, payload, length, fds, count);
	if (waiting == NULL) {
		violation(channel, "too many messages that it does not read");
		return;
	}
	STAILQ_INSERT_TAIL(&channel->queue, waiting, entry);
	channel->waiting++;
	event_add(&channel->writable, NULL);
}
