/*
 * ICMP errors (RFC 1122, 4.2.3.9; RFC 1191, 8201, 5461, 5927): which are believed, and what
 * they do. Their parsing is tested elsewhere.
 */
#include "tests/tcp/harness.h"

static void too_big_about_data_in_flight_makes_segments_smaller(void **state)
{
	struct bed *bed = *state;
	bool v6 = bed->flow.local.address.version == IP_V6;
	uint32_t full = v6 ? 1440 : 1460, small = v6 ? 1240 : 1160;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 2 * full);
	expect(bed, ACK, 1, 1, full);
	expect(bed, ACK, 1 + full, 1, full);
	peer_icmp(bed, ICMP_TOO_BIG, 1, v6 ? 1300 : 1200);
	/* what was dropped is sent again at once, in pieces that fit */
	expect(bed, ACK, 1, 1, small);
	expect(bed, ACK, 1 + small, 1, small);
	expect(bed, ACK, 1 + 2 * small, 1, 2 * full - 2 * small);
	expect_nothing(bed);
	peer_ack(bed);
	user_write(bed, 2000);
	expect(bed, ACK, 1 + 2 * full, 1, small);
	assert_int_equal(bed_conn(bed)->congestion.mss, small);
	assert_int_equal(counter(bed, icmp_in), 1);
	assert_int_equal(counter(bed, timeouts), 0);
}

static void rfc_5927_too_big_about_what_is_not_in_flight_is_ignored(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	reach(bed, TCP_ESTABLISHED);
	peer_icmp(bed, ICMP_TOO_BIG, 1, 600); /* nothing is in flight */
	user_write(bed, 1000);
	peer_take(bed);
	peer_icmp(bed, ICMP_TOO_BIG, 0, 600);
	peer_icmp(bed, ICMP_TOO_BIG, 1001, 600);
	peer_icmp(bed, ICMP_TOO_BIG, 0x80000000u, 600);
	bed->flow.peer.port++;
	peer_icmp(bed, ICMP_TOO_BIG, 1, 600); /* nobody's */
	bed->flow.peer.port--;
	expect_nothing(bed);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.send_mss, 1460);
	assert_int_equal(counter(bed, icmp_ignored), 5);
}

static void no_path_mtu_is_believed_below_the_floor(void **state)
{
	struct bed *bed = *state;
	bool v6 = bed->flow.local.address.version == IP_V6;
	struct conn_info info;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1000);
	peer_take(bed);
	peer_icmp(bed, ICMP_TOO_BIG, 1, 68);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.send_mss, v6 ? 1440 : 552 - 40); /* RFC 8201, section 4: discarded */
	peer_icmp(bed, ICMP_TOO_BIG, 1, 1280);
	peer_icmp(bed, ICMP_TOO_BIG, 1, 0);
	peer_icmp(bed, ICMP_TOO_BIG, 1, UINT32_MAX); /* and it never grows again */
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.send_mss, v6 ? 1280 - 60 : 552 - 40);
}

static void an_unknown_mtu_does_not_grow(void **state)
{
	struct bed *bed = *state;
	bool v6 = bed->flow.local.address.version == IP_V6;
	struct conn_info info;

	bed->mtu = 0;
	bed->offer.mss = 8960;
	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1000);
	peer_take(bed);
	peer_icmp(bed, ICMP_TOO_BIG, 1, 9000);
	expect_nothing(bed);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.send_mss, v6 ? 1280 - 60 : 1500 - 40);
}

static void an_mtu_that_is_no_news_sends_nothing_again(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1000);
	peer_take(bed);
	peer_icmp(bed, ICMP_TOO_BIG, 1, 1500);
	peer_icmp(bed, ICMP_TOO_BIG, 1, 9000);
	expect_nothing(bed);
}

static void a_hard_error_ends_a_call_that_is_not_answered_yet(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	peer_icmp(bed, ICMP_SOFT, 0, 0);
	expect_state(bed, TCP_SYN_SENT);
	peer_icmp(bed, ICMP_HARD, 1, 0); /* quotes what was not sent */
	expect_state(bed, TCP_SYN_SENT);
	peer_icmp(bed, ICMP_HARD, 0, 0);
	expect_state(bed, TCP_CLOSED);
	expect_nothing(bed);
	assert_non_null(bed_moved(bed, TCP_SYN_SENT, TCP_CLOSED));
}

static void rfc_5461_hard_errors_do_not_end_a_connection(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1000);
	peer_take(bed);
	peer_icmp(bed, ICMP_HARD, 1, 0);
	peer_icmp(bed, ICMP_SOFT, 1, 0);
	expect_state(bed, TCP_ESTABLISHED);
	expect_nothing(bed);
	peer_ack(bed);
	assert_int_equal(worker_tx_tail(&bed->worker), 1000);
}

static void no_error_counts(struct bed *bed, enum tcp_state state)
{
	peer_icmp(bed, ICMP_HARD, 0, 0);
	peer_icmp(bed, ICMP_TOO_BIG, 0, 600);
	peer_icmp(bed, ICMP_HARD, 1, 0);
	expect_nothing(bed);
	expect_state(bed, state);
}

static void errors_about_half_open_and_time_wait_entries_are_ignored(void **state)
{
	static const enum tcp_state states[] = {TCP_SYN_RECEIVED, TCP_TIME_WAIT};

	(void)state;
	in_each_state(states, 2, no_error_counts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(too_big_about_data_in_flight_makes_segments_smaller),
		with_bed_v6(too_big_about_data_in_flight_makes_segments_smaller),
		with_bed(rfc_5927_too_big_about_what_is_not_in_flight_is_ignored),
		with_bed(an_unknown_mtu_does_not_grow),
		with_bed_v6(an_unknown_mtu_does_not_grow),
		with_bed(no_path_mtu_is_believed_below_the_floor),
		with_bed_v6(no_path_mtu_is_believed_below_the_floor),
		with_bed(an_mtu_that_is_no_news_sends_nothing_again),
		with_bed(a_hard_error_ends_a_call_that_is_not_answered_yet),
		with_bed_v6(a_hard_error_ends_a_call_that_is_not_answered_yet),
		with_bed(rfc_5461_hard_errors_do_not_end_a_connection),
		cmocka_unit_test(errors_about_half_open_and_time_wait_entries_are_ignored),
	};

	return cmocka_run_group_tests_name("ICMP input", tests, NULL, NULL);
}
