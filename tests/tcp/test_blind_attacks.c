/*
 * Segments that somebody off the path could send (RFC 5961, RFC 9293, 3.10.7.4), old
 * duplicates (PAWS, RFC 7323, section 5), and the answers to them.
 */
#include "tests/tcp/harness.h"

static void send_at(struct bed *bed, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct segment seg = peer_segment(bed, flags);

	seg.seq = PEER_ISS + seq;
	if (flags & TCP_ACK)
		seg.ack = bed->iss + ack;
	peer_send(bed, &seg);
}

static void rfc_5961_an_rst_exactly_at_rcv_nxt_resets(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	send_at(bed, RST, 1, 0);
	expect_nothing(bed);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(counter(bed, estab_resets), 1);
	assert_int_equal(worker_reset_reason(&bed->worker), RING_RESET_PEER);
}

static void rfc_5961_an_rst_elsewhere_in_the_window_is_challenged(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	send_at(bed, RST, 2, 0);
	expect(bed, ACK, 1, 1, 0);
	send_at(bed, RST, 65536, 0);
	expect(bed, ACK, 1, 1, 0);
	expect_state(bed, TCP_ESTABLISHED);
	assert_int_equal(counter(bed, rst_ignored), 2);
	assert_int_equal(counter(bed, challenge_acks), 2);
}

static void rfc_5961_an_rst_outside_the_window_is_dropped(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	send_at(bed, RST, 0, 0);
	send_at(bed, RST, 65538, 0);
	send_at(bed, RST, 0x80000000u, 0);
	expect_nothing(bed);
	expect_state(bed, TCP_ESTABLISHED);
}

static void rfc_5961_a_syn_is_challenged_wherever_it_is(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	send_at(bed, SYN, 0, 0);
	expect(bed, ACK, 1, 1, 0);
	send_at(bed, SYN, 1, 0);
	expect(bed, ACK, 1, 1, 0);
	send_at(bed, SYN, 100, 0);
	expect(bed, ACK, 1, 1, 0);
	send_at(bed, SYN, 0x40000000u, 0);
	expect(bed, ACK, 1, 1, 0);
	send_at(bed, SYNACK, 1, 1);
	expect(bed, ACK, 1, 1, 0);
	expect_state(bed, TCP_ESTABLISHED);
}

/* A client that has lost its memory opens again with the same ports: the challenge makes it reset. */
static void rfc_5961_a_rebooted_peer_gets_through_by_its_rst(void **state)
{
	struct bed *bed = *state;
	const struct out *challenge;

	reach(bed, TCP_ESTABLISHED);
	send_at(bed, SYN, 777777, 0);
	challenge = expect(bed, ACK, 1, 1, 0);
	send_at(bed, RST, challenge->ack, 0);
	expect_state(bed, TCP_CLOSED);
	establish(bed);
}

static void rfc_5961_an_ack_of_what_was_not_sent_is_challenged(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	send_at(bed, ACK, 1, 2);
	expect(bed, ACK, 1, 1, 0);
	send_at(bed, ACK, 1, 0x40000000u);
	expect(bed, ACK, 1, 1, 0);
	assert_int_equal(counter(bed, bad_ack), 2);
	assert_int_equal(bed_conn(bed)->snd_una, bed->iss + 1);
}

static void rfc_5961_an_ack_older_than_the_largest_window_is_challenged_and_its_data_dropped(
	void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	bed->offer.scale = -1;
	bed->window = 1000;
	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 500);
	peer_ack(bed);
	seg = peer_segment(bed, ACK);
	seg.data = (const uint8_t *)"x";
	seg.data_length = 1;
	seg.ack = bed->iss + 501 - 1001;
	peer_send(bed, &seg);
	expect(bed, ACK, 501, 1, 0);
	assert_int_equal(worker_waiting(&bed->worker), 0);
	/* one inside that range is merely old, and its data counts */
	seg.ack = bed->iss + 501 - 500;
	peer_send(bed, &seg);
	assert_int_equal(worker_waiting(&bed->worker), 1);
	bed_pass(bed, 40 * MS);
	expect(bed, ACK, 501, 2, 0);
}

static void rfc_5961_challenges_are_limited_per_second(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	for (int i = 0; i < 50; i++)
		send_at(bed, RST, 100, 0);
	assert_int_equal(peer_take(bed), 10);
	assert_int_equal(counter(bed, challenge_limited), 40);
	bed_pass(bed, S);
	send_at(bed, RST, 100, 0);
	expect(bed, ACK, 1, 1, 0);
}

static void segments_without_ack_are_dropped(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	send_at(bed, FIN, 1, 0);
	send_at(bed, PSH, 1, 0);
	send_at(bed, URG, 1, 0);
	expect_nothing(bed);
	expect_state(bed, TCP_ESTABLISHED);
}

static void data_outside_the_window_is_answered_with_an_ack_and_dropped(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	peer_data_at(bed, 70000, 10);
	expect(bed, ACK, 1, 1, 0);
	peer_data_at(bed, 0x80000000u, 10);
	expect(bed, ACK, 1, 1, 0);
	peer_data(bed, 100);
	user_take(bed, 100);
	bed_pass(bed, 40 * MS);
	expect(bed, ACK, 1, 101, 0);
	peer_data_at(bed, 1, 100); /* a duplicate */
	expect(bed, ACK, 1, 101, 0);
	assert_int_equal(counter(bed, duplicates), 1);
	assert_int_equal(counter(bed, out_of_window), 2);
}

static void half_open_connections_are_reset_by_an_exact_rst_only(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	send_at(bed, RST, 2, 0);
	send_at(bed, RST, 0, 0);
	send_at(bed, RSTACK, 99, 1);
	expect_state(bed, TCP_SYN_RECEIVED);
	assert_int_equal(counter(bed, rst_ignored), 3);
	send_at(bed, RST, 1, 0);
	expect_state(bed, TCP_CLOSED);
	expect_nothing(bed);
}

/* ---- timestamps ---- */

static void with_timestamps(struct bed *bed)
{
	bed->offer.timestamps = true;
	reach(bed, TCP_ESTABLISHED);
}

static void timestamps_are_echoed(void **state)
{
	struct bed *bed = *state;
	uint32_t first;

	with_timestamps(bed);
	bed->ts_value += 100;
	peer_data(bed, 10);
	bed_pass(bed, 40 * MS);
	assert_int_equal(bed->out[bed->outs - 1].seg.ts_echo, bed->ts_value);
	first = expect(bed, ACK, 1, 11, 0)->seg.ts_value;
	bed_pass(bed, 250 * MS);
	user_write(bed, 1);
	assert_int_equal(expect(bed, ACK, 1, 11, 1)->seg.ts_value, first + 250);
}

/* RFC 7323, 4.3: the echo is of the segment that the delayed ACK was for, not of the latest. */
static void rfc_7323_a_delayed_ack_echoes_the_earliest_segment(void **state)
{
	struct bed *bed = *state;

	with_timestamps(bed);
	bed->ts_value = 6000;
	peer_data(bed, 1000);
	bed->ts_value = 6001;
	peer_data(bed, 1000);
	assert_int_equal(expect(bed, ACK, 1, 2001, 0)->seg.ts_echo, 6000);
	bed->ts_value = 6005; /* the next after an ACK is echoed again */
	peer_data(bed, 1000);
	bed_pass(bed, 40 * MS);
	assert_int_equal(expect(bed, ACK, 1, 3001, 0)->seg.ts_echo, 6005);
}

/* RFC 7323, 4.3, case B: a segment beyond a gap does not move the echo. */
static void rfc_7323_a_segment_beyond_a_gap_is_not_echoed(void **state)
{
	struct bed *bed = *state;

	with_timestamps(bed);
	bed->ts_value = 6000;
	peer_data_at(bed, 101, 100);
	assert_int_equal(expect(bed, ACK, 1, 1, 0)->seg.ts_echo, 5000);
	bed->ts_value = 6002;
	peer_data_at(bed, 1, 100);
	assert_int_equal(expect(bed, ACK, 1, 201, 0)->seg.ts_echo, 6002);
}

static void paws_drops_old_timestamps_with_an_ack(void **state)
{
	struct bed *bed = *state;

	with_timestamps(bed);
	bed->ts_value = 4999;
	peer_data_at(bed, 1, 10);
	expect(bed, ACK, 1, 1, 0);
	assert_int_equal(worker_waiting(&bed->worker), 0);
	assert_int_equal(counter(bed, paws), 1);
	bed->ts_value = 5000;
	peer_data(bed, 10);
	assert_int_equal(worker_waiting(&bed->worker), 10);
}

/* Else one guessed sequence number would make PAWS refuse all that the peer sends. */
static void a_timestamp_counts_only_beside_an_acceptable_ack(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	with_timestamps(bed);
	seg = peer_segment(bed, ACK);
	seg.ack += 1000000;
	seg.ts_value += 100000;
	seg.data = (const uint8_t *)"";
	seg.data_length = 1;
	peer_send(bed, &seg);
	expect(bed, ACK, 1, 1, 0);
	bed->ts_value++;
	peer_data(bed, 10);
	assert_int_equal(worker_waiting(&bed->worker), 10);
	assert_int_equal(counter(bed, paws), 0);
}

static void paws_does_not_stop_an_rst(void **state)
{
	struct bed *bed = *state;

	with_timestamps(bed);
	bed->ts_value = 1;
	send_at(bed, RST, 1, 0);
	expect_state(bed, TCP_CLOSED);
}

static void paws_forgets_after_24_days(void **state)
{
	struct bed *bed = *state;

	with_timestamps(bed);
	bed_pass(bed, 24ULL * 86400 * S);
	bed->ts_value = 5000u - 1000000000u;
	peer_data(bed, 10);
	assert_int_equal(worker_waiting(&bed->worker), 10);
}

static void rfc_7323_segments_without_the_negotiated_timestamps_are_dropped(void **state)
{
	struct bed *bed = *state;

	with_timestamps(bed);
	bed->timestamps = false;
	peer_data_at(bed, 1, 10);
	expect_nothing(bed);
	assert_int_equal(worker_waiting(&bed->worker), 0);
	send_at(bed, RST, 1, 0);
	expect_state(bed, TCP_CLOSED);
}

static void the_third_segment_without_the_negotiated_timestamps_is_dropped(void **state)
{
	struct bed *bed = *state;

	bed->offer.timestamps = true;
	peer_syn(bed);
	bed->timestamps = false;
	peer_flags(bed, ACK);
	expect_nothing(bed);
	expect_state(bed, TCP_SYN_RECEIVED);
	assert_int_equal(bed->stack->open_conns, 0);
}

static void so_is_one_with_an_older_timestamp_than_the_syn(void **state)
{
	struct bed *bed = *state;

	bed->offer.timestamps = true;
	bed->ts_value = 1000;
	peer_syn(bed);
	bed->ts_value = 999;
	peer_flags(bed, ACK);
	expect_nothing(bed);
	expect_state(bed, TCP_SYN_RECEIVED);
	assert_int_equal(bed->stack->open_conns, 0);
}

/* ---- resets for nobody ---- */

static void resets_for_nobody_are_limited_for_each_source(void **state)
{
	struct bed *bed = *state;
	struct segment seg = peer_segment(bed, ACK);
	unsigned resets = 0;

	for (int i = 0; i < 1500; i++) {
		peer_send(bed, &seg);
		resets += bed->outs;
		bed->outs = bed->expected = 0;
	}
	assert_in_range(resets, RESETS_PER_SECOND / 2, RESETS_PER_SECOND * 3 / 2);
	assert_int_equal(counter(bed, rst_limited), 1500 - resets);
}

static void rst_gets_no_answer(struct bed *bed, enum tcp_state state)
{
	(void)state;
	send_at(bed, RST, 0xff000000u, 0);
	expect_nothing(bed);
	send_at(bed, RSTACK, 1, 0x3000000);
	send_at(bed, RST, 1, 0);
	expect_nothing(bed);
}

static void an_rst_is_never_answered(void **state)
{
	static const enum tcp_state states[] = {TCP_LISTEN,     TCP_SYN_RECEIVED, TCP_SYN_SENT,
	                                        TCP_TIME_WAIT,  TCP_CLOSING,      TCP_LAST_ACK,
	                                        TCP_FIN_WAIT_2, TCP_CLOSE_WAIT};

	(void)state;
	in_each_state(states, 8, rst_gets_no_answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(rfc_5961_an_rst_exactly_at_rcv_nxt_resets),
		with_bed_v6(rfc_5961_an_rst_exactly_at_rcv_nxt_resets),
		with_bed(rfc_5961_an_rst_elsewhere_in_the_window_is_challenged),
		with_bed(rfc_5961_an_rst_outside_the_window_is_dropped),
		with_bed(rfc_5961_a_syn_is_challenged_wherever_it_is),
		with_bed(rfc_5961_a_rebooted_peer_gets_through_by_its_rst),
		with_bed(rfc_5961_an_ack_of_what_was_not_sent_is_challenged),
		with_bed(
			rfc_5961_an_ack_older_than_the_largest_window_is_challenged_and_its_data_dropped),
		with_bed(rfc_5961_challenges_are_limited_per_second),
		with_bed(segments_without_ack_are_dropped),
		with_bed(data_outside_the_window_is_answered_with_an_ack_and_dropped),
		with_bed(half_open_connections_are_reset_by_an_exact_rst_only),
		with_bed(timestamps_are_echoed),
		with_bed_v6(timestamps_are_echoed),
		with_bed(rfc_7323_a_delayed_ack_echoes_the_earliest_segment),
		with_bed(rfc_7323_a_segment_beyond_a_gap_is_not_echoed),
		with_bed(paws_drops_old_timestamps_with_an_ack),
		with_bed(a_timestamp_counts_only_beside_an_acceptable_ack),
		with_bed(paws_does_not_stop_an_rst),
		with_bed(paws_forgets_after_24_days),
		with_bed(rfc_7323_segments_without_the_negotiated_timestamps_are_dropped),
		with_bed(the_third_segment_without_the_negotiated_timestamps_is_dropped),
		with_bed(so_is_one_with_an_older_timestamp_than_the_syn),
		with_bed(resets_for_nobody_are_limited_for_each_source),
		cmocka_unit_test(an_rst_is_never_answered),
	};

	return cmocka_run_group_tests_name("blind attacks", tests, NULL, NULL);
}
