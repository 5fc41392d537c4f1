/*
 * Recoveries that were needless are found out and taken back (RFC 3522, 4015, 5682, 2883);
 * and what we tell a peer that sends needlessly (RFC 2883).
 */
#include "tests/tcp/harness.h"

#define MSS 1000u

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

static void write_segments(struct bed *bed, uint32_t count)
{
	user_write(bed, count * MSS);
	for (uint32_t i = 0; i < count; i++)
		expect(bed, ACK, 1 + i * MSS, 1, MSS);
	expect_nothing(bed);
}

static struct conn *conn(const struct bed *bed)
{
	return bed_conn(bed);
}

static void expect_undone(const struct bed *bed)
{
	assert_int_equal(counter(bed, undone), 1);
	assert_int_equal(conn(bed)->recovery, RECOVERY_OPEN);
	assert_true(conn(bed)->congestion.cwnd >= 10 * MSS);
	assert_int_equal(conn(bed)->congestion.ssthresh, CONGESTION_SSTHRESH_INFINITE);
}

/* ---- Eifel: timestamps ---- */

static void rfc_3522_an_echo_from_before_the_time_out_takes_it_back(void **state)
{
	struct bed *bed = *state;
	uint32_t first;

	open_with(bed, false, true);
	write_segments(bed, 5);
	first = bed->ts_echo;
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, MSS);
	assert_int_equal(conn(bed)->congestion.cwnd, MSS);
	/* everything was only late */
	bed_pass(bed, 50 * MS);
	bed->ts_echo = first;
	peer_sack(bed, 1 + MSS, 0u);
	expect_undone(bed);
	peer_sack(bed, 1 + 5 * MSS, 0u);
	bed_pass(bed, 10 * S);
	expect_nothing(bed);
}

static void rfc_3522_an_echo_of_the_second_copy_takes_nothing_back(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, true);
	write_segments(bed, 5);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, MSS);
	bed_pass(bed, 50 * MS);
	peer_sack(bed, 1 + MSS, 0u); /* echoes what came last: the second copy */
	assert_int_equal(counter(bed, undone), 0);
	assert_int_equal(conn(bed)->recovery, RECOVERY_TIMEOUT);
	expect(bed, ACK, 1 + MSS, 1, MSS);
}

static void rfc_3522_a_fast_retransmit_of_what_was_reordered_is_taken_back(void **state)
{
	struct bed *bed = *state;
	uint32_t first;

	open_with(bed, true, true);
	write_segments(bed, 10);
	first = bed->ts_echo;
	bed_pass(bed, 100 * MS);
	peer_sack(bed, 1, 1 + MSS, 1 + 4 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	assert_int_equal(conn(bed)->recovery, RECOVERY_FAST);
	bed_pass(bed, 5 * MS);
	bed->ts_echo = first;
	peer_sack(bed, 1 + 4 * MSS, 0u);
	expect_undone(bed);
}

static void rfc_3522_only_the_first_ack_counts(void **state)
{
	struct bed *bed = *state;
	uint32_t first;

	open_with(bed, false, true);
	write_segments(bed, 5);
	first = bed->ts_echo;
	bed_pass_until_out(bed, S);
	bed_pass(bed, 50 * MS);
	peer_take(bed);
	peer_sack(bed, 1 + MSS, 0u);
	bed->ts_echo = first;
	peer_sack(bed, 1 + 2 * MSS, 0u);
	assert_int_equal(counter(bed, undone), 0);
}

/* ---- DSACK ---- */

static void rfc_2883_when_all_that_was_sent_again_came_twice_it_is_taken_back(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	write_segments(bed, 10);
	bed_pass(bed, 100 * MS);
	/* the first two are late */
	peer_sack(bed, 1, 1 + 2 * MSS, 1 + 8 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	expect(bed, ACK, 1 + MSS, 1, MSS);
	peer_sack(bed, 1 + 10 * MSS, 0u);
	assert_int_equal(conn(bed)->recovery, RECOVERY_OPEN);
	assert_int_equal(conn(bed)->congestion.cwnd, 5 * MSS);
	bed_pass(bed, 100 * MS);
	peer_sack(bed, 1 + 10 * MSS, 1u, 1 + MSS, 0u);
	assert_int_equal(counter(bed, undone), 0);
	peer_sack(bed, 1 + 10 * MSS, 1 + MSS, 1 + 2 * MSS, 0u);
	expect_undone(bed);
	assert_int_equal(counter(bed, dsacks_in), 2);
}

static void rfc_2883_blocks_from_elsewhere_take_nothing_back(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	user_write(bed, 2 * MSS);
	peer_ack(bed);
	user_write(bed, 8 * MSS);
	peer_take(bed);
	bed_pass(bed, 100 * MS);
	peer_sack(bed, 1 + 2 * MSS, 1 + 3 * MSS, 1 + 7 * MSS, 0u);
	expect(bed, ACK, 1 + 2 * MSS, 1, MSS);
	peer_sack(bed, 1 + 10 * MSS, 0u);
	peer_sack(bed, 1 + 10 * MSS, 1u, 1 + 2 * MSS, 0u);          /* before this recovery */
	peer_sack(bed, 1 + 10 * MSS, 1 + 2 * MSS, 1 + 2 * MSS, 0u); /* empty */
	peer_sack(bed, 1 + 10 * MSS, 0x80000000u, 0x80001000u, 0u);
	assert_int_equal(counter(bed, undone), 0);
}

static void a_dsack_is_no_sack(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	write_segments(bed, 5);
	bed_pass(bed, 100 * MS);
	/* the duplicate lies in the second block */
	peer_sack(bed, 1, 1 + MSS, 1 + 2 * MSS, 1 + MSS, 1 + 3 * MSS, 0u);
	assert_int_equal(counter(bed, dsacks_in), 1);
	assert_int_equal(slot_recovery(bed->stack, 0)->sent.sacked, 2 * MSS);
}

/* ---- F-RTO ---- */

static void rfc_5682_two_acks_that_move_on_take_a_time_out_back(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	write_segments(bed, 5);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, MSS);
	user_write(bed, 3 * MSS);
	expect_nothing(bed);
	/* step 2b: new data instead of the rest */
	peer_sack(bed, 1 + MSS, 0u);
	expect(bed, ACK, 1 + 5 * MSS, 1, MSS);
	expect(bed, ACK, 1 + 6 * MSS, 1, MSS);
	expect_nothing(bed);
	/* step 3b: the second segment, which was never sent again */
	peer_sack(bed, 1 + 2 * MSS, 0u);
	expect_undone(bed);
	expect(bed, ACK, 1 + 7 * MSS, 1, MSS);
	expect_nothing(bed);
}

static void rfc_5682_a_duplicate_ack_says_that_it_was_right(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	write_segments(bed, 5);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, MSS);
	user_write(bed, 3 * MSS);
	peer_sack(bed, 1 + MSS, 0u);
	expect(bed, ACK, 1 + 5 * MSS, 1, MSS);
	expect(bed, ACK, 1 + 6 * MSS, 1, MSS);
	peer_sack(bed, 1 + MSS, 0u);
	expect(bed, ACK, 1 + MSS, 1, MSS);
	assert_int_equal(counter(bed, undone), 0);
	assert_int_equal(conn(bed)->recovery, RECOVERY_TIMEOUT);
}

static void rfc_5682_without_new_data_the_rest_is_sent_again(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	write_segments(bed, 5);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, MSS);
	peer_sack(bed, 1 + MSS, 0u);
	expect(bed, ACK, 1 + MSS, 1, MSS);
	expect(bed, ACK, 1 + 2 * MSS, 1, MSS);
	expect_nothing(bed);
}

/* ---- what we tell ---- */

static void expect_dsack(struct bed *bed, uint32_t ack, uint32_t start, uint32_t end,
                         unsigned blocks)
{
	const struct out *out = expect(bed, ACK, 1, ack, 0);

	assert_int_equal(out->seg.sack_count, blocks);
	assert_int_equal(out->seg.sack[0].start - PEER_ISS, start);
	assert_int_equal(out->seg.sack[0].end - PEER_ISS, end);
}

static void rfc_2883_data_that_comes_twice_is_told_once(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	peer_data(bed, 500);
	peer_data(bed, 500);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
	peer_data_at(bed, 501, 500);
	expect_dsack(bed, 1001, 501, 1001, 1);
	/* the next ACK has nothing of it */
	peer_data(bed, 100);
	bed_pass(bed, 100 * MS);
	assert_int_equal(expect(bed, ACK, 1, 1101, 0)->seg.sack_count, 0);
	assert_int_equal(counter(bed, dsacks_out), 1);
}

static void rfc_2883_of_a_segment_that_is_new_in_part_the_old_part_is_told(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	peer_data(bed, 500);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
	peer_data_at(bed, 301, 400);
	bed_pass(bed, 100 * MS);
	expect_dsack(bed, 701, 301, 501, 1);
}

static void rfc_2883_a_duplicate_beyond_a_gap_stands_before_its_block(void **state)
{
	struct bed *bed = *state;

	open_with(bed, true, false);
	peer_data_at(bed, 1001, 300);
	peer_data_at(bed, 2001, 300);
	peer_take(bed);
	peer_data_at(bed, 1101, 100);
	expect_dsack(bed, 1, 1101, 1201, 3);
	assert_int_equal(bed->out[bed->outs - 1].seg.sack[1].start - PEER_ISS, 1001);
	assert_int_equal(bed->out[bed->outs - 1].seg.sack[1].end - PEER_ISS, 1301);
}

static void rfc_2883_without_sack_nothing_is_told(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false, false);
	peer_data(bed, 500);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
	peer_data_at(bed, 1, 500);
	assert_int_equal(expect(bed, ACK, 1, 501, 0)->seg.sack_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(rfc_3522_an_echo_from_before_the_time_out_takes_it_back),
		with_bed_v6(rfc_3522_an_echo_from_before_the_time_out_takes_it_back),
		with_bed(rfc_3522_an_echo_of_the_second_copy_takes_nothing_back),
		with_bed(rfc_3522_a_fast_retransmit_of_what_was_reordered_is_taken_back),
		with_bed(rfc_3522_only_the_first_ack_counts),
		with_bed(rfc_2883_when_all_that_was_sent_again_came_twice_it_is_taken_back),
		with_bed(rfc_2883_blocks_from_elsewhere_take_nothing_back),
		with_bed(a_dsack_is_no_sack),
		with_bed(rfc_5682_two_acks_that_move_on_take_a_time_out_back),
		with_bed(rfc_5682_a_duplicate_ack_says_that_it_was_right),
		with_bed(rfc_5682_without_new_data_the_rest_is_sent_again),
		with_bed(rfc_2883_data_that_comes_twice_is_told_once),
		with_bed(rfc_2883_of_a_segment_that_is_new_in_part_the_old_part_is_told),
		with_bed(rfc_2883_a_duplicate_beyond_a_gap_stands_before_its_block),
		with_bed(rfc_2883_without_sack_nothing_is_told),
	};

	return cmocka_run_group_tests_name("spurious", tests, NULL, NULL);
}
