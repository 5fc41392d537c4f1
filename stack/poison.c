/*
 * Poison: an entry whose events kill one master after the other.
 *
 * Theory of operation. A packet that makes the engine crash is sent again by its peer,
 * and would crash every master that follows; all sessions would stand still for one. A
 * master that died amid an event has left the undo record of what that had touched, so
 * the entries in it are suspects: their ids are kept in the table's header with the
 * number of such deaths. The third one condemns an entry; it is dropped like one that is
 * damaged (takeover.c).
 *
 * Only deaths of a master's own fault count; who kills a master from outside tells nothing
 * about the entry that it was at work on. A death outside of any event, and one in an
 * event that touched no entry yet, accuses nobody: pauses between starts are all there is
 * against those. Deaths with little time between them are one row (stack_config,
 * `crashed`): all suspects of a row are kept, so that two poisonous peers who take turns do
 * not clear each other. With a new row only those stay suspects who are accused again.
 */
#include "engine.h"

#include <string.h>

/* The identity in the entry that the undo record's entry I has saved a part of; NULL: none. */
static const struct conn_identity *suspect_identity(const struct table *table,
                                                    const struct table_shape *shape, uint32_t i)
{
	const uint8_t *at = (const uint8_t *)table->header + table->header->undo.entry[i].offset;
	const struct {
		const void *first;
		size_t size;
		uint32_t count;
	} kinds[] = {
		{table->conn, sizeof(struct conn), shape->conns},
		{table->half_open, sizeof(struct half_open), shape->half_opens},
		{table->time_wait, sizeof(struct time_wait), shape->time_waits},
	};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const uint8_t *first = kinds[k].first;

		if (at < first || at >= first + kinds[k].size * kinds[k].count)
			continue;
		/* an identity is what every entry begins with */
		return (const void *)(first + (size_t)(at - first) / kinds[k].size * kinds[k].size);
	}
	return NULL;
}

/* One death more for ID; when there are too many suspects the one with the fewest goes. */
static void suspect_accuse(struct table_header *header, uint64_t id)
{
	struct table_suspect *suspect = &header->suspect[0];

	for (uint32_t i = 0; i < TABLE_SUSPECTS; i++) {
		if (header->suspect[i].id == id) {
			header->suspect[i].deaths++;
			header->suspect[i].again = 1;
			return;
		}
		if (header->suspect[i].deaths < suspect->deaths)
			suspect = &header->suspect[i];
	}
	*suspect = (struct table_suspect){.id = id, .deaths = 1, .again = 1};
}

void poison_note(struct stack *s)
{
	struct table_header *header = s->table.header;

	if (s->config.crashed == 0)
		return;
	for (uint32_t i = 0; i < TABLE_SUSPECTS; i++)
		header->suspect[i].again = 0;
	for (uint32_t i = 0; s->table.undone && i < header->undo.count; i++) {
		const struct conn_identity *identity = suspect_identity(&s->table, &s->shape, i);

		/* one that the event had only begun to make is free again */
		if (identity != NULL && identity->id != 0)
			suspect_accuse(header, identity->id);
	}
	if (s->config.crashed > 1)
		return;
	for (uint32_t i = 0; i < TABLE_SUSPECTS; i++)
		if (!header->suspect[i].again)
			header->suspect[i] = (struct table_suspect){0};
}

bool poison_is(const struct stack *s, uint64_t id)
{
	const struct table_header *header = s->table.header;

	for (uint32_t i = 0; i < TABLE_SUSPECTS; i++)
		if (header->suspect[i].id == id && header->suspect[i].deaths >= POISON_DEATHS)
			return true;
	return false;
}
