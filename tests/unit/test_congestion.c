/* stack/congestion.c and stack/reno.c: windows by RFC 5681, 6928 and 3465. */
#include "tests/unit/random.h"

#include "stack/congestion.h"

#define MSS 1000

static struct congestion reno(uint32_t cwnd, uint32_t ssthresh)
{
	struct congestion cc;

	congestion_init(&cc, CONGESTION_RENO, MSS, NULL, 0);
	cc.cwnd = cwnd;
	cc.ssthresh = ssthresh;
	return cc;
}

static void ack(struct congestion *cc, uint32_t bytes)
{
	const struct congestion_ack ack = {
		.acked_bytes = bytes, .in_flight_before = cc->cwnd, .cwnd_limited = true};

	congestion_ops(cc)->on_ack(cc, &ack);
}

static void the_initial_window_is_that_of_rfc_6928(void **state)
{
	(void)state;
	assert_int_equal(congestion_initial_window(536), 5360);
	assert_int_equal(congestion_initial_window(1460), 14600);
	assert_int_equal(congestion_initial_window(1461), 14600);
	assert_int_equal(congestion_initial_window(8960), 17920);
	assert_int_equal(congestion_initial_window(65495), 130990);
	assert_int_equal(congestion_initial_window(UINT32_MAX), UINT32_MAX);
}

static void algorithms_are_found_by_name_and_number(void **state)
{
	struct congestion cc;

	(void)state;
	assert_int_equal(congestion_find("reno"), CONGESTION_RENO);
	assert_int_equal(congestion_find("vegas"), -1);
	assert_int_equal(congestion_find(""), -1);
	congestion_init(&cc, CONGESTION_ALGORITHMS, MSS, NULL, 0);
	assert_int_equal(cc.algorithm, CONGESTION_RENO);
	cc.algorithm = CONGESTION_ALGORITHMS;
	assert_ptr_equal(congestion_ops(&cc), &congestion_reno);
	cc.algorithm = UINT32_MAX;
	assert_ptr_equal(congestion_ops(&cc), &congestion_reno);
}

static void a_connection_begins_in_slow_start(void **state)
{
	struct congestion cc;

	(void)state;
	congestion_init(&cc, CONGESTION_RENO, MSS, NULL, 0);
	assert_int_equal(cc.cwnd, 10 * MSS);
	assert_int_equal(cc.ssthresh, CONGESTION_SSTHRESH_INFINITE);
	assert_int_equal(cc.mss, MSS);
}

static void slow_start_grows_by_what_is_acknowledged_up_to_two_segments(void **state)
{
	struct congestion cc = reno(10 * MSS, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	ack(&cc, 300);
	assert_int_equal(cc.cwnd, 10 * MSS + 300);
	ack(&cc, 2 * MSS);
	assert_int_equal(cc.cwnd, 12 * MSS + 300);
	ack(&cc, 5 * MSS);
	assert_int_equal(cc.cwnd, 14 * MSS + 300);
}

static void slow_start_ends_at_ssthresh_and_the_rest_counts_on(void **state)
{
	struct congestion cc = reno(10 * MSS, 10 * MSS + 500);

	(void)state;
	ack(&cc, 2 * MSS);
	assert_int_equal(cc.cwnd, 10 * MSS + 500);
	ack(&cc, 9 * MSS - 1); /* 1500 were left over */
	assert_int_equal(cc.cwnd, 10 * MSS + 500);
	ack(&cc, 1);
	assert_int_equal(cc.cwnd, 11 * MSS + 500);
}

static void congestion_avoidance_grows_by_a_segment_a_window(void **state)
{
	struct congestion cc = reno(10 * MSS, 10 * MSS);

	(void)state;
	for (int i = 0; i < 9; i++)
		ack(&cc, MSS);
	assert_int_equal(cc.cwnd, 10 * MSS);
	ack(&cc, MSS);
	assert_int_equal(cc.cwnd, 11 * MSS);
	ack(&cc, 1000 * MSS);
	assert_int_equal(cc.cwnd, 12 * MSS);
}

static void a_window_that_is_not_the_limit_does_not_grow(void **state)
{
	struct congestion cc = reno(10 * MSS, CONGESTION_SSTHRESH_INFINITE);
	const struct congestion_ack ack = {.acked_bytes = MSS, .cwnd_limited = false};

	(void)state;
	congestion_ops(&cc)->on_ack(&cc, &ack);
	assert_int_equal(cc.cwnd, 10 * MSS);
}

static void the_window_does_not_grow_during_recovery(void **state)
{
	struct congestion cc = reno(10 * MSS, 5 * MSS);
	const struct congestion_ack ack = {
		.acked_bytes = 100 * MSS, .cwnd_limited = true, .in_recovery = true};

	(void)state;
	congestion_ops(&cc)->on_ack(&cc, &ack);
	assert_int_equal(cc.cwnd, 10 * MSS);
}

static void a_loss_halves_what_was_in_flight(void **state)
{
	struct congestion cc = reno(20 * MSS, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	congestion_ops(&cc)->on_loss(&cc, 16 * MSS, 0);
	assert_int_equal(cc.ssthresh, 8 * MSS);
	assert_int_equal(cc.cwnd, 8 * MSS);
	congestion_ops(&cc)->on_recovered(&cc, 0);
	assert_int_equal(cc.cwnd, 8 * MSS);
	congestion_ops(&cc)->on_loss(&cc, MSS, 0);
	assert_int_equal(cc.ssthresh, 2 * MSS);
	assert_int_equal(cc.cwnd, 2 * MSS);
}

static void a_timeout_leaves_one_segment_and_halves_only_once(void **state)
{
	struct congestion cc = reno(20 * MSS, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	congestion_ops(&cc)->on_timeout(&cc, 16 * MSS, true, 0);
	assert_int_equal(cc.ssthresh, 8 * MSS);
	assert_int_equal(cc.cwnd, MSS);
	congestion_ops(&cc)->on_timeout(&cc, MSS, false, 0);
	assert_int_equal(cc.ssthresh, 8 * MSS);
	assert_int_equal(cc.cwnd, MSS);
}

static void slow_start_after_a_timeout_grows_by_one_segment_an_ack(void **state)
{
	struct congestion cc = reno(20 * MSS, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	congestion_ops(&cc)->on_timeout(&cc, 8 * MSS, true, 0);
	ack(&cc, 10 * MSS);
	assert_int_equal(cc.cwnd, 2 * MSS);
	congestion_ops(&cc)->on_recovered(&cc, 0);
	ack(&cc, 10 * MSS);
	assert_int_equal(cc.cwnd, 3 * MSS);
	ack(&cc, 10 * MSS);
	assert_int_equal(cc.cwnd, 4 * MSS); /* ssthresh */
	ack(&cc, 4 * MSS);
	assert_int_equal(cc.cwnd, 5 * MSS);
	cc.ssthresh = CONGESTION_SSTHRESH_INFINITE;
	ack(&cc, 10 * MSS);
	assert_int_equal(cc.cwnd, 7 * MSS);
}

static void a_loss_ends_the_caution_after_a_timeout(void **state)
{
	struct congestion cc = reno(20 * MSS, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	congestion_ops(&cc)->on_timeout(&cc, 16 * MSS, true, 0);
	congestion_ops(&cc)->on_loss(&cc, 16 * MSS, 0);
	assert_int_equal(cc.cwnd, MSS); /* a loss makes it no larger */
	cc.ssthresh = CONGESTION_SSTHRESH_INFINITE;
	ack(&cc, 10 * MSS);
	assert_int_equal(cc.cwnd, 3 * MSS);
}

static void a_reduction_that_was_wrong_is_taken_back(void **state)
{
	struct congestion cc = reno(20 * MSS, 18 * MSS);

	(void)state;
	congestion_ops(&cc)->on_loss(&cc, 16 * MSS, 0);
	congestion_ops(&cc)->on_undo(&cc, 0);
	assert_int_equal(cc.cwnd, 20 * MSS);
	assert_int_equal(cc.ssthresh, 18 * MSS);
	congestion_ops(&cc)->on_timeout(&cc, 16 * MSS, true, 0);
	congestion_ops(&cc)->on_timeout(&cc, MSS, false, 0);
	congestion_ops(&cc)->on_undo(&cc, 0);
	assert_int_equal(cc.cwnd, 20 * MSS);
	assert_int_equal(cc.ssthresh, 18 * MSS);
	cc.cwnd = 4 * MSS; /* once */
	congestion_ops(&cc)->on_undo(&cc, 0);
	assert_int_equal(cc.cwnd, 4 * MSS);
}

static void a_mark_halves_like_a_loss_and_is_not_taken_back(void **state)
{
	struct congestion cc = reno(20 * MSS, CONGESTION_SSTHRESH_INFINITE);
	const struct congestion_ack echo = {.acked_bytes = MSS, .cwnd_limited = true, .ece = true};

	(void)state;
	congestion_ops(&cc)->on_ecn(&cc, 16 * MSS, 0);
	assert_int_equal(cc.cwnd, 8 * MSS);
	congestion_ops(&cc)->on_undo(&cc, 0);
	assert_int_equal(cc.cwnd, 8 * MSS);
	cc.ssthresh = CONGESTION_SSTHRESH_INFINITE;
	congestion_ops(&cc)->on_ack(&cc, &echo);
	assert_int_equal(cc.cwnd, 8 * MSS);
}

static void an_mss_of_zero_still_sends(void **state)
{
	struct congestion cc;

	(void)state;
	congestion_init(&cc, CONGESTION_RENO, 0, NULL, 0);
	assert_int_equal(cc.mss, 1);
	assert_int_equal(cc.cwnd, 10);
}

static void any_events_keep_the_window_between_a_segment_and_a_gibibyte(void **state)
{
	struct random random = random_start();
	struct congestion cc = reno(10 * MSS, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint32_t bytes =
			(uint32_t)(random_next(&random) >> (32 + random_below(&random, 32)));
		uint32_t before = cc.cwnd, what = random_below(&random, 1000);

		if (what == 0)
			congestion_ops(&cc)->on_loss(&cc, bytes, 0);
		else if (what == 1)
			congestion_ops(&cc)->on_timeout(&cc, bytes, bytes & 1, 0);
		else
			ack(&cc, bytes);
		if (what > 1) {
			assert_true(cc.cwnd >= before || before > 1 << 30);
			assert_true(cc.cwnd <= before + 2 * MSS);
		}
		assert_true(cc.cwnd >= MSS);
		assert_true(cc.ssthresh >= 2 * MSS);
	}
	cc = reno((1 << 30) - 1, CONGESTION_SSTHRESH_INFINITE);
	ack(&cc, 2 * MSS);
	ack(&cc, 2 * MSS);
	assert_int_equal(cc.cwnd, 1 << 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_initial_window_is_that_of_rfc_6928),
		cmocka_unit_test(algorithms_are_found_by_name_and_number),
		cmocka_unit_test(a_connection_begins_in_slow_start),
		cmocka_unit_test(slow_start_grows_by_what_is_acknowledged_up_to_two_segments),
		cmocka_unit_test(slow_start_ends_at_ssthresh_and_the_rest_counts_on),
		cmocka_unit_test(congestion_avoidance_grows_by_a_segment_a_window),
		cmocka_unit_test(a_window_that_is_not_the_limit_does_not_grow),
		cmocka_unit_test(the_window_does_not_grow_during_recovery),
		cmocka_unit_test(a_loss_halves_what_was_in_flight),
		cmocka_unit_test(a_timeout_leaves_one_segment_and_halves_only_once),
		cmocka_unit_test(slow_start_after_a_timeout_grows_by_one_segment_an_ack),
		cmocka_unit_test(a_loss_ends_the_caution_after_a_timeout),
		cmocka_unit_test(a_reduction_that_was_wrong_is_taken_back),
		cmocka_unit_test(a_mark_halves_like_a_loss_and_is_not_taken_back),
		cmocka_unit_test(an_mss_of_zero_still_sends),
		cmocka_unit_test(any_events_keep_the_window_between_a_segment_and_a_gibibyte),
	};

	return cmocka_run_group_tests_name("congestion", tests, NULL, NULL);
}
