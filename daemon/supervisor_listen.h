/*
 * The listeners as the supervisor has them: guards and lanes, and how they change.
 * Theory of operation in supervisor_listen.c. Private to supervisor*.c.
 */
#ifndef DAEMON_SUPERVISOR_LISTEN_H
#define DAEMON_SUPERVISOR_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/config.h"
#include "daemon/message.h"
#include "daemon/raw_socket.h"

struct notes;
struct supervisor;

/* Endpoints and the guard of each. */
struct guarded {
	unsigned count;
	struct endpoint local[MESSAGE_LISTEN_MAX];
	int guard[MESSAGE_LISTEN_MAX];
};

/* The listeners' lanes for an IP version. */
#define FAMILIES 2 /* IPv4, IPv6 */
struct family {
	struct filter_ports ports; /* that they hear */
	uint32_t set;              /* number of this pair */
	int lanes[LANES];          /* -1: no port */
};

/* What the listeners will be: everything that it takes is open. */
struct listen_change {
	struct guarded open;
	bool fresh[MESSAGE_LISTEN_MAX]; /* that guard of `open` is new */
	struct guarded closed;
	struct family families[FAMILIES];
	bool other_lanes[FAMILIES];
};

/* Prepares the listeners of WANTED. 0; or -1, with the reason in NOTES and nothing changed. */
int listeners_prepare(struct supervisor *s, const struct config *wanted,
                      struct listen_change *change, struct notes *notes);

/* Either of them ends what was prepared. The caller then calls master_tell_config(). */
void listeners_commit(struct supervisor *s, struct listen_change *change);
void listeners_undo(struct listen_change *change);

/* The same at the start, for the configuration; -1 when a line was logged. */
int listeners_open(struct supervisor *s);
void listeners_close(struct supervisor *s);

/* No endpoint, no guard. */
void guarded_init(struct guarded *guarded);

/*
 * Guards and lanes have been adopted: finds out whose they are. -1: a guard is none, and
 * nothing is logged.
 */
int listeners_adopt(struct supervisor *s);

/* A new master is given the lanes. */
void listeners_tell(struct supervisor *s);

/* True when an open listener's guard holds LOCAL; when the listeners' lanes hear its port. */
bool listeners_guard(const struct supervisor *s, const struct endpoint *local);
bool listeners_hear(const struct supervisor *s, const struct endpoint *local);

void root_listen_end(struct supervisor *s, const struct message_listen *ended);

#endif
