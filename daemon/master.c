/*
 * The master process's start and end.
 *
 * It is started by the supervisor with a channel and nothing else. The first
 * message brings the configuration and descriptors; then the master gives up its
 * rights, enters the sandbox (sandbox_calls.c), maps the connection table, makes or takes up an engine on it, listens,
 * takes in what else the supervisor keeps, goes on where a former master stopped
 * (master_takeover.c), says MESSAGE_READY and loops (master_loop.c).
 *
 * It dies with its supervisor: PDEATHSIG is set after the rights are dropped,
 * because changing user clears it, and then the parent is looked at once more.
 */
#include "daemon/master.h"
#include "daemon/master_audit.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bsd/unistd.h>
#include <event2/event.h>
#include <jansson.h>

#include "daemon/call.h"
#include "daemon/control.h"
#include "daemon/engine_config.h"
#include "daemon/link.h"
#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"
#include "daemon/privileges.h"
#include "daemon/route.h"
#include "daemon/sandbox_calls.h"
#include "daemon/session_notes.h"

/* The descriptors that come with MESSAGE_MASTER_CONFIG, in this order. */
enum {
	CONFIG_CHROOT,
	CONFIG_TABLE,
	CONFIG_ROUTE,
	CONFIG_CONTROL,
	CONFIG_ICMP4,
	CONFIG_ICMP6,
	CONFIG_FDS
};

/* Only the supervisor ends the master; a terminal's signals are not for it. */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

/* Waits for the configuration; false with the cause logged. */
static bool receive_config(struct master *m)
{
	struct message *message = &m->message;
	int got;

	do
		got = message_receive(m->channel, message, 0);
	while (got < 0 && errno == EINTR);
	if (got <= 0) {
		log_error("cannot receive the configuration: %s",
		          got == 0 ? "the supervisor has hung up" : strerror(errno));
		return false;
	}
	if (!message_allowed(message, ROLE_SUPERVISOR, ROLE_MASTER, PHASE_START) ||
	    message->header.type != MESSAGE_MASTER_CONFIG) {
		log_error("the supervisor sent %s before the configuration",
		          message_name(message->header.type));
		message_discard(message);
		return false;
	}
	memcpy(&m->config, message->payload, sizeof(m->config));
	for (uint32_t i = message->header.fds; i < CONFIG_FDS; i++)
		message->fd[i] = -1;
	if (!master_config_bound(&m->config)) {
		log_error("the supervisor sent an impossible configuration");
		return false;
	}
	log_set_level((enum log_level)m->config.log_level);
	return true;
}

static bool drop_rights(struct master *m, int directory)
{
	const char *what = "";

	if (privileges_drop(directory, m->config.uid, m->config.gid, &what) != 0) {
		log_error("cannot give up rights: %s: %s", what, strerror(errno));
		return false;
	}
	close(directory);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
		log_error("cannot tie the master to its supervisor: %s", strerror(errno));
		return false;
	}
	return (uint32_t)getppid() == m->config.supervisor_pid;
}

/* Maps the table in FD, which must be as big as the engine wants it, and closes FD. */
static bool map_table(struct master *m, const struct stack_config *config, int fd)
{
	struct stat st;
	void *memory = MAP_FAILED;

	m->table_bytes = stack_table_bytes(config);
	if (fstat(fd, &st) != 0) {
		log_error("cannot look at the connection table: %s", strerror(errno));
	} else if ((uint64_t)st.st_size != m->table_bytes) {
		log_error("the connection table has %jd bytes, not %zu", (intmax_t)st.st_size,
		          m->table_bytes);
	} else {
		memory = mmap(NULL, m->table_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (memory == MAP_FAILED)
			log_error("cannot map the connection table: %s", strerror(errno));
	}
	close(fd);
	if (memory == MAP_FAILED)
		return false;
	m->table = memory;
	return true;
}

/*
 * A table that nobody has used is all zero. Its first page, which holds the
 * header, says so; looking at more would make the kernel provide it all.
 */
static bool table_is_new(const struct master *m)
{
	const uint8_t *bytes = m->table;
	size_t length = m->table_bytes < 4096 ? m->table_bytes : 4096;

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

static bool create_stack(struct master *m, int table_fd)
{
	struct stack_config config;
	struct stack_hooks hooks = {0};
	struct stack_secrets secrets;
	bool fresh;

	engine_config(&m->config, &config);
	if (!map_table(m, &config, table_fd))
		return false;
	fresh = table_is_new(m);
	if (fresh && getrandom(&secrets, sizeof(secrets), 0) != (ssize_t)sizeof(secrets)) {
		log_error("cannot get random secrets: %s", strerror(errno));
		return false;
	}
	master_hooks(m, &hooks);
	errno = 0;
	m->stack = stack_create(&config, &hooks, m->table, m->table_bytes, fresh ? &secrets : NULL);
	explicit_bzero(&secrets, sizeof(secrets));
	if (m->stack == NULL) {
		/* memory may be there when the next master asks; a table that fits will never be */
		bool memory = errno == ENOMEM;

		log_error("cannot make the engine: %s",
		          memory ? "out of memory" : "the table does not fit");
		if (!fresh && !memory)
			m->status = MASTER_EXIT_TABLE;
		return false;
	}
	if (!master_listen(m, NULL)) {
		log_error("cannot listen on every endpoint of the configuration");
		return false;
	}
	return master_quiet_create(m, fresh);
}

/* One event base that never makes a system call for its timers; see master_loop.c. */
static struct event_base *create_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

/*
 * What libraries do once, at their first use, and cannot do in an empty root or in the sandbox:
 * libevent's loop makes a pipe, jansson looks for a random seed of its hashes, libc for
 * the time zone.
 */
static bool prepare_libraries(struct master *m)
{
	size_t seed = 0;

	if ((m->base = create_base()) == NULL) {
		log_error("cannot make the event loop");
		return false;
	}
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
		log_error("cannot get a random seed: %s", strerror(errno));
		return false;
	}
	json_object_seed(seed | 1); /* 0: it is to look for one itself */
	tzset();
	return true;
}

/* Before anything that a stranger may have written is looked at, such as the table. */
static bool enter_sandbox(struct master *m)
{
	static struct sandbox_filter filter;
	const char *what = "filter";

	/* the filter is written into a file first, which the limits forbid */
	if (sandbox_build(ROLE_MASTER, &filter) == 0 && sandbox_limit(0, &what) == 0 &&
	    sandbox_enter(filter.code, filter.length, m->channel) == 0)
		return true;
	log_error("cannot enter the sandbox: %s: %s", what, strerror(errno));
	return false;
}

static bool create_parts(struct master *m, const int *fd)
{
	if ((m->audit = audit_create(m->base)) == NULL || (m->pool = pool_create(m)) == NULL ||
	    (m->calls = call_create(m)) == NULL || (m->link = link_create(m)) == NULL ||
	    (m->notes = session_notes_create()) == NULL) {
		log_error("cannot start the master: out of memory");
		return false;
	}
	m->icmp_fd[0] = fd[CONFIG_ICMP4];
	m->icmp_fd[1] = fd[CONFIG_ICMP6];
	if (!create_stack(m, fd[CONFIG_TABLE]))
		return false;
	m->route = route_create(m->base, fd[CONFIG_ROUTE]);
	m->control = control_create(m, fd[CONFIG_CONTROL]);
	if (m->route == NULL || m->control == NULL || !master_loop_create(m) ||
	    !master_icmp_create(m))
		return false;
	m->channel_event =
		event_new(m->base, m->channel, EV_READ | EV_PERSIST, master_on_channel, m);
	if (m->channel_event == NULL || event_add(m->channel_event, NULL) != 0) {
		log_error("cannot watch the supervisor's channel");
		return false;
	}
	return true;
}

static void destroy_parts(struct master *m)
{
	if (m->channel_event != NULL)
		event_free(m->channel_event);
	control_destroy(m->control);
	master_icmp_destroy(m);
	master_quiet_destroy(m);
	master_loop_destroy(m);
	call_destroy(m->calls);
	link_destroy(m->link);
	route_destroy(m->route);
	pool_destroy(m->pool);
	session_notes_destroy(m->notes);
	if (m->stack != NULL)
		stack_destroy(m->stack);
	if (m->table != NULL)
		munmap(m->table, m->table_bytes);
	audit_destroy(m->audit);
	if (m->base != NULL)
		event_base_free(m->base);
}

int master_main(void)
{
	struct master *m = calloc(1, sizeof(*m));
	int fd[CONFIG_FDS], status;

	ignore_signals();
	log_to_channel(MASTER_CHANNEL_FD);
	if (m == NULL)
		return EXIT_FAILURE;
	m->channel = MASTER_CHANNEL_FD;
	m->phase = PHASE_START;
	m->started_us = master_now_us();
	m->status = EXIT_FAILURE;
	m->icmp_fd[0] = m->icmp_fd[1] = -1;
	m->near_fd = -1;
	if (!receive_config(m))
		goto end;
	memcpy(fd, m->message.fd, sizeof(fd));
	if (!prepare_libraries(m) || !drop_rights(m, fd[CONFIG_CHROOT]) || !enter_sandbox(m))
		goto end;
	setproctitle("master");
	if (!create_parts(m, fd) || !master_take_in(m))
		goto end;
	master_tell(m, MESSAGE_READY, NULL, 0);
	m->phase = PHASE_RUN;
	m->status = EXIT_SUCCESS;
	master_take_over(m);
	if (!m->stopped)
		master_loop_run(m);
end:
	status = m->status;
	destroy_parts(m);
	free(m);
	return status;
}
