/*
 * Active opens.
 *
 *   asked        the supervisor has been asked for a port, a guard and lanes
 *   opening      stack_call() has been called: SYN-SENT, or SYN-RECEIVED when
 *                both ends open at once
 *   through      ESTABLISHED: whoever asked has been answered
 *   over         the entry has ended, TIME-WAIT included: guard and lanes go
 *
 * A call from a port that calmd listens on begins in LISTEN (RFC 9293, 3.10.1)
 * and needs neither guard nor lanes. The client that asked may be gone by the
 * time the answer is known; the call goes on without it.
 *
 * A new master is told by the supervisor which calls have guards and finds their
 * connections by their pairs of sockets. A call without a connection, for which the
 * former master had only asked, is over.
 */
#include "daemon/call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/address_text.h"
#include "daemon/control.h"
#include "daemon/control_commands.h"
#include "daemon/link.h"
#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/route.h"

struct call {
	uint64_t number; /* 0: free */
	uint64_t client; /* to be answered; 0: has been */
	uint64_t id;     /* the connection; 0: none yet */
	struct endpoint peer;
	struct endpoint local;
	uint32_t ifindex;
	uint32_t mtu;
	bool guarded; /* the supervisor holds a guard and lanes for it */
	bool through; /* ESTABLISHED */
	bool over;
	const char *why; /* it ended, a string literal of the engine */
};

struct call_table {
	struct master *master;
	uint64_t last_number;
	unsigned used;
	bool changed; /* call_settle() has something to do */
	struct call call[CALLS_MAX];
};

struct call_table *call_create(struct master *m)
{
	struct call_table *calls = calloc(1, sizeof(*calls));

	if (calls != NULL)
		calls->master = m;
	return calls;
}

void call_destroy(struct call_table *calls)
{
	free(calls);
}

static struct call *by_number(struct call_table *calls, uint64_t number)
{
	for (unsigned i = 0; number != 0 && i < CALLS_MAX; i++) {
		if (calls->call[i].number == number)
			return &calls->call[i];
	}
	return NULL;
}

static struct call *by_id(struct call_table *calls, uint64_t id)
{
	/* The engine asks for every connection there is, and calls are rare. */
	for (unsigned i = 0; calls->used != 0 && i < CALLS_MAX; i++) {
		if (calls->call[i].number != 0 && calls->call[i].id == id)
			return &calls->call[i];
	}
	return NULL;
}

static bool is_listening(const struct message_master_config *config, const struct endpoint *local)
{
	for (uint32_t i = 0; i < config->listens && i < MESSAGE_LISTEN_MAX; i++) {
		const struct endpoint *listen = &config->listen[i];

		if (listen->port == local->port &&
		    listen->address.version == local->address.version &&
		    (address_is_any(&listen->address) ||
		     address_equal(&listen->address, &local->address)))
			return true;
	}
	return false;
}

static void answer(struct call_table *calls, struct call *call, const char *error)
{
	if (call->client != 0)
		control_answer(calls->master->control, call->client,
		               error != NULL ? control_refusal(error)
		                             : control_reply(json_pack("{s:I}", "id",
		                                                       (json_int_t)call->id)));
	call->client = 0;
}

/* Asks for a port with a guard and lanes; the answer comes to call_port(). */
static void priv_call_port(struct call_table *calls, struct call *call)
{
	struct message_call_port ask = {
		.call = call->number, .local = call->local, .peer = call->peer};

	call->guarded = true;
	master_tell(calls->master, MESSAGE_PRIV_CALL_PORT, &ask, sizeof(ask));
}

/* Gives port, guard and lanes back. */
static void priv_call_end(struct call_table *calls, const struct call *call)
{
	struct message_call_port end = {
		.call = call->number, .local = call->local, .peer = call->peer};

	link_remove(calls->master->link, call->number);
	master_tell(calls->master, MESSAGE_PRIV_CALL_END, &end, sizeof(end));
}

static void free_call(struct call_table *calls, struct call *call)
{
	memset(call, 0, sizeof(*call));
	calls->used--;
}

/* Frees the entry, and gives back guard and lanes where there are any. */
static void forget(struct call_table *calls, struct call *call)
{
	if (call->guarded)
		priv_call_end(calls, call);
	free_call(calls, call);
}

/* Hands the call to the engine. Returns NULL, or why it cannot be. */
static const char *open_call(struct call_table *calls, struct call *call, bool from_listen,
                             uint64_t now_us)
{
	const char *error = NULL;

	call->id = stack_call(calls->master->stack, &call->local, &call->peer, call->ifindex,
	                      call->mtu, from_listen, now_us, &error);
	if (call->id != 0)
		return NULL;
	return error != NULL ? error : "the connection cannot be opened";
}

static struct call *new_call(struct call_table *calls, const struct endpoint *peer,
                             uint16_t local_port)
{
	for (unsigned i = 0; i < CALLS_MAX; i++) {
		struct call *call = &calls->call[i];

		if (call->number != 0)
			continue;
		memset(call, 0, sizeof(*call));
		call->number = ++calls->last_number;
		call->peer = *peer;
		call->local.port = local_port;
		calls->used++;
		return call;
	}
	return NULL;
}

/* Source address, interface and MTU towards the peer. Returns NULL, or why not. */
static const char *find_route(struct call_table *calls, struct call *call, uint32_t ifindex)
{
	struct route_answer route;

	if (!route_lookup(calls->master->route, &call->peer.address, ifindex, &route))
		return errno == ETIMEDOUT ? "the kernel did not say how to reach that address"
		                          : strerror(errno);
	call->local.address = route.source;
	call->ifindex = route.ifindex;
	call->mtu = route.mtu;
	return NULL;
}

const char *call_begin(struct call_table *calls, uint64_t client, const struct endpoint *peer,
                       uint16_t local_port, uint32_t ifindex, uint64_t now_us)
{
	struct master *m = calls->master;
	struct call *call;
	const char *error;

	if (m->phase == PHASE_END)
		return "calmd is ending";
	if (!address_is_unicast(&peer->address) || peer->port == 0)
		return "that address cannot be called";
	call = new_call(calls, peer, local_port);
	if (call == NULL)
		return "too many calls";
	error = find_route(calls, call, ifindex);
	if (error == NULL && local_port != 0 && is_listening(&m->config, &call->local)) {
		error = open_call(calls, call, true, now_us);
	} else if (error == NULL) {
		priv_call_port(calls, call);
	}
	if (error != NULL) {
		free_call(calls, call);
		return error;
	}
	call->client = client;
	return NULL;
}

void call_port(struct call_table *calls, const struct message_call_port *given, uint64_t now_us)
{
	struct call *call = by_number(calls, given->call);
	char text[128];
	const char *error;

	if (call == NULL || call->id != 0) {
		log_warning("the supervisor answered call %" PRIu64 ", which nobody made",
		            given->call);
		return;
	}
	if (given->error != 0) {
		snprintf(text, sizeof(text), "no local port: %s", strerror(given->error));
		call->guarded = false;
		answer(calls, call, text);
		link_remove(calls->master->link, call->number);
		forget(calls, call);
		return;
	}
	call->local.port = given->local.port;
	error = open_call(calls, call, false, now_us);
	if (error != NULL) {
		answer(calls, call, error);
		forget(calls, call);
	}
}

void call_kept(struct call_table *calls, const struct message_call_port *kept)
{
	const struct flow flow = {.local = kept->local, .peer = kept->peer};
	struct call *call =
		by_number(calls, kept->call) == NULL ? new_call(calls, &kept->peer, 0) : NULL;

	if (call == NULL) {
		log_error("the call %" PRIu64 " that is kept cannot be taken on", kept->call);
		return;
	}
	call->number = kept->call;
	if (calls->last_number < kept->call)
		calls->last_number = kept->call;
	call->local = kept->local;
	call->guarded = true;
	call->id = stack_find(calls->master->stack, &flow);
	call->through = call->id != 0;
	call->over = call->id == 0;
	calls->changed = true;
}

void call_moved(struct call_table *calls, uint64_t id, enum tcp_state to)
{
	struct call *call = by_id(calls, id);

	if (call == NULL || to != TCP_ESTABLISHED)
		return;
	call->through = true;
	calls->changed = true;
}

void call_ended(struct call_table *calls, uint64_t id, const char *why)
{
	struct call *call = by_id(calls, id);

	if (call == NULL)
		return;
	call->over = true;
	call->why = why;
	calls->changed = true;
}

void call_settle(struct call_table *calls)
{
	if (!calls->changed)
		return;
	calls->changed = false;
	for (unsigned i = 0; i < CALLS_MAX; i++) {
		struct call *call = &calls->call[i];

		if (call->number == 0)
			continue;
		if (call->through)
			answer(calls, call, NULL);
		if (call->over) {
			answer(calls, call, call->why != NULL ? call->why : "the call failed");
			forget(calls, call);
		}
	}
}
