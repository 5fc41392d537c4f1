/*
 * The hash table from flows to slots. A bucket holds the first slot of its
 * chain, next[] the rest; the hash is kept for each slot, so that a walk along
 * a chain reads a foreign flow only when it is very likely the right one, and
 * so that a slot can be taken out whatever became of its flow.
 */
#include "lookup.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NOT_IN (UINT32_MAX - 1) /* in next[]: the slot is in no chain */

struct lookup {
	uint32_t slots;
	uint32_t mask; /* number of buckets, a power of two, less one */
	uint32_t *bucket;
	uint32_t *next;
	uint32_t *hash;
	lookup_flow_fn *flow_of;
	const void *owner;
	uint8_t key[SIPHASH_KEY_BYTES];
};

static size_t bucket_count(uint32_t slots)
{
	size_t count = 1;

	while (count < slots)
		count *= 2;
	return count;
}

static bool allocate(struct lookup *lookup, size_t buckets)
{
	size_t room = lookup->slots > 0 ? lookup->slots : 1;

	lookup->bucket = calloc(buckets, sizeof(*lookup->bucket));
	lookup->next = calloc(room, sizeof(*lookup->next));
	lookup->hash = calloc(room, sizeof(*lookup->hash));
	return lookup->bucket != NULL && lookup->next != NULL && lookup->hash != NULL;
}

struct lookup *lookup_create(uint32_t slots, const uint8_t key[SIPHASH_KEY_BYTES],
                             lookup_flow_fn *flow_of, const void *owner)
{
	struct lookup *lookup;
	size_t buckets = bucket_count(slots);

	if (slots >= NOT_IN)
		return NULL;
	lookup = calloc(1, sizeof(*lookup));
	if (lookup == NULL)
		return NULL;
	lookup->slots = slots;
	lookup->mask = (uint32_t)(buckets - 1);
	lookup->flow_of = flow_of;
	lookup->owner = owner;
	memcpy(lookup->key, key, SIPHASH_KEY_BYTES);
	if (!allocate(lookup, buckets)) {
		lookup_destroy(lookup);
		return NULL;
	}
	for (size_t i = 0; i < buckets; i++)
		lookup->bucket[i] = LOOKUP_NONE;
	for (uint32_t i = 0; i < slots; i++)
		lookup->next[i] = NOT_IN;
	return lookup;
}

void lookup_destroy(struct lookup *lookup)
{
	if (lookup == NULL)
		return;
	free(lookup->bucket);
	free(lookup->next);
	free(lookup->hash);
	free(lookup);
}

/* A flow has no padding and its reserved fields are zero. */
static uint32_t hash_flow(const struct lookup *lookup, const struct flow *flow)
{
	return (uint32_t)siphash(lookup->key, flow, sizeof(*flow));
}

void lookup_add(struct lookup *lookup, uint32_t slot)
{
	uint32_t *head;

	if (slot >= lookup->slots)
		return;
	lookup_remove(lookup, slot); /* adding twice must not make a chain a circle */
	lookup->hash[slot] = hash_flow(lookup, lookup->flow_of(lookup->owner, slot));
	head = &lookup->bucket[lookup->hash[slot] & lookup->mask];
	lookup->next[slot] = *head;
	*head = slot;
}

void lookup_remove(struct lookup *lookup, uint32_t slot)
{
	uint32_t *link;

	if (slot >= lookup->slots || lookup->next[slot] == NOT_IN)
		return;
	link = &lookup->bucket[lookup->hash[slot] & lookup->mask];
	while (*link != slot)
		link = &lookup->next[*link];
	*link = lookup->next[slot];
	lookup->next[slot] = NOT_IN;
}

uint32_t lookup_find(const struct lookup *lookup, const struct flow *flow)
{
	uint32_t hash = hash_flow(lookup, flow);
	uint32_t slot = lookup->bucket[hash & lookup->mask];

	while (slot != LOOKUP_NONE) {
		if (lookup->hash[slot] == hash &&
		    flow_equal(lookup->flow_of(lookup->owner, slot), flow))
			break;
		slot = lookup->next[slot];
	}
	return slot;
}
