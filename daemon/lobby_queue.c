/*
 * The queue of the lobby: records in and out. See lobby_queue.h.
 */
#include "daemon/lobby_queue.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/record.h"

#define MAGIC     0x594c6d63u /* "cmLY", the first bytes */
#define VERSION   1u
#define QUEUE_MAX (32 << 20) /* bytes, as the kernel counts them: about 30,000 records */

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
	struct record record = {
		.header = &whole,
		.header_size = sizeof(whole),
		.data = (void *)(uintptr_t)data,
		.data_size = length,
		.fd_count = count,
	};

	if (count > LOBBY_FDS_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	whole.magic = MAGIC;
	whole.version = VERSION;
	if (count > 0)
		memcpy(record.fds, fds, count * sizeof(int));
	return record_send(in, &record, MSG_DONTWAIT);
}

void lobby_head_close(const struct lobby_head *head)
{
	for (unsigned i = 0; i < head->fd_count; i++)
		close(head->fds[i]);
}

int lobby_queue_peek(int out, struct lobby_head *head)
{
	struct record record = {
		.header = &head->header,
		.header_size = sizeof(head->header),
		.data = head->data,
		.data_size = sizeof(head->data),
	};
	ssize_t got = record_receive(out, &record, MSG_PEEK | MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	if (got == 0)
		return 0;
	if (!record.whole || record.fd_count > LOBBY_FDS_MAX || head->header.magic != MAGIC ||
	    head->header.version != VERSION) {
		record_discard(&record);
		errno = EBADMSG;
		return -1;
	}
	memcpy(head->fds, record.fds, record.fd_count * sizeof(int));
	head->fd_count = record.fd_count;
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
