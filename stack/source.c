/*
 * Counts by source address: a hash table keyed with SipHash whose entries come
 * from a fixed array, so that strangers can neither make it grow nor make its
 * chains long. An entry is there as long as its count is above zero.
 */
#include "source.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct entry {
	struct ip_address address;
	uint32_t count;
	uint32_t next; /* in the chain, or in the list of free entries */
};

struct source_counts {
	uint32_t mask; /* number of buckets, a power of two, less one */
	uint32_t free; /* first free entry */
	uint32_t *bucket;
	struct entry *entry;
	uint8_t key[SIPHASH_KEY_BYTES];
};

static size_t bucket_count(uint32_t entries)
{
	size_t count = 1;

	while (count < entries)
		count *= 2;
	return count;
}

struct source_counts *source_create(uint32_t entries, const uint8_t key[SIPHASH_KEY_BYTES])
{
	struct source_counts *counts = calloc(1, sizeof(*counts));
	size_t buckets = bucket_count(entries);

	if (counts == NULL)
		return NULL;
	counts->mask = (uint32_t)(buckets - 1);
	counts->free = NONE;
	memcpy(counts->key, key, SIPHASH_KEY_BYTES);
	counts->bucket = calloc(buckets, sizeof(*counts->bucket));
	counts->entry = calloc(entries > 0 ? entries : 1, sizeof(*counts->entry));
	if (counts->bucket == NULL || counts->entry == NULL) {
		source_destroy(counts);
		return NULL;
	}
	for (size_t i = 0; i < buckets; i++)
		counts->bucket[i] = NONE;
	for (uint32_t i = entries; i > 0; i--) {
		counts->entry[i - 1].next = counts->free;
		counts->free = i - 1;
	}
	return counts;
}

void source_destroy(struct source_counts *counts)
{
	if (counts == NULL)
		return;
	free(counts->bucket);
	free(counts->entry);
	free(counts);
}

static uint32_t bucket_of(const struct source_counts *counts, const struct ip_address *source)
{
	return (uint32_t)siphash(counts->key, source, sizeof(*source)) & counts->mask;
}

/* The link that leads to SOURCE's entry; to NONE when it has none. */
static uint32_t *find(const struct source_counts *counts, const struct ip_address *source)
{
	uint32_t *link = &counts->bucket[bucket_of(counts, source)];

	while (*link != NONE && !address_equal(&counts->entry[*link].address, source))
		link = &counts->entry[*link].next;
	return link;
}

uint32_t source_count(const struct source_counts *counts, const struct ip_address *address)
{
	struct ip_address source = address_source(address);
	uint32_t found = *find(counts, &source);

	return found == NONE ? 0 : counts->entry[found].count;
}

void source_add(struct source_counts *counts, const struct ip_address *address)
{
	struct ip_address source = address_source(address);
	uint32_t *link = find(counts, &source);
	struct entry *entry;

	if (*link == NONE) {
		if (counts->free == NONE)
			return;
		*link = counts->free; /* at the end of the chain */
		entry = &counts->entry[*link];
		counts->free = entry->next;
		entry->address = source;
		entry->count = 0;
		entry->next = NONE;
	}
	counts->entry[*link].count++;
}

void source_remove(struct source_counts *counts, const struct ip_address *address)
{
	struct ip_address source = address_source(address);
	uint32_t *link = find(counts, &source), gone = *link;

	if (gone == NONE || --counts->entry[gone].count > 0)
		return;
	*link = counts->entry[gone].next;
	counts->entry[gone].next = counts->free;
	counts->free = gone;
}
