/*
 * What is lost and sent again (RFC 6298, 5681, 6582, 6675, 7323), and how the congestion
 * window grows and shrinks.
 */
#include "tests/tcp/harness.h"

#define MSS 1000u

/* A connection with segments of 1000 bytes and a round trip of 100 ms. */
static void open_with(struct bed *bed, bool sack, bool timestamps)
{
	bed->offer = (struct offer){
		.mss = timestamps ? MSS + 12 : MSS,
		.scale = 7,
		.timestamps = timestamps,
		.sack = sack,
	};
	peer_syn(bed);
	bed_pass(bed, 100 * MS);
	peer_flags(bed, ACK);
	attach(bed, 65536, 262144);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
}

/* ---- the timer ---- */

static void rfc_6298_lost_data_is_sent_again_with_doubling_intervals(void **state)
{
	struct bed *bed = *state;
	uint64_t rto = 300 * MS; /* srtt 100 ms, and at least 200 ms for its variance */

	open_with(bed, false, false);
	user_write(bed, 500);
	expect(bed, ACK, 1, 1, 500);
	assert_int_equal(info_of(bed).rto_us, rto);
	for (int i = 0; i < 8; i++, rto *= 2) {
		uint64_t waited = bed_pass_until_out(bed, 61 * S);

		assert_int_equal(waited, rto < 60 * S ? rto : 60 * S);
		expect(bed, ACK, 1, 1, 500);
	}
	assert_int_equal(info_of(bed).counters.timeouts, 8);
	assert_int_equal(counter(bed, retrans_segs), 8);
	assert_int_equal(counter(bed, out_segs), bed->outs - 8);
}

static void rfc_6298_an_ack_of_new_data_starts_the_timer_again(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	user_write(bed, 2 * MSS);
	peer_take(bed);
	bed_pass(bed, 200 * MS);
	peer_sack(bed, 1 + MSS, 0u);
	bed_pass(bed, 200 * MS);
	expect_nothing(bed);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1 + MSS, 1, MSS);
}

static void rfc_6298_no_timer_runs_when_everything_is_acknowledged(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	user_write(bed, 500);
	peer_ack(bed);
	assert_int_equal(info_of(bed).timer_retransmit_us, TIMER_NEVER);
	bed_pass(bed, 3600 * S);
	expect_nothing(bed);
}

static void karn_the_back_off_stays_until_a_round_trip_is_measured(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	user_write(bed, 500);
	expect(bed, ACK, 1, 1, 500);
	bed_pass_until_out(bed, S);
	bed_pass_until_out(bed, S);
	peer_ack(bed); /* of which of the three? */
	assert_int_equal(info_of(bed).backoff, 2);
	assert_int_equal(info_of(bed).srtt_us, 100 * MS);
	user_write(bed, 500);
	bed_pass(bed, 150 * MS);
	peer_ack(bed);
	assert_int_equal(info_of(bed).backoff, 0);
	assert_true(info_of(bed).srtt_us > 100 * MS);
}

static void rfc_7323_the_echo_tells_which_of_them_was_acknowledged(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, true);
	user_write(bed, 500);
	expect(bed, ACK, 1, 1, 500);
	bed_pass_until_out(bed, S);
	bed_pass(bed, 100 * MS);
	peer_ack(bed);
	assert_int_equal(info_of(bed).backoff, 0);
	assert_in_range(info_of(bed).srtt_us, 99 * MS, 102 * MS);
}

static void must_20_a_peer_that_acknowledges_nothing_is_given_up(void **state)
{
	struct bed *bed = *state;
	uint64_t start;

	open_with(bed, true, false);
	start = bed->now_us;
	user_write(bed, 500);
	while (bed_state(bed) == TCP_ESTABLISHED)
		bed_pass(bed, S);
	/* R2: at least 100 seconds */
	assert_in_range(bed->now_us - start, 100 * S, 3600 * S);
	assert_int_equal(bed->out[bed->outs - 1].seg.flags, RSTACK);
	assert_int_equal(worker_reset_reason(&bed->worker), RING_RESET_TIMEOUT);
	assert_int_equal(counter(bed, timed_out), 1);
}

/* ---- fast retransmit ---- */

static void write_segments(struct bed *bed, uint32_t count)
{
	user_write(bed, count * MSS);
	for (uint32_t i = 0; i < count; i++)
		expect(bed, ACK, 1 + i * MSS, 1, MSS);
	expect_nothing(bed);
}

static void rfc_5681_three_duplicate_acks_send_the_first_segment_again(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	write_segments(bed, 10);
	for (int i = 0; i < 2; i++) {
		peer_flags(bed, ACK);
		expect_nothing(bed);
	}
	peer_flags(bed, ACK);
	expect(bed, ACK, 1, 1, MSS);
	expect_nothing(bed);
	assert_int_equal(info_of(bed).ssthresh, 5 * MSS);
	assert_int_equal(counter(bed, fast_recoveries), 1);
	bed->ack = bed->iss + 1 + 10 * MSS;
	peer_flags(bed, ACK);
	assert_false(info_of(bed).in_recovery);
	assert_int_equal(info_of(bed).cwnd, 5 * MSS);
	assert_int_equal(counter(bed, timeouts), 0);
}

/* After two gigabytes without a loss the end of the last recovery would look like one ahead. */
static void the_last_recovery_does_not_come_around(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	bed_conn(bed)->recover = bed_conn(bed)->snd_una - 0x7ffff000u;
	for (int i = 0; i < 5; i++) {
		user_write(bed, MSS);
		peer_ack(bed);
	}
	user_write(bed, 10 * MSS);
	peer_take(bed);
	bed->ack = bed->iss + 1 + 5 * MSS;
	for (int i = 0; i < 3; i++)
		peer_flags(bed, ACK);
	assert_int_equal(counter(bed, fast_recoveries), 1);
}

static void acks_that_move_the_window_or_bring_data_are_no_duplicates(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	write_segments(bed, 5);
	for (int i = 0; i < 4; i++) {
		bed->window--;
		peer_flags(bed, ACK);
	}
	expect_nothing(bed);
	for (int i = 0; i < 4; i++)
		peer_data(bed, 1);
	bed_pass(bed, 100 * MS);
	while (bed->expected < bed->outs)
		assert_int_equal(next_out(bed)->seg.data_length, 0);
	assert_int_equal(counter(bed, fast_recoveries), 0);
}

static void rfc_3042_the_first_two_duplicate_acks_bring_new_segments(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	write_segments(bed, 10);
	user_write(bed, 5 * MSS); /* cwnd is full */
	expect_nothing(bed);
	bed_pass(bed, 100 * MS);
	peer_sack(bed, 1, 1 + MSS, 1 + 2 * MSS, 0u);
	expect(bed, ACK, 1 + 10 * MSS, 1, MSS);
	expect_nothing(bed);
	peer_sack(bed, 1, 1 + MSS, 1 + 3 * MSS, 0u);
	expect(bed, ACK, 1 + 11 * MSS, 1, MSS);
	expect_nothing(bed);
}

static void rfc_6582_a_partial_ack_sends_the_next_hole_at_once(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	write_segments(bed, 10);
	for (int i = 0; i < 3; i++)
		peer_flags(bed, ACK);
	expect(bed, ACK, 1, 1, MSS);
	/* segments 1 and 4 were lost: the first retransmission fills up to 3 */
	bed->ack = bed->iss + 1 + 3 * MSS;
	peer_flags(bed, ACK);
	expect(bed, ACK, 1 + 3 * MSS, 1, MSS);
	expect_nothing(bed);
	assert_true(info_of(bed).in_recovery);
	bed->ack = bed->iss + 1 + 10 * MSS;
	peer_flags(bed, ACK);
	assert_false(info_of(bed).in_recovery);
	assert_int_equal(counter(bed, fast_recoveries), 1);
	assert_int_equal(counter(bed, timeouts), 0);
}

static void rfc_6582_what_was_sent_again_needlessly_starts_no_new_recovery(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	write_segments(bed, 4);
	bed_pass_until_out(bed, S); /* only the first was lost, but all is sent again */
	expect(bed, ACK, 1, 1, MSS);
	peer_sack(bed, 1 + 2 * MSS, 0u);
	expect(bed, ACK, 1 + 2 * MSS, 1, MSS);
	expect(bed, ACK, 1 + 3 * MSS, 1, MSS);
	peer_sack(bed, 1 + 4 * MSS, 0u);
	assert_false(info_of(bed).in_recovery);
	user_write(bed, MSS);
	expect(bed, ACK, 1 + 4 * MSS, 1, MSS);
	for (int i = 0; i < 3; i++)
		peer_sack(bed, 1 + 4 * MSS, 0u);
	expect_nothing(bed);
	assert_int_equal(counter(bed, fast_recoveries), 0);
	/* the next loss is one again */
	peer_sack(bed, 1 + 5 * MSS, 0u);
	user_write(bed, 5 * MSS);
	peer_take(bed);
	for (int i = 0; i < 3; i++)
		peer_sack(bed, 1 + 5 * MSS, 0u);
	assert_int_equal(bed->out[bed->outs - 1].seq, 1 + 5 * MSS);
	assert_int_equal(counter(bed, fast_recoveries), 1);
}

static void rfc_6675_all_holes_are_filled_without_a_time_out(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	write_segments(bed, 10);
	bed_pass(bed, 100 * MS);
	/* 1, 3 and 5 were lost */
	peer_sack(bed, 1, 1 + MSS, 1 + 2 * MSS, 0u);
	expect_nothing(bed);
	peer_sack(bed, 1, 1 + 3 * MSS, 1 + 4 * MSS, 1 + MSS, 1 + 2 * MSS, 0u);
	expect_nothing(bed);
	peer_sack(bed, 1, 1 + 5 * MSS, 1 + 6 * MSS, 1 + 3 * MSS, 1 + 4 * MSS, 1 + MSS, 1 + 2 * MSS,
	          0u);
	expect(bed, ACK, 1, 1, MSS);
	peer_sack(bed, 1, 1 + 5 * MSS, 1 + 8 * MSS, 1 + 3 * MSS, 1 + 4 * MSS, 1 + MSS, 1 + 2 * MSS,
	          0u);
	peer_sack(bed, 1, 1 + 5 * MSS, 1 + 10 * MSS, 1 + 3 * MSS, 1 + 4 * MSS, 1 + MSS, 1 + 2 * MSS,
	          0u);
	expect(bed, ACK, 1 + 2 * MSS, 1, MSS);
	expect(bed, ACK, 1 + 4 * MSS, 1, MSS);
	expect_nothing(bed);
	bed->ack = bed->iss + 1 + 10 * MSS;
	peer_flags(bed, ACK);
	assert_false(info_of(bed).in_recovery);
	assert_int_equal(info_of(bed).counters.segs_retransmitted, 3);
	assert_int_equal(info_of(bed).counters.bytes_retransmitted, 3 * MSS);
	assert_int_equal(counter(bed, timeouts), 0);
	assert_int_equal(counter(bed, fast_recoveries), 1);
}

static void duplicate_acks_without_news_in_sack_do_not_count(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	write_segments(bed, 5);
	bed_pass(bed, 100 * MS);
	for (int i = 0; i < 5; i++)
		peer_flags(bed, ACK);
	for (int i = 0; i < 5; i++)
		peer_sack(bed, 1, 1 + MSS, 1 + 2 * MSS, 0u);
	expect_nothing(bed);
}

static void sack_blocks_that_cannot_be_are_ignored(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	write_segments(bed, 3);
	peer_sack(bed, 1, 1 + 2 * MSS, 1 + 4 * MSS, 0u); /* beyond snd_nxt */
	peer_sack(bed, 1, 1 + 2 * MSS, 1 + MSS, 0u);     /* backwards */
	peer_sack(bed, 1, 0x80000000u, 0x90000000u, 0u); /* elsewhere */
	peer_sack(bed, 1, 1u, 1 + 2 * MSS, 0u);          /* at snd_una */
	assert_int_equal(info_of(bed).sacked_bytes, 0);
	expect_nothing(bed);
}

static void after_two_time_outs_what_was_sacked_is_sent_again(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	write_segments(bed, 4);
	bed_pass(bed, 100 * MS);
	peer_sack(bed, 1, 1 + MSS, 1 + 2 * MSS, 0u);
	bed_pass_until_out(bed, 30 * MS); /* the reordering window */
	expect(bed, ACK, 1, 1, MSS);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, MSS);
	assert_int_equal(info_of(bed).cwnd, MSS);
	assert_int_equal(info_of(bed).sacked_bytes, MSS);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, MSS);
	assert_int_equal(info_of(bed).sacked_bytes, 0); /* RFC 2018, section 8 */
	assert_int_equal(counter(bed, timeouts), 2);
	peer_sack(bed, 1 + MSS, 0u);
	expect(bed, ACK, 1 + MSS, 1, MSS);
	expect(bed, ACK, 1 + 2 * MSS, 1, MSS);
	expect_nothing(bed);
	peer_sack(bed, 1 + 4 * MSS, 0u);
	expect_nothing(bed);
	assert_false(info_of(bed).in_recovery);
}

static void small_segments_are_put_together_when_sent_again(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	for (uint32_t i = 0; i < 5; i++) {
		user_write(bed, 10);
		expect(bed, ACK, 1 + 10 * i, 1, 10);
	}
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, 50);
	/* what is sent next is not sent twice */
	user_write(bed, 10);
	peer_sack(bed, 51, 0u);
	expect(bed, ACK, 51, 1, 10);
	expect_nothing(bed);
}

/* ---- the congestion window ---- */

static void rfc_6928_the_first_window_is_ten_segments(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	user_write(bed, 30 * MSS);
	assert_int_equal(peer_take(bed), 10);
	assert_int_equal(info_of(bed).cwnd, 10 * MSS);
}

static void rfc_5681_slow_start_doubles_the_window_each_round_trip(void **state)
{
	struct bed *bed = *state;
	unsigned expected = 10;

	open_with(bed, true, false);
	user_write(bed, 250000);
	for (int round = 0; round < 4; round++, expected *= 2) {
		uint32_t from = bed->ack - bed->iss;

		assert_int_equal(peer_take(bed), expected);
		for (uint32_t i = 2; i <= expected; i += 2)
			peer_sack(bed, from + i * MSS, 0u);
	}
}

static void rfc_5681_congestion_avoidance_adds_a_segment_each_round_trip(void **state)
{
	struct bed *bed = *state;
	unsigned round;

	open_with(bed, false, false);
	user_write(bed, 200000);
	peer_take(bed);
	bed->ack = bed->iss + 1;
	for (int i = 0; i < 3; i++)
		peer_flags(bed, ACK);
	peer_ack(bed); /* recovered: cwnd is ssthresh, 5 segments */
	assert_int_equal(info_of(bed).cwnd, 5 * MSS);
	for (round = 5; round < 12; round++) {
		uint32_t from = bed->ack - bed->iss;

		assert_int_equal(peer_take(bed), round);
		for (uint32_t i = 1; i <= round; i++)
			peer_sack(bed, from + i * MSS, 0u);
	}
}

static void rfc_7661_a_window_in_use_outlives_a_pause(void **state)
{
	struct bed *bed = *state;
	uint32_t cwnd;

	open_with(bed, true, false);
	user_write(bed, 100000);
	while (bed_conn(bed)->tx_una < 100000)
		peer_ack(bed);
	cwnd = info_of(bed).cwnd;
	assert_true(cwnd > 20 * MSS);
	bed_pass(bed, 10 * S);
	user_write(bed, 250000);
	assert_int_equal(peer_take(bed), cwnd / MSS);
}

static void a_window_that_is_not_used_does_not_grow(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	for (int i = 0; i < 200; i++) {
		user_write(bed, 10);
		peer_ack(bed);
	}
	assert_int_equal(info_of(bed).cwnd, 10 * MSS);
}

static void rfc_5681_a_time_out_leaves_a_window_of_one_segment(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	write_segments(bed, 10);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, MSS);
	expect_nothing(bed);
	assert_int_equal(info_of(bed).cwnd, MSS);
	assert_int_equal(info_of(bed).ssthresh, 5 * MSS);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, MSS - 16); /* the path may carry no more (RFC 4821, 7.7) */
	assert_int_equal(info_of(bed).ssthresh, 5 * MSS); /* once for the same loss */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(rfc_6298_lost_data_is_sent_again_with_doubling_intervals),
		with_bed_v6(rfc_6298_lost_data_is_sent_again_with_doubling_intervals),
		with_bed(rfc_6298_an_ack_of_new_data_starts_the_timer_again),
		with_bed(rfc_6298_no_timer_runs_when_everything_is_acknowledged),
		with_bed(karn_the_back_off_stays_until_a_round_trip_is_measured),
		with_bed(rfc_7323_the_echo_tells_which_of_them_was_acknowledged),
		with_bed(must_20_a_peer_that_acknowledges_nothing_is_given_up),
		with_bed(rfc_5681_three_duplicate_acks_send_the_first_segment_again),
		with_bed(the_last_recovery_does_not_come_around),
		with_bed(acks_that_move_the_window_or_bring_data_are_no_duplicates),
		with_bed(rfc_3042_the_first_two_duplicate_acks_bring_new_segments),
		with_bed(rfc_6582_a_partial_ack_sends_the_next_hole_at_once),
		with_bed(rfc_6582_what_was_sent_again_needlessly_starts_no_new_recovery),
		with_bed(rfc_6675_all_holes_are_filled_without_a_time_out),
		with_bed_v6(rfc_6675_all_holes_are_filled_without_a_time_out),
		with_bed(duplicate_acks_without_news_in_sack_do_not_count),
		with_bed(sack_blocks_that_cannot_be_are_ignored),
		with_bed(after_two_time_outs_what_was_sacked_is_sent_again),
		with_bed(small_segments_are_put_together_when_sent_again),
		with_bed(rfc_6928_the_first_window_is_ten_segments),
		with_bed(rfc_5681_slow_start_doubles_the_window_each_round_trip),
		with_bed(rfc_5681_congestion_avoidance_adds_a_segment_each_round_trip),
		with_bed(rfc_7661_a_window_in_use_outlives_a_pause),
		with_bed(a_window_that_is_not_used_does_not_grow),
		with_bed(rfc_5681_a_time_out_leaves_a_window_of_one_segment),
	};

	return cmocka_run_group_tests_name("retransmission", tests, NULL, NULL);
}
