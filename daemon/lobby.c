/*
 * The lobby: see lobby.h for what it is.
 *
 * Theory of operation
 *
 * The queue of a socket can only be added to at its end and read from its
 * beginning, so a record that counts no more stays until the queue is turned: each
 * record is read and, if it counts, sent again behind the others. This is done when
 * more are stale than not. Which ones count is known from a small entry for each key.
 *
 * The supervisor may be killed at any moment of that. So a record is first looked
 * at (MSG_PEEK gives copies of its descriptors), then sent again, and only then
 * taken out of the queue: at worst it is there twice. Each record has a serial
 * number, and of those with one key the highest counts. That a key has no record any
 * more is a record too, a mark; it goes only when a turn has taken out whatever it
 * speaks of.
 *
 * Descriptors of sockets that wait in a queue are what the kernel's garbage
 * collector for Unix-domain sockets looks through. None of ours is a cycle: nothing
 * that waits here leads to the lobby itself.
 */
#include "daemon/lobby.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/lobby_queue.h"

#define END        UINT32_MAX /* no record's kind */
#define STALE_MORE 64u        /* before the queue is turned */

/* An entry for each key that has a record or a mark in the queue. */
struct lobby_entry {
	LIST_ENTRY(lobby_entry) link;
	uint32_t kind;
	uint64_t number;
	uint64_t serial; /* of what counts */
	bool mark;       /* there is no record any more */
	bool given;      /* by lobby_take_up() */
};

static struct lobby_list *bucket(struct lobby *lobby, uint32_t kind, uint64_t number)
{
	return &lobby->entries[(kind * 31u + number) % LOBBY_BUCKETS];
}

static struct lobby_entry *find(struct lobby *lobby, uint32_t kind, uint64_t number)
{
	struct lobby_entry *entry;

	LIST_FOREACH (entry, bucket(lobby, kind, number), link) {
		if (entry->kind == kind && entry->number == number)
			return entry;
	}
	return NULL;
}

static struct lobby_entry *find_or_add(struct lobby *lobby, uint32_t kind, uint64_t number)
{
	struct lobby_entry *entry = find(lobby, kind, number);

	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	entry->kind = kind;
	entry->number = number;
	entry->mark = true; /* until there is a record */
	LIST_INSERT_HEAD(bucket(lobby, kind, number), entry, link);
	return entry;
}

/* ---- turning it ---- */

/* Puts the first one behind the others. */
static int move(struct lobby *lobby, const struct lobby_head *head)
{
	if (lobby_queue_send(lobby->in, &head->header, head->data, head->length, head->fds,
	                     head->fd_count) < 0)
		return -1;
	lobby_queue_consume(lobby->out);
	return 0;
}

static int leave_out(struct lobby *lobby)
{
	lobby_queue_consume(lobby->out);
	return 0;
}

/*
 * Once around: EACH moves or leaves out one of COUNT records. 0, or -1 with errno;
 * then, too, all that counts is still in the queue.
 */
static int turn(struct lobby *lobby, unsigned count,
                int (*each)(struct lobby *lobby, struct lobby_head *head))
{
	struct lobby_head head;

	for (unsigned i = 0; i < count; i++) {
		int got = lobby_queue_peek(lobby->out, &head);
		if (got <= 0)
			return got;
		got = each(lobby, &head);
		lobby_head_close(&head);
		if (got < 0)
			return -1;
	}
	return 0;
}

static struct lobby_entry *entry_of(struct lobby *lobby, const struct lobby_header *header)
{
	struct lobby_entry *entry = find(lobby, header->kind, header->number);

	return entry != NULL && entry->serial == header->serial ? entry : NULL;
}

static int leave_out_stale(struct lobby *lobby, struct lobby_head *head)
{
	return entry_of(lobby, &head->header) != NULL ? move(lobby, head) : leave_out(lobby);
}

static int leave_out_marks(struct lobby *lobby, struct lobby_head *head)
{
	return head->header.mark != 0 ? leave_out(lobby) : move(lobby, head);
}

/* Forgets the keys without a record, or all; returns how many there were. */
static unsigned forget(struct lobby *lobby, bool all)
{
	struct lobby_entry *entry, *next;
	unsigned count = 0;

	for (unsigned i = 0; i < LOBBY_BUCKETS; i++) {
		LIST_FOREACH_SAFE (entry, &lobby->entries[i], link, next) {
			if (!all && !entry->mark)
				continue;
			LIST_REMOVE(entry, link);
			free(entry);
			count++;
		}
	}
	return count;
}

/* The last part of a turn that has left out what is stale: only marks are, now. */
static int clean_marks(struct lobby *lobby)
{
	unsigned marks = forget(lobby, false);

	if (turn(lobby, lobby->kept + marks, leave_out_marks) < 0)
		return -1;
	lobby->stale = 0;
	return 0;
}

/*
 * Bounds what does not count, and with it the memory that descriptors there hold.
 * What fails is tried again later; lobby_put() says so when the queue is full.
 */
static void clean_when_due(struct lobby *lobby)
{
	if (lobby->stale <= lobby->kept + STALE_MORE)
		return;
	if (turn(lobby, lobby->kept + lobby->stale, leave_out_stale) == 0)
		(void)clean_marks(lobby);
}

/* ---- records ---- */

void lobby_none(struct lobby *lobby)
{
	*lobby = (struct lobby){.in = -1, .out = -1};
}

int lobby_open(struct lobby *lobby)
{
	int pair[2];

	lobby_none(lobby);
	if (lobby_queue_open(pair) < 0)
		return -1;
	lobby->in = pair[0];
	lobby->out = pair[1];
	return 0;
}

/* Sends RECORD, or a mark, as what now counts under ENTRY's key. */
static int put(struct lobby *lobby, struct lobby_entry *entry, const struct lobby_record *record)
{
	const struct lobby_header header = {
		.kind = entry->kind,
		.mark = record == NULL,
		.number = entry->number,
		.serial = lobby->serial + 1,
	};
	int sent = record == NULL ? lobby_queue_send(lobby->in, &header, NULL, 0, NULL, 0)
	                          : lobby_queue_send(lobby->in, &header, record->data,
	                                             record->length, record->fds, record->fd_count);
	if (sent < 0)
		return -1;
	entry->serial = ++lobby->serial;
	return 0;
}

int lobby_put(struct lobby *lobby, const struct lobby_record *record)
{
	if (lobby->in < 0)
		return 0;
	if (record->kind == END || record->length > LOBBY_DATA_MAX ||
	    record->fd_count > LOBBY_FDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	struct lobby_entry *entry = find_or_add(lobby, record->kind, record->number);
	if (entry == NULL || put(lobby, entry, record) < 0)
		return -1;
	lobby->kept += entry->mark;
	lobby->stale += !entry->mark;
	entry->mark = false;
	clean_when_due(lobby);
	return 0;
}

void lobby_drop(struct lobby *lobby, uint32_t kind, uint64_t number)
{
	struct lobby_entry *entry = lobby->in >= 0 ? find(lobby, kind, number) : NULL;

	if (entry == NULL || entry->mark || put(lobby, entry, NULL) < 0)
		return;
	entry->mark = true;
	lobby->kept--;
	lobby->stale += 2;
	clean_when_due(lobby);
}

void lobby_close(struct lobby *lobby)
{
	if (lobby->in >= 0)
		close(lobby->in);
	if (lobby->out >= 0)
		close(lobby->out);
	forget(lobby, true);
	lobby_none(lobby);
}

void lobby_empty(struct lobby *lobby)
{
	if (lobby->out >= 0)
		lobby_queue_empty(lobby->out);
	lobby_close(lobby);
}

/* ---- taking it up ---- */

/* The highest serial of each key. */
static int note(struct lobby *lobby, const struct lobby_header *header)
{
	struct lobby_entry *entry = find_or_add(lobby, header->kind, header->number);

	if (entry == NULL)
		return -1;
	if (header->serial > entry->serial) {
		entry->serial = header->serial;
		entry->mark = header->mark != 0;
	}
	if (header->serial > lobby->serial)
		lobby->serial = header->serial;
	return 0;
}

/*
 * Goes around once without knowing how many there are: what is put at the end now
 * has come to the beginning when all have been seen. One like it may be left of a
 * reader that was killed.
 */
static int read_keys(struct lobby *lobby, unsigned *total)
{
	struct lobby_header end = {.kind = END};
	struct lobby_head head;
	int got;

	if (getrandom(&end.number, sizeof(end.number), 0) != sizeof(end.number) ||
	    lobby_queue_send(lobby->in, &end, NULL, 0, NULL, 0) < 0)
		return -1;
	for (*total = 0; (got = lobby_queue_peek(lobby->out, &head)) > 0;) {
		if (head.header.kind == END) {
			got = leave_out(lobby);
		} else {
			got = note(lobby, &head.header) == 0 ? move(lobby, &head) : -1;
			++*total;
		}
		lobby_head_close(&head);
		if (got < 0 || (head.header.kind == END && head.header.number == end.number))
			break;
	}
	return got;
}

/* Gives the first one, if it counts and was not given before. */
static int give(struct lobby *lobby, struct lobby_head *head)
{
	struct lobby_entry *entry = entry_of(lobby, &head->header);
	struct lobby_record record = {
		.kind = head->header.kind,
		.number = head->header.number,
		.data = head->data,
		.length = head->length,
		.fd_count = head->fd_count,
	};

	if (entry == NULL || entry->given)
		return leave_out(lobby);
	if (move(lobby, head) < 0)
		return -1;
	entry->given = true;
	if (entry->mark)
		return 0;
	memcpy(record.fds, head->fds, sizeof(record.fds));
	head->fd_count = 0;
	lobby->kept++;
	lobby->each(&record, lobby->arg);
	return 0;
}

int lobby_take_up(struct lobby *lobby, int in, int out,
                  void (*each)(const struct lobby_record *record, void *arg), void *arg)
{
	unsigned total;

	lobby_none(lobby);
	lobby->in = in;
	lobby->out = out;
	lobby->each = each;
	lobby->arg = arg;
	if (read_keys(lobby, &total) == 0 && turn(lobby, total, give) == 0 &&
	    clean_marks(lobby) == 0)
		return 0;
	int cause = errno;
	lobby_empty(lobby);
	errno = cause;
	return -1;
}
