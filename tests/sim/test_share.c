/*
 * Two connections over one bottleneck: each gets between a third and two thirds of it
 * over a minute, whoever came first, BBR and CUBIC alike. With CALMD_LONG more seeds;
 * $CALMD_SEED is the first one.
 */
#include "tests/unit/random.h"

#include <malloc.h>

#include "tests/sim/bulk.h"

#define SECOND   UINT64_C(1000000)
#define DURATION (60 * SECOND)
#define RTT_MS   20u
#define BETWEEN  (SECOND / 10) /* the second one comes at most so much later */

static bool is_long(void)
{
	return getenv("CALMD_LONG") != NULL;
}

/* The first one's percentage of what arrives; nine tenths of the rate do at least. */
static double share(enum congestion_algorithm first, enum congestion_algorithm second,
                    uint64_t seed)
{
	struct random random = {.state = seed};
	struct bulk setup = {
		.flows = 2,
		.algorithm = {first, second},
		.rtt_ms = RTT_MS,
		.jitter_us = 30, /* less than a segment takes: keeps the order */
		.duration_us = DURATION,
		.seed = seed,
	};
	struct bulk_result result;
	uint64_t all;

	setup.start_us[random_below(&random, 2)] = random_below(&random, BETWEEN);
	result = bulk_run(&setup);
	all = result.bytes[0] + result.bytes[1];
	assert_in_range(all, BULK_RATE / 10 * 9 * (DURATION / SECOND),
	                BULK_RATE * (DURATION / SECOND));
	return 100 * (double)result.bytes[0] / (double)all;
}

static void check_shares(enum congestion_algorithm first, enum congestion_algorithm second,
                         double least, double most)
{
	struct congestion cc[2] = {{.algorithm = first}, {.algorithm = second}};
	const char *chosen = getenv("CALMD_SEED");
	uint64_t seed = chosen != NULL ? strtoull(chosen, NULL, 0) : 1;
	unsigned runs = is_long() ? 20 : 1;

	for (unsigned i = 0; i < runs; i++, seed++) {
		double part = share(first, second, seed);

		printf("# %s beside %s, seed %llu: %.1f %%\n", congestion_ops(&cc[0])->name,
		       congestion_ops(&cc[1])->name, (unsigned long long)seed, part);
		if (part < least || part > most)
			fail_msg("it is not between %.1f and %.1f %%", least, most);
	}
}

/* Our CUBIC gets a few percent more beside BBR than a kernel's, which does not pace. */
static void bbr_leaves_cubic_its_share(void **state)
{
	(void)state;
	check_shares(CONGESTION_BBR, CONGESTION_CUBIC, 40, 58);
}

static void two_of_bbr_share(void **state)
{
	(void)state;
	if (!is_long())
		skip(); /* tests/unit/test_bbr has it in short */
	check_shares(CONGESTION_BBR, CONGESTION_BBR, 100 / 3.0, 200 / 3.0);
}

static void two_of_cubic_share(void **state)
{
	(void)state;
	if (!is_long())
		skip(); /* they have never been far apart */
	check_shares(CONGESTION_CUBIC, CONGESTION_CUBIC, 100 / 3.0, 200 / 3.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bbr_leaves_cubic_its_share),
		cmocka_unit_test(two_of_bbr_share),
		cmocka_unit_test(two_of_cubic_share),
	};

	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
