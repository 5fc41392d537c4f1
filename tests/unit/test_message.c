/*
 * daemon/message.c: what is sent arrives whole, what is malformed does not, and
 * the table lets each process say what it may and nothing else.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/message.h"

static struct message message;

static int open_channel(void **state)
{
	static int pair[2];

	*state = pair;
	return message_channel(pair);
}

static int close_channel(void **state)
{
	int *pair = *state;

	close(pair[0]);
	close(pair[1]);
	return 0;
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void a_message_arrives_with_its_descriptors(void **state)
{
	const struct message_worker worker = {.worker = 7, .pid = 8, .rx_size = 9, .tx_size = 10};
	const int *pair = *state;
	struct stat sent, got;
	int fds[2] = {open("/dev/null", O_RDONLY), open("/dev/zero", O_RDONLY)};

	assert_int_equal(
		message_send(pair[0], MESSAGE_WORKER_ADD, &worker, sizeof(worker), fds, 2, 0), 0);
	assert_int_equal(message_receive(pair[1], &message, 0), 1);
	assert_int_equal(message.header.type, MESSAGE_WORKER_ADD);
	assert_int_equal(message.header.length, sizeof(worker));
	assert_memory_equal(message.payload, &worker, sizeof(worker));
	assert_int_equal(message.header.fds, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fstat(fds[i], &sent), 0);
		assert_int_equal(fstat(message.fd[i], &got), 0);
		assert_true(sent.st_rdev == got.st_rdev);
		assert_int_equal(fcntl(message.fd[i], F_GETFD), FD_CLOEXEC);
		close(fds[i]);
	}
	message_discard(&message);
}

static void an_empty_message_arrives(void **state)
{
	const int *pair = *state;

	assert_int_equal(message_send(pair[0], MESSAGE_TERMINATE, NULL, 0, NULL, 0, 0), 0);
	assert_int_equal(message_receive(pair[1], &message, 0), 1);
	assert_int_equal(message.header.type, MESSAGE_TERMINATE);
	assert_int_equal(message.header.length, 0);
	assert_int_equal(message.header.fds, 0);
}

static void the_largest_message_arrives_and_a_larger_one_is_refused(void **state)
{
	static uint8_t payload[MESSAGE_PAYLOAD_MAX + 1];
	const int *pair = *state;

	memset(payload, 0x5a, sizeof(payload));
	assert_int_equal(
		message_send(pair[0], MESSAGE_LOG, payload, MESSAGE_PAYLOAD_MAX, NULL, 0, 0), 0);
	assert_int_equal(message_receive(pair[1], &message, 0), 1);
	assert_memory_equal(message.payload, payload, MESSAGE_PAYLOAD_MAX);
	assert_int_equal(message_send(pair[0], MESSAGE_LOG, payload, sizeof(payload), NULL, 0, 0),
	                 -1);
	assert_int_equal(errno, EMSGSIZE);
	int fds[MESSAGE_FDS_MAX + 1] = {0};
	assert_int_equal(message_send(pair[0], MESSAGE_LOG, NULL, 0, fds, MESSAGE_FDS_MAX + 1, 0),
	                 -1);
	assert_int_equal(errno, EMSGSIZE);
}

static void nothing_there_is_eagain(void **state)
{
	const int *pair = *state;

	assert_int_equal(message_receive(pair[1], &message, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void a_full_channel_is_eagain(void **state)
{
	const int *pair = *state;
	int sent = 0;

	while (message_send(pair[0], MESSAGE_TERMINATE, NULL, 0, NULL, 0, MSG_DONTWAIT) == 0)
		sent++;
	assert_int_equal(errno, EAGAIN);
	assert_true(sent > 10);
}

static void the_other_end_gone_is_told_after_its_last_message(void **state)
{
	int *pair = *state;

	/* A message that the other end never reads must not hide what it said. */
	assert_int_equal(message_send(pair[1], MESSAGE_TERMINATE, NULL, 0, NULL, 0, 0), 0);
	assert_int_equal(message_send(pair[0], MESSAGE_READY, NULL, 0, NULL, 0, 0), 0);
	close(pair[0]);
	assert_int_equal(message_receive(pair[1], &message, 0), 1);
	assert_int_equal(message.header.type, MESSAGE_READY);
	assert_int_equal(message_receive(pair[1], &message, 0), 0);
	assert_int_equal(message_send(pair[1], MESSAGE_READY, NULL, 0, NULL, 0, 0), -1);
	assert_int_equal(errno, EPIPE);
	pair[0] = open("/dev/null", O_RDONLY);
}

/* Sends these bytes and descriptors as they are; the receiver must say EBADMSG. */
static void is_malformed(const int *pair, const void *bytes, size_t length, int descriptors)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct msghdr record = {.msg_iov = &part, .msg_iovlen = 1};
	int before = open_descriptors();

	if (descriptors > 0) {
		record.msg_control = control.bytes;
		record.msg_controllen = CMSG_SPACE((size_t)descriptors * sizeof(int));
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&record);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN((size_t)descriptors * sizeof(int));
		for (int i = 0; i < descriptors; i++)
			memcpy(CMSG_DATA(cmsg) + (size_t)i * sizeof(int), &(int){pair[0]},
			       sizeof(int));
	}
	assert_true(sendmsg(pair[0], &record, 0) == (ssize_t)length);
	assert_int_equal(message_receive(pair[1], &message, 0), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(open_descriptors(), before);
}

static void malformed_records_are_refused_and_leak_nothing(void **state)
{
	static uint8_t record[sizeof(struct message_header) + MESSAGE_PAYLOAD_MAX + 1];
	struct message_header header = {
		.version = MESSAGE_VERSION, .type = MESSAGE_READY, .length = 0, .fds = 0};
	const int *pair = *state;

	is_malformed(pair, &header, sizeof(header) - 1, 0);
	is_malformed(pair, &header, 1, 3);
	is_malformed(pair, &header, 0, 3); /* which the end of a channel looks like */
	is_malformed(pair, &header, 0, MESSAGE_FDS_MAX + 2);
	header.length = 1;
	is_malformed(pair, &header, sizeof(header), 0);
	header.length = 0;
	header.version++;
	is_malformed(pair, &header, sizeof(header), 2);
	header.version = MESSAGE_VERSION;
	header.fds = 1;
	is_malformed(pair, &header, sizeof(header), 0);
	is_malformed(pair, &header, sizeof(header), 2);
	header.fds = MESSAGE_FDS_MAX + 2;
	is_malformed(pair, &header, sizeof(header), MESSAGE_FDS_MAX + 2);
	header.fds = 0;
	is_malformed(pair, &header, sizeof(header), 1);
	header.length = MESSAGE_PAYLOAD_MAX + 1;
	memcpy(record, &header, sizeof(header));
	is_malformed(pair, record, sizeof(record), 0);
}

/* Whether a message of TYPE with LENGTH bytes and FDS descriptors is allowed. */
static bool may(enum role from, enum role to, unsigned phase, enum message_type type, size_t length,
                unsigned fds)
{
	message.header = (struct message_header){
		.version = MESSAGE_VERSION, .type = type, .length = (uint32_t)length, .fds = fds};
	return message_allowed(&message, from, to, phase);
}

static void a_request_is_allowed_in_its_phase_only(void **state)
{
	const size_t call = sizeof(struct message_call_port);
	const size_t session = sizeof(struct message_open_session);

	(void)state;
	assert_true(may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_PRIV_CALL_PORT, call, 0));
	assert_false(
		may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_START, MESSAGE_PRIV_CALL_PORT, call, 0));
	assert_true(
		may(ROLE_WORKER, ROLE_OPENER, PHASE_RUN, MESSAGE_PRIV_OPEN_SESSION, session, 0));
	assert_false(may(ROLE_WORKER, ROLE_OPENER, PHASE_SESSION, MESSAGE_PRIV_OPEN_SESSION,
	                 session, 0));
	assert_true(may(ROLE_WORKER, ROLE_SUPERVISOR, PHASE_START, MESSAGE_READY, 0, 0));
	assert_false(may(ROLE_WORKER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_READY, 0, 0));
	/* A set of phases: told to end before it was ready. */
	assert_true(
		may(ROLE_WORKER, ROLE_SUPERVISOR, PHASE_START | PHASE_END, MESSAGE_READY, 0, 0));
}

static void length_and_descriptors_must_be_right(void **state)
{
	const size_t call = sizeof(struct message_call_port);
	const size_t worker = sizeof(struct message_worker);
	const size_t log = sizeof(struct message_log);

	(void)state;
	assert_false(
		may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_PRIV_CALL_PORT, call - 1, 0));
	assert_false(
		may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_PRIV_CALL_PORT, call + 1, 0));
	assert_false(may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_PRIV_CALL_PORT, call, 1));
	assert_true(may(ROLE_SUPERVISOR, ROLE_MASTER, PHASE_RUN, MESSAGE_WORKER_ADD, worker, 4));
	assert_false(may(ROLE_SUPERVISOR, ROLE_MASTER, PHASE_RUN, MESSAGE_WORKER_ADD, worker, 2));
	assert_true(may(ROLE_SUPERVISOR, ROLE_OPENER, PHASE_RUN, MESSAGE_WORKER_ADD, worker, 1));
	assert_true(may(ROLE_WORKER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_LOG, log, 0));
	assert_true(
		may(ROLE_WORKER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_LOG, log + LOG_LINE_MAX, 0));
	assert_false(may(ROLE_WORKER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_LOG,
	                 log + LOG_LINE_MAX + 1, 0));
	assert_false(may(ROLE_WORKER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_LOG, log - 1, 0));
}

/* In any phase, with any length and number of descriptors. */
static bool may_ever(enum role from, enum role to, enum message_type type)
{
	for (size_t length = 0; length <= MESSAGE_PAYLOAD_MAX; length++) {
		for (unsigned fds = 0; fds <= MESSAGE_FDS_MAX; fds++) {
			if (may(from, to, ~0u, type, length, fds))
				return true;
		}
	}
	return false;
}

static void nobody_says_what_another_one_may(void **state)
{
	(void)state;
	for (unsigned type = 0; type < MESSAGE_TYPES + 2; type++) {
		bool to_supervisor = type == MESSAGE_READY || type == MESSAGE_LOG;
		assert_int_equal(may_ever(ROLE_WORKER, ROLE_SUPERVISOR, type),
		                 to_supervisor || type == MESSAGE_VIOLATION);
		assert_int_equal(may_ever(ROLE_OPENER, ROLE_SUPERVISOR, type), to_supervisor);
		assert_int_equal(may_ever(ROLE_WORKER, ROLE_MASTER, type),
		                 type == MESSAGE_SIGNATURE || type == MESSAGE_SESSION_NOTE);
		assert_int_equal(may_ever(ROLE_WORKER, ROLE_OPENER, type),
		                 type == MESSAGE_PRIV_OPEN_SESSION);
		assert_int_equal(may_ever(ROLE_OPENER, ROLE_WORKER, type), type == MESSAGE_SESSION);
		assert_int_equal(may_ever(ROLE_KEEPER, ROLE_WORKER, type),
		                 type == MESSAGE_SESSION_ENDED || type == MESSAGE_SESSION_USER);
		assert_false(may_ever(ROLE_WORKER, ROLE_WORKER, type));
		assert_int_equal(may_ever(ROLE_WORKER, ROLE_KEEPER, type),
		                 type == MESSAGE_PRIV_FIND_USER);
		assert_false(may_ever(ROLE_MASTER, ROLE_OPENER, type));
	}
}

static void only_the_master_asks_for_a_client_and_only_the_supervisor_answers(void **state)
{
	const size_t request = sizeof(struct message_request);
	const size_t answer = sizeof(struct message_answer);
	const size_t most = answer + MESSAGE_ANSWER_TEXT_MAX;

	(void)state;
	assert_true(may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_PRIV_RELOAD, request, 0));
	assert_true(may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_PRIV_UPGRADE, request, 0));
	assert_false(
		may(ROLE_WORKER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_PRIV_UPGRADE, request, 0));
	assert_false(
		may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_START, MESSAGE_PRIV_RELOAD, request, 0));
	assert_false(
		may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_PRIV_RELOAD, request + 1, 0));
	assert_true(may(ROLE_SUPERVISOR, ROLE_MASTER, PHASE_RUN, MESSAGE_ANSWER, answer, 0));
	assert_true(may(ROLE_SUPERVISOR, ROLE_MASTER, PHASE_RUN, MESSAGE_ANSWER, most, 0));
	assert_false(may(ROLE_SUPERVISOR, ROLE_MASTER, PHASE_RUN, MESSAGE_ANSWER, most + 1, 0));
	assert_false(may(ROLE_SUPERVISOR, ROLE_MASTER, PHASE_RUN, MESSAGE_ANSWER, answer - 1, 0));
	assert_false(may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_ANSWER, answer, 0));
}

static void a_configuration_comes_from_the_supervisor_alone(void **state)
{
	const size_t config = sizeof(struct message_master_config);
	const size_t ended = sizeof(struct message_listen);

	(void)state;
	assert_true(may(ROLE_SUPERVISOR, ROLE_MASTER, PHASE_RUN, MESSAGE_CONFIGURE, config, 0));
	assert_false(may(ROLE_SUPERVISOR, ROLE_MASTER, PHASE_RUN, MESSAGE_CONFIGURE, config, 5));
	assert_false(
		may(ROLE_SUPERVISOR, ROLE_MASTER, PHASE_RUN, MESSAGE_CONFIGURE, config - 1, 0));
	assert_false(may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_CONFIGURE, config, 0));
	assert_true(
		may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, MESSAGE_PRIV_LISTEN_END, ended, 0));
	assert_false(
		may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_START, MESSAGE_PRIV_LISTEN_END, ended, 0));
	for (enum message_type type = MESSAGE_PRIV_DRAIN; type <= MESSAGE_PRIV_RESUME; type++) {
		const size_t request = sizeof(struct message_request);

		assert_true(may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_RUN, type, request, 0));
		assert_false(may(ROLE_MASTER, ROLE_SUPERVISOR, PHASE_END, type, request, 0));
	}
}

static void everything_has_a_name(void **state)
{
	(void)state;
	for (unsigned type = 0; type < MESSAGE_TYPES; type++)
		assert_non_null(message_name(type));
	assert_string_equal(message_name(MESSAGE_PRIV_CALL_PORT), "priv_call_port");
	assert_string_equal(message_name(MESSAGE_TYPES), "unknown");
	for (unsigned role = 0; role < ROLES; role++)
		assert_non_null(role_name(role));
	assert_string_equal(role_name(ROLES), "unknown");
}

#define CHANNEL_TEST(name) cmocka_unit_test_setup_teardown(name, open_channel, close_channel)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHANNEL_TEST(a_message_arrives_with_its_descriptors),
		CHANNEL_TEST(an_empty_message_arrives),
		CHANNEL_TEST(the_largest_message_arrives_and_a_larger_one_is_refused),
		CHANNEL_TEST(nothing_there_is_eagain),
		CHANNEL_TEST(a_full_channel_is_eagain),
		CHANNEL_TEST(the_other_end_gone_is_told_after_its_last_message),
		CHANNEL_TEST(malformed_records_are_refused_and_leak_nothing),
		cmocka_unit_test(a_request_is_allowed_in_its_phase_only),
		cmocka_unit_test(length_and_descriptors_must_be_right),
		cmocka_unit_test(nobody_says_what_another_one_may),
		cmocka_unit_test(only_the_master_asks_for_a_client_and_only_the_supervisor_answers),
		cmocka_unit_test(a_configuration_comes_from_the_supervisor_alone),
		cmocka_unit_test(everything_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
