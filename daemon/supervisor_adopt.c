/*
 * Going on where another supervisor stopped: its descriptors get their places here,
 * and its children, which are ours since we are the same process, are listened to
 * again. What it sent and what they said meanwhile waits in their channels; who of
 * them has ended meanwhile is found by reaping (children_reap()).
 *
 * Nothing is believed: each process must be a child of ours, or have a pidfd (one
 * that was left by a supervisor that died: supervisor_resume.c), each descriptor be
 * open (registry_claim()) and in one place only.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/supervisor_opener.h"
#include "daemon/supervisor_state.h"

static bool is_our_child(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int child_adopt(struct child *child, struct supervisor *s, const struct registry_child *from,
                enum role role, const struct channel_handler *handler)
{
	child->supervisor = s;
	child->pid = from->pid;
	supervisor_log_child(&child->log, child->pid);
	child->pidfd = from->pidfd;
	child->channel.fd = -1;
	if (from->pid != 0 && from->pidfd < 0 && !is_our_child(from->pid)) {
		log_error("%s %d is not a child of this process", role_name(role), from->pid);
		return -1;
	}
	if (from->channel < 0)
		return 0;
	if (channel_open(&child->channel, s->base, from->channel, role, handler) < 0)
		return supervisor_fail("channel of a process that goes on");
	child->channel.phase = from->phase;
	return 0;
}

/* A worker that is not our child has ended: nobody can say how. */
static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	struct supervisor *s = worker->child.supervisor;

	(void)fd;
	(void)what;
	event_del(&worker->ended);
	close(worker->child.pidfd);
	worker->child.pidfd = -1;
	channel_receive(&s->master.channel); /* what it said before counts, as for our children */
	worker_ended(s, worker, 0);
	end_step(s);
}

static int watch(struct supervisor *s, struct worker *worker)
{
	if (worker->child.pidfd < 0)
		return 0;
	if (event_assign(&worker->ended, s->base, worker->child.pidfd, EV_READ, on_ended, worker) ==
	            0 &&
	    event_add(&worker->ended, NULL) == 0)
		return 0;
	return supervisor_fail("a worker cannot be watched");
}

int worker_adopt(struct supervisor *s, const struct registry_worker *from)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL)
		return supervisor_fail("a worker that goes on");
	if (workers_find(s, from->number) != NULL) {
		log_error("two workers have the number %llu", (unsigned long long)from->number);
		free(worker);
		return -1;
	}
	if (child_adopt(&worker->child, s, &from->child, ROLE_WORKER, &worker_handler) < 0 ||
	    watch(s, worker) < 0) {
		free(worker);
		return -1;
	}
	worker->number = from->number;
	worker->master_end = from->master_end;
	worker->ring = from->ring;
	worker->bell_to_master = from->bell_to_master;
	worker->bell_to_worker = from->bell_to_worker;
	worker->rx_size = from->rx_size;
	worker->tx_size = from->tx_size;
	worker->status = from->status;
	worker->taken = (from->flags & REGISTRY_WORKER_TAKEN) != 0;
	worker->terminated = (from->flags & REGISTRY_WORKER_TERMINATED) != 0;
	worker->released = (from->flags & REGISTRY_WORKER_RELEASED) != 0;
	worker->told = true;
	worker->former = true;
	workers_insert(s, worker);
	return 0;
}

static int adopt_kept(struct supervisor *s, const struct registry *registry)
{
	const struct registry_facts *facts = &registry->facts;
	struct stat status;

	for (uint32_t i = 0; i < registry->descriptor_count; i++) {
		const struct registry_descriptor *from = &registry->descriptors[i];
		if (kept_adopt(&s->kept, from->kind, from->index, from->fd) < 0)
			return -1;
	}
	if (listeners_adopt(s) < 0 || !kept_complete(&s->kept, s->config)) {
		log_error("a descriptor that every master needs is missing");
		return -1;
	}
	if (fstat(s->kept.table, &status) < 0 || (uint64_t)status.st_size != facts->table_bytes) {
		log_error("the connection table has another size than it had");
		return -1;
	}
	s->kept.control.path = s->config->control_socket;
	s->kept.control.device = facts->control_device;
	s->kept.control.inode = facts->control_inode;
	return 0;
}

static int adopt_processes(struct supervisor *s, const struct registry *registry)
{
	const struct registry_facts *facts = &registry->facts;

	if (child_adopt(&s->master, s, &facts->master, ROLE_MASTER, &master_handler) < 0 ||
	    child_adopt(&s->opener, s, &facts->opener, ROLE_OPENER, &opener_handler) < 0)
		return -1;
	s->workers.last_number = facts->last_worker;
	for (uint32_t i = 0; i < registry->worker_count; i++) {
		if (worker_adopt(s, &registry->workers[i]) < 0)
			return -1;
	}
	return 0;
}

void adopt_facts(struct supervisor *s, const struct registry_facts *facts)
{
	struct message_master_config *master = &s->master_config;

	s->files.rlim_cur = (rlim_t)facts->files_soft;
	s->files.rlim_max = (rlim_t)facts->files_hard;
	master->table_conns = facts->table_conns;
	master->table_half_opens = facts->table_half_opens;
	master->table_time_waits = facts->table_time_waits;
	master->draining = facts->draining != 0;
	master->started_us = facts->started_us;
	master->upgrades = facts->upgrades;
}

int supervisor_adopt(struct supervisor *s, const struct registry *registry)
{
	adopt_facts(s, &registry->facts);
	limits_fit(s);
	if (calls_adopt(s, registry) < 0 || adopt_kept(s, registry) < 0 ||
	    adopt_processes(s, registry) < 0)
		return -1;
	succession_adopt(s, registry->facts.takeovers);
	return 0;
}
