/* Every move of RFC 9293, figure 5, made by real segments; and the table of them. */
#include "tests/tcp/harness.h"

#define expect_moved(bed, from, to) assert_non_null(bed_moved((bed), (from), (to)))

static void each_of_the_eleven_states_is_reached(void **state)
{
	static const enum tcp_state states[] = {
		TCP_SYN_SENT,   TCP_SYN_RECEIVED, TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2,
		TCP_CLOSE_WAIT, TCP_CLOSING,      TCP_LAST_ACK,    TCP_TIME_WAIT,
	};
	struct stack_config config = bed_config();
	struct conn_info info;
	uint32_t cursor = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct bed bed;

		bed_open(&bed, i % 2 ? IP_V6 : IP_V4, &config);
		reach(&bed, states[i]);
		assert_true(bed_info(&bed, &info));
		assert_int_equal(info.history[info.history_count - 1].state, states[i]);
		bed_close(&bed);
	}
	/* LISTEN is shown without a peer; CLOSED is no entry */
	{
		struct bed bed;

		bed_open(&bed, IP_V4, &config);
		assert_true(stack_next(bed.stack, &cursor, &info));
		assert_int_equal(info.state, TCP_LISTEN);
		assert_int_equal(info.flow.peer.port, 0);
		assert_true(stack_info(bed.stack, info.id, &info));
		assert_false(stack_next(bed.stack, &cursor, &info));
		bed_close(&bed);
	}
}

static void the_table_has_the_arrows_of_figure_5_and_no_others(void **state)
{
	/* from: to, and the moves to CLOSED of aborts and resets */
	static const char *const legal[TCP_STATES] = {
		[TCP_CLOSED] = "LISTEN SYN-SENT",
		[TCP_LISTEN] = "SYN-RECEIVED SYN-SENT CLOSED",
		[TCP_SYN_SENT] = "SYN-RECEIVED ESTABLISHED CLOSED",
		[TCP_SYN_RECEIVED] = "ESTABLISHED FIN-WAIT-1 LISTEN CLOSE-WAIT CLOSED",
		[TCP_ESTABLISHED] = "FIN-WAIT-1 CLOSE-WAIT CLOSED",
		[TCP_FIN_WAIT_1] = "FIN-WAIT-2 CLOSING TIME-WAIT CLOSED",
		[TCP_FIN_WAIT_2] = "TIME-WAIT CLOSED",
		[TCP_CLOSE_WAIT] = "LAST-ACK CLOSED",
		[TCP_CLOSING] = "TIME-WAIT CLOSED",
		[TCP_LAST_ACK] = "CLOSED",
		[TCP_TIME_WAIT] = "CLOSED",
	};

	(void)state;
	for (int from = 0; from < TCP_STATES; from++) {
		for (int to = 0; to < TCP_STATES; to++) {
			char name[32], list[128];

			snprintf(name, sizeof(name), " %s ", state_name((enum tcp_state)to));
			snprintf(list, sizeof(list), " %s ", legal[from]);
			assert_int_equal(state_move_legal((enum tcp_state)from, (enum tcp_state)to),
			                 strstr(list, name) != NULL);
		}
	}
	assert_false(state_move_legal(TCP_STATES, TCP_CLOSED));
	assert_false(state_move_legal(TCP_CLOSED, (enum tcp_state)99));
	assert_string_equal(state_name((enum tcp_state)99), "?");
}

static void listen_to_syn_sent_by_a_call_from_the_listeners_port(void **state)
{
	struct bed *bed = *state;
	const char *error;
	struct conn_info info;

	assert_true(stack_call(bed->stack, &bed->flow.local, &bed->flow.peer, 2, 1500, true,
	                       bed->now_us, &error) != 0);
	bed_settle(bed);
	expect(bed, SYN, 0, 0, 0);
	expect_state(bed, TCP_SYN_SENT);
	expect_moved(bed, TCP_CLOSED, TCP_LISTEN);
	expect_moved(bed, TCP_LISTEN, TCP_SYN_SENT);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.history[1].state, TCP_LISTEN);
	assert_int_equal(info.history[2].state, TCP_SYN_SENT);
}

static void both_open_at_once(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	call_peer(bed);
	seg = peer_segment(bed, SYN);
	seg.has_mss = true;
	seg.mss = 1460;
	peer_send(bed, &seg);
	expect(bed, SYNACK, 0, 1, 0);
	expect_state(bed, TCP_SYN_RECEIVED);
	expect_moved(bed, TCP_SYN_SENT, TCP_SYN_RECEIVED);
	/* RFC 9293, figure 8: the peer's SYN-ACK; its SYN is old, its ACK is new */
	seg = peer_segment(bed, SYNACK);
	peer_send(bed, &seg);
	bed->seq++;
	expect_state(bed, TCP_ESTABLISHED);
	expect_moved(bed, TCP_SYN_RECEIVED, TCP_ESTABLISHED);
	expect_nothing(bed);
	attach(bed, 65536, 65536);
	user_write(bed, 5);
	expect(bed, ACK, 1, 1, 5);
	peer_data(bed, 7);
	user_take(bed, 7);
}

static void rfc_7323_the_window_of_a_syn_ack_is_not_scaled_when_both_open(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	call_peer(bed);
	seg = peer_segment(bed, SYN);
	seg.has_window_scale = true;
	seg.window_scale = 4;
	seg.window = 1600;
	peer_send(bed, &seg);
	expect(bed, SYNACK, 0, 1, 0);
	seg.flags = SYNACK;
	seg.ack = bed->iss + 1;
	peer_send(bed, &seg);
	expect_state(bed, TCP_ESTABLISHED);
	assert_int_equal(bed_conn(bed)->snd_wnd, 1600);
}

static void must_10_simultaneous_open_with_a_plain_ack(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	peer_flags(bed, SYN);
	expect(bed, SYNACK, 0, 1, 0);
	peer_flags(bed, ACK);
	expect_state(bed, TCP_ESTABLISHED);
}

static void in_a_simultaneous_open_the_syn_ack_is_sent_again(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	peer_flags(bed, SYN);
	expect(bed, SYNACK, 0, 1, 0);
	bed_pass(bed, 1100 * MS);
	expect(bed, SYNACK, 0, 1, 0);
	bed->seq--; /* the peer's SYN once more */
	peer_flags(bed, SYN);
	expect(bed, SYNACK, 0, 1, 0);
	expect_state(bed, TCP_SYN_RECEIVED);
}

static void an_active_syn_received_is_closed_by_rst(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	peer_flags(bed, SYN);
	expect(bed, SYNACK, 0, 1, 0);
	peer_flags(bed, RST);
	expect_state(bed, TCP_CLOSED);
	expect_moved(bed, TCP_SYN_RECEIVED, TCP_CLOSED);
}

static void syn_sent_to_closed_by_time_out(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	bed_pass(bed, 74 * S);
	expect_state(bed, TCP_SYN_SENT);
	/* 1, 3, 7, 15, 31 and 63 seconds */
	assert_int_equal(peer_take(bed), 6);
	bed_pass(bed, 2 * S);
	expect_nothing(bed);
	expect_state(bed, TCP_CLOSED);
	expect_moved(bed, TCP_SYN_SENT, TCP_CLOSED);
	assert_int_equal(counter(bed, attempt_fails), 1);
	assert_int_equal(bed->ended, 1);
}

static void syn_sent_to_closed_by_rst(void **state)
{
	struct bed *bed = *state;

	call_peer(bed);
	peer_flags(bed, RST); /* without ACK: anybody could have sent it */
	expect_state(bed, TCP_SYN_SENT);
	bed->ack++;
	peer_flags(bed, RSTACK); /* of something that was not sent */
	expect_state(bed, TCP_SYN_SENT);
	bed->ack--;
	peer_flags(bed, RSTACK);
	expect_state(bed, TCP_CLOSED);
	expect_moved(bed, TCP_SYN_SENT, TCP_CLOSED);
	expect_nothing(bed);
}

static void syn_sent_to_closed_by_close_and_abort(void **state)
{
	struct bed *bed = *state;

	assert_true(stack_close(bed->stack, call_peer(bed), bed->now_us));
	bed_settle(bed);
	expect_state(bed, TCP_CLOSED);
	assert_true(stack_abort(bed->stack, call_peer(bed), bed->now_us));
	bed_settle(bed);
	expect_state(bed, TCP_CLOSED);
	expect_nothing(bed);
}

static void a_wrong_ack_in_syn_sent_is_reset(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	call_peer(bed);
	seg = peer_segment(bed, SYNACK);
	seg.ack = bed->iss + 5;
	peer_send(bed, &seg);
	expect(bed, RST, 5, 0, 0);
	expect_state(bed, TCP_SYN_SENT);
}

static void syn_received_to_listen_by_rst(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	peer_flags(bed, RST);
	expect_nothing(bed);
	expect_state(bed, TCP_CLOSED);
	expect_moved(bed, TCP_SYN_RECEIVED, TCP_LISTEN);
	assert_int_equal(counter(bed, attempt_fails), 1);
	establish(bed); /* the listener goes on */
}

/* Such a connection has no ring, so nothing at the number of its SYN may be sent as data. */
static void close_half_open(struct bed *bed)
{
	peer_syn(bed);
	ask_close(bed);
	expect(bed, FINACK, 1, 1, 0);
	expect_state(bed, TCP_FIN_WAIT_1);
}

static void syn_received_to_fin_wait_1_by_close(void **state)
{
	struct bed *bed = *state;

	close_half_open(bed);
	expect_moved(bed, TCP_SYN_RECEIVED, TCP_FIN_WAIT_1);
	peer_flags(bed, ACK); /* of the SYN only */
	expect_state(bed, TCP_FIN_WAIT_1);
	bed->ack++;
	peer_flags(bed, ACK);
	expect_state(bed, TCP_FIN_WAIT_2);
	peer_flags(bed, FINACK);
	expect(bed, ACK, 2, 2, 0);
	expect_state(bed, TCP_TIME_WAIT);
}

static void syn_received_to_fin_wait_1_sends_syn_and_fin_again(void **state)
{
	struct bed *bed = *state;

	close_half_open(bed);
	bed_pass_until_out(bed, 10 * S);
	expect(bed, SYNACK, 0, 1, 0);
	bed->ack++;
	peer_flags(bed, ACK);
	expect_state(bed, TCP_FIN_WAIT_2);
}

static void closed_in_syn_received_too_big_sends_the_syn_again(void **state)
{
	struct bed *bed = *state;

	close_half_open(bed);
	peer_icmp(bed, ICMP_TOO_BIG, 0, 600);
	expect(bed, SYNACK, 0, 1, 0);
	expect_nothing(bed);
}

static void closed_in_syn_received_only_an_ack_of_the_syn_counts(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	bed->window = 0;
	close_half_open(bed);
	bed->window = 5000;
	seg = peer_segment(bed, FINACK);
	seg.ack = bed->iss; /* in front of the SYN, with a window that opens, and FIN */
	peer_send(bed, &seg);
	expect(bed, RST, 0, 0, 0);
	expect_state(bed, TCP_FIN_WAIT_1);
	peer_flags(bed, FINACK);
	expect(bed, FINACK, 1, 2, 0);
	expect_state(bed, TCP_CLOSING);
}

static void syn_received_to_closed_by_abort_sends_rst(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	ask_abort(bed);
	expect(bed, RSTACK, 1, 1, 0);
	expect_state(bed, TCP_CLOSED);
}

static void fin_wait_1_to_fin_wait_2_by_ack(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_1);
	bed->ack++;
	peer_flags(bed, ACK);
	expect_state(bed, TCP_FIN_WAIT_2);
	expect_moved(bed, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2);
	expect_nothing(bed);
}

static void fin_wait_1_to_closing_by_fin(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_1);
	peer_flags(bed, FINACK);
	expect(bed, ACK, 2, 2, 0);
	expect_state(bed, TCP_CLOSING);
	expect_moved(bed, TCP_FIN_WAIT_1, TCP_CLOSING);
	bed->ack++;
	peer_flags(bed, ACK);
	expect_state(bed, TCP_TIME_WAIT);
	expect_moved(bed, TCP_CLOSING, TCP_TIME_WAIT);
}

static void fin_wait_1_to_time_wait_by_fin_and_ack_in_one(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_1);
	bed->ack++;
	peer_flags(bed, FINACK);
	expect(bed, ACK, 2, 2, 0);
	expect_state(bed, TCP_TIME_WAIT);
	assert_int_equal(bed->detached, 1);
}

static void fin_wait_2_to_time_wait_by_fin(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_2);
	peer_flags(bed, FINACK);
	expect(bed, ACK, 2, 2, 0);
	expect_state(bed, TCP_TIME_WAIT);
	expect_moved(bed, TCP_FIN_WAIT_2, TCP_TIME_WAIT);
}

static void close_wait_to_last_ack_to_closed(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_LAST_ACK);
	expect_moved(bed, TCP_ESTABLISHED, TCP_CLOSE_WAIT);
	expect_moved(bed, TCP_CLOSE_WAIT, TCP_LAST_ACK);
	assert_int_equal(bed->detached, 0);
	bed->ack++;
	peer_flags(bed, ACK);
	expect_state(bed, TCP_CLOSED);
	expect_moved(bed, TCP_LAST_ACK, TCP_CLOSED);
	expect_nothing(bed);
	assert_int_equal(bed->detached, 1);
	assert_int_equal(bed->ended, 1);
	assert_int_equal(counter(bed, estab_resets), 0);
}

static void rst_closes(struct bed *bed, enum tcp_state state)
{
	peer_flags(bed, RST);
	expect_nothing(bed);
	expect_state(bed, TCP_CLOSED);
	expect_moved(bed, state, TCP_CLOSED);
	assert_int_equal(worker_reset_reason(&bed->worker), RING_RESET_PEER);
	assert_int_equal(bed->detached, 1);
}

static void rst_closes_every_synchronized_state(void **state)
{
	static const enum tcp_state states[] = {TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2,
	                                        TCP_CLOSE_WAIT,  TCP_CLOSING,    TCP_LAST_ACK};

	(void)state;
	in_each_state(states, 6, rst_closes);
}

static void abort_sends_rst(struct bed *bed, enum tcp_state state)
{
	bool rst = state != TCP_CLOSING && state != TCP_LAST_ACK && state != TCP_TIME_WAIT;
	uint64_t id = info_of(bed).id;

	ask_abort(bed);
	assert_int_equal(bed->outs - bed->expected, rst);
	if (rst)
		assert_int_equal(next_out(bed)->seg.flags, RSTACK);
	expect_state(bed, TCP_CLOSED);
	assert_false(stack_abort(bed->stack, id, bed->now_us));
}

static void abort_sends_rst_in_the_states_of_section_3_10_5(void **state)
{
	static const enum tcp_state states[] = {TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2,
	                                        TCP_CLOSE_WAIT,  TCP_CLOSING,    TCP_LAST_ACK,
	                                        TCP_TIME_WAIT};

	(void)state;
	in_each_state(states, 7, abort_sends_rst);
}

static void a_call_that_cannot_be_is_refused_with_a_reason(void **state)
{
	struct bed *bed = *state;
	struct endpoint nobody = {0}, other = bed->flow.peer;
	const char *error;

	assert_int_equal(
		stack_call(bed->stack, &bed->flow.local, &nobody, 0, 0, false, bed->now_us, &error),
		0);
	assert_non_null(error);
	other.port = 0;
	assert_int_equal(
		stack_call(bed->stack, &bed->flow.local, &other, 0, 0, false, bed->now_us, &error),
		0);
	establish(bed);
	assert_int_equal(stack_call(bed->stack, &bed->flow.local, &bed->flow.peer, 0, 0, false,
	                            bed->now_us, &error),
	                 0);
	assert_string_equal(error, "this pair of sockets is in use");
	other = bed->flow.local;
	other.port = 99;
	assert_int_equal(
		stack_call(bed->stack, &other, &bed->flow.peer, 0, 0, true, bed->now_us, &error),
		0);
	assert_string_equal(error, "nothing listens there");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_of_the_eleven_states_is_reached),
		cmocka_unit_test(the_table_has_the_arrows_of_figure_5_and_no_others),
		with_bed(listen_to_syn_sent_by_a_call_from_the_listeners_port),
		with_bed(both_open_at_once),
		with_bed_v6(both_open_at_once),
		with_bed(rfc_7323_the_window_of_a_syn_ack_is_not_scaled_when_both_open),
		with_bed(must_10_simultaneous_open_with_a_plain_ack),
		with_bed(in_a_simultaneous_open_the_syn_ack_is_sent_again),
		with_bed(an_active_syn_received_is_closed_by_rst),
		with_bed(syn_sent_to_closed_by_time_out),
		with_bed(syn_sent_to_closed_by_rst),
		with_bed(syn_sent_to_closed_by_close_and_abort),
		with_bed(a_wrong_ack_in_syn_sent_is_reset),
		with_bed(syn_received_to_listen_by_rst),
		with_bed(syn_received_to_fin_wait_1_by_close),
		with_bed(syn_received_to_fin_wait_1_sends_syn_and_fin_again),
		with_bed(closed_in_syn_received_too_big_sends_the_syn_again),
		with_bed(closed_in_syn_received_only_an_ack_of_the_syn_counts),
		with_bed(syn_received_to_closed_by_abort_sends_rst),
		with_bed(fin_wait_1_to_fin_wait_2_by_ack),
		with_bed(fin_wait_1_to_closing_by_fin),
		with_bed(fin_wait_1_to_time_wait_by_fin_and_ack_in_one),
		with_bed(fin_wait_2_to_time_wait_by_fin),
		with_bed(close_wait_to_last_ack_to_closed),
		cmocka_unit_test(rst_closes_every_synchronized_state),
		cmocka_unit_test(abort_sends_rst_in_the_states_of_section_3_10_5),
		with_bed(a_call_that_cannot_be_is_refused_with_a_reason),
	};

	return cmocka_run_group_tests_name("moves", tests, NULL, NULL);
}
