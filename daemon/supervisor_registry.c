/*
 * What this supervisor would leave to the next, collected into a registry.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/supervisor_state.h"

static struct registry_child describe_child(const struct child *child)
{
	return (struct registry_child){
		.pid = child->pid,
		.channel = child->channel.fd,
		.phase = child->channel.phase,
		.pidfd = child->pidfd,
	};
}

static void add_descriptor(void *arg, uint32_t kind, uint32_t index, int fd)
{
	struct registry *registry = arg;

	registry->descriptors[registry->descriptor_count++] =
		(struct registry_descriptor){.kind = kind, .index = index, .fd = fd};
}

struct registry_call describe_call(const struct call_guard *call)
{
	return (struct registry_call){
		.port = call->port,
		.guard = call->guard,
		.lanes = {call->lanes[LANE_SYN], call->lanes[LANE_DATA]},
	};
}

static void add_calls(const struct supervisor *s, struct registry *registry)
{
	for (unsigned i = 0; i < CALL_GUARDS_MAX; i++) {
		if (s->calls[i].port.call != 0)
			registry->calls[registry->call_count++] = describe_call(&s->calls[i]);
	}
}

struct registry_worker describe_worker(const struct worker *worker)
{
	uint32_t flags = 0;

	if (worker->taken)
		flags |= REGISTRY_WORKER_TAKEN;
	if (worker->terminated)
		flags |= REGISTRY_WORKER_TERMINATED;
	if (worker->released)
		flags |= REGISTRY_WORKER_RELEASED;
	return (struct registry_worker){
		.number = worker->number,
		.child = describe_child(&worker->child),
		.master_end = worker->master_end,
		.ring = worker->ring,
		.bell_to_master = worker->bell_to_master,
		.bell_to_worker = worker->bell_to_worker,
		.rx_size = worker->rx_size,
		.tx_size = worker->tx_size,
		.flags = flags,
		.status = worker->status,
	};
}

/* Room for all of them, and then all of them. 0, or -1 with errno. */
static int add_workers(const struct supervisor *s, struct registry *registry)
{
	const struct worker *worker;
	size_t count = 0;

	for (unsigned i = 0; i < WORKER_BUCKETS; i++)
		LIST_FOREACH (worker, &s->workers.by_number[i], by_number)
			count++;
	registry->workers = calloc(count + 1, sizeof(*registry->workers));
	if (registry->workers == NULL)
		return -1;
	for (unsigned i = 0; i < WORKER_BUCKETS; i++)
		LIST_FOREACH (worker, &s->workers.by_number[i], by_number)
			registry->workers[registry->worker_count++] = describe_worker(worker);
	return 0;
}

/* The configuration in effect as text, to be freed. */
char *describe_config(const struct config *config)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return NULL;
	config_print(config, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

void describe_facts(const struct supervisor *s, struct registry_facts *facts)
{
	struct stat status;

	*facts = (struct registry_facts){
		.table_conns = s->master_config.table_conns,
		.table_half_opens = s->master_config.table_half_opens,
		.table_time_waits = s->master_config.table_time_waits,
		.draining = s->master_config.draining,
		.started_us = s->master_config.started_us,
		.last_worker = s->workers.last_number,
		.files_soft = s->files.rlim_cur,
		.files_hard = s->files.rlim_max,
		.control_device = s->kept.control.device,
		.control_inode = s->kept.control.inode,
		.master = describe_child(&s->master),
		.opener = describe_child(&s->opener),
		.upgrades = s->master_config.upgrades + 1,
		.takeovers = s->succession.takeovers,
	};
	if (fstat(s->kept.table, &status) == 0)
		facts->table_bytes = (uint64_t)status.st_size;
}

int supervisor_describe(struct supervisor *s, struct registry *registry)
{
	*registry = (struct registry){.formats = version_formats()};
	describe_facts(s, &registry->facts);
	registry->descriptors = calloc(REGISTRY_DESCRIPTORS_MAX, sizeof(*registry->descriptors));
	registry->calls = calloc(CALL_GUARDS_MAX, sizeof(*registry->calls));
	registry->program = strdup(s->program);
	registry->configuration = describe_config(s->config);
	if (registry->descriptors != NULL && registry->calls != NULL && registry->program != NULL &&
	    registry->configuration != NULL && add_workers(s, registry) == 0) {
		kept_each(&s->kept, add_descriptor, registry);
		add_calls(s, registry);
		return 0;
	}
	registry_free(registry);
	errno = ENOMEM;
	return -1;
}
