/*
 * The master as the supervisor sees it: what it is given at its start, and what it
 * may ask for. The first one and those that follow (supervisor_succession.c) are
 * given the same: the configuration with the descriptors that all of them share,
 * lanes, the calls that are under way, every worker and, of those whose process has
 * ended meanwhile, its end. Workers may be many, and each comes with four descriptors:
 * they are told as fast as the master reads.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/spawn.h"
#include "daemon/supervisor_state.h"

#define TELL_AHEAD 64 /* messages about workers that may wait */
/* What the master has to say of a rush of clients waits here until the supervisor comes to it. */
#define MASTER_CHANNEL_BYTES (2 << 20)

/* Message about a worker that exists, or NULL; breaking the rules ends the master. */
static struct worker *named_worker(struct supervisor *s, const struct message *message)
{
	const struct message_worker *named = (const void *)message->payload;
	struct worker *worker = workers_find(s, named->worker);

	/* One that has just ended may still be named: messages cross. */
	if (worker == NULL && !workers_known(s, named->worker))
		child_violation(&s->master.channel, "it named a worker that there never was");
	return worker;
}

/* Each of these is a line of log, at least, and work for root: more no client of ours asks for. */
static const struct log_rate of_requests = {50, 200000};

/* What control clients ask (supervisor_request.c). False: the master may not pass it on now. */
static bool in_measure(struct supervisor *s, const struct message *message)
{
	struct notes notes = {0};

	switch (message->header.type) {
	case MESSAGE_PRIV_DRAIN:
	case MESSAGE_PRIV_RESUME:
	case MESSAGE_PRIV_RELOAD:
	case MESSAGE_PRIV_UPGRADE:
		break;
	default:
		return true;
	}
	if (log_bucket_take(&s->requests, &of_requests, clock_now_us()))
		return true;
	notes_add(&notes, "too many requests at a time");
	request_answer(s, (const void *)message->payload, false, &notes);
	return false;
}

static void on_message(struct channel *channel, struct message *message)
{
	struct child *master = (struct child *)((char *)channel - offsetof(struct child, channel));
	struct supervisor *s = master->supervisor;
	struct worker *worker;

	if (child_message(master, message)) {
		supervisor_announce(s);
		return;
	}
	if (!in_measure(s, message))
		return;
	switch (message->header.type) {
	case MESSAGE_WORKER_TAKEN:
		if ((worker = named_worker(s, message)) != NULL)
			worker_taken(s, worker);
		return;
	case MESSAGE_WORKER_RELEASE:
		if ((worker = named_worker(s, message)) != NULL)
			worker_release(s, worker);
		return;
	case MESSAGE_PRIV_WORKER_END:
		if ((worker = named_worker(s, message)) != NULL)
			root_worker_end(s, worker);
		return;
	case MESSAGE_HEARTBEAT:
		watch_heard(&s->watch);
		return;
	case MESSAGE_TAKEN_OVER:
		master_serves(s, (const void *)message->payload);
		return;
	case MESSAGE_PRIV_CALL_PORT:
		root_call_port(s, (const void *)message->payload);
		return;
	case MESSAGE_PRIV_CALL_END:
		root_call_end(s, (const void *)message->payload);
		return;
	case MESSAGE_PRIV_LISTEN_END:
		root_listen_end(s, (const void *)message->payload);
		return;
	case MESSAGE_PRIV_DRAIN:
		root_drain(s, (const void *)message->payload);
		return;
	case MESSAGE_PRIV_RESUME:
		root_resume(s, (const void *)message->payload);
		return;
	case MESSAGE_PRIV_RELOAD:
		root_reload(s, (const void *)message->payload);
		return;
	case MESSAGE_PRIV_UPGRADE:
		root_upgrade(s, (const void *)message->payload);
		return;
	default: /* MESSAGE_DRAINED: its exit follows */
		s->quiet.drained = true;
	}
}

/* Goes on telling the workers, as far as the master reads. */
static void tell_workers(struct supervisor *s)
{
	const struct channel *channel = &s->master.channel;

	while (s->told < WORKER_BUCKETS && channel->fd >= 0 && channel->waiting < TELL_AHEAD) {
		workers_each_in(s, s->told++, master_tell_worker);
		if (s->told == WORKER_BUCKETS)
			channel_send(&s->master.channel, MESSAGE_TAKE_OVER, NULL, 0, NULL, 0);
	}
}

static void on_drained(struct channel *channel)
{
	struct child *master = (struct child *)((char *)channel - offsetof(struct child, channel));

	tell_workers(master->supervisor);
}

const struct channel_handler master_handler = {
	.message = on_message, .violation = child_violation, .drained = on_drained};

static void forget_told(struct supervisor *s, struct worker *worker)
{
	(void)s;
	worker->told = false;
}

static void send_everything(struct supervisor *s)
{
	const struct kept *kept = &s->kept;
	const int fds[] = {kept->chroot_directory, kept->table,   kept->route,
	                   kept->control.fd,       kept->icmp[0], kept->icmp[1]};
	size_t count = kept->icmp[1] >= 0 ? 6 : 5;

	s->master_config.takeovers = s->succession.takeovers;
	s->master_config.crashed = s->succession.crashed ? s->succession.failures : 0;
	channel_send(&s->master.channel, MESSAGE_MASTER_CONFIG, &s->master_config,
	             sizeof(s->master_config), fds, count);
	quiet_tell_pairs(s);
	listeners_tell(s);
	calls_tell(s);
	workers_each(s, forget_told);
	s->told = 0;
	tell_workers(s);
}

int master_start(struct supervisor *s)
{
	static const char *const argv[] = {"calmd", "--role=master", NULL};
	const int room = MASTER_CHANNEL_BYTES;
	int pair[2];

	if (message_channel(pair) < 0)
		return supervisor_fail("channel to the master");
	/* Where this is not allowed, some of what it has to say of a rush is lost, and counted. */
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	struct spawn how = {
		.program = s->program_calmd, .argv = argv, .fds = &pair[1], .fd_count = 1};
	int started = child_start(&s->master, s, &how, pair[0], ROLE_MASTER, &master_handler);
	int cause = errno;
	close(pair[1]);
	if (started < 0) {
		close(pair[0]);
		errno = cause;
		return supervisor_fail("start of the master");
	}
	watch_begin(&s->watch);
	lobby_note_master(s);
	send_everything(s);
	return 0;
}

void master_tell_config(struct supervisor *s)
{
	channel_send(&s->master.channel, MESSAGE_CONFIGURE, &s->master_config,
	             sizeof(s->master_config), NULL, 0);
}

void master_tell_worker(struct supervisor *s, struct worker *worker)
{
	const struct message_worker message = {
		.worker = worker->number,
		.pid = (uint32_t)worker->child.pid,
		.rx_size = worker->rx_size,
		.tx_size = worker->tx_size,
		.taken = worker->taken,
		.former = worker->former,
	};
	const struct message_worker_gone gone = {.worker = worker->number,
	                                         .status = worker->status};
	const int fds[] = {worker->master_end, worker->ring, worker->bell_to_master,
	                   worker->bell_to_worker};

	if (worker->told || s->master.channel.fd < 0)
		return;
	worker->told = true;
	channel_send(&s->master.channel, MESSAGE_WORKER_ADD, &message, sizeof(message), fds, 4);
	if (worker->child.pid == 0)
		channel_send(&s->master.channel, MESSAGE_WORKER_GONE, &gone, sizeof(gone), NULL, 0);
}
