/*
 * Making and mapping rings (stack/ring.h). Links libc only: the supervisor
 * makes them, master and worker map them.
 */
#ifndef DAEMON_RING_MAP_H
#define DAEMON_RING_MAP_H

#include "stack/ring.h"

/*
 * A new sealed memfd (shrink, grow, seal) for a ring with these buffer sizes,
 * which must be ring_size_valid(). Returns the descriptor, or -1 with errno.
 */
int ring_create(uint32_t rx_size, uint32_t tx_size);

/*
 * Maps the ring in FD, which must be a memfd sealed as above and of exactly
 * ring_bytes() bytes. The descriptor stays the caller's to close. Returns 0, or
 * -1 with errno (EINVAL when the descriptor is not such a memfd).
 */
int ring_map(int fd, uint32_t rx_size, uint32_t tx_size, struct ring *ring);

/* Undoes ring_map. */
void ring_unmap(struct ring *ring);

#endif
