/*
 * Notes about sessions, by connection: a hash, and a queue by age.
 */
#include "daemon/session_notes.h"

#include <stdlib.h>
#include <sys/queue.h>

#define BUCKETS 4096u

struct entry {
	LIST_ENTRY(entry) bucket;
	TAILQ_ENTRY(entry) age;
	struct message_session_note note;
};

struct session_notes {
	LIST_HEAD(, entry) bucket[BUCKETS];
	TAILQ_HEAD(, entry) oldest;
	uint32_t count;
};

struct session_notes *session_notes_create(void)
{
	struct session_notes *notes = calloc(1, sizeof(*notes));

	if (notes != NULL)
		TAILQ_INIT(&notes->oldest);
	return notes;
}

static struct entry *find(const struct session_notes *notes, uint64_t id)
{
	struct entry *entry;

	LIST_FOREACH (entry, &notes->bucket[id % BUCKETS], bucket) {
		if (entry->note.conn_id == id)
			return entry;
	}
	return NULL;
}

static void drop(struct session_notes *notes, struct entry *entry)
{
	LIST_REMOVE(entry, bucket);
	TAILQ_REMOVE(&notes->oldest, entry, age);
	notes->count--;
	free(entry);
}

void session_notes_destroy(struct session_notes *notes)
{
	if (notes == NULL)
		return;
	while (!TAILQ_EMPTY(&notes->oldest))
		drop(notes, TAILQ_FIRST(&notes->oldest));
	free(notes);
}

void session_notes_set(struct session_notes *notes, const struct message_session_note *note)
{
	struct entry *entry = find(notes, note->conn_id);

	if (entry == NULL) {
		if (notes->count >= SESSION_NOTES_MAX)
			drop(notes, TAILQ_FIRST(&notes->oldest));
		entry = calloc(1, sizeof(*entry));
		if (entry == NULL)
			return;
		LIST_INSERT_HEAD(&notes->bucket[note->conn_id % BUCKETS], entry, bucket);
		TAILQ_INSERT_TAIL(&notes->oldest, entry, age);
		notes->count++;
	}
	entry->note = *note;
}

const struct message_session_note *session_notes_find(const struct session_notes *notes,
                                                      uint64_t id)
{
	const struct entry *entry = find(notes, id);

	return entry != NULL ? &entry->note : NULL;
}

void session_notes_forget(struct session_notes *notes, uint64_t id)
{
	struct entry *entry = find(notes, id);

	if (entry != NULL)
		drop(notes, entry);
}
