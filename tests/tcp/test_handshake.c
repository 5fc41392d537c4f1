/* Opening connections: the handshake's exact segments, and what its options settle. */
#include "tests/tcp/harness.h"

static void three_segments_make_a_connection(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	peer_syn(bed);
	expect_state(bed, TCP_SYN_RECEIVED);
	peer_flags(bed, ACK);
	expect_nothing(bed);
	expect_state(bed, TCP_ESTABLISHED);
	assert_true(bed_info(bed, &info));
	assert_true(info.waiting && info.passive && !info.has_worker);
	assert_int_equal(info.history_count, 3);
	assert_int_equal(info.history[0].state, TCP_LISTEN);
	assert_int_equal(info.history[1].state, TCP_SYN_RECEIVED);
	assert_int_equal(info.history[2].state, TCP_ESTABLISHED);
	assert_int_equal(counter(bed, passive_opens), 1);
}

static void three_segments_make_a_connection_that_we_call(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	establish_by_call(bed);
	assert_true(bed_info(bed, &info));
	assert_false(info.passive);
	assert_true(info.waiting);
	assert_int_equal(info.history[0].state, TCP_CLOSED);
	assert_int_equal(info.history[1].state, TCP_SYN_SENT);
	assert_int_equal(counter(bed, active_opens), 1);
	attach(bed, 65536, 65536);
	user_write(bed, 10);
	expect(bed, ACK, 1, 1, 10);
}

static void the_syn_ack_offers_what_the_mtu_allows(void **state)
{
	struct bed *bed = *state;
	uint16_t headers = bed->flow.local.address.version == IP_V6 ? 60 : 40;
	uint32_t mtus[] = {1500, 1400, 1280};

	for (int i = 0; i < 3; i++) {
		bed->mtu = mtus[i];
		bed_peer(bed, 0, (uint16_t)(50000 + i));
		peer_syn(bed);
		assert_true(bed->out[bed->outs - 1].seg.has_mss);
		assert_int_equal(bed->out[bed->outs - 1].seg.mss, mtus[i] - headers);
	}
}

static void must_14_the_syn_of_a_call_has_an_mss_too(void **state)
{
	struct bed *bed = *state;
	bool v6 = bed->flow.local.address.version == IP_V6;

	call_peer(bed);
	assert_true(bed->out[0].seg.has_mss);
	assert_int_equal(bed->out[0].seg.mss, v6 ? 1440 : 1460);
	assert_true(bed->out[0].seg.sack_permitted);
	assert_true(bed->out[0].seg.has_window_scale);
	assert_true(bed->out[0].seg.has_timestamps);
	assert_int_equal(bed->out[0].seg.ts_echo, 0);
}

static void must_15_without_an_mss_option_segments_have_the_default_size(void **state)
{
	struct bed *bed = *state;
	bool v6 = bed->flow.local.address.version == IP_V6;
	uint32_t size = v6 ? 1220 : 536;

	bed->offer = (struct offer){.scale = -1};
	establish_with_worker(bed, 65536, 65536);
	user_write(bed, 3 * size);
	for (uint32_t i = 0; i < 3; i++)
		expect(bed, ACK, 1 + i * size, 1, size);
	expect_nothing(bed);
}

static void must_16_no_segment_is_larger_than_the_peers_mss_less_options(void **state)
{
	struct bed *bed = *state;

	bed->offer = (struct offer){.mss = 1000, .scale = -1, .timestamps = true};
	establish_with_worker(bed, 65536, 65536);
	user_write(bed, 2000);
	expect(bed, ACK, 1, 1, 988);
	expect(bed, ACK, 989, 1, 988);
	expect(bed, ACK, 1977, 1, 24);
	expect_nothing(bed);
}

static void an_absurd_mss_option_still_leaves_room_for_data(void **state)
{
	struct bed *bed = *state;

	for (uint16_t mss = 1; mss <= 64; mss++) {
		bed->offer = (struct offer){.mss = mss, .scale = -1, .timestamps = mss % 2};
		bed_peer(bed, 0, (uint16_t)(50000 + mss));
		establish_with_worker(bed, 65536, 65536);
		user_write(bed, 100);
		assert_true(bed->outs - bed->expected >= 1 && bed->outs - bed->expected <= 4);
		peer_ack(bed);
		peer_flags(bed, RST);
		assert_int_equal(bed_state(bed), TCP_CLOSED);
		worker_close(&bed->worker);
		bed->attached = false;
		stack_worker_gone(bed->stack, bed->handle, bed->now_us);
	}
}

static void options_are_answered_only_when_they_were_offered(void **state)
{
	struct bed *bed = *state;

	for (unsigned bits = 0; bits < 8; bits++) {
		const struct segment *seg;
		struct conn_info info;

		bed->offer = (struct offer){
			.mss = 1460,
			.scale = bits & 1 ? 3 : -1,
			.timestamps = bits & 2,
			.sack = bits & 4,
		};
		bed_peer(bed, 0, (uint16_t)(50000 + bits));
		peer_syn(bed);
		seg = &bed->out[bed->outs - 1].seg;
		assert_int_equal(seg->has_window_scale, (bits & 1) != 0);
		assert_int_equal(seg->has_timestamps, (bits & 2) != 0);
		assert_int_equal(seg->sack_permitted, (bits & 4) != 0);
		if (bits & 2)
			assert_int_equal(seg->ts_echo, bed->ts_value);
		peer_flags(bed, ACK);
		assert_true(bed_info(bed, &info));
		assert_int_equal(info.window_scaling, (bits & 1) != 0);
		assert_int_equal(info.timestamps, (bits & 2) != 0);
		assert_int_equal(info.sack, (bits & 4) != 0);
		stack_abort(bed->stack, info.id, bed->now_us);
		bed_settle(bed);
		peer_take(bed);
	}
}

static void windows_are_scaled_but_not_in_syns(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	bed->offer.scale = 4;
	bed->window = 1000;
	peer_syn(bed);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.snd_wnd, 1000);
	peer_flags(bed, ACK);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.snd_wnd, 16000);
	assert_int_equal(info.snd_wscale, 4);
}

static void a_window_scale_above_14_counts_as_14(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	bed->offer.scale = 200;
	establish(bed);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.snd_wscale, 14);
}

static void a_large_receive_buffer_is_advertised_scaled(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.receive_buffer = 1 << 20;
	bed_open(&bed, IP_V4, &config);
	peer_syn(&bed);
	assert_int_equal(bed.out[0].seg.window, CONN_EARLY_BYTES);
	assert_int_equal(bed.out[0].seg.window_scale, 5);
	peer_flags(&bed, ACK);
	attach(&bed, 1 << 20, 65536);
	bed_pass(&bed, 100 * MS);
	assert_int_equal(expect(&bed, ACK, 1, 1, 0)->seg.window, (1 << 20) >> 5);
	bed_close(&bed);
}

static void the_syn_again_is_answered_with_the_same_syn_ack(void **state)
{
	struct bed *bed = *state;
	uint32_t iss;

	peer_syn(bed);
	iss = bed->iss;
	bed_pass(bed, 300 * MS);
	peer_syn(bed);
	assert_int_equal(bed->iss, iss);
	peer_flags(bed, ACK);
	expect_state(bed, TCP_ESTABLISHED);
	assert_int_equal(counter(bed, passive_opens), 1);
}

static void the_syn_ack_is_sent_again_with_doubling_intervals_and_then_given_up(void **state)
{
	struct bed *bed = *state;
	uint64_t expected = S;

	peer_syn(bed);
	for (int i = 0; i < 5; i++, expected *= 2) {
		assert_int_equal(bed_pass_until_out(bed, 100 * S), expected);
		expect(bed, SYNACK, 0, 1, 0);
	}
	bed_pass(bed, 31 * S);
	expect_state(bed, TCP_SYN_RECEIVED);
	bed_pass(bed, S);
	expect_nothing(bed);
	expect_state(bed, TCP_CLOSED);
	assert_non_null(bed_moved(bed, TCP_SYN_RECEIVED, TCP_LISTEN));
	assert_int_equal(counter(bed, half_open_expired), 1);
	assert_int_equal(counter(bed, out_segs), 1);
	assert_int_equal(counter(bed, retrans_segs), 5);
	assert_int_equal(bed->ended, 1);
}

static void a_wrong_ack_of_the_syn_ack_is_reset(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	peer_syn(bed);
	seg = peer_segment(bed, ACK);
	seg.ack = bed->iss;
	peer_send(bed, &seg);
	expect(bed, RST, 0, 0, 0);
	seg.ack = bed->iss + 2;
	peer_send(bed, &seg);
	expect(bed, RST, 2, 0, 0);
	expect_state(bed, TCP_SYN_RECEIVED);
	assert_int_equal(bed->stack->open_conns, 0); /* it made nothing larger of the entry */
	peer_flags(bed, ACK);
	expect_state(bed, TCP_ESTABLISHED);
}

static void the_third_segment_may_bring_data_and_fin(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	peer_syn(bed);
	seg = peer_segment(bed, FINACK);
	seg.data = (const uint8_t *)"\0";
	seg.data_length = 1;
	peer_send(bed, &seg);
	expect(bed, ACK, 1, 3, 0);
	expect_state(bed, TCP_CLOSE_WAIT);
	attach(bed, 65536, 65536);
	user_take(bed, 1);
	assert_true(worker_rx_fin(&bed->worker));
}

static void when_the_third_segment_is_lost_data_does_its_work(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	peer_data(bed, 100);
	expect_state(bed, TCP_ESTABLISHED);
	bed_pass(bed, 40 * MS);
	expect(bed, ACK, 1, 101, 0);
}

static void an_ack_to_a_listener_is_reset_with_its_own_number(void **state)
{
	struct bed *bed = *state;
	struct segment seg = peer_segment(bed, ACK);

	seg.ack = 12345;
	peer_send(bed, &seg);
	assert_int_equal(next_out(bed)->seg.seq, 12345);
	assert_int_equal(bed->out[0].seg.flags, RST);
	expect_nothing(bed);
	peer_flags(bed, RST);
	peer_flags(bed, FIN);
	expect_nothing(bed);
}

static void packets_for_other_ports_are_ignored(void **state)
{
	struct bed *bed = *state;
	struct segment seg = peer_segment(bed, SYN);

	seg.dst_port = 24;
	peer_send(bed, &seg);
	seg.flags = ACK;
	peer_send(bed, &seg);
	expect_nothing(bed);
	assert_int_equal(counter(bed, not_ours), 2);
}

static void syns_are_ignored_while_no_new_connections_are_taken(void **state)
{
	struct bed *bed = *state;

	stack_accepting(bed->stack, false);
	peer_flags(bed, SYN);
	expect_nothing(bed);
	stack_accepting(bed->stack, true);
	bed->seq = PEER_ISS;
	establish(bed);
}

static void initial_sequence_numbers_differ_by_flow_and_grow_with_time(void **state)
{
	struct bed *bed = *state;
	struct flow other = bed->flow;
	uint32_t first = iss_generate(bed->stack, &bed->flow, 0);

	assert_int_equal(iss_generate(bed->stack, &bed->flow, 0), first);
	/* RFC 6528: a clock of 4 microseconds beside the hash of the flow */
	assert_int_equal(iss_generate(bed->stack, &bed->flow, 4000), first + 1000);
	other.peer.port++;
	assert_int_not_equal(iss_generate(bed->stack, &other, 0), first);
	other = bed->flow;
	other.local.port++;
	assert_int_not_equal(iss_generate(bed->stack, &other, 0), first);
	other = bed->flow;
	other.peer.address.bytes[3]++;
	assert_int_not_equal(iss_generate(bed->stack, &other, 0), first);
}

static void the_handshake_gives_the_first_round_trip_sample(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	peer_syn(bed);
	bed_pass(bed, 80 * MS);
	peer_flags(bed, ACK);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.srtt_us, 80 * MS);
	assert_int_equal(info.rto_us, 80 * MS + 200 * MS);
}

static void karn_a_syn_ack_that_was_sent_again_gives_no_sample(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	peer_syn(bed);
	bed_pass(bed, 1100 * MS);
	expect(bed, SYNACK, 0, 1, 0);
	peer_flags(bed, ACK);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.srtt_us, 0);
}

static void data_in_a_syn_is_left_for_later(void **state)
{
	struct bed *bed = *state;
	struct segment seg = peer_segment(bed, SYN);

	seg.data = (const uint8_t *)"hello";
	seg.data_length = 5;
	peer_send(bed, &seg);
	bed->seq++;
	bed->ack = expect(bed, SYNACK, 0, 1, 0)->seg.seq + 1;
	peer_data(bed, 5);
	expect_state(bed, TCP_ESTABLISHED);
	bed_pass(bed, 40 * MS);
	expect(bed, ACK, 1, 6, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(three_segments_make_a_connection),
		with_bed_v6(three_segments_make_a_connection),
		with_bed(three_segments_make_a_connection_that_we_call),
		with_bed_v6(three_segments_make_a_connection_that_we_call),
		with_bed(the_syn_ack_offers_what_the_mtu_allows),
		with_bed_v6(the_syn_ack_offers_what_the_mtu_allows),
		with_bed(must_14_the_syn_of_a_call_has_an_mss_too),
		with_bed_v6(must_14_the_syn_of_a_call_has_an_mss_too),
		with_bed(must_15_without_an_mss_option_segments_have_the_default_size),
		with_bed_v6(must_15_without_an_mss_option_segments_have_the_default_size),
		with_bed(must_16_no_segment_is_larger_than_the_peers_mss_less_options),
		with_bed(an_absurd_mss_option_still_leaves_room_for_data),
		with_bed(options_are_answered_only_when_they_were_offered),
		with_bed(windows_are_scaled_but_not_in_syns),
		with_bed(a_window_scale_above_14_counts_as_14),
		cmocka_unit_test(a_large_receive_buffer_is_advertised_scaled),
		with_bed(the_syn_again_is_answered_with_the_same_syn_ack),
		with_bed(the_syn_ack_is_sent_again_with_doubling_intervals_and_then_given_up),
		with_bed(a_wrong_ack_of_the_syn_ack_is_reset),
		with_bed(the_third_segment_may_bring_data_and_fin),
		with_bed_v6(the_third_segment_may_bring_data_and_fin),
		with_bed(when_the_third_segment_is_lost_data_does_its_work),
		with_bed(an_ack_to_a_listener_is_reset_with_its_own_number),
		with_bed(packets_for_other_ports_are_ignored),
		with_bed(syns_are_ignored_while_no_new_connections_are_taken),
		with_bed(initial_sequence_numbers_differ_by_flow_and_grow_with_time),
		with_bed(the_handshake_gives_the_first_round_trip_sample),
		with_bed(karn_a_syn_ack_that_was_sent_again_gives_no_sample),
		with_bed(data_in_a_syn_is_left_for_later),
	};

	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
