/*
 * What link.c, link_receive.c and link_send.c share.
 */
#ifndef DAEMON_LINK_LANES_H
#define DAEMON_LINK_LANES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "daemon/link.h"
#include "stack/stack.h"

struct lane {
	LIST_ENTRY(lane) entry;
	struct link *link;
	struct event *event;
	int fd;
	uint32_t version; /* enum ip_version */
	bool syn;
	uint64_t call; /* 0: the listeners' */
	uint32_t set;
};

/*
 * One read's buffers. A packet may be 64 KiB (segmentation offload merges many
 * into one); the memory is mapped, not touched, until packets of that size come.
 */
#define LINK_RECEIVE_BATCH 32
#define LINK_PACKET_MAX    65536u
#define LINK_CONTROL_BYTES 128

struct link_receiver {
	uint8_t *memory; /* LINK_RECEIVE_BATCH times LINK_PACKET_MAX */
	struct mmsghdr message[LINK_RECEIVE_BATCH];
	struct iovec iov[LINK_RECEIVE_BATCH];
	struct sockaddr_in6 from[LINK_RECEIVE_BATCH];
	_Alignas(16) uint8_t control[LINK_RECEIVE_BATCH][LINK_CONTROL_BYTES];
};

/* One batch to send, for one IP version. */
struct link_sender {
	struct mmsghdr message[STACK_BATCH];
	struct iovec iov[STACK_BATCH][2];
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to[STACK_BATCH];
	union {
		struct cmsghdr align;
		uint8_t v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
		uint8_t v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control[STACK_BATCH];
	unsigned count;
};

struct link {
	struct master *master;
	LIST_HEAD(, lane) lanes;
	int send_fd_v4; /* one of the lanes'; -1: none */
	int send_fd_v6;
	struct link_receiver receiver;
	struct link_sender sender_v4;
	struct link_sender sender_v6;
	struct link_stats stats;
};

bool link_receiver_init(struct link_receiver *receiver);
void link_receiver_free(struct link_receiver *receiver);
void link_sender_init(struct link_sender *sender, uint32_t version);

/* Takes in all that waits in the lane; the caller settles. */
void link_read_dry(struct lane *lane);

/* A lane is readable. */
void link_on_readable(evutil_socket_t fd, short what, void *arg);

#endif
