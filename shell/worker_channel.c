/*
 * What comes over a worker's channels. Every message is checked against the
 * table of who may send what (message_allowed); one that is not allowed ends the
 * worker, since then one of the two is not what it should be.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "shell/worker.h"

#define DOORBELLS_AT_ONCE 4

/* Large, and needed rarely: one for all. */
static struct message message;

/* The time of the sender is not the worker's to know, except that it may send what it likes. */
#define ANY_PHASE PHASE_RUN

static void require_allowed(const struct message *received, enum role from)
{
	if (message_allowed(received, from, ROLE_WORKER, ANY_PHASE))
		return;
	log_error("%s sent %s, which it may not", role_name(from),
	          message_name(received->header.type));
	worker_exit(1);
}

/* Receives from FROM: true for a message, false for none; *GONE when the other end is closed. */
static bool receive(int channel, enum role from, int flags, bool *gone)
{
	int got = message_receive(channel, &message, flags);

	*gone = got == 0;
	if (got > 0) {
		require_allowed(&message, from);
		return true;
	}
	if (got < 0 && errno != EAGAIN) {
		log_error("message from %s: %s", role_name(from), strerror(errno));
		if (errno == EBADMSG)
			worker_exit(1);
		*gone = true;
	}
	return false;
}

int channel_configuration(struct message_worker_config *config)
{
	bool gone;

	if (!receive(WORKER_FD_SUPERVISOR, ROLE_SUPERVISOR, 0, &gone))
		worker_exit(0);
	if (message.header.type != MESSAGE_WORKER_CONFIG)
		worker_exit(message.header.type == MESSAGE_TERMINATE ? 0 : 1);
	memcpy(config, message.payload, sizeof(*config));
	return message.fd[0];
}

void channel_supervisor(struct worker *worker)
{
	bool gone;

	if (receive(WORKER_FD_SUPERVISOR, ROLE_SUPERVISOR, MSG_DONTWAIT, &gone)) {
		if (message.header.type != MESSAGE_TERMINATE) {
			log_error("supervisor sent %s twice", message_name(message.header.type));
			worker_exit(1);
		}
		if (worker->stage == WORKER_IDLE)
			worker_exit(0);
		session_hang_up(worker);
	}
	/* Nobody is left who could bring the daemon back. */
	if (gone)
		worker_exit(0);
}

static void opened(struct worker *worker, const struct message_open *open)
{
	if (worker->stage != WORKER_IDLE) {
		if (open->conn_id == worker->conn_id)
			return; /* repeated by a new master */
		log_error("master opens connection %llu where %llu is",
		          (unsigned long long)open->conn_id, (unsigned long long)worker->conn_id);
		worker_exit(1);
	}
	if (!ring_take_up(worker, open->conn_id)) {
		log_error("master opens connection %llu, which is not in the ring",
		          (unsigned long long)open->conn_id);
		worker_exit(1);
	}
	worker->peer = open->flow.peer;
	session_begin(worker);
}

/* What the master may send, as it stands in a record. */
struct record {
	struct message_header header;
	struct message_open open;
};

/* One record of LENGTH bytes, made a message as message_receive would, for the table to check. */
static void take_record(struct worker *worker, const struct record *record, size_t length,
                        bool whole)
{
	message.header = record->header;
	if (!whole || length < sizeof(record->header) ||
	    record->header.version != MESSAGE_VERSION || record->header.fds != 0 ||
	    record->header.length != length - sizeof(record->header)) {
		log_error("message from master: malformed");
		worker_exit(1);
	}
	require_allowed(&message, ROLE_MASTER);
	if (record->header.type == MESSAGE_OPEN)
		opened(worker, &record->open);
}

/*
 * The master's channel gets a doorbell a keystroke, so it is read without room
 * for large payloads and descriptors, all that is there in one system call.
 */
void channel_master(struct worker *worker)
{
	struct record records[DOORBELLS_AT_ONCE];
	struct iovec parts[DOORBELLS_AT_ONCE];
	struct mmsghdr headers[DOORBELLS_AT_ONCE];

	memset(headers, 0, sizeof(headers));
	for (int i = 0; i < DOORBELLS_AT_ONCE; i++) {
		parts[i] = (struct iovec){.iov_base = &records[i], .iov_len = sizeof(records[i])};
		headers[i].msg_hdr.msg_iov = &parts[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	int count = recvmmsg(WORKER_FD_MASTER, headers, DOORBELLS_AT_ONCE, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		bool whole = (headers[i].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
		if (headers[i].msg_len == 0) {
			count = -1; /* the other end is gone */
			errno = EPIPE;
			break;
		}
		take_record(worker, &records[i], headers[i].msg_len, whole);
	}
	if (count >= 0 || errno == EAGAIN || errno == EINTR || errno == ECONNRESET)
		return;
	/* The supervisor keeps the other end for the next master. While a connection is
	   there, it is the supervisor's hang-up that ends the worker. */
	if (worker->stage == WORKER_IDLE)
		worker_exit(0);
	wait_watch(&worker->wait, WAIT_MASTER, WORKER_FD_MASTER, 0);
}

void channel_opener(struct worker *worker)
{
	bool gone;
	struct message_session answer;

	if (receive(WORKER_FD_OPENER, ROLE_OPENER, MSG_DONTWAIT, &gone)) {
		memcpy(&answer, message.payload, sizeof(answer));
		if (answer.error == 0 && message.header.fds == 2) {
			session_opened(worker, &answer, message.fd[0], message.fd[1]);
			return;
		}
		message_discard(&message);
		session_failed(worker, answer.error != 0 ? answer.error : EBADMSG);
	} else if (gone) {
		session_failed(worker, EPIPE);
	}
}

void channel_keeper(struct worker *worker)
{
	bool gone;

	if (receive(worker->keeper, ROLE_KEEPER, MSG_DONTWAIT, &gone) || gone)
		session_ended(worker);
}
