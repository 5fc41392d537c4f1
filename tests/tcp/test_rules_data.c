/*
 * RFC 9293, 3.7.4, 3.8 and 3.10.7.4: what is sent when, windows, keepalive, urgent data, and
 * how input is acknowledged. Each test bears the label of the rule that it shows.
 */
#include "tests/tcp/harness.h"

#include "daemon/config.h"

/* No window scaling, so that numbers are what they say. */
static void open_plain(struct bed *bed, uint32_t rx)
{
	bed->offer.scale = -1;
	establish_with_worker(bed, rx, 65536);
}

/* ---- sending: 3.7.4, 3.9.1.2 ---- */

/* Nagle's algorithm is off: the second keystroke does not wait for the first one's ACK. */
static void must_17_a_keystroke_does_not_wait_for_the_one_before(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	for (uint32_t i = 0; i < 5; i++) {
		user_write(bed, 1);
		expect(bed, ACK, 1 + i, 1, 1);
	}
}

static void must_60_no_octet_waits_for_more(void **state)
{
	struct bed *bed = *state;
	uint64_t before;

	open_plain(bed, 16384);
	before = bed->now_us;
	user_write(bed, 1461);
	expect(bed, ACK, 1, 1, 1460);
	expect(bed, ACK, 1461, 1, 1);
	assert_int_equal(bed->out[bed->outs - 1].at_us, before);
}

static void must_61_the_last_segment_of_what_is_queued_has_psh(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	user_write(bed, 4000);
	assert_false(expect(bed, ACK, 1, 1, 1460)->seg.flags & PSH);
	assert_false(expect(bed, ACK, 1461, 1, 1460)->seg.flags & PSH);
	assert_true(expect(bed, ACK, 2921, 1, 1080)->seg.flags & PSH);
	user_write(bed, 1460);
	assert_true(expect(bed, ACK, 4001, 1, 1460)->seg.flags & PSH);
}

/* What a worker has written by the time it is looked at goes in segments as large as can be. */
static void shld_28_many_small_writes_make_full_segments(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->held = true;
	for (int i = 0; i < 40; i++)
		user_write(bed, 100);
	bed->held = false;
	bed_settle(bed);
	assert_false(expect(bed, ACK, 1, 1, 1460)->seg.flags & PSH);
	assert_false(expect(bed, ACK, 1461, 1, 1460)->seg.flags & PSH);
	assert_true(expect(bed, ACK, 2921, 1, 1080)->seg.flags & PSH);
	expect_nothing(bed);
}

/* ---- windows that shrink: 3.8.6 ---- */

/* Five segments are on their way when the peer takes most of its window back. */
static void shrink(struct bed *bed, uint16_t window)
{
	open_plain(bed, 16384);
	user_write(bed, 5 * 1460);
	assert_int_equal(peer_take(bed), 5);
	bed->ack = bed->iss + 1;
	bed->window = window;
	peer_flags(bed, ACK);
	assert_int_equal(info_of(bed).snd_wnd, window);
}

static void must_34_a_window_that_shrinks_does_no_harm(void **state)
{
	struct bed *bed = *state;

	shrink(bed, 2000);
	user_write(bed, 5000);
	expect_nothing(bed);
	bed->window = 30000;
	bed->ack = bed->iss + 1 + 5 * 1460;
	peer_flags(bed, ACK);
	while (bed->ack != bed->iss + 1 + 5 * 1460 + 5000)
		peer_ack(bed);
	assert_int_equal(worker_tx_tail(&bed->worker), 5 * 1460 + 5000);
	expect_state(bed, TCP_ESTABLISHED);
}

static void shld_15_nothing_new_goes_into_a_window_that_shrank(void **state)
{
	struct bed *bed = *state;
	uint32_t snd_nxt;

	shrink(bed, 2000);
	snd_nxt = bed_conn(bed)->snd_nxt;
	user_write(bed, 5000);
	expect_nothing(bed);
	/* one segment is taken: the edge stays, and so does snd_nxt */
	bed->ack = bed->iss + 1 + 1460;
	bed->window = 540;
	peer_flags(bed, ACK);
	bed_pass(bed, 3 * S);
	assert_int_equal(bed_conn(bed)->snd_nxt, snd_nxt);
	while (bed->expected < bed->outs) {
		const struct out *out = next_out(bed);

		assert_true(out->seq + out->seg.data_length <= 1 + 5 * 1460);
	}
}

static void shld_16_what_is_inside_a_window_that_shrank_is_sent_again(void **state)
{
	struct bed *bed = *state;

	shrink(bed, 2000);
	bed_pass_until_out(bed, 10 * S);
	expect(bed, ACK, 1, 1, 1460);
}

static void may_7_what_is_beyond_a_window_that_shrank_is_sent_again_too(void **state)
{
	struct bed *bed = *state;

	shrink(bed, 2000);
	bed->ack = bed->iss + 1 + 1460;
	bed->window = 540; /* the edge stays */
	peer_flags(bed, ACK);
	bed_pass_until_out(bed, 10 * S);
	expect(bed, ACK, 1461, 1, 1460);
}

/* The peer answers and takes what its window has room for, but no more, for longer than R2. */
static void shld_17_data_beyond_a_window_that_shrank_ends_nothing(void **state)
{
	struct bed *bed = *state;
	uint64_t start = bed->now_us;

	shrink(bed, 2000);
	bed->ack = bed->iss + 2001;
	bed->window = 0;
	peer_flags(bed, ACK);
	while (bed->now_us - start < 7200 * S) {
		bed_pass_until_out(bed, 61 * S);
		bed->outs = bed->expected = 0;
		peer_flags(bed, ACK);
	}
	expect_state(bed, TCP_ESTABLISHED);
}

static void must_35_a_window_that_shrank_to_zero_is_probed(void **state)
{
	struct bed *bed = *state;

	shrink(bed, 0);
	for (int i = 0; i < 5; i++) {
		bed_pass_until_out(bed, 61 * S);
		expect(bed, ACK, 1, 1, 1);
		peer_flags(bed, ACK);
	}
	bed->window = 30000;
	peer_flags(bed, ACK);
	while (bed->ack != bed->iss + 1 + 5 * 1460) {
		bed_pass(bed, S);
		peer_ack(bed);
	}
}

static void shld_29_the_first_probe_comes_after_the_retransmission_time_out(void **state)
{
	struct bed *bed = *state;
	uint64_t rto;

	open_plain(bed, 16384);
	bed->window = 0;
	peer_flags(bed, ACK);
	rto = info_of(bed).rto_us;
	user_write(bed, 100);
	assert_int_equal(bed_pass_until_out(bed, 61 * S), rto);
	expect(bed, ACK, 1, 1, 1);
	/* SHLD-30: and the next ones exponentially later */
	for (int i = 1; i < 6; i++) {
		peer_flags(bed, ACK);
		assert_int_equal(bed_pass_until_out(bed, 61 * S), rto << i);
		expect(bed, ACK, 1, 1, 1);
	}
}

/* A day long: each probe is answered, and the window stays as it is. */
static void may_8_our_window_may_stay_shut(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 4096);
	peer_data(bed, 4096);
	expect(bed, ACK, 1, 4097, 0);
	for (int minute = 0; minute < 1440; minute++) {
		bed_pass(bed, 60 * S);
		peer_data_at(bed, 4097, 1);
		assert_int_equal(expect(bed, ACK, 1, 4097, 0)->seg.window, 0);
		bed->outs = bed->expected = 0;
	}
	expect_state(bed, TCP_ESTABLISHED);
	user_take(bed, 4096);
	assert_int_equal(bed_pass_until_out(bed, S), 40 * MS);
	assert_int_equal(expect(bed, ACK, 1, 4097, 0)->seg.window, 4096);
}

/* ---- acknowledging: 3.8.6.3, 3.10.7.4 ---- */

static void must_59_one_ack_for_all_segments_that_were_queued(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->held = true;
	for (int i = 0; i < 7; i++)
		peer_data(bed, 1460);
	bed->held = false;
	bed_settle(bed);
	expect(bed, ACK, 1, 1 + 7 * 1460, 0);
	expect_nothing(bed);
}

static void must_58_data_that_goes_out_anyway_carries_the_ack_of_many(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->held = true;
	for (int i = 0; i < 7; i++)
		peer_data(bed, 1460);
	user_write(bed, 10);
	bed->held = false;
	bed_settle(bed);
	expect(bed, ACK, 1, 1 + 7 * 1460, 10);
	expect_nothing(bed);
	bed_pass(bed, S);
	while (bed->expected < bed->outs)
		assert_int_equal(next_out(bed)->seg.data_length, 10); /* only sent again */
}

static void shld_31_what_comes_before_its_turn_is_kept(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	peer_data_at(bed, 1461, 1460);
	peer_data_at(bed, 4381, 1460);
	peer_take(bed);
	assert_int_equal(worker_waiting(&bed->worker), 0);
	peer_data_at(bed, 1, 1460);
	expect(bed, ACK, 1, 2921, 0);
	peer_data_at(bed, 2921, 1460);
	expect(bed, ACK, 1, 5841, 0);
	user_take(bed, 5840);
}

/* ---- urgent data: 3.8.5 ---- */

/* 146 kB, more than a pointer can span: it moves on with the data. */
static void must_31_urgent_data_may_be_of_any_length(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	for (uint32_t i = 1; i <= 100; i++) {
		peer_urgent(bed, 1460, 1460);
		assert_int_equal(worker_rx_urgent(&bed->worker), i * 1460);
		assert_int_equal(worker_take(&bed->worker, NULL, 1460), 1460);
		user_ring(bed);
		peer_take(bed);
	}
	peer_data(bed, 100);
	assert_int_equal(worker_rx_urgent(&bed->worker), 100 * 1460);
}

static void must_32_the_application_is_told_whenever_the_pointer_moves(void **state)
{
	struct bed *bed = *state;
	unsigned before;

	open_plain(bed, 16384);
	worker_sleep(&bed->worker, true);
	before = bed->doorbells;
	peer_urgent(bed, 0, 500);
	assert_int_equal(bed->doorbells, before + 1);
	peer_urgent(bed, 0, 500); /* the same is no news */
	assert_int_equal(bed->doorbells, before + 1);
	peer_urgent(bed, 0, 501);
	assert_int_equal(bed->doorbells, before + 2);
	assert_int_equal(worker_rx_urgent(&bed->worker), 501);
}

static void must_33_how_much_urgent_data_is_left_can_be_told(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	peer_urgent(bed, 100, 300);
	assert_int_equal(worker_rx_urgent(&bed->worker) - bed->worker.rx_tail, 300);
	assert_int_equal(worker_take(&bed->worker, NULL, 40), 40);
	user_ring(bed);
	assert_int_equal(worker_rx_urgent(&bed->worker) - bed->worker.rx_tail, 260);
}

/* ---- keepalive: 3.8.4 ---- */

static void open_keepalive(struct bed *bed, uint64_t interval_us)
{
	struct stack_config config = bed_config();

	config.keepalive_us = interval_us;
	bed_open(bed, IP_V4, &config);
	open_plain(bed, 16384);
}

static void must_27_the_keepalive_interval_is_what_is_configured(void **state)
{
	static const uint64_t intervals[] = {10 * S, 7200 * S, 86400 * S};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct bed bed;

		open_keepalive(&bed, intervals[i]);
		bed_pass(&bed, intervals[i]);
		peer_take(&bed);
		peer_flags(&bed, ACK); /* from here on */
		assert_int_equal(bed_pass_until_out(&bed, intervals[i] + S), intervals[i]);
		expect(&bed, ACK, 0, 1, 0);
		bed_close(&bed);
	}
}

static void must_28_the_default_interval_is_no_less_than_two_hours(void **state)
{
	struct config_source source = {0};
	char error[CONFIG_ERROR_MAX];
	struct config config;

	(void)state;
	assert_int_equal(config_load(&source, &config, error), 0);
	assert_true(config.keepalive_us >= 7200 * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(must_17_a_keystroke_does_not_wait_for_the_one_before),
		with_bed(must_60_no_octet_waits_for_more),
		with_bed(must_61_the_last_segment_of_what_is_queued_has_psh),
		with_bed(shld_28_many_small_writes_make_full_segments),
		with_bed(must_34_a_window_that_shrinks_does_no_harm),
		with_bed(shld_15_nothing_new_goes_into_a_window_that_shrank),
		with_bed(shld_16_what_is_inside_a_window_that_shrank_is_sent_again),
		with_bed(may_7_what_is_beyond_a_window_that_shrank_is_sent_again_too),
		with_bed(shld_17_data_beyond_a_window_that_shrank_ends_nothing),
		with_bed(must_35_a_window_that_shrank_to_zero_is_probed),
		with_bed(shld_29_the_first_probe_comes_after_the_retransmission_time_out),
		with_bed(may_8_our_window_may_stay_shut),
		with_bed(must_59_one_ack_for_all_segments_that_were_queued),
		with_bed(must_58_data_that_goes_out_anyway_carries_the_ack_of_many),
		with_bed(shld_31_what_comes_before_its_turn_is_kept),
		with_bed(must_31_urgent_data_may_be_of_any_length),
		with_bed(must_32_the_application_is_told_whenever_the_pointer_moves),
		with_bed(must_33_how_much_urgent_data_is_left_can_be_told),
		cmocka_unit_test(must_27_the_keepalive_interval_is_what_is_configured),
		cmocka_unit_test(must_28_the_default_interval_is_no_less_than_two_hours),
	};

	return cmocka_run_group_tests_name("rules of data", tests, NULL, NULL);
}
