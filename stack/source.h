/*
 * What is known of where connections come from: per source (address.h,
 * address_source()) its connections, how many it has completed in the last minute, its
 * offences and the ban that these may lead to; and the bans that people have made.
 *
 * The entries are a part of the connection table, so they outlive a master; what can be
 * derived (counts of connections, the hash) is not in them. An entry is only made for who
 * has completed a handshake: whoever invents addresses leaves none, and no offence is
 * counted that the address's owner has not committed.
 *
 * Bounds: as many entries as the table has (table.h). When they are used up, the source
 * that has been idle longest is forgotten, one that is banned only when the oldest
 * SOURCES_CONSIDERED are. There is an entry for every source that has a connection.
 */
#ifndef STACK_SOURCE_H
#define STACK_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "siphash.h"
#include "slots.h"

struct table;
struct table_shape;

#define SOURCE_MINUTE_US    60000000ULL
#define SOURCE_HOUR_US      (60 * SOURCE_MINUTE_US)
#define SOURCE_BAN_MAX_US   (24 * SOURCE_HOUR_US)
#define SOURCE_POINT        1000u /* points are counted in thousandths, since they decay */
#define SOURCE_POINTS_MAX   (1000000u * SOURCE_POINT)
#define SOURCE_BANS_MAX     64u   /* that are remembered */
#define SOURCE_BANS_BY_HAND 256u  /* at most; fewer in a small table */
#define SOURCES_SPARE_MAX   4096u /* entries beyond those of connections, at most */
#define SOURCES_CONSIDERED  64u

/* One source, in the table. */
struct source_entry {
	struct ip_address address; /* folded; version IP_NONE: the entry is free */
	uint32_t recent[2]; /* handshakes completed in the minute before window_us, and since */
	uint32_t points;    /* for offences, thousandths, at points_us: half of it a minute later */
	uint32_t bans;      /* how often it was banned, less one for each hour without */
	uint32_t reserved;
	uint64_t window_us;
	uint64_t points_us;
	uint64_t ban_until_us;
	uint64_t last_us;    /* when a connection last began or ended, or an offence was counted */
	uint64_t refused;    /* handshakes that were completed and refused */
	uint64_t signatures; /* connections that have sent what only an attack sends */
	uint64_t failures;   /* logins that failed */
	uint64_t seal;
};

/* A ban that somebody has made, in the table. */
struct source_ban {
	struct ip_prefix prefix; /* version IP_NONE: the entry is free */
	uint64_t since_us;
	uint64_t until_us; /* UINT64_MAX: until it is lifted */
	uint64_t seal;
};

/* What is derived from an entry. */
struct source_private {
	uint32_t next; /* in the hash's chain */
	uint32_t connections;
	uint64_t dropped; /* SYNs that a ban has cost */
};

struct sources {
	struct table *table;
	uint32_t mask; /* number of buckets, a power of two, less one */
	uint32_t *bucket;
	struct source_private *private_data;
	struct slot_pool free;
	struct slot_list idle; /* without connections, longest first */
	uint64_t *ban_dropped; /* of each ban that somebody has made */
	uint32_t bans;         /* of these in use */
	uint8_t key[SIPHASH_KEY_BYTES];
};

#define SOURCE_NONE        UINT32_MAX
#define SOURCE_CURSOR_BANS (1u << 30) /* where stack_next_source() goes on with bans */

/* How many entries, and bans, a table of this shape has. */
uint32_t source_entries(const struct table_shape *shape);
uint32_t source_bans(const struct table_shape *shape);

/* On the table's entries, all of which must be free or hold. NULL when memory is short. */
struct sources *source_create(struct table *table, const struct table_shape *shape,
                              const uint8_t key[SIPHASH_KEY_BYTES]);
void source_destroy(struct sources *sources);

/*
 * After a table was taken up: what does not hold is forgotten, and the rest is found again.
 * Before the first source_add(). In no event: it changes only what it drops.
 */
void source_rebuild(struct sources *sources, const struct table_shape *shape);

/* The entry of ADDRESS's source; SOURCE_NONE when it has none. */
uint32_t source_find(const struct sources *sources, const struct ip_address *address);

/* Connections now counted for ADDRESS's source. */
uint32_t source_count(const struct sources *sources, const struct ip_address *address);

/* The source's entry, made when it has none; SOURCE_NONE when all have connections. In an event. */
uint32_t source_entry_for(struct sources *sources, const struct ip_address *address,
                          uint64_t now_us);

/* One connection more of the source. In an event. */
void source_add(struct sources *sources, const struct ip_address *address, uint64_t now_us);

/* One less; nothing if it has none. */
void source_remove(struct sources *sources, const struct ip_address *address);

/* The source has completed a handshake and was let in. In an event. */
void source_handshake(struct sources *sources, const struct ip_address *address, uint64_t now_us);

/* Handshakes of the last minute, about: the minute before counts by what of it is left. */
uint32_t source_recent(const struct source_entry *entry, uint64_t now_us);

/* All addresses that are this source. */
struct ip_prefix source_prefix(const struct source_entry *entry);

/* True while the entry says something that a new one would not. */
bool source_matters(const struct sources *sources, uint32_t at, uint64_t now_us);

/* Saves the entry for undo and returns it. In an event. */
struct source_entry *source_touch(struct sources *sources, uint32_t at);

/* ---- source_ban.c: offences and bans ---- */

/* Points left of its offences, thousandths. */
uint32_t source_points(const struct source_entry *entry, uint64_t now_us);

/*
 * POINTS (whole ones) more for an offence. With AFTER or more in all the source is banned
 * for TIME_US, twice as long each time (SOURCE_BAN_MAX_US at most), and true returned. AFTER
 * 0: never. In an event; ENTRY has been touched.
 */
bool source_offend(struct source_entry *entry, uint32_t points, uint32_t after, uint64_t time_us,
                   uint64_t now_us);

/* True, and counted, when what comes from ADDRESS is not wanted now, by whomever it was banned. */
bool source_banned(struct sources *sources, const struct ip_address *address, uint64_t now_us);

/* Bans that have run out are forgotten, then: false when there is no room. In an event. */
bool source_ban(struct sources *sources, const struct ip_prefix *prefix, uint64_t until_us,
                uint64_t now_us);

/*
 * Lifts one ban: the one that somebody has made for just this prefix, or that of a source
 * within it. False when there is none (more). An event holds one of them: call it again, in
 * the next, with the same *CURSOR, which begins with 0. In an event.
 */
bool source_unban(struct sources *sources, const struct ip_prefix *prefix, uint32_t *cursor,
                  uint64_t now_us);

#endif
