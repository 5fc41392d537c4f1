/*
 * daemon/channel.c: the supervisor never waits for a child, loses no message that
 * a slow child will read, and ends one that breaks the rules.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/channel.h"

static struct {
	struct event_base *base;
	struct channel channel;
	int child; /* its end */
	int messages;
	uint32_t last_type;
	char why[128];
} test;

static void on_message(struct channel *channel, struct message *message)
{
	(void)channel;
	test.messages++;
	test.last_type = message->header.type;
	message_discard(message);
}

static void on_violation(struct channel *channel, const char *why)
{
	snprintf(test.why, sizeof(test.why), "%s", why);
	channel_close(channel);
}

static const struct channel_handler handler = {.message = on_message, .violation = on_violation};

static int open_master_channel(void **state)
{
	int pair[2];

	(void)state;
	memset(&test, 0, sizeof(test));
	test.base = event_base_new();
	if (test.base == NULL || message_channel(pair) < 0)
		return -1;
	test.child = pair[1];
	return channel_open(&test.channel, test.base, pair[0], ROLE_MASTER, &handler);
}

static int close_master_channel(void **state)
{
	(void)state;
	channel_close(&test.channel);
	event_base_free(test.base);
	close(test.child);
	return 0;
}

static void turn(void)
{
	event_base_loop(test.base, EVLOOP_NONBLOCK);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void what_the_child_may_say_is_handled(void **state)
{
	(void)state;
	message_send(test.child, MESSAGE_READY, NULL, 0, NULL, 0, 0);
	turn();
	assert_int_equal(test.messages, 1);
	assert_int_equal(test.last_type, MESSAGE_READY);
	assert_string_equal(test.why, "");
}

static void what_it_may_not_say_now_ends_it(void **state)
{
	const struct message_worker worker = {.worker = 1};

	(void)state;
	/* It has not said that it is ready. */
	message_send(test.child, MESSAGE_WORKER_TAKEN, &worker, sizeof(worker), NULL, 0, 0);
	turn();
	assert_int_equal(test.messages, 0);
	assert_string_equal(test.why, "a message it may not send now: worker_taken");
	assert_int_equal(test.channel.fd, -1);
}

static void a_malformed_message_ends_it(void **state)
{
	(void)state;
	assert_int_equal(send(test.child, "x", 1, 0), 1);
	turn();
	assert_string_equal(test.why, "a malformed message");
}

static void messages_behind_a_violation_are_not_handled(void **state)
{
	(void)state;
	message_send(test.child, MESSAGE_TERMINATE, NULL, 0, NULL, 0, 0);
	message_send(test.child, MESSAGE_READY, NULL, 0, NULL, 0, 0);
	turn();
	assert_int_equal(test.messages, 0);
}

static void a_child_that_hangs_up_is_quiet_news(void **state)
{
	(void)state;
	close(test.child);
	test.child = open("/dev/null", O_RDONLY);
	turn();
	channel_send(&test.channel, MESSAGE_TERMINATE, NULL, 0, NULL, 0);
	turn();
	assert_string_equal(test.why, "");
}

/* Number COUNT messages, one descriptor each. */
static void send_many(uint64_t count)
{
	int fds[2] = {test.child, test.child};

	for (uint64_t i = 0; i < count; i++) {
		const struct message_worker worker = {.worker = i};
		channel_send(&test.channel, MESSAGE_WORKER_ADD, &worker, sizeof(worker), fds, 2);
	}
}

static void a_slow_child_gets_every_message_in_order(void **state)
{
	static struct message message;
	const struct message_worker *worker = (const void *)message.payload;
	const uint64_t count = 2000;

	(void)state;
	/* Passed descriptors count while they are under way, so not too many. */
	for (uint64_t i = 0; i < count; i++) {
		const struct message_worker sent = {.worker = i};
		channel_send(&test.channel, MESSAGE_WORKER_GONE, &sent, sizeof(sent), NULL, 0);
	}
	assert_true(test.channel.waiting > 0);
	for (uint64_t i = 0; i < count; i++) {
		turn();
		assert_int_equal(message_receive(test.child, &message, MSG_DONTWAIT), 1);
		assert_int_equal(worker->worker, i);
	}
	assert_int_equal(test.channel.waiting, 0);
	assert_string_equal(test.why, "");
}

static void descriptors_wait_too_and_are_not_lost(void **state)
{
	static struct message message;
	const struct message_worker *worker = (const void *)message.payload;
	int before = open_descriptors();

	(void)state;
	while (message_send(test.channel.fd, MESSAGE_TERMINATE, NULL, 0, NULL, 0, MSG_DONTWAIT) ==
	       0)
		;
	send_many(3);
	assert_int_equal(test.channel.waiting, 3);
	assert_int_equal(open_descriptors(), before + 6);
	while (message_receive(test.child, &message, MSG_DONTWAIT) == 1 &&
	       message.header.type == MESSAGE_TERMINATE)
		turn();
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(message.header.type, MESSAGE_WORKER_ADD);
		assert_int_equal(message.header.fds, 2);
		assert_int_equal(worker->worker, i);
		message_discard(&message);
		turn();
		message_receive(test.child, &message, MSG_DONTWAIT);
	}
	assert_int_equal(open_descriptors(), before);
}

static void closing_frees_what_waits(void **state)
{
	int before = open_descriptors();

	(void)state;
	while (message_send(test.channel.fd, MESSAGE_TERMINATE, NULL, 0, NULL, 0, MSG_DONTWAIT) ==
	       0)
		;
	send_many(5);
	assert_int_equal(test.channel.waiting, 5);
	channel_close(&test.channel);
	assert_int_equal(open_descriptors(), before - 1);
	channel_send(&test.channel, MESSAGE_TERMINATE, NULL, 0, NULL, 0); /* no harm */
}

static void a_child_that_never_reads_is_ended(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * CHANNEL_QUEUE_MAX && test.why[0] == '\0'; i++)
		channel_send(&test.channel, MESSAGE_TERMINATE, NULL, 0, NULL, 0);
	assert_string_equal(test.why, "too many messages that it does not read");
}

#define CHANNEL_TEST(name)                                                                         \
	cmocka_unit_test_setup_teardown(name, open_master_channel, close_master_channel)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHANNEL_TEST(what_the_child_may_say_is_handled),
		CHANNEL_TEST(what_it_may_not_say_now_ends_it),
		CHANNEL_TEST(a_malformed_message_ends_it),
		CHANNEL_TEST(messages_behind_a_violation_are_not_handled),
		CHANNEL_TEST(a_child_that_hangs_up_is_quiet_news),
		CHANNEL_TEST(a_slow_child_gets_every_message_in_order),
		CHANNEL_TEST(descriptors_wait_too_and_are_not_lost),
		CHANNEL_TEST(closing_frees_what_waits),
		CHANNEL_TEST(a_child_that_never_reads_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
