/*
 * The engine dies at every crash point (crash.h) of every canned scenario, one a run,
 * and another one takes up its table and rings: the peer notices at most a lost packet,
 * the worker nothing. CALMD_CRASH=SCENARIO/POINT runs one of them.
 */
#include <malloc.h>

#include "tests/sim/scenario.h"

/* What a packet lost in its worst moment may cost: the first SYN-ACK, and then some. */
#define LATER_US UINT64_C(5000000)

static const char *scenario = "";
static uint64_t point;

static void say_point(void)
{
	if (point != 0)
		fprintf(stderr, "failed in \"%s\" at point %llu, %s\n", scenario,
		        (unsigned long long)point, crash_stage_name(crash_last()));
}

static int teardown(void **state)
{
	(void)state;
	crash_forget();
	say_point();
	return 0;
}

/* A crash looks like a lost packet: never like a peer that resets, lies or stands still. */
static void compare(const struct sim_setup *setup, const struct sim_result *whole,
                    const struct sim_result *one)
{
	assert_int_equal(one->deaths, 1);
	assert_int_equal(one->bad_acks, 0);
	if (whole->aborted > 0)
		return;
	assert_int_equal(one->connected, setup->sessions);
	assert_int_equal(one->resets, 0);
	assert_true(one->done_us != 0);
	/* where packets are lost anyway, one more may hit what was sent again already */
	if (one->done_us > whole->done_us + (setup->link.loss ? 4 : 1) * LATER_US)
		fail_msg("over after %llu ms instead of %llu",
		         (unsigned long long)one->done_us / 1000,
		         (unsigned long long)whole->done_us / 1000);
}

static void run_scenario(unsigned number, uint64_t only)
{
	struct sim_setup setup;
	struct sim_result whole, one;
	uint64_t verified = crash_verified();

	scenario = scenario_name(number);
	scenario_setup(number, &setup);
	setup.verify = 1;
	point = 0;
	whole = sim_run(&setup);
	assert_int_equal(whole.deaths, 0);
	assert_true(crash_verified() > verified);
	setup.verify = 0;
	for (uint64_t at = only ? only : 1; at <= (only ? only : whole.points); at++) {
		point = at;
		setup.death_at = at;
		one = sim_run(&setup);
		compare(&setup, &whole, &one);
	}
	point = 0;
	printf("# %-26s %6llu crash points\n", scenario, (unsigned long long)whole.points);
}

static void at_every_crash_point_the_next_engine_goes_on(void **state)
{
	uint64_t stage[CRASH_STAGES] = {0}, all = 0;

	(void)state;
	for (unsigned i = 0; scenario_name(i) != NULL; i++) {
		struct sim_setup setup;
		uint64_t before[CRASH_STAGES];

		for (unsigned s = 0; s < CRASH_STAGES; s++)
			before[s] = crash_passed_stage(s);
		scenario_setup(i, &setup);
		(void)sim_run(&setup);
		for (unsigned s = 0; s < CRASH_STAGES; s++)
			stage[s] += crash_passed_stage(s) - before[s];
		run_scenario(i, 0);
	}
	printf("# covered:");
	for (unsigned s = 0; s < CRASH_STAGES; s++) {
		assert_true(stage[s] > 0);
		printf(" %llu %s,", (unsigned long long)stage[s], crash_stage_name(s));
		all += stage[s];
	}
	printf(" %llu in all\n", (unsigned long long)all);
}

static void the_given_crash_point(void **state)
{
	unsigned number = 0;
	unsigned long long at = 0;

	(void)state;
	if (sscanf(getenv("CALMD_CRASH"), "%u/%llu", &number, &at) < 1 ||
	    scenario_name(number) == NULL)
		fail_msg("CALMD_CRASH is the number of a scenario, a slash, that of a point");
	run_scenario(number, at);
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test_teardown(at_every_crash_point_the_next_engine_goes_on, teardown),
	};
	const struct CMUnitTest one[] = {
		cmocka_unit_test_teardown(the_given_crash_point, teardown),
	};

	/* engines come and go by the thousand: their memory stays with the process */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	atexit(say_point);
	if (getenv("CALMD_CRASH"))
		return cmocka_run_group_tests_name("crash points", one, NULL, NULL);
	return cmocka_run_group_tests_name("crash points", all, NULL, NULL);
}
