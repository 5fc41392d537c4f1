/*
 * Slots: one numbering through connections, half-open and TIME-WAIT entries, and
 * the lists that hold slot numbers.
 */
#include "engine.h"

#include <assert.h>

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
	uint32_t kept = 0, first;

	/* the oldest goes first nearly always */
	if (queue->count > 0 && queue->slot[queue->head] == slot) {
		(void)slot_queue_take(queue, &first);
		return;
	}
	for (uint32_t i = 0; i < queue->count; i++) {
		uint32_t value = queue->slot[(queue->head + i) % queue->size];

		if (value != slot)
			queue->slot[(queue->head + kept++) % queue->size] = value;
	}
	queue->count = kept;
}
