/*
 * daemon/ring_map.c: the mirror works, both sides see the same, and nothing but a
 * properly sealed ring is mapped.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/ring_map.h"

#define RX (16u << 10)
#define TX (64u << 10)

struct two_sides {
	int fd;
	struct ring master, worker;
};

static int map_twice(void **state)
{
	static struct two_sides sides;

	sides.fd = ring_create(RX, TX);
	*state = &sides;
	if (sides.fd < 0 || ring_map(sides.fd, RX, TX, &sides.master) < 0)
		return -1;
	return ring_map(sides.fd, RX, TX, &sides.worker);
}

static int unmap(void **state)
{
	struct two_sides *sides = *state;

	ring_unmap(&sides->master);
	ring_unmap(&sides->worker);
	return close(sides->fd);
}

static void what_one_side_writes_the_other_reads(void **state)
{
	struct two_sides *sides = *state;

	atomic_store(&sides->master.master->rx_head, 11);
	atomic_store(&sides->worker.worker->tx_head, 12);
	sides->master.rx[RX - 1] = 13;
	sides->worker.tx[0] = 14;
	assert_int_equal(atomic_load(&sides->worker.master->rx_head), 11);
	assert_int_equal(atomic_load(&sides->master.worker->tx_head), 12);
	assert_int_equal(sides->worker.rx[RX - 1], 13);
	assert_int_equal(sides->master.tx[0], 14);
}

static void a_run_over_the_end_is_contiguous(void **state)
{
	struct two_sides *sides = *state;
	uint8_t run[RX];

	for (size_t i = 0; i < sizeof(run); i++)
		run[i] = (uint8_t)(i * 7 + 1);
	uint64_t offset = 5 * RX - 100;
	memcpy(ring_rx_at(&sides->master, offset), run, sizeof(run));
	assert_memory_equal(ring_rx_at(&sides->worker, offset), run, sizeof(run));
	assert_int_equal(sides->worker.rx[0], run[100]);
	assert_int_equal(sides->worker.rx[RX - 1], run[99]);
	offset = 3 * (uint64_t)TX - 1;
	memcpy(ring_tx_at(&sides->worker, offset), "ab", 2);
	assert_int_equal(sides->master.tx[TX - 1], 'a');
	assert_int_equal(sides->master.tx[0], 'b');
}

static void pages_and_buffers_do_not_overlap(void **state)
{
	struct two_sides *sides = *state;
	static const uint8_t zero[RING_PAGE];

	memset(sides->master.rx, 0xee, 2 * RX);
	memset(sides->master.tx, 0xdd, 2 * TX);
	assert_memory_equal(sides->worker.master, zero, RING_PAGE);
	assert_memory_equal(sides->worker.worker, zero, RING_PAGE);
	for (size_t i = 0; i < RX; i++)
		assert_int_equal(sides->worker.rx[i], 0xee);
	for (size_t i = 0; i < TX; i++)
		assert_int_equal(sides->worker.tx[i], 0xdd);
}

static void the_file_can_never_change_its_size(void **state)
{
	struct two_sides *sides = *state;
	off_t size = (off_t)ring_bytes(RX, TX);

	assert_int_equal(ftruncate(sides->fd, size - 4096), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(sides->fd, size + 4096), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(sides->fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
}

static void other_sizes_than_the_file_s_are_refused(void **state)
{
	struct two_sides *sides = *state;
	struct ring ring;

	assert_int_equal(ring_map(sides->fd, RX, 2 * TX, &ring), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ring_map(sides->fd, RX / 2, TX, &ring), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ring_map(sides->fd, RX + 4096, TX - 4096, &ring), -1);
	assert_int_equal(errno, EINVAL);
}

static void a_file_without_seals_is_refused(void **state)
{
	struct ring ring;
	int fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)ring_bytes(RX, TX)), 0);
	assert_int_equal(ring_map(fd, RX, TX, &ring), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL), 0);
	assert_int_equal(ring_map(fd, RX, TX, &ring), -1);
	assert_int_equal(errno, EINVAL);
	close(fd);
}

static void what_is_no_memfd_is_refused(void **state)
{
	struct ring ring;
	int fd = open("/dev/zero", O_RDWR);

	(void)state;
	assert_int_equal(ring_map(fd, RX, TX, &ring), -1);
	close(fd);
	assert_int_equal(ring_map(-1, RX, TX, &ring), -1);
	assert_int_equal(errno, EBADF);
}

static void impossible_sizes_are_refused(void **state)
{
	static const uint32_t wrong[] = {0, 1, 4095, 2048, 5000, RING_SIZE_MAX * 2, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(ring_create(wrong[i], TX), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(ring_create(RX, wrong[i]), -1);
		assert_int_equal(errno, EINVAL);
	}
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, map_twice, unmap)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(what_one_side_writes_the_other_reads),
		RING_TEST(a_run_over_the_end_is_contiguous),
		RING_TEST(pages_and_buffers_do_not_overlap),
		RING_TEST(the_file_can_never_change_its_size),
		RING_TEST(other_sizes_than_the_file_s_are_refused),
		cmocka_unit_test(a_file_without_seals_is_refused),
		cmocka_unit_test(what_is_no_memfd_is_refused),
		cmocka_unit_test(impossible_sizes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
