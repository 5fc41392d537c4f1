/*
 * The queue of the lobby: records in and out. See lobby_queue.h.
 */
#include "daemon/lobby_queue.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC     0x594c6d63u /* "cmLY", the first bytes */
#define VERSION   1u
#define QUEUE_MAX (32 << 20) /* bytes, as the kernel counts them: about 30,000 records */

union control_buffer {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(LOBBY_FDS_MAX * sizeof(int))];
};

int lobby_queue_open(int pair[2])
{
	const int size = QUEUE_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0)
		return 0;
	int cause = errno;
	close(pair[0]);
	close(pair[1]);
	errno = cause;
	return -1;
}

int lobby_queue_send(int in, const struct lobby_header *header, const void *data, size_t length,
                     const int *fds, unsigned count)
{
	struct lobby_header whole = *header;
	struct iovec parts[2] = {
		{.iov_base = &whole, .iov_len = sizeof(whole)},
		{.iov_base = (void *)(uintptr_t)data, .iov_len = length},
	};
	struct msghdr record = {.msg_iov = parts, .msg_iovlen = length > 0 ? 2 : 1};
	union control_buffer control = {0};

	whole.magic = MAGIC;
	whole.version = VERSION;
	if (count > 0) {
		record.msg_control = control.bytes;
		record.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&record);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
	}
	ssize_t sent;
	do {
		sent = sendmsg(in, &record, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}

void lobby_head_close(const struct lobby_head *head)
{
	for (unsigned i = 0; i < head->fd_count; i++)
		close(head->fds[i]);
}

static void take_descriptors(struct msghdr *record, struct lobby_head *head)
{
	head->fd_count = 0;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(record); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(record, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		head->fd_count = (unsigned)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(head->fds, CMSG_DATA(cmsg), head->fd_count * sizeof(int));
	}
}

int lobby_queue_peek(int out, struct lobby_head *head)
{
	struct iovec parts[2] = {
		{.iov_base = &head->header, .iov_len = sizeof(head->header)},
		{.iov_base = head->data, .iov_len = sizeof(head->data)},
	};
	union control_buffer control;
	struct msghdr record = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got;

	do {
		got = recvmsg(out, &record, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	if (got == 0)
		return 0;
	take_descriptors(&record, head);
	if ((size_t)got < sizeof(head->header) ||
	    (record.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || head->header.magic != MAGIC ||
	    head->header.version != VERSION) {
		lobby_head_close(head);
		errno = EBADMSG;
		return -1;
	}
	head->length = (size_t)got - sizeof(head->header);
	return 1;
}

void lobby_queue_consume(int out)
{
	char byte;

	while (recv(out, &byte, sizeof(byte), MSG_DONTWAIT) < 0 && errno == EINTR)
		;
}

void lobby_queue_empty(int out)
{
	char byte;

	ssize_t got;

	do {
		got = recv(out, &byte, sizeof(byte),
		           MSG_DONTWAIT); /* 0: nobody has the other end */
	} while (got > 0 || (got < 0 && errno == EINTR));
}
