/*
 * The start, part one: opening everything that needs rights and must outlive the
 * master. Guards come before lanes, so that a port in use is told before anything
 * else has happened.
 */
#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/engine_config.h"
#include "daemon/log.h"
#include "daemon/sandbox_calls.h"
#include "daemon/supervisor_open.h"
#include "daemon/supervisor_state.h"
#include "daemon/users.h"
#include "daemon/version.h"
#include "stack/stack.h"

/*
 * TIME-WAIT entries at most: 500 closes a second for 2 MSL of 30 s. They cost
 * memory only once they are used.
 */
#define TIME_WAIT_MAX 32768

/* Descriptors: five a worker (supervisor_workers.c), and some to spare. */
#define FILES_BASE       1024u
#define FILES_PER_WORKER 6u

static int open_network(struct supervisor *s)
{
	if (listeners_open(s) < 0)
		return -1;
	s->kept.icmp[0] = raw_icmp_open(IP_V4);
	if (s->kept.icmp[0] < 0)
		return supervisor_fail("ICMP socket");
	s->kept.icmp[1] = raw_icmp_open(IP_V6);
	if (s->kept.icmp[1] < 0 && errno != EAFNOSUPPORT)
		return supervisor_fail("ICMPv6 socket");
	s->kept.route = raw_route_open();
	if (s->kept.route < 0)
		return supervisor_fail("route socket");
	return 0;
}

static int open_control(struct supervisor *s)
{
	const char *path = s->config->control_socket;

	if (control_socket_open(&s->kept.control, path, s->master_config.control_gid,
	                        s->master_config.control_read_gid) == 0)
		return 0;
	if (errno == EADDRINUSE)
		log_error("control-socket: %s: calmd is already running", path);
	else
		log_error("control-socket: %s: %s", path, strerror(errno));
	return -1;
}

/*
 * The root directory of master and workers: one that has been removed, so that
 * nobody, not even root, can ever put anything into it.
 */
static int open_empty_directory(struct supervisor *s)
{
	char path[] = "/run/calmd-empty-XXXXXX";
	char other[] = "/tmp/calmd-empty-XXXXXX";
	char *made = mkdtemp(path);

	if (made == NULL)
		made = mkdtemp(other);
	if (made == NULL)
		return supervisor_fail("empty directory");
	s->kept.chroot_directory = open(made, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->kept.chroot_directory < 0 || fchmod(s->kept.chroot_directory, 0555) < 0) {
		supervisor_fail("empty directory");
		rmdir(made);
		return -1;
	}
	return rmdir(made) < 0 ? supervisor_fail("empty directory") : 0;
}

static int open_table(struct supervisor *s)
{
	struct stack_config config;

	engine_config(&s->master_config, &config);
	config.shape = stack_shape(&config);
	s->master_config.table_conns = config.shape.conns;
	s->master_config.table_half_opens = config.shape.half_opens;
	s->master_config.table_time_waits = config.shape.time_waits;
	s->kept.table = memfd_create("calmd-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->kept.table < 0 || ftruncate(s->kept.table, (off_t)stack_table_bytes(&config)) < 0 ||
	    fcntl(s->kept.table, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return supervisor_fail("connection table");
	return 0;
}

/*
 * As far as may be: what an earlier supervisor has left may need more than the
 * configuration does now.
 */
int limits_raise(struct supervisor *s, const struct config *config)
{
	rlim_t wanted = FILES_BASE + FILES_PER_WORKER * (rlim_t)(config->max_connections +
	                                                         config->max_spare_workers);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	else if (limit.rlim_cur == limit.rlim_max)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	/* the running master has a limit of its own; one that has just ended needs none */
	return s->master.pid == 0 || prlimit(s->master.pid, RLIMIT_NOFILE, &limit, NULL) == 0 ||
	                       errno == ESRCH
	               ? 0
	               : -1;
}

int supervisor_raise_limits(struct supervisor *s)
{
	if (getrlimit(RLIMIT_NOFILE, &s->files) < 0 || limits_raise(s, s->config) < 0)
		return supervisor_fail("limit of descriptors");
	return 0;
}

static int find_users(struct supervisor *s)
{
	const struct config *config = s->config;
	struct message_master_config *master = &s->master_config;
	char error[USERS_ERROR_MAX];

	if (users_find_user("user", config->user, &master->uid, &master->gid, error) < 0 ||
	    users_find_user("worker-user", config->worker_user, &s->worker_uid, &s->worker_gid,
	                    error) < 0 ||
	    users_find_group("control-group", config->control_group, &master->control_gid, error) <
	            0 ||
	    users_find_group("control-read-group", config->control_read_group,
	                     &master->control_read_gid, error) < 0) {
		log_error("%s", error);
		return -1;
	}
	if (master->uid == s->worker_uid) {
		log_error("worker-user: must be another user than user, is %s",
		          config->worker_user);
		return -1;
	}
	return 0;
}

/* The configuration as the master has it. */
void master_config_fill(const struct config *config, struct message_master_config *master)
{
	master->listens = config->listens;
	memcpy(master->listen, config->listen, sizeof(master->listen));
	master->listen_proxied = config->listen_proxied;
	master->proxy_from = config->proxy_from;
	master->max_connections = config->max_connections;
	master->max_connections_per_source = config->max_connections_per_source;
	master->connections_per_minute_per_source = config->connections_per_minute_per_source;
	master->ban_after = config->ban_after;
	master->ban_time_us = config->ban_time_us;
	master->ban_exempt = config->ban_exempt;
	master->backlog = config->backlog;
	master->half_open = config->half_open;
	master->time_wait = TIME_WAIT_MAX;
	master->busy = config->busy;
	master->syn_cookies = config->syn_cookies;
	master->congestion = config->congestion;
	master->ecn = config->ecn;
	master->send_buffer = config->send_buffer;
	master->receive_buffer = config->receive_buffer;
	master->dscp = config->dscp;
	master->ttl = config->ttl;
	master->min_spare_workers = config->min_spare_workers;
	master->max_spare_workers = config->max_spare_workers;
	master->log_level = config->log_level;
	master->supervisor_pid = (uint32_t)getpid();
	master->msl_us = config->msl_us;
	master->keepalive_us = config->keepalive_us;
	master->user_timeout_us = config->user_timeout_us;
	master->user_timeout_option = config->user_timeout_option;
	master->stalled_memory = config->stalled_memory;
	master->call_timeout_us = config->call_timeout_us;
	master->login_timeout_us = config->login_timeout_us;
	master->idle_timeout_us = config->idle_timeout_us;
	master->probe_us = config->probe_us;
	snprintf(master->busy_message, sizeof(master->busy_message), "%s\r\n",
	         config->busy_message);
	strlcpy(master->version, version_text(), sizeof(master->version));
}

int supervisor_prepare(struct supervisor *s)
{
	master_config_fill(s->config, &s->master_config);
	s->master_config.started_us = clock_now_us();
	if (find_users(s) < 0 || programs_open(s) < 0)
		return -1;
	return sandbox_build(ROLE_WORKER, &s->worker_filter) == 0
	               ? 0
	               : supervisor_fail("filter of the workers' sandbox");
}

int supervisor_open(struct supervisor *s)
{
	if (open_network(s) < 0 || open_control(s) < 0 || open_empty_directory(s) < 0)
		return -1;
	return open_table(s);
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void supervisor_close(struct supervisor *s)
{
	control_socket_close(&s->kept.control);
	listeners_close(s);
	close_if_open(s->kept.icmp[0]);
	close_if_open(s->kept.icmp[1]);
	close_if_open(s->kept.route);
	close_if_open(s->kept.chroot_directory);
	close_if_open(s->kept.table);
	close_if_open(s->program_calmd);
	close_if_open(s->program_worker);
	close_if_open(s->program_opener);
}
