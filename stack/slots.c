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

uint32_t slot_by_id(const struct stack *stack, uint64_t id)
{
	uint32_t slots = stack->shape.conns + stack->shape.half_opens + stack->shape.time_waits;

	if (id == 0)
		return LOOKUP_NONE;
	for (uint32_t slot = 0; slot < slots; slot++)
		if (slot_identity(stack, slot)->id == id)
			return slot;
	return LOOKUP_NONE;
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
