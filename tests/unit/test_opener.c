/*
 * The real calmd-opener; the test plays the supervisor and a worker. What is asked
 * for is what the session has: speeds, window, environment, arguments. Needs root.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/log.h"
#include "daemon/message.h"
#include "shell/session_data.h"

#define DEADLINE_MS 20000

static pid_t opener;
static int supervisor, worker; /* our ends */
static struct message message;
static char output[16384];

static void start_opener(int channel)
{
	const char *folder = getenv("CALMD_BUILDDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/shell/calmd-opener", folder != NULL ? folder : ".");
	opener = fork();
	assert_true(opener >= 0);
	if (opener > 0)
		return;
	dup2(channel, 3);
	fcntl(3, F_SETFD, 0);
	close_range(4, ~0u, 0);
	/* A variable of the opener's own, which no session may see. */
	execle(path, "calmd-opener", (char *)NULL, (char *const[]){"OPENER=secret", NULL});
	_exit(127);
}

/* The next message that is no line of log. */
static void expect(int channel, enum message_type type)
{
	do {
		assert_int_equal(message_receive(channel, &message, 0), 1);
	} while (message.header.type == MESSAGE_LOG);
	assert_int_equal(message.header.type, type);
}

static void add(struct message_strings *strings, const char *text)
{
	size_t length = strlen(text) + 1;

	memcpy(strings->text + strings->size, text, length);
	strings->size += (uint32_t)length;
	strings->count++;
}

/* An opener whose sessions run SCRIPT, with the user as its arguments, and one worker. */
static void start(const char *script)
{
	struct message_opener_config config = {.log_level = LOG_LEVEL_DEBUG};
	struct message_worker added = {.worker = 1};
	int channel[2], asks[2];

	assert_int_equal(message_channel(channel), 0);
	assert_int_equal(message_channel(asks), 0);
	supervisor = channel[0];
	worker = asks[0];
	start_opener(channel[1]);
	close(channel[1]);
	add(&config.login, "sh");
	add(&config.login, "-c");
	add(&config.login, script);
	add(&config.login, "%u");
	add(&config.accept_env, "LC_*");
	assert_int_equal(message_send(supervisor, MESSAGE_OPENER_CONFIG, &config, sizeof(config),
	                              NULL, 0, 0),
	                 0);
	expect(supervisor, MESSAGE_READY);
	assert_int_equal(
		message_send(supervisor, MESSAGE_WORKER_ADD, &added, sizeof(added), &asks[1], 1, 0),
		0);
	close(asks[1]);
}

static int stop(void **state)
{
	(void)state;
	if (opener > 0) {
		close(supervisor);
		close(worker);
		kill(opener, SIGKILL);
		waitpid(opener, NULL, 0);
		opener = 0;
	}
	return 0;
}

/* Asks for REQUEST's session, and reads all that it prints into output. */
static void run(const struct message_open_session *request)
{
	size_t length = 0;
	ssize_t n = 1;

	assert_int_equal(message_send(worker, MESSAGE_PRIV_OPEN_SESSION, request, sizeof(*request),
	                              NULL, 0, 0),
	                 0);
	expect(worker, MESSAGE_SESSION);
	assert_int_equal(message.header.fds, 2);
	int pty = message.fd[0], keeper = message.fd[1];
	while (n > 0 && length < sizeof(output) - 1) {
		struct pollfd poll_pty = {.fd = pty, .events = POLLIN};
		assert_int_equal(poll(&poll_pty, 1, DEADLINE_MS), 1);
		n = read(pty, output + length, sizeof(output) - 1 - length);
		length += n > 0 ? (size_t)n : 0;
	}
	output[length] = '\0';
	close(pty);
	close(keeper);
}

static struct message_open_session request(void)
{
	return (struct message_open_session){
		.peer = {.address = {.bytes = {192, 0, 2, 9}, .version = IP_V4}, .port = 40000},
		.terminal = "vt100",
	};
}

static void the_session_has_what_was_asked_for_and_nothing_else(void **state)
{
	struct message_open_session asked = request();

	(void)state;
	if (geteuid() != 0)
		skip();
	asked.rows = 50;
	asked.columns = 132;
	asked.speed_in = asked.speed_out = 9600;
	strcpy(asked.user, "tester");
	strcpy(asked.display, "host:0.0");
	assert_true(session_variable_set(&asked.environment, "LC_ALL", 6, "C", 1));
	assert_true(session_variable_set(&asked.environment, "LD_PRELOAD", 10, "/x", 2));
	assert_true(session_variable_set(&asked.environment, "OTHER", 5, "x", 1));
	start("stty -a | head -n 1; tr '\\0' '\\n' </proc/$$/environ; echo \"[$0] [$1]\"");
	run(&asked);
	assert_string_equal(output, "speed 9600 baud; rows 50; columns 132; line = 0;\r\n"
	                            "TERM=vt100\r\nDISPLAY=host:0.0\r\nLC_ALL=C\r\n"
	                            "[--] [tester]\r\n");
}

static void speeds_are_rounded_down_to_one_that_there_is(void **state)
{
	static const struct {
		uint32_t asked, is;
	} speeds[] = {{0, 38400}, {38400, 38400},   {115199, 57600},
	              {1, 50},    {230400, 230400}, {UINT32_MAX, 4000000}};

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		struct message_open_session asked = request();
		char line[32];
		asked.speed_in = 1200;
		asked.speed_out = speeds[i].asked;
		start("stty speed");
		run(&asked);
		snprintf(line, sizeof(line), "%u\r\n", speeds[i].is);
		assert_string_equal(output, line);
		stop(NULL);
	}
}

static void a_request_that_cannot_be_gets_no_session(void **state)
{
	struct message_open_session asked = request();

	(void)state;
	if (geteuid() != 0)
		skip();
	strcpy(asked.user, "-froot");
	start("echo no");
	assert_int_equal(
		message_send(worker, MESSAGE_PRIV_OPEN_SESSION, &asked, sizeof(asked), NULL, 0, 0),
		0);
	/* The opener hangs up, without an answer, and says why. */
	assert_int_equal(message_receive(worker, &message, 0), 0);
	assert_int_equal(message_receive(supervisor, &message, 0), 1);
	assert_int_equal(message.header.type, MESSAGE_LOG);
}

/* True when the keeper's next message is TYPE. */
static bool keeper_says(int keeper, enum message_type type)
{
	struct pollfd poll_keeper = {.fd = keeper, .events = POLLIN};

	assert_int_equal(poll(&poll_keeper, 1, DEADLINE_MS), 1);
	return message_receive(keeper, &message, MSG_DONTWAIT) == 1 &&
	       message.header.type == type &&
	       message_allowed(&message, ROLE_KEEPER, ROLE_WORKER, PHASE_RUN);
}

static void a_keeper_says_who_is_there_but_not_all_day(void **state)
{
	struct message_open_session asked = request();
	struct message_session_user user;

	(void)state;
	if (geteuid() != 0)
		skip();
	start("sleep 1000");
	assert_int_equal(
		message_send(worker, MESSAGE_PRIV_OPEN_SESSION, &asked, sizeof(asked), NULL, 0, 0),
		0);
	expect(worker, MESSAGE_SESSION);
	int pty = message.fd[0], keeper = message.fd[1];
	for (int i = 0; i < 3; i++) {
		assert_int_equal(message_send(keeper, MESSAGE_PRIV_FIND_USER, NULL, 0, NULL, 0, 0),
		                 0);
		assert_true(keeper_says(keeper, MESSAGE_SESSION_USER));
		memcpy(&user, message.payload, sizeof(user));
		assert_string_equal(user.user, "");
	}
	/* Some are answered; then it takes the worker for somebody else's, and hangs up. */
	for (int i = 0; i < 100; i++)
		message_send(keeper, MESSAGE_PRIV_FIND_USER, NULL, 0, NULL, 0, MSG_DONTWAIT);
	int answers = 0;
	while (keeper_says(keeper, MESSAGE_SESSION_USER))
		answers++;
	assert_int_equal(message.header.type, MESSAGE_SESSION_ENDED);
	assert_in_range(answers, 1, 40);
	close(pty);
	close(keeper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_session_has_what_was_asked_for_and_nothing_else,
	                                  stop),
		cmocka_unit_test_teardown(speeds_are_rounded_down_to_one_that_there_is, stop),
		cmocka_unit_test_teardown(a_request_that_cannot_be_gets_no_session, stop),
		cmocka_unit_test_teardown(a_keeper_says_who_is_there_but_not_all_day, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
