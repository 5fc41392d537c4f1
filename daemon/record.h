/*
 * One record over a Unix-domain socket of whole records (SOCK_SEQPACKET): a header,
 * data behind it, and descriptors. What they mean is up to message.h and lobby_queue.h.
 * Needs libc only.
 */
#ifndef DAEMON_RECORD_H
#define DAEMON_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RECORD_FDS_MAX 16u /* in one record */

/* Where a record is kept: HEADER and DATA are the caller's, with room for so many bytes. */
struct record {
	void *header;
	size_t header_size;
	void *data;
	size_t data_size;
	int fds[RECORD_FDS_MAX];
	unsigned fd_count;
	bool whole; /* nothing of it was too long for this room, and its header is complete */
};

/*
 * Sends RECORD, all of header and data and its descriptors, in one piece; FLAGS as for
 * sendmsg(2), never a signal. Returns 0, or -1 with errno: EMSGSIZE also for too many descriptors.
 */
int record_send(int socket, const struct record *record, int flags);

/*
 * Receives one into RECORD, whose room is set, and says in fds, fd_count and whole what came;
 * FLAGS as for recvmsg(2). The descriptors are close-on-exec and the caller's, also those of a
 * record that is not whole. Returns the bytes of header and data, 0 when nobody has the other end
 * any more, or -1 with errno: EBADMSG for descriptors that come with no byte at all, which are closed.
 */
ssize_t record_receive(int socket, struct record *record, int flags);

/* Closes the descriptors of a record that was received. */
void record_discard(struct record *record);

#endif
