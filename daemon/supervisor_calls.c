/*
 * What the master may ask for to call a client: a guarded local port and lanes
 * that hear the peer's port on it. A port that calmd listens on is guarded and
 * heard already. They are kept here until the call has ended, and a new master
 * is given those of the calls that are under way.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/guard.h"
#include "daemon/log.h"
#include "daemon/supervisor_state.h"

static struct call_guard *find_call(struct supervisor *s, uint64_t call)
{
	for (unsigned i = 0; i < CALL_GUARDS_MAX; i++) {
		if (s->calls[i].port.call == call)
			return &s->calls[i];
	}
	return NULL;
}

/* 0, or the errno of what the master must not ask. */
static int check_request(struct supervisor *s, const struct message_call_port *request)
{
	const struct ip_address *local = &request->local.address;
	const struct ip_address *peer = &request->peer.address;

	if (request->call == 0 || request->peer.port == 0 ||
	    (peer->version != IP_V4 && peer->version != IP_V6) || local->version != peer->version ||
	    !address_is_unicast(peer) || !address_is_unicast(local))
		return EINVAL;
	return find_call(s, request->call) != NULL ? EEXIST : 0;
}

/* Lanes for the call in SLOT. 0, or errno. */
static int open_lanes(struct call_guard *slot)
{
	const struct endpoint *local = &slot->port.local;
	const struct filter_ports ports = {
		.count = 1, .local = {local->port}, .peer = slot->port.peer.port};
	const char *what;

	if (raw_lanes_open(local->address.version, &ports, slot->lanes, &what) == 0)
		return 0;
	int cause = errno;
	slot->lanes[LANE_SYN] = slot->lanes[LANE_DATA] = -1;
	log_error("lanes for a call: %s: %s", what, strerror(cause));
	return cause;
}

static void give_lanes(struct supervisor *s, const struct call_guard *slot)
{
	const struct message_lanes message = {.call = slot->port.call,
	                                      .version = slot->port.local.address.version};

	if (slot->lanes[LANE_SYN] >= 0)
		channel_send(&s->master.channel, MESSAGE_LANES, &message, sizeof(message),
		             slot->lanes, LANES);
}

static void free_slot(struct call_guard *slot)
{
	if (slot->guard >= 0)
		close(slot->guard);
	for (unsigned i = 0; i < LANES; i++) {
		if (slot->lanes[i] >= 0)
			close(slot->lanes[i]);
	}
	*slot = (struct call_guard){0};
}

/* Guards CALL's local endpoint, sends the lanes and sets its port. 0, or errno. */
static int prepare_call(struct supervisor *s, struct message_call_port *call)
{
	struct call_guard *slot = find_call(s, 0);

	if (call->local.port != 0 && listeners_guard(s, &call->local))
		return 0;
	if (slot == NULL)
		return ENOBUFS;
	int guard = guard_open(&call->local, NULL, 0);
	if (guard < 0)
		return errno;
	*slot = (struct call_guard){.port = *call, .guard = guard, .lanes = {-1, -1}};
	int error = listeners_hear(s, &call->local) ? 0 : open_lanes(slot);
	if (error != 0) {
		free_slot(slot);
		return error;
	}
	lobby_note_call(s, slot);
	give_lanes(s, slot);
	return 0;
}

void root_call_port(struct supervisor *s, const struct message_call_port *request)
{
	struct message_call_port answer = *request;

	answer.error = s->stage != END_NOT ? ESHUTDOWN : check_request(s, request);
	if (answer.error == 0)
		answer.error = prepare_call(s, &answer);
	channel_send(&s->master.channel, MESSAGE_CALL_PORT, &answer, sizeof(answer), NULL, 0);
}

void root_call_end(struct supervisor *s, const struct message_call_port *request)
{
	struct call_guard *slot = request->call != 0 ? find_call(s, request->call) : NULL;

	if (slot == NULL)
		return; /* it needed no guard of its own */
	lobby_forget_call(s, slot);
	free_slot(slot);
}

void calls_tell(struct supervisor *s)
{
	for (unsigned i = 0; i < CALL_GUARDS_MAX; i++) {
		const struct call_guard *slot = &s->calls[i];

		if (slot->port.call == 0)
			continue;
		give_lanes(s, slot);
		channel_send(&s->master.channel, MESSAGE_CALL_PORT, &slot->port, sizeof(slot->port),
		             NULL, 0);
	}
}

int calls_adopt(struct supervisor *s, const struct registry *registry)
{
	if (registry->call_count > CALL_GUARDS_MAX) {
		log_error("%u calls cannot be kept", registry->call_count);
		return -1;
	}
	for (uint32_t i = 0; i < registry->call_count; i++) {
		const struct registry_call *from = &registry->calls[i];

		s->calls[i] = (struct call_guard){.port = from->port, .guard = from->guard};
		memcpy(s->calls[i].lanes, from->lanes, sizeof(s->calls[i].lanes));
	}
	return 0;
}

void calls_close(struct supervisor *s)
{
	for (unsigned i = 0; i < CALL_GUARDS_MAX; i++) {
		if (s->calls[i].port.call != 0)
			free_slot(&s->calls[i]);
	}
}
