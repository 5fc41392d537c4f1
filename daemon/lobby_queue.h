/*
 * The queue of the lobby (lobby.h): a pair of sockets, and records that wait in it, one
 * sequenced packet each, with descriptors. For lobby.c alone.
 */
#ifndef DAEMON_LOBBY_QUEUE_H
#define DAEMON_LOBBY_QUEUE_H

#include "daemon/lobby.h"

struct lobby_header {
	uint32_t magic, version; /* the queue's own */
	uint32_t kind;
	uint32_t mark; /* 1: there is no record any more */
	uint64_t number;
	uint64_t serial;
};

/* What is at the beginning of the queue. */
struct lobby_head {
	struct lobby_header header;
	uint8_t data[LOBBY_DATA_MAX];
	size_t length;
	int fds[LOBBY_FDS_MAX];
	unsigned fd_count;
};

/* A new one. 0, or -1 with errno. */
int lobby_queue_open(int pair[2]);

/* Sends at once. 0, or -1 with errno: EAGAIN when it is full. */
int lobby_queue_send(int in, const struct lobby_header *header, const void *data, size_t length,
                     const int *fds, unsigned count);

/*
 * Looks at the first one, with copies of its descriptors, close-on-exec. 1, 0 when
 * there is none, or -1 with errno: EBADMSG when it is no record.
 */
int lobby_queue_peek(int out, struct lobby_head *head);

/* Closes those copies. */
void lobby_head_close(const struct lobby_head *head);

/* Takes the first one out, and drops it. */
void lobby_queue_consume(int out);

/* Drops all of them. */
void lobby_queue_empty(int out);

#endif
