/*
 * What waits in the lobby (lobby.h) for a next supervisor, should this one be killed
 * or told to leave, and when it is put there: everything that is kept at the start,
 * each worker before it can get a connection, each master, each call. So at any
 * moment all that a next supervisor needs is there, and nobody has to do anything.
 *
 * It is there only under a service manager that keeps the lobby; without one a
 * supervisor that dies takes all others with it.
 *
 * A record that cannot be put costs what it stands for when the supervisor dies,
 * and nothing before: that is logged, once.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/service.h"
#include "daemon/supervisor_lobby.h"
#include "daemon/supervisor_state.h"
#include "stack/ring.h"

static void put(struct supervisor *s, const struct lobby_record *record)
{
	static bool complained;

	if (lobby_put(&s->lobby, record) == 0 || complained)
		return;
	complained = true;
	log_warning("not everything can outlive this supervisor: %s", strerror(errno));
}

static void put_kept(void *arg, uint32_t kind, uint32_t index, int fd)
{
	struct supervisor *s = arg;
	const struct lobby_record record = {
		.kind = kind, .number = index, .fds = {fd}, .fd_count = 1};

	if (kind != REGISTRY_LOBBY) /* not into itself */
		put(s, &record);
}

/* The configuration in effect, for a start with one that is wrong. */
static void note_config(struct supervisor *s)
{
	struct lobby_record record = {.kind = LOBBY_CONFIG, .fd_count = 1};
	char *text = describe_config(s->config);
	int fd = memfd_create("calmd-configuration", MFD_CLOEXEC);

	record.fds[0] = fd;
	if (text != NULL && fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		put(s, &record);
	if (fd >= 0)
		close(fd);
	free(text);
}

void lobby_note_facts(struct supervisor *s)
{
	if (s->lobby.in < 0)
		return;
	struct lobby_facts facts = {
		.registry_version = REGISTRY_VERSION,
		.formats = version_formats(),
		.listens = s->kept.open.count,
		.listen_proxied = s->config->listen_proxied,
	};
	const struct lobby_record record = {
		.kind = LOBBY_FACTS, .data = &facts, .length = sizeof(facts)};

	memcpy(facts.listen, s->kept.open.local, sizeof(facts.listen));
	snprintf(facts.control_socket, sizeof(facts.control_socket), "%s",
	         s->config->control_socket);
	describe_facts(s, &facts.facts);
	facts.facts.upgrades = s->master_config.upgrades; /* this is none */
	put(s, &record);
	note_config(s);
}

static void note_kept(struct supervisor *s, uint32_t kind, uint32_t index, int fd)
{
	if (fd >= 0)
		put_kept(s, kind, index, fd);
	else
		lobby_drop(&s->lobby, kind, index);
}

void lobby_note_listeners(struct supervisor *s)
{
	const struct kept *kept = &s->kept;

	if (s->lobby.in < 0)
		return;
	for (uint32_t i = 0; i < MESSAGE_LISTEN_MAX; i++) {
		note_kept(s, REGISTRY_GUARD, i, kept->open.guard[i]);
		note_kept(s, REGISTRY_CLOSED_GUARD, i, kept->closed.guard[i]);
	}
	for (uint32_t i = 0; i < LANES; i++) {
		note_kept(s, REGISTRY_LANE_V4, i, kept->families[0].lanes[i]);
		note_kept(s, REGISTRY_LANE_V6, i, kept->families[1].lanes[i]);
	}
	lobby_note_facts(s);
}

/* Has both ends kept. 0, or -1 with errno. */
static int keep_ends(struct supervisor *s)
{
	if (service_keep(LOBBY_NAME_IN, s->lobby.in) < 0 ||
	    service_keep(LOBBY_NAME_OUT, s->lobby.out) < 0)
		return -1;
	s->kept.lobby[0] = s->lobby.in;
	s->kept.lobby[1] = s->lobby.out;
	return 0;
}

void lobby_begin(struct supervisor *s)
{
	if (!service_managed())
		return;
	if (lobby_open(&s->lobby) < 0 || keep_ends(s) < 0) {
		log_warning("sessions will not outlive this supervisor: %s", strerror(errno));
		lobby_close(&s->lobby);
		return;
	}
	lobby_note_facts(s);
	kept_each(&s->kept, put_kept, s);
}

/* It is with the one whose registry we have read. */
static void close_record(const struct lobby_record *record, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < record->fd_count; i++)
		close(record->fds[i]);
}

void lobby_go_on(struct supervisor *s)
{
	if (s->kept.lobby[0] < 0 || s->kept.lobby[1] < 0)
		return;
	if (lobby_take_up(&s->lobby, s->kept.lobby[0], s->kept.lobby[1], close_record, NULL) < 0) {
		log_warning("sessions will not outlive this supervisor: %s", strerror(errno));
		s->kept.lobby[0] = s->kept.lobby[1] = -1;
		return;
	}
	lobby_note_facts(s);
}

void lobby_note_master(struct supervisor *s)
{
	struct lobby_record record = {.kind = LOBBY_MASTER, .fd_count = 1};

	if (s->lobby.in < 0)
		return;
	record.fds[0] = pidfd_open(s->master.pid, 0);
	if (record.fds[0] < 0)
		return;
	put(s, &record);
	close(record.fds[0]);
}

void lobby_note_worker(struct supervisor *s, const struct worker *worker)
{
	const struct registry_worker description = describe_worker(worker);
	struct lobby_record record = {
		.kind = LOBBY_WORKER,
		.number = worker->number,
		.data = &description,
		.length = sizeof(description),
		.fd_count = LOBBY_WORKER_FDS,
	};

	if (s->lobby.in < 0)
		return;
	record.fds[LOBBY_WORKER_CHANNEL] = worker->child.channel.fd;
	record.fds[LOBBY_WORKER_MASTER_END] = worker->master_end;
	record.fds[LOBBY_WORKER_RING] = worker->ring;
	record.fds[LOBBY_WORKER_BELL_TO_MASTER] = worker->bell_to_master;
	record.fds[LOBBY_WORKER_BELL_TO_WORKER] = worker->bell_to_worker;
	record.fds[LOBBY_WORKER_PIDFD] = pidfd_open(worker->child.pid, 0);
	if (record.fds[LOBBY_WORKER_PIDFD] < 0)
		return;
	put(s, &record);
	close(record.fds[LOBBY_WORKER_PIDFD]);
}

void lobby_forget_worker(struct supervisor *s, const struct worker *worker)
{
	if (s->lobby.in < 0)
		return;
	/* The ring may wait a while in what counts no more; its memory need not. */
	fallocate(worker->ring, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
	          (off_t)ring_bytes(worker->rx_size, worker->tx_size));
	lobby_drop(&s->lobby, LOBBY_WORKER, worker->number);
}

void lobby_note_call(struct supervisor *s, const struct call_guard *call)
{
	const struct registry_call description = describe_call(call);
	const bool lanes = call->lanes[LANE_SYN] >= 0;
	const struct lobby_record record = {
		.kind = LOBBY_CALL,
		.number = call->port.call,
		.data = &description,
		.length = sizeof(description),
		.fds = {call->guard, call->lanes[LANE_SYN], call->lanes[LANE_DATA]},
		.fd_count = lanes ? 1 + LANES : 1,
	};

	put(s, &record);
}

void lobby_forget_call(struct supervisor *s, const struct call_guard *call)
{
	lobby_drop(&s->lobby, LOBBY_CALL, call->port.call);
}

void lobby_end(struct supervisor *s)
{
	if (s->lobby.in < 0)
		return;
	service_release(LOBBY_NAME_IN);
	service_release(LOBBY_NAME_OUT);
	lobby_empty(&s->lobby);
}

void lobby_leave(struct supervisor *s)
{
	if (s->stage != END_NOT)
		return;
	if (s->lobby.in < 0) {
		log_warning("SIGUSR1: there is no service manager that keeps what I would leave");
		return;
	}
	log_info("leaving %u sessions to the next supervisor", s->workers.alive - s->workers.idle);
	event_base_loopbreak(s->base);
}
