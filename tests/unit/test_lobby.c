/*
 * daemon/lobby.c: what was put in comes out again, with its descriptors, whatever
 * became of the process that put it in; and what counts no more takes no memory.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/lobby.h"

#define KEYS  12u
#define KINDS 3u

/* What a taken up lobby had under each key: the content of its record's descriptor, 0 for none. */
struct found {
	uint64_t value[KEYS];
	unsigned records;
};

static uint32_t kind_of(unsigned key)
{
	return key % KINDS;
}

static uint64_t number_of(unsigned key)
{
	return UINT64_MAX - key / KINDS; /* the whole range is used */
}

static int file_with(uint64_t value)
{
	int fd = memfd_create("value", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &value, sizeof(value), 0), sizeof(value));
	return fd;
}

static int put_value(struct lobby *lobby, unsigned key, uint64_t value)
{
	struct lobby_record record = {
		.kind = kind_of(key),
		.number = number_of(key),
		.data = &value,
		.length = sizeof(value),
		.fds = {file_with(value), file_with(~value)},
		.fd_count = 2,
	};
	int result = lobby_put(lobby, &record);

	close(record.fds[0]);
	close(record.fds[1]);
	return result;
}

static void drop_value(struct lobby *lobby, unsigned key)
{
	lobby_drop(lobby, kind_of(key), number_of(key));
}

static uint64_t content(int fd)
{
	uint64_t value = 0;

	assert_int_equal(pread(fd, &value, sizeof(value), 0), sizeof(value));
	close(fd);
	return value;
}

static void on_record(const struct lobby_record *record, void *arg)
{
	struct found *found = arg;
	uint64_t value;
	unsigned key = 0;

	while (key < KEYS && (kind_of(key) != record->kind || number_of(key) != record->number))
		key++;
	assert_true(key < KEYS);
	assert_int_equal(record->length, sizeof(value));
	memcpy(&value, record->data, sizeof(value));
	assert_int_equal(record->fd_count, 2);
	assert_true(content(record->fds[0]) == value);
	assert_true(content(record->fds[1]) == ~value);
	assert_int_equal(found->value[key], 0); /* each once */
	found->value[key] = value;
	found->records++;
}

/* The same lobby, as another process has it. */
static struct found take_up(struct lobby *next, const struct lobby *last)
{
	struct found found = {0};

	assert_int_equal(lobby_take_up(next, dup(last->in), dup(last->out), on_record, &found), 0);
	assert_int_equal(next->kept, found.records);
	assert_int_equal(next->stale, 0);
	return found;
}

/* Records that are in the queue itself. */
static unsigned queue_length(const struct lobby *lobby)
{
	unsigned length = 0;
	int offset = 0;
	char bytes[2048];
	ssize_t got;

	assert_int_equal(setsockopt(lobby->out, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)),
	                 0);
	while ((got = recv(lobby->out, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT)) > 0)
		length++;
	offset = -1;
	assert_int_equal(setsockopt(lobby->out, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)),
	                 0);
	return length;
}

static int open_lobby(void **state)
{
	static struct lobby lobby;

	*state = &lobby;
	return lobby_open(&lobby);
}

static int close_lobby(void **state)
{
	lobby_close(*state);
	return 0;
}

static void what_was_put_in_is_there_for_the_next(void **state)
{
	struct lobby *lobby = *state, next;

	for (unsigned key = 0; key < KEYS; key++)
		assert_int_equal(put_value(lobby, key, 100 + key), 0);
	struct found found = take_up(&next, lobby);
	for (unsigned key = 0; key < KEYS; key++)
		assert_int_equal(found.value[key], 100 + key);
	/* and for the one after that */
	struct lobby third;
	found = take_up(&third, &next);
	assert_int_equal(found.records, KEYS);
	lobby_close(&third);
	lobby_close(&next);
}

static void the_latest_under_a_key_counts(void **state)
{
	struct lobby *lobby = *state, next;

	put_value(lobby, 0, 1);
	put_value(lobby, 1, 2);
	put_value(lobby, 0, 3);
	struct found found = take_up(&next, lobby);
	assert_int_equal(found.records, 2);
	assert_int_equal(found.value[0], 3);
	assert_int_equal(found.value[1], 2);
	assert_int_equal(queue_length(&next), 2);
	lobby_close(&next);
}

static void what_was_dropped_is_gone(void **state)
{
	struct lobby *lobby = *state, next;

	put_value(lobby, 0, 1);
	put_value(lobby, 1, 2);
	drop_value(lobby, 0);
	drop_value(lobby, 5); /* was never there */
	struct found found = take_up(&next, lobby);
	assert_int_equal(found.records, 1);
	assert_int_equal(found.value[1], 2);
	assert_int_equal(queue_length(&next), 1);
	/* and can come back */
	put_value(&next, 0, 7);
	struct lobby third;
	found = take_up(&third, &next);
	assert_int_equal(found.value[0], 7);
	lobby_close(&third);
	lobby_close(&next);
}

static void the_queue_stays_short(void **state)
{
	struct lobby *lobby = *state;

	for (uint64_t round = 1; round <= 2000; round++) {
		put_value(lobby, (unsigned)round % KEYS, round);
		if (round % 3 == 0)
			drop_value(lobby, (unsigned)(round / 3) % KEYS);
		assert_true(queue_length(lobby) <= lobby->kept + lobby->stale);
		assert_true(lobby->stale <= lobby->kept + 64);
	}
}

static void a_descriptor_that_counts_no_more_is_closed(void **state)
{
	struct lobby *lobby = *state;
	int pair[2];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct lobby_record record = {.kind = 9, .fds = {pair[0]}, .fd_count = 1};
	assert_int_equal(lobby_put(lobby, &record), 0);
	close(pair[0]);
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN); /* it is open, though nobody has it */
	lobby_drop(lobby, 9, 0);
	for (uint64_t round = 0; round < 100; round++)
		put_value(lobby, 0, round + 1);
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
	close(pair[1]);
}

static void with_the_lobby_goes_what_is_in_it(void **state)
{
	struct lobby lobby;
	int pair[2];
	char byte;

	(void)state;
	assert_int_equal(lobby_open(&lobby), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct lobby_record record = {.fds = {pair[0]}, .fd_count = 1};
	assert_int_equal(lobby_put(&lobby, &record), 0);
	close(pair[0]);
	lobby_close(&lobby);
	assert_int_equal(recv(pair[1], &byte, 1, 0), 0);
	close(pair[1]);
}

static void too_much_is_refused(void **state)
{
	struct lobby *lobby = *state;
	static const char data[LOBBY_DATA_MAX + 1];
	struct lobby_record record = {.data = data, .length = sizeof(data)};

	assert_int_equal(lobby_put(lobby, &record), -1);
	record.length = 0;
	record.fd_count = LOBBY_FDS_MAX + 1;
	assert_int_equal(lobby_put(lobby, &record), -1);
	record.fd_count = 0;
	record.kind = UINT32_MAX;
	assert_int_equal(lobby_put(lobby, &record), -1);
	assert_int_equal(queue_length(lobby), 0);
}

static void something_else_is_not_taken_up(void **state)
{
	struct lobby *lobby = *state, next;
	struct found found = {0};

	put_value(lobby, 0, 1);
	assert_int_equal(send(lobby->in, "hello", 5, 0), 5);
	assert_int_equal(lobby_take_up(&next, dup(lobby->in), dup(lobby->out), on_record, &found),
	                 -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(next.in, -1);
	assert_int_equal(queue_length(lobby), 0);
}

static void without_a_lobby_nothing_happens(void **state)
{
	struct lobby none;

	(void)state;
	lobby_none(&none);
	assert_int_equal(put_value(&none, 0, 1), 0);
	drop_value(&none, 0);
	lobby_close(&none);
}

/* ---- killed at any moment ---- */

/* What the process that is killed says it has done, in memory shared with the test. */
struct diary {
	_Atomic uint64_t done[KEYS];
	_Atomic unsigned key; /* of what is being done */
	_Atomic uint64_t doing;
	_Atomic unsigned steps;
};

/* Puts in and drops until it is killed. */
static void work(struct lobby *lobby, struct diary *diary, struct random random)
{
	for (uint64_t value = diary->steps + 1;; value++) {
		unsigned key = (unsigned)(random_next(&random) % KEYS);
		bool drop = random_next(&random) % 3 == 0;

		diary->doing = drop ? 0 : value;
		diary->key = key;
		if (drop)
			drop_value(lobby, key);
		else
			put_value(lobby, key, value);
		diary->done[key] = diary->doing;
		diary->key = KEYS;
		diary->steps++;
	}
}

static void kill_one(struct lobby *lobby, struct diary *diary, struct random *random)
{
	unsigned begin = diary->steps, steps = (unsigned)(random_next(random) % 200);
	uint64_t spin = random_next(random) % 20000;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work(lobby, diary, *random);
	}
	while (diary->steps - begin < steps)
		sched_yield();
	for (volatile uint64_t i = 0; i < spin; i++)
		;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_process_that_is_killed_at_any_moment_leaves_all_of_it(void **state)
{
	struct diary *diary = mmap(NULL, sizeof(*diary), PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct lobby pair[2], *lobby = &pair[0], *next = &pair[1];
	struct random random = random_start();

	assert_true(diary != MAP_FAILED);
	diary->key = KEYS;
	take_up(lobby, *state);
	for (int round = 0; round < 60; round++) {
		kill_one(lobby, diary, &random);
		struct found found = take_up(next, lobby);
		for (unsigned key = 0; key < KEYS; key++) {
			if (diary->key == key && found.value[key] == diary->doing)
				diary->done[key] = diary->doing;
			assert_int_equal(found.value[key], diary->done[key]);
		}
		diary->key = KEYS;
		assert_int_equal(queue_length(next), found.records);
		lobby_close(lobby);
		lobby = next;
		next = lobby == &pair[0] ? &pair[1] : &pair[0];
	}
	lobby_close(lobby);
	munmap(diary, sizeof(*diary));
}

#define with_lobby(test) cmocka_unit_test_setup_teardown(test, open_lobby, close_lobby)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_lobby(what_was_put_in_is_there_for_the_next),
		with_lobby(the_latest_under_a_key_counts),
		with_lobby(what_was_dropped_is_gone),
		with_lobby(the_queue_stays_short),
		with_lobby(a_descriptor_that_counts_no_more_is_closed),
		cmocka_unit_test(with_the_lobby_goes_what_is_in_it),
		with_lobby(too_much_is_refused),
		with_lobby(something_else_is_not_taken_up),
		cmocka_unit_test(without_a_lobby_nothing_happens),
		with_lobby(a_process_that_is_killed_at_any_moment_leaves_all_of_it),
	};

	return cmocka_run_group_tests_name("lobby", tests, NULL, NULL);
}
