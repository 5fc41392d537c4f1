/*
 * Offences, and the bans that follow.
 *
 * Theory of operation. What a source does that it should not costs points, half of which
 * are forgotten each minute. Who has too many is banned: for a while the first time, twice
 * as long each time after that, and an hour without a ban makes up for one of them. So who
 * shares an address with a nuisance, or was one by mistake, is soon back, and who goes on
 * is kept out for most of a day.
 *
 * Bans that somebody makes are for prefixes of any length, and few: they are looked through.
 * Those in use are the first `bans` of them, with gaps where one was lifted.
 */
#include "source.h"
#include "table.h"

/* ---- offences ---- */

uint32_t source_points(const struct source_entry *entry, uint64_t now_us)
{
	uint64_t passed = now_us > entry->points_us ? now_us - entry->points_us : 0;
	uint64_t minutes = passed / SOURCE_MINUTE_US;
	uint64_t points = minutes < 32 ? entry->points >> minutes : 0;

	/* between two minutes in a straight line */
	return (uint32_t)(points - points * (passed % SOURCE_MINUTE_US) / SOURCE_MINUTE_US / 2);
}

/* How often it was banned, as far as that is not forgotten. */
static uint32_t bans_remembered(const struct source_entry *entry, uint64_t now_us)
{
	uint64_t hours =
		now_us > entry->ban_until_us ? (now_us - entry->ban_until_us) / SOURCE_HOUR_US : 0;

	return entry->bans > hours ? entry->bans - (uint32_t)hours : 0;
}

static uint64_t ban_length(uint64_t time_us, uint32_t bans)
{
	while (bans-- > 0 && time_us < SOURCE_BAN_MAX_US)
		time_us *= 2;
	return time_us < SOURCE_BAN_MAX_US ? time_us : SOURCE_BAN_MAX_US;
}

bool source_offend(struct source_entry *entry, uint32_t points, uint32_t after, uint64_t time_us,
                   uint64_t now_us)
{
	uint64_t sum = source_points(entry, now_us) + (uint64_t)points * SOURCE_POINT;

	entry->last_us = now_us;
	if (now_us < entry->ban_until_us)
		return false; /* it pays already */
	entry->points = sum < SOURCE_POINTS_MAX ? (uint32_t)sum : SOURCE_POINTS_MAX;
	entry->points_us = now_us;
	if (after == 0 || sum < (uint64_t)after * SOURCE_POINT)
		return false;
	entry->bans = bans_remembered(entry, now_us);
	entry->ban_until_us = now_us + ban_length(time_us, entry->bans);
	if (entry->bans < SOURCE_BANS_MAX)
		entry->bans++;
	entry->points = 0;
	return true;
}

/* ---- who is banned ---- */

static bool in_force(const struct source_ban *ban, uint64_t now_us)
{
	return ban->prefix.address.version != IP_NONE && now_us < ban->until_us;
}

bool source_banned(struct sources *s, const struct ip_address *address, uint64_t now_us)
{
	uint32_t at;

	for (uint32_t i = 0; i < s->bans; i++) {
		const struct source_ban *ban = &s->table->ban[i];

		if (in_force(ban, now_us) && prefix_covers(&ban->prefix, address)) {
			s->ban_dropped[i]++;
			return true;
		}
	}
	at = source_find(s, address);
	if (at == SOURCE_NONE || now_us >= s->table->source[at].ban_until_us)
		return false;
	s->private_data[at].dropped++;
	return true;
}

/* ---- bans that somebody makes ---- */

static uint32_t ban_entries(const struct sources *s)
{
	const struct table_header *header = s->table->header;
	const struct table_shape shape = {header->conns, header->half_opens, header->time_waits};

	return source_bans(&shape);
}

/* The ban of just this prefix, or else the first that is free or has run out; SOURCE_NONE. */
static uint32_t ban_place(const struct sources *s, const struct ip_prefix *prefix, uint64_t now_us)
{
	uint32_t entries = ban_entries(s), found = SOURCE_NONE;

	for (uint32_t i = 0; i < entries; i++) {
		const struct source_ban *ban = &s->table->ban[i];

		if (prefix_equal(&ban->prefix, prefix))
			return i;
		if (found == SOURCE_NONE && !in_force(ban, now_us))
			found = i;
	}
	return found;
}

bool source_ban(struct sources *s, const struct ip_prefix *prefix, uint64_t until_us,
                uint64_t now_us)
{
	uint32_t at = ban_place(s, prefix, now_us);
	struct source_ban *ban;

	if (at == SOURCE_NONE)
		return false;
	ban = &s->table->ban[at];
	table_touch(s->table, ban, sizeof(*ban));
	*ban = (struct source_ban){.prefix = *prefix, .since_us = now_us, .until_us = until_us};
	s->ban_dropped[at] = 0;
	if (s->bans <= at)
		s->bans = at + 1;
	return true;
}

/* An IPv6 address stands for its source. */
static bool names_source(const struct ip_prefix *prefix, const struct ip_address *source)
{
	struct ip_address folded = address_source(&prefix->address);

	return prefix_covers(prefix, source) ||
	       (prefix->bits > SOURCE_BITS_V6 && address_equal(&folded, source));
}

static bool lift_made(struct sources *s, uint32_t at, const struct ip_prefix *prefix,
                      uint64_t now_us)
{
	struct source_ban *ban = &s->table->ban[at];

	if (!in_force(ban, now_us) || !prefix_equal(&ban->prefix, prefix))
		return false;
	table_touch(s->table, ban, sizeof(*ban));
	*ban = (struct source_ban){0};
	return true;
}

static bool lift_earned(struct sources *s, uint32_t at, const struct ip_prefix *prefix,
                        uint64_t now_us)
{
	struct source_entry *entry = &s->table->source[at];

	if (entry->address.version == IP_NONE || now_us >= entry->ban_until_us ||
	    !names_source(prefix, &entry->address))
		return false;
	entry = source_touch(s, at);
	entry->ban_until_us = now_us;
	entry->points = entry->bans = 0;
	return true;
}

bool source_unban(struct sources *s, const struct ip_prefix *prefix, uint32_t *cursor,
                  uint64_t now_us)
{
	while (*cursor < s->bans + s->free.fresh) {
		uint32_t at = (*cursor)++;

		if (at < s->bans ? lift_made(s, at, prefix, now_us)
		                 : lift_earned(s, at - s->bans, prefix, now_us))
			return true;
	}
	return false;
}
