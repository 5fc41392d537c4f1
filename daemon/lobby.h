/*
 * The lobby: where descriptors wait for a next supervisor.
 *
 * It is a pair of sockets of which both ends are kept by systemd (service.h), and
 * a descriptor that was sent into the one and is not yet received from the other
 * stays open as long as they do. So a supervisor that is killed at any moment
 * leaves, without having done anything, what another one needs to go on: the table,
 * guards, lanes, and of each worker the ring, the bells and both ends that lead to
 * it. The store has a fixed size, however many there are; the workers notice
 * nothing and are not asked; and when systemd drops the store, all of it is closed,
 * so that the workers see their channels hang up and end.
 *
 * What is in it are records, each under a key (kind and number). The latest record
 * under a key counts. The supervisor's alone; theory of operation in lobby.c.
 */
#ifndef DAEMON_LOBBY_H
#define DAEMON_LOBBY_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOBBY_DATA_MAX 1024u
#define LOBBY_FDS_MAX  8u
#define LOBBY_BUCKETS  512u /* a power of two */

struct lobby_entry;
LIST_HEAD(lobby_list, lobby_entry);

/* A record. Data and descriptors are valid during the call; of the latter, copies are the callee's. */
struct lobby_record {
	uint32_t kind;
	uint64_t number;
	const void *data;
	size_t length;
	int fds[LOBBY_FDS_MAX]; /* close-on-exec */
	unsigned fd_count;
};

struct lobby {
	int in, out; /* -1: there is none */
	struct lobby_list entries[LOBBY_BUCKETS];
	uint64_t serial;
	unsigned kept;  /* records that count */
	unsigned stale; /* others in the queue */
	/* during lobby_take_up() */
	void (*each)(const struct lobby_record *record, void *arg);
	void *arg;
};

/* No lobby: lobby_put() and lobby_drop() do nothing. */
void lobby_none(struct lobby *lobby);

/* A new, empty one. 0, or -1 with errno. */
int lobby_open(struct lobby *lobby);

/*
 * Takes up one that another supervisor has left: reads what is in it, all of which
 * stays in it, and calls EACH for every record. EACH owns the record's descriptors.
 * IN and OUT are taken over. 0, or -1 with errno, and the lobby is emptied and closed:
 * EBADMSG when there is something else in it.
 */
int lobby_take_up(struct lobby *lobby, int in, int out,
                  void (*each)(const struct lobby_record *record, void *arg), void *arg);

/*
 * Puts a record in the place of the one with its key, if there is one. The
 * descriptors stay the caller's. 0, or -1 with errno: EAGAIN when it is full,
 * ETOOMANYREFS when the kernel holds too many descriptors that wait, EINVAL.
 */
int lobby_put(struct lobby *lobby, const struct lobby_record *record);

/* Takes the record away. Nothing happens when there is none. */
void lobby_drop(struct lobby *lobby, uint32_t kind, uint64_t number);

/* Closes everything that is in it, and it. */
void lobby_empty(struct lobby *lobby);

/* Closes it here; what is in it stays as long as systemd keeps it. */
void lobby_close(struct lobby *lobby);

#endif
