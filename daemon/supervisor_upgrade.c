/*
 * Becoming another version: `calmctl upgrade` and SIGUSR2.
 *
 * Theory of operation
 *
 * The supervisor executes the program that now is where it was started from, and
 * so stays the same process: its children stay its children, and every descriptor
 * that the registry names stays open. Then the new program replaces the opener, the
 * idle workers and the master; a worker with a session ends with the code it began
 * with. Nobody on the network sees more of it than a short pause.
 *
 *   checking   a child of the new program (--role=check, supervisor_check.c) looks
 *              at the configuration, the registry, and the versions of all formats.
 *              The supervisor goes on serving; SIGCHLD tells how it ended. Only
 *              status 0, and that it said so, let the upgrade go on.
 *   settling   until no message waits to be sent and a master serves, so that the
 *              registry is all there is to know. What children have said stays in
 *              their channels for the new program to read.
 *   becoming   the registry is written, descriptors are let through, exec. Signals
 *              are blocked over it. An exec that fails leaves everything as it was.
 *
 * Whatever goes wrong before is a refusal, which is logged and answered to whoever
 * asked. Each of the first two has a deadline.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/spawn.h"
#include "daemon/supervisor.h"
#include "daemon/supervisor_state.h"

#define CHECK_SECONDS  15
#define SETTLE_SECONDS 10
#define SETTLE_US      5000 /* between two looks */

#define COMPLAINT_MAX 512
#define WHY_MAX       (COMPLAINT_MAX + PATH_MAX)

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Back to where nothing is under way. */
static void forget(struct upgrade *upgrade)
{
	evtimer_del(&upgrade->deadline);
	evtimer_del(&upgrade->look);
	close_descriptor(&upgrade->program);
	close_descriptor(&upgrade->said);
	if (upgrade->checker != 0)
		kill(upgrade->checker,
		     SIGKILL); /* nobody waits for it; it is reaped as any other */
	upgrade->checker = 0;
	upgrade->stage = UPGRADE_NOT;
}

/* Everything stays as it is; why is logged and told to whoever asked. */
__attribute__((format(printf, 2, 3))) static void refuse(struct supervisor *s, const char *format,
                                                         ...)
{
	struct upgrade *upgrade = &s->upgrade;
	struct notes notes = {0};
	char why[WHY_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	notes_add(&notes, "no upgrade: %s", why);
	log_error("no upgrade: %s", why);
	/* Clients' numbers are those of the master that gave them. */
	if (upgrade->asked_by != 0 && upgrade->asked_by == s->master.pid)
		request_answer(s, &upgrade->request, false, &notes);
	forget(upgrade);
}

static void set_deadline(struct supervisor *s, time_t seconds)
{
	const struct timeval left = {.tv_sec = seconds};

	evtimer_add(&s->upgrade.deadline, &left);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	if (s->upgrade.stage == UPGRADE_CHECKING)
		refuse(s, "the check of the new program did not end in time");
	else
		refuse(s, "the running master takes no messages, or none serves");
}

/* ---- the check ---- */

/* Our arguments behind ROLE, for the new program, in NEXT. */
static void add_arguments(const struct supervisor *s, const char *role,
                          const char *next[SUPERVISOR_ARGUMENTS_MAX + 2])
{
	unsigned count = 0;

	next[count++] = s->arguments[0];
	next[count++] = role;
	for (unsigned i = 1; s->arguments[i] != NULL && i < SUPERVISOR_ARGUMENTS_MAX; i++)
		next[count++] = s->arguments[i];
	next[count] = NULL;
}

/* A registry as it is now, in a memfd; -1 with errno. */
static int write_registry(struct supervisor *s, struct registry *registry)
{
	if (supervisor_describe(s, registry) < 0)
		return -1;
	int fd = registry_write(registry);
	if (fd < 0) {
		int cause = errno;
		registry_free(registry);
		errno = cause;
	}
	return fd;
}

static pid_t spawn_checker(struct supervisor *s, int registry_fd, int standard_error)
{
	const char *argv[SUPERVISOR_ARGUMENTS_MAX + 2];
	const struct spawn how = {
		.program = s->upgrade.program,
		.argv = argv,
		.fds = &registry_fd,
		.fd_count = 1,
		.files = &s->files,
		.standard_error = standard_error,
	};

	add_arguments(s, "--role=check", argv);
	return spawn(&how);
}

/* Starts the check. 0, or -1 with errno. */
static int start_check(struct supervisor *s)
{
	struct upgrade *upgrade = &s->upgrade;
	struct registry registry;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	upgrade->said = ends[0];
	int fd = write_registry(s, &registry);
	if (fd < 0) {
		close(ends[1]);
		return -1;
	}
	registry_free(&registry);
	pid_t pid = spawn_checker(s, fd, ends[1]);
	int cause = errno;
	close(ends[1]);
	close(fd);
	errno = cause;
	upgrade->checker = pid > 0 ? pid : 0;
	return pid > 0 ? 0 : -1;
}

static void begin(struct supervisor *s)
{
	struct upgrade *upgrade = &s->upgrade;

	if (s->stage != END_NOT) {
		refuse(s, "calmd is ending");
		return;
	}
	upgrade->program = open(s->program, O_PATH | O_CLOEXEC);
	if (upgrade->program < 0 || start_check(s) < 0) {
		refuse(s, "%s: %s", s->program, strerror(errno));
		return;
	}
	upgrade->stage = UPGRADE_CHECKING;
	set_deadline(s, CHECK_SECONDS);
}

/* The last line of what the checker has said, without what a log puts in front. */
static const char *last_line(char said[COMPLAINT_MAX])
{
	size_t length = strlen(said);
	char *line;

	while (length > 0 && said[length - 1] == '\n')
		said[--length] = '\0';
	line = strrchr(said, '\n');
	line = line != NULL ? line + 1 : said;
	return strncmp(line, "calmd: ", 7) == 0 ? line + 7 : line;
}

/* ---- the exec ---- */

static void note_waiting(struct supervisor *s, struct worker *worker)
{
	if (worker->child.channel.fd >= 0 && worker->child.channel.waiting > 0)
		s->upgrade.settled = false;
}

/* True when the registry would be all there is to know. */
static bool is_settled(struct supervisor *s)
{
	s->upgrade.settled = succession_is_settled(s);
	if (s->opener.channel.fd >= 0 && s->opener.channel.waiting > 0)
		s->upgrade.settled = false;
	workers_each(s, note_waiting);
	return s->upgrade.settled;
}

/* Returns only when it fails. */
static void become(struct supervisor *s)
{
	const char *argv[SUPERVISOR_ARGUMENTS_MAX + 2];
	struct registry registry;
	int fd = write_registry(s, &registry);

	if (fd < 0) {
		refuse(s, "%s: %s", "the registry", strerror(errno));
		return;
	}
	add_arguments(s, "--role=successor", argv);
	if (registry_release(&registry) == 0)
		spawn_become(s->upgrade.program, argv, fd);
	int cause = errno;
	registry_hold(&registry);
	registry_free(&registry);
	close(fd);
	errno = cause;
	refuse(s, "%s: %s", s->program, strerror(errno));
}

/* From the loop, so that no event is half handled. */
static void on_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = {.tv_usec = SETTLE_US};
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	if (is_settled(s))
		become(s);
	else
		evtimer_add(&s->upgrade.look, &pause);
}

void upgrade_checker_ended(struct supervisor *s, int status)
{
	static const struct timeval now = {0};
	struct upgrade *upgrade = &s->upgrade;
	char said[COMPLAINT_MAX], text[STATUS_TEXT_MAX];

	upgrade->checker = 0;
	ssize_t length = read(upgrade->said, said, sizeof(said) - 1);
	said[length > 0 ? length : 0] = '\0';
	const char *line = last_line(said);
	if (status != 0 && line[0] != '\0') {
		refuse(s, "%s", line);
	} else if (status != 0) {
		refuse(s, "the check of the new program %s", status_text(status, text));
	} else if (strncmp(line, SUPERVISOR_CHECKED, strlen(SUPERVISOR_CHECKED)) != 0) {
		refuse(s, "%s is not a calmd", s->program);
	} else {
		log_info("upgrading to calmd %s", line + strlen(SUPERVISOR_CHECKED));
		upgrade->stage = UPGRADE_SETTLING;
		set_deadline(s, SETTLE_SECONDS);
		evtimer_add(&upgrade->look, &now);
	}
}

/* ---- who asks ---- */

void upgrade_init(struct supervisor *s)
{
	s->upgrade.program = s->upgrade.said = -1;
	evtimer_assign(&s->upgrade.deadline, s->base, on_deadline, s);
	evtimer_assign(&s->upgrade.look, s->base, on_look, s);
}

void root_upgrade(struct supervisor *s, const struct message_request *request)
{
	if (s->upgrade.stage != UPGRADE_NOT) {
		struct notes notes = {0};

		notes_add(&notes, "an upgrade is under way already");
		request_answer(s, request, false, &notes);
		return;
	}
	s->upgrade.request = *request;
	s->upgrade.asked_by = s->master.pid;
	begin(s);
}

void upgrade_on_signal(struct supervisor *s)
{
	if (s->upgrade.stage != UPGRADE_NOT)
		return;
	s->upgrade.asked_by = 0;
	begin(s);
}

void upgrade_end(struct supervisor *s)
{
	if (s->upgrade.stage != UPGRADE_NOT)
		refuse(s, "calmd is ending");
}
