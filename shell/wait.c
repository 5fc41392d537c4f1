/*
 * Waiting with epoll(7), which, unlike ppoll(2), does not set up and take down
 * every descriptor for each keystroke.
 */
#include "shell/wait.h"

#include <string.h>

int wait_init(struct waiter *waiter)
{
	*waiter = (struct waiter){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	return waiter->epoll < 0 ? -1 : 0;
}

int wait_watch(struct waiter *waiter, enum wait_slot slot, int fd, uint32_t events)
{
	uint32_t before = waiter->wanted[slot];
	struct epoll_event event = {.events = events, .data.u32 = (uint32_t)slot};
	int operation = before == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (before == events)
		return 0;
	waiter->wanted[slot] = events;
	return epoll_ctl(waiter->epoll, operation, fd, &event);
}

void wait_for(struct waiter *waiter, int timeout, uint32_t ready[WAIT_SLOTS])
{
	struct epoll_event events[WAIT_SLOTS];
	int count = epoll_wait(waiter->epoll, events, WAIT_SLOTS, timeout);

	memset(ready, 0, WAIT_SLOTS * sizeof(ready[0]));
	for (int i = 0; i < count; i++)
		ready[events[i].data.u32 % WAIT_SLOTS] = events[i].events;
}
