/*
 * When the master waits awake: in a quick dialogue with one client, and never for
 * long in vain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/dialogue.h"

#define WORKER 7u

static struct dialogue d;
static uint64_t now;

static int begin(void **test)
{
	(void)test;
	d = (struct dialogue){0};
	now = 1000000;
	return 0;
}

/* A keystroke and its echo; the client has let us wait for so long before. */
static void keystroke(uint64_t waited_us)
{
	now += waited_us;
	dialogue_heard(&d, now);
	dialogue_asked(&d, WORKER);
	now += 20;
	dialogue_answered(&d, WORKER, 1, now);
}

/* Looks until it is to sleep; how long that took. */
static uint64_t waits_awake(void)
{
	uint64_t begun = now;

	while (dialogue_waits(&d, now) && now - begun < 1000000)
		now++;
	return now - begun;
}

static void a_quick_dialogue_is_waited_for(void **test)
{
	(void)test;
	keystroke(500000);
	for (unsigned i = 0; i < DIALOGUE_SHORT_WAITS; i++) {
		assert_false(dialogue_waits(&d, now));
		keystroke(30);
	}
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(dialogue_waits(&d, now));
		keystroke(30);
	}
}

static void people_are_not(void **test)
{
	(void)test;
	for (unsigned i = 0; i < 100; i++) {
		assert_false(dialogue_waits(&d, now));
		keystroke(DIALOGUE_US + 1);
	}
}

static void speak_quickly(void)
{
	for (unsigned i = 0; i <= DIALOGUE_SHORT_WAITS; i++)
		keystroke(30);
}

static void what_somebody_else_says_is_no_answer(void **test)
{
	(void)test;
	speak_quickly();
	assert_true(dialogue_waits(&d, now));
	dialogue_answered(&d, WORKER + 1, 1, now);
	assert_false(dialogue_waits(&d, now));
}

static void much_output_is_no_answer(void **test)
{
	(void)test;
	speak_quickly();
	dialogue_asked(&d, WORKER);
	dialogue_answered(&d, WORKER, DIALOGUE_BYTES + 1, now);
	assert_false(dialogue_waits(&d, now));
	keystroke(30);
	assert_false(dialogue_waits(&d, now));
}

static void nothing_written_is_no_answer(void **test)
{
	(void)test;
	speak_quickly();
	dialogue_answered(&d, WORKER, 0, now);
	assert_false(dialogue_waits(&d, now));
}

static void a_wait_ends(void **test)
{
	(void)test;
	speak_quickly();
	assert_in_range(waits_awake(), 30, 31); /* as long as those before */
	now += DIALOGUE_BAR_MIN_US;
	for (unsigned i = 0; i <= DIALOGUE_SHORT_WAITS; i++)
		keystroke(DIALOGUE_US);
	assert_in_range(waits_awake(), DIALOGUE_US, DIALOGUE_US + 1);
}

/* The client needs our CPU: it answers as soon as we sleep. */
static void waits_in_vain_become_rare(void **test)
{
	uint64_t end = now + 10000000, awake = 0, waits = 0;

	(void)test;
	while (now < end) {
		uint64_t waited = waits_awake();
		awake += waited;
		waits += waited > 0;
		keystroke(10);
	}
	/* 1, 2, 4 ... 512 ms, then one a second */
	assert_in_range(waits, 15, 20);
	assert_in_range(awake, 10 * waits, 11 * waits);
}

static void a_wait_that_was_not_in_vain_ends_that(void **test)
{
	(void)test;
	for (unsigned i = 0; i < 5; i++) {
		speak_quickly();
		assert_true(waits_awake() > 0);
		now += d.bar_us;
	}
	assert_int_equal(d.bar_us, 16 * DIALOGUE_BAR_MIN_US);
	speak_quickly();
	assert_true(dialogue_waits(&d, now));
	keystroke(30);
	assert_true(waits_awake() > 0);
	assert_int_equal(d.bar_us, DIALOGUE_BAR_MIN_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_quick_dialogue_is_waited_for, begin),
		cmocka_unit_test_setup(people_are_not, begin),
		cmocka_unit_test_setup(what_somebody_else_says_is_no_answer, begin),
		cmocka_unit_test_setup(much_output_is_no_answer, begin),
		cmocka_unit_test_setup(nothing_written_is_no_answer, begin),
		cmocka_unit_test_setup(a_wait_ends, begin),
		cmocka_unit_test_setup(waits_in_vain_become_rare, begin),
		cmocka_unit_test_setup(a_wait_that_was_not_in_vain_ends_that, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
