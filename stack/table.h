/*
 * The connection table: the memory that outlives a master, and the one way to
 * change it.
 *
 * Theory of operation
 *
 * The memory has a header (secrets, the next id, the undo record) and arrays of
 * entries: connections, their reassembly ranges and early data, half-open
 * entries, TIME-WAIT entries, sources and bans (source.h). The master works on one event at a time:
 *
 *   table_begin()    sets `busy`
 *   table_touch()    before the first change of an object in the event: copies
 *                    it into the undo record
 *   ...              works in place
 *   table_commit()   seals what was saved (seal.h), then clears `busy`: that store is
 *                    the commit
 *
 * A master that dies with `busy` set has changed nothing: table_recover() copies
 * the undo record back. Only after the commit may anything be said to a peer, a
 * worker or the log. A process that is killed has executed its stores in program
 * order, so compiler barriers are all the ordering this needs: to the next master, the
 * kill was a signal handler that never returned (C17, 7.17.4.2). README.md has more.
 *
 * Early data needs no undo: bytes beyond conn.early_bytes mean nothing.
 */
#ifndef STACK_TABLE_H
#define STACK_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "source.h"
#include "stack.h"

#define TABLE_MAGIC   0x63616c6du /* "calm" */
#define TABLE_VERSION 8u

#define TABLE_UNDO_ENTRIES 12u
#define TABLE_UNDO_BYTES   8192u

struct table_undo {
	_Atomic uint32_t count;
	uint32_t used; /* of bytes[] */
	struct {
		uint64_t offset; /* in the table */
		uint32_t length;
		uint32_t at; /* in bytes[] */
	} entry[TABLE_UNDO_ENTRIES];
	uint8_t bytes[TABLE_UNDO_BYTES];
};

/* An entry that masters were at work on when they died: see poison.c. */
#define TABLE_SUSPECTS 16u
struct table_suspect {
	uint64_t id;     /* 0: none */
	uint32_t deaths; /* that it is accused of */
	uint32_t again;  /* 1: of the last one, too */
};

struct table_header {
	uint32_t magic;
	uint32_t version;
	uint64_t bytes;
	uint32_t conns; /* number of entries of each kind */
	uint32_t half_opens;
	uint32_t time_waits;
	_Atomic uint32_t busy;
	struct stack_secrets secrets;
	struct table_suspect suspect[TABLE_SUSPECTS];
	uint64_t next_id;
	struct {
		uint64_t until_us; /* 0: no quiet time */
		uint32_t reason;   /* enum quiet_reason */
		uint32_t reserved;
	} quiet;            /* see quiet_time.c */
	uint64_t cookie_us; /* when a SYN cookie was last given out, to the second; 0: never */
	struct table_undo undo;
};

/* The table as mapped: where everything is. */
struct table {
	struct table_header *header;
	struct conn *conn;
	struct reassembly *reassembly;
	struct half_open *half_open;
	struct time_wait *time_wait;
	struct source_entry *source; /* source_entries() */
	struct source_ban *ban;      /* source_bans() */
	uint8_t *early;              /* conns times CONN_EARLY_BYTES */
	bool undone; /* table_recover() has found a half-done event: its undo record is there */
};

size_t table_bytes(const struct table_shape *shape);

/* Lays a new, empty table into zeroed memory of table_bytes(). */
void table_create(struct table *table, void *memory, const struct table_shape *shape,
                  const struct stack_secrets *secrets);

/*
 * Takes up the table in MEMORY and undoes a half-done event. False when it is
 * not a table of this version and shape, or its undo record does not hold.
 */
bool table_recover(struct table *table, void *memory, size_t bytes,
                   const struct table_shape *shape);

/*
 * The table in MEMORY, to be read only, when nobody works with it any more. False when it
 * is none of this version and shape, or an event was half done.
 */
bool table_view(struct table *table, const void *memory, size_t bytes,
                const struct table_shape *shape);

void table_begin(struct table *table);

/*
 * Saves LENGTH bytes at OBJECT (a whole entry, or a field of the header) into the undo
 * record, once an event. At most TABLE_UNDO_ENTRIES objects and TABLE_UNDO_BYTES an event: more
 * is a defect of the engine and aborts.
 */
void table_touch(struct table *table, const void *object, size_t length);

void table_commit(struct table *table);

static inline uint8_t *table_early(const struct table *table, uint32_t slot)
{
	return table->early + (size_t)slot * CONN_EARLY_BYTES;
}

#endif
