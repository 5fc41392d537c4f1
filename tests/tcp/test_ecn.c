/* Explicit congestion notification (RFC 3168): stack/ecn.c. */
#include "tests/tcp/harness.h"

#define MSS 1000u

#define with_ecn(test) cmocka_unit_test_setup_teardown(test, ecn_setup_v4, bed_teardown)
#define with_ecn_v6(test)                                                                          \
	{                                                                                          \
		.name = #test " (IPv6)", .test_func = test, .setup_func = ecn_setup_v6,            \
		.teardown_func = bed_teardown                                                      \
	}

static int setup(void **state, enum ip_version version)
{
	struct stack_config config = bed_config();
	struct bed *bed = malloc(sizeof(*bed));

	if (bed == NULL)
		return -1;
	config.ecn = true;
	bed_open(bed, version, &config);
	bed->offer = (struct offer){.mss = MSS, .scale = 7, .sack = true, .ecn = true};
	*state = bed;
	return 0;
}

static int ecn_setup_v4(void **state)
{
	return setup(state, IP_V4);
}

static int ecn_setup_v6(void **state)
{
	return setup(state, IP_V6);
}

/* Both sides use it; the round trip is 100 ms. */
static void open_ecn(struct bed *bed)
{
	peer_syn(bed);
	bed_pass(bed, 100 * MS);
	peer_flags(bed, ACK);
	attach(bed, 65536, 262144);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
}

static bool negotiated(const struct bed *bed)
{
	struct conn_info info;

	assert_true(bed_info(bed, &info));
	return info.ecn;
}

static uint32_t cwnd(const struct bed *bed)
{
	return bed_conn(bed)->congestion.cwnd;
}

/* Data of the peer with this mark around it. */
static void peer_marked(struct bed *bed, uint8_t ecn, uint32_t length)
{
	bed->ecn = ecn;
	peer_data(bed, length);
	bed->ecn = IP_ECN_NOT;
}

/* An ACK of this much, with ECN-Echo. */
static void peer_echo(struct bed *bed, uint32_t ack)
{
	struct segment seg = peer_segment(bed, ACK | ECE);

	seg.ack = bed->iss + ack;
	peer_send(bed, &seg);
}

/* The user writes LENGTH bytes, and one segment with them comes out, marked or not, with FLAGS. */
static void write_one(struct bed *bed, uint32_t length, uint8_t flags, uint8_t ecn)
{
	const struct out *out;

	user_write(bed, length);
	out = next_out(bed);
	assert_int_equal(out->seg.data_length, length);
	assert_int_equal(out->seg.flags & ~PSH, flags);
	assert_int_equal(out->seg.ecn, ecn);
}

/* ---- section 6.1.1: the handshake ---- */

static void a_syn_with_both_flags_is_answered_with_ece_alone(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed); /* expects just that */
	assert_int_equal(bed->out[0].seg.ecn, IP_ECN_NOT);
	peer_flags(bed, ACK);
	assert_true(negotiated(bed));
}

static void a_syn_without_them_gets_a_plain_answer(void **state)
{
	struct bed *bed = *state;

	bed->offer.ecn = false;
	open_ecn(bed);
	assert_false(negotiated(bed));
	write_one(bed, 100, ACK, IP_ECN_NOT);
}

static void one_of_the_flags_is_no_offer(void **state)
{
	struct bed *bed = *state;
	static const uint8_t flags[] = {ECE, CWR};

	for (unsigned i = 0; i < 2; i++) {
		bed_peer(bed, 0, (uint16_t)(PEER_PORT + i));
		peer_flags(bed, SYN | flags[i]);
		expect(bed, SYNACK, 0, 1, 0);
	}
}

/* RFC 4987, 3.6: it is in the timestamp; without one it cannot be kept. */
static void a_syn_cookie_keeps_it(void **state)
{
	for (int timestamps = 1; timestamps >= 0; timestamps--) {
		struct stack_config config = bed_config();
		struct bed bed;
		struct segment seg;

		(void)state;
		config.ecn = true;
		config.syn_cookies = STACK_COOKIES_ALWAYS;
		bed_open(&bed, IP_V4, &config);
		bed.offer = (struct offer){
			.mss = MSS, .scale = 7, .timestamps = timestamps, .ecn = timestamps};
		if (timestamps) {
			peer_syn(&bed);
		} else {
			seg = peer_segment(&bed, SYN | ECE | CWR);
			peer_send(&bed, &seg);
			bed.seq++;
			bed.ack = expect(&bed, SYNACK, 0, 1, 0)->seg.seq + 1;
		}
		peer_flags(&bed, ACK);
		expect_state(&bed, TCP_ESTABLISHED);
		assert_int_equal(negotiated(&bed), timestamps);
		bed_close(&bed);
	}
}

static void switched_off_it_is_neither_agreed_to_nor_offered(void **state)
{
	struct bed *bed = *state;

	bed->offer = (struct offer){.mss = MSS, .scale = 7, .ecn = true};
	assert_false(bed->config.ecn);
	peer_syn(bed);
	peer_flags(bed, ACK);
	assert_false(negotiated(bed));
	bed_peer(bed, 0, PEER_PORT + 1);
	call_peer(bed);
}

static void a_call_offers_it_and_takes_the_answer(void **state)
{
	struct bed *bed = *state;

	establish_by_call(bed);
	assert_true(negotiated(bed));
	attach(bed, 65536, 65536);
	write_one(bed, 100, ACK, IP_ECN_ECT0);
}

static void a_call_whose_answer_reflects_both_flags_does_without(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	peer_flags(bed, SYNACK | ECE | CWR);
	assert_false(negotiated(bed));
	attach(bed, 65536, 65536);
	peer_take(bed);
	write_one(bed, 100, ACK, IP_ECN_NOT);
}

static void a_call_whose_answer_has_no_flag_does_without(void **state)
{
	struct bed *bed = *state;

	bed->offer.ecn = false;
	establish_by_call(bed);
	assert_false(negotiated(bed));
}

static void both_may_offer_it_at_once(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	peer_flags(bed, SYN | ECE | CWR);
	expect(bed, SYNACK | ECE, 0, 1, 0);
	bed->seq--;
	peer_flags(bed, SYNACK | ECE);
	expect_state(bed, TCP_ESTABLISHED);
	assert_true(negotiated(bed));
}

static void both_open_at_once_and_the_peer_answers_without(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	peer_flags(bed, SYN | ECE | CWR);
	expect(bed, SYNACK | ECE, 0, 1, 0);
	bed->seq--;
	peer_flags(bed, SYNACK);
	expect_state(bed, TCP_ESTABLISHED);
	assert_false(negotiated(bed));
}

/* ---- section 6.1.1.1: what drops such SYNs ---- */

static void a_syn_that_is_sent_again_offers_nothing(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	bed_pass_until_out(bed, 2 * S);
	expect(bed, SYN, 0, 0, 0);
	/* the first one arrived after all: its marks are heeded, but none sent */
	peer_flags(bed, SYNACK | ECE);
	assert_true(negotiated(bed));
	attach(bed, 65536, 65536);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
	write_one(bed, 100, ACK, IP_ECN_NOT);
	peer_marked(bed, IP_ECN_CE, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK | ECE, 101, 101, 0);
}

static void a_syn_ack_that_is_sent_again_offers_nothing(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	bed_pass_until_out(bed, 2 * S);
	expect(bed, SYNACK, 0, 1, 0);
	peer_flags(bed, ACK);
	attach(bed, 65536, 65536);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
	write_one(bed, 100, ACK, IP_ECN_NOT);
	peer_marked(bed, IP_ECN_CE, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK | ECE, 101, 101, 0);
}

static void a_peer_that_falls_back_is_followed(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	bed->seq--;
	peer_flags(bed, SYN);
	expect(bed, SYNACK, 0, 1, 0);
	peer_flags(bed, ACK);
	assert_false(negotiated(bed));
}

/* ---- sections 5 and 6.1.2 to 6.1.6: what is marked ---- */

static void new_data_is_marked_and_nothing_else(void **state)
{
	struct bed *bed = *state;

	open_ecn(bed);
	user_write(bed, 2 * MSS);
	assert_int_equal(next_out(bed)->seg.ecn, IP_ECN_ECT0);
	assert_int_equal(next_out(bed)->seg.ecn, IP_ECN_ECT0);
	/* an ACK */
	peer_data(bed, 100);
	bed_pass(bed, 100 * MS);
	assert_int_equal(next_out(bed)->seg.ecn, IP_ECN_NOT);
	/* a retransmission */
	bed_pass_until_out(bed, 2 * S);
	while (bed->expected < bed->outs)
		assert_int_equal(next_out(bed)->seg.ecn, IP_ECN_NOT);
	peer_ack(bed);
	peer_take(bed);
	/* a FIN */
	user_close(bed);
	assert_int_equal(next_out(bed)->seg.ecn, IP_ECN_NOT);
}

static void a_window_probe_is_not_marked(void **state)
{
	struct bed *bed = *state;

	open_ecn(bed);
	bed->window = 0;
	peer_flags(bed, ACK);
	user_write(bed, 100);
	bed_pass_until_out(bed, 2 * S);
	assert_int_equal(expect(bed, ACK, 1, 1, 1)->seg.ecn, IP_ECN_NOT);
}

static void a_reset_has_neither_mark_nor_echo(void **state)
{
	struct bed *bed = *state;
	const struct out *out;

	open_ecn(bed);
	peer_marked(bed, IP_ECN_CE, 100);
	worker_abort(&bed->worker);
	user_ring(bed);
	while (!(bed->out[bed->outs - 1].seg.flags & RST) || bed->expected < bed->outs - 1)
		next_out(bed);
	out = next_out(bed);
	assert_int_equal(out->seg.flags, RSTACK);
	assert_int_equal(out->seg.ecn, IP_ECN_NOT);
}

/* ---- section 6.1.3: the receiver ---- */

static void ce_is_echoed_until_cwr(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	open_ecn(bed);
	peer_marked(bed, IP_ECN_ECT0, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK, 1, 101, 0);
	peer_marked(bed, IP_ECN_CE, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK | ECE, 1, 201, 0);
	peer_marked(bed, IP_ECN_ECT0, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK | ECE, 1, 301, 0);
	/* data of ours says it as well */
	write_one(bed, 10, ACK | ECE, IP_ECN_ECT0);
	seg = peer_segment(bed, ACK | CWR);
	peer_send(bed, &seg);
	peer_marked(bed, IP_ECN_ECT0, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK, 11, 401, 0);
}

static void a_mark_on_the_packet_with_cwr_is_a_new_one(void **state)
{
	struct bed *bed = *state;
	struct segment seg;
	uint8_t data[1] = {7}; /* the stream's second byte */

	open_ecn(bed);
	peer_marked(bed, IP_ECN_CE, 1);
	seg = peer_segment(bed, ACK | CWR);
	seg.data = data;
	seg.data_length = 1;
	bed->ecn = IP_ECN_CE;
	peer_send(bed, &seg);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK | ECE, 1, 3, 0);
}

static void a_mark_outside_the_window_or_on_an_ack_is_ignored(void **state)
{
	struct bed *bed = *state;

	open_ecn(bed);
	peer_data(bed, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK, 1, 101, 0);
	bed->ecn = IP_ECN_CE;
	peer_data_at(bed, 1, 100); /* old */
	expect(bed, ACK, 1, 101, 0);
	peer_flags(bed, ACK);
	bed->ecn = IP_ECN_NOT;
	peer_data(bed, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK, 1, 201, 0);
}

static void a_duplicate_ack_echoes_too(void **state)
{
	struct bed *bed = *state;

	open_ecn(bed);
	bed->ecn = IP_ECN_CE;
	peer_data_at(bed, 101, 100); /* out of order */
	expect(bed, ACK | ECE, 1, 1, 0);
}

/* ---- section 6.1.2: the sender ---- */

static void an_echo_reduces_the_window_once_a_round_trip(void **state)
{
	struct bed *bed = *state;
	uint32_t before, after;

	open_ecn(bed);
	before = cwnd(bed);
	user_write(bed, 10 * MSS);
	assert_int_equal(peer_take(bed), 10);
	peer_echo(bed, 1 + MSS);
	after = cwnd(bed);
	assert_int_equal(after, before / 2);
	for (uint32_t i = 2; i <= 9; i++)
		peer_echo(bed, 1 + i * MSS);
	assert_int_equal(cwnd(bed), after);
	assert_int_equal(counter(bed, ecn_reductions), 1);
	/* beyond what was out when it was reduced: a new one */
	user_write(bed, 10 * MSS);
	peer_take(bed);
	peer_echo(bed, 1 + 10 * MSS);
	assert_int_equal(counter(bed, ecn_reductions), 1);
	peer_echo(bed, 1 + 11 * MSS);
	assert_int_equal(counter(bed, ecn_reductions), 2);
}

static void the_next_new_segment_says_cwr_once(void **state)
{
	struct bed *bed = *state;

	open_ecn(bed);
	write_one(bed, 500, ACK, IP_ECN_ECT0);
	peer_echo(bed, 501);
	expect_nothing(bed);
	/* an ACK does not say it */
	peer_data(bed, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK, 501, 101, 0);
	write_one(bed, 500, ACK | CWR, IP_ECN_ECT0);
	write_one(bed, 500, ACK, IP_ECN_ECT0);
}

static void a_loss_is_told_by_cwr_too(void **state)
{
	struct bed *bed = *state;

	bed->offer.sack = false; /* no probe before the time-out */
	open_ecn(bed);
	write_one(bed, 500, ACK, IP_ECN_ECT0);
	bed_pass_until_out(bed, 2 * S);
	expect(bed, ACK, 1, 1, 500);
	/* the retransmission does not say it */
	bed_pass(bed, 100 * MS);
	peer_ack(bed);
	peer_take(bed);
	write_one(bed, 500, ACK | CWR, IP_ECN_ECT0);
}

static void an_echo_in_fast_recovery_reduces_nothing_more(void **state)
{
	struct bed *bed = *state;
	struct segment seg;
	uint32_t after;

	open_ecn(bed);
	user_write(bed, 10 * MSS);
	peer_take(bed);
	for (uint32_t i = 2; i <= 5; i++)
		peer_sack(bed, 1, 1 + MSS, 1 + i * MSS, 0u);
	assert_int_equal(bed_conn(bed)->recovery, RECOVERY_FAST);
	after = bed_conn(bed)->congestion.ssthresh;
	seg = peer_segment(bed, ACK | ECE);
	seg.ack = bed->iss + 1;
	seg.sack_count = 1;
	seg.sack[0] = (struct seq_range){bed->iss + 1 + MSS, bed->iss + 1 + 7 * MSS};
	peer_send(bed, &seg);
	assert_int_equal(bed_conn(bed)->congestion.ssthresh, after);
	assert_int_equal(counter(bed, ecn_reductions), 0);
}

static void an_echo_never_enlarges_the_window(void **state)
{
	struct bed *bed = *state;

	bed->offer.sack = false; /* no probe before the time-out */
	open_ecn(bed);
	user_write(bed, 500);
	bed_pass_until_out(bed, 2 * S); /* cwnd is a segment now */
	peer_take(bed);
	peer_ack(bed);
	bed_conn(bed)->congestion.cwnd = MSS;
	write_one(bed, 500, ACK | CWR, IP_ECN_ECT0);
	peer_echo(bed, 1001);
	assert_int_equal(cwnd(bed), MSS);
	write_one(bed, 500, ACK | CWR, IP_ECN_ECT0);
	peer_echo(bed, 1501);
	assert_int_equal(cwnd(bed), MSS);
}

/*
 * Five segments are late, not lost; the time-out sends the first again, and then an ACK with these
 * FLAGS echoes the timestamp of the first copy.
 */
static void needless_time_out(struct bed *bed, uint8_t flags)
{
	struct segment seg;
	uint32_t first;

	bed->offer.sack = false;
	bed->offer.timestamps = true;
	bed->offer.mss = MSS + 12;
	open_ecn(bed);
	user_write(bed, 5 * MSS);
	first = bed->ts_echo;
	bed_pass_until_out(bed, 2 * S);
	bed->ts_echo = first;
	seg = peer_segment(bed, flags);
	seg.ack = bed->iss + 1 + MSS;
	peer_send(bed, &seg);
}

static void rfc_4015_what_was_marked_is_not_taken_back(void **state)
{
	struct bed *bed = *state;

	needless_time_out(bed, ACK | ECE);
	assert_int_equal(counter(bed, undone), 0);
	assert_true(cwnd(bed) <= 2 * MSS);
}

static void after_a_reduction_was_taken_back_marks_count_again(void **state)
{
	struct bed *bed = *state;
	uint32_t before;

	needless_time_out(bed, ACK);
	assert_int_equal(counter(bed, undone), 1);
	before = cwnd(bed);
	peer_echo(bed, 1 + 2 * MSS);
	assert_int_equal(counter(bed, ecn_reductions), 1);
	assert_true(cwnd(bed) < before);
}

static void an_echo_that_was_not_negotiated_means_nothing(void **state)
{
	struct bed *bed = *state;
	uint32_t before;

	bed->offer.ecn = false;
	open_ecn(bed);
	before = cwnd(bed);
	write_one(bed, 500, ACK, IP_ECN_NOT);
	peer_echo(bed, 501);
	assert_true(cwnd(bed) >= before);
	peer_marked(bed, IP_ECN_CE, 100);
	bed_pass(bed, 100 * MS);
	expect(bed, ACK, 501, 101, 0);
}

/* A path that marks everything, or a peer that never stops: slow, but it goes on. */
static void marks_without_end_leave_one_segment(void **state)
{
	struct bed *bed = *state;

	open_ecn(bed);
	user_write(bed, 60 * MSS);
	for (int i = 0; i < 60; i++) {
		bed_pass(bed, 100 * MS);
		peer_take(bed);
		peer_echo(bed, bed->ack - bed->iss);
	}
	assert_int_equal(cwnd(bed), MSS);
	assert_int_equal(counter(bed, timeouts), 0);
	assert_int_equal(bed->ack - bed->iss, 1 + 60 * MSS);
}

static void it_outlives_a_master(void **state)
{
	struct bed *bed = *state;

	open_ecn(bed);
	peer_marked(bed, IP_ECN_CE, 100);
	write_one(bed, 500, ACK | ECE, IP_ECN_ECT0);
	peer_echo(bed, 501);
	bed_take_over(bed);
	peer_take(bed);
	write_one(bed, 500, ACK | ECE | CWR, IP_ECN_ECT0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_ecn(a_syn_with_both_flags_is_answered_with_ece_alone),
		with_ecn(a_syn_without_them_gets_a_plain_answer),
		with_ecn(one_of_the_flags_is_no_offer),
		cmocka_unit_test(a_syn_cookie_keeps_it),
		with_bed(switched_off_it_is_neither_agreed_to_nor_offered),
		with_ecn(a_call_offers_it_and_takes_the_answer),
		with_ecn(a_call_whose_answer_reflects_both_flags_does_without),
		with_ecn(a_call_whose_answer_has_no_flag_does_without),
		with_ecn(both_may_offer_it_at_once),
		with_ecn(both_open_at_once_and_the_peer_answers_without),
		with_ecn(a_syn_that_is_sent_again_offers_nothing),
		with_ecn(a_syn_ack_that_is_sent_again_offers_nothing),
		with_ecn(a_peer_that_falls_back_is_followed),
		with_ecn(new_data_is_marked_and_nothing_else),
		with_ecn_v6(new_data_is_marked_and_nothing_else),
		with_ecn(a_window_probe_is_not_marked),
		with_ecn(a_reset_has_neither_mark_nor_echo),
		with_ecn(ce_is_echoed_until_cwr),
		with_ecn_v6(ce_is_echoed_until_cwr),
		with_ecn(a_mark_on_the_packet_with_cwr_is_a_new_one),
		with_ecn(a_mark_outside_the_window_or_on_an_ack_is_ignored),
		with_ecn(a_duplicate_ack_echoes_too),
		with_ecn(an_echo_reduces_the_window_once_a_round_trip),
		with_ecn(the_next_new_segment_says_cwr_once),
		with_ecn(a_loss_is_told_by_cwr_too),
		with_ecn(an_echo_in_fast_recovery_reduces_nothing_more),
		with_ecn(an_echo_never_enlarges_the_window),
		with_ecn(rfc_4015_what_was_marked_is_not_taken_back),
		with_ecn(after_a_reduction_was_taken_back_marks_count_again),
		with_ecn(an_echo_that_was_not_negotiated_means_nothing),
		with_ecn(marks_without_end_leave_one_segment),
		with_ecn(it_outlives_a_master),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
