/*
 * The worker's start and its loop of turns; see worker.h for how it works.
 */
#include "shell/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/privileges.h"
#include "daemon/ring_map.h"
#include "daemon/sandbox.h"
#include "shell/title.h"

static struct worker the_worker;

noreturn void worker_exit(int status)
{
	if (status != 0)
		audit_reason(&the_worker, "the worker has failed");
	audit_session_end(&the_worker);
	_exit(status);
}

/* ---- time ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void worker_timer_arm(struct worker *worker, enum worker_timer timer, int ms)
{
	worker->timers[timer] = now_ms() + ms;
}

void worker_timer_stop(struct worker *worker, enum worker_timer timer)
{
	worker->timers[timer] = 0;
}

bool worker_timer_due(struct worker *worker, enum worker_timer timer)
{
	if (worker->timers[timer] == 0 || now_ms() < worker->timers[timer])
		return false;
	worker->timers[timer] = 0;
	return true;
}

/* Milliseconds until the first timer is due, rounded up; -1: none. */
static int next_due(const struct worker *worker)
{
	int64_t first = 0;

	for (size_t i = 0; i < TIMERS; i++) {
		if (worker->timers[i] != 0 && (first == 0 || worker->timers[i] < first))
			first = worker->timers[i];
	}
	if (first == 0)
		return -1;
	int64_t left = first - now_ms();
	return left < 0 ? 0 : left > WORKER_FIN_MS ? WORKER_FIN_MS : (int)left;
}

/* ---- start ---- */

static void fail(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	worker_exit(1);
}

static void start(struct worker *worker)
{
	struct message_worker_config config;
	const struct sock_filter *filter;
	const char *step = "";

	worker->pty = worker->keeper = -1;
	for (int fd = WORKER_FD_SUPERVISOR; fd <= WORKER_FD_BELL_RING; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	log_to_channel(WORKER_FD_SUPERVISOR);
	int directory = channel_configuration(&config, &filter);
	log_set_level((enum log_level)config.log_level);
	if (ring_map(WORKER_FD_RING, config.rx_size, config.tx_size, &worker->ring) < 0)
		fail("cannot map the ring");
	close(WORKER_FD_RING);
	if (privileges_drop(directory, config.uid, config.gid, &step) < 0 ||
	    sandbox_limit(WORKER_FDS_MAX, &step) < 0)
		fail(step);
	close(directory);
	if (wait_init(&worker->wait) < 0 ||
	    wait_watch(&worker->wait, WAIT_SUPERVISOR, WORKER_FD_SUPERVISOR, EPOLLIN) < 0 ||
	    wait_watch(&worker->wait, WAIT_MASTER, WORKER_FD_MASTER, EPOLLIN) < 0 ||
	    wait_watch(&worker->wait, WAIT_BELL, WORKER_FD_BELL_WAIT, EPOLLIN | EPOLLET) < 0)
		fail("cannot watch the channels");
	title_name("calmd-worker");
	title_set("calmd-worker: idle");
	if (sandbox_enter(filter, config.filter_length, WORKER_FD_SUPERVISOR) < 0)
		fail("sandbox");
	if (message_send(WORKER_FD_SUPERVISOR, MESSAGE_READY, NULL, 0, NULL, 0, 0) < 0)
		worker_exit(0);
}

/* ---- turns ---- */

/* The pty is watched for what can be used now. */
static void watch_pty(struct worker *worker)
{
	uint32_t events = 0;

	if (worker->pty < 0)
		return;
	/* A hang-up cannot be ignored any other way than by not watching. */
	if (!worker->pty_hung) {
		if (ring_output_room(worker) >= WORKER_ROOM_MIN) {
			events |= EPOLLIN;
		} else {
			events |= EPOLLPRI;
			worker->need_space = true;
		}
		if (worker->pty_full)
			events |= EPOLLOUT;
	}
	if (wait_watch(&worker->wait, WAIT_PTY, worker->pty, events) < 0)
		fail("cannot watch the pty");
}

static void turn(struct worker *worker)
{
	worker->again = false;
	worker->need_space = false;
	if (worker->stage == WORKER_IDLE)
		return;
	relay_input(worker);
	if (worker->stage == WORKER_SESSION)
		relay_output(worker);
	session_turn(worker);
	ring_publish(worker);
	ring_trim(worker);
}

/* Sleeps, unless the master has published something meanwhile (stack/ring.h, Sleeping). */
static void sleep_until_work(struct worker *worker, uint32_t ready[WAIT_SLOTS])
{
	_Atomic uint32_t *asleep = &worker->ring.worker->asleep;
	int timeout = next_due(worker);

	if (worker->stage == WORKER_IDLE) {
		/* The ring stays untouched; OPEN comes over the channel. */
		wait_for(&worker->wait, timeout, ready);
		return;
	}
	watch_pty(worker);
	atomic_store_explicit(asleep, RING_ASLEEP | (worker->need_space ? RING_ASLEEP_ROOM : 0),
	                      memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (ring_look(worker))
		memset(ready, 0, WAIT_SLOTS * sizeof(ready[0]));
	else
		wait_for(&worker->wait, timeout, ready);
	atomic_store_explicit(asleep, 0, memory_order_relaxed);
}

/* Channels are read after the data has been passed on, which is what somebody waits for. */
static void handle_channels(struct worker *worker, const uint32_t ready[WAIT_SLOTS])
{
	if (ready[WAIT_MASTER] != 0)
		channel_master(worker);
	if (ready[WAIT_SUPERVISOR] != 0)
		channel_supervisor(worker);
	if (ready[WAIT_OPENER] != 0)
		channel_opener(worker);
	if (ready[WAIT_KEEPER] != 0)
		channel_keeper(worker);
}

/* What the pty has to say is noted; it is read and written in the turn. */
static void note_pty(struct worker *worker, uint32_t events)
{
	if ((events & EPOLLOUT) != 0)
		worker->pty_full = false;
	if ((events & EPOLLPRI) != 0)
		worker->pty_status = true;
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	worker->pty_ready = true;
	/* It cannot be read to find out whether it is only hung up for a while. */
	if ((events & EPOLLIN) == 0 && ring_output_room(worker) < WORKER_ROOM_MIN)
		session_pty_hung(worker);
}

noreturn void worker_run(void)
{
	struct worker *worker = &the_worker;
	uint32_t ready[WAIT_SLOTS] = {0};

	start(worker);
	while (worker->stage != WORKER_DONE) {
		if (worker->again)
			wait_for(&worker->wait, 0, ready);
		else
			sleep_until_work(worker, ready);
		if (worker->stage != WORKER_IDLE)
			ring_look(worker);
		note_pty(worker, ready[WAIT_PTY]);
		turn(worker);
		if (worker->stage != WORKER_DONE)
			handle_channels(worker, ready);
	}
	worker_exit(0);
}
