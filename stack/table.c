/*
 * Layout, undo record and commit of the connection table: see table.h.
 */
#include "table.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "seal.h"

#define TABLE_ALIGN 64u
#define TABLE_PAGE  4096u
/* Slots beside max_connections and backlog for clients that get the busy message. */
#define TABLE_BUSY_SLOTS 16u

static_assert(sizeof(struct conn) + sizeof(struct reassembly) + sizeof(struct half_open) +
                              sizeof(struct time_wait) + 2 * sizeof(struct source_entry) + 256 <=
                      TABLE_UNDO_BYTES,
              "an event's undo record holds one entry of each kind");

#define ENDS_WITH_SEAL(type)                                                                       \
	static_assert(offsetof(struct type, seal) + sizeof(uint64_t) == sizeof(struct type) &&     \
	                      sizeof(struct type) % 8 == 0,                                        \
	              "sealed as a whole: see seal.h")
ENDS_WITH_SEAL(conn_identity);
ENDS_WITH_SEAL(conn);
ENDS_WITH_SEAL(reassembly);
ENDS_WITH_SEAL(half_open);
ENDS_WITH_SEAL(time_wait);
ENDS_WITH_SEAL(source_entry);
ENDS_WITH_SEAL(source_ban);

/* Keeps the compiler from moving stores across: the CPU keeps program order for us. */
static inline void table_barrier(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* One store, neither torn nor left out. */
static inline void table_store(_Atomic uint32_t *at, uint32_t value)
{
	atomic_store_explicit(at, value, memory_order_relaxed);
}

/*
 * A connection whose worker has ended counts no more but keeps its slot until its
 * last bytes are acknowledged, hence twice max_connections.
 */
static struct table_shape shape_needed(const struct stack_config *config)
{
	return (struct table_shape){
		.conns = 2 * config->max_connections + config->backlog + TABLE_BUSY_SLOTS,
		.half_opens = config->half_open,
		.time_waits = config->time_wait,
	};
}

struct table_shape stack_shape(const struct stack_config *config)
{
	return config->shape.conns != 0 ? config->shape : shape_needed(config);
}

bool stack_fits(const struct stack_config *config)
{
	struct table_shape needed = shape_needed(config);
	struct table_shape shape = stack_shape(config);

	return needed.conns <= shape.conns && needed.half_opens <= shape.half_opens &&
	       needed.time_waits <= shape.time_waits;
}

static size_t table_align(size_t at, size_t to)
{
	return (at + to - 1) / to * to;
}

/* Where each part begins, in bytes from the start. */
struct table_offsets {
	size_t conn, reassembly, half_open, time_wait, source, ban, early, end;
};

static struct table_offsets table_offsets(const struct table_shape *shape)
{
	struct table_offsets at;

	at.conn = table_align(sizeof(struct table_header), TABLE_ALIGN);
	at.reassembly = table_align(at.conn + shape->conns * sizeof(struct conn), TABLE_ALIGN);
	at.half_open =
		table_align(at.reassembly + shape->conns * sizeof(struct reassembly), TABLE_ALIGN);
	at.time_wait = table_align(at.half_open + shape->half_opens * sizeof(struct half_open),
	                           TABLE_ALIGN);
	at.source = table_align(at.time_wait + shape->time_waits * sizeof(struct time_wait),
	                        TABLE_ALIGN);
	at.ban = table_align(at.source + source_entries(shape) * sizeof(struct source_entry),
	                     TABLE_ALIGN);
	at.early = table_align(at.ban + source_bans(shape) * sizeof(struct source_ban), TABLE_PAGE);
	at.end = table_align(at.early + (size_t)shape->conns * CONN_EARLY_BYTES, TABLE_PAGE);
	return at;
}

static void table_layout(struct table *table, uint8_t *memory, const struct table_shape *shape)
{
	struct table_offsets at = table_offsets(shape);

	table->header = (struct table_header *)memory;
	table->conn = (struct conn *)(memory + at.conn);
	table->reassembly = (struct reassembly *)(memory + at.reassembly);
	table->half_open = (struct half_open *)(memory + at.half_open);
	table->time_wait = (struct time_wait *)(memory + at.time_wait);
	table->source = (struct source_entry *)(memory + at.source);
	table->ban = (struct source_ban *)(memory + at.ban);
	table->early = memory + at.early;
	table->undone = false;
}

size_t table_bytes(const struct table_shape *shape)
{
	return table_offsets(shape).end;
}

void table_create(struct table *table, void *memory, const struct table_shape *shape,
                  const struct stack_secrets *secrets)
{
	struct table_header *header;

	table_layout(table, memory, shape);
	header = table->header;
	header->version = TABLE_VERSION;
	header->bytes = table_bytes(shape);
	header->conns = shape->conns;
	header->half_opens = shape->half_opens;
	header->time_waits = shape->time_waits;
	header->secrets = *secrets;
	header->next_id = 1;
	table_barrier();
	header->magic = TABLE_MAGIC;
}

/* Entries of the arrays, or what stands in the header between its shape and the undo record. */
static bool table_undo_place(uint64_t offset, uint32_t length)
{
	if (offset >= sizeof(struct table_header))
		return true;
	return offset >= offsetof(struct table_header, next_id) &&
	       offset + length <= offsetof(struct table_header, undo);
}

static bool table_undo_valid(const struct table_undo *undo, size_t bytes)
{
	if (undo->count > TABLE_UNDO_ENTRIES || undo->used > TABLE_UNDO_BYTES)
		return false;
	for (uint32_t i = 0; i < undo->count; i++) {
		uint64_t offset = undo->entry[i].offset;
		uint32_t length = undo->entry[i].length;
		uint32_t at = undo->entry[i].at;

		if (offset > bytes || length > bytes - offset)
			return false;
		if (!table_undo_place(offset, length))
			return false;
		if (at > undo->used || length > undo->used - at)
			return false;
	}
	return true;
}

/* MEMORY of BYTES begins with the header of a table of this version and shape. */
static bool table_fits(const struct table_header *header, size_t bytes,
                       const struct table_shape *shape)
{
	return bytes >= sizeof(*header) && bytes == table_bytes(shape) &&
	       header->magic == TABLE_MAGIC && header->version == TABLE_VERSION &&
	       header->bytes == bytes && header->conns == shape->conns &&
	       header->half_opens == shape->half_opens && header->time_waits == shape->time_waits;
}

bool table_view(struct table *table, const void *memory, size_t bytes,
                const struct table_shape *shape)
{
	const struct table_header *header = memory;

	if (!table_fits(header, bytes, shape) || header->busy)
		return false;
	table_layout(table, (uint8_t *)(uintptr_t)memory, shape);
	return true;
}

bool table_recover(struct table *table, void *memory, size_t bytes, const struct table_shape *shape)
{
	struct table_header *header = memory;
	struct table_undo *undo = &header->undo;

	if (!table_fits(header, bytes, shape))
		return false;
	table_layout(table, memory, shape);
	if (header->busy) {
		if (!table_undo_valid(undo, bytes))
			return false;
		for (uint32_t i = undo->count; i-- > 0;)
			memcpy((uint8_t *)memory + undo->entry[i].offset,
			       undo->bytes + undo->entry[i].at, undo->entry[i].length);
		table_barrier();
		table_store(&header->busy, 0);
		table->undone = true;
	}
	return true;
}

void table_begin(struct table *table)
{
	struct table_header *header = table->header;

	assert(!header->busy);
	table_store(&header->undo.count, 0);
	header->undo.used = 0;
	table_barrier();
	table_store(&header->busy, 1);
	table_barrier();
}

void table_touch(struct table *table, const void *object, size_t length)
{
	struct table_undo *undo = &table->header->undo;
	uint64_t offset = (uint64_t)((const uint8_t *)object - (const uint8_t *)table->header);
	uint32_t count = atomic_load_explicit(&undo->count, memory_order_relaxed);

	for (uint32_t i = 0; i < count; i++)
		if (undo->entry[i].offset == offset && undo->entry[i].length == length)
			return;
	if (count == TABLE_UNDO_ENTRIES || length > TABLE_UNDO_BYTES - undo->used)
		abort();
	undo->entry[count].offset = offset;
	undo->entry[count].length = (uint32_t)length;
	undo->entry[count].at = undo->used;
	memcpy(undo->bytes + undo->used, object, length);
	undo->used += (uint32_t)((length + 7) / 8 * 8);
	table_barrier();
	table_store(&undo->count, count + 1);
	table_barrier();
}

/* What the event has changed is sealed; the header's fields have no seal. */
static void table_seal(struct table *table)
{
	const struct table_undo *undo = &table->header->undo;
	uint32_t count = atomic_load_explicit(&undo->count, memory_order_relaxed);

	for (uint32_t i = 0; i < count; i++)
		if (undo->entry[i].offset >= sizeof(struct table_header))
			seal_set((uint8_t *)table->header + undo->entry[i].offset,
			         undo->entry[i].length);
}

void table_commit(struct table *table)
{
	table_seal(table);
	table_barrier();
	table_store(&table->header->busy, 0);
	table_barrier();
}
