/*
 * Going on where a supervisor has died, or was told to leave: with what waits in
 * the lobby, which the service manager has kept (lobby.h).
 *
 * Theory of operation
 *
 * It is collected into a registry, as after an upgrade, and taken over in the same
 * way (supervisor_adopt.c). What is different: the processes are not our children,
 * so each comes with a pidfd, which tells of its end and cannot mean another one.
 * The old master dies with its supervisor; it is waited for, since two must never
 * work on one table. The old opener serves the workers that it knows, and ends with
 * them; there is a new one for all others.
 *
 * The configuration is the one that the file has now; where that is wrong, the one
 * that was in effect, so that a mistake ends no session. The table keeps its shape,
 * the limits are the new ones. Guards and lanes are for the endpoints that were
 * listened on, so these stay; that a change of `listen` or
 * `control-socket` has to wait is logged.
 *
 * What another version has left, in formats that this one does not know, is not
 * taken up: everything is lost then, and logged.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/service.h"
#include "daemon/supervisor.h"
#include "daemon/supervisor_lobby.h"
#include "daemon/supervisor_state.h"

#define MASTER_MS 5000 /* until a master whose supervisor is dead must be dead too */

/* What is being collected. */
struct collection {
	struct registry *registry;
	struct lobby_facts facts;
	int master; /* its pidfd; -1: none */
	bool whole; /* every record was as it must be */
	bool found; /* LOBBY_FACTS */
};

/* LIST with room for one more than COUNT elements of SIZE bytes; NULL for lack of memory. */
static void *grow(void *list, uint32_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return list;
	return realloc(list, (count == 0 ? 1 : 2 * (size_t)count) * size);
}

static bool add_descriptor(struct registry *registry, const struct lobby_record *record)
{
	struct registry_descriptor *descriptor;

	if (record->fd_count != 1 || record->number >= REGISTRY_INDEX_MAX ||
	    registry->descriptor_count == REGISTRY_DESCRIPTORS_MAX)
		return false;
	descriptor = grow(registry->descriptors, registry->descriptor_count, sizeof(*descriptor));
	if (descriptor == NULL)
		return false;
	registry->descriptors = descriptor;
	descriptor += registry->descriptor_count++;
	*descriptor = (struct registry_descriptor){
		.kind = record->kind, .index = (uint32_t)record->number, .fd = record->fds[0]};
	return true;
}

static bool add_worker(struct registry *registry, const struct lobby_record *record)
{
	struct registry_worker *worker;

	if (record->fd_count != LOBBY_WORKER_FDS || record->length != sizeof(*worker) ||
	    registry->worker_count == REGISTRY_WORKERS_MAX)
		return false;
	worker = grow(registry->workers, registry->worker_count, sizeof(*worker));
	if (worker == NULL)
		return false;
	registry->workers = worker;
	worker += registry->worker_count++;
	memcpy(worker, record->data, sizeof(*worker));
	worker->child.channel = record->fds[LOBBY_WORKER_CHANNEL];
	worker->child.pidfd = record->fds[LOBBY_WORKER_PIDFD];
	worker->child.phase = PHASE_START | PHASE_RUN; /* it may have been told READY of, or not */
	worker->master_end = record->fds[LOBBY_WORKER_MASTER_END];
	worker->ring = record->fds[LOBBY_WORKER_RING];
	worker->bell_to_master = record->fds[LOBBY_WORKER_BELL_TO_MASTER];
	worker->bell_to_worker = record->fds[LOBBY_WORKER_BELL_TO_WORKER];
	if (worker->number > registry->facts.last_worker)
		registry->facts.last_worker = worker->number;
	return true;
}

static bool add_call(struct registry *registry, const struct lobby_record *record)
{
	struct registry_call *call;

	if ((record->fd_count != 1 && record->fd_count != 1 + LANES) ||
	    record->length != sizeof(*call) || registry->call_count == CALL_GUARDS_MAX)
		return false;
	call = grow(registry->calls, registry->call_count, sizeof(*call));
	if (call == NULL)
		return false;
	registry->calls = call;
	call += registry->call_count++;
	memcpy(call, record->data, sizeof(*call));
	call->guard = record->fds[0];
	for (unsigned i = 0; i < LANES; i++)
		call->lanes[i] = record->fd_count > 1 ? record->fds[1 + i] : -1;
	return true;
}

/* Takes RECORD over; false when it is not as it must be. */
static bool collect(struct collection *collection, const struct lobby_record *record)
{
	switch (record->kind) {
	case LOBBY_FACTS:
		if (record->length != sizeof(collection->facts) || record->fd_count != 0)
			return false;
		memcpy(&collection->facts, record->data, sizeof(collection->facts));
		collection->found = true;
		return true;
	case LOBBY_MASTER:
		if (record->fd_count != 1)
			return false;
		collection->master = record->fds[0];
		return true;
	case LOBBY_CONFIG:
		if (record->fd_count == 1)
			close(record->fds[0]); /* for another start than this one */
		return record->fd_count == 1;
	case LOBBY_WORKER:
		return add_worker(collection->registry, record);
	case LOBBY_CALL:
		return add_call(collection->registry, record);
	default:
		return add_descriptor(collection->registry, record);
	}
}

static void on_record(const struct lobby_record *record, void *arg)
{
	struct collection *collection = arg;

	if (collect(collection, record))
		return;
	collection->whole = false;
	for (unsigned i = 0; i < record->fd_count; i++)
		close(record->fds[i]);
}

static bool understood(const struct collection *collection)
{
	const struct lobby_facts *facts = &collection->facts;
	const struct version_formats ours = version_formats();

	return collection->found && collection->whole &&
	       facts->registry_version == REGISTRY_VERSION &&
	       memcmp(&facts->formats, &ours, sizeof(ours)) == 0 &&
	       facts->listens <= MESSAGE_LISTEN_MAX;
}

/* The old master has died with its supervisor, or does so here; false: it does not. */
static bool see_master_dead(int pidfd)
{
	struct pollfd dead = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		return true;
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	bool died = poll(&dead, 1, MASTER_MS) == 1;
	if (!died)
		log_error("the former master does not die");
	close(pidfd);
	return died;
}

/* Where the file says now to listen, or to be asked, cannot be had yet. */
static void keep_places(struct supervisor *s, const struct lobby_facts *facts)
{
	struct config *config = s->config;
	size_t bytes = facts->listens * sizeof(facts->listen[0]);

	if (strcmp(config->control_socket, facts->control_socket) != 0) {
		log_warning("control-socket: stays %s while sessions go on", facts->control_socket);
		snprintf(config->control_socket, sizeof(config->control_socket), "%s",
		         facts->control_socket);
	}
	if (config->listens == facts->listens && memcmp(config->listen, facts->listen, bytes) == 0)
		return;
	log_warning("listen: stays as it was while sessions go on");
	config->listens = facts->listens;
	config->listen_proxied = facts->listen_proxied;
	memcpy(config->listen, facts->listen, bytes);
}

/* Nothing of what waits is of use: no other start tries again. */
static void forget(struct supervisor *s, const char *why)
{
	log_error("what an earlier supervisor has left cannot be taken up (%s): everything is lost",
	          why);
	service_release(LOBBY_NAME_IN);
	service_release(LOBBY_NAME_OUT);
	lobby_empty(&s->lobby);
	s->kept.lobby[0] = s->kept.lobby[1] = -1;
}

/* All of it is closed, so that its workers see hang-up and end. */
static int lose(struct supervisor *s, struct registry *registry, const char *why)
{
	registry_close(registry);
	registry_free(registry);
	forget(s, why);
	return 0;
}

/* The lobby's ends, as the service manager gave them; fetched once. */
static const int *fetch(void)
{
	static int ends[2] = {-1, -1};
	static bool fetched;

	if (!fetched) {
		ends[0] = service_kept(LOBBY_NAME_IN);
		ends[1] = service_kept(LOBBY_NAME_OUT);
		service_forget();
	}
	fetched = true;
	return ends;
}

void resume_fetch(struct supervisor *s)
{
	memcpy(s->kept.lobby, fetch(), sizeof(s->kept.lobby));
}

/* Reads the text in the memfd FD; NULL: it cannot be. */
static char *read_text(int fd)
{
	char *text = malloc(REGISTRY_TEXT_MAX);
	ssize_t got = text != NULL ? pread(fd, text, REGISTRY_TEXT_MAX - 1, 0) : -1;

	if (got <= 0) {
		free(text);
		return NULL;
	}
	text[got] = '\0';
	return text;
}

/* Reads the text; all that is in the lobby stays there. */
static void pick_config(const struct lobby_record *record, void *arg)
{
	char **text = arg;

	if (record->kind == LOBBY_CONFIG && record->fd_count == 1 && *text == NULL)
		*text = read_text(record->fds[0]);
	for (unsigned i = 0; i < record->fd_count; i++)
		close(record->fds[i]);
}

char *supervisor_last_configuration(void)
{
	const int *ends = fetch();
	struct lobby lobby;
	char *text = NULL;

	if (ends[0] < 0 || ends[1] < 0)
		return NULL;
	int in = fcntl(ends[0], F_DUPFD_CLOEXEC, 0), out = fcntl(ends[1], F_DUPFD_CLOEXEC, 0);
	if (lobby_take_up(&lobby, in, out, pick_config, &text) < 0)
		return NULL;
	lobby_close(&lobby);
	return text;
}

int resume_look(struct supervisor *s, struct registry *registry)
{
	const struct registry_child nobody = {.channel = -1, .pidfd = -1};
	struct collection collection = {.registry = registry, .master = -1, .whole = true};
	int in = s->kept.lobby[0], out = s->kept.lobby[1];

	s->kept.lobby[0] = s->kept.lobby[1] = -1;
	*registry = (struct registry){.facts = {.master = nobody, .opener = nobody}};
	if (in < 0 && out < 0)
		return 0;
	if (in < 0 || out < 0) {
		/* not to be taken for that of the next lobby: it was killed when it began this one */
		s->lobby.in = in;
		s->lobby.out = out;
		return lose(s, registry, "one end of the lobby is missing");
	}
	if (lobby_take_up(&s->lobby, in, out, on_record, &collection) < 0)
		return lose(s, registry, strerror(errno));
	if (!see_master_dead(collection.master))
		return -1;
	if (!understood(&collection))
		return lose(s, registry, "another version has written it");
	uint64_t last_worker = registry->facts.last_worker;
	registry->facts = collection.facts.facts;
	registry->facts.last_worker = last_worker;
	registry->facts.master = registry->facts.opener = nobody;
	s->kept.lobby[0] = s->lobby.in;
	s->kept.lobby[1] = s->lobby.out;
	keep_places(s, &collection.facts);
	return 1;
}

int resume_adopt(struct supervisor *s, struct registry *registry)
{
	uint32_t takeovers = registry->facts.takeovers;

	/* ours are as we were started, not as the other one was */
	registry->facts.files_soft = s->files.rlim_cur;
	registry->facts.files_hard = s->files.rlim_max;
	if (supervisor_adopt(s, registry) < 0) {
		forget(s, "see above");
		return -1; /* and the next start begins anew */
	}
	succession_resume(s, takeovers);
	log_info("going on with %u workers of an earlier supervisor", registry->worker_count);
	lobby_note_facts(s);
	return 0;
}
