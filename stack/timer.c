/*
 * A binary heap of deadlines. heap[0] is the earliest; the children of heap[i]
 * are heap[2i + 1] and heap[2i + 2]; position[slot] says where a slot stands.
 */
#include "timer.h"

#include <stdlib.h>

#define NOT_SET UINT32_MAX

struct entry {
	uint64_t deadline_us;
	uint32_t slot;
};

struct timer_heap {
	uint32_t slots;
	uint32_t count;
	struct entry *heap;
	uint32_t *position; /* index in heap, or NOT_SET */
};

struct timer_heap *timer_heap_create(uint32_t slots)
{
	struct timer_heap *heap = calloc(1, sizeof(*heap));
	size_t room = slots > 0 ? slots : 1;

	if (heap == NULL)
		return NULL;
	heap->slots = slots;
	heap->heap = calloc(room, sizeof(*heap->heap));
	heap->position = calloc(room, sizeof(*heap->position));
	if (heap->heap == NULL || heap->position == NULL) {
		timer_heap_destroy(heap);
		return NULL;
	}
	for (uint32_t i = 0; i < slots; i++)
		heap->position[i] = NOT_SET;
	return heap;
}

void timer_heap_destroy(struct timer_heap *heap)
{
	if (heap == NULL)
		return;
	free(heap->heap);
	free(heap->position);
	free(heap);
}

static void place(struct timer_heap *heap, size_t at, struct entry entry)
{
	heap->heap[at] = entry;
	heap->position[entry.slot] = (uint32_t)at;
}

/* Puts ENTRY at AT or nearer to the top, where its parent is not later. */
static void sift_up(struct timer_heap *heap, size_t at, struct entry entry)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (heap->heap[parent].deadline_us <= entry.deadline_us)
			break;
		place(heap, at, heap->heap[parent]);
		at = parent;
	}
	place(heap, at, entry);
}

/* Puts ENTRY at AT or farther from the top, where no child is earlier. */
static void sift_down(struct timer_heap *heap, size_t at, struct entry entry)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    heap->heap[child + 1].deadline_us < heap->heap[child].deadline_us)
			child++;
		if (entry.deadline_us <= heap->heap[child].deadline_us)
			break;
		place(heap, at, heap->heap[child]);
		at = child;
	}
	place(heap, at, entry);
}

/* Puts ENTRY in the place AT, whose entry is gone. */
static void settle(struct timer_heap *heap, size_t at, struct entry entry)
{
	if (at > 0 && entry.deadline_us < heap->heap[(at - 1) / 2].deadline_us)
		sift_up(heap, at, entry);
	else
		sift_down(heap, at, entry);
}

static void clear(struct timer_heap *heap, uint32_t slot)
{
	uint32_t at = heap->position[slot];

	if (at == NOT_SET)
		return;
	heap->position[slot] = NOT_SET;
	heap->count--;
	if (at < heap->count)
		settle(heap, at, heap->heap[heap->count]);
}

void timer_set(struct timer_heap *heap, uint32_t slot, uint64_t deadline_us)
{
	struct entry entry = {.deadline_us = deadline_us, .slot = slot};

	if (slot >= heap->slots)
		return;
	if (deadline_us == TIMER_NEVER)
		clear(heap, slot);
	else if (heap->position[slot] != NOT_SET)
		settle(heap, heap->position[slot], entry);
	else
		sift_up(heap, heap->count++, entry);
}

uint64_t timer_get(const struct timer_heap *heap, uint32_t slot)
{
	if (slot >= heap->slots || heap->position[slot] == NOT_SET)
		return TIMER_NEVER;
	return heap->heap[heap->position[slot]].deadline_us;
}

uint64_t timer_next(const struct timer_heap *heap)
{
	return heap->count > 0 ? heap->heap[0].deadline_us : TIMER_NEVER;
}

uint32_t timer_pop(struct timer_heap *heap, uint64_t now_us)
{
	uint32_t slot;

	if (heap->count == 0 || heap->heap[0].deadline_us > now_us)
		return TIMER_NO_SLOT;
	slot = heap->heap[0].slot;
	clear(heap, slot);
	return slot;
}
