/* stack/rtt.c: the arithmetic of RFC 6298. */
#include "tests/unit/random.h"

#include "stack/rtt.h"

#define MS UINT64_C(1000)

static void without_a_sample_the_timeout_is_a_second(void **state)
{
	struct rtt rtt;

	(void)state;
	rtt_init(&rtt);
	assert_int_equal(rtt_timeout(&rtt), 1000 * MS);
	assert_true(rtt_valid(&rtt));
}

static void the_first_sample_sets_srtt_and_half_of_it_as_variance(void **state)
{
	struct rtt rtt;

	(void)state;
	rtt_init(&rtt);
	rtt_sample(&rtt, 500 * MS);
	assert_int_equal(rtt.srtt_us, 500 * MS);
	assert_int_equal(rtt.rttvar_us, 250 * MS);
	assert_int_equal(rtt_timeout(&rtt), 1500 * MS);
	assert_int_equal(rtt.min_us, 500 * MS);
	assert_int_equal(rtt.latest_us, 500 * MS);
}

static void later_samples_are_weighed_in_with_an_eighth_and_a_quarter(void **state)
{
	struct rtt rtt;

	(void)state;
	rtt_init(&rtt);
	rtt_sample(&rtt, 800 * MS);
	rtt_sample(&rtt, 400 * MS);
	assert_int_equal(rtt.rttvar_us, 3 * 400 * MS / 4 + 400 * MS / 4);
	assert_int_equal(rtt.srtt_us, 7 * 800 * MS / 8 + 400 * MS / 8);
	assert_int_equal(rtt_timeout(&rtt), rtt.srtt_us + 4 * rtt.rttvar_us);
	assert_int_equal(rtt.min_us, 400 * MS);
	assert_int_equal(rtt.samples, 2);
}

static void a_steady_path_still_leaves_room_for_a_delayed_ack(void **state)
{
	struct rtt rtt;

	(void)state;
	rtt_init(&rtt);
	for (int i = 0; i < 1000; i++)
		rtt_sample(&rtt, 100 * MS);
	assert_int_equal(rtt.srtt_us, 100 * MS);
	assert_int_equal(rtt_timeout(&rtt), 100 * MS + RTO_MIN_US);
}

static void every_expiry_doubles_the_timeout_up_to_a_minute(void **state)
{
	struct rtt rtt;

	(void)state;
	rtt_init(&rtt);
	for (int i = 0; i < 100; i++) {
		uint64_t expected = i < 6 ? 1000 * MS << i : RTO_MAX_US;

		assert_int_equal(rtt_timeout(&rtt), expected);
		assert_true(rtt_valid(&rtt));
		rtt_backoff(&rtt);
	}
}

static void a_sample_ends_the_back_off(void **state)
{
	struct rtt rtt;

	(void)state;
	rtt_init(&rtt);
	rtt_sample(&rtt, 500 * MS);
	rtt_backoff(&rtt);
	assert_int_equal(rtt_timeout(&rtt), 3000 * MS);
	rtt_sample(&rtt, 500 * MS);
	assert_int_equal(rtt.backoff, 0);
	assert_true(rtt_timeout(&rtt) < 1500 * MS);
}

static void any_samples_keep_the_timeout_within_its_bounds(void **state)
{
	struct random random = random_start();
	struct rtt rtt;

	(void)state;
	rtt_init(&rtt);
	for (int i = 0; i < 100000; i++) {
		uint64_t sample = random_next(&random) >> random_below(&random, 64);

		rtt_sample(&rtt, i % 1000 == 0 ? 0 : sample);
		assert_true(rtt_timeout(&rtt) >= RTO_MIN_US && rtt_timeout(&rtt) <= RTO_MAX_US);
		assert_true(rtt.srtt_us >= 1);
		assert_true(rtt_valid(&rtt));
		for (uint32_t n = random_below(&random, 40); i % 10 == 0 && n > 0; n--)
			rtt_backoff(&rtt);
		assert_true(rtt_timeout(&rtt) <= RTO_MAX_US);
		assert_true(rtt_valid(&rtt));
	}
}

static void what_the_functions_cannot_have_made_is_not_valid(void **state)
{
	struct rtt good, bad;

	(void)state;
	rtt_init(&good);
	bad = good;
	bad.rto_us = 1;
	assert_false(rtt_valid(&bad));
	bad = good;
	bad.srtt_us = 1;
	assert_false(rtt_valid(&bad));
	bad = good;
	bad.backoff = 1000;
	assert_false(rtt_valid(&bad));
	rtt_sample(&good, 10 * MS);
	assert_true(rtt_valid(&good));
	bad = good;
	bad.srtt_us = UINT64_MAX;
	assert_false(rtt_valid(&bad));
	bad = good;
	bad.rttvar_us = UINT64_MAX;
	assert_false(rtt_valid(&bad));
	bad = good;
	bad.min_us = 11 * MS;
	assert_false(rtt_valid(&bad));
	bad.min_us = 0;
	assert_false(rtt_valid(&bad));
	bad = good;
	bad.latest_us = RTO_MAX_US + 1;
	assert_false(rtt_valid(&bad));
	bad = good;
	bad.rto_us++;
	assert_false(rtt_valid(&bad));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_sample_the_timeout_is_a_second),
		cmocka_unit_test(the_first_sample_sets_srtt_and_half_of_it_as_variance),
		cmocka_unit_test(later_samples_are_weighed_in_with_an_eighth_and_a_quarter),
		cmocka_unit_test(a_steady_path_still_leaves_room_for_a_delayed_ack),
		cmocka_unit_test(every_expiry_doubles_the_timeout_up_to_a_minute),
		cmocka_unit_test(a_sample_ends_the_back_off),
		cmocka_unit_test(any_samples_keep_the_timeout_within_its_bounds),
		cmocka_unit_test(what_the_functions_cannot_have_made_is_not_valid),
	};

	return cmocka_run_group_tests_name("rtt", tests, NULL, NULL);
}
