/* When a master that does not answer is taken to hang: daemon/watch.h. */
#include "daemon/watch.h"

#include "tests/unit/random.h"

/* A master that is looked at. */
struct scene {
	struct watch watch;
	struct watch_sample sample;
};

static void begin(struct scene *scene)
{
	*scene = (struct scene){.sample = {.now_us = 1000, .master = true}};
	watch_begin(&scene->watch);
}

/* Looks again AFTER_US later, in which the master has used CPU_US. */
static enum watch_verdict look(struct scene *scene, uint64_t after_us, uint64_t cpu_us)
{
	scene->sample.now_us += after_us;
	scene->sample.cpu_us += cpu_us;
	enum watch_verdict verdict = watch_look(&scene->watch, &scene->sample);
	if (verdict == WATCH_ASK)
		watch_asked(&scene->watch, &scene->sample);
	return verdict;
}

/* Looks every second until it is said to hang; how many looks that took, LIMIT for never. */
static unsigned looks_until_it_hangs(struct scene *scene, uint64_t after_us, uint64_t cpu_us,
                                     unsigned limit)
{
	unsigned looks = 0;

	while (looks < limit && look(scene, after_us, cpu_us) != WATCH_HANGS)
		looks++;
	return looks;
}

static void a_master_that_answers_is_asked_again(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(look(&scene, WATCH_PERIOD_US, 900000), WATCH_ASK);
		watch_heard(&scene.watch);
		assert_true(watch_is_well(&scene.watch));
	}
}

static void an_answer_within_the_time_is_early_enough(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	for (int round = 0; round < 10; round++) {
		assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_ASK);
		for (int i = 0; i < 4; i++)
			assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_WAIT);
		watch_heard(&scene.watch);
	}
}

static void one_that_is_stopped_hangs_after_five_seconds(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_ASK);
	assert_int_equal(looks_until_it_hangs(&scene, WATCH_PERIOD_US, 0, 100), 4);
}

static void one_that_loops_hangs_after_four_seconds_of_a_processor(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	scene.sample.runnable = true;
	assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_ASK);
	assert_int_equal(looks_until_it_hangs(&scene, WATCH_PERIOD_US, 1000000, 100), 3);
	/* however long a loaded machine takes to give it that */
	watch_begin(&scene.watch);
	assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_ASK);
	assert_int_equal(looks_until_it_hangs(&scene, 3 * WATCH_PERIOD_US, 100000, 100), 39);
}

static void one_that_gets_no_processor_does_not_hang(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	scene.sample.runnable = true;
	assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_ASK);
	assert_int_equal(looks_until_it_hangs(&scene, WATCH_PERIOD_US, 1000, 1000), 1000);
}

static void a_machine_that_slept_is_no_reason(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_ASK);
	/* nobody was there, we were not either */
	assert_int_equal(looks_until_it_hangs(&scene, 3600 * WATCH_PERIOD_US, 0, 100), 100);
	assert_true(watch_is_well(&scene.watch));
	/* it has all of its time still */
	assert_int_equal(looks_until_it_hangs(&scene, WATCH_PERIOD_US, 0, 100), 4);
}

static void another_master_is_asked_anew(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_ASK);
	assert_int_equal(looks_until_it_hangs(&scene, WATCH_PERIOD_US, 0, 3), 3);
	scene.sample.cpu_us = 0;
	watch_begin(&scene.watch);
	assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_ASK);
	assert_int_equal(looks_until_it_hangs(&scene, WATCH_PERIOD_US, 0, 100), 4);
}

static void all_is_well_for_fifteen_seconds_without_a_master(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	scene.sample.master = false;
	for (int i = 0; i < 14; i++) {
		assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_WAIT);
		assert_true(watch_is_well(&scene.watch));
	}
	/* masters that begin and never answer are as good as none */
	scene.sample.master = true;
	watch_begin(&scene.watch);
	assert_int_equal(look(&scene, WATCH_PERIOD_US, 0), WATCH_ASK);
	assert_false(watch_is_well(&scene.watch));
	watch_heard(&scene.watch);
	assert_true(watch_is_well(&scene.watch));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_master_that_answers_is_asked_again),
		cmocka_unit_test(an_answer_within_the_time_is_early_enough),
		cmocka_unit_test(one_that_is_stopped_hangs_after_five_seconds),
		cmocka_unit_test(one_that_loops_hangs_after_four_seconds_of_a_processor),
		cmocka_unit_test(one_that_gets_no_processor_does_not_hang),
		cmocka_unit_test(a_machine_that_slept_is_no_reason),
		cmocka_unit_test(another_master_is_asked_anew),
		cmocka_unit_test(all_is_well_for_fifteen_seconds_without_a_master),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
