/*
 * TIME-WAIT under attack and in reuse: RFC 1337 (nothing but time, or a newer SYN, ends it),
 * RFC 6191 (which SYN is newer), and how much it says. What it is for is in test_close.c.
 */
#include "tests/tcp/harness.h"

#include "stack/seal.h"

static void send_at(struct bed *bed, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct segment seg = peer_segment(bed, flags);

	seg.seq = PEER_ISS + seq;
	seg.ack = bed->iss + ack;
	peer_send(bed, &seg);
}

/* A bed with a pair in TIME-WAIT whose connection had timestamps, or not. */
static void open_time_wait(struct bed *bed, bool timestamps)
{
	struct stack_config config = bed_config();

	bed_open(bed, IP_V4, &config);
	bed->offer.timestamps = timestamps;
	reach(bed, TCP_TIME_WAIT);
	assert_int_equal(bed->timestamps, timestamps);
}

/* ---- RFC 1337 ---- */

/* Hazard 1: an old duplicate brings an ACK out, the peer answers that with RST, ... */
static void rfc_1337_an_old_duplicate_and_the_rst_that_follows_end_nothing(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	bed_pass(bed, 10 * S);
	peer_data_at(bed, 1, 1);
	expect(bed, ACK, 2, 2, 0);
	send_at(bed, RST, 2, 0); /* exactly at rcv_nxt, as the answer to that ACK is */
	expect_nothing(bed);
	expect_state(bed, TCP_TIME_WAIT);
	assert_true(counter(bed, rst_ignored) >= 1);
	/* and it has not begun again: old data is no FIN */
	bed_pass(bed, 50 * S - 1);
	expect_state(bed, TCP_TIME_WAIT);
	bed_pass(bed, 1);
	expect_state(bed, TCP_CLOSED);
}

static void rfc_1337_no_rst_ends_it_wherever_it_is(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	for (uint32_t seq = 0; seq < 70000; seq += 997) {
		send_at(bed, RST, seq, 0);
		send_at(bed, RSTACK, seq, 2);
	}
	expect_nothing(bed);
	expect_state(bed, TCP_TIME_WAIT);
}

static void rfc_1337_old_segments_of_any_kind_end_nothing(void **state)
{
	static const uint8_t flags[] = {ACK, FINACK, PSH | ACK, URG | ACK, SYNACK, FIN};
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	for (size_t i = 0; i < sizeof(flags); i++) {
		send_at(bed, flags[i], 0x80000000u, 5);
		send_at(bed, flags[i], 100, 0x70000000u);
		bed_pass(bed, S);
		expect_state(bed, TCP_TIME_WAIT);
	}
	peer_take(bed);
	bed_pass(bed, 60 * S - sizeof(flags) * S);
	expect_state(bed, TCP_CLOSED);
}

static void rfc_7323_a_fin_with_an_old_timestamp_is_an_old_duplicate(void **state)
{
	struct bed bed;

	(void)state;
	open_time_wait(&bed, true);
	bed_pass(&bed, 30 * S);
	bed.ts_value -= 1;
	send_at(&bed, FINACK, 1, 2);
	expect(&bed, ACK, 2, 2, 0); /* answered, but it does not begin again */
	bed.timestamps = false;
	send_at(&bed, FINACK, 1, 2);
	expect(&bed, ACK, 2, 2, 0);
	bed_pass(&bed, 30 * S);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

static void rfc_7323_the_answer_to_a_repeated_fin_echoes_its_timestamp(void **state)
{
	struct bed bed;

	(void)state;
	open_time_wait(&bed, true);
	bed.ts_value += 700;
	send_at(&bed, FINACK, 1, 2);
	assert_int_equal(expect(&bed, ACK, 2, 2, 0)->seg.ts_echo, bed.ts_value);
	bed_close(&bed);
}

/* ---- RFC 6191 ---- */

/* Whether a SYN with this number, relative, and timestamp (0: none) opens the pair again. */
static bool opens_again(bool had_timestamps, uint32_t seq, uint32_t ts_value)
{
	struct bed bed;
	struct segment seg;
	bool opened;

	open_time_wait(&bed, had_timestamps);
	bed.timestamps = false;
	seg = peer_segment(&bed, SYN);
	seg.seq = PEER_ISS + seq;
	seg.has_timestamps = ts_value != 0;
	seg.ts_value = ts_value;
	peer_send(&bed, &seg);
	opened = bed_state(&bed) == TCP_SYN_RECEIVED;
	if (opened) {
		assert_int_equal(next_out(&bed)->seg.flags, SYNACK);
		assert_int_equal(counter(&bed, time_wait_reused), 1);
	} else {
		expect_state(&bed, TCP_TIME_WAIT);
		assert_int_equal(next_out(&bed)->seg.flags, ACK); /* RFC 5961, section 4 */
		assert_int_equal(counter(&bed, time_wait_reused), 0);
	}
	expect_nothing(&bed);
	bed_close(&bed);
	return opened;
}

/* The peer's numbers went up to 1, its FIN; its timestamps stood at 5000. */
static void rfc_6191_with_timestamps_before_and_now(void **state)
{
	(void)state;
	assert_true(opens_again(true, 100, 5001));
	assert_true(opens_again(true, (uint32_t)-100000, 5001)); /* the number does not matter */
	assert_true(opens_again(true, 2, 5000)); /* unless the timestamp is the same */
	assert_false(opens_again(true, 1, 5000));
	assert_false(opens_again(true, 100, 4999));
	assert_false(opens_again(true, 1, 5000 + 0x80000000u));
}

static void rfc_6191_with_timestamps_before_but_not_now(void **state)
{
	(void)state;
	assert_true(opens_again(true, 2, 0));
	assert_false(opens_again(true, 1, 0));
	assert_false(opens_again(true, (uint32_t)-1, 0));
}

static void rfc_6191_with_timestamps_now_but_not_before(void **state)
{
	(void)state;
	assert_true(opens_again(false, 100, 1));
	assert_true(opens_again(false, (uint32_t)-100000, 1));
	assert_true(opens_again(false, 100, 0x90000000u)); /* there is nothing to compare it with */
}

static void rfc_6191_without_timestamps(void **state)
{
	(void)state;
	assert_true(opens_again(false, 2, 0));
	assert_true(opens_again(false, 0x7fffffff, 0));
	assert_false(opens_again(false, 1, 0));
	assert_false(opens_again(false, 0x80000010u, 0));
}

/* The new connection goes on with what the old one's last segments cannot be taken for. */
static void rfc_6191_the_pair_serves_again(void **state)
{
	struct bed bed;

	(void)state;
	open_time_wait(&bed, true);
	worker_close(&bed.worker);
	bed.attached = false;
	bed.ts_value += 10;
	bed.seq += 5000;
	establish_with_worker(&bed, 65536, 65536);
	user_write(&bed, 100);
	expect(&bed, ACK, 1, 1, 100);
	bed.timestamps = true;
	bed.ts_value -= 10; /* a segment of the old one */
	send_at(&bed, ACK, 1, 101);
	assert_int_equal(bed_conn(&bed)->snd_una, bed.iss + 1);
	assert_true(counter(&bed, paws) >= 1);
	bed_close(&bed);
}

static void while_no_new_connections_are_taken_a_newer_syn_ends_nothing(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	stack_accepting(bed->stack, false);
	send_at(bed, SYN, 5000, 0);
	expect(bed, ACK, 2, 2, 0);
	expect_state(bed, TCP_TIME_WAIT);
}

/* ---- how much it says ---- */

static void answers_are_limited_for_each_pair(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	for (int i = 0; i < 1000; i++)
		send_at(bed, ACK, 100, 2);
	assert_int_equal(peer_take(bed), ANSWERS_PER_SECOND);
	assert_int_equal(counter(bed, time_wait_limited), 1000 - ANSWERS_PER_SECOND);
	bed_pass(bed, 500 * MS);
	for (int i = 0; i < 1000; i++)
		send_at(bed, ACK, 100, 2);
	assert_int_equal(peer_take(bed), ANSWERS_PER_SECOND / 2);
	/* a FIN that is not answered begins the wait again all the same */
	bed_pass(bed, 100 * MS);
	send_at(bed, ACK, 100, 2);
	assert_int_equal(peer_take(bed), 1);
	send_at(bed, FINACK, 1, 2);
	expect_nothing(bed);
	bed_pass(bed, 60 * S - 1);
	expect_state(bed, TCP_TIME_WAIT);
	bed_pass(bed, 1);
	expect_state(bed, TCP_CLOSED);
}

static void one_pairs_answers_are_not_anothers(void **state)
{
	struct bed *bed = *state;

	for (uint16_t i = 0; i < 2; i++) {
		bed_peer(bed, 0, (uint16_t)(50000 + i));
		reach(bed, TCP_TIME_WAIT);
		worker_close(&bed->worker);
		bed->attached = false;
	}
	for (int i = 0; i < 100; i++)
		send_at(bed, ACK, 100, 2);
	assert_int_equal(peer_take(bed), ANSWERS_PER_SECOND);
	bed->flow.peer.port = 50000;
	for (int i = 0; i < 100; i++)
		send_at(bed, ACK, 100, 2);
	assert_int_equal(peer_take(bed), ANSWERS_PER_SECOND);
}

/* A new master that reads nonsense as the end of the answers goes on answering. */
static void a_damaged_limit_does_not_silence_it(void **state)
{
	struct bed *bed = *state;
	struct time_wait *wait;

	reach(bed, TCP_TIME_WAIT);
	wait = slot_time_wait(bed->stack, lookup_find(bed->stack->lookup, &bed->flow));
	wait->answers_until_us = UINT64_MAX;
	seal_set(wait, sizeof(*wait));
	bed_take_over(bed);
	send_at(bed, FINACK, 1, 2);
	expect(bed, ACK, 2, 2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(rfc_1337_an_old_duplicate_and_the_rst_that_follows_end_nothing),
		with_bed(rfc_1337_no_rst_ends_it_wherever_it_is),
		with_bed(rfc_1337_old_segments_of_any_kind_end_nothing),
		cmocka_unit_test(rfc_7323_a_fin_with_an_old_timestamp_is_an_old_duplicate),
		cmocka_unit_test(rfc_7323_the_answer_to_a_repeated_fin_echoes_its_timestamp),
		cmocka_unit_test(rfc_6191_with_timestamps_before_and_now),
		cmocka_unit_test(rfc_6191_with_timestamps_before_but_not_now),
		cmocka_unit_test(rfc_6191_with_timestamps_now_but_not_before),
		cmocka_unit_test(rfc_6191_without_timestamps),
		cmocka_unit_test(rfc_6191_the_pair_serves_again),
		with_bed(while_no_new_connections_are_taken_a_newer_syn_ends_nothing),
		with_bed(answers_are_limited_for_each_pair),
		with_bed(one_pairs_answers_are_not_anothers),
		with_bed(a_damaged_limit_does_not_silence_it),
	};

	return cmocka_run_group_tests_name("time_wait", tests, NULL, NULL);
}
