/*
 * Doorbells: see bell.h.
 */
#include "daemon/bell.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int bell_create(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void bell_ring(int bell)
{
	const uint64_t one = 1;
	ssize_t written = write(bell, &one, sizeof(one));

	(void)written;
}
