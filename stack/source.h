/*
 * How many connections each source address has: the count behind
 * max-connections-per-source. Bounded by the number of slots it is made for.
 */
#ifndef STACK_SOURCE_H
#define STACK_SOURCE_H

#include <stdint.h>

#include "address.h"
#include "siphash.h"

struct source_counts;

/* For at most ENTRIES addresses at a time. NULL when memory is short. */
struct source_counts *source_create(uint32_t entries, const uint8_t key[SIPHASH_KEY_BYTES]);
void source_destroy(struct source_counts *counts);

/* Connections now counted for ADDRESS (folded by address_source). */
uint32_t source_count(const struct source_counts *counts, const struct ip_address *address);

/* One more; does nothing when the table is full, which ENTRIES must rule out. */
void source_add(struct source_counts *counts, const struct ip_address *address);

/* One less; nothing if it has none. */
void source_remove(struct source_counts *counts, const struct ip_address *address);

#endif
