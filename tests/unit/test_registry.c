/*
 * daemon/registry.c: what one supervisor leaves to the next comes back as it was, and
 * an image that is cut short, changed or hostile is refused.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/message.h"
#include "daemon/registry.h"

static struct registry_descriptor descriptors[] = {
	{.kind = REGISTRY_TABLE, .fd = 20},
	{.kind = REGISTRY_ICMP, .index = 1, .fd = 21},
	{.kind = REGISTRY_GUARD, .index = MESSAGE_LISTEN_MAX - 1, .fd = 22},
};

static struct registry_call calls[] = {
	{
		.port = {.call = 7,
                         .local = {.address = {.version = IP_V6}, .port = 5000},
                         .peer = {.address = {.version = IP_V6}, .port = 23}},
		.guard = 25,
		.lanes = {26, 27},
	},
	{
		.port = {.call = 8,
                         .local = {.address = {.version = IP_V4}, .port = 23},
                         .peer = {.address = {.version = IP_V4}, .port = 5001}},
		.guard = 28,
		.lanes = {-1, -1},
	},
};

static struct registry_worker workers[] = {
	{
		.number = 3,
		.child = {.pid = 1234, .channel = 30, .phase = PHASE_RUN, .pidfd = -1},
		.master_end = 31,
		.ring = 32,
		.bell_to_master = 33,
		.bell_to_worker = 34,
		.rx_size = 4096,
		.tx_size = 65536,
		.flags = REGISTRY_WORKER_TAKEN,
	},
	{
		.number = 9,
		.child = {.pid = 0, .channel = -1, .phase = PHASE_RUN | PHASE_END, .pidfd = -1},
		.master_end = 41,
		.ring = 42,
		.bell_to_master = 43,
		.bell_to_worker = 44,
		.rx_size = 8192,
		.tx_size = 4096,
		.flags = REGISTRY_WORKER_FLAGS,
	},
};

static struct registry sample(void)
{
	static char program[] = "/usr/sbin/calmd", configuration[] = "ttl = 64\nmsl = 30s\n";

	return (struct registry){
		.formats = version_formats(),
		.facts =
			{
				.table_bytes = 123456789,
				.last_worker = 9,
				.files_soft = 1024,
				.files_hard = 524288,
				.control_device = 5,
				.control_inode = 6,
				.master = {.pid = 100,
	                                   .channel = 50,
	                                   .phase = PHASE_RUN,
	                                   .pidfd = -1},
				.opener = {.pid = 0, .channel = -1, .pidfd = -1},
				.upgrades = 2,
			},
		.descriptors = descriptors,
		.calls = calls,
		.workers = workers,
		.descriptor_count = sizeof(descriptors) / sizeof(descriptors[0]),
		.call_count = sizeof(calls) / sizeof(calls[0]),
		.worker_count = sizeof(workers) / sizeof(workers[0]),
		.program = program,
		.configuration = configuration,
	};
}

static void assert_same(const struct registry *a, const struct registry *b)
{
	assert_memory_equal(&a->formats, &b->formats, sizeof(a->formats));
	assert_memory_equal(&a->facts, &b->facts, sizeof(a->facts));
	assert_int_equal(a->descriptor_count, b->descriptor_count);
	assert_memory_equal(a->descriptors, b->descriptors,
	                    a->descriptor_count * sizeof(*a->descriptors));
	assert_int_equal(a->call_count, b->call_count);
	assert_memory_equal(a->calls, b->calls, a->call_count * sizeof(*a->calls));
	assert_int_equal(a->worker_count, b->worker_count);
	assert_memory_equal(a->workers, b->workers, a->worker_count * sizeof(*a->workers));
	assert_string_equal(a->program, b->program);
	assert_string_equal(a->configuration, b->configuration);
}

/* The image of REGISTRY decoded; true when it was taken. */
static bool taken(const struct registry *registry, char error[REGISTRY_ERROR_MAX])
{
	struct registry read;
	size_t bytes;
	uint8_t *image = registry_encode(registry, &bytes);

	assert_non_null(image);
	bool result = registry_decode(image, bytes, &read, error) == 0;
	if (result)
		registry_free(&read);
	free(image);
	return result;
}

static void what_was_written_is_read(void **state)
{
	struct registry written = sample(), read;
	char error[REGISTRY_ERROR_MAX];

	(void)state;
	int fd = registry_write(&written);
	assert_true(fd >= 0);
	assert_int_equal(registry_read(fd, &read, error), 0);
	assert_same(&written, &read);
	registry_free(&read);
	close(fd);
}

static void no_workers_and_no_descriptors_are_a_registry_too(void **state)
{
	struct registry empty = sample();
	char error[REGISTRY_ERROR_MAX];

	(void)state;
	empty.descriptor_count = empty.call_count = empty.worker_count = 0;
	assert_true(taken(&empty, error));
}

static void every_truncation_is_refused(void **state)
{
	struct registry written = sample(), read;
	char error[REGISTRY_ERROR_MAX];
	size_t bytes;
	uint8_t *image = registry_encode(&written, &bytes);

	(void)state;
	assert_non_null(image);
	for (size_t length = 0; length < bytes; length++) {
		uint8_t *cut = exact_copy(image, length);
		assert_int_equal(registry_decode(cut, length, &read, error), -1);
		assert_true(strlen(error) > 0);
		free(cut);
	}
	free(image);
}

static void bytes_behind_the_end_are_refused(void **state)
{
	struct registry written = sample(), read;
	char error[REGISTRY_ERROR_MAX];
	size_t bytes;
	uint8_t *image = registry_encode(&written, &bytes);

	(void)state;
	assert_non_null(image);
	uint8_t *longer = calloc(1, bytes + 1);
	assert_non_null(longer);
	memcpy(longer, image, bytes);
	assert_int_equal(registry_decode(longer, bytes + 1, &read, error), -1);
	free(longer);
	free(image);
}

static void another_version_is_named(void **state)
{
	struct registry written = sample(), read;
	char error[REGISTRY_ERROR_MAX], wanted[32];
	size_t bytes;
	uint8_t *image = registry_encode(&written, &bytes);

	(void)state;
	assert_non_null(image);
	image[8]++;
	assert_int_equal(registry_decode(image, bytes, &read, error), -1);
	snprintf(wanted, sizeof(wanted), "version %u", REGISTRY_VERSION + 1);
	assert_non_null(strstr(error, wanted));
	free(image);
}

/* Each line spoils one value. */
static void values_that_cannot_be_are_refused(void **state)
{
	char error[REGISTRY_ERROR_MAX];
	struct registry_descriptor descriptor;
	struct registry_call call;
	struct registry_worker worker;
	struct registry one = sample();

	(void)state;
	one.descriptors = &descriptor;
	one.calls = &call;
	one.workers = &worker;
	one.descriptor_count = one.call_count = one.worker_count = 1;

#define RESET                                                                                      \
	(descriptor = descriptors[2], call = calls[0], worker = workers[0],                        \
	 one.facts = sample().facts)
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		RESET;                                                                             \
		assert_true(taken(&one, error));                                                   \
		change;                                                                            \
		assert_false(taken(&one, error));                                                  \
	} while (0)

	REFUSED(descriptor.kind = REGISTRY_KINDS);
	REFUSED(descriptor.kind = UINT32_MAX);
	REFUSED(descriptor.index = MESSAGE_LISTEN_MAX);
	REFUSED(descriptor.kind = REGISTRY_TABLE);
	REFUSED((descriptor = descriptors[0], descriptor.index = 1));
	REFUSED(descriptor.fd = -1);
	REFUSED(descriptor.fd = 2);
	REFUSED(descriptor.fd = INT32_MIN);
	REFUSED(call.port.call = 0);
	REFUSED(call.port.local.address.version = IP_V4);
	REFUSED(call.port.peer.address.version = call.port.local.address.version = 5);
	REFUSED(call.guard = -1);
	REFUSED(call.lanes[LANE_SYN] = -1);
	REFUSED(call.lanes[LANE_DATA] = 1);
	REFUSED(worker.number = 0);
	REFUSED(worker.number = one.facts.last_worker + 1);
	REFUSED(worker.child.pid = -1);
	REFUSED(worker.child.channel = -2);
	REFUSED(worker.child.channel = 0);
	REFUSED(worker.child.pid = 0);
	REFUSED(worker.child.phase = 16);
	REFUSED(worker.master_end = -1);
	REFUSED(worker.ring = -1);
	REFUSED(worker.bell_to_master = 1);
	REFUSED(worker.bell_to_worker = -1);
	REFUSED(worker.rx_size = 0);
	REFUSED(worker.rx_size = 4097);
	REFUSED(worker.tx_size = UINT32_MAX);
	REFUSED(worker.flags = REGISTRY_WORKER_FLAGS + 1);
	REFUSED(one.facts.master.pid = -1);
	REFUSED(one.facts.master.phase = UINT32_MAX);
	REFUSED(one.facts.master.pid = 0);
	REFUSED(one.facts.opener.channel = 2);
	REFUSED(one.facts.opener.pidfd = 60);
}

static void a_text_must_end_and_a_path_be_absolute(void **state)
{
	static char relative[] = "calmd", nothing[] = "";
	struct registry written = sample(), read;
	char error[REGISTRY_ERROR_MAX];
	size_t bytes;

	(void)state;
	written.program = relative;
	assert_false(taken(&written, error));
	written.program = nothing;
	assert_false(taken(&written, error));
	written = sample();
	uint8_t *image = registry_encode(&written, &bytes);
	assert_non_null(image);
	image[bytes - 1] = 'x'; /* the configuration's NUL */
	assert_int_equal(registry_decode(image, bytes, &read, error), -1);
	image[bytes - 1] = '\0';
	image[bytes - 3] = '\0'; /* one too many */
	assert_int_equal(registry_decode(image, bytes, &read, error), -1);
	free(image);
}

/* Nothing worse than a refusal comes of any change. */
static void random_changes_do_no_harm(void **state)
{
	struct random random = random_start();
	struct registry written = sample(), read;
	char error[REGISTRY_ERROR_MAX];
	size_t bytes;
	uint8_t *image = registry_encode(&written, &bytes);

	(void)state;
	assert_non_null(image);
	for (int i = 0; i < 20000; i++) {
		uint8_t *changed = exact_copy(image, bytes);
		for (uint32_t n = 1 + random_below(&random, 8); n > 0; n--)
			changed[random_below(&random, (uint32_t)bytes)] =
				(uint8_t)random_next(&random);
		if (registry_decode(changed, bytes, &read, error) == 0)
			registry_free(&read);
		free(changed);
	}
	free(image);
}

static void what_is_above_its_bound_is_not_written(void **state)
{
	struct registry written = sample();
	char *text = malloc(REGISTRY_TEXT_MAX + 1);
	size_t bytes;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', REGISTRY_TEXT_MAX);
	text[REGISTRY_TEXT_MAX] = '\0';
	written.configuration = text;
	assert_null(registry_encode(&written, &bytes));
	assert_int_equal(errno, EOVERFLOW);
	free(text);
	written = sample();
	written.descriptor_count = REGISTRY_DESCRIPTORS_MAX + 1;
	assert_null(registry_encode(&written, &bytes));
}

static void what_is_no_file_of_ours_is_refused(void **state)
{
	struct registry read;
	char error[REGISTRY_ERROR_MAX];
	int pair[2];

	(void)state;
	assert_int_equal(registry_read(-1, &read, error), -1);
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(registry_read(pair[0], &read, error), -1);
	close(pair[0]);
	close(pair[1]);
	int fd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(registry_read(fd, &read, error), -1);
	assert_int_equal(ftruncate(fd, INT64_C(1) << 40), 0);
	assert_int_equal(registry_read(fd, &read, error), -1);
	close(fd);
}

static bool lives_through_an_exec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
}

/* A registry of two descriptors that are open. */
static struct registry two_open(struct registry_descriptor open[2])
{
	struct registry registry = sample();

	for (unsigned i = 0; i < 2; i++) {
		open[i] = descriptors[i];
		open[i].fd = memfd_create("test", MFD_CLOEXEC);
		assert_true(open[i].fd >= 0);
	}
	registry.descriptors = open;
	registry.descriptor_count = 2;
	registry.call_count = registry.worker_count = 0;
	registry.facts.master.channel = -1;
	return registry;
}

static void descriptors_are_let_through_an_exec_and_claimed_behind_it(void **state)
{
	struct registry_descriptor open[2];
	struct registry registry = two_open(open);
	char error[REGISTRY_ERROR_MAX];

	(void)state;
	assert_int_equal(registry_release(&registry), 0);
	assert_true(lives_through_an_exec(open[0].fd) && lives_through_an_exec(open[1].fd));
	assert_int_equal(registry_claim(&registry, error), 0);
	assert_false(lives_through_an_exec(open[0].fd) || lives_through_an_exec(open[1].fd));
	close(open[0].fd);
	close(open[1].fd);
}

static void a_descriptor_that_is_closed_or_named_twice_is_noticed(void **state)
{
	struct registry_descriptor open[2];
	struct registry registry = two_open(open);
	char error[REGISTRY_ERROR_MAX];
	int fd = open[1].fd;

	(void)state;
	open[1].fd = open[0].fd;
	assert_int_equal(registry_release(&registry), 0);
	assert_int_equal(registry_claim(&registry, error), -1);
	assert_non_null(strstr(error, "twice"));
	open[1].fd = fd;
	close(fd);
	assert_int_equal(registry_release(&registry), -1);
	registry_hold(&registry);
	assert_false(lives_through_an_exec(open[0].fd));
	assert_int_equal(fcntl(open[0].fd, F_SETFD, 0), 0);
	assert_int_equal(registry_claim(&registry, error), -1);
	assert_non_null(strstr(error, "not open"));
	close(open[0].fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(no_workers_and_no_descriptors_are_a_registry_too),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bytes_behind_the_end_are_refused),
		cmocka_unit_test(another_version_is_named),
		cmocka_unit_test(values_that_cannot_be_are_refused),
		cmocka_unit_test(a_text_must_end_and_a_path_be_absolute),
		cmocka_unit_test(random_changes_do_no_harm),
		cmocka_unit_test(what_is_above_its_bound_is_not_written),
		cmocka_unit_test(what_is_no_file_of_ours_is_refused),
		cmocka_unit_test(descriptors_are_let_through_an_exec_and_claimed_behind_it),
		cmocka_unit_test(a_descriptor_that_is_closed_or_named_twice_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
