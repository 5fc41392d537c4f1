/*
 * daemon/supervisor_log.c: what the supervisor writes of what its children say, when they have been
 * taken over by somebody who wants to fill the disk or to pass for another.
 */
#include "tests/unit/random.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log_output.h"
#include "daemon/supervisor_state.h"

static struct supervisor *supervisor;
static int saved_stderr, written; /* what stands in stderr's place */
static int begin(void **state)
{
	(void)state;
	supervisor = calloc(1, sizeof(*supervisor));
	supervisor->base = event_base_new();
	supervisor_log_init(supervisor);
	saved_stderr = dup(STDERR_FILENO);
	written = memfd_create("log", MFD_CLOEXEC);
	dup2(written, STDERR_FILENO);
	log_set_level(LOG_LEVEL_INFO);
	log_output_open("calmd", ROLE_SUPERVISOR);
	return 0;
}

static int end(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(written);
	if (event_initialized(&supervisor->log.report))
		event_del(&supervisor->log.report);
	event_base_free(supervisor->base);
	free(supervisor);
	return 0;
}

/* A child in ROLE, and a pid that is nobody's. */
static struct child child_in(enum role role)
{
	return (struct child){
		.supervisor = supervisor,
		.log.pid = 1234,
		.pidfd = -1,
		.channel = {.fd = -1, .peer = role},
	};
}

/* CHILD says TEXT, with RECORD. */
static void say(struct child *child, const struct message_log *record, const char *text)
{
	static struct message message;

	message.header.length = (uint32_t)(sizeof(*record) + strlen(text));
	memcpy(message.payload, record, sizeof(*record));
	memcpy(message.payload + sizeof(*record), text, strlen(text));
	supervisor_log(child, &message);
}

/* Lines of the log with TEXT in them. */
static unsigned lines_with(const char *text)
{
	static char log[8 << 20];
	unsigned count = 0;

	ssize_t length = pread(written, log, sizeof(log) - 1, 0);
	log[length > 0 ? length : 0] = '\0';
	for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

static void a_worker_that_floods_the_log_is_cut_short_and_counted(void **state)
{
	struct message_log record = {.level = LOG_LEVEL_ERROR};
	struct child worker = child_in(ROLE_WORKER);

	(void)state;
	for (int i = 0; i < 100000; i++)
		say(&worker, &record, "flood");
	unsigned lines = lines_with("calmd[worker 1234]: flood\n");
	assert_in_range(lines, 40, 2000);
	assert_int_equal(lines_with("calmd: worker 1234 says too much"), 1);
	supervisor_log_report(supervisor, true);
	char told[64];
	snprintf(told, sizeof(told), "%u records of processes that say too much", 100000 - lines);
	assert_int_equal(lines_with(told), 1);
	/* Others are heard. */
	struct child other = child_in(ROLE_WORKER);
	say(&other, &record, "me, too");
	assert_int_equal(lines_with("me, too"), 1);
}

static void a_master_has_more_to_say_but_not_without_end(void **state)
{
	struct message_log record = {.level = LOG_LEVEL_ERROR};
	struct child master = child_in(ROLE_MASTER);

	(void)state;
	for (int i = 0; i < 100000; i++)
		say(&master, &record, "flood");
	assert_in_range(lines_with("flood"), 4000, 30000);
}

/* A worker each time, as a client gets that comes again and again. */
static void one_client_of_many_workers_has_one_limit(void **state)
{
	struct message_log record = {
		.level = LOG_LEVEL_INFO,
		.event = LOG_EVENT_SESSION_START,
		.peer = {.address = {.version = IP_V4, .bytes = {192, 0, 2, 1}}, .port = 1},
	};

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		struct child worker = child_in(ROLE_WORKER);
		record.peer.port = (uint16_t)(i + 1);
		say(&worker, &record, "again");
	}
	unsigned lines = lines_with("again");
	assert_in_range(lines, 450, 600);
	supervisor_log_report(supervisor, true);
	char told[64];
	snprintf(told, sizeof(told), "%u records about sessions from 192.0.2.1", 5000 - lines);
	assert_int_equal(lines_with(told), 1);
}

static void what_is_above_the_level_costs_a_child_nothing(void **state)
{
	struct message_log record = {.level = LOG_LEVEL_DEBUG};
	struct child worker = child_in(ROLE_WORKER);

	(void)state;
	for (int i = 0; i < 1000; i++)
		say(&worker, &record, "detail");
	record.level = LOG_LEVEL_ERROR;
	say(&worker, &record, "important");
	assert_int_equal(lines_with("detail"), 0);
	assert_int_equal(lines_with("important"), 1);
	assert_int_equal(lines_with("too much"), 0);
}

static void a_malformed_record_ends_its_sender_and_is_not_written(void **state)
{
	struct message_log record = {.level = LOG_LEVEL_ERROR, .event = LOG_EVENTS};
	static const struct channel_handler handler = {.violation = child_violation};
	struct child worker = child_in(ROLE_WORKER);

	(void)state;
	worker.channel.handler = &handler;
	say(&worker, &record, "forged");
	assert_int_equal(lines_with("forged"), 0);
	assert_int_equal(lines_with("is ended: a malformed record for the log"), 1);
	assert_true(worker.violated);
}

static void a_worker_does_not_pass_for_the_master(void **state)
{
	struct message_log record = {.level = LOG_LEVEL_INFO, .event = LOG_EVENT_CONNECT};
	struct child worker = child_in(ROLE_WORKER), master = child_in(ROLE_MASTER);

	(void)state;
	log_output_set(LOG_OUTPUT_JSON);
	say(&worker, &record, "forged");
	assert_int_equal(lines_with("forged"), 1);
	assert_int_equal(lines_with("\"event\":\"connect\""), 0);
	say(&master, &record, "true");
	assert_int_equal(lines_with("\"event\":\"connect\""), 1);
}

/* PEER's message of TYPE, COUNT times, to HANDLER. */
static void repeat(struct child *child, const struct channel_handler *handler,
                   enum message_type type, int count)
{
	static struct message message;

	memset(&message, 0, sizeof(message));
	message.header.type = type;
	child->channel.handler = handler;
	for (int i = 0; i < count; i++)
		handler->message(&child->channel, &message);
}

static void a_violation_is_told_once(void **state)
{
	struct child worker = child_in(ROLE_WORKER);

	(void)state;
	repeat(&worker, &worker_handler, MESSAGE_VIOLATION, 1000);
	assert_int_equal(lines_with("made the system call"), 1);
	assert_true(worker.violated);
}

/* A taken-over master cannot fill the disk with what the supervisor says of its requests. */
static void what_a_master_asks_is_bounded(void **state)
{
	struct child *master = &supervisor->master;

	(void)state;
	*master = child_in(ROLE_MASTER);
	lobby_none(&supervisor->lobby);
	repeat(master, &master_handler, MESSAGE_PRIV_DRAIN, 10000);
	assert_in_range(lines_with("draining"), 50, 100);
	assert_false(master->violated);
}

/* One that has been taken over, and listens to nobody. */
static void a_worker_is_told_to_end_and_then_killed_once_each(void **state)
{
	struct child *master = &supervisor->master;
	struct worker worker = {.number = 1, .taken = true};
	static struct message message;
	const struct message_worker named = {.worker = 1};
	int status;

	(void)state;
	*master = child_in(ROLE_MASTER);
	worker.child = child_in(ROLE_WORKER);
	worker.child.pid = fork();
	if (worker.child.pid == 0) {
		for (;;)
			pause();
	}
	workers_insert(supervisor, &worker);
	supervisor->workers.last_number = 1;
	message.header.type = MESSAGE_PRIV_WORKER_END;
	memcpy(message.payload, &named, sizeof(named));
	master_handler.message(&master->channel, &message);
	assert_int_equal(waitpid(worker.child.pid, &status, WNOHANG), 0);
	for (int i = 0; i < 1000; i++)
		master_handler.message(&master->channel, &message);
	assert_int_equal(waitpid(worker.child.pid, &status, 0), worker.child.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(lines_with("is told to end"), 1);
	assert_int_equal(lines_with("is killed"), 1);
}

static void a_master_takes_over_once(void **state)
{
	struct child *master = &supervisor->master;

	(void)state;
	*master = child_in(ROLE_MASTER);
	supervisor->announced = true;
	supervisor->succession.ended_us = 1;
	repeat(master, &master_handler, MESSAGE_TAKEN_OVER, 1);
	assert_false(master->violated);
	repeat(master, &master_handler, MESSAGE_TAKEN_OVER, 1);
	assert_true(master->violated);
	assert_int_equal(lines_with("has taken over"), 1);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_worker_that_floods_the_log_is_cut_short_and_counted),
		LOG_TEST(a_master_has_more_to_say_but_not_without_end),
		LOG_TEST(one_client_of_many_workers_has_one_limit),
		LOG_TEST(what_is_above_the_level_costs_a_child_nothing),
		LOG_TEST(a_malformed_record_ends_its_sender_and_is_not_written),
		LOG_TEST(a_worker_does_not_pass_for_the_master),
		LOG_TEST(a_violation_is_told_once),
		LOG_TEST(what_a_master_asks_is_bounded),
		LOG_TEST(a_worker_is_told_to_end_and_then_killed_once_each),
		LOG_TEST(a_master_takes_over_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
