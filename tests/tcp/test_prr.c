/* The window in fast recovery (RFC 9937), and one that is not used (RFC 7661). */
#include "tests/tcp/harness.h"

#define MSS 1000u

static struct congestion cc_with(uint32_t ssthresh)
{
	return (struct congestion){.mss = MSS, .ssthresh = ssthresh};
}

/* ---- RFC 9937, section 6 ---- */

static void more_in_flight_than_ssthresh_leaves_in_proportion(void **state)
{
	struct congestion cc = cc_with(50 * MSS);
	struct prr prr;
	uint32_t in_flight = 99 * MSS; /* one of 100 is lost */

	(void)state;
	prr_start(&prr, 100 * MSS, MSS);
	for (uint32_t i = 0; i < 98 && in_flight > cc.ssthresh; i++) {
		in_flight -= MSS;
		prr_ack(&prr, &cc, in_flight, MSS, false);
		while (in_flight + MSS <= cc.cwnd) {
			in_flight += MSS;
			prr.out += MSS;
		}
		/* one leaves for two that arrive: neither silence nor a burst */
		assert_in_range(prr.out + MSS, prr.delivered / 2, prr.delivered / 2 + 2 * MSS);
	}
	assert_in_range(in_flight, 49 * MSS, 51 * MSS);
}

static void at_least_what_was_lost_first_goes_at_once(void **state)
{
	struct congestion cc = cc_with(50 * MSS);
	struct prr prr;

	(void)state;
	prr_start(&prr, 100 * MSS, MSS);
	prr_ack(&prr, &cc, 99 * MSS, 0, false);
	assert_int_equal(cc.cwnd, 100 * MSS);
	prr.out = MSS;
	prr_ack(&prr, &cc, 100 * MSS, 0, false);
	assert_int_equal(cc.cwnd, 100 * MSS);
}

static void below_ssthresh_a_byte_goes_for_a_byte_that_came(void **state)
{
	struct congestion cc = cc_with(50 * MSS);
	struct prr prr;

	(void)state;
	prr_start(&prr, 100 * MSS, MSS);
	prr.out = MSS;
	prr_ack(&prr, &cc, 20 * MSS, 2 * MSS, false);
	assert_int_equal(cc.cwnd, 22 * MSS);
}

static void and_one_more_while_snd_una_moves_and_nothing_is_lost(void **state)
{
	struct congestion cc = cc_with(50 * MSS);
	struct prr prr;

	(void)state;
	prr_start(&prr, 100 * MSS, MSS);
	prr.out = 2 * MSS;
	prr_ack(&prr, &cc, 20 * MSS, 2 * MSS, true);
	assert_int_equal(cc.cwnd, 23 * MSS);
}

static void but_never_more_than_ssthresh(void **state)
{
	struct congestion cc = cc_with(50 * MSS);
	struct prr prr;

	(void)state;
	prr_start(&prr, 100 * MSS, MSS);
	prr.delivered = 40 * MSS;
	prr_ack(&prr, &cc, 49 * MSS, 2 * MSS, true);
	assert_int_equal(cc.cwnd, 50 * MSS);
}

static void large_counts_do_not_overflow(void **state)
{
	struct congestion cc = cc_with(CONGESTION_CWND_MAX / 2);
	struct prr prr;

	(void)state;
	prr_start(&prr, CONGESTION_CWND_MAX, MSS);
	prr.delivered = UINT64_C(1) << 40;
	prr.out = UINT64_C(1) << 39;
	prr_ack(&prr, &cc, CONGESTION_CWND_MAX / 2 + MSS, 2 * MSS, false);
	assert_in_range(cc.cwnd, CONGESTION_CWND_MAX / 2 + MSS, CONGESTION_CWND_MAX / 2 + 3 * MSS);
	cc.ssthresh = CONGESTION_SSTHRESH_INFINITE;
	prr_ack(&prr, &cc, 10 * MSS, MSS, true);
	assert_true(cc.cwnd >= 10 * MSS);
}

/* ---- a connection ---- */

static void open_it(struct bed *bed)
{
	bed->offer = (struct offer){.mss = MSS, .scale = 7, .sack = true};
	peer_syn(bed);
	bed_pass(bed, 100 * MS);
	peer_flags(bed, ACK);
	attach(bed, 65536, 1u << 20);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
}

static struct congestion *cc_of(const struct bed *bed)
{
	return &bed_conn(bed)->congestion;
}

static void recovery_ends_with_a_window_of_ssthresh(void **state)
{
	struct bed *bed = *state;

	open_it(bed);
	user_write(bed, 10 * MSS);
	assert_int_equal(peer_take(bed), 10);
	bed_pass(bed, 100 * MS);
	for (uint32_t i = 2; i <= 10; i++) {
		peer_sack(bed, 1, 1 + MSS, 1 + i * MSS, 0u);
		assert_true(recovery_pipe(bed->stack, 0) < cc_of(bed)->cwnd + MSS);
	}
	expect(bed, ACK, 1, 1, MSS);
	bed_pass(bed, 100 * MS);
	peer_sack(bed, 1 + 10 * MSS, 0u);
	assert_int_equal(bed_conn(bed)->recovery, RECOVERY_OPEN);
	assert_int_equal(cc_of(bed)->ssthresh, 5 * MSS);
	assert_int_equal(cc_of(bed)->cwnd, 5 * MSS);
}

static void half_of_the_segments_that_arrive_let_a_new_one_go(void **state)
{
	struct bed *bed = *state;
	unsigned went = 0;

	open_it(bed);
	cc_of(bed)->cwnd = 40 * MSS;
	user_write(bed, 100 * MSS);
	assert_int_equal(peer_take(bed), 40);
	bed_pass(bed, 100 * MS);
	for (uint32_t i = 2; i <= 40; i++) {
		peer_sack(bed, 1, 1 + MSS, 1 + i * MSS, 0u);
		went += bed->outs - bed->expected;
		assert_true(bed->outs - bed->expected <= 2 + (i == 4));
		bed->expected = bed->outs;
	}
	assert_in_range(went, 18, 22);
}

/* ---- RFC 7661 ---- */

/* A round trip in which so much is written and acknowledged. */
static void use(struct bed *bed, uint32_t bytes)
{
	user_write(bed, bytes);
	bed_pass(bed, 100 * MS);
	while (bed_conn(bed)->tx_una < bed->worker.tx_head)
		peer_ack(bed);
}

static void a_window_grows_while_half_of_it_is_used(void **state)
{
	struct bed *bed = *state;

	open_it(bed);
	use(bed, 6 * MSS);
	assert_true(cc_of(bed)->cwnd > 10 * MSS);
}

static void and_not_when_less_is(void **state)
{
	struct bed *bed = *state;

	open_it(bed);
	for (int i = 0; i < 20; i++)
		use(bed, 4 * MSS);
	assert_int_equal(cc_of(bed)->cwnd, 10 * MSS);
}

static void what_is_not_used_for_five_minutes_is_halved(void **state)
{
	struct bed *bed = *state;
	uint32_t cwnd;

	open_it(bed);
	cc_of(bed)->cwnd = 100 * MSS;
	use(bed, 1);
	cwnd = cc_of(bed)->cwnd;
	assert_int_equal(cwnd, 100 * MSS);
	bed_pass(bed, 200 * S);
	use(bed, 1);
	assert_int_equal(cc_of(bed)->cwnd, 100 * MSS);
	bed_pass(bed, 105 * S);
	use(bed, 1);
	assert_int_equal(cc_of(bed)->cwnd, 50 * MSS);
	bed_pass(bed, 300 * S);
	use(bed, 1);
	assert_int_equal(cc_of(bed)->cwnd, 25 * MSS);
	bed_pass(bed, 86400 * S);
	use(bed, 1);
	assert_int_equal(cc_of(bed)->cwnd, 10 * MSS); /* the initial window */
	assert_int_equal(cc_of(bed)->ssthresh, CONGESTION_SSTHRESH_INFINITE);
}

static void a_loss_is_answered_from_what_was_in_use(void **state)
{
	struct bed *bed = *state;
	uint32_t una;

	open_it(bed);
	cc_of(bed)->cwnd = 100 * MSS;
	use(bed, 20 * MSS);
	use(bed, 20 * MSS);
	una = bed_conn(bed)->snd_una - bed->iss;
	user_write(bed, 8 * MSS);
	peer_take(bed);
	bed_pass(bed, 100 * MS);
	peer_sack(bed, una, una + MSS, una + 8 * MSS, 0u);
	assert_int_equal(bed_conn(bed)->recovery, RECOVERY_FAST);
	/* half of the 20 segments that a round trip brought, not of the 8 or the 100 */
	assert_in_range(cc_of(bed)->ssthresh, 9 * MSS, 11 * MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_in_flight_than_ssthresh_leaves_in_proportion),
		cmocka_unit_test(at_least_what_was_lost_first_goes_at_once),
		cmocka_unit_test(below_ssthresh_a_byte_goes_for_a_byte_that_came),
		cmocka_unit_test(and_one_more_while_snd_una_moves_and_nothing_is_lost),
		cmocka_unit_test(but_never_more_than_ssthresh),
		cmocka_unit_test(large_counts_do_not_overflow),
		with_bed(recovery_ends_with_a_window_of_ssthresh),
		with_bed(half_of_the_segments_that_arrive_let_a_new_one_go),
		with_bed(a_window_grows_while_half_of_it_is_used),
		with_bed(and_not_when_less_is),
		with_bed(what_is_not_used_for_five_minutes_is_halved),
		with_bed(a_loss_is_answered_from_what_was_in_use),
	};

	return cmocka_run_group_tests_name("prr", tests, NULL, NULL);
}
