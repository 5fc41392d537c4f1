/*
 * The simulator over many seeds: $CALMD_SIM_SEEDS runs of each kind (10000 by default,
 * 200000 with CALMD_LONG, 0: without end) from $CALMD_SEED on, each of which it prints
 * when it fails; CALMD_SIM_SEEDS=1 with the printed CALMD_SEED runs that one again.
 */
#include <malloc.h>

#include "tests/sim/crash.h"
#include "tests/sim/hostile.h"
#include "tests/sim/sim.h"

#define SEEDS      10000u
#define SEEDS_LONG 200000u
#define TELL_EVERY 5000u /* of seeds without end */

static uint64_t running;

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *given = getenv(name);

	return given != NULL ? strtoull(given, NULL, 0) : otherwise;
}

static uint64_t first_seed(void)
{
	return setting("CALMD_SEED", 1);
}

static uint64_t seeds(void)
{
	return setting("CALMD_SIM_SEEDS", getenv("CALMD_LONG") != NULL ? SEEDS_LONG : SEEDS);
}

/* Also tells the seed when an assertion or a sanitizer ends the program. */
static int say_seed(void **state)
{
	(void)state;
	crash_forget();
	if (running != 0)
		fprintf(stderr, "failed with CALMD_SIM_SEEDS=1 CALMD_SEED=%llu\n",
		        (unsigned long long)running);
	return 0;
}

static void say_seed_at_exit(void)
{
	(void)say_seed(NULL);
}

/* ---- runs ---- */

static void honest_run(uint64_t seed, struct sim_result *all)
{
	struct sim_setup setup;
	struct sim_result one;

	running = seed;
	sim_setup_random(&setup, seed);
	one = sim_run(&setup);
	all->events += one.events;
	all->bytes += one.bytes;
	all->deaths += one.deaths;
	all->points += one.points;
	all->attacks += one.attacks;
	all->virtual_us += one.virtual_us;
	if (getenv("CALMD_SIM_VERBOSE"))
		fprintf(stderr, "%llu: %llu events, %llu bytes, %llu s\n", (unsigned long long)seed,
		        (unsigned long long)one.events, (unsigned long long)one.bytes,
		        (unsigned long long)one.virtual_us / 1000000);
}

static void every_byte_arrives_over_any_network_and_across_take_overs(void **state)
{
	struct sim_result all = {0};
	uint64_t count = seeds();

	(void)state;
	for (uint64_t i = 0; i < count; i++)
		honest_run(first_seed() + i, &all);
	running = 0;
	printf("# %llu runs: %llu events, %llu bytes, %llu take-overs at one of %llu crash points, "
	       "%llu undo records verified, %llu forgeries, %llu hours\n",
	       (unsigned long long)count, (unsigned long long)all.events,
	       (unsigned long long)all.bytes, (unsigned long long)all.deaths,
	       (unsigned long long)all.points, (unsigned long long)crash_verified(),
	       (unsigned long long)all.attacks, (unsigned long long)(all.virtual_us / 3600000000));
}

static void no_peer_breaks_the_engine(void **state)
{
	struct hostile_result all = {0};
	uint64_t count = seeds();

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		struct hostile_result one;

		running = first_seed() + i;
		one = hostile_run(running);
		all.segments += one.segments;
		all.answers += one.answers;
		all.connections += one.connections;
		all.deaths += one.deaths;
	}
	running = 0;
	printf("# %llu runs: %llu hostile segments, %llu answers, %llu connections served, "
	       "%llu take-overs\n",
	       (unsigned long long)count, (unsigned long long)all.segments,
	       (unsigned long long)all.answers, (unsigned long long)all.connections,
	       (unsigned long long)all.deaths);
}

static void seeds_without_end(void **state)
{
	struct sim_result all = {0};

	(void)state;
	for (uint64_t seed = first_seed();; seed++) {
		honest_run(seed, &all);
		(void)hostile_run(seed);
		if (seed % TELL_EVERY == 0)
			fprintf(stderr, "# up to seed %llu\n", (unsigned long long)seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_byte_arrives_over_any_network_and_across_take_overs,
	                                  say_seed),
		cmocka_unit_test_teardown(no_peer_breaks_the_engine, say_seed),
	};
	const struct CMUnitTest endless[] = {
		cmocka_unit_test_teardown(seeds_without_end, say_seed),
	};

	/* engines come and go by the thousand: their memory stays with the process */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	atexit(say_seed_at_exit);
	if (seeds() == 0)
		return cmocka_run_group_tests_name("simulator", endless, NULL, NULL);
	return cmocka_run_group_tests_name("simulator", tests, NULL, NULL);
}
