/* stack/timer.c against a plain array of deadlines. */
#include "tests/unit/random.h"

#include "stack/timer.h"

static void a_new_heap_has_no_deadline(void **state)
{
	struct timer_heap *heap = timer_heap_create(4);

	(void)state;
	assert_int_equal(timer_next(heap), TIMER_NEVER);
	assert_int_equal(timer_pop(heap, TIMER_NEVER), TIMER_NO_SLOT);
	assert_int_equal(timer_get(heap, 3), TIMER_NEVER);
	timer_heap_destroy(heap);
}

static void deadlines_come_out_in_order(void **state)
{
	struct timer_heap *heap = timer_heap_create(3);

	(void)state;
	timer_set(heap, 0, 30);
	timer_set(heap, 1, 10);
	timer_set(heap, 2, 20);
	assert_int_equal(timer_next(heap), 10);
	assert_int_equal(timer_pop(heap, 100), 1);
	assert_int_equal(timer_pop(heap, 100), 2);
	assert_int_equal(timer_pop(heap, 100), 0);
	assert_int_equal(timer_pop(heap, 100), TIMER_NO_SLOT);
	timer_heap_destroy(heap);
}

static void a_deadline_comes_out_at_its_time_and_not_before(void **state)
{
	struct timer_heap *heap = timer_heap_create(1);

	(void)state;
	timer_set(heap, 0, 10);
	assert_int_equal(timer_pop(heap, 9), TIMER_NO_SLOT);
	assert_int_equal(timer_pop(heap, 10), 0);
	assert_int_equal(timer_get(heap, 0), TIMER_NEVER);
	timer_heap_destroy(heap);
}

static void setting_again_replaces_and_never_clears(void **state)
{
	struct timer_heap *heap = timer_heap_create(2);

	(void)state;
	timer_set(heap, 0, 10);
	timer_set(heap, 1, 20);
	timer_set(heap, 0, 30);
	assert_int_equal(timer_next(heap), 20);
	timer_set(heap, 0, 5);
	assert_int_equal(timer_next(heap), 5);
	timer_set(heap, 0, TIMER_NEVER);
	assert_int_equal(timer_next(heap), 20);
	timer_set(heap, 0, TIMER_NEVER);
	timer_set(heap, 1, TIMER_NEVER);
	assert_int_equal(timer_next(heap), TIMER_NEVER);
	timer_heap_destroy(heap);
}

static void a_slot_out_of_range_is_ignored(void **state)
{
	struct timer_heap *heap = timer_heap_create(2), *none = timer_heap_create(0);

	(void)state;
	timer_set(heap, 2, 1);
	timer_set(heap, UINT32_MAX, 1);
	timer_set(none, 0, 1);
	assert_int_equal(timer_next(heap), TIMER_NEVER);
	assert_int_equal(timer_next(none), TIMER_NEVER);
	assert_int_equal(timer_get(heap, 2), TIMER_NEVER);
	timer_heap_destroy(heap);
	timer_heap_destroy(none);
	timer_heap_destroy(NULL);
}

#define SLOTS 61

static uint64_t earliest(const uint64_t *deadlines)
{
	uint64_t earliest = TIMER_NEVER;

	for (size_t i = 0; i < SLOTS; i++) {
		if (deadlines[i] < earliest)
			earliest = deadlines[i];
	}
	return earliest;
}

static void any_sequence_of_calls_agrees_with_a_plain_array(void **state)
{
	struct random random = random_start();
	struct timer_heap *heap = timer_heap_create(SLOTS);
	uint64_t model[SLOTS];

	(void)state;
	for (size_t i = 0; i < SLOTS; i++)
		model[i] = TIMER_NEVER;
	for (int i = 0; i < 100000; i++) {
		uint32_t slot = random_below(&random, SLOTS), what = random_below(&random, 10);

		if (what < 6) {
			model[slot] = random_below(&random, 200); /* with many ties */
			timer_set(heap, slot, model[slot]);
		} else if (what < 8) {
			model[slot] = TIMER_NEVER;
			timer_set(heap, slot, TIMER_NEVER);
		} else {
			uint64_t now = random_below(&random, 60), first = earliest(model);

			slot = timer_pop(heap, now);
			assert_int_equal(slot == TIMER_NO_SLOT, first > now);
			if (slot != TIMER_NO_SLOT) {
				assert_int_equal(model[slot], first);
				model[slot] = TIMER_NEVER;
			}
		}
		assert_int_equal(timer_next(heap), earliest(model));
		slot = random_below(&random, SLOTS);
		assert_int_equal(timer_get(heap, slot), model[slot]);
	}
	timer_heap_destroy(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_heap_has_no_deadline),
		cmocka_unit_test(deadlines_come_out_in_order),
		cmocka_unit_test(a_deadline_comes_out_at_its_time_and_not_before),
		cmocka_unit_test(setting_again_replaces_and_never_clears),
		cmocka_unit_test(a_slot_out_of_range_is_ignored),
		cmocka_unit_test(any_sequence_of_calls_agrees_with_a_plain_array),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
