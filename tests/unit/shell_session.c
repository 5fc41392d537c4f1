/*
 * The fake supervisor and master of shell_session.h, in the test's own process.
 */
#include "tests/unit/shell_session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/bell.h"
#include "daemon/log.h"
#include "daemon/message.h"
#include "daemon/ring_map.h"
#include "daemon/sandbox_calls.h"

static struct message message;

int64_t shell_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Starts PROGRAM of the build with FDS at descriptors 3 and up. */
static pid_t start_program(const char *program, const int *fds, int count)
{
	const char *folder = getenv("CALMD_BUILDDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/shell/%s", folder != NULL ? folder : ".", program);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	int high[8];
	for (int i = 0; i < count; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 100);
	for (int i = 0; i < count; i++)
		dup2(high[i], 3 + i);
	close_range((unsigned)(3 + count), ~0u, 0);
	char *const argv[] = {(char *)(uintptr_t)program,
	                      (char *)(uintptr_t) "                                ", NULL};
	char *const environment[] = {NULL};
	execve(path, argv, environment);
	perror(path);
	_exit(127);
}

static void note_log(struct shell_session *s)
{
	size_t used = strlen(s->log);
	size_t length = message.header.length - sizeof(struct message_log);

	if (used + length + 2 > sizeof(s->log))
		return;
	memcpy(s->log + used, message.payload + sizeof(struct message_log), length);
	memcpy(s->log + used + length, "\n", 2);
	if (getenv("SHELL_SESSION_LOG") != NULL)
		fprintf(stderr, "# %s", s->log + used);
}

static void take_log(struct shell_session *s, int channel)
{
	while (message_receive(channel, &message, MSG_DONTWAIT) > 0) {
		if (message.header.type == MESSAGE_LOG)
			note_log(s);
	}
}

/* The next message that is not a line of log. */
static void expect(struct shell_session *s, int channel, enum message_type type)
{
	do {
		assert_int_equal(message_receive(channel, &message, 0), 1);
		if (message.header.type == MESSAGE_LOG)
			note_log(s);
	} while (message.header.type == MESSAGE_LOG);
	assert_int_equal(message.header.type, type);
}

static void configure_opener(struct shell_session *s, const char *const login[], int worker_end)
{
	struct message_opener_config config = {.log_level = LOG_LEVEL_DEBUG};
	struct message_worker added = {.worker = 1, .pid = (uint32_t)s->worker};

	for (uint32_t *count = &config.login.count; login[*count] != NULL; (*count)++) {
		size_t length = strlen(login[*count]) + 1;
		memcpy(config.login.text + config.login.size, login[*count], length);
		config.login.size += (uint32_t)length;
	}
	assert_int_equal(message_send(s->opener_channel, MESSAGE_OPENER_CONFIG, &config,
	                              sizeof(config), NULL, 0, 0),
	                 0);
	expect(s, s->opener_channel, MESSAGE_READY);
	assert_int_equal(message_send(s->opener_channel, MESSAGE_WORKER_ADD, &added, sizeof(added),
	                              &worker_end, 1, 0),
	                 0);
}

static void configure_worker(struct shell_session *s)
{
	struct {
		struct message_worker_config config;
		struct sock_filter filter[SANDBOX_FILTER_MAX];
	} start;
	struct sandbox_filter filter;

	assert_int_equal(sandbox_build(ROLE_WORKER, &filter), 0);
	start.config = (struct message_worker_config){
		.uid = 65534,
		.gid = 65534,
		.rx_size = s->ring.rx_size,
		.tx_size = s->ring.tx_size,
		.worker = 1,
		.log_level = LOG_LEVEL_DEBUG,
		.filter_length = filter.length,
	};
	size_t filter_bytes = filter.length * sizeof(filter.code[0]);
	memcpy(start.filter, filter.code, filter_bytes);
	char empty[] = "/tmp/calmd-test-XXXXXX";

	assert_non_null(mkdtemp(empty));
	int directory = open(empty, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(directory >= 0);
	assert_int_equal(message_send(s->worker_channel, MESSAGE_WORKER_CONFIG, &start,
	                              sizeof(start.config) + filter_bytes, &directory, 1, 0),
	                 0);
	close(directory);
	rmdir(empty);
	expect(s, s->worker_channel, MESSAGE_READY);
}

void shell_start(struct shell_session *s, const char *const login[], uint32_t ring_size)
{
	int supervisor[2], master[2], opener[2], opener_supervisor[2];

	*s = (struct shell_session){.reading = true, .room = 4096};
	s->output = calloc(1, s->room);
	assert_non_null(s->output);
	int ring = ring_create(ring_size, ring_size);
	assert_true(ring >= 0);
	assert_int_equal(ring_map(ring, ring_size, ring_size, &s->ring), 0);
	assert_int_equal(message_channel(supervisor), 0);
	assert_int_equal(message_channel(master), 0);
	assert_int_equal(message_channel(opener), 0);
	assert_int_equal(message_channel(opener_supervisor), 0);
	s->bell_in = bell_create();
	s->bell_out = bell_create();
	assert_true(s->bell_in >= 0 && s->bell_out >= 0);
	s->worker_channel = supervisor[0];
	s->master_channel = master[0];
	s->opener_channel = opener_supervisor[0];
	s->worker = start_program(
		"calmd-worker",
		(int[]){supervisor[1], master[1], opener[1], ring, s->bell_out, s->bell_in}, 6);
	s->opener = start_program("calmd-opener", (int[]){opener_supervisor[1]}, 1);
	close(supervisor[1]);
	close(master[1]);
	close(opener[1]);
	close(opener_supervisor[1]);
	close(ring);
	configure_worker(s);
	configure_opener(s, login, opener[0]);
	close(opener[0]);
}

void shell_ring(struct shell_session *s)
{
	if (ring_worker_asleep(&s->ring))
		bell_ring(s->bell_out);
}

void shell_open(struct shell_session *s)
{
	struct message_open open = {
		.conn_id = SHELL_CONN_ID,
		.idle_timeout_ms = s->idle_timeout_ms,
		.probe_ms = s->probe_ms,
		.flow = {.local = {.address = {.bytes = {192, 0, 2, 1}, .version = IP_V4},
	                           .port = 23},
	                 .peer = {.address = {.bytes = {192, 0, 2, 99}, .version = IP_V4},
	                          .port = 40000}},
	};

	atomic_store(&s->ring.master->tx_limit, UINT64_MAX);
	atomic_store(&s->ring.master->conn_id, SHELL_CONN_ID);
	assert_int_equal(
		message_send(s->master_channel, MESSAGE_OPEN, &open, sizeof(open), NULL, 0, 0), 0);
}

/* Takes what is in the send ring. */
static bool take_output(struct shell_session *s)
{
	uint64_t head = atomic_load(&s->ring.worker->tx_head);
	size_t length = (size_t)(head - s->tx_tail);

	assert_true(length <= s->ring.tx_size);
	if (length == 0 || !s->reading)
		return false;
	if (s->length + length + 1 > s->room) {
		s->room = 2 * (s->length + length + 1);
		s->output = realloc(s->output, s->room);
		assert_non_null(s->output);
	}
	memcpy(s->output + s->length, ring_tx_at(&s->ring, s->tx_tail), length);
	s->length += length;
	s->output[s->length] = '\0';
	s->tx_tail = head;
	atomic_store(&s->ring.master->tx_sent, head);
	atomic_store(&s->ring.master->tx_tail, head);
	shell_ring(s);
	return true;
}

void shell_step(struct shell_session *s, int timeout)
{
	struct pollfd fds[] = {
		{.fd = s->master_channel, .events = POLLIN},
		{.fd = s->bell_in, .events = POLLIN},
		{.fd = s->worker_channel, .events = POLLIN},
		{.fd = s->opener_channel, .events = POLLIN},
	};

	if (take_output(s))
		return;
	atomic_store(&s->ring.master->asleep, 1);
	if (!take_output(s)) {
		poll(fds, 4, timeout);
		uint64_t rings = 0;
		if (read(s->bell_in, &rings, sizeof(rings)) == (ssize_t)sizeof(rings))
			s->doorbells += (unsigned)rings;
	}
	atomic_store(&s->ring.master->asleep, 0);
	take_log(s, s->worker_channel);
	take_log(s, s->opener_channel);
	take_output(s);
}

bool shell_wait(struct shell_session *s, bool (*condition)(struct shell_session *, void *),
                void *argument)
{
	int64_t end = shell_now() + SHELL_DEADLINE_MS;

	while (!condition(s, argument)) {
		if (shell_now() > end) {
			print_message("output: %.*s\nlog: %s\n",
			              s->length < 4000 ? (int)s->length : 4000, s->output, s->log);
			return false;
		}
		shell_step(s, 50);
	}
	return true;
}

static bool ring_has_room(struct shell_session *s, void *argument)
{
	(void)argument;
	return s->rx_head - atomic_load(&s->ring.worker->rx_tail) < s->ring.rx_size;
}

void shell_send(struct shell_session *s, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;

	while (length > 0) {
		assert_true(shell_wait(s, ring_has_room, NULL));
		size_t room = s->ring.rx_size -
		              (size_t)(s->rx_head - atomic_load(&s->ring.worker->rx_tail));
		size_t n = length < room ? length : room;
		memcpy(ring_rx_at(&s->ring, s->rx_head), from, n);
		s->rx_head += n;
		from += n;
		length -= n;
		atomic_store(&s->ring.master->rx_head, s->rx_head);
		shell_ring(s);
	}
}

void shell_type(struct shell_session *s, const char *text)
{
	shell_send(s, text, strlen(text));
}

uint64_t shell_offset(const struct shell_session *s)
{
	return s->rx_head;
}

void shell_urgent(struct shell_session *s, uint64_t offset)
{
	atomic_store(&s->ring.master->rx_urgent, offset);
	shell_ring(s);
}

void shell_fin(struct shell_session *s)
{
	atomic_store(&s->ring.master->rx_fin, 1);
	shell_ring(s);
}

struct search {
	size_t offset;
	const char *text;
};

static bool output_has(struct shell_session *s, void *argument)
{
	const struct search *search = argument;

	return s->length >= search->offset &&
	       memmem(s->output + search->offset, s->length - search->offset, search->text,
	              strlen(search->text)) != NULL;
}

bool shell_wait_output_from(struct shell_session *s, size_t offset, const char *text)
{
	struct search search = {offset, text};

	return shell_wait(s, output_has, &search);
}

bool shell_wait_output(struct shell_session *s, const char *text)
{
	return shell_wait_output_from(s, 0, text);
}

static bool worker_ended(struct shell_session *s, void *argument)
{
	return waitpid(s->worker, argument, WNOHANG) == s->worker;
}

bool shell_wait_end(struct shell_session *s)
{
	int status = -1;

	if (!shell_wait(s, worker_ended, &status))
		return false;
	s->worker = 0;
	take_log(s, s->worker_channel);
	while (take_output(s))
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
	       atomic_load(&s->ring.worker->tx_fin) == 1;
}

static void end_process(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

void shell_stop(struct shell_session *s)
{
	close(s->worker_channel);
	close(s->master_channel);
	close(s->opener_channel);
	end_process(&s->worker);
	end_process(&s->opener);
	ring_unmap(&s->ring);
	free(s->output);
	s->output = NULL;
}

bool shell_process_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}
