/*
 * The supervisor's end of a channel to a child (message.h): messages that come
 * are checked against the table of what the child may say, messages that go wait
 * in a bounded queue while the child does not read, so that the supervisor never
 * waits for anybody.
 */
#ifndef DAEMON_CHANNEL_H
#define DAEMON_CHANNEL_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "daemon/message.h"

struct channel;

/* A message that waits; its descriptors are copies. */
struct channel_waiting;

struct channel_handler {
	/* A message that the table allows. It may close the channel, but not free it. */
	void (*message)(struct channel *channel, struct message *message);
	/*
	 * The child has broken the rules, or its queue is full; WHY says what. The
	 * handler ends the child and closes the channel, but does not free it.
	 */
	void (*violation)(struct channel *channel, const char *why);
	/* Everything that waited has gone. May be NULL. */
	void (*drained)(struct channel *channel);
	/* The other end is closed. May close the channel. NULL: SIGCHLD tells. */
	void (*hung_up)(struct channel *channel);
};

struct channel {
	int fd; /* -1: closed */
	enum role peer;
	unsigned phase; /* of the peer: bit set of enum phase */
	const struct channel_handler *handler;
	struct event readable;
	struct event writable;
	STAILQ_HEAD(, channel_waiting) queue;
	unsigned waiting;
};

/* A message may wait behind this many others. */
#define CHANNEL_QUEUE_MAX 16384

/* Takes FD over and listens; the peer's phase is PHASE_START. 0, or -1 with errno. */
int channel_open(struct channel *channel, struct event_base *base, int fd, enum role peer,
                 const struct channel_handler *handler);

/* What waits is lost. Nothing happens when it is closed already. */
void channel_close(struct channel *channel);

/* At most so many messages are taken in by channel_receive(); a socket holds fewer. */
#define CHANNEL_RECEIVE_MAX 8192

/* Takes in what has arrived by now, without waiting for the loop to come to it. */
void channel_receive(struct channel *channel);

/*
 * Sends now, or as soon as there is room. The descriptors stay the caller's. To a
 * peer that is gone, or over a channel that is closed, nothing is sent: its end
 * is told otherwise.
 */
void channel_send(struct channel *channel, enum message_type type, const void *payload,
                  size_t length, const int *fds, size_t count);

#endif
