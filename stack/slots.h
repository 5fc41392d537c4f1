/*
 * Containers of slot numbers: queues, lists that can be left from anywhere, and pools of
 * free slots. They know nothing of what the slots hold. All are derived from the table.
 */
#ifndef STACK_SLOTS_H
#define STACK_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

/* A first-in first-out list of slots that all fit. */
struct slot_queue {
	uint32_t *slot;
	uint32_t size;
	uint32_t head;
	uint32_t count;
};

/*
 * A first-in first-out list of slots of one kind, which may leave it from anywhere in
 * O(1). Slots are counted from 1 here: all zero is empty.
 */
struct slot_link {
	uint32_t next, previous;
};
struct slot_list {
	uint32_t first; /* number of the first slot that may be in it */
	uint32_t count;
	struct slot_link *link; /* [0] is the list's own: next is the oldest, previous the newest */
};

/*
 * The free slots of one kind of entry. The one freed last is taken first, and a
 * slot never used only when there is no other: memory that was never needed is
 * never touched.
 */
struct slot_pool {
	uint32_t first; /* number of its first slot */
	uint32_t size;
	uint32_t fresh; /* from first + fresh on, slots have never been used */
	uint32_t freed_count;
	uint32_t *freed;
};

uint32_t slot_pool_free(const struct slot_pool *pool);
bool slot_pool_take(struct slot_pool *pool, uint32_t *slot);
/* Takes SLOT itself, which is behind all taken so far: for a table that is taken up. */
void slot_pool_claim(struct slot_pool *pool, uint32_t slot);
void slot_pool_put(struct slot_pool *pool, uint32_t slot);

bool slot_queue_put(struct slot_queue *queue, uint32_t slot);
bool slot_queue_take(struct slot_queue *queue, uint32_t *slot);
/* Takes SLOT out from wherever it stands. O(length). */
void slot_queue_drop(struct slot_queue *queue, uint32_t slot);

/* An empty list for SIZE slots from FIRST on; false when memory is short. Freed with free(link). */
bool slot_list_create(struct slot_list *list, uint32_t first, uint32_t size);
/* Puts SLOT at the end. It must not be in the list. */
void slot_list_put(struct slot_list *list, uint32_t slot);
/* Takes SLOT out; nothing when it is not in. */
void slot_list_drop(struct slot_list *list, uint32_t slot);
bool slot_list_has(const struct slot_list *list, uint32_t slot);
/* The one that has been in it longest; LOOKUP_NONE when it is empty. */
uint32_t slot_list_oldest(const struct slot_list *list);
/* The one that came after SLOT, which is in it; LOOKUP_NONE at the end. */
uint32_t slot_list_next(const struct slot_list *list, uint32_t slot);

#endif
