/*
 * What comes over a worker's channels. Every message is checked against the
 * table of who may send what (message_allowed); one that is not allowed ends the
 * worker, since then one of the two is not what it should be.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/sandbox.h"
#include "shell/worker.h"

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

int channel_configuration(struct message_worker_config *config, const struct sock_filter **filter)
{
	bool gone;

	if (!receive(WORKER_FD_SUPERVISOR, ROLE_SUPERVISOR, 0, &gone))
		worker_exit(0);
	if (message.header.type != MESSAGE_WORKER_CONFIG)
		worker_exit(message.header.type == MESSAGE_TERMINATE ? 0 : 1);
	memcpy(config, message.payload, sizeof(*config));
	*filter = (const void *)(message.payload + sizeof(*config));
	if (message.header.length !=
	    sizeof(*config) + config->filter_length * sizeof(struct sock_filter)) {
		log_error("the filter of the sandbox is not whole");
		worker_exit(1);
	}
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
		session_watch_ending(worker, SESSION_SHUTDOWN);
		session_hang_up(worker);
	}
	/* Nobody is left who could bring the daemon back. */
	if (gone)
		worker_exit(0);
}

static void opened(struct worker *worker, const struct message_open *open)
{
	if (worker->stage != WORKER_IDLE) {
		if (open->conn_id == worker->conn_id) {
			session_watch_new_master(worker); /* who repeats it */
			return;
		}
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
	session_begin(worker, open);
}

void channel_master(struct worker *worker)
{
	bool gone;

	if (receive(WORKER_FD_MASTER, ROLE_MASTER, MSG_DONTWAIT, &gone)) {
		struct message_open open;

		memcpy(&open, message.payload, sizeof(open));
		opened(worker, &open);
	}
	if (!gone)
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
			session_banner(worker, (const char *)message.payload + sizeof(answer),
			               message.header.length - sizeof(answer));
			session_opened(worker, &answer, message.fd[0], message.fd[1]);
			return;
		}
		message_discard(&message);
		session_failed(worker, answer.error != 0 ? answer.error : EBADMSG);
	} else if (gone) {
		session_failed(worker, EPIPE);
	}
}

static const char *told_user(const char user[SESSION_LOGNAME_SIZE])
{
	return message_user_valid(user, SESSION_LOGNAME_SIZE) ? user : "";
}

void channel_keeper(struct worker *worker)
{
	bool gone;
	struct message_session_user answer;
	struct message_session_ended ended;

	if (receive(worker->keeper, ROLE_KEEPER, MSG_DONTWAIT, &gone)) {
		if (message.header.type == MESSAGE_SESSION_USER) {
			memcpy(&answer, message.payload, sizeof(answer));
			session_watch_user(worker, told_user(answer.user));
			return;
		}
		memcpy(&ended, message.payload, sizeof(ended));
		if (told_user(ended.user)[0] == '\0' && WIFEXITED(ended.status) &&
		    WEXITSTATUS(ended.status) != 0)
			report_signature(worker, SIGNATURE_LOGIN);
		session_watch_last(worker, told_user(ended.user));
		audit_status(worker, ended.status);
		session_ended(worker);
	} else if (gone) {
		session_ended(worker);
	}
}

/* A full channel is one that the master does not read: there are worse things to tell it then. */
void report_signature(struct worker *worker, enum signature signature)
{
	struct message_signature report = {.conn_id = worker->conn_id, .signature = signature};

	if (signature == SIGNATURE_NONE || (worker->signatures & (1u << signature)) != 0)
		return;
	worker->signatures |= 1u << signature;
	message_send(WORKER_FD_MASTER, MESSAGE_SIGNATURE, &report, sizeof(report), NULL, 0,
	             MSG_DONTWAIT);
}
