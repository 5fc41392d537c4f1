/*
 * What the supervisor says to the running master. Each message is checked
 * against the table of who may say what (message_allowed()); a supervisor that
 * breaks it is not the one we know, and the master ends.
 *
 * A turn handles a bounded number of messages. Losing the supervisor ends the
 * master: the next supervisor starts its own.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/call.h"
#include "daemon/control_commands.h"
#include "daemon/link.h"
#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"

#define TURN_MESSAGES 64

static void handle(struct master *m, uint64_t now_us)
{
	struct message *message = &m->message;
	const void *payload = message->payload;
	const struct message_lanes *lanes = payload;
	const struct message_worker_gone *gone = payload;

	switch (message->header.type) {
	case MESSAGE_LANES:
		link_add(m->link, lanes, message->fd[0], message->fd[1]);
		return;
	case MESSAGE_LANES_CLOSE:
		link_replace(m->link, lanes);
		return;
	case MESSAGE_BARRED_PAIRS:
		master_bar_pairs(m, payload, now_us);
		return;
	case MESSAGE_WORKER_ADD:
		pool_add(m->pool, payload, message->fd);
		return;
	case MESSAGE_WORKER_GONE:
		pool_gone(m->pool, gone, now_us);
		return;
	case MESSAGE_CALL_PORT:
		if (m->taking_in)
			call_kept(m->calls, payload);
		else
			call_port(m->calls, payload, now_us);
		return;
	case MESSAGE_TAKE_OVER:
		m->taking_in = false;
		return;
	case MESSAGE_HAND_OVER:
		master_hand_over(m);
		return;
	case MESSAGE_CONFIGURE:
		master_configure(m, payload, now_us);
		return;
	case MESSAGE_ANSWER:
		control_supervisor_answer(m, payload, message->header.length);
		return;
	case MESSAGE_HEARTBEAT:
		master_tell(m, MESSAGE_HEARTBEAT, NULL, 0);
		return;
	case MESSAGE_TERMINATE:
		master_terminate(m, now_us);
		return;
	default:
		log_error("the supervisor sent %s, which is not for a running master",
		          message_name(message->header.type));
		message_discard(message);
		master_stop(m, 1);
	}
}

bool master_receive(struct master *m, int flags, uint64_t now_us)
{
	int got = message_receive(m->channel, &m->message, flags);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got == 0 || (got < 0 && errno == ECONNRESET)) {
		/* Nobody is left to tell. */
		master_stop(m, 1);
		return false;
	}
	if (got < 0) {
		log_error("cannot read the supervisor's channel: %s", strerror(errno));
		master_stop(m, 1);
		return false;
	}
	if (!message_allowed(&m->message, ROLE_SUPERVISOR, ROLE_MASTER, m->phase)) {
		log_error("the supervisor must not send %s now",
		          message_name(m->message.header.type));
		message_discard(&m->message);
		master_stop(m, 1);
		return false;
	}
	handle(m, now_us);
	return true;
}

void master_on_channel(int fd, short what, void *arg)
{
	struct master *m = arg;
	uint64_t now_us = master_now_us();

	(void)fd;
	(void)what;
	for (int i = 0; i < TURN_MESSAGES && master_receive(m, MSG_DONTWAIT, now_us); i++)
		;
	if (!m->stopped || m->status == 0)
		master_settle(m, now_us);
}
