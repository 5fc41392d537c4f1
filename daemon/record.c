/*
 * Records over Unix-domain sockets. See record.h.
 */
#include "daemon/record.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control_buffer {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(RECORD_FDS_MAX * sizeof(int))];
};

int record_send(int socket, const struct record *record, int flags)
{
	struct iovec parts[2] = {
		{.iov_base = record->header, .iov_len = record->header_size},
		{.iov_base = record->data, .iov_len = record->data_size},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = record->data_size > 0 ? 2 : 1};
	union control_buffer control;
	const size_t size = record->fd_count * sizeof(int);

	if (record->fd_count > RECORD_FDS_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	if (record->fd_count > 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(size);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(cmsg), record->fds, size);
	}
	ssize_t sent;
	do {
		sent = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}

static void take_descriptors(struct msghdr *message, struct record *record)
{
	record->fd_count = 0;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(message, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		/* No more than the buffer had room for. */
		size_t here = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here && record->fd_count < RECORD_FDS_MAX; i++)
			memcpy(&record->fds[record->fd_count++], CMSG_DATA(cmsg) + i * sizeof(int),
			       sizeof(int));
	}
}

ssize_t record_receive(int socket, struct record *record, int flags)
{
	struct iovec parts[2] = {
		{.iov_base = record->header, .iov_len = record->header_size},
		{.iov_base = record->data, .iov_len = record->data_size},
	};
	union control_buffer control;
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got;

	record->fd_count = 0;
	record->whole = false;
	do {
		got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -1;
	take_descriptors(&message, record);
	/* A record without a byte looks like the end, but for the descriptors it can bring. */
	if (got == 0 && record->fd_count > 0) {
		record_discard(record);
		errno = EBADMSG;
		return -1;
	}
	if (got == 0)
		return 0;
	record->whole = (size_t)got >= record->header_size &&
	                (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
	return got;
}

void record_discard(struct record *record)
{
	for (unsigned i = 0; i < record->fd_count; i++)
		close(record->fds[i]);
	record->fd_count = 0;
}
