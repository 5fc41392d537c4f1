/*
 * The real calmd-worker and calmd-opener, from a connection to the end of its
 * session; the test plays supervisor, master and client. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/message.h"
#include "tests/unit/shell_session.h"

#define RING 65536u

/* The first batch, which every client gets before anything else. */
#define BATCH                                                                                      \
	"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x03\xff\xfd\x18\xff\xfd\x1f\xff\xfd\x20\xff\xfd\x23"     \
	"\xff\xfd\x27\xff\xfd\x21\xff\xfb\x05\xff\xfb\x2a"

/* A client that negotiates nothing more: WONT to all that a login would wait for. */
#define REFUSALS "\xff\xfc\x18\xff\xfc\x1f\xff\xfc\x20\xff\xfc\x23\xff\xfc\x27"

static const char *const sh[] = {"/bin/sh", NULL};

static struct shell_session session;

static int start(void **test)
{
	(void)test;
	if (geteuid() != 0)
		return 0;
	shell_start(&session, sh, RING);
	return 0;
}

static int stop(void **test)
{
	(void)test;
	if (geteuid() == 0)
		shell_stop(&session);
	return 0;
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* Starts again, with another login or ring. */
static void restart(const char *const login[], uint32_t ring_size)
{
	shell_stop(&session);
	shell_start(&session, login, ring_size);
}

/* A client that is at its prompt at once. */
static void open_at_prompt(void)
{
	shell_open(&session);
	shell_send(&session, REFUSALS, sizeof(REFUSALS) - 1);
	assert_true(shell_wait_output(&session, "# "));
}

/* Types LINE and Enter, waits for RESULT at the beginning of a line. */
static void run(const char *line, const char *result)
{
	char expected[256];
	size_t offset = session.length;

	snprintf(expected, sizeof(expected), "\r\n%s", result);
	shell_type(&session, line);
	shell_send(&session, "\r\0", 2);
	assert_true(shell_wait_output_from(&session, offset, expected));
	assert_true(shell_wait_output_from(&session, offset, "# "));
}

/* The pid that the session prints for EXPRESSION. */
static pid_t session_pid(const char *expression)
{
	char line[64];
	size_t offset = session.length;

	snprintf(line, sizeof(line), "echo pid=%s=\r", expression);
	shell_send(&session, line, strlen(line) + 1);
	assert_true(shell_wait_output_from(&session, offset, "\r\npid="));
	assert_true(shell_wait_output_from(&session, offset, "=\r\n# "));
	return atoi(strstr(session.output + offset, "\r\npid=") + 6);
}

static bool is_gone(struct shell_session *s, void *argument)
{
	(void)s;
	return shell_process_gone(*(pid_t *)argument);
}

static void a_client_that_negotiates_nothing_has_its_prompt_within_a_second(void **test)
{
	(void)test;
	need_root();
	int64_t began = shell_now();
	shell_open(&session);
	assert_true(shell_wait_output(&session, "# "));
	assert_in_range(shell_now() - began, 0, 1000);
	assert_memory_equal(session.output, BATCH, sizeof(BATCH) - 1);
}

static void a_client_that_answers_has_its_prompt_without_waiting(void **test)
{
	(void)test;
	need_root();
	int64_t began = shell_now();
	open_at_prompt();
	/* One that has begun to negotiate and does not finish waits for 3 s. */
	assert_in_range(shell_now() - began, 0, 2500);
}

static void terminal_type_and_window_size_reach_the_session(void **test)
{
	(void)test;
	need_root();
	shell_open(&session);
	shell_send(&session, "\xff\xfb\x18\xff\xfb\x1f", 6);
	assert_true(shell_wait_output(&session, "\xff\xfa\x18\x01\xff\xf0"));
	shell_send(&session, "\xff\xfa\x1f\0\x5b\0\x21\xff\xf0", 9);
	shell_send(&session, "\xff\xfa\x18\0VT220\xff\xf0", 11);
	assert_true(shell_wait_output(&session, "# "));
	/* a size that comes late, as on a busy machine, changes that of the running session */
	run("until [ \"$(stty size)\" = '33 91' ]; do sleep .02; done; echo $TERM; stty size",
	    "vt220\r\n33 91\r\n");
	/* and changes, for what is typed right behind it: rows are 0, which leaves them */
	static const char behind[] = "\xff\xfa\x1f\0\x84\0\0\xff\xf0stty size\r\0";
	size_t offset = session.length;
	shell_send(&session, behind, sizeof(behind) - 1);
	assert_true(shell_wait_output_from(&session, offset, "\r\n33 132\r\n# "));
}

static void the_environment_holds_nothing_but_term(void **test)
{
	static const char *const env[] = {"/usr/bin/env", NULL};

	(void)test;
	need_root();
	restart(env, RING);
	shell_open(&session);
	assert_true(shell_wait_end(&session));
	assert_string_equal(session.output + sizeof(BATCH) - 1, "TERM=dumb\r\n");
}

static void the_peers_address_stands_for_percent_h(void **test)
{
	static const char *const echo[] = {"echo", "-%h-", "100%", "%h", NULL};

	(void)test;
	need_root();
	restart(echo, RING);
	shell_open(&session);
	assert_true(shell_wait_end(&session));
	assert_string_equal(session.output + sizeof(BATCH) - 1, "-192.0.2.99- 100% 192.0.2.99\r\n");
}

static void a_login_that_cannot_run_says_so(void **test)
{
	static const char *const nothing[] = {"/nonexistent/login", NULL};

	(void)test;
	need_root();
	restart(nothing, RING);
	shell_open(&session);
	assert_true(shell_wait_end(&session));
	assert_non_null(strstr(session.output, "calmd: cannot run /nonexistent/login: "
	                                       "No such file or directory\r\n"));
}

/* Compares the output with what seq(1) prints, from its first line on. */
static void expect_seq(unsigned last)
{
	char *expected = malloc((size_t)last * 9);
	size_t length = 0;

	assert_non_null(expected);
	for (unsigned i = 1; i <= last; i++)
		length += (size_t)sprintf(expected + length, "%u\r\n", i);
	char *at = strstr(session.output + sizeof(BATCH) - 1, "\r\n1\r\n");
	assert_non_null(at);
	at += 2;
	assert_int_equal((size_t)(session.output + session.length - at), length);
	assert_memory_equal(at, expected, length);
	free(expected);
}

static void no_byte_is_lost_at_logout(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	shell_send(&session, "seq 1 200000; exit\r\n", 20);
	assert_true(shell_wait_end(&session));
	expect_seq(200000);
}

static void no_byte_is_lost_through_the_smallest_ring(void **test)
{
	(void)test;
	need_root();
	restart(sh, RING_SIZE_MIN);
	open_at_prompt();
	shell_send(&session, "seq 1 20000; exit\r\n", 19);
	assert_true(shell_wait_end(&session));
	expect_seq(20000);
}

static void no_byte_is_lost_when_the_client_reads_after_the_end(void **test)
{
	(void)test;
	need_root();
	restart(sh, 2 * RING);
	open_at_prompt();
	session.reading = false;
	shell_send(&session, "seq 1 9000; exit\r\n", 18);
	assert_true(shell_wait_end(&session));
	session.reading = true;
	shell_step(&session, 0);
	expect_seq(9000);
}

static void fin_before_the_session_gives_all_output_and_an_end(void **test)
{
	(void)test;
	need_root();
	shell_open(&session);
	shell_type(&session, "seq 1 5000\nexit\n");
	shell_fin(&session);
	assert_true(shell_wait_end(&session));
	assert_non_null(strstr(session.output, "\r\n4999\r\n5000\r\n"));
}

static void fin_is_end_of_file_to_the_session(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	shell_type(&session, "echo t''wo\n");
	shell_fin(&session);
	assert_true(shell_wait_end(&session));
	assert_non_null(strstr(session.output, "\r\ntwo\r\n"));
}

static void fin_behind_an_unfinished_line_hands_the_line_over(void **test)
{
	static const char *const cat[] = {"/bin/sh", "-c", "stty -echo; cat; echo behind", NULL};

	(void)test;
	need_root();
	restart(cat, RING);
	shell_open(&session);
	shell_type(&session, "no newline");
	shell_fin(&session);
	assert_true(shell_wait_end(&session));
	assert_non_null(strstr(session.output, "no newlinebehind\r\n"));
}

/* Typed while the terminal is in canonical mode, end-of-file is lost to a reader in raw mode. */
static void fin_reaches_a_program_that_left_canonical_mode(void **test)
{
	static const char *const raw[] = {"/bin/sh", "-c",
	                                  "sleep 0.5; stty raw; head -c 2 | od -An -tx1", NULL};

	(void)test;
	need_root();
	restart(raw, RING);
	shell_open(&session);
	shell_fin(&session);
	assert_true(shell_wait_end(&session));
	assert_non_null(strstr(session.output, "04"));
}

static void a_background_process_does_not_hold_the_connection(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	shell_type(&session, "sleep 1000 & exit\r\n");
	assert_true(shell_wait_end(&session));
}

static void a_workers_death_hangs_the_session_up(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	pid_t pid = session_pid("$$");
	assert_false(shell_process_gone(pid));
	kill(session.worker, SIGKILL);
	assert_true(shell_wait(&session, is_gone, &pid));
}

static void a_reset_hangs_the_session_up(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	pid_t pid = session_pid("$$");
	atomic_store(&session.ring.master->reset_reason, RING_RESET_PEER);
	shell_ring(&session);
	assert_true(shell_wait(&session, is_gone, &pid));
	int status;
	assert_int_equal(waitpid(session.worker, &status, 0), session.worker);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(atomic_load(&session.ring.worker->tx_fin), 0);
	session.worker = 0;
}

static void terminate(void)
{
	assert_int_equal(
		message_send(session.worker_channel, MESSAGE_TERMINATE, NULL, 0, NULL, 0, 0), 0);
}

static void terminate_hangs_up_and_delivers_the_last_words(void **test)
{
	static const char *const last[] = {
		"/bin/sh", "-c", "trap 'echo bye; exit' HUP; echo ready; while :; do sleep 1; done",
		NULL};

	(void)test;
	need_root();
	restart(last, RING);
	shell_open(&session);
	assert_true(shell_wait_output(&session, "ready\r\n"));
	terminate();
	assert_true(shell_wait_end(&session));
	assert_non_null(strstr(session.output, "bye\r\n"));
}

static void worker_exits_with(int expected)
{
	int status;

	assert_int_equal(waitpid(session.worker, &status, 0), session.worker);
	session.worker = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
}

static void an_idle_worker_ends_when_it_is_told(void **test)
{
	(void)test;
	need_root();
	terminate();
	worker_exits_with(0);
}

static void an_idle_worker_ends_with_its_master(void **test)
{
	(void)test;
	need_root();
	shutdown(session.master_channel, SHUT_RDWR);
	worker_exits_with(0);
}

static void a_worker_ends_when_nobody_could_bring_the_daemon_back(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	pid_t pid = session_pid("$$");
	shutdown(session.worker_channel, SHUT_RDWR);
	worker_exits_with(0);
	assert_true(shell_wait(&session, is_gone, &pid));
}

static void a_ring_that_cannot_be_ends_the_worker(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	atomic_store(&session.ring.master->rx_head, session.rx_head + RING + 1);
	shell_ring(&session);
	worker_exits_with(1);
	shell_step(&session, 0);
	assert_non_null(strstr(session.log, "cannot be"));
}

static void an_acknowledgement_of_what_was_never_sent_ends_the_worker(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	atomic_store(&session.ring.master->tx_tail, session.tx_tail + 1);
	shell_send(&session, "x", 1);
	worker_exits_with(1);
}

static void a_message_that_the_master_may_not_send_ends_the_worker(void **test)
{
	(void)test;
	need_root();
	message_send(session.master_channel, MESSAGE_TERMINATE, NULL, 0, NULL, 0, 0);
	worker_exits_with(1);
	shell_step(&session, 0);
	assert_non_null(strstr(session.log, "master sent terminate"));
}

static void a_repeated_open_does_no_harm(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	shell_open(&session);
	run("echo fi''ne", "fine\r\n");
}

static void a_dead_opener_is_explained_to_the_client(void **test)
{
	(void)test;
	need_root();
	kill(session.opener, SIGKILL);
	waitpid(session.opener, NULL, 0);
	session.opener = 0;
	shell_open(&session);
	assert_true(shell_wait_end(&session));
	assert_non_null(strstr(session.output, "calmd: no session: "));
}

static void erase_and_kill_as_first_bytes_do_no_harm(void **test)
{
	(void)test;
	need_root();
	shell_open(&session);
	shell_send(&session, "\xff\xf7\xff\xf8\xff\xf4\xff\xf5\xff\xf3", 10);
	shell_send(&session, REFUSALS, sizeof(REFUSALS) - 1);
	assert_true(shell_wait_output(&session, "# "));
	run("echo fi''ne", "fine\r\n");
}

static void erase_and_kill_edit_the_line(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	shell_type(&session, "rubbish\xff\xf8" /* EL */);
	run("echo gox\xff\xf7od", "good\r\n");
}

/* A process that does not read and is in the foreground for sure when it says so. */
static void start_sleep(size_t offset)
{
	shell_type(&session, "sh -c 'echo st\"\"arted; exec sleep 1000'\r\n");
	assert_true(shell_wait_output_from(&session, offset, "\r\nstarted\r\n"));
}

static void interrupt_process_interrupts(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	start_sleep(session.length);
	size_t offset = session.length;
	shell_send(&session, "\xff\xf4", 2);
	assert_true(shell_wait_output_from(&session, offset, "# "));
	run("echo fi''ne", "fine\r\n");
}

static bool pty_is_full(struct shell_session *s, void *argument)
{
	uint64_t *last = argument;
	uint64_t tail = atomic_load(&s->ring.worker->rx_tail);
	bool stands = tail == *last && s->rx_head - tail > 4096;

	*last = tail;
	return stands;
}

/* Asks from time to time: a shell that is interrupted may throw away a line that it has read. */
static bool is_alive(struct shell_session *s, void *argument)
{
	int64_t *next = argument;

	if (memmem(s->output, s->length, "alive\r\n", 7) != NULL)
		return true;
	if (shell_now() >= *next) {
		shell_type(s, "echo al''ive\r\n");
		*next = shell_now() + 1000;
	}
	return false;
}

/* A DM among the data; the worker's own, behind its IAC, says that output was thrown away. */
static bool has_stray_data_mark(const struct shell_session *s)
{
	for (size_t i = 0; i < s->length; i++) {
		if ((uint8_t)s->output[i] == 0xf2 && (i == 0 || (uint8_t)s->output[i - 1] != 0xff))
			return true;
	}
	return false;
}

/* The client's urgent pointer stands BEHIND its IAC IP IAC DM. */
static void synch_with_pointer(uint64_t behind)
{
	static char rubbish[RING];

	open_at_prompt();
	start_sleep(session.length);
	memset(rubbish, 'x', sizeof(rubbish));
	for (size_t i = 79; i < sizeof(rubbish); i += 80)
		rubbish[i] = '\n';
	/* More than the pty's buffers hold, so that the rest stays in the ring. */
	shell_send(&session, rubbish, sizeof(rubbish) - 16);
	uint64_t tail = 0;
	assert_true(shell_wait(&session, pty_is_full, &tail));
	shell_urgent(&session, shell_offset(&session) + behind);
	shell_send(&session, "\xff\xf4\xff\xf2", 4); /* IP, DM */
	int64_t next = 0;
	assert_true(shell_wait(&session, is_alive, &next));
	assert_false(has_stray_data_mark(&session));
}

static void synch_reaches_a_session_that_does_not_read(void **test)
{
	(void)test;
	need_root();
	synch_with_pointer(4);
}

/* RFC 1122, 4.2.2.4: the pointer names the last urgent octet, not the one behind it. */
static void synch_from_a_client_of_rfc_1122_is_the_same(void **test)
{
	(void)test;
	need_root();
	synch_with_pointer(3);
}

static void a_data_mark_that_is_not_urgent_is_ignored(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	run("echo fi''\xff\xf2ne", "fine\r\n");
}

static bool urgent_is_published(struct shell_session *s, void *argument)
{
	(void)argument;
	return atomic_load(&s->ring.worker->tx_urgent) != RING_NO_URGENT;
}

static void abort_output_marks_dm_as_urgent(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	shell_type(&session, "yes\r\n");
	assert_true(shell_wait_output(&session, "\r\ny\r\ny\r\n"));
	shell_send(&session, "\xff\xf5", 2);
	assert_true(shell_wait(&session, urgent_is_published, NULL));
	uint64_t urgent = atomic_load(&session.ring.worker->tx_urgent);
	while (session.length < urgent)
		shell_step(&session, 10);
	assert_memory_equal(session.output + urgent - 2, "\xff\xf2", 2);
}

static unsigned count(const char *text)
{
	unsigned n = 0;
	const char *at = session.output;

	while ((at = memmem(at, (size_t)(session.output + session.length - at), text,
	                    strlen(text))) != NULL) {
		n++;
		at += strlen(text);
	}
	return n;
}

static void answers_to_are_you_there_coalesce(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	session.reading = false;
	for (int i = 0; i < 20000; i++)
		shell_send(&session, "\xff\xf6", 2);
	session.reading = true;
	run("echo fi''ne", "fine\r\n");
	assert_in_range(count("[calmd: yes]\r\n"), 1, 10); /* one each time the ring is empty */
}

static void a_client_that_does_not_read_is_not_read_either(void **test)
{
	(void)test;
	need_root();
	restart(sh, RING_SIZE_MIN);
	open_at_prompt();
	session.reading = false;
	/* Each is to be refused, until there is no room for another refusal. */
	for (uint64_t sent = 0; sent < 3 * RING_SIZE_MIN; sent += 3) {
		if (session.rx_head - atomic_load(&session.ring.worker->rx_tail) + 3 >
		    RING_SIZE_MIN)
			break;
		shell_send(&session, "\xff\xfb\x26", 3);
		shell_step(&session, 0);
	}
	assert_true(atomic_load(&session.ring.worker->tx_head) - session.tx_tail <= RING_SIZE_MIN);
	session.reading = true;
	run("echo fi''ne", "fine\r\n");
}

static bool is_past(struct shell_session *s, void *argument)
{
	(void)s;
	return shell_now() > *(int64_t *)argument;
}

/* As many bytes of the send ring as its memory has pages for. */
static size_t ring_memory(void)
{
	unsigned char resident[RING / RING_PAGE];
	size_t bytes = 0;

	assert_int_equal(mincore(session.ring.tx, RING, resident), 0);
	for (size_t i = 0; i < RING / RING_PAGE; i++)
		bytes += (resident[i] & 1) * RING_PAGE;
	return bytes;
}

static bool ring_is_small(struct shell_session *s, void *argument)
{
	(void)s;
	(void)argument;
	return ring_memory() <= 2 * RING_PAGE;
}

static void an_idle_session_gives_back_the_memory_of_its_output(void **test)
{
	(void)test;
	need_root();
	open_at_prompt();
	run("head -c 300000 /dev/zero | tr '\\0' x; echo; echo fi''ne", "fine\r\n");
	assert_true(shell_wait(&session, ring_is_small, NULL));
	run("head -c 3000 /dev/zero | tr '\\0' y; echo; echo fi''ne", "fine\r\n");
	assert_true(strstr(session.output, "yyyyyyyy") != NULL);
}

static bool limit_is_reached(struct shell_session *s, void *argument)
{
	(void)argument;
	return atomic_load(&s->ring.worker->tx_head) + 2048 >
	       atomic_load(&s->ring.master->tx_limit);
}

static void output_is_read_no_further_than_the_master_wants(void **test)
{
	int64_t later;
	uint64_t limit;

	(void)test;
	need_root();
	open_at_prompt();
	session.reading = false;
	limit = session.tx_tail + 20000;
	atomic_store(&session.ring.master->tx_limit, limit);
	shell_type(&session, "head -c 100000 /dev/zero | tr '\\0' x; echo; echo fi''ne\r");
	assert_true(shell_wait(&session, limit_is_reached, NULL));
	later = shell_now() + 100;
	assert_true(shell_wait(&session, is_past, &later));
	assert_true(atomic_load(&session.ring.worker->tx_head) <= limit);
	/* 0: what was reached may even be drawn back */
	atomic_store(&session.ring.master->tx_limit, 0);
	shell_ring(&session);
	atomic_store(&session.ring.master->tx_limit, UINT64_MAX);
	session.reading = true;
	shell_ring(&session);
	assert_true(shell_wait_output(&session, "fine\r\n"));
}

/* Microseconds of processor time that the worker has used. */
static int64_t worker_time(void)
{
	clockid_t clock;
	struct timespec used;

	assert_int_equal(clock_getcpuclockid(session.worker, &clock), 0);
	assert_int_equal(clock_gettime(clock, &used), 0);
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* Every timer that a session begins with has gone off by then. */
static void a_quiet_session_uses_no_processor(void **test)
{
	(void)test;
	need_root();
	int64_t later = shell_now() + 3300;
	open_at_prompt();
	assert_true(shell_wait(&session, is_past, &later));
	int64_t before = worker_time();
	later += 400;
	assert_true(shell_wait(&session, is_past, &later));
	assert_in_range(worker_time() - before, 0, 5000);
}

/* Its deadline goes off when the session has ended already, but not all of it is delivered. */
static void a_deadline_after_the_end_uses_no_processor(void **test)
{
	static const char *const seq[] = {"/bin/sh", "-c", "echo; exec seq 1 11500", NULL};

	(void)test;
	need_root();
	restart(seq, RING);
	session.reading = false;
	session.idle_timeout_ms = 1000; /* the first half of it is until the warning */
	int64_t later = shell_now() + 800;
	shell_open(&session);
	shell_send(&session, REFUSALS, sizeof(REFUSALS) - 1);
	assert_true(shell_wait(&session, is_past, &later));
	int64_t before = worker_time();
	later += 300;
	assert_true(shell_wait(&session, is_past, &later));
	assert_in_range(worker_time() - before, 0, 20000);
	session.reading = true;
	assert_true(shell_wait_end(&session));
	expect_seq(11500);
}

/* A client that echoes by itself; NOPs, since they do not fill the terminal. */
static void more_input_than_one_turn_takes_is_read_without_being_told_again(void **test)
{
	static const char *const silent[] = {
		"/bin/sh", "-c", "stty raw -echo; echo ready; head -c 10 >/dev/null; echo got",
		NULL};
	static char typed[80000];

	(void)test;
	need_root();
	restart(silent, 16 * RING);
	shell_open(&session);
	shell_send(&session, "\xff\xfe\x01" REFUSALS, 3 + sizeof(REFUSALS) - 1);
	assert_true(shell_wait_output(&session, "ready"));
	for (size_t i = 0; i < sizeof(typed); i += 2)
		memcpy(typed + i, "\xff\xf1", 2);
	/* so that it finds all of it at once */
	kill(session.worker, SIGSTOP);
	for (int i = 0; i < 10; i++) {
		shell_send(&session, "x", 1);
		shell_send(&session, typed, sizeof(typed));
	}
	kill(session.worker, SIGCONT);
	assert_true(shell_wait_output(&session, "got"));
}

static bool all_is_taken(void)
{
	return atomic_load(&session.ring.worker->rx_tail) == session.rx_head;
}

/* Types until the terminal takes no more. */
static void type_until_it_is_full(void)
{
	static const char typed[8192] = "x";
	int64_t later;

	do {
		shell_send(&session, typed, sizeof(typed));
		for (later = shell_now() + 300; !all_is_taken() && shell_now() < later;)
			shell_step(&session, 10);
	} while (all_is_taken());
}

/* It has 3 s to answer. */
static void an_answer_behind_input_that_nobody_reads_is_one(void **test)
{
	static const char *const busy[] = {"/bin/sh", "-c",
	                                   "stty raw -echo; echo ready; exec sleep 1000", NULL};

	(void)test;
	need_root();
	restart(busy, RING);
	session.probe_ms = 1000;
	shell_open(&session);
	shell_send(&session, REFUSALS, sizeof(REFUSALS) - 1);
	assert_true(shell_wait_output(&session, "ready"));
	type_until_it_is_full();
	assert_true(shell_wait_output(&session, "\xff\xfd\x06"));
	shell_send(&session, "\xff\xfb\x06", 3);
	int64_t later = shell_now() + 3300;
	assert_true(shell_wait(&session, is_past, &later));
	assert_null(strstr(session.output, "goodbye"));
}

/* Sends DATA as BINARY, doubled where needed, and expects the same back. */
static void binary_data_passes_both_ways(void **test)
{
	static const char *const cat[] = {"/bin/sh", "-c", "stty raw -echo; echo ready; exec cat",
	                                  NULL};
	enum {
		SIZE = 1 << 20
	};
	uint8_t *data = malloc(SIZE), *wire = malloc(2 * SIZE);
	unsigned seed = 4711;
	size_t length = 0;

	(void)test;
	need_root();
	print_message("seed %u\n", seed);
	srand(seed);
	restart(cat, RING);
	shell_open(&session);
	shell_send(&session, REFUSALS "\xff\xfb\0\xff\xfd\0", sizeof(REFUSALS) - 1 + 6);
	assert_true(shell_wait_output(&session, "ready\n"));
	size_t offset = session.length;
	for (size_t i = 0; i < SIZE; i++) {
		/* Runs of ordinary bytes, with CR, LF, NUL and 255 thick in places. */
		data[i] = (uint8_t)(i / 4096 % 2 != 0 ? rand() : "\r\n\0\xff"[rand() % 4]);
		wire[length++] = data[i];
		if (data[i] == 255)
			wire[length++] = 255;
	}
	for (size_t at = 0; at < length; at += 30000)
		shell_send(&session, wire + at, length - at < 30000 ? length - at : 30000);
	int64_t end = shell_now() + SHELL_DEADLINE_MS;
	while (session.length < offset + length && shell_now() < end)
		shell_step(&session, 10);
	assert_int_equal(session.length - offset, length);
	assert_memory_equal(session.output + offset, wire, length);
	free(data);
	free(wire);
}

static void enter_is_one_line_however_it_is_sent(void **test)
{
	static const char *const cat[] = {"/bin/sh", "-c", "stty -echo; echo ready; exec cat -A",
	                                  NULL};

	(void)test;
	need_root();
	restart(cat, RING);
	shell_open(&session);
	shell_send(&session, REFUSALS, sizeof(REFUSALS) - 1);
	assert_true(shell_wait_output(&session, "ready\r\n"));
	shell_send(&session, "1\r\n2\r\0003\n4\r", 11);
	shell_fin(&session);
	assert_true(shell_wait_end(&session));
	assert_non_null(strstr(session.output, "ready\r\n1$\r\n2$\r\n3$\r\n4$\r\n"));
}

static void nothing_of_a_subnegotiation_reaches_the_session(void **test)
{
	static char body[8192];

	(void)test;
	need_root();
	open_at_prompt();
	memset(body, '\n', sizeof(body));
	shell_send(&session, "\xff\xfa\x26", 3);
	for (int i = 0; i < 32; i++)
		shell_send(&session, body, sizeof(body));
	shell_send(&session, "\xff\xf0", 2);
	size_t offset = session.length;
	shell_type(&session, "echo fi''ne\r\n");
	assert_true(shell_wait_output_from(&session, offset, "\r\nfine\r\n# "));
	assert_string_equal(session.output + offset, "echo fi''ne\r\nfine\r\n# ");
}

#define SESSION_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION_TEST(a_client_that_negotiates_nothing_has_its_prompt_within_a_second),
		SESSION_TEST(a_client_that_answers_has_its_prompt_without_waiting),
		SESSION_TEST(terminal_type_and_window_size_reach_the_session),
		SESSION_TEST(the_environment_holds_nothing_but_term),
		SESSION_TEST(the_peers_address_stands_for_percent_h),
		SESSION_TEST(a_login_that_cannot_run_says_so),
		SESSION_TEST(no_byte_is_lost_at_logout),
		SESSION_TEST(no_byte_is_lost_through_the_smallest_ring),
		SESSION_TEST(no_byte_is_lost_when_the_client_reads_after_the_end),
		SESSION_TEST(fin_before_the_session_gives_all_output_and_an_end),
		SESSION_TEST(fin_is_end_of_file_to_the_session),
		SESSION_TEST(fin_behind_an_unfinished_line_hands_the_line_over),
		SESSION_TEST(fin_reaches_a_program_that_left_canonical_mode),
		SESSION_TEST(a_background_process_does_not_hold_the_connection),
		SESSION_TEST(a_workers_death_hangs_the_session_up),
		SESSION_TEST(a_reset_hangs_the_session_up),
		SESSION_TEST(terminate_hangs_up_and_delivers_the_last_words),
		SESSION_TEST(an_idle_worker_ends_when_it_is_told),
		SESSION_TEST(an_idle_worker_ends_with_its_master),
		SESSION_TEST(a_worker_ends_when_nobody_could_bring_the_daemon_back),
		SESSION_TEST(a_ring_that_cannot_be_ends_the_worker),
		SESSION_TEST(an_acknowledgement_of_what_was_never_sent_ends_the_worker),
		SESSION_TEST(a_message_that_the_master_may_not_send_ends_the_worker),
		SESSION_TEST(a_repeated_open_does_no_harm),
		SESSION_TEST(a_dead_opener_is_explained_to_the_client),
		SESSION_TEST(erase_and_kill_as_first_bytes_do_no_harm),
		SESSION_TEST(erase_and_kill_edit_the_line),
		SESSION_TEST(interrupt_process_interrupts),
		SESSION_TEST(synch_reaches_a_session_that_does_not_read),
		SESSION_TEST(synch_from_a_client_of_rfc_1122_is_the_same),
		SESSION_TEST(a_data_mark_that_is_not_urgent_is_ignored),
		SESSION_TEST(abort_output_marks_dm_as_urgent),
		SESSION_TEST(answers_to_are_you_there_coalesce),
		SESSION_TEST(a_client_that_does_not_read_is_not_read_either),
		SESSION_TEST(an_idle_session_gives_back_the_memory_of_its_output),
		SESSION_TEST(output_is_read_no_further_than_the_master_wants),
		SESSION_TEST(a_quiet_session_uses_no_processor),
		SESSION_TEST(a_deadline_after_the_end_uses_no_processor),
		SESSION_TEST(more_input_than_one_turn_takes_is_read_without_being_told_again),
		SESSION_TEST(an_answer_behind_input_that_nobody_reads_is_one),
		SESSION_TEST(binary_data_passes_both_ways),
		SESSION_TEST(enter_is_one_line_however_it_is_sent),
		SESSION_TEST(nothing_of_a_subnegotiation_reaches_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
