/*
 * What a worker sleeps on: a handful of descriptors, each with a fixed place.
 * Only a change of what is wanted costs a system call.
 *
 * System calls: epoll_create1, epoll_ctl, epoll_wait.
 */
#ifndef SHELL_WAIT_H
#define SHELL_WAIT_H

#include <stdint.h>
#include <sys/epoll.h>

enum wait_slot {
	WAIT_SUPERVISOR,
	WAIT_MASTER,
	WAIT_BELL,
	WAIT_OPENER,
	WAIT_KEEPER,
	WAIT_PTY,
	WAIT_SLOTS
};

struct waiter {
	int epoll;
	uint32_t wanted[WAIT_SLOTS]; /* events; 0: not watched */
};

/* Returns 0, or -1 with errno. */
int wait_init(struct waiter *waiter);

/*
 * From now on FD, which belongs to SLOT, is watched for EVENTS (EPOLLIN, EPOLLOUT; hang-up and
 * error always belong to them); 0: no longer. It must be 0 before FD is closed. Returns 0, or -1
 * with errno.
 */
int wait_watch(struct waiter *waiter, enum wait_slot slot, int fd, uint32_t events);

/*
 * Sleeps until something happens, or TIMEOUT milliseconds have passed (-1: without limit).
 * READY gets each slot's events, 0 for none.
 */
void wait_for(struct waiter *waiter, int timeout, uint32_t ready[WAIT_SLOTS]);

#endif
