/*
 * Doorbells (stack/ring.h, Sleeping): one eventfd for each direction between the
 * master and a worker. Ringing costs one write, and nobody reads: whoever waits
 * watches the descriptor edge-triggered (EPOLLET), so each ring is one event. Bells
 * carry nothing, never block and may be lost or spurious. Links libc only.
 *
 * System calls: eventfd2, write.
 */
#ifndef DAEMON_BELL_H
#define DAEMON_BELL_H

/* A new bell, close-on-exec and non-blocking; -1 with errno. */
int bell_create(void);

/* Rings it. A bell that cannot ring (its count is full) is the fault of whoever filled it. */
void bell_ring(int bell);

#endif
