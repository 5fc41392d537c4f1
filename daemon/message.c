/*
 * Writing and reading the messages of message.h, and the table of who may send
 * what to whom and when.
 *
 * The table is what stands between a process that a stranger has taken over and
 * the ones that have rights: every receiver asks message_allowed() before it
 * looks at a payload. What the table checks is the type, both ends, the sender's
 * phase, the payload's length and the number of descriptors; the values inside
 * are the receiver's to check. The requests of unprivileged processes are those
 * whose type begins with MESSAGE_PRIV_; the function that sends one is called
 * priv_X, the function that does what it asks root_X:
 *
 *   priv_call_port, priv_call_end   master asks the supervisor
 *   priv_worker_end, priv_listen_end   the same
 *   priv_reload, priv_upgrade,      the same, for a control client
 *   priv_drain, priv_resume
 *   priv_open_session               worker asks the opener
 *   priv_find_user                  worker asks its keeper
 */
#include "daemon/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/record.h"
#include "daemon/sandbox.h"

#define BIT(role) (1u << (role))
#define ANY_TIME  (PHASE_START | PHASE_RUN | PHASE_SESSION | PHASE_END)

struct rule {
	enum message_type type;
	unsigned from;   /* bit set of roles */
	unsigned to;     /* bit set of roles */
	unsigned phases; /* of the sender */
	size_t payload_min;
	size_t payload_max;
	unsigned fds_min;
	unsigned fds_max;
};

#define SIZE(name) sizeof(struct message_##name), sizeof(struct message_##name)
#define EMPTY      0, 0
#define FDS(n)     (n), (n)

#define SUPERVISOR BIT(ROLE_SUPERVISOR)
#define MASTER     BIT(ROLE_MASTER)
#define WORKER     BIT(ROLE_WORKER)
#define OPENER     BIT(ROLE_OPENER)
#define KEEPER     BIT(ROLE_KEEPER)

/*
 * A sender with more rights than the receiver is trusted to know its time: its
 * messages have ANY_TIME. (OPEN is repeated and may be late.)
 */
static const struct rule rules[] = {
	{MESSAGE_MASTER_CONFIG, SUPERVISOR, MASTER, ANY_TIME, SIZE(master_config), 5, 6},
	{MESSAGE_LANES, SUPERVISOR, MASTER, ANY_TIME, SIZE(lanes), FDS(2)},
	{MESSAGE_LANES_CLOSE, SUPERVISOR, MASTER, ANY_TIME, SIZE(lanes), FDS(0)},
	{MESSAGE_BARRED_PAIRS, SUPERVISOR, MASTER, ANY_TIME, SIZE(barred_pairs), FDS(0)},
	{MESSAGE_WORKER_ADD, SUPERVISOR, MASTER, ANY_TIME, SIZE(worker), FDS(4)},
	{MESSAGE_WORKER_ADD, SUPERVISOR, OPENER, ANY_TIME, SIZE(worker), FDS(1)},
	{MESSAGE_WORKER_GONE, SUPERVISOR, MASTER | OPENER, ANY_TIME, SIZE(worker_gone), FDS(0)},
	{MESSAGE_TERMINATE, SUPERVISOR, MASTER | WORKER | OPENER, ANY_TIME, EMPTY, FDS(0)},
	{MESSAGE_CALL_PORT, SUPERVISOR, MASTER, ANY_TIME, SIZE(call_port), FDS(0)},
	{MESSAGE_TAKE_OVER, SUPERVISOR, MASTER, ANY_TIME, EMPTY, FDS(0)},
	{MESSAGE_HAND_OVER, SUPERVISOR, MASTER, ANY_TIME, EMPTY, FDS(0)},

	{MESSAGE_READY, MASTER | WORKER, SUPERVISOR, PHASE_START, EMPTY, FDS(0)},
	{MESSAGE_READY, OPENER, SUPERVISOR, PHASE_START, SIZE(ready), FDS(0)},
	{MESSAGE_WORKER_TAKEN, MASTER, SUPERVISOR, PHASE_RUN | PHASE_END, SIZE(worker), FDS(0)},
	{MESSAGE_WORKER_RELEASE, MASTER, SUPERVISOR, PHASE_RUN | PHASE_END, SIZE(worker), FDS(0)},
	{MESSAGE_PRIV_CALL_PORT, MASTER, SUPERVISOR, PHASE_RUN, SIZE(call_port), FDS(0)},
	{MESSAGE_PRIV_CALL_END, MASTER, SUPERVISOR, PHASE_RUN | PHASE_END, SIZE(call_port), FDS(0)},
	{MESSAGE_DRAINED, MASTER, SUPERVISOR, PHASE_RUN | PHASE_END, EMPTY, FDS(0)},
	{MESSAGE_TAKEN_OVER, MASTER, SUPERVISOR, PHASE_RUN | PHASE_END, SIZE(taken_over), FDS(0)},
	{MESSAGE_LOG, MASTER | WORKER | OPENER, SUPERVISOR, ANY_TIME, sizeof(struct message_log),
         sizeof(struct message_log) + LOG_LINE_MAX, FDS(0)},

	{MESSAGE_WORKER_CONFIG, SUPERVISOR, WORKER, ANY_TIME, sizeof(struct message_worker_config),
         sizeof(struct message_worker_config) + SANDBOX_FILTER_MAX * sizeof(struct sock_filter),
         FDS(1)},
	{MESSAGE_OPENER_CONFIG, SUPERVISOR, OPENER, ANY_TIME, SIZE(opener_config), FDS(0)},

	{MESSAGE_OPEN, MASTER, WORKER, ANY_TIME, SIZE(open), FDS(0)},

	{MESSAGE_SIGNATURE, WORKER, MASTER, PHASE_RUN, SIZE(signature), FDS(0)},

	{MESSAGE_PRIV_OPEN_SESSION, WORKER, OPENER, PHASE_RUN, SIZE(open_session), FDS(0)},
	{MESSAGE_SESSION, OPENER, WORKER, ANY_TIME, sizeof(struct message_session),
         sizeof(struct message_session) + SESSION_BANNER_MAX, 0, 2},
	{MESSAGE_SESSION_ENDED, KEEPER, WORKER, ANY_TIME, SIZE(session_ended), FDS(0)},
	{MESSAGE_PRIV_FIND_USER, WORKER, KEEPER, PHASE_SESSION, EMPTY, FDS(0)},
	{MESSAGE_SESSION_USER, KEEPER, WORKER, ANY_TIME, SIZE(session_user), FDS(0)},
	{MESSAGE_SESSION_NOTE, WORKER, MASTER, PHASE_RUN, SIZE(session_note), FDS(0)},

	{MESSAGE_PRIV_RELOAD, MASTER, SUPERVISOR, PHASE_RUN, SIZE(request), FDS(0)},
	{MESSAGE_PRIV_UPGRADE, MASTER, SUPERVISOR, PHASE_RUN, SIZE(request), FDS(0)},
	{MESSAGE_PRIV_WORKER_END, MASTER, SUPERVISOR, PHASE_RUN | PHASE_END, SIZE(worker), FDS(0)},
	{MESSAGE_PRIV_DRAIN, MASTER, SUPERVISOR, PHASE_RUN, SIZE(request), FDS(0)},
	{MESSAGE_PRIV_RESUME, MASTER, SUPERVISOR, PHASE_RUN, SIZE(request), FDS(0)},
	{MESSAGE_PRIV_LISTEN_END, MASTER, SUPERVISOR, PHASE_RUN, SIZE(listen), FDS(0)},
	{MESSAGE_HEARTBEAT, SUPERVISOR, MASTER, ANY_TIME, EMPTY, FDS(0)},
	{MESSAGE_HEARTBEAT, MASTER, SUPERVISOR, ANY_TIME, EMPTY, FDS(0)},
	{MESSAGE_VIOLATION, MASTER | WORKER, SUPERVISOR, ANY_TIME, SIZE(violation), FDS(0)},
	{MESSAGE_CONFIGURE, SUPERVISOR, MASTER, ANY_TIME, SIZE(master_config), FDS(0)},
	{MESSAGE_ANSWER, SUPERVISOR, MASTER, ANY_TIME, sizeof(struct message_answer),
         sizeof(struct message_answer) + MESSAGE_ANSWER_TEXT_MAX, FDS(0)},
};

static const char *const message_names[MESSAGE_TYPES] = {
	[MESSAGE_NONE] = "none",
	[MESSAGE_MASTER_CONFIG] = "master_config",
	[MESSAGE_LANES] = "lanes",
	[MESSAGE_LANES_CLOSE] = "lanes_close",
	[MESSAGE_BARRED_PAIRS] = "barred_pairs",
	[MESSAGE_WORKER_ADD] = "worker_add",
	[MESSAGE_WORKER_GONE] = "worker_gone",
	[MESSAGE_TERMINATE] = "terminate",
	[MESSAGE_CALL_PORT] = "call_port",
	[MESSAGE_TAKE_OVER] = "take_over",
	[MESSAGE_HAND_OVER] = "hand_over",
	[MESSAGE_READY] = "ready",
	[MESSAGE_WORKER_TAKEN] = "worker_taken",
	[MESSAGE_WORKER_RELEASE] = "worker_release",
	[MESSAGE_PRIV_CALL_PORT] = "priv_call_port",
	[MESSAGE_PRIV_CALL_END] = "priv_call_end",
	[MESSAGE_DRAINED] = "drained",
	[MESSAGE_TAKEN_OVER] = "taken_over",
	[MESSAGE_LOG] = "log",
	[MESSAGE_WORKER_CONFIG] = "worker_config",
	[MESSAGE_OPENER_CONFIG] = "opener_config",
	[MESSAGE_OPEN] = "open",
	[MESSAGE_SIGNATURE] = "signature",
	[MESSAGE_PRIV_OPEN_SESSION] = "priv_open_session",
	[MESSAGE_SESSION] = "session",
	[MESSAGE_SESSION_ENDED] = "session_ended",
	[MESSAGE_PRIV_FIND_USER] = "priv_find_user",
	[MESSAGE_SESSION_USER] = "session_user",
	[MESSAGE_SESSION_NOTE] = "session_note",
	[MESSAGE_PRIV_RELOAD] = "priv_reload",
	[MESSAGE_PRIV_UPGRADE] = "priv_upgrade",
	[MESSAGE_PRIV_WORKER_END] = "priv_worker_end",
	[MESSAGE_PRIV_DRAIN] = "priv_drain",
	[MESSAGE_PRIV_RESUME] = "priv_resume",
	[MESSAGE_PRIV_LISTEN_END] = "priv_listen_end",
	[MESSAGE_VIOLATION] = "violation",
	[MESSAGE_CONFIGURE] = "configure",
	[MESSAGE_ANSWER] = "answer",
	[MESSAGE_HEARTBEAT] = "heartbeat",
};

static const char *const role_names[ROLES] = {
	[ROLE_SUPERVISOR] = "supervisor", [ROLE_MASTER] = "master", [ROLE_WORKER] = "worker",
	[ROLE_OPENER] = "opener",         [ROLE_KEEPER] = "keeper",
};

const char *signature_name(uint32_t signature)
{
	static const char *const names[SIGNATURES] = {
		[SIGNATURE_NONE] = "none",
		[SIGNATURE_USER] = "a user name that login would take for an option",
		[SIGNATURE_ENVIRONMENT] = "a variable that changes what programs load",
		[SIGNATURE_SLC] = "more special characters than there are",
		[SIGNATURE_ENCRYPT] = "an encryption key id that is too long",
		[SIGNATURE_ENDLESS] = "a subnegotiation that does not end",
		[SIGNATURE_LOGIN] = "names and passwords that login does not take",
	};

	return signature < SIGNATURES ? names[signature] : "unknown";
}

static const char *const ending_texts[SESSION_ENDINGS] = {
	[SESSION_GOES_ON] = "it goes on",         [SESSION_LOGOUT] = "logout",
	[SESSION_CLIENT] = "ended by the client", [SESSION_LOGIN_TIMEOUT] = "nobody logged in",
	[SESSION_IDLE_TIMEOUT] = "no input",      [SESSION_SILENT] = "the client does not answer",
	[SESSION_SHUTDOWN] = "calmd ends",        [SESSION_FAILED] = "no session could be opened",
};

const char *session_ending_text(uint32_t ending)
{
	return ending < SESSION_ENDINGS ? ending_texts[ending] : "unknown";
}

bool message_user_valid(const char *user, size_t size)
{
	size_t length = strnlen(user, size);

	if (length == 0 || length == size || size > SESSION_LOGNAME_SIZE)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (user[i] <= ' ' || user[i] > '~')
			return false;
	}
	return true;
}

int message_send(int channel, enum message_type type, const void *payload, size_t length,
                 const int *fds, size_t count, int flags)
{
	if (length > MESSAGE_PAYLOAD_MAX || count > MESSAGE_FDS_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	struct message_header header = {
		.version = MESSAGE_VERSION,
		.type = type,
		.length = (uint32_t)length,
		.fds = (uint32_t)count,
	};
	struct record record = {
		.header = &header,
		.header_size = sizeof(header),
		.data = (void *)(uintptr_t)payload,
		.data_size = length,
		.fd_count = (unsigned)count,
	};
	if (count > 0)
		memcpy(record.fds, fds, count * sizeof(int));
	int result = record_send(channel, &record, flags);
	if (result < 0 && errno == ECONNRESET)
		errno = EPIPE;
	return result;
}

int message_receive(int channel, struct message *message, int flags)
{
	struct message_header *header = &message->header;
	struct record record = {
		.header = header,
		.header_size = sizeof(*header),
		.data = message->payload,
		.data_size = sizeof(message->payload),
	};
	ssize_t got;

	/* ECONNRESET says once that the other end left without reading everything;
	   what it sent before is still there, and then comes the end. */
	do {
		got = record_receive(channel, &record, flags);
	} while (got < 0 && errno == ECONNRESET);
	if (got <= 0)
		return (int)got;

	if (!record.whole || header->version != MESSAGE_VERSION || header->fds != record.fd_count ||
	    record.fd_count > MESSAGE_FDS_MAX || header->length != (size_t)got - sizeof(*header)) {
		record_discard(&record);
		header->fds = 0;
		errno = EBADMSG;
		return -1;
	}
	memcpy(message->fd, record.fds, record.fd_count * sizeof(int));
	return 1;
}

bool message_allowed(const struct message *message, enum role from, enum role to, unsigned phase)
{
	const struct message_header *header = &message->header;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *rule = &rules[i];
		if (header->type != rule->type || (rule->from & BIT(from)) == 0 ||
		    (rule->to & BIT(to)) == 0)
			continue;
		return (rule->phases & phase) != 0 && header->length >= rule->payload_min &&
		       header->length <= rule->payload_max && header->fds >= rule->fds_min &&
		       header->fds <= rule->fds_max;
	}
	return false;
}

void message_discard(struct message *message)
{
	for (uint32_t i = 0; i < message->header.fds && i < MESSAGE_FDS_MAX; i++)
		close(message->fd[i]);
	message->header.fds = 0;
}

const char *message_name(uint32_t type)
{
	return type < MESSAGE_TYPES ? message_names[type] : "unknown";
}

const char *role_name(enum role role)
{
	return (unsigned)role < ROLES ? role_names[role] : "unknown";
}

bool message_peer_is_root(int channel)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return false;
	if (peer.uid != 0)
		errno = EPERM;
	return peer.uid == 0;
}

int message_channel(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}
