/*
 * The link: the raw sockets over which the engine's packets come and go.
 *
 * A lane is one raw socket, its filter set and locked by the supervisor. Lanes
 * come in pairs: the SYN lane gets bare SYNs, the data lane everything else, so
 * that a flood of SYNs cannot push the segments of open connections out of the
 * receive queue. link.c keeps the lanes, link_receive.c reads them in batches,
 * link_send.c sends what stack_output() hands over.
 */
#ifndef DAEMON_LINK_H
#define DAEMON_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/message.h"

struct link;
struct master;

/* The link's own counters: X(field, "name as people see it", "what it counts"). */
#define LINK_STATS(X)                                                                              \
	X(received, "linkReceived", "packets read from the raw sockets")                           \
	X(receive_calls, "linkReceiveCalls", "system calls that read them")                        \
	X(receive_errors, "linkReceiveErrors", "reads that failed")                                \
	X(receive_truncated, "linkReceiveTruncated", "packets above 64 KiB, dropped")              \
	X(receive_malformed, "linkReceiveMalformed", "packets without a usable IP header")         \
	X(sent, "linkSent", "packets sent")                                                        \
	X(send_calls, "linkSendCalls", "system calls that sent them")                              \
	X(send_full, "linkSendFull", "packets dropped: no room (EAGAIN, ENOBUFS)")                 \
	X(send_size, "linkSendSize", "packets dropped: too big (EMSGSIZE)")                        \
	X(send_refused, "linkSendRefused", "packets dropped: not permitted (EPERM, EACCES)")       \
	X(send_unreachable, "linkSendUnreachable", "packets dropped: no route, network down")      \
	X(send_errors, "linkSendErrors", "packets dropped for any other error")                    \
	X(send_no_lane, "linkSendNoLane", "packets dropped: no raw socket of that family")

struct link_stats {
#define LINK_STATS_FIELD(field, name, what) uint64_t field;
	LINK_STATS(LINK_STATS_FIELD)
#undef LINK_STATS_FIELD
};

/* NULL when memory is short. M's base, stack and route must be there first. */
struct link *link_create(struct master *m);
void link_destroy(struct link *link);

/*
 * Takes over the two raw sockets of LANES and begins to read them. On failure,
 * which is logged, they are closed and false is returned.
 */
bool link_add(struct link *link, const struct message_lanes *lanes, int syn_fd, int data_fd);

/* Closes the lanes of CALL, which is above 0. */
void link_remove(struct link *link, uint64_t call);

/* Reads those of the listeners' lanes that LANES names dry, and closes them. */
void link_replace(struct link *link, const struct message_lanes *lanes);

/* Sends everything that the engine has to send. A packet that cannot be sent is lost. */
void link_flush(struct link *link, uint64_t now_us);

const struct link_stats *link_get_stats(const struct link *link);

#endif
