/*
 * The listeners: a guard for each endpoint, and the lanes that hear their ports; at
 * the start, and when the configuration names others.
 *
 * Theory of operation
 *
 * A change is prepared first (everything that is new is opened, and may fail without
 * any harm) and then committed, which cannot fail. A listener that is no longer wanted is
 * closed: its connections go on, so its guard stays and its port in the lanes, else
 * the kernel would answer their segments with RST. The master, which alone knows them,
 * resets what is new, and says when the last of them is gone (priv_listen_end); then
 * guard and port go. Where another listener covers the endpoint that happens at once.
 *
 * A locked filter cannot be changed: another set of ports means new lanes. The master
 * gets these first and then reads the old ones dry and closes them; what came in by
 * both is a duplicate, as on any network.
 *
 * A call that uses a listener's port has no lanes of its own (supervisor_calls.c): its
 * port stays in the filters too.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/address_text.h"
#include "daemon/guard.h"
#include "daemon/log.h"
#include "daemon/supervisor_state.h"

static const enum ip_version versions[FAMILIES] = {IP_V4, IP_V6};

void guarded_init(struct guarded *guarded)
{
	*guarded = (struct guarded){0};
	for (unsigned i = 0; i < MESSAGE_LISTEN_MAX; i++)
		guarded->guard[i] = -1;
}

static void change_init(struct listen_change *change)
{
	*change = (struct listen_change){0};
	guarded_init(&change->open);
	guarded_init(&change->closed);
	for (unsigned i = 0; i < FAMILIES; i++)
		change->families[i].lanes[LANE_SYN] = change->families[i].lanes[LANE_DATA] = -1;
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && a->address.version == b->address.version &&
	       address_equal(&a->address, &b->address);
}

/* True when WIDE has every address of NARROW, at the same port. */
static bool covers(const struct endpoint *wide, const struct endpoint *narrow)
{
	return wide->port == narrow->port && wide->address.version == narrow->address.version &&
	       (address_is_any(&wide->address) || address_equal(&wide->address, &narrow->address));
}

static bool overlap(const struct endpoint *a, const struct endpoint *b)
{
	return covers(a, b) || covers(b, a);
}

static int find(const struct guarded *guarded, const struct endpoint *local)
{
	for (unsigned i = 0; i < guarded->count; i++) {
		if (same_endpoint(&guarded->local[i], local))
			return (int)i;
	}
	return -1;
}

/* ---- ports ---- */

/* Each once; false when there is no room. */
static bool add_port(struct filter_ports *ports, uint16_t port)
{
	for (unsigned i = 0; i < ports->count; i++) {
		if (ports->local[i] == port)
			return true;
	}
	if (ports->count == FILTER_PORTS_MAX)
		return false;
	ports->local[ports->count++] = port;
	return true;
}

static bool add_guarded(struct filter_ports *ports, const struct guarded *guarded,
                        enum ip_version version)
{
	for (unsigned i = 0; i < guarded->count; i++) {
		if (guarded->local[i].address.version == version &&
		    !add_port(ports, guarded->local[i].port))
			return false;
	}
	return true;
}

/* All that the lanes of VERSION must hear. */
static bool wanted_ports(const struct supervisor *s, const struct guarded *open,
                         const struct guarded *closed, enum ip_version version,
                         struct filter_ports *ports)
{
	*ports = (struct filter_ports){0};
	if (!add_guarded(ports, open, version) || !add_guarded(ports, closed, version))
		return false;
	for (unsigned i = 0; i < CALL_GUARDS_MAX; i++) {
		const struct call_guard *call = &s->calls[i];

		if (call->port.call != 0 && call->lanes[LANE_SYN] < 0 &&
		    call->port.local.address.version == version &&
		    !add_port(ports, call->port.local.port))
			return false;
	}
	return true;
}

static bool same_ports(const struct filter_ports *a, const struct filter_ports *b)
{
	for (unsigned i = 0; i < a->count; i++) {
		bool there = false;

		for (unsigned j = 0; j < b->count && !there; j++)
			there = a->local[i] == b->local[j];
		if (!there)
			return false;
	}
	return a->count == b->count;
}

static void close_lanes(int lanes[LANES])
{
	for (unsigned i = 0; i < LANES; i++) {
		if (lanes[i] >= 0)
			close(lanes[i]);
		lanes[i] = -1;
	}
}

/* Opens lanes for the ports of *CHANGE where they are others than now. 0, or -1 with *WHAT. */
static int prepare_lanes(struct supervisor *s, struct listen_change *change, const char **what)
{
	for (unsigned i = 0; i < FAMILIES; i++) {
		struct family *family = &change->families[i];
		const struct family *now = &s->kept.families[i];

		if (!wanted_ports(s, &change->open, &change->closed, versions[i], &family->ports)) {
			*what = "too many ports";
			errno = E2BIG;
			return -1;
		}
		if (same_ports(&family->ports, &now->ports))
			continue;
		change->other_lanes[i] = true;
		family->set = now->set + 1;
		if (family->ports.count > 0 &&
		    raw_lanes_open(versions[i], &family->ports, family->lanes, what) < 0) {
			family->lanes[LANE_SYN] = family->lanes[LANE_DATA] = -1;
			return -1;
		}
	}
	return 0;
}

/* ---- guards ---- */

/* The guard that is there for LOCAL already, open or closed; -1: none. */
static int guard_there(const struct supervisor *s, const struct endpoint *local)
{
	int i = find(&s->kept.open, local);

	if (i >= 0)
		return s->kept.open.guard[i];
	i = find(&s->kept.closed, local);
	return i >= 0 ? s->kept.closed.guard[i] : -1;
}

/* Those of GUARDED that LOCAL would collide with, behind COUNT others in BESIDE. */
static unsigned collide(const struct guarded *guarded, const struct endpoint *local, int *beside,
                        unsigned count)
{
	for (unsigned i = 0; i < guarded->count; i++) {
		if (overlap(&guarded->local[i], local))
			beside[count++] = guarded->guard[i];
	}
	return count;
}

static bool call_hears(const struct supervisor *s, const struct endpoint *local)
{
	for (unsigned i = 0; i < CALL_GUARDS_MAX; i++) {
		const struct call_guard *call = &s->calls[i];

		if (call->port.call != 0 && call->lanes[LANE_SYN] >= 0 &&
		    call->port.local.port == local->port &&
		    call->port.local.address.version == local->address.version)
			return true;
	}
	return false;
}

/* A guard for LOCAL, which there is none for. -1 with errno. */
static int open_guard(const struct supervisor *s, const struct endpoint *local)
{
	int beside[2 * MESSAGE_LISTEN_MAX];
	struct endpoint taken = *local;
	unsigned count = collide(&s->kept.open, local, beside, 0);

	count = collide(&s->kept.closed, local, beside, count);
	if (call_hears(s, local)) {
		errno = EADDRINUSE; /* by two lanes it would hear everything twice */
		return -1;
	}
	return guard_open(&taken, beside, count);
}

/* A guard for each endpoint that is wanted. 0, or -1 with the reason in NOTES. */
static int prepare_guards(struct supervisor *s, const struct config *wanted,
                          struct listen_change *change, struct notes *notes)
{
	char text[ENDPOINT_TEXT_MAX];

	for (uint32_t i = 0; i < wanted->listens; i++) {
		const struct endpoint *local = &wanted->listen[i];
		int guard = guard_there(s, local);

		if (guard < 0) {
			guard = open_guard(s, local);
			change->fresh[i] = guard >= 0;
		}
		if (guard < 0) {
			notes_add(notes, "listen %s: %s", endpoint_format(local, text),
			          strerror(errno));
			return -1;
		}
		change->open.local[i] = *local;
		change->open.guard[i] = guard;
		change->open.count = i + 1;
	}
	return 0;
}

/* Of GUARDED, what is not wanted any more, and that no other listener covers, is closed. */
static bool prepare_closed(const struct guarded *guarded, struct listen_change *change)
{
	struct guarded *closed = &change->closed;

	for (unsigned i = 0; i < guarded->count; i++) {
		bool covered = false;

		for (unsigned j = 0; j < change->open.count && !covered; j++)
			covered = covers(&change->open.local[j], &guarded->local[i]);
		if (covered)
			continue;
		if (closed->count == MESSAGE_LISTEN_MAX)
			return false;
		closed->local[closed->count] = guarded->local[i];
		closed->guard[closed->count++] = guarded->guard[i];
	}
	return true;
}

int listeners_prepare(struct supervisor *s, const struct config *wanted,
                      struct listen_change *change, struct notes *notes)
{
	const char *what = "";

	change_init(change);
	if (prepare_guards(s, wanted, change, notes) < 0) {
		listeners_undo(change);
		return -1;
	}
	if (!prepare_closed(&s->kept.open, change) || !prepare_closed(&s->kept.closed, change)) {
		notes_add(notes, "listen: too many listeners whose connections still live");
		listeners_undo(change);
		return -1;
	}
	if (prepare_lanes(s, change, &what) < 0) {
		notes_add(notes, "listen: %s: %s", what, strerror(errno));
		listeners_undo(change);
		return -1;
	}
	return 0;
}

void listeners_undo(struct listen_change *change)
{
	for (unsigned i = 0; i < change->open.count; i++) {
		if (change->fresh[i])
			close(change->open.guard[i]);
	}
	for (unsigned i = 0; i < FAMILIES; i++)
		close_lanes(change->families[i].lanes);
}

/* ---- the change takes place ---- */

static bool holds(const struct guarded *guarded, int guard)
{
	for (unsigned i = 0; i < guarded->count; i++) {
		if (guarded->guard[i] == guard)
			return true;
	}
	return false;
}

static void drop_guards(const struct guarded *guarded, const struct listen_change *change)
{
	for (unsigned i = 0; i < guarded->count; i++) {
		if (!holds(&change->open, guarded->guard[i]) &&
		    !holds(&change->closed, guarded->guard[i]))
			close(guarded->guard[i]);
	}
}

static void give_lanes(struct supervisor *s, unsigned i)
{
	const struct family *family = &s->kept.families[i];
	const struct message_lanes message = {.version = versions[i], .set = family->set};

	if (family->lanes[LANE_SYN] >= 0)
		channel_send(&s->master.channel, MESSAGE_LANES, &message, sizeof(message),
		             family->lanes, LANES);
}

static void change_lanes(struct supervisor *s, struct listen_change *change, unsigned i)
{
	struct family *family = &s->kept.families[i];
	const struct message_lanes old = {.version = versions[i], .set = family->set};
	bool had = family->lanes[LANE_SYN] >= 0;

	close_lanes(family->lanes);
	*family = change->families[i];
	give_lanes(s, i);
	if (had)
		channel_send(&s->master.channel, MESSAGE_LANES_CLOSE, &old, sizeof(old), NULL, 0);
}

static void publish_closed(struct supervisor *s)
{
	struct message_master_config *master = &s->master_config;

	master->closed_listens = s->kept.closed.count;
	memcpy(master->closed_listen, s->kept.closed.local, sizeof(master->closed_listen));
}

void listeners_commit(struct supervisor *s, struct listen_change *change)
{
	drop_guards(&s->kept.open, change);
	drop_guards(&s->kept.closed, change);
	s->kept.open = change->open;
	s->kept.closed = change->closed;
	publish_closed(s);
	for (unsigned i = 0; i < change->open.count; i++) {
		if (change->fresh[i])
			guard_warn_established(&change->open.local[i], 1);
	}
	for (unsigned i = 0; i < FAMILIES; i++) {
		if (change->other_lanes[i])
			change_lanes(s, change, i);
	}
}

/* ---- start, end, and a new master ---- */

int listeners_open(struct supervisor *s)
{
	struct listen_change change;
	struct notes notes = {0};

	if (listeners_prepare(s, s->config, &change, &notes) == 0) {
		listeners_commit(s, &change);
		return 0;
	}
	log_error("%.*s", (int)strcspn(notes.text, "\n"), notes.text);
	return -1;
}

void listeners_close(struct supervisor *s)
{
	struct listen_change nothing;

	change_init(&nothing);
	drop_guards(&s->kept.open, &nothing);
	drop_guards(&s->kept.closed, &nothing);
	for (unsigned i = 0; i < FAMILIES; i++)
		close_lanes(s->kept.families[i].lanes);
}

/* What GUARD holds. */
static int guard_endpoint(int guard, struct endpoint *local)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(guard, (struct sockaddr *)&address, &length) < 0)
		return -1;
	return endpoint_from_sockaddr(&address, local) ? 0 : -1;
}

int listeners_adopt(struct supervisor *s)
{
	struct guarded *open = &s->kept.open, *closed = &s->kept.closed;

	open->count = s->config->listens;
	memcpy(open->local, s->config->listen, sizeof(open->local));
	for (unsigned i = 0; i < MESSAGE_LISTEN_MAX; i++) {
		int guard = closed->guard[i];

		closed->guard[i] = -1;
		if (guard < 0)
			continue;
		closed->guard[closed->count] = guard;
		if (guard_endpoint(guard, &closed->local[closed->count]) < 0)
			return -1;
		closed->count++;
	}
	publish_closed(s);
	/* a filter cannot be read: should it hear more than this, it does no harm */
	for (unsigned i = 0; i < FAMILIES; i++)
		(void)wanted_ports(s, open, closed, versions[i], &s->kept.families[i].ports);
	return 0;
}

void listeners_tell(struct supervisor *s)
{
	for (unsigned i = 0; i < FAMILIES; i++)
		give_lanes(s, i);
}

bool listeners_guard(const struct supervisor *s, const struct endpoint *local)
{
	for (unsigned i = 0; i < s->kept.open.count; i++) {
		if (covers(&s->kept.open.local[i], local))
			return true;
	}
	return false;
}

bool listeners_hear(const struct supervisor *s, const struct endpoint *local)
{
	for (unsigned i = 0; i < FAMILIES; i++) {
		const struct filter_ports *ports = &s->kept.families[i].ports;

		for (unsigned j = 0; versions[i] == local->address.version && j < ports->count; j++)
			if (ports->local[j] == local->port)
				return true;
	}
	return false;
}

/* ---- the last connection of a closed listener is gone ---- */

void root_listen_end(struct supervisor *s, const struct message_listen *ended)
{
	struct guarded *closed = &s->kept.closed;
	struct listen_change change;
	char text[ENDPOINT_TEXT_MAX];
	const char *what = "";
	int gone = find(closed, &ended->local);

	if (gone < 0 || s->stage != END_NOT)
		return; /* it has been opened again meanwhile */
	change_init(&change);
	change.open = s->kept.open;
	for (unsigned i = 0; i < closed->count; i++) {
		if (i == (unsigned)gone)
			continue;
		change.closed.local[change.closed.count] = closed->local[i];
		change.closed.guard[change.closed.count++] = closed->guard[i];
	}
	endpoint_format(&ended->local, text);
	if (prepare_lanes(s, &change, &what) < 0) {
		/* the old ones hear too much, which does no harm */
		log_warning("lanes without %s: %s: %s", text, what, strerror(errno));
		listeners_undo(&change);
		change.other_lanes[0] = change.other_lanes[1] = false;
	}
	listeners_commit(s, &change);
	master_tell_config(s);
	lobby_note_listeners(s);
	log_info("nobody is left on %s: the port is free", text);
}
