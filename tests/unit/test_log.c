/*
 * daemon/log.c: what stands on stderr, and what goes over a channel. Each test
 * puts a pipe in stderr's place.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log_output.h"
#include "daemon/message.h"

static int saved_stderr, reader;
static char output[16384];

static int capture(void **state)
{
	int ends[2];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	saved_stderr = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	reader = ends[0];
	log_set_level(LOG_LEVEL_INFO);
	log_output_open("calmd", ROLE_SUPERVISOR);
	return 0;
}

static int release(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(reader);
	return 0;
}

/* As the supervisor does with what a process of ROLE has sent. */
static void relay(enum log_level level, enum role role, int pid, const char *text, size_t length)
{
	struct message_log record = {.level = level};

	log_relay(role, pid, &record, text, length);
}

static const char *captured(void)
{
	ssize_t length = read(reader, output, sizeof(output) - 1);

	output[length > 0 ? length : 0] = '\0';
	return output;
}

static void a_line_has_the_name_in_front(void **state)
{
	(void)state;
	log_error("port %d is gone", 23);
	assert_string_equal(captured(), "calmd: port 23 is gone\n");
}

static void lines_above_the_level_are_left_out(void **state)
{
	(void)state;
	log_debug("one");
	log_info("two");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("three");
	relay(LOG_LEVEL_INFO, ROLE_WORKER, 5, "four", 4);
	log_error("five");
	assert_string_equal(captured(), "calmd: two\ncalmd: five\n");
}

static void errno_is_left_alone(void **state)
{
	(void)state;
	errno = ENOENT;
	log_info("x");
	assert_int_equal(errno, ENOENT);
}

static void a_long_line_is_cut(void **state)
{
	char text[3 * LOG_LINE_MAX];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	assert_int_equal(strlen(captured()), strlen("calmd: ") + LOG_LINE_MAX + 1);
	memset(text, '\n', sizeof(text));
	relay(LOG_LEVEL_INFO, ROLE_WORKER, 1, text, sizeof(text));
	assert_int_equal(strlen(captured()), strlen("calmd[worker 1]: ") + 4 * LOG_LINE_MAX + 1);
}

static void what_others_say_is_escaped(void **state)
{
	static const char said[] = "a\ncalmd: forged\r\033[2J\x7f\xc3\xa4\0z";

	(void)state;
	relay(LOG_LEVEL_INFO, ROLE_WORKER, 77, said, sizeof(said) - 1);
	assert_string_equal(captured(), "calmd[worker 77]: a\\x0acalmd: forged\\x0d\\x1b[2J\\x7f"
	                                "\\xc3\\xa4\\x00z\n");
}

static void our_own_lines_keep_utf8_but_no_control_characters(void **state)
{
	(void)state;
	log_info("/etc/\xc3\xa4\n.conf");
	assert_string_equal(captured(), "calmd: /etc/\xc3\xa4\\x0a.conf\n");
}

/* Makes JOURNAL_STREAM name stderr, as it does where systemd has started us. */
static void stderr_is_the_journals(void)
{
	struct stat status;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
	         (uintmax_t)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_output_open("calmd", ROLE_SUPERVISOR);
}

static void a_journal_without_a_socket_gets_levels(void **state)
{
	(void)state;
	stderr_is_the_journals();
	log_output_sockets("/nonexistent/journal", "/nonexistent/syslog");
	log_error("a");
	log_warning("b");
	log_info("c");
	relay(LOG_LEVEL_ERROR, ROLE_MASTER, 3, "d", 1);
	assert_string_equal(captured(),
	                    "<3>calmd: a\n<4>calmd: b\n<6>calmd: c\n<3>calmd[master 3]: d\n");
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_output_open("calmd", ROLE_SUPERVISOR);
	log_info("e");
	assert_string_equal(captured(), "calmd: e\n");
}

static void other_processes_send_their_lines(void **state)
{
	static struct message message;
	const struct message_log *log = (const void *)message.payload;
	int pair[2];

	(void)state;
	assert_int_equal(message_channel(pair), 0);
	log_to_channel(pair[0]);
	log_warning("hello %d", 5);
	assert_int_equal(message_receive(pair[1], &message, MSG_DONTWAIT), 1);
	assert_true(message_allowed(&message, ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN));
	assert_int_equal(log->level, LOG_LEVEL_WARNING);
	assert_int_equal(message.header.length, sizeof(*log) + 7);
	assert_true(log_record_valid(log));
	assert_memory_equal(message.payload + sizeof(*log), "hello 5", 7);
	assert_string_equal(captured(), "");
	close(pair[0]);
	close(pair[1]);
}

static void a_full_channel_loses_lines_and_says_so(void **state)
{
	static struct message message;
	bool told = false;
	int pair[2];

	(void)state;
	assert_int_equal(message_channel(pair), 0);
	log_to_channel(pair[0]);
	for (int i = 0; i < 20000; i++)
		log_info("line");
	while (message_receive(pair[1], &message, MSG_DONTWAIT) == 1)
		;
	log_info("after");
	while (message_receive(pair[1], &message, MSG_DONTWAIT) == 1) {
		message.payload[message.header.length] = '\0';
		if (strstr((char *)message.payload + sizeof(struct message_log),
		           "lines of log were lost") != NULL)
			told = true;
	}
	assert_true(told);
	close(pair[0]);
	close(pair[1]);
}

/* Nothing reads the pipe meanwhile; if writing waited for it, this would not end. */
static void a_reader_that_stands_still_costs_lines_and_no_time(void **state)
{
	(void)state;
	fcntl(STDERR_FILENO, F_SETFL, 0); /* a write to a full pipe waits */
	for (int i = 0; i < 5000; i++)
		log_info("a line of some length that nobody reads for now");
	while (captured()[0] != '\0')
		;
	log_info("after");
	const char *text = captured();
	assert_non_null(strstr(text, " lines of log were lost\n"));
	assert_non_null(strstr(text, "calmd: after\n"));
}

/* A socket where a datagram is expected, in a directory of its own. */
static int receiver(char path[64])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(path, 64, "/tmp/calmd-log-XXXXXX");
	assert_non_null(mkdtemp(path));
	strcat(path, "/socket");
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void forget_receiver(int fd, char *path)
{
	close(fd);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static void journal_and_syslog_get_a_datagram_each(void **state)
{
	char journal[64], syslog[64], got[4096];
	int journal_fd = receiver(journal), syslog_fd = receiver(syslog);

	(void)state;
	log_output_sockets(journal, syslog);
	log_output_set(LOG_OUTPUT_JOURNAL);
	log_info("hello");
	ssize_t length = recv(journal_fd, got, sizeof(got) - 1, 0);
	assert_true(length > 0);
	got[length] = '\0';
	assert_non_null(strstr(got, "PRIORITY=6\n"));
	assert_non_null(strstr(got, "\nMESSAGE=hello\n"));
	log_output_set(LOG_OUTPUT_SYSLOG);
	log_error("hello");
	length = recv(syslog_fd, got, sizeof(got) - 1, 0);
	assert_true(length > 0);
	got[length] = '\0';
	assert_memory_equal(got, "<27>", 4);
	assert_string_equal(strstr(got, "]: "), "]: hello");
	assert_string_equal(captured(), "");
	forget_receiver(journal_fd, journal);
	forget_receiver(syslog_fd, syslog);
}

static void without_any_standard_error_syslog_it_is(void **state)
{
	char syslog[64], got[4096];
	int syslog_fd = receiver(syslog), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	log_output_sockets("/nonexistent/journal", syslog);
	log_output_set(LOG_OUTPUT_AUTO);
	log_info("on a pipe");
	dup2(null, STDERR_FILENO);
	log_output_set(LOG_OUTPUT_AUTO);
	log_info("nowhere");
	assert_true(recv(syslog_fd, got, sizeof(got), 0) > 0);
	assert_int_equal(recv(syslog_fd, got, sizeof(got), 0), -1);
	assert_string_equal(captured(), "calmd: on a pipe\n");
	close(null);
	forget_receiver(syslog_fd, syslog);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, capture, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_line_has_the_name_in_front),
		LOG_TEST(lines_above_the_level_are_left_out),
		LOG_TEST(errno_is_left_alone),
		LOG_TEST(a_long_line_is_cut),
		LOG_TEST(what_others_say_is_escaped),
		LOG_TEST(our_own_lines_keep_utf8_but_no_control_characters),
		LOG_TEST(a_journal_without_a_socket_gets_levels),
		LOG_TEST(other_processes_send_their_lines),
		LOG_TEST(a_full_channel_loses_lines_and_says_so),
		LOG_TEST(a_reader_that_stands_still_costs_lines_and_no_time),
		LOG_TEST(journal_and_syslog_get_a_datagram_each),
		LOG_TEST(without_any_standard_error_syslog_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
