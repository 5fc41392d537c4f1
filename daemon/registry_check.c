/*
 * What the values of a registry may be. That two entries name the same descriptor
 * is found when they are claimed.
 */
#include "daemon/registry_check.h"

#include <stdbool.h>

#include "daemon/spawn.h"
#include "stack/ring.h"

#define PHASES (PHASE_START | PHASE_RUN | PHASE_SESSION | PHASE_END)

/* So many there may be of each kind. */
static const uint32_t kinds[REGISTRY_KINDS] = {
	[REGISTRY_CHROOT] = 1,      [REGISTRY_TABLE] = 1,
	[REGISTRY_ROUTE] = 1,       [REGISTRY_CONTROL] = 1,
	[REGISTRY_ICMP] = 2,        [REGISTRY_GUARD] = MESSAGE_LISTEN_MAX,
	[REGISTRY_LANE_V4] = LANES, [REGISTRY_LANE_V6] = LANES,
	[REGISTRY_LOBBY] = 2,       [REGISTRY_CLOSED_GUARD] = MESSAGE_LISTEN_MAX,
};

/* Lower numbers are the standard ones, or occupied for children (spawn.h). */
static bool fd_possible(int32_t fd)
{
	return fd >= SPAWN_FD_FIRST;
}

/* Somebody else's process has no pid: it is known by its channel alone. */
static bool process_possible(const struct registry_child *child)
{
	if (child->pid < 0 || (child->phase & ~(uint32_t)PHASES) != 0)
		return false;
	if (child->pidfd != -1 && (child->pid == 0 || !fd_possible(child->pidfd)))
		return false;
	return child->channel == -1 || fd_possible(child->channel);
}

static bool child_possible(const struct registry_child *child)
{
	return process_possible(child) && (child->channel == -1 || child->pid > 0);
}

static bool descriptor_possible(const struct registry_descriptor *descriptor)
{
	return descriptor->kind < REGISTRY_KINDS && descriptor->index < kinds[descriptor->kind] &&
	       fd_possible(descriptor->fd);
}

static bool call_possible(const struct registry_call *call)
{
	const struct message_call_port *port = &call->port;
	uint8_t version = port->local.address.version;
	bool lanes = fd_possible(call->lanes[LANE_SYN]) && fd_possible(call->lanes[LANE_DATA]);
	bool none = call->lanes[LANE_SYN] == -1 && call->lanes[LANE_DATA] == -1;

	return port->call != 0 && (version == IP_V4 || version == IP_V6) &&
	       port->peer.address.version == version && fd_possible(call->guard) && (lanes || none);
}

static bool worker_possible(const struct registry_worker *worker, uint64_t last)
{
	return worker->number > 0 && worker->number <= last && child_possible(&worker->child) &&
	       fd_possible(worker->master_end) && fd_possible(worker->ring) &&
	       fd_possible(worker->bell_to_master) && fd_possible(worker->bell_to_worker) &&
	       ring_size_valid(worker->rx_size) && ring_size_valid(worker->tx_size) &&
	       (worker->flags & ~REGISTRY_WORKER_FLAGS) == 0;
}

const char *registry_wrong(const struct registry *registry)
{
	const struct registry_facts *facts = &registry->facts;

	if (!child_possible(&facts->master) || !process_possible(&facts->opener))
		return "a child that cannot be";
	for (uint32_t i = 0; i < registry->descriptor_count; i++) {
		if (!descriptor_possible(&registry->descriptors[i]))
			return "a descriptor that cannot be";
	}
	for (uint32_t i = 0; i < registry->call_count; i++) {
		if (!call_possible(&registry->calls[i]))
			return "a call that cannot be";
	}
	for (uint32_t i = 0; i < registry->worker_count; i++) {
		if (!worker_possible(&registry->workers[i], facts->last_worker))
			return "a worker that cannot be";
	}
	return registry->program[0] == '/' ? NULL : "no absolute path of the program";
}
