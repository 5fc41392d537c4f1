/* RACK-TLP: losses found by time, and probes for a lost tail (RFC 8985). */
#include "tests/tcp/harness.h"

#define MSS 1000u
#define RTT (100 * MS)

static void open_with(struct bed *bed, bool timestamps)
{
	bed->offer = (struct offer){
		.mss = timestamps ? MSS + 12 : MSS,
		.scale = 7,
		.timestamps = timestamps,
		.sack = true,
	};
	peer_syn(bed);
	bed_pass(bed, RTT);
	peer_flags(bed, ACK);
	attach(bed, 65536, 262144);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
}

static void write_segments(struct bed *bed, uint32_t count)
{
	uint32_t from = bed_conn(bed)->snd_nxt - bed->iss;

	user_write(bed, count * MSS);
	for (uint32_t i = 0; i < count; i++)
		expect(bed, ACK, from + i * MSS, 1, MSS);
	expect_nothing(bed);
}

static struct recovery *recovery_of(const struct bed *bed)
{
	return slot_recovery(bed->stack, lookup_find(bed->stack->lookup, &bed->flow));
}

static uint64_t timer(const struct bed *bed, enum conn_timer which)
{
	return bed_conn(bed)->timer_us[which];
}

/* ---- section 6: RACK ---- */

static void one_sack_and_a_quarter_of_a_round_trip_send_the_hole_again(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 3);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 2 * MSS, 0u);
	expect_nothing(bed);
	assert_int_equal(bed_pass_until_out(bed, S), RTT / 4);
	expect(bed, ACK, 1, 1, MSS);
	expect_nothing(bed);
	assert_int_equal(counter(bed, fast_recoveries), 1);
	assert_int_equal(counter(bed, timeouts), 0);
}

static void three_sacked_segments_need_no_wait_while_nothing_came_out_of_order(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 8);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 4 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	expect_nothing(bed);
}

static void segments_that_come_late_within_the_window_are_not_sent_again(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 3);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 2 * MSS, 0u);
	bed_pass(bed, RTT / 5);
	peer_sack(bed, 1 + 3 * MSS, 0u);
	bed_pass(bed, S);
	expect_nothing(bed);
	assert_true(recovery_of(bed)->rack.reordering_seen);
	/* from now on three of them are no proof any more */
	write_segments(bed, 8);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 3 * MSS, 1 + 4 * MSS, 1 + 8 * MSS, 0u);
	expect_nothing(bed);
	assert_in_range(bed_pass_until_out(bed, S), RTT / 5, RTT / 4 + MS);
	expect(bed, ACK, 1 + 3 * MSS, 1, MSS);
}

static void what_was_sent_later_than_what_came_is_not_lost(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 5);
	bed_pass(bed, RTT / 2);
	write_segments(bed, 3);
	bed_pass(bed, RTT / 2);
	peer_sack(bed, 1, 1 + 2 * MSS, 1 + 5 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	bed_pass(bed, RTT / 2 - MS);
	expect_nothing(bed);
	/* the second waits for PRR; the last three and the retransmission are on their way */
	assert_int_equal(recovery_of(bed)->sent.lost, MSS);
	assert_int_equal(recovery_of(bed)->sent.in_flight, 4 * MSS);
}

static void what_is_lost_when_it_is_sent_again_goes_a_third_time_without_a_time_out(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 10);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 5 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	user_write(bed, 10 * MSS);
	peer_take(bed);
	bed_pass(bed, MS);
	peer_sack(bed, 1, 1 + MSS, 1 + 10 * MSS, 0u);
	assert_true(peer_take(bed) > 0); /* new data, behind the retransmission */
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 11 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	assert_int_equal(counter(bed, timeouts), 0);
	assert_int_equal(counter(bed, fast_recoveries), 1);
}

static void an_ack_of_the_first_copy_tells_nothing_about_the_second(void **state)
{
	struct bed *bed = *state;
	uint32_t echo;

	open_with(bed, true);
	write_segments(bed, 10);
	echo = bed->ts_echo;
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 4 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	bed_pass(bed, 5 * MS);
	/* the first copy, late; were it the second, all before that would be lost */
	bed->ts_echo = echo;
	peer_sack(bed, 1 + 4 * MSS, 0u);
	bed_pass(bed, 10 * MS);
	expect_nothing(bed);
	assert_int_equal(recovery_of(bed)->sent.lost, 0);
}

static void nor_does_one_that_comes_sooner_than_any_round_trip(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 10);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 4 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	bed_pass(bed, 5 * MS);
	peer_sack(bed, 1 + 4 * MSS, 0u);
	bed_pass(bed, 10 * MS);
	expect_nothing(bed);
	assert_int_equal(recovery_of(bed)->sent.lost, 0);
}

static void a_second_loss_in_the_same_window_is_found(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 10);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 4 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	expect_nothing(bed);
	bed_pass(bed, MS);
	peer_sack(bed, 1, 1 + 5 * MSS, 1 + 10 * MSS, 1 + MSS, 1 + 4 * MSS, 0u);
	expect(bed, ACK, 1 + 4 * MSS, 1, MSS);
	expect_nothing(bed);
}

static void the_timer_starts_again_with_the_first_segments_retransmission(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 3);
	bed_pass(bed, 2 * RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 2 * MSS, 0u);
	assert_int_equal(bed_pass_until_out(bed, S), RTT / 4);
	expect(bed, ACK, 1, 1, MSS);
	bed_pass(bed, 2 * RTT);
	assert_int_equal(counter(bed, timeouts), 0);
}

/* It has SACKed the third segment, and then acknowledges what comes before it. */
static void what_a_peer_takes_back_is_sent_again(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 5);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + 2 * MSS, 1 + 3 * MSS, 0u);
	peer_sack(bed, 1 + 2 * MSS, 0u);
	expect(bed, ACK, 1 + 2 * MSS, 1, MSS);
	assert_int_equal(recovery_of(bed)->sent.sacked, 0);
}

/* Sends a hole again needlessly, which the peer's DSACK tells. */
static void needless(struct bed *bed)
{
	uint32_t una = bed_conn(bed)->snd_una - bed->iss;

	write_segments(bed, 4);
	bed_pass(bed, RTT);
	peer_sack(bed, una, una + MSS, una + 4 * MSS, 0u);
	if (bed->expected == bed->outs)
		bed_pass_until_out(bed, S);
	expect(bed, ACK, una, 1, MSS);
	peer_sack(bed, una + 4 * MSS, 0u);
	bed_pass(bed, RTT);
	peer_sack(bed, una + 4 * MSS, una, una + MSS, 0u);
	expect_nothing(bed);
}

static void dsacks_widen_the_window_and_16_recoveries_without_one_narrow_it(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	needless(bed);
	assert_int_equal(recovery_of(bed)->rack.window_mult, 1);
	needless(bed);
	assert_int_equal(recovery_of(bed)->rack.window_mult, 2);
	for (int i = 0; i < 16; i++) {
		uint32_t una = bed_conn(bed)->snd_una - bed->iss;

		assert_int_equal(recovery_of(bed)->rack.window_mult, 2);
		bed_conn(bed)->congestion.cwnd = 10 * MSS;
		write_segments(bed, 4);
		bed_pass(bed, RTT);
		peer_sack(bed, una, una + MSS, una + 4 * MSS, 0u);
		if (bed->expected == bed->outs)
			bed_pass_until_out(bed, S);
		expect(bed, ACK, una, 1, MSS);
		bed_pass(bed, RTT);
		peer_sack(bed, una + 4 * MSS, 0u);
	}
	assert_int_equal(recovery_of(bed)->rack.window_mult, 0);
}

static void where_very_many_were_sent_again_they_are_looked_at_once_a_millisecond(void **state)
{
	struct bed *bed = *state;
	struct recovery *r;

	open_with(bed, false);
	bed_conn(bed)->congestion.cwnd = 1000 * MSS;
	for (int i = 0; i < 260; i++)
		write_segments(bed, 1);
	r = recovery_of(bed);
	r->rack.high_resent = bed_conn(bed)->snd_nxt;
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 10 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	/* the second hole a moment later */
	bed_pass(bed, 10);
	peer_sack(bed, 1, 1 + 11 * MSS, 1 + 20 * MSS, 0u);
	expect_nothing(bed);
	assert_int_equal(bed_pass_until_out(bed, 10 * MS), MS - 10);
	expect(bed, ACK, 1 + 10 * MSS, 1, MSS);
}

/* Its end is a number that must not come around as one that is still ahead. */
static void the_round_trip_of_a_dsack_ends(void **state)
{
	struct bed *bed = *state;
	uint32_t una;

	open_with(bed, false);
	needless(bed);
	assert_true(recovery_of(bed)->rack.in_dsack_round);
	una = bed_conn(bed)->snd_una - bed->iss;
	write_segments(bed, 1);
	peer_sack(bed, una + MSS, 0u);
	assert_false(recovery_of(bed)->rack.in_dsack_round);
}

static void a_time_out_takes_as_lost_only_what_is_overdue(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 2);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 2 * MSS, 0u);
	write_segments(bed, 3);
	bed_pass_until_out(bed, S); /* the probe */
	peer_take(bed);
	bed_pass(bed, timer(bed, CONN_TIMER_RETRANSMIT) - bed->now_us - MS);
	user_write(bed, MSS);
	peer_take(bed);
	bed_pass(bed, MS);
	assert_int_equal(counter(bed, timeouts), 1);
	expect(bed, ACK, 1 + 2 * MSS, 1, MSS);
	assert_int_equal(recovery_of(bed)->sent.in_flight, 2 * MSS); /* the head, and the last */
}

/* ---- section 7: tail loss probes ---- */

static void a_lost_tail_is_probed_after_two_round_trips(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 5);
	assert_int_equal(bed_pass_until_out(bed, S), 2 * RTT + 5 * MS);
	expect(bed, ACK, 1 + 4 * MSS, 1, MSS);
	assert_int_equal(counter(bed, tail_probes), 1);
	/* all five were lost: its SACK shows the four before it */
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + 4 * MSS, 1 + 5 * MSS, 0u);
	bed_pass(bed, RTT / 4);
	expect(bed, ACK, 1, 1, MSS);
	assert_int_equal(counter(bed, timeouts), 0);
	assert_int_equal(bed_conn(bed)->recovery, RECOVERY_FAST);
}

static void a_lone_echo_is_sent_again_after_two_round_trips_and_a_delayed_ack(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	user_write(bed, 1);
	expect(bed, ACK, 1, 1, 1);
	assert_int_equal(bed_pass_until_out(bed, S), 2 * RTT + 45 * MS);
	expect(bed, ACK, 1, 1, 1);
	bed_pass(bed, RTT);
	peer_sack(bed, 2, 0u);
	assert_int_equal(counter(bed, timeouts), 0);
	bed_pass(bed, 3600 * S);
	expect_nothing(bed);
}

static void the_probe_is_new_data_when_there_is_any(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 10);
	user_write(bed, 3 * MSS); /* beyond cwnd */
	expect_nothing(bed);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1 + 10 * MSS, 1, MSS);
	expect_nothing(bed);
	assert_int_equal(bed_conn(bed)->counters.segs_retransmitted, 0);
}

static void a_probe_of_new_data_that_arrives_tells_of_no_loss(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 10);
	user_write(bed, 3 * MSS);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1 + 10 * MSS, 1, MSS);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 11 * MSS, 0u);
	peer_take(bed);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 13 * MSS, 0u);
	assert_int_equal(bed_conn(bed)->congestion.ssthresh, CONGESTION_SSTHRESH_INFINITE);
}

static void there_is_one_probe_and_then_the_time_out(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 3);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1 + 2 * MSS, 1, MSS);
	assert_int_equal(timer(bed, CONN_TIMER_PROBE), TIMER_NEVER);
	assert_int_equal(bed_pass_until_out(bed, S), 300 * MS);
	expect(bed, ACK, 1, 1, MSS);
	assert_int_equal(counter(bed, tail_probes), 1);
	assert_int_equal(counter(bed, timeouts), 1);
}

static void no_probe_is_later_than_the_time_out_would_be(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 2);
	bed_pass(bed, 190 * MS);
	write_segments(bed, 1); /* which starts the probe's timer again, but not the other */
	assert_int_equal(bed_pass_until_out(bed, S), 110 * MS);
	expect(bed, ACK, 1 + 2 * MSS, 1, MSS);
	assert_int_equal(counter(bed, timeouts), 0);
}

static void without_sack_there_are_no_probes(void **state)
{
	struct bed *bed = *state;

	bed->offer.sack = false;
	establish_with_worker(bed, 65536, 65536);
	user_write(bed, 10);
	expect(bed, ACK, 1, 1, 10);
	assert_int_equal(timer(bed, CONN_TIMER_PROBE), TIMER_NEVER);
	bed_pass_until_out(bed, 3 * S);
	assert_int_equal(counter(bed, timeouts), 1);
}

static void a_loss_that_the_probe_repaired_reduces_the_window(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 10);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 9 * MSS, 0u);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1 + 9 * MSS, 1, MSS);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 10 * MSS, 0u);
	assert_int_equal(bed_conn(bed)->congestion.ssthresh, CONGESTION_SSTHRESH_INFINITE);
	user_write(bed, 2 * MSS);
	peer_take(bed);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 12 * MSS, 0u);
	assert_true(bed_conn(bed)->congestion.ssthresh < 10 * MSS);
	assert_int_equal(bed_conn(bed)->recovery, RECOVERY_OPEN);
}

static void what_the_peer_types_meanwhile_is_no_duplicate_ack(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 10);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 9 * MSS, 0u);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1 + 9 * MSS, 1, MSS);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 10 * MSS, 0u);
	bed->ack = bed->iss + 1 + 10 * MSS;
	peer_data(bed, 1);
	user_write(bed, 2 * MSS);
	peer_take(bed);
	bed_pass(bed, RTT);
	peer_sack(bed, 1 + 12 * MSS, 0u);
	assert_true(bed_conn(bed)->congestion.ssthresh < 10 * MSS);
}

static void a_probe_that_was_needless_reduces_nothing_and_waits_longer_next_time(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	user_write(bed, 1);
	expect(bed, ACK, 1, 1, 1);
	bed_pass_until_out(bed, S);
	expect(bed, ACK, 1, 1, 1);
	peer_sack(bed, 2, 0u);
	bed_pass(bed, RTT);
	peer_sack(bed, 2, 1u, 2u, 0u); /* its DSACK */
	user_write(bed, 1);
	expect(bed, ACK, 2, 1, 1);
	bed_pass(bed, 10 * MS);
	peer_sack(bed, 3, 0u);
	assert_int_equal(bed_conn(bed)->congestion.ssthresh, CONGESTION_SSTHRESH_INFINITE);
	assert_int_equal(recovery_of(bed)->probe.needless, 1);
	assert_int_equal(recovery_of(bed)->rack.window_mult, 0);
}

/* ---- a new master ---- */

static void a_new_master_finds_what_is_lost_by_the_peers_sacks(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 8);
	bed_take_over(bed);
	expect_nothing(bed); /* no burst */
	assert_int_equal(recovery_of(bed)->sent.in_flight, 8 * MSS);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 6 * MSS, 0u);
	bed_pass(bed, RTT / 4);
	expect(bed, ACK, 1, 1, MSS);
	assert_int_equal(counter(bed, timeouts), 0);
}

static void a_new_master_probes_what_the_last_one_may_not_have_sent(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 3);
	bed_take_over(bed);
	assert_in_range(bed_pass_until_out(bed, S), 2 * RTT, 2 * RTT + 5 * MS);
	expect(bed, ACK, 1 + 3 * MSS - 1, 1, 1);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 3 * MSS, 3 * MSS + 1, 0u);
	bed_pass(bed, RTT / 4);
	expect(bed, ACK, 1, 1, MSS);
}

static void a_new_master_goes_on_with_a_recovery(void **state)
{
	struct bed *bed = *state;

	open_with(bed, false);
	write_segments(bed, 10);
	bed_pass(bed, RTT);
	peer_sack(bed, 1, 1 + MSS, 1 + 4 * MSS, 0u);
	expect(bed, ACK, 1, 1, MSS);
	bed_take_over(bed);
	expect(bed, ACK, 1, 1, MSS);
	expect_nothing(bed);
	assert_int_equal(bed_conn(bed)->congestion.cwnd, 5 * MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(one_sack_and_a_quarter_of_a_round_trip_send_the_hole_again),
		with_bed_v6(one_sack_and_a_quarter_of_a_round_trip_send_the_hole_again),
		with_bed(three_sacked_segments_need_no_wait_while_nothing_came_out_of_order),
		with_bed(segments_that_come_late_within_the_window_are_not_sent_again),
		with_bed(what_was_sent_later_than_what_came_is_not_lost),
		with_bed(what_is_lost_when_it_is_sent_again_goes_a_third_time_without_a_time_out),
		with_bed(an_ack_of_the_first_copy_tells_nothing_about_the_second),
		with_bed(nor_does_one_that_comes_sooner_than_any_round_trip),
		with_bed(a_second_loss_in_the_same_window_is_found),
		with_bed(the_timer_starts_again_with_the_first_segments_retransmission),
		with_bed(what_a_peer_takes_back_is_sent_again),
		with_bed(dsacks_widen_the_window_and_16_recoveries_without_one_narrow_it),
		with_bed(where_very_many_were_sent_again_they_are_looked_at_once_a_millisecond),
		with_bed(the_round_trip_of_a_dsack_ends),
		with_bed(a_time_out_takes_as_lost_only_what_is_overdue),
		with_bed(a_lost_tail_is_probed_after_two_round_trips),
		with_bed(a_lone_echo_is_sent_again_after_two_round_trips_and_a_delayed_ack),
		with_bed(the_probe_is_new_data_when_there_is_any),
		with_bed(a_probe_of_new_data_that_arrives_tells_of_no_loss),
		with_bed(there_is_one_probe_and_then_the_time_out),
		with_bed(no_probe_is_later_than_the_time_out_would_be),
		with_bed(without_sack_there_are_no_probes),
		with_bed(a_loss_that_the_probe_repaired_reduces_the_window),
		with_bed(what_the_peer_types_meanwhile_is_no_duplicate_ack),
		with_bed(a_probe_that_was_needless_reduces_nothing_and_waits_longer_next_time),
		with_bed(a_new_master_finds_what_is_lost_by_the_peers_sacks),
		with_bed(a_new_master_probes_what_the_last_one_may_not_have_sent),
		with_bed(a_new_master_goes_on_with_a_recovery),
	};

	return cmocka_run_group_tests_name("rack", tests, NULL, NULL);
}
