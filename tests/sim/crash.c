/* Crash points and the checks at each commit: see crash.h. */
#include "tests/sim/crash.h"

#include "tests/unit/random.h"

#include "stack/engine.h"

/* What a master page says to the worker, in the order in which event.c writes it. */
#define PAGE_FIELDS 6u

struct page_view {
	uint64_t field[PAGE_FIELDS];
};

static struct {
	struct crash_subject *subject; /* NULL: no engine is being called */
	jmp_buf out;
	uint64_t at; /* points left to the death; 0: it will not die */
	uint64_t passed;
	uint64_t stage[CRASH_STAGES];
	enum crash_stage last;
	struct page_view said[CRASH_RINGS]; /* as after the last point */
	uint32_t verify_every;
	uint32_t verify_next;
	bool verifying; /* the event under way */
	uint64_t verified;
	uint8_t *before; /* the table as it was when the event began */
	uint8_t *undone;
	size_t room; /* of these two */
} crash;

const char *crash_stage_name(enum crash_stage stage)
{
	static const char *const names[] = {"begun",     "touched", "changed",  "done", "committed",
	                                    "published", "told",    "returned", "sent"};

	return stage < CRASH_STAGES ? names[stage] : "?";
}

void crash_plan(uint64_t at)
{
	crash.at = at;
}

uint64_t crash_passed(void)
{
	return crash.passed;
}

uint64_t crash_passed_stage(enum crash_stage stage)
{
	return crash.stage[stage];
}

enum crash_stage crash_last(void)
{
	return crash.last;
}

void crash_verify_undo(uint32_t every)
{
	crash.verify_every = every;
	crash.verify_next = every;
}

uint64_t crash_verified(void)
{
	return crash.verified;
}

/* ---- master pages ---- */

static struct page_view page_read(const struct ring_master_page *page)
{
	return (struct page_view){{
		atomic_load(&page->rx_urgent),
		atomic_load(&page->rx_head),
		atomic_load(&page->tx_tail),
		atomic_load(&page->tx_sent),
		atomic_load(&page->rx_fin),
		atomic_load(&page->reset_reason),
	}};
}

static void page_write(struct ring_master_page *page, const struct page_view *view)
{
	atomic_store(&page->rx_urgent, view->field[0]);
	atomic_store(&page->rx_head, view->field[1]);
	atomic_store(&page->tx_tail, view->field[2]);
	atomic_store(&page->tx_sent, view->field[3]);
	atomic_store(&page->rx_fin, (uint32_t)view->field[4]);
	atomic_store(&page->reset_reason, (uint32_t)view->field[5]);
}

static void pages_remember(void)
{
	for (unsigned i = 0; i < crash.subject->pages; i++)
		crash.said[i] = page_read(crash.subject->page[i]);
}

static bool pages_unchanged(void)
{
	for (unsigned i = 0; i < crash.subject->pages; i++) {
		struct page_view now = page_read(crash.subject->page[i]);

		if (memcmp(&now, &crash.said[i], sizeof(now)) != 0)
			return false;
	}
	return true;
}

/* ---- dying ---- */

static bool due(enum crash_stage stage)
{
	crash.passed++;
	crash.stage[stage]++;
	if (crash.at == 0 || --crash.at > 0)
		return false;
	crash.last = stage;
	return true;
}

static void die(void)
{
	longjmp(crash.out, 1);
}

/*
 * Stores to pages can't be wrapped, so they are found afterwards: a death right after
 * one of them puts back those that came later.
 */
static void pass_publications(void)
{
	for (unsigned i = 0; i < crash.subject->pages; i++) {
		struct page_view now = page_read(crash.subject->page[i]);

		for (unsigned f = 0; f < PAGE_FIELDS; f++) {
			if (crash.said[i].field[f] == now.field[f])
				continue;
			crash.said[i].field[f] = now.field[f];
			if (!due(CRASH_PUBLISHED))
				continue;
			for (unsigned j = i; j < crash.subject->pages; j++)
				page_write(crash.subject->page[j], &crash.said[j]);
			die();
		}
	}
}

void crash_point(enum crash_stage stage)
{
	if (crash.subject == NULL)
		return;
	pass_publications();
	if (due(stage))
		die();
}

bool crash_call(struct crash_subject *subject, void (*work)(void *), void *arg)
{
	assert_null(crash.subject);
	crash.subject = subject;
	if (setjmp(crash.out) != 0) {
		crash.subject = NULL;
		return false;
	}
	pages_remember();
	work(arg);
	crash_point(CRASH_RETURNED);
	crash.subject = NULL;
	return true;
}

void crash_forget(void)
{
	crash.subject = NULL;
	crash.at = 0;
}

/* ---- what an event saves for undo ---- */

static void verify_begin(void)
{
	const struct crash_subject *s = crash.subject;

	crash.verifying = crash.verify_every != 0 && --crash.verify_next == 0;
	if (!crash.verifying)
		return;
	crash.verify_next = crash.verify_every;
	if (crash.room < s->bytes) {
		crash.before = realloc(crash.before, s->bytes);
		crash.undone = realloc(crash.undone, s->bytes);
		assert_true(crash.before != NULL && crash.undone != NULL);
		crash.room = s->bytes;
	}
	memcpy(crash.before, s->memory, s->bytes);
}

/* Undone, the event must leave the table as it was before. */
static void verify_end(void)
{
	const struct crash_subject *s = crash.subject;
	const size_t undo = offsetof(struct table_header, undo);
	const struct table_undo *record = &((const struct table_header *)s->memory)->undo;

	if (!crash.verifying)
		return;
	crash.verified++;
	memcpy(crash.undone, s->memory, s->bytes);
	for (uint32_t i = record->count; i-- > 0;)
		memcpy(crash.undone + record->entry[i].offset, record->bytes + record->entry[i].at,
		       record->entry[i].length);
	memcpy(crash.undone + undo, crash.before + undo, sizeof(*record));
	if (memcmp(crash.undone, crash.before, s->bytes) == 0)
		return;
	for (size_t i = 0; i < s->bytes; i++)
		if (crash.undone[i] != crash.before[i])
			fail_msg("an event has changed byte %zu of the table and not saved it", i);
}

/* ---- in the places of table.c's functions ---- */

void __real_table_begin(struct table *table);
void __real_table_touch(struct table *table, const void *object, size_t length);
void __real_table_commit(struct table *table);
void __wrap_table_begin(struct table *table);
void __wrap_table_touch(struct table *table, const void *object, size_t length);
/* Changes are made between the calls of this one: it stands at their beginning everywhere. */
struct conn *__real_event_conn(struct stack *stack, uint32_t slot);
struct conn *__wrap_event_conn(struct stack *stack, uint32_t slot);

struct conn *__wrap_event_conn(struct stack *stack, uint32_t slot)
{
	if (crash.subject != NULL && due(CRASH_CHANGED))
		die();
	return __real_event_conn(stack, slot);
}

void __wrap_table_commit(struct table *table);

void __wrap_table_begin(struct table *table)
{
	if (crash.subject != NULL)
		pass_publications();
	__real_table_begin(table);
	if (crash.subject == NULL)
		return;
	verify_begin();
	crash_point(CRASH_BEGUN);
}

void __wrap_table_touch(struct table *table, const void *object, size_t length)
{
	__real_table_touch(table, object, length);
	if (crash.subject != NULL && due(CRASH_TOUCHED))
		die();
}

void __wrap_table_commit(struct table *table)
{
	if (crash.subject != NULL) {
		if (!pages_unchanged())
			fail_msg("an event has spoken to a worker before its commit");
		verify_end();
		if (due(CRASH_DONE))
			die();
	}
	__real_table_commit(table);
	if (crash.subject != NULL && due(CRASH_COMMITTED))
		die();
}
