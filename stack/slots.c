/*
 * Slots: one numbering through connections, half-open and TIME-WAIT entries, and
 * the lists that hold slot numbers.
 */
#include "engine.h"

#include <assert.h>
#include <stdlib.h>

bool slot_is_conn(const struct stack *stack, uint32_t slot)
{
	return slot < stack->shape.conns;
}

bool slot_is_half_open(const struct stack *stack, uint32_t slot)
{
	return slot >= stack->shape.conns && slot - stack->shape.conns < stack->shape.half_opens;
}

struct conn *slot_conn(const struct stack *stack, uint32_t slot)
{
	assert(slot_is_conn(stack, slot));
	return &stack->table.conn[slot];
}

struct half_open *slot_half_open(const struct stack *stack, uint32_t slot)
{
	assert(slot_is_half_open(stack, slot));
	return &stack->table.half_open[slot - stack->shape.conns];
}

struct time_wait *slot_time_wait(const struct stack *stack, uint32_t slot)
{
	uint32_t first = stack->shape.conns + stack->shape.half_opens;

	assert(slot >= first && slot - first < stack->shape.time_waits);
	return &stack->table.time_wait[slot - first];
}

struct conn_identity *slot_identity(const struct stack *stack, uint32_t slot)
{
	if (slot_is_conn(stack, slot))
		return &slot_conn(stack, slot)->identity;
	if (slot_is_half_open(stack, slot))
		return &slot_half_open(stack, slot)->identity;
	return &slot_time_wait(stack, slot)->identity;
}

bool slot_next(const struct stack *stack, uint32_t *cursor, uint32_t *slot)
{
	const struct slot_pool *pools[] = {&stack->free_conns, &stack->free_half_opens,
	                                   &stack->free_time_waits};

	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
		if (*cursor < pools[i]->first)
			*cursor = pools[i]->first;
		if (*cursor - pools[i]->first < pools[i]->fresh) {
			*slot = (*cursor)++;
			return true;
		}
	}
	return false;
}

uint32_t slot_by_id(const struct stack *stack, uint64_t id)
{
	uint32_t cursor = 0;
	uint32_t slot;

	while (id != 0 && slot_next(stack, &cursor, &slot))
		if (slot_identity(stack, slot)->id == id)
			return slot;
	return LOOKUP_NONE;
}

uint32_t slot_pool_free(const struct slot_pool *pool)
{
	return pool->freed_count + (pool->size - pool->fresh);
}

bool slot_pool_take(struct slot_pool *pool, uint32_t *slot)
{
	if (pool->freed_count > 0) {
		*slot = pool->freed[--pool->freed_count];
		return true;
	}
	if (pool->fresh == pool->size)
		return false;
	*slot = pool->first + pool->fresh++;
	return true;
}

void slot_pool_claim(struct slot_pool *pool, uint32_t slot)
{
	for (; pool->first + pool->fresh < slot; pool->fresh++)
		pool->freed[pool->freed_count++] = pool->first + pool->fresh;
	pool->fresh++;
}

void slot_pool_put(struct slot_pool *pool, uint32_t slot)
{
	if (pool->freed_count < pool->size)
		pool->freed[pool->freed_count++] = slot;
}

bool slot_queue_put(struct slot_queue *queue, uint32_t slot)
{
	if (queue->count == queue->size)
		return false;
	queue->slot[(queue->head + queue->count) % queue->size] = slot;
	queue->count++;
	return true;
}

bool slot_queue_take(struct slot_queue *queue, uint32_t *slot)
{
	if (queue->count == 0)
		return false;
	*slot = queue->slot[queue->head];
	queue->head = (queue->head + 1) % queue->size;
	queue->count--;
	return true;
}

void slot_queue_drop(struct slot_queue *queue, uint32_t slot)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < queue->count; i++) {
		uint32_t value = queue->slot[(queue->head + i) % queue->size];

		if (value != slot)
			queue->slot[(queue->head + kept++) % queue->size] = value;
	}
	queue->count = kept;
}

bool slot_list_create(struct slot_list *list, uint32_t first, uint32_t size)
{
	list->first = first;
	list->link = calloc((size_t)size + 1, sizeof(*list->link));
	return list->link != NULL;
}

static uint32_t list_index(const struct slot_list *list, uint32_t slot)
{
	return slot - list->first + 1;
}

static uint32_t list_slot(const struct slot_list *list, uint32_t index)
{
	return index == 0 ? LOOKUP_NONE : list->first + index - 1;
}

void slot_list_put(struct slot_list *list, uint32_t slot)
{
	uint32_t index = list_index(list, slot), newest = list->link[0].previous;

	list->link[index] = (struct slot_link){.next = 0, .previous = newest};
	list->link[newest].next = index;
	list->link[0].previous = index;
	list->count++;
}

void slot_list_drop(struct slot_list *list, uint32_t slot)
{
	struct slot_link *link = &list->link[list_index(list, slot)];

	if (!slot_list_has(list, slot))
		return;
	list->link[link->previous].next = link->next;
	list->link[link->next].previous = link->previous;
	*link = (struct slot_link){0, 0};
	list->count--;
}

/* Only one that is alone in the list has no neighbours. */
bool slot_list_has(const struct slot_list *list, uint32_t slot)
{
	uint32_t index = list_index(list, slot);

	return list->link[index].next != 0 || list->link[index].previous != 0 ||
	       list->link[0].next == index;
}

uint32_t slot_list_oldest(const struct slot_list *list)
{
	return list_slot(list, list->link[0].next);
}

uint32_t slot_list_next(const struct slot_list *list, uint32_t slot)
{
	return list_slot(list, list->link[list_index(list, slot)].next);
}
