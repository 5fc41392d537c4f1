/* The user timeout (RFC 9293, 3.8.3 and 3.9.1) and its option (RFC 5482). */
#include "tests/tcp/harness.h"

static void open_with(struct bed *bed, uint64_t user_timeout_us, bool option)
{
	struct stack_config config = bed_config();

	config.user_timeout_us = user_timeout_us;
	config.user_timeout_option = option;
	bed_open(bed, IP_V4, &config);
}

/* An ACK from the peer with the option. */
static void peer_says(struct bed *bed, uint32_t seconds)
{
	struct segment seg = peer_segment(bed, ACK);

	seg.has_user_timeout = true;
	seg.user_timeout_s = seconds;
	peer_send(bed, &seg);
}

static uint64_t effective(const struct bed *bed)
{
	return bed_conn(bed)->user_timeout_us / S;
}

/* ---- the time ---- */

static void unacknowledged_data_ends_it_exactly_then(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 20 * S, false);
	establish_with_worker(&bed, 65536, 65536);
	bed_pass(&bed, 3600 * S); /* idle time does not count */
	user_write(&bed, 500);
	bed_pass(&bed, 20 * S - 1);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 1);
	expect_state(&bed, TCP_CLOSED);
	assert_int_equal(bed.out[bed.outs - 1].seg.flags, RSTACK);
	assert_int_equal(worker_reset_reason(&bed.worker), RING_RESET_TIMEOUT);
	assert_int_equal(counter(&bed, timed_out), 1);
	bed_close(&bed);
}

static void each_acknowledged_byte_begins_it_anew(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 20 * S, false);
	establish_with_worker(&bed, 65536, 65536);
	user_write(&bed, 500);
	for (int i = 0; i < 10; i++) {
		bed_pass(&bed, 19 * S);
		bed.ack++;
		peer_flags(&bed, ACK);
		bed.outs = bed.expected = 0;
	}
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 20 * S);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

/* The application's limit goes before MUST-37 (RFC 6429, section 3). */
static void a_peer_that_answers_probes_but_takes_nothing_is_given_up(void **state)
{
	struct bed bed;
	uint64_t start;

	(void)state;
	open_with(&bed, 100 * S, false);
	establish_with_worker(&bed, 65536, 65536);
	bed.window = 0;
	peer_flags(&bed, ACK);
	bed_pass(&bed, 3600 * S);
	user_write(&bed, 500);
	start = bed.now_us;
	while (bed_state(&bed) == TCP_ESTABLISHED) {
		bed_pass_until_out(&bed, 101 * S);
		if (bed_state(&bed) == TCP_ESTABLISHED)
			peer_flags(&bed, ACK);
	}
	assert_int_equal(bed.now_us - start, 100 * S);
	bed_close(&bed);
}

static void a_window_that_opens_and_shuts_without_taking_anything_does_not_help(void **state)
{
	struct bed bed;
	uint64_t start;

	(void)state;
	open_with(&bed, 100 * S, false);
	bed.offer.scale = -1;
	establish_with_worker(&bed, 65536, 65536);
	bed.window = 0;
	peer_flags(&bed, ACK);
	user_write(&bed, 5000);
	start = bed.now_us;
	for (int i = 0; bed_state(&bed) == TCP_ESTABLISHED && i < 1000; i++) {
		bed_pass(&bed, S / 2);
		if (bed_state(&bed) != TCP_ESTABLISHED)
			break;
		bed.window = (uint16_t)(i % 2);
		peer_flags(&bed, ACK);
		bed.outs = bed.expected = 0;
	}
	assert_int_equal(bed.now_us - start, 100 * S);
	bed_close(&bed);
}

static void a_fin_that_is_not_acknowledged_counts_too(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 20 * S, false);
	establish_with_worker(&bed, 65536, 65536);
	bed_pass(&bed, 3600 * S);
	user_close(&bed);
	bed_pass(&bed, 20 * S - 1);
	expect_state(&bed, TCP_FIN_WAIT_1);
	bed_pass(&bed, 1);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

static void a_long_one_lets_more_be_sent_again_than_r2(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 48ULL * 3600 * S, false);
	establish_with_worker(&bed, 65536, 65536);
	user_write(&bed, 500);
	for (int i = 0; i < 47; i++) {
		bed_pass(&bed, 3600 * S);
		bed.outs = bed.expected = 0;
	}
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 3600 * S);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

static void it_outlives_a_take_over(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 20 * S, false);
	establish_with_worker(&bed, 65536, 65536);
	user_write(&bed, 500);
	bed_pass(&bed, 15 * S);
	bed_take_over(&bed);
	bed_pass(&bed, 5 * S - 1);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 1);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

/* ---- the option ---- */

static void rfc_5482_the_option_is_off_by_default(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 200 * S, false);
	establish_with_worker(&bed, 65536, 65536);
	peer_says(&bed, 400);
	assert_int_equal(effective(&bed), 200);
	user_write(&bed, 500);
	for (unsigned i = 0; i < bed.outs; i++)
		assert_false(bed.out[i].seg.has_user_timeout);
	bed_close(&bed);
}

static void rfc_5482_it_goes_with_the_syn_ack_and_the_first_segment_after_it(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 200 * S, true);
	establish_with_worker(&bed, 65536, 65536);
	user_write(&bed, 500);
	user_write(&bed, 500);
	assert_true(bed.out[0].seg.has_user_timeout); /* SYN-ACK */
	assert_int_equal(bed.out[0].seg.user_timeout_s, 200);
	assert_true(bed.out[1].seg.has_user_timeout);
	for (unsigned i = 2; i < bed.outs; i++)
		assert_false(bed.out[i].seg.has_user_timeout);
	bed_close(&bed);
}

static void rfc_5482_a_call_says_it_with_its_syn(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 0, true);
	(void)call_peer(&bed);
	assert_true(bed.out[0].seg.has_user_timeout);
	assert_int_equal(bed.out[0].seg.user_timeout_s, 300);
	bed_close(&bed);
}

static void it_waits_for_a_segment_that_has_room(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 200 * S, true);
	establish(&bed);
	attach(&bed, 65536, 65536);
	user_write(&bed, 3000);
	expect(&bed, ACK, 1, 1, 1460);
	expect(&bed, ACK, 1461, 1, 1460);
	assert_true(expect(&bed, ACK, 2921, 1, 80)->seg.has_user_timeout);
	assert_false(bed.out[1].seg.has_user_timeout);
	bed_close(&bed);
}

static void rfc_5482_the_peers_changes_ours_between_bounds(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 0, true);
	establish_with_worker(&bed, 65536, 65536);
	assert_int_equal(effective(&bed), 0);
	peer_says(&bed, 20);
	assert_int_equal(effective(&bed), 300); /* ADV_UTO */
	peer_says(&bed, 1000);
	assert_int_equal(effective(&bed), 1000);
	peer_says(&bed, 600 * 60);
	assert_int_equal(effective(&bed), 3600); /* U_LIMIT */
	user_write(&bed, 500);
	bed_pass(&bed, 500 * S);
	peer_says(&bed, 1); /* in the middle of a wait */
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 1);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

static void rfc_5482_a_configured_one_is_not_changed(void **state)
{
	struct bed bed;

	(void)state;
	open_with(&bed, 50 * S, true);
	establish_with_worker(&bed, 65536, 65536);
	peer_says(&bed, 1000);
	assert_int_equal(effective(&bed), 50);
	bed_close(&bed);
}

static void rfc_5482_that_of_a_syn_counts(void **state)
{
	struct bed bed;
	struct segment seg;

	(void)state;
	open_with(&bed, 0, true);
	seg = peer_segment(&bed, SYN);
	seg.has_user_timeout = true;
	seg.user_timeout_s = 700;
	peer_send(&bed, &seg);
	bed.seq++;
	bed.ack = expect(&bed, SYNACK, 0, 1, 0)->seg.seq + 1;
	peer_flags(&bed, ACK);
	expect_state(&bed, TCP_ESTABLISHED);
	assert_int_equal(effective(&bed), 700);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unacknowledged_data_ends_it_exactly_then),
		cmocka_unit_test(each_acknowledged_byte_begins_it_anew),
		cmocka_unit_test(a_peer_that_answers_probes_but_takes_nothing_is_given_up),
		cmocka_unit_test(
			a_window_that_opens_and_shuts_without_taking_anything_does_not_help),
		cmocka_unit_test(a_fin_that_is_not_acknowledged_counts_too),
		cmocka_unit_test(a_long_one_lets_more_be_sent_again_than_r2),
		cmocka_unit_test(it_outlives_a_take_over),
		cmocka_unit_test(rfc_5482_the_option_is_off_by_default),
		cmocka_unit_test(rfc_5482_it_goes_with_the_syn_ack_and_the_first_segment_after_it),
		cmocka_unit_test(rfc_5482_a_call_says_it_with_its_syn),
		cmocka_unit_test(it_waits_for_a_segment_that_has_room),
		cmocka_unit_test(rfc_5482_the_peers_changes_ours_between_bounds),
		cmocka_unit_test(rfc_5482_a_configured_one_is_not_changed),
		cmocka_unit_test(rfc_5482_that_of_a_syn_counts),
	};

	return cmocka_run_group_tests_name("user timeout", tests, NULL, NULL);
}
