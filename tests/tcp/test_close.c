/* Closing: FIN in every order, half-close, TIME-WAIT, and what is delivered before the end. */
#include "tests/tcp/harness.h"

static void close_in_four_segments_by_the_peer(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	peer_flags(bed, FINACK);
	expect(bed, ACK, 1, 2, 0);
	assert_true(worker_rx_fin(&bed->worker));
	user_close(bed);
	expect(bed, FINACK, 1, 2, 0);
	bed->ack++;
	peer_flags(bed, ACK);
	expect_nothing(bed);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(bed->detached, 1);
}

static void close_in_four_segments_by_us(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_close(bed);
	expect(bed, FINACK, 1, 1, 0);
	bed->ack++;
	peer_flags(bed, ACK);
	expect_nothing(bed);
	peer_flags(bed, FINACK);
	expect(bed, ACK, 2, 2, 0);
	expect_nothing(bed);
	expect_state(bed, TCP_TIME_WAIT);
	assert_int_equal(bed->detached, 1);
	assert_int_equal(bed->ended, 0);
	assert_true(worker_rx_fin(&bed->worker));
	assert_int_equal(worker_reset_reason(&bed->worker), RING_RESET_NONE);
}

static void fin_goes_behind_the_last_byte(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	bed->window = 10000;
	user_write(bed, 2000);
	worker_fin(&bed->worker);
	user_ring(bed);
	expect(bed, ACK, 1, 1, 1460);
	expect(bed, ACK, 1461, 1, 540); /* gone before the worker closed */
	expect(bed, FINACK, 2001, 1, 0);
	bed->ack = bed->iss + 2002;
	peer_flags(bed, ACK);
	expect_state(bed, TCP_FIN_WAIT_2);
	assert_int_equal(worker_tx_tail(&bed->worker), 2000);
	assert_int_equal(worker_tx_sent(&bed->worker), 2000);
}

static void fin_goes_with_the_last_byte(void **state)
{
	struct bed *bed = *state;
	uint8_t byte = 0;

	reach(bed, TCP_ESTABLISHED);
	assert_int_equal(worker_write(&bed->worker, &byte, 1), 1);
	user_close(bed);
	expect(bed, FINACK, 1, 1, 1);
	expect_nothing(bed);
}

static void a_half_closed_peer_still_gets_everything(void **state)
{
	struct bed *bed = *state;
	uint32_t sent = 0;

	reach(bed, TCP_ESTABLISHED);
	peer_data(bed, 10);
	peer_flags(bed, FINACK);
	peer_take(bed);
	expect_state(bed, TCP_CLOSE_WAIT);
	user_take(bed, 10);
	assert_true(worker_rx_fin(&bed->worker));
	while (sent < 1000000) {
		uint32_t room = worker_room(&bed->worker);

		if (room > 0)
			user_write(bed, room);
		sent += room;
		peer_ack(bed);
		if (bed->outs > 500)
			bed->outs = bed->expected = 0;
	}
	user_close(bed);
	while (bed_state(bed) != TCP_CLOSED)
		peer_ack(bed);
	assert_int_equal(bed->ack - bed->iss, sent + 2);
	assert_int_equal(worker_tx_tail(&bed->worker), sent);
	assert_int_equal(worker_reset_reason(&bed->worker), RING_RESET_NONE);
}

static void fin_wait_2_receives_but_has_nobody_to_give_it_to(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_2);
	for (int i = 0; i < 100; i++)
		peer_data(bed, 1460); /* more than the ring holds */
	peer_take(bed);
	assert_int_equal(bed_conn(bed)->rcv_nxt, PEER_ISS + 146001);
	peer_flags(bed, FINACK);
	expect(bed, ACK, 2, 146002, 0);
	expect_state(bed, TCP_TIME_WAIT);
}

static void closing_with_a_full_receive_ring_opens_the_window_for_the_rest(void **state)
{
	struct bed *bed = *state;

	bed->offer.scale = -1;
	establish_with_worker(bed, 4096, 4096);
	peer_data(bed, 4096);
	assert_int_equal(expect(bed, ACK, 1, 4097, 0)->seg.window, 0);
	user_close(bed);
	assert_int_equal(expect(bed, FINACK, 1, 4097, 0)->seg.window, 4096);
	bed->ack++;
	peer_flags(bed, FINACK);
	expect(bed, ACK, 2, 4098, 0);
	expect_state(bed, TCP_TIME_WAIT);
}

static void fin_is_sent_again_until_it_is_acknowledged(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_1);
	for (int i = 0; i < 4; i++) {
		bed_pass_until_out(bed, 60 * S);
		expect(bed, FINACK, 1, 1, 0);
	}
	bed->ack++;
	peer_flags(bed, ACK);
	expect_state(bed, TCP_FIN_WAIT_2);
	bed_pass(bed, 30 * S);
	expect_nothing(bed);
}

static void a_fin_beyond_a_gap_waits_for_what_is_missing(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	reach(bed, TCP_ESTABLISHED);
	seg = peer_segment(bed, FINACK);
	seg.seq = PEER_ISS + 201;
	peer_send(bed, &seg); /* FIN at 201 */
	expect(bed, ACK, 1, 1, 0);
	expect_state(bed, TCP_ESTABLISHED);
	peer_data_at(bed, 101, 100);
	expect(bed, ACK, 1, 1, 0);
	assert_false(worker_rx_fin(&bed->worker));
	peer_data_at(bed, 1, 100);
	expect(bed, ACK, 1, 202, 0);
	expect_state(bed, TCP_CLOSE_WAIT);
	assert_true(worker_rx_fin(&bed->worker));
	user_take(bed, 200);
}

static void nothing_counts_behind_the_fin(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	reach(bed, TCP_ESTABLISHED);
	seg = peer_segment(bed, FINACK);
	seg.seq = PEER_ISS + 101;
	peer_send(bed, &seg);
	expect(bed, ACK, 1, 1, 0);
	peer_data_at(bed, 1, 300);
	expect(bed, ACK, 1, 102, 0);
	expect_state(bed, TCP_CLOSE_WAIT);
	user_take(bed, 100);
	assert_int_equal(worker_waiting(&bed->worker), 0);
	/* data behind the FIN is acknowledged away, never delivered */
	peer_data_at(bed, 102, 50);
	expect(bed, ACK, 1, 102, 0);
	assert_int_equal(worker_waiting(&bed->worker), 0);
}

/* A peer that has sent beyond its own FIN before. */
static void the_fin_ends_the_stream_even_amid_what_came_out_of_order(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	reach(bed, TCP_ESTABLISHED);
	peer_data_at(bed, 101, 100);
	expect(bed, ACK, 1, 1, 0);
	peer_data_at(bed, 301, 100);
	expect(bed, ACK, 1, 1, 0);
	seg = peer_segment(bed, FINACK);
	seg.seq = PEER_ISS + 151;
	peer_send(bed, &seg);
	expect(bed, ACK, 1, 1, 0);
	peer_data_at(bed, 1, 100);
	expect(bed, ACK, 1, 152, 0);
	expect_state(bed, TCP_CLOSE_WAIT);
	user_take(bed, 150);
	assert_int_equal(worker_waiting(&bed->worker), 0);
	assert_int_equal(bed->stack->table.reassembly[bed->handle.slot].count, 0);
}

static void fin_again_is_acknowledged(struct bed *bed, enum tcp_state state)
{
	bed->seq--;
	peer_flags(bed, FINACK);
	expect(bed, ACK, state == TCP_CLOSE_WAIT ? 1 : 2, 2, 0);
	expect_state(bed, state);
}

static void the_peers_fin_again_is_acknowledged_again(void **state)
{
	static const enum tcp_state states[] = {TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_CLOSING};

	(void)state;
	in_each_state(states, 3, fin_again_is_acknowledged);
}

static void fin_wait_2_without_the_peers_fin_ends_with_a_reset(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_2);
	bed_pass(bed, 59 * S);
	expect_state(bed, TCP_FIN_WAIT_2);
	bed_pass(bed, 2 * S);
	expect(bed, RSTACK, 2, 1, 0);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(bed->detached, 1);
	assert_int_equal(counter(bed, timed_out), 1);
}

/* ---- TIME-WAIT ---- */

static void must_13_time_wait_lasts_2_msl(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	bed_pass(bed, 60 * S - 1);
	expect_state(bed, TCP_TIME_WAIT);
	assert_int_equal(bed->ended, 0);
	bed_pass(bed, 1);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(bed->ended, 1);
	assert_non_null(bed_moved(bed, TCP_TIME_WAIT, TCP_CLOSED));
	expect_nothing(bed);
}

static void time_wait_answers_the_repeated_fin_and_begins_again(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	bed_pass(bed, 50 * S);
	bed->seq--;
	peer_flags(bed, FINACK);
	expect(bed, ACK, 2, 2, 0);
	bed_pass(bed, 59 * S);
	expect_state(bed, TCP_TIME_WAIT);
	bed_pass(bed, S);
	expect_state(bed, TCP_CLOSED);
}

static void rfc_1337_time_wait_is_not_ended_by_rst(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	peer_flags(bed, RST);
	peer_flags(bed, RSTACK);
	expect_nothing(bed);
	expect_state(bed, TCP_TIME_WAIT);
}

static void time_wait_says_nothing_to_the_expected_ack(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	peer_flags(bed, ACK);
	expect_nothing(bed);
	peer_data_at(bed, 100, 10);
	expect(bed, ACK, 2, 2, 0);
}

static void may_2_a_newer_syn_opens_the_pair_again(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	reach(bed, TCP_TIME_WAIT);
	seg = peer_segment(bed, SYN);
	seg.seq = PEER_ISS + 1; /* not newer: the old connection's FIN */
	peer_send(bed, &seg);
	expect(bed, ACK, 2, 2, 0);
	seg.seq = PEER_ISS;
	peer_send(bed, &seg);
	expect(bed, ACK, 2, 2, 0);
	expect_state(bed, TCP_TIME_WAIT);
	seg.seq = PEER_ISS + 2;
	peer_send(bed, &seg);
	expect(bed, SYNACK, 0, 3, 0);
	expect_state(bed, TCP_SYN_RECEIVED);
	assert_int_equal(counter(bed, time_wait_reused), 1);
}

static void rfc_6191_a_syn_with_a_newer_timestamp_opens_the_pair_again(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	bed->offer.timestamps = true;
	reach(bed, TCP_TIME_WAIT);
	seg = peer_segment(bed, SYN);
	seg.seq = PEER_ISS - 100000; /* older by its number */
	seg.ts_value = 4000;
	peer_send(bed, &seg);
	expect(bed, ACK, 2, 2, 0);
	seg.ts_value = 5001;
	peer_send(bed, &seg);
	assert_int_equal(next_out(bed)->seg.flags, SYNACK);
	expect_state(bed, TCP_SYN_RECEIVED);
}

static void the_new_connection_begins_beyond_the_old_ones_numbers(void **state)
{
	struct bed *bed = *state;
	struct segment seg;
	uint32_t last;

	/* faster than RFC 6528's clock of 250 kB/s */
	reach(bed, TCP_ESTABLISHED);
	for (int i = 0; i < 100; i++) {
		user_write(bed, 60000);
		while (bed_conn(bed)->snd_una != bed_conn(bed)->iss + 1 + (i + 1) * 60000u)
			peer_ack(bed);
		bed->outs = bed->expected = 0;
	}
	user_close(bed);
	peer_ack(bed);
	last = bed->ack;
	peer_flags(bed, FINACK);
	peer_take(bed);
	expect_state(bed, TCP_TIME_WAIT);
	seg = peer_segment(bed, SYN);
	seg.seq = bed->seq + 10;
	peer_send(bed, &seg);
	assert_int_equal(next_out(bed)->seg.flags, SYNACK);
	assert_true(seq_gt(bed->iss, last));
}

static void a_call_on_a_pair_in_time_wait_is_refused(void **state)
{
	struct bed *bed = *state;
	const char *error;

	reach(bed, TCP_TIME_WAIT);
	assert_int_equal(stack_call(bed->stack, &bed->flow.local, &bed->flow.peer, 0, 0, false,
	                            bed->now_us, &error),
	                 0);
	assert_non_null(error);
}

static void when_time_wait_entries_run_out_the_oldest_ends(void **state)
{
	struct bed *bed = *state;

	for (uint16_t i = 0; i < 6; i++) {
		bed_peer(bed, 0, (uint16_t)(50000 + i));
		reach(bed, TCP_TIME_WAIT);
		stack_worker_gone(bed->stack, bed->handle, bed->now_us);
		worker_close(&bed->worker);
		bed->attached = false;
		bed_pass(bed, S);
	}
	assert_int_equal(counter(bed, time_wait_full), 2);
	for (uint16_t i = 0; i < 6; i++) {
		bed_peer(bed, 0, (uint16_t)(50000 + i));
		expect_state(bed, i < 2 ? TCP_CLOSED : TCP_TIME_WAIT);
	}
}

/* ---- the worker leaves ---- */

static void a_worker_that_leaves_without_closing_resets(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	stack_worker_gone(bed->stack, bed->handle, bed->now_us);
	bed_settle(bed);
	expect(bed, RSTACK, 1, 1, 0);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(bed->detached, 1);
}

static void a_worker_that_ends_before_it_takes_the_connection_up_costs_nothing(void **state)
{
	struct bed *bed = *state;
	struct conn_handle waiting;
	struct conn_info info;

	reach(bed, TCP_ESTABLISHED);
	atomic_store(&bed->worker.ring.worker->conn_id, 0);
	peer_data(bed, 100);
	stack_worker_gone(bed->stack, bed->handle, bed->now_us);
	assert_int_equal(bed->detached, 1);
	expect_state(bed, TCP_ESTABLISHED);
	assert_true(stack_accept_next(bed->stack, &waiting));
	assert_int_equal(waiting.id, bed->handle.id);
	assert_true(bed_info(bed, &info));
	assert_true(info.waiting);
	assert_false(info.has_worker);
	assert_int_equal(bed_conn(bed)->early_bytes, info.rcv_queue);
	assert_true(info.rcv_queue >= 100);
}

static void a_worker_that_leaves_after_closing_has_everything_delivered(void **state)
{
	struct bed *bed = *state;
	struct stack_usage usage;

	bed->window = 4000;
	bed->offer.scale = -1;
	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 60000);
	user_close(bed);
	stack_worker_gone(bed->stack, bed->handle, bed->now_us);
	bed_settle(bed);
	stack_usage(bed->stack, &usage);
	assert_int_equal(usage.connections, 0);
	assert_int_equal(usage.open, 1);
	assert_int_equal(bed->detached, 0);
	while (bed_state(bed) == TCP_FIN_WAIT_1)
		peer_ack(bed);
	assert_int_equal(bed->ack - bed->iss, 60002);
	peer_flags(bed, FINACK);
	expect_state(bed, TCP_TIME_WAIT);
	assert_int_equal(bed->detached, 1);
}

static void tx_fin_and_last_bytes_are_seen_when_the_worker_is_gone(void **state)
{
	struct bed *bed = *state;
	uint8_t byte = 0;

	reach(bed, TCP_ESTABLISHED);
	worker_write(&bed->worker, &byte, 1);
	worker_fin(&bed->worker);
	stack_worker_gone(bed->stack, bed->handle, bed->now_us); /* nobody rang before */
	bed_settle(bed);
	expect(bed, FINACK, 1, 1, 1);
}

/* RFC 6429: it answers every probe, so neither probes nor keepalive ever end it. */
static void a_peer_that_takes_nothing_more_does_not_keep_what_is_closed(void **state)
{
	struct bed *bed = *state;
	uint64_t began_us;

	reach(bed, TCP_ESTABLISHED);
	bed->window = 0;
	peer_flags(bed, ACK);
	user_write(bed, 4000);
	user_close(bed);
	stack_worker_gone(bed->stack, bed->handle, bed->now_us);
	bed_settle(bed);
	began_us = bed->now_us;
	while (bed_state(bed) == TCP_FIN_WAIT_1 && bed->now_us - began_us < 1000 * S) {
		bed_pass_until_out(bed, 100 * S);
		if (!(next_out(bed)->seg.flags & RST))
			peer_flags(bed, ACK);
	}
	expect_state(bed, TCP_CLOSED);
	assert_true(bed->now_us - began_us >= 124 * S && bed->now_us - began_us < 126 * S);
	assert_int_equal(bed->detached, 1);
}

static void a_slow_peer_gets_the_rest_of_what_is_closed(void **state)
{
	struct bed *bed = *state;
	uint64_t began_us;

	bed->offer.scale = -1;
	establish_with_worker(bed, 4096, 262144);
	bed->window = 1200; /* a second */
	peer_flags(bed, ACK);
	user_write(bed, 262144);
	user_close(bed);
	stack_worker_gone(bed->stack, bed->handle, bed->now_us);
	bed_settle(bed);
	began_us = bed->now_us;
	while (bed_state(bed) == TCP_FIN_WAIT_1) {
		bed_pass(bed, S);
		peer_ack(bed);
	}
	expect_state(bed, TCP_FIN_WAIT_2);
	assert_true(bed->now_us - began_us > 200 * S);
}

static void a_worker_can_abort(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	worker_abort(&bed->worker);
	user_ring(bed);
	expect(bed, RSTACK, 1, 1, 0);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(worker_reset_reason(&bed->worker), RING_RESET_ABORT);
}

static void a_worker_can_abort_after_it_has_closed(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_1);
	worker_abort(&bed->worker);
	user_ring(bed);
	expect(bed, RSTACK, 2, 1, 0);
	expect_state(bed, TCP_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(close_in_four_segments_by_the_peer),
		with_bed_v6(close_in_four_segments_by_the_peer),
		with_bed(close_in_four_segments_by_us),
		with_bed_v6(close_in_four_segments_by_us),
		with_bed(fin_goes_behind_the_last_byte),
		with_bed(fin_goes_with_the_last_byte),
		with_bed(a_half_closed_peer_still_gets_everything),
		with_bed(fin_wait_2_receives_but_has_nobody_to_give_it_to),
		with_bed(closing_with_a_full_receive_ring_opens_the_window_for_the_rest),
		with_bed(fin_is_sent_again_until_it_is_acknowledged),
		with_bed(a_fin_beyond_a_gap_waits_for_what_is_missing),
		with_bed(nothing_counts_behind_the_fin),
		with_bed(the_fin_ends_the_stream_even_amid_what_came_out_of_order),
		cmocka_unit_test(the_peers_fin_again_is_acknowledged_again),
		with_bed(fin_wait_2_without_the_peers_fin_ends_with_a_reset),
		with_bed(must_13_time_wait_lasts_2_msl),
		with_bed_v6(must_13_time_wait_lasts_2_msl),
		with_bed(time_wait_answers_the_repeated_fin_and_begins_again),
		with_bed(rfc_1337_time_wait_is_not_ended_by_rst),
		with_bed(time_wait_says_nothing_to_the_expected_ack),
		with_bed(may_2_a_newer_syn_opens_the_pair_again),
		with_bed(rfc_6191_a_syn_with_a_newer_timestamp_opens_the_pair_again),
		with_bed(the_new_connection_begins_beyond_the_old_ones_numbers),
		with_bed(a_call_on_a_pair_in_time_wait_is_refused),
		with_bed(when_time_wait_entries_run_out_the_oldest_ends),
		with_bed(a_worker_that_leaves_without_closing_resets),
		with_bed(a_worker_that_ends_before_it_takes_the_connection_up_costs_nothing),
		with_bed(a_worker_that_leaves_after_closing_has_everything_delivered),
		with_bed(tx_fin_and_last_bytes_are_seen_when_the_worker_is_gone),
		with_bed(a_peer_that_takes_nothing_more_does_not_keep_what_is_closed),
		with_bed(a_slow_peer_gets_the_rest_of_what_is_closed),
		with_bed(a_worker_can_abort),
		with_bed(a_worker_can_abort_after_it_has_closed),
	};

	return cmocka_run_group_tests_name("close", tests, NULL, NULL);
}
