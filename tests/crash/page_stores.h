/*
 * Included by force before the files that store into the pages of rings (files.am), so that
 * a master can be killed right before and after each of the stores: see kill_points.h.
 */
#ifndef CRASH_PAGE_STORES_H
#define CRASH_PAGE_STORES_H

#include <stdatomic.h>

#include "tests/crash/kill_points.h"

#undef atomic_store_explicit
#define atomic_store_explicit(object, value, order)                                                \
	do {                                                                                       \
		kill_point(KILL_page_storing);                                                     \
		__atomic_store_n((object), (value), (order));                                      \
		kill_point(KILL_page_stored);                                                      \
	} while (0)

#endif
