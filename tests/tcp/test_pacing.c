/* Segments leave at the rate that the congestion control sets: stack/pacing.c. */
#include "tests/tcp/harness.h"

#define MSS  1000u
#define RATE 100000u /* bytes a second: a segment every 10 ms */

/* How many segments have come out since the last call or peer_take(). */
static unsigned came_out(struct bed *bed)
{
	unsigned count = bed->outs - bed->expected;

	bed->expected = bed->outs;
	return count;
}

/* An open connection with a round trip of 100 ms that Reno itself does not pace. */
static void open_idle(struct bed *bed, uint64_t rate, uint32_t quantum)
{
	struct congestion *cc;

	bed->offer = (struct offer){.mss = MSS, .scale = 7, .sack = true};
	peer_syn(bed);
	bed_pass(bed, 100 * MS);
	peer_flags(bed, ACK);
	attach(bed, 65536, 262144);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
	cc = &bed_conn(bed)->congestion;
	cc->cwnd = 200 * MSS;
	cc->pacing_rate = rate;
	cc->send_quantum = quantum;
}

/* The same with a segment in the network: the first, up to 1 + MSS. */
static void open_paced(struct bed *bed, uint64_t rate, uint32_t quantum)
{
	open_idle(bed, 0, 0);
	user_write(bed, MSS);
	assert_int_equal(came_out(bed), 1);
	bed_conn(bed)->congestion.pacing_rate = rate;
	bed_conn(bed)->congestion.send_quantum = quantum;
}

static bool pace_timer_runs(const struct bed *bed)
{
	return bed_conn(bed)->timer_us[CONN_TIMER_PACE] != TIMER_NEVER;
}

static void a_connection_that_is_not_paced_sends_all_at_once(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, 0, 0);
	user_write(bed, 50 * MSS);
	assert_int_equal(came_out(bed), 50);
	assert_false(pace_timer_runs(bed));
}

static void a_quantum_leaves_at_once_and_then_one_each_time_it_is_paid(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, RATE, 2 * MSS);
	user_write(bed, 8 * MSS);
	assert_int_equal(came_out(bed), 2);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(bed_pass_until_out(bed, S), 20 * MS);
		assert_int_equal(came_out(bed), 2);
	}
	assert_false(pace_timer_runs(bed));
}

static void without_a_quantum_it_is_a_segment(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, RATE, 0);
	user_write(bed, 4 * MSS);
	assert_int_equal(came_out(bed), 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(bed_pass_until_out(bed, S), 10 * MS);
		assert_int_equal(came_out(bed), 1);
	}
}

/* An ACK in between makes the sending side run: it sends what is paid and no more. */
static void acks_in_between_do_not_hurry_it(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, RATE, MSS);
	user_write(bed, 20 * MSS);
	assert_int_equal(came_out(bed), 1);
	for (unsigned i = 0; i < 50; i++) {
		bed_pass(bed, 2 * MS);
		peer_sack(bed, 1, 0u);
	}
	assert_int_equal(came_out(bed), 10);
}

static void retransmissions_are_paced_too(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, 0, 0);
	user_write(bed, 20 * MSS);
	came_out(bed);
	bed_pass(bed, 50 * MS);
	bed_conn(bed)->congestion.pacing_rate = RATE;
	bed_conn(bed)->congestion.cwnd = 200 * MSS;
	/* all but the last eight are lost */
	peer_sack(bed, 1, 1 + 12 * MSS, 1 + 20 * MSS, 0u);
	for (int i = 0; i < 8; i++) {
		bed_pass(bed, MS);
		peer_sack(bed, 1, 1 + 12 * MSS, 1 + 20 * MSS, 0u);
	}
	assert_true(came_out(bed) <= 2);
	bed_pass(bed, 50 * MS);
	assert_in_range(came_out(bed), 5, 6);
}

/* Runs timers by chance up to LATE microseconds after each deadline, always the same way. */
static void pass_late(struct bed *bed, uint64_t us, uint32_t late)
{
	uint64_t end = bed->now_us + us;
	uint32_t chance = 1;
	uint64_t next;

	while ((next = stack_deadline(bed->stack)) <= end) {
		chance = chance * 1103515245 + 12345;
		bed->now_us = next + (chance >> 16) % (late + 1);
		stack_timers(bed->stack, bed->now_us);
		bed_settle(bed);
	}
	bed->now_us = end;
}

static void late_timers_do_not_lower_the_rate(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, 10 * RATE, 2 * MSS); /* a quantum every 2 ms */
	user_write(bed, 190 * MSS);
	pass_late(bed, 188 * MS, 5000);
	assert_in_range(came_out(bed), 184, 190);
}

static void a_timer_that_is_very_late_earns_a_bounded_credit(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, 10 * RATE, 2 * MSS);
	user_write(bed, 190 * MSS);
	assert_int_equal(came_out(bed), 2);
	bed->now_us += 100 * MS;
	stack_timers(bed->stack, bed->now_us);
	bed_settle(bed);
	assert_int_equal(came_out(bed), 2 + 8); /* the quantum and 8 ms */
}

static void an_idle_connection_saves_no_credit(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, RATE, 2 * MSS);
	peer_ack(bed);
	bed_pass(bed, 250 * MS); /* less than a time-out: cwnd stays */
	bed_conn(bed)->congestion.cwnd = 200 * MSS;
	user_write(bed, 50 * MSS);
	assert_int_equal(came_out(bed), 10); /* the initial window */
	assert_int_equal(bed_pass_until_out(bed, S), 20 * MS);
	assert_int_equal(came_out(bed), 2);
}

static void a_quantum_that_is_larger_than_the_initial_window_leaves_at_once(void **state)
{
	struct bed *bed = *state;

	open_idle(bed, 10 * RATE, 20 * MSS);
	user_write(bed, 50 * MSS);
	assert_int_equal(came_out(bed), 20);
}

static void waiting_for_cwnd_saves_no_credit(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, RATE, 2 * MSS);
	bed_conn(bed)->congestion.cwnd = 3 * MSS;
	user_write(bed, 50 * MSS);
	bed_pass(bed, 200 * MS);
	assert_int_equal(came_out(bed), 2);
	bed_conn(bed)->congestion.cwnd = 200 * MSS;
	peer_sack(bed, 1 + MSS, 0u);
	assert_int_equal(came_out(bed), 2);
}

static void with_an_empty_pipe_an_echo_leaves_at_once_whatever_is_owed(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, 100, 0); /* ten seconds for a segment */
	user_write(bed, MSS);
	assert_int_equal(came_out(bed), 1);
	bed_pass(bed, 20 * MS);
	peer_sack(bed, 1 + 2 * MSS, 0u);
	user_write(bed, 1);
	expect(bed, ACK, 1 + 2 * MSS, 1, 1);
	assert_false(pace_timer_runs(bed));
}

static void a_new_rate_holds_for_what_is_owed_already(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, 100, 0);
	user_write(bed, 3 * MSS);
	assert_int_equal(came_out(bed), 1);
	bed_conn(bed)->congestion.pacing_rate = RATE;
	user_ring(bed);
	assert_int_equal(bed_pass_until_out(bed, S), 10 * MS);
	assert_int_equal(came_out(bed), 1);
	bed_conn(bed)->congestion.pacing_rate = 0;
	user_ring(bed);
	assert_int_equal(came_out(bed), 1);
	assert_false(pace_timer_runs(bed));
}

/* However fast: a deadline is never nearer than 100 microseconds, and credit makes up for it. */
static void a_very_high_rate_does_not_make_busy_timers(void **state)
{
	struct bed *bed = *state;
	unsigned rounds = 0;

	open_paced(bed, 1000000000, 0);
	user_write(bed, 200 * MSS);
	for (; bed->outs - bed->expected < 200; rounds++)
		bed_pass_until_out(bed, S);
	assert_in_range(rounds, 1, 4);
}

static void fin_goes_with_the_last_byte_as_ever(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, RATE, 0);
	user_write(bed, 2 * MSS);
	user_close(bed);
	expect(bed, ACK, 1 + MSS, 1, MSS);
	bed_pass_until_out(bed, S);
	expect(bed, FINACK, 1 + 2 * MSS, 1, MSS);
}

static void after_a_take_over_it_goes_on_paced(void **state)
{
	struct bed *bed = *state;

	open_paced(bed, RATE, 2 * MSS);
	user_write(bed, 20 * MSS);
	came_out(bed);
	bed_pass(bed, 10 * MS);
	bed_take_over(bed);
	bed_pass(bed, 100 * MS);
	assert_in_range(came_out(bed), 10, 14);
}

/* Whatever stands in a table that is damaged: it ends, and something goes out. */
static void nonsense_in_the_table_does_no_harm(void **state)
{
	struct bed *bed = *state;
	static const uint64_t rates[] = {1, 999, UINT64_MAX, UINT64_C(1) << 63};
	static const uint32_t quanta[] = {0, 1, UINT32_MAX};

	open_paced(bed, RATE, 0);
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < 3; j++) {
			bed_conn(bed)->congestion.pacing_rate = rates[i];
			bed_conn(bed)->congestion.send_quantum = quanta[j];
			user_write(bed, 5 * MSS);
			assert_true(came_out(bed) >= 1);
			bed_pass(bed, 10 * MS);
			bed_conn(bed)->congestion.pacing_rate = 0;
			user_ring(bed);
			peer_ack(bed);
		}
	}
}

/* Neither side's application is the path: what is delivered while one is the limit says less. */
static void what_the_peers_window_limits_does_not_show_the_path(void **state)
{
	struct bed *bed = *state;
	const struct rate *rate;

	bed->window = 10 * MSS >> 7;
	open_idle(bed, 0, 0);
	rate = &bed_conn(bed)->rate;
	user_write(bed, 50 * MSS);
	assert_int_equal(came_out(bed), 9);
	bed_pass(bed, 100 * MS);
	peer_sack(bed, 1 + 9 * MSS, 0u);
	assert_int_equal(came_out(bed), 9);
	assert_true(rate->app_limited > rate->delivered);
}

/* A limit of the network's: here what is delivered is what the path can do. */
static void what_cwnd_limits_shows_the_path(void **state)
{
	struct bed *bed = *state;

	open_idle(bed, 0, 0);
	bed_conn(bed)->congestion.cwnd = 5 * MSS;
	user_write(bed, 50 * MSS);
	assert_int_equal(came_out(bed), 5);
	/* what was on its way before was written too late for that */
	bed_pass(bed, 100 * MS);
	peer_sack(bed, 1 + 5 * MSS, 0u);
	assert_in_range(came_out(bed), 5, 10);
	assert_true(bed_conn(bed)->rate.app_limited == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(a_connection_that_is_not_paced_sends_all_at_once),
		with_bed(a_quantum_leaves_at_once_and_then_one_each_time_it_is_paid),
		with_bed(without_a_quantum_it_is_a_segment),
		with_bed(acks_in_between_do_not_hurry_it),
		with_bed(retransmissions_are_paced_too),
		with_bed(late_timers_do_not_lower_the_rate),
		with_bed(a_timer_that_is_very_late_earns_a_bounded_credit),
		with_bed(an_idle_connection_saves_no_credit),
		with_bed(a_quantum_that_is_larger_than_the_initial_window_leaves_at_once),
		with_bed(waiting_for_cwnd_saves_no_credit),
		with_bed(with_an_empty_pipe_an_echo_leaves_at_once_whatever_is_owed),
		with_bed(a_new_rate_holds_for_what_is_owed_already),
		with_bed(a_very_high_rate_does_not_make_busy_timers),
		with_bed(fin_goes_with_the_last_byte_as_ever),
		with_bed(after_a_take_over_it_goes_on_paced),
		with_bed(nonsense_in_the_table_does_no_harm),
		with_bed(what_the_peers_window_limits_does_not_show_the_path),
		with_bed(what_cwnd_limits_shows_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
