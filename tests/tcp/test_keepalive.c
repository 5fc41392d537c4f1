/* Keepalive (RFC 9293, 3.8.4; RFC 1122, 4.2.3.6; RFC 5482, 4.2). */
#include "tests/tcp/harness.h"

static void open_asking_after(struct bed *bed, uint64_t idle_us, uint64_t user_timeout_us)
{
	struct stack_config config = bed_config();

	config.keepalive_us = idle_us;
	config.user_timeout_us = user_timeout_us;
	bed_open(bed, IP_V4, &config);
	establish_with_worker(bed, 65536, 65536);
}

static void shld_12_an_idle_peer_is_asked_without_data_whether_it_is_there(void **state)
{
	struct bed bed;

	(void)state;
	open_asking_after(&bed, 7200 * S, 0);
	for (int i = 0; i < 3; i++) {
		bed_pass_until_out(&bed, 7201 * S);
		expect(&bed, ACK, 0, 1, 0); /* the number before the next: calls for an ACK */
		peer_flags(&bed, ACK);
		expect_nothing(&bed);
		assert_int_equal(bed_conn(&bed)->probes, 0);
	}
	bed_close(&bed);
}

static void a_peer_that_answers_no_keepalive_is_given_up(void **state)
{
	struct bed bed;

	(void)state;
	open_asking_after(&bed, 7200 * S, 0);
	bed_pass(&bed, 7200 * S + 8 * 75 * S);
	assert_int_equal(peer_take(&bed), 9);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 75 * S);
	expect(&bed, RSTACK, 1, 1, 0);
	expect_state(&bed, TCP_CLOSED);
	assert_int_equal(worker_reset_reason(&bed.worker), RING_RESET_TIMEOUT);
	bed_close(&bed);
}

static void must_29_one_answer_among_many_probes_is_enough(void **state)
{
	struct bed bed;

	(void)state;
	open_asking_after(&bed, 7200 * S, 0);
	for (int i = 0; i < 5; i++) {
		bed_pass(&bed, 7200 * S + 8 * 75 * S);
		peer_take(&bed);
		peer_flags(&bed, ACK);
		expect_state(&bed, TCP_ESTABLISHED);
	}
	bed_close(&bed);
}

static void who_asks_often_gives_up_soon(void **state)
{
	struct bed bed;

	(void)state;
	open_asking_after(&bed, 10 * S, 0);
	bed_pass(&bed, 10 * S + 8 * 10 * S);
	assert_int_equal(peer_take(&bed), 9);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 10 * S);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

static void rfc_5482_keepalive_does_not_end_what_the_user_timeout_lets_live(void **state)
{
	struct bed bed;

	(void)state;
	open_asking_after(&bed, 10 * S, 1000 * S);
	bed_pass(&bed, 1000 * S);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 30 * S);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

static void must_26_unacknowledged_data_is_not_asked_after(void **state)
{
	struct bed bed;

	(void)state;
	open_asking_after(&bed, 10 * S, 0);
	user_write(&bed, 500);
	bed_pass(&bed, 60 * S);
	assert_int_equal(counter(&bed, keepalive_probes), 0);
	assert_true(counter(&bed, timeouts) > 0);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_close(&bed);
}

static void what_comes_from_the_peer_puts_the_question_off(void **state)
{
	struct bed bed;

	(void)state;
	open_asking_after(&bed, 100 * S, 0);
	for (int i = 0; i < 20; i++) {
		bed_pass(&bed, 90 * S);
		peer_data(&bed, 1);
		user_take(&bed, 1);
	}
	assert_int_equal(counter(&bed, keepalive_probes), 0);
	bed_close(&bed);
}

static void must_25_without_keepalive_an_idle_connection_stays(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	bed_pass(bed, 30ULL * 86400 * S);
	expect_nothing(bed);
	expect_state(bed, TCP_ESTABLISHED);
	user_write(bed, 5);
	expect(bed, ACK, 1, 1, 5);
}

static void the_peers_keepalive_is_answered(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	reach(bed, TCP_ESTABLISHED);
	seg = peer_segment(bed, ACK);
	seg.seq--;
	peer_send(bed, &seg);
	expect(bed, ACK, 1, 1, 0);
	seg.data = (const uint8_t *)"";
	seg.data_length = 1; /* as old ones did */
	peer_send(bed, &seg);
	expect(bed, ACK, 1, 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shld_12_an_idle_peer_is_asked_without_data_whether_it_is_there),
		cmocka_unit_test(a_peer_that_answers_no_keepalive_is_given_up),
		cmocka_unit_test(must_29_one_answer_among_many_probes_is_enough),
		cmocka_unit_test(who_asks_often_gives_up_soon),
		cmocka_unit_test(rfc_5482_keepalive_does_not_end_what_the_user_timeout_lets_live),
		cmocka_unit_test(must_26_unacknowledged_data_is_not_asked_after),
		cmocka_unit_test(what_comes_from_the_peer_puts_the_question_off),
		with_bed(must_25_without_keepalive_an_idle_connection_stays),
		with_bed(the_peers_keepalive_is_answered),
	};

	return cmocka_run_group_tests_name("keepalive", tests, NULL, NULL);
}
