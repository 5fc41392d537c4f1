/*
 * The workers: preforked, one connection each.
 *
 * Theory of operation
 *
 * A worker is idle from its start until the master says that it has taken it
 * (MESSAGE_WORKER_TAKEN); then another is started at once, so that there always
 * are `target` idle ones. The target begins at min-spare-workers, doubles up to
 * max-spare-workers when a rush has used nearly all, and goes back by one a
 * second when nobody comes; the surplus is used up by the next connections.
 *
 * The supervisor keeps each worker's ring, bells and a copy of the master's end of
 * its channel: they are what a new master needs to go on with the session. They go
 * when the process has ended and a master has released the ring, also those of a
 * worker that never was taken: a master that died may have given it a connection
 * without having said so. While no master runs no worker is started, which bounds
 * what has to be kept.
 *
 * Workers that end without ever having been taken are failures: the pause before
 * the next start doubles from 100 ms to 5 s.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/bell.h"
#include "daemon/log.h"
#include "daemon/ring_map.h"
#include "daemon/spawn.h"
#include "daemon/supervisor_state.h"

#define TURN_STARTS 4 /* before others have their turn */

static struct worker_list *number_bucket(struct supervisor *s, uint64_t number)
{
	return &s->workers.by_number[number % WORKER_BUCKETS];
}

static struct worker_list *pid_bucket(struct supervisor *s, pid_t pid)
{
	return &s->workers.by_pid[(unsigned)pid % WORKER_BUCKETS];
}

struct worker *workers_find_pid(struct supervisor *s, pid_t pid)
{
	struct worker *worker;

	LIST_FOREACH (worker, pid_bucket(s, pid), by_pid)
		if (worker->child.pid == pid)
			return worker;
	return NULL;
}

struct worker *workers_find(struct supervisor *s, uint64_t number)
{
	struct worker *worker;

	LIST_FOREACH (worker, number_bucket(s, number), by_number)
		if (worker->number == number)
			return worker;
	return NULL;
}

bool workers_known(const struct supervisor *s, uint64_t number)
{
	return number > 0 && number <= s->workers.last_number;
}

static void on_message(struct channel *channel, struct message *message)
{
	child_message((struct child *)((char *)channel - offsetof(struct child, channel)), message);
}

const struct channel_handler worker_handler = {.message = on_message, .violation = child_violation};

/* The descriptors of a worker being started. */
struct ends {
	int supervisor[2];
	int master[2];
	int opener[2];
	int ring;
	int bell[2]; /* to the master, to the worker */
};

static void close_pair(const int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

static int open_ends(const struct supervisor *s, struct ends *ends)
{
	*ends = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}, -1, {-1, -1}};
	if (message_channel(ends->supervisor) == 0 && message_channel(ends->master) == 0 &&
	    message_channel(ends->opener) == 0 && (ends->bell[0] = bell_create()) >= 0 &&
	    (ends->bell[1] = bell_create()) >= 0 &&
	    (ends->ring = ring_create(s->config->receive_buffer, s->config->send_buffer)) >= 0)
		return 0;
	return -1;
}

static void close_ends(const struct ends *ends)
{
	close_pair(ends->supervisor);
	close_pair(ends->master);
	close_pair(ends->opener);
	close_pair(ends->bell);
	if (ends->ring >= 0)
		close(ends->ring);
}

static int start_process(struct supervisor *s, struct worker *worker, const struct ends *ends)
{
	static const char *const argv[] = {"calmd-worker", NULL};
	const int fds[] = {ends->supervisor[1], ends->master[1], ends->opener[1],
	                   ends->ring,          ends->bell[1],   ends->bell[0]};
	const struct spawn how = {
		.program = s->program_worker,
		.argv = argv,
		.fds = fds,
		.fd_count = 6,
		.files = &s->files,
	};

	return child_start(&worker->child, s, &how, ends->supervisor[0], ROLE_WORKER,
	                   &worker_handler);
}

/* Everybody learns of the new worker. */
static void introduce(struct supervisor *s, struct worker *worker, int opener_end)
{
	struct {
		struct message_worker_config config;
		struct sock_filter filter[SANDBOX_FILTER_MAX];
	} start = {
		.config =
			{
				.uid = s->worker_uid,
				.gid = s->worker_gid,
				.rx_size = worker->rx_size,
				.tx_size = worker->tx_size,
				.worker = worker->number,
				.log_level = s->config->log_level,
				.filter_length = s->worker_filter.length,
			},
	};
	size_t filter_bytes = s->worker_filter.length * sizeof(start.filter[0]);
	const struct message_worker message = {
		.worker = worker->number,
		.pid = (uint32_t)worker->child.pid,
		.rx_size = worker->rx_size,
		.tx_size = worker->tx_size,
	};

	memcpy(start.filter, s->worker_filter.code, filter_bytes);
	channel_send(&worker->child.channel, MESSAGE_WORKER_CONFIG, &start,
	             sizeof(start.config) + filter_bytes, &s->kept.chroot_directory, 1);
	channel_send(&s->opener.channel, MESSAGE_WORKER_ADD, &message, sizeof(message), &opener_end,
	             1);
	master_tell_worker(s, worker);
}

/* True for one that the master may give a connection to, as far as we know. */
static bool is_idle(const struct worker *worker)
{
	return worker->child.pid != 0 && !worker->taken && !worker->terminated && !worker->former;
}

void workers_insert(struct supervisor *s, struct worker *worker)
{
	LIST_INSERT_HEAD(number_bucket(s, worker->number), worker, by_number);
	if (worker->child.pid == 0)
		return;
	LIST_INSERT_HEAD(pid_bucket(s, worker->child.pid), worker, by_pid);
	s->workers.alive++;
	s->workers.idle += is_idle(worker);
}

static int start_worker(struct supervisor *s)
{
	struct workers *workers = &s->workers;
	struct worker *worker = calloc(1, sizeof(*worker));
	struct ends ends;

	if (worker == NULL)
		return -1;
	worker->child.channel.fd = worker->child.pidfd = -1;
	if (open_ends(s, &ends) < 0 || start_process(s, worker, &ends) < 0) {
		int cause = errno;
		close_ends(&ends);
		free(worker);
		errno = cause;
		return -1;
	}
	worker->number = ++workers->last_number;
	worker->master_end = ends.master[0];
	worker->ring = ends.ring;
	worker->rx_size = s->config->receive_buffer;
	worker->tx_size = s->config->send_buffer;
	worker->bell_to_master = ends.bell[0];
	worker->bell_to_worker = ends.bell[1];
	workers_insert(s, worker);
	lobby_note_worker(s, worker); /* before it can get a connection */
	introduce(s, worker, ends.opener[0]);
	close(ends.supervisor[1]);
	close(ends.master[1]);
	close_pair(ends.opener);
	return 0;
}

/* Several that fail at once are one failure. */
static void try_again_later(struct supervisor *s)
{
	if (evtimer_pending(&s->workers.upkeep, NULL))
		return;
	struct timeval pause = supervisor_backoff(++s->workers.failures);

	evtimer_add(&s->workers.upkeep, &pause);
}

/* True when another one is wanted, and allowed. */
static bool short_of_workers(const struct supervisor *s)
{
	const struct workers *workers = &s->workers;

	/* before the first master, but not between two of them */
	bool master = s->master.pid != 0 || !s->succession.began;

	return s->stage == END_NOT && s->opener.channel.fd >= 0 && master &&
	       workers->idle < workers->target &&
	       workers->alive < s->config->max_connections + s->config->max_spare_workers;
}

void workers_upkeep(struct supervisor *s)
{
	static const struct timeval soon = {0, 0};

	if (evtimer_pending(&s->workers.upkeep, NULL))
		return; /* soon, or after a pause */
	for (int i = 0; short_of_workers(s); i++) {
		if (i == TURN_STARTS) {
			evtimer_add(&s->workers.upkeep, &soon);
			return;
		}
		if (start_worker(s) < 0) {
			log_error("start of a worker: %s", strerror(errno));
			try_again_later(s);
			return;
		}
	}
}

static void on_upkeep(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	workers_upkeep(arg);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;
	struct workers *workers = &s->workers;

	(void)fd;
	(void)what;
	if (!workers->demand && workers->target > s->config->min_spare_workers)
		workers->target--;
	workers->demand = false;
	supervisor_report(s);
}

void workers_init(struct supervisor *s)
{
	static const struct timeval second = {1, 0};

	s->workers.target = s->config->min_spare_workers;
	evtimer_assign(&s->workers.upkeep, s->base, on_upkeep, s);
	event_assign(&s->workers.second, s->base, -1, EV_PERSIST, on_second, s);
	evtimer_add(&s->workers.second, &second);
}

static void worker_free(struct supervisor *s, struct worker *worker)
{
	LIST_REMOVE(worker, by_number);
	lobby_forget_worker(s, worker);
	close(worker->master_end);
	close(worker->ring);
	close(worker->bell_to_master);
	close(worker->bell_to_worker);
	free(worker);
}

void worker_taken(struct supervisor *s, struct worker *worker)
{
	struct workers *workers = &s->workers;

	if (worker->taken)
		return;
	workers->idle -= is_idle(worker);
	worker->taken = true;
	if (worker->former) /* a connection that there was before */
		return;
	workers->demand = true;
	workers->failures = 0;
	if (workers->idle <= workers->target / 4) {
		uint32_t doubled = 2 * workers->target;
		uint32_t most = s->config->max_spare_workers;
		workers->target = doubled < most ? doubled : most;
	}
	workers_upkeep(s);
}

void worker_release(struct supervisor *s, struct worker *worker)
{
	if (worker->child.pid == 0)
		worker_free(s, worker);
	else
		worker->released = true;
}

void worker_ended(struct supervisor *s, struct worker *worker, int status)
{
	const struct message_worker_gone gone = {.worker = worker->number, .status = status};
	struct workers *workers = &s->workers;
	pid_t pid = worker->child.pid;
	char text[STATUS_TEXT_MAX];
	/* while masters change nobody can tell whether it was taken */
	bool failed = !worker->taken && !worker->terminated && !worker->former &&
	              s->stage == END_NOT && s->succession.serving;

	LIST_REMOVE(worker, by_pid);
	workers->idle -= is_idle(worker);
	worker->child.pid = 0;
	worker->status = status;
	channel_receive(&worker->child.channel); /* its last words for the log */
	channel_close(&worker->child.channel);
	workers->alive--;
	if (worker->told)
		channel_send(&s->master.channel, MESSAGE_WORKER_GONE, &gone, sizeof(gone), NULL, 0);
	channel_send(&s->opener.channel, MESSAGE_WORKER_GONE, &gone, sizeof(gone), NULL, 0);
	if (failed || status != 0)
		log_error("worker %d %s%s", (int)pid, status_text(status, text),
		          failed ? " before it had a connection" : "");
	if (worker->released)
		worker_free(s, worker);
	if (failed)
		try_again_later(s);
	else
		workers_upkeep(s);
}

void workers_each_in(struct supervisor *s, unsigned bucket,
                     void (*each)(struct supervisor *s, struct worker *worker))
{
	struct worker *worker, *next;

	LIST_FOREACH_SAFE (worker, &s->workers.by_number[bucket], by_number, next)
		each(s, worker);
}

void workers_each(struct supervisor *s, void (*each)(struct supervisor *s, struct worker *worker))
{
	for (unsigned i = 0; i < WORKER_BUCKETS; i++)
		workers_each_in(s, i, each);
}

static void forget(struct supervisor *s, struct worker *worker)
{
	channel_close(&worker->child.channel);
	if (worker->child.pidfd >= 0) {
		event_del(&worker->ended);
		close(worker->child.pidfd);
	}
	worker_free(s, worker);
}

void workers_close(struct supervisor *s)
{
	workers_each(s, forget);
}

static void end_idle(struct supervisor *s, struct worker *worker)
{
	if (worker->taken || worker->terminated || worker->child.pid == 0)
		return;
	s->workers.idle -= is_idle(worker);
	worker->terminated = true;
	child_terminate(&worker->child);
}

void root_worker_end(struct supervisor *s, struct worker *worker)
{
	if (worker->child.pid == 0 || worker->child.violated)
		return;
	if (worker->terminated) {
		log_warning("worker %d does not end, and is killed", (int)worker->child.pid);
		worker->child.violated = true;
		child_kill(&worker->child);
		return;
	}
	log_warning("worker %d is told to end: its connection is gone", (int)worker->child.pid);
	s->workers.idle -= is_idle(worker);
	worker->terminated = true;
	child_terminate(&worker->child);
	workers_upkeep(s);
}

void workers_end_idle(struct supervisor *s)
{
	workers_each(s, end_idle);
}

static void end_former(struct supervisor *s, struct worker *worker)
{
	if (worker->former)
		end_idle(s, worker);
}

void workers_end_former(struct supervisor *s)
{
	workers_each(s, end_former);
}

void workers_configure(struct supervisor *s)
{
	const struct config *config = s->config;
	struct workers *workers = &s->workers;

	if (workers->target < config->min_spare_workers)
		workers->target = config->min_spare_workers;
	if (workers->target > config->max_spare_workers)
		workers->target = config->max_spare_workers;
	workers_upkeep(s);
}
