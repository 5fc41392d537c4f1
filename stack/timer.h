/*
 * Deadlines of many slots: a binary heap with a position for each slot, so that
 * setting and clearing cost O(log n) and asking for the next costs O(1).
 */
#ifndef STACK_TIMER_H
#define STACK_TIMER_H

#include <stdint.h>

#define TIMER_NEVER   UINT64_MAX
#define TIMER_NO_SLOT UINT32_MAX

struct timer_heap;

/*
 * A heap for slots 0 to SLOTS - 1, none set. NULL when memory is short. (Plain
 * timer_create is POSIX's, and libc's own callers would get ours.)
 */
struct timer_heap *timer_heap_create(uint32_t slots);
void timer_heap_destroy(struct timer_heap *heap);

/* Sets the slot's deadline, replacing an earlier one; TIMER_NEVER clears it. */
void timer_set(struct timer_heap *heap, uint32_t slot, uint64_t deadline_us);

/* The slot's deadline; TIMER_NEVER when not set. */
uint64_t timer_get(const struct timer_heap *heap, uint32_t slot);

/* The earliest deadline of all; TIMER_NEVER when none is set. */
uint64_t timer_next(const struct timer_heap *heap);

/*
 * Takes out and returns the slot with the earliest deadline if that is at or
 * before NOW_US; TIMER_NO_SLOT otherwise.
 */
uint32_t timer_pop(struct timer_heap *heap, uint64_t now_us);

#endif
