/*
 * Sources: their entries in the table, found by a hash that is keyed with SipHash, so that
 * strangers can neither make it grow nor make its chains long; and the count of
 * connections and handshakes. Offences and bans are source_ban.c's.
 */
#include "source.h"

#include <stdlib.h>
#include <string.h>

#include "lookup.h"
#include "seal.h"
#include "table.h"

/* Times of entries are of one machine's uptime: sums of two do not overflow. */
#define TIME_MAX (UINT64_C(1) << 62)

/* ---- making ---- */

/*
 * One for each connection there can be, so that a connection always has one; and some for
 * those that were there: fewer where the whole table is small.
 */
uint32_t source_entries(const struct table_shape *shape)
{
	uint32_t most = SOURCES_SPARE_MAX / 4;

	return shape->conns + 4 * (shape->half_opens < most ? shape->half_opens : most);
}

uint32_t source_bans(const struct table_shape *shape)
{
	uint32_t bans = shape->half_opens / 4;

	if (bans < 8)
		return 8;
	return bans < SOURCE_BANS_BY_HAND ? bans : SOURCE_BANS_BY_HAND;
}

static size_t bucket_count(uint32_t entries)
{
	size_t count = 1;

	while (count < entries)
		count *= 2;
	return count;
}

static bool allocate(struct sources *s, uint32_t entries, uint32_t bans)
{
	size_t buckets = bucket_count(entries);

	s->mask = (uint32_t)(buckets - 1);
	s->bucket = calloc(buckets, sizeof(*s->bucket));
	s->private_data = calloc(entries, sizeof(*s->private_data));
	s->ban_dropped = calloc(bans, sizeof(*s->ban_dropped));
	s->free.size = entries;
	s->free.freed = calloc(entries, sizeof(*s->free.freed));
	if (s->bucket == NULL || s->private_data == NULL || s->ban_dropped == NULL ||
	    s->free.freed == NULL || !slot_list_create(&s->idle, 0, entries))
		return false;
	for (size_t i = 0; i < buckets; i++)
		s->bucket[i] = SOURCE_NONE;
	return true;
}

struct sources *source_create(struct table *table, const struct table_shape *shape,
                              const uint8_t key[SIPHASH_KEY_BYTES])
{
	struct sources *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->table = table;
	memcpy(s->key, key, SIPHASH_KEY_BYTES);
	if (!allocate(s, source_entries(shape), source_bans(shape))) {
		source_destroy(s);
		return NULL;
	}
	return s;
}

void source_destroy(struct sources *s)
{
	if (s == NULL)
		return;
	free(s->bucket);
	free(s->private_data);
	free(s->ban_dropped);
	free(s->free.freed);
	free(s->idle.link);
	free(s);
}

/* ---- finding ---- */

static struct source_entry *entry_at(const struct sources *s, uint32_t at)
{
	return &s->table->source[at];
}

struct source_entry *source_touch(struct sources *s, uint32_t at)
{
	struct source_entry *entry = entry_at(s, at);

	table_touch(s->table, entry, sizeof(*entry));
	return entry;
}

/* The link that leads to SOURCE's entry; to SOURCE_NONE when it has none. */
static uint32_t *find(const struct sources *s, const struct ip_address *source)
{
	uint32_t *link = &s->bucket[(uint32_t)siphash(s->key, source, sizeof(*source)) & s->mask];

	while (*link != SOURCE_NONE && !address_equal(&entry_at(s, *link)->address, source))
		link = &s->private_data[*link].next;
	return link;
}

uint32_t source_find(const struct sources *s, const struct ip_address *address)
{
	struct ip_address source = address_source(address);

	return *find(s, &source);
}

uint32_t source_count(const struct sources *s, const struct ip_address *address)
{
	uint32_t at = source_find(s, address);

	return at == SOURCE_NONE ? 0 : s->private_data[at].connections;
}

/* ---- making and forgetting entries ---- */

/* Puts the used entry AT into everything derived; without a connection. */
static void link_entry(struct sources *s, uint32_t at)
{
	uint32_t *link = find(s, &entry_at(s, at)->address);

	s->private_data[at] = (struct source_private){.next = SOURCE_NONE};
	*link = at;
	slot_list_put(&s->idle, at);
}

static void unlink_entry(struct sources *s, uint32_t at)
{
	*find(s, &entry_at(s, at)->address) = s->private_data[at].next;
	slot_list_drop(&s->idle, at);
}

/* Of an idle one. In an event. */
static void forget(struct sources *s, uint32_t at)
{
	struct source_entry *entry = source_touch(s, at);

	unlink_entry(s, at);
	entry->address = (struct ip_address){0};
	slot_pool_put(&s->free, at);
}

/* The idle entry that is missed least; SOURCE_NONE when all have connections. */
static uint32_t least(const struct sources *s, uint64_t now_us)
{
	uint32_t oldest = slot_list_oldest(&s->idle), at = oldest;

	for (uint32_t i = 0; i < SOURCES_CONSIDERED && at != LOOKUP_NONE; i++) {
		if (entry_at(s, at)->ban_until_us <= now_us)
			return at;
		at = slot_list_next(&s->idle, at);
	}
	return oldest == LOOKUP_NONE ? SOURCE_NONE : oldest;
}

bool source_matters(const struct sources *s, uint32_t at, uint64_t now_us)
{
	const struct source_entry *entry = entry_at(s, at);

	return s->private_data[at].connections > 0 || source_recent(entry, now_us) > 0 ||
	       now_us < entry->ban_until_us + entry->bans * SOURCE_HOUR_US ||
	       source_points(entry, now_us) >= SOURCE_POINT ||
	       now_us < entry->last_us + SOURCE_HOUR_US;
}

/* Where a new entry goes. What says nothing any more is forgotten, one at a time. In an event. */
static uint32_t take_entry(struct sources *s, uint64_t now_us)
{
	uint32_t oldest = slot_list_oldest(&s->idle), at;

	if (oldest != LOOKUP_NONE && !source_matters(s, oldest, now_us)) {
		forget(s, oldest);
	} else if (slot_pool_free(&s->free) == 0) {
		at = least(s, now_us);
		if (at == SOURCE_NONE)
			return SOURCE_NONE;
		forget(s, at);
	}
	return slot_pool_take(&s->free, &at) ? at : SOURCE_NONE;
}

uint32_t source_entry_for(struct sources *s, const struct ip_address *address, uint64_t now_us)
{
	struct ip_address source = address_source(address);
	uint32_t at = *find(s, &source);
	struct source_entry *entry;

	if (at != SOURCE_NONE)
		return at;
	at = take_entry(s, now_us);
	if (at == SOURCE_NONE)
		return at;
	entry = source_touch(s, at);
	*entry = (struct source_entry){
		.address = source,
		.window_us = now_us,
		.points_us = now_us,
		.last_us = now_us,
	};
	link_entry(s, at);
	return at;
}

/* ---- connections ---- */

void source_add(struct sources *s, const struct ip_address *address, uint64_t now_us)
{
	uint32_t at = source_entry_for(s, address, now_us);

	if (at == SOURCE_NONE)
		return;
	if (s->private_data[at].connections++ == 0)
		slot_list_drop(&s->idle, at);
}

/* When it was used last is known from its place in the list, until there is another master. */
void source_remove(struct sources *s, const struct ip_address *address)
{
	uint32_t at = source_find(s, address);

	if (at == SOURCE_NONE || s->private_data[at].connections == 0)
		return;
	if (--s->private_data[at].connections == 0)
		slot_list_put(&s->idle, at);
}

/* The minutes have moved on. */
static void window_move(struct source_entry *entry, uint64_t now_us)
{
	uint64_t passed = now_us > entry->window_us ? now_us - entry->window_us : 0;

	if (passed < SOURCE_MINUTE_US)
		return;
	entry->recent[0] = passed < 2 * SOURCE_MINUTE_US ? entry->recent[1] : 0;
	entry->recent[1] = 0;
	entry->window_us += passed / SOURCE_MINUTE_US * SOURCE_MINUTE_US;
}

void source_handshake(struct sources *s, const struct ip_address *address, uint64_t now_us)
{
	uint32_t at = source_entry_for(s, address, now_us);
	struct source_entry *entry;

	if (at == SOURCE_NONE)
		return;
	entry = source_touch(s, at);
	window_move(entry, now_us);
	if (entry->recent[1] < UINT32_MAX)
		entry->recent[1]++;
	entry->last_us = now_us;
}

uint32_t source_recent(const struct source_entry *given, uint64_t now_us)
{
	struct source_entry entry = *given;
	uint64_t passed;

	window_move(&entry, now_us);
	passed = now_us > entry.window_us ? now_us - entry.window_us : 0;
	return entry.recent[1] +
	       (uint32_t)(entry.recent[0] * (SOURCE_MINUTE_US - passed) / SOURCE_MINUTE_US);
}

/* ---- another master ---- */

struct ip_prefix source_prefix(const struct source_entry *entry)
{
	return (struct ip_prefix){entry->address,
	                          entry->address.version == IP_V6 ? SOURCE_BITS_V6 : 32};
}

static bool entry_holds(const struct source_entry *entry)
{
	struct ip_prefix prefix = source_prefix(entry);

	return seal_holds(entry, sizeof(*entry)) && prefix_valid(&prefix) &&
	       address_is_unicast(&entry->address) && entry->points <= SOURCE_POINTS_MAX &&
	       entry->bans <= SOURCE_BANS_MAX && entry->window_us <= TIME_MAX &&
	       entry->points_us <= TIME_MAX && entry->ban_until_us <= TIME_MAX &&
	       entry->last_us <= TIME_MAX;
}

static bool ban_holds(const struct source_ban *ban)
{
	return seal_holds(ban, sizeof(*ban)) && prefix_valid(&ban->prefix) &&
	       ban->since_us <= TIME_MAX;
}

static int compare_last(const void *one, const void *other, void *sources)
{
	uint64_t a = entry_at(sources, *(const uint32_t *)one)->last_us;
	uint64_t b = entry_at(sources, *(const uint32_t *)other)->last_us;

	return (a > b) - (a < b);
}

/* Without memory for it the order stays that of the entries. */
static void sort_idle(struct sources *s)
{
	uint32_t *at = calloc(s->idle.count + 1, sizeof(*at)), count = 0;

	if (at == NULL)
		return;
	for (uint32_t i = slot_list_oldest(&s->idle); i != LOOKUP_NONE;
	     i = slot_list_next(&s->idle, i))
		at[count++] = i;
	qsort_r(at, count, sizeof(*at), compare_last, s);
	for (uint32_t i = 0; i < count; i++) {
		slot_list_drop(&s->idle, at[i]);
		slot_list_put(&s->idle, at[i]);
	}
	free(at);
}

void source_rebuild(struct sources *s, const struct table_shape *shape)
{
	for (uint32_t at = 0; at < source_entries(shape); at++) {
		struct source_entry *entry = entry_at(s, at);

		if (entry->address.version == IP_NONE)
			continue;
		if (!entry_holds(entry) || *find(s, &entry->address) != SOURCE_NONE) {
			entry->address = (struct ip_address){0};
			continue;
		}
		slot_pool_claim(&s->free, at);
		link_entry(s, at);
	}
	for (uint32_t i = 0; i < source_bans(shape); i++) {
		struct source_ban *ban = &s->table->ban[i];

		if (ban->prefix.address.version != IP_NONE && !ban_holds(ban))
			ban->prefix = (struct ip_prefix){0};
		if (ban->prefix.address.version != IP_NONE)
			s->bans = i + 1;
	}
	sort_idle(s);
}
