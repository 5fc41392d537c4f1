/*
 * Finding a slot by its flow in O(1): a hash table keyed with SipHash, with
 * chains through arrays that are as long as the number of slots. It holds no
 * flows of its own: the owner tells it how to read a slot's.
 */
#ifndef STACK_LOOKUP_H
#define STACK_LOOKUP_H

#include <stdint.h>

#include "address.h"
#include "siphash.h"

#define LOOKUP_NONE UINT32_MAX

struct lookup;

/* Returns the flow of SLOT, which is in the table. */
typedef const struct flow *lookup_flow_fn(const void *owner, uint32_t slot);

/* A table for slots 0 to SLOTS - 1. NULL when memory is short. */
struct lookup *lookup_create(uint32_t slots, const uint8_t key[SIPHASH_KEY_BYTES],
                             lookup_flow_fn *flow_of, const void *owner);
void lookup_destroy(struct lookup *lookup);

/* Adds SLOT, whose flow is final and not yet in the table. */
void lookup_add(struct lookup *lookup, uint32_t slot);

/* Takes SLOT out, whatever its flow is by now; nothing if it isn't in. */
void lookup_remove(struct lookup *lookup, uint32_t slot);

/* The slot with this flow, or LOOKUP_NONE. */
uint32_t lookup_find(const struct lookup *lookup, const struct flow *flow);

#endif
