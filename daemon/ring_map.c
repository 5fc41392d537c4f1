/*
 * Making and mapping rings (stack/ring.h).
 *
 * Each buffer is mapped twice, one copy right behind the other, inside one
 * reserved range of addresses:
 *
 *   master page | worker page | receive | receive again | send | send again
 *
 * so that a run that crosses the buffer's end is contiguous. The seals are what
 * makes it safe to use memory that another process has, too: a file that can be
 * cut short gives SIGBUS to whoever touches what was cut.
 */
#include "daemon/ring_map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

_Static_assert(sizeof(struct ring_master_page) <= RING_PAGE, "fits its page");
_Static_assert(sizeof(struct ring_worker_page) <= RING_PAGE, "fits its page");

static size_t mapped_bytes(uint32_t rx_size, uint32_t tx_size)
{
	return (size_t)RING_DATA_OFFSET + 2 * (size_t)rx_size + 2 * (size_t)tx_size;
}

int ring_create(uint32_t rx_size, uint32_t tx_size)
{
	if (!ring_size_valid(rx_size) || !ring_size_valid(tx_size)) {
		errno = EINVAL;
		return -1;
	}
	int fd = memfd_create("calmd-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)ring_bytes(rx_size, tx_size)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, RING_SEALS) < 0) {
		int cause = errno;
		close(fd);
		errno = cause;
		return -1;
	}
	return fd;
}

/* Maps LENGTH bytes of the file from OFFSET at AT, inside the reserved range. */
static bool map_at(int fd, uint8_t *at, size_t length, size_t offset)
{
	return mmap(at, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
	            (off_t)offset) == at;
}

int ring_map(int fd, uint32_t rx_size, uint32_t tx_size, struct ring *ring)
{
	struct stat status;

	if (!ring_size_valid(rx_size) || !ring_size_valid(tx_size)) {
		errno = EINVAL;
		return -1;
	}
	int seals = fcntl(fd, F_GET_SEALS); /* EINVAL when it is no memfd */
	if (seals < 0 || fstat(fd, &status) < 0)
		return -1;
	if ((seals & RING_SEALS) != RING_SEALS ||
	    status.st_size != (off_t)ring_bytes(rx_size, tx_size)) {
		errno = EINVAL;
		return -1;
	}
	size_t length = mapped_bytes(rx_size, tx_size);
	uint8_t *base = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return -1;
	uint8_t *rx = base + RING_DATA_OFFSET;
	uint8_t *tx = rx + 2 * (size_t)rx_size;
	size_t tx_offset = (size_t)RING_DATA_OFFSET + rx_size;
	/* The pages and the first copy of the receive buffer lie together in both. */
	if (!map_at(fd, base, tx_offset, 0) ||
	    !map_at(fd, rx + rx_size, rx_size, RING_DATA_OFFSET) ||
	    !map_at(fd, tx, tx_size, tx_offset) || !map_at(fd, tx + tx_size, tx_size, tx_offset)) {
		int cause = errno;
		munmap(base, length);
		errno = cause;
		return -1;
	}
	*ring = (struct ring){
		.master = (struct ring_master_page *)(base + RING_MASTER_OFFSET),
		.worker = (struct ring_worker_page *)(base + RING_WORKER_OFFSET),
		.rx = rx,
		.tx = tx,
		.rx_size = rx_size,
		.tx_size = tx_size,
	};
	return 0;
}

void ring_unmap(struct ring *ring)
{
	if (ring->master != NULL)
		munmap(ring->master, mapped_bytes(ring->rx_size, ring->tx_size));
	*ring = (struct ring){0};
}
