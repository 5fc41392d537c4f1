/*
 * An engine that dies at a chosen instant, and what every commit is checked for.
 *
 * Theory of operation. The test programs are linked with `--wrap` for the
 * functions that begin and end an event and save what it changes, so the
 * engine itself knows nothing of this and pays nothing for it. Each engine call runs
 * inside crash_call(). On the way it passes *crash points*, counted one by one:
 *
 *   begun      `busy` is set, nothing has been touched
 *   touched    an object has just been saved for undo
 *   changed    amid the changes, where the engine asks for a connection to change
 *   done       all changes are made, `busy` is still set
 *   committed  `busy` is cleared, nothing has been said
 *   published  between two stores to the master pages of rings
 *   told       in a hook: the pages are written, the doorbell is not rung
 *   returned   the event is over, its packets have not been sent
 *   sent       a packet of a batch has been sent, those behind it have not
 *
 * At the chosen point the engine is left by longjmp: what stands in the table and in
 * the rings is what a process killed there would leave. Whoever called makes a new one.
 *
 * At every "done" the pages must be as at "begun" (commit before you speak), and,
 * when asked for, undoing the event must give the table that was there before it.
 */
#ifndef TESTS_SIM_CRASH_H
#define TESTS_SIM_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/ring.h"

enum crash_stage {
	CRASH_BEGUN,
	CRASH_TOUCHED,
	CRASH_CHANGED,
	CRASH_DONE,
	CRASH_COMMITTED,
	CRASH_PUBLISHED,
	CRASH_TOLD,
	CRASH_RETURNED,
	CRASH_SENT,
	CRASH_STAGES
};

#define CRASH_RINGS 8u

/* The engine that a call is about: its table and the master pages it writes. */
struct crash_subject {
	uint8_t *memory;
	size_t bytes; /* of it that count: without the early data, which needs no undo */
	struct ring_master_page *page[CRASH_RINGS];
	unsigned pages;
};

/* The name of a stage, for people. */
const char *crash_stage_name(enum crash_stage stage);

/* The engine dies at the AT-th point from now on; 0: never. */
void crash_plan(uint64_t at);

/* How many points have been passed since the program began, and of one stage. */
uint64_t crash_passed(void);
uint64_t crash_passed_stage(enum crash_stage stage);

/* Where the engine died last. */
enum crash_stage crash_last(void);

/* One event in EVERY has its undo record verified; 0: none. */
void crash_verify_undo(uint32_t every);

/* How many have been. */
uint64_t crash_verified(void);

/* Runs WORK, which calls the engine of SUBJECT. False: the engine has died in it. */
bool crash_call(struct crash_subject *subject, void (*work)(void *), void *arg);

/* A call has been left by a test that failed in it: forgotten, with all plans. */
void crash_forget(void);

/* A point that is not in the engine: in a hook, between packets. Inside crash_call(). */
void crash_point(enum crash_stage stage);

#endif
