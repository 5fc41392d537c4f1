/*
 * Another configuration while connections live (stack/configure.c), listeners that are
 * closed and opened (stack/listen.c), and an engine that takes no new connections.
 */
#include "tests/tcp/harness.h"

/* The bed's configuration from now on, and that of an engine that takes over. */
static void configure(struct bed *bed)
{
	assert_true(stack_configure(bed->stack, &bed->config, bed->now_us));
	bed->config.shape = bed->stack->shape;
	bed_settle(bed);
}

/* Client NUMBER sends a SYN; the state it has reached. */
static enum tcp_state syn_of(struct bed *bed, uint8_t number)
{
	bed_peer(bed, number, PEER_PORT);
	peer_flags(bed, SYN);
	bed->expected = bed->outs;
	return bed_state(bed);
}

static struct endpoint listener(const struct bed *bed, bool any)
{
	struct endpoint local = bed->flow.local;

	if (any)
		memset(local.address.bytes, 0, sizeof(local.address.bytes));
	return local;
}

/* ---- values ---- */

static void a_limit_takes_effect_at_once_and_what_is_there_goes_on(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	bed->config.max_connections = 1;
	configure(bed);
	assert_int_equal(syn_of(bed, 7), TCP_CLOSED);
	bed->config.max_connections = 2;
	configure(bed);
	assert_int_equal(syn_of(bed, 7), TCP_SYN_RECEIVED);
	bed_peer(bed, 0, PEER_PORT);
	expect_state(bed, TCP_ESTABLISHED);
}

static void half_open_entries_beyond_a_lower_limit_end_the_oldest_first(void **state)
{
	struct bed *bed = *state;

	for (uint8_t i = 1; i <= 4; i++)
		assert_int_equal(syn_of(bed, i), TCP_SYN_RECEIVED);
	bed->config.half_open = 1;
	configure(bed);
	for (uint8_t i = 1; i <= 4; i++) {
		bed_peer(bed, i, PEER_PORT);
		expect_state(bed, i == 4 ? TCP_SYN_RECEIVED : TCP_CLOSED);
	}
}

static void impossible_values_change_nothing(void **state)
{
	struct bed *bed = *state;
	const struct stack_config good = bed->config;
	struct stack_config bad[16];
	unsigned count = 0;

#define BAD(member, value) (bad[count] = good, bad[count++].member = (value))
	BAD(max_connections, 0);
	BAD(max_connections, 60001);
	BAD(max_connections, 5); /* more than the table was made for */
	BAD(max_connections_per_source, 60001);
	BAD(backlog, 0);
	BAD(backlog, 4);
	BAD(half_open, 0);
	BAD(half_open, 5);
	BAD(time_wait, 5);
	BAD(dscp, 64);
	BAD(congestion, CONGESTION_ALGORITHMS);
	BAD(receive_buffer, RING_SIZE_MAX + 1);
	BAD(msl_us, 0);
	BAD(keepalive_us, UINT64_MAX);
	BAD(user_timeout_us, UINT64_MAX);
	BAD(call_timeout_us, 0);
#undef BAD
	configure(bed);
	for (unsigned i = 0; i < count; i++) {
		bad[i].ttl = 9;
		assert_false(stack_configure(bed->stack, &bad[i], bed->now_us));
		assert_int_equal(bed->stack->config.ttl, 64);
	}
	/* fewer of the one make room for more of the other */
	bed->config.max_connections = 3;
	bed->config.backlog = 5;
	configure(bed);
}

/* ---- what connections carry along ---- */

static void keepalive_follows(void **state)
{
	struct bed *bed = *state;

	establish_with_worker(bed, 65536, 65536);
	bed->config.keepalive_us = 7200 * S;
	configure(bed);
	bed_pass(bed, 10 * S);
	bed->config.keepalive_us = 60 * S;
	configure(bed);
	bed_pass(bed, 49 * S);
	expect_nothing(bed);
	bed_pass_until_out(bed, 2 * S);
	expect(bed, ACK, 0, 1, 0);
	configure(bed); /* nothing of it has changed: the next probe comes when it would have */
	bed_pass_until_out(bed, 61 * S);
	expect(bed, ACK, 0, 1, 0);
	peer_flags(bed, ACK);
	bed->config.keepalive_us = 0;
	configure(bed);
	bed_pass(bed, 7201 * S);
	expect_nothing(bed);
	expect_state(bed, TCP_ESTABLISHED);
}

static void keepalive_that_is_long_overdue_asks_at_once(void **state)
{
	struct bed *bed = *state;

	establish_with_worker(bed, 65536, 65536);
	bed_pass(bed, 1000 * S);
	bed->config.keepalive_us = 60 * S;
	configure(bed);
	assert_true(bed_pass_until_out(bed, 1 * S) < 1 * MS);
	expect(bed, ACK, 0, 1, 0);
}

static void the_user_timeout_follows(void **state)
{
	struct bed *bed = *state;

	establish_with_worker(bed, 65536, 65536);
	user_write(bed, 100);
	bed_pass(bed, 20 * S);
	bed->config.user_timeout_us = 30 * S;
	configure(bed);
	bed_pass(bed, 9 * S);
	expect_state(bed, TCP_ESTABLISHED);
	bed->config.user_timeout_us = 0;
	configure(bed);
	bed_pass(bed, 20 * S);
	expect_state(bed, TCP_ESTABLISHED);
	bed->config.user_timeout_us = 60 * S;
	configure(bed);
	bed_pass(bed, 12 * S);
	expect_state(bed, TCP_CLOSED);
}

static void a_user_timeout_that_the_peer_asked_for_stays_where_we_have_none(void **state)
{
	struct bed *bed = *state;

	establish_with_worker(bed, 65536, 65536);
	bed_conn(bed)->user_timeout_us = 400 * S; /* as its option would have it */
	bed_seal(bed_conn(bed));
	bed->config.user_timeout_us = 50 * S;
	configure(bed);
	assert_true(bed_conn(bed)->user_timeout_us == 50 * S);
	bed_conn(bed)->user_timeout_us = 400 * S;
	bed_seal(bed_conn(bed));
	bed->config.user_timeout_us = 0;
	configure(bed);
	assert_true(bed_conn(bed)->user_timeout_us == 400 * S);
}

static void a_busy_message_that_is_sent_again_is_the_same(void **state)
{
	struct bed *bed = *state;

	establish(bed);
	bed->config.busy = STACK_BUSY_MESSAGE;
	bed->config.max_connections = 1;
	configure(bed);
	bed_peer(bed, 7, PEER_PORT);
	peer_syn(bed);
	peer_flags(bed, ACK);
	assert_memory_equal(expect(bed, FINACK, 1, 1, 21)->seg.data, "All lines", 9);
	strcpy(bed->config.busy_message, "No.\r\n");
	configure(bed);
	bed_pass_until_out(bed, 5 * S);
	assert_memory_equal(expect(bed, FINACK, 1, 1, 21)->seg.data, "All lines", 9);
	bed_take_over(bed);
	bed_pass_until_out(bed, 5 * S);
	assert_memory_equal(expect(bed, FINACK, 1, 1, 21)->seg.data, "All lines", 9);
	bed_peer(bed, 8, PEER_PORT);
	peer_syn(bed);
	peer_flags(bed, ACK);
	assert_memory_equal(expect(bed, FINACK, 1, 1, 5)->seg.data, "No.", 3);
}

static void the_window_scale_is_the_one_that_was_offered(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	assert_int_equal(bed->out[bed->outs - 1].seg.window_scale, 1);
	bed->config.receive_buffer = 1 << 20;
	configure(bed);
	peer_flags(bed, ACK);
	assert_int_equal(bed_conn(bed)->rcv_wscale, 1);
	bed_peer(bed, 7, PEER_PORT);
	peer_syn(bed);
	assert_int_equal(bed->out[bed->outs - 1].seg.window_scale, 5);
	peer_flags(bed, ACK);
	assert_int_equal(bed_conn(bed)->rcv_wscale, 5);
}

static void a_cookie_that_offered_another_scale_is_good_no_more(void **state)
{
	struct bed *bed = *state;

	bed->offer.timestamps = true;
	bed->config.syn_cookies = STACK_COOKIES_ALWAYS;
	configure(bed);
	peer_syn(bed);
	bed->config.receive_buffer = 1 << 20;
	configure(bed);
	peer_flags(bed, ACK);
	assert_int_equal(next_out(bed)->seg.flags, RST);
	bed_peer(bed, 7, PEER_PORT);
	peer_syn(bed);
	peer_flags(bed, ACK);
	expect_state(bed, TCP_ESTABLISHED);
	assert_int_equal(bed_conn(bed)->rcv_wscale, 5);
}

/* ---- listeners ---- */

static void a_closed_listener_keeps_its_connections_and_resets_others(void **state)
{
	struct bed *bed = *state;
	struct endpoint any = listener(bed, true);

	reach(bed, TCP_ESTABLISHED);
	assert_true(stack_unlisten(bed->stack, &any));
	bed_peer(bed, 7, PEER_PORT);
	peer_flags(bed, SYN);
	assert_int_equal(next_out(bed)->seg.flags, RSTACK);
	peer_flags(bed, ACK);
	assert_int_equal(next_out(bed)->seg.flags, RST);
	peer_flags(bed, RST);
	expect_nothing(bed);
	bed_peer(bed, 0, PEER_PORT);
	expect_state(bed, TCP_ESTABLISHED);
	assert_true(stack_listen_used(bed->stack, &any));
}

static void a_closed_listener_is_used_until_time_wait_is_over_and_then_forgotten(void **state)
{
	struct bed *bed = *state;
	struct endpoint any = listener(bed, true);

	reach(bed, TCP_TIME_WAIT);
	assert_true(stack_unlisten(bed->stack, &any));
	bed_pass(bed, 59 * S);
	assert_true(stack_listen_used(bed->stack, &any));
	bed_pass(bed, 2 * S);
	assert_false(stack_listen_used(bed->stack, &any));
	stack_listen_forget(bed->stack, &any);
	bed->expected = bed->outs;
	bed_peer(bed, 7, PEER_PORT);
	peer_flags(bed, SYN);
	expect_nothing(bed);
	assert_int_equal(counter(bed, not_ours), 1);
	assert_false(stack_unlisten(bed->stack, &any));
	assert_true(stack_listen(bed->stack, &any));
	assert_int_equal(syn_of(bed, 7), TCP_SYN_RECEIVED);
}

static void a_closed_listener_can_be_opened_again(void **state)
{
	struct bed *bed = *state;
	struct endpoint any = listener(bed, true);
	struct conn_info info;
	uint32_t cursor = 0;
	uint64_t id;

	assert_true(stack_next(bed->stack, &cursor, &info));
	id = info.id;
	assert_true(stack_unlisten(bed->stack, &any));
	assert_false(stack_info(bed->stack, id, &info));
	cursor = 0;
	assert_false(stack_next(bed->stack, &cursor, &info));
	stack_listen_forget(bed->stack, &any);
	assert_true(stack_listen(bed->stack, &any));
	assert_false(stack_listen(bed->stack, &any));
	assert_true(stack_unlisten(bed->stack, &any));
	assert_true(stack_listen(bed->stack, &any));
	assert_int_equal(syn_of(bed, 7), TCP_SYN_RECEIVED);
	stack_listen_forget(bed->stack, &any); /* it is open: nothing happens */
	assert_int_equal(syn_of(bed, 8), TCP_SYN_RECEIVED);
}

static void a_narrower_listener_takes_over_what_it_covers(void **state)
{
	struct bed *bed = *state;
	struct endpoint any = listener(bed, true), one = listener(bed, false);

	reach(bed, TCP_ESTABLISHED);
	assert_true(stack_listen(bed->stack, &one));
	assert_true(stack_unlisten(bed->stack, &any));
	assert_false(stack_listen_used(bed->stack, &any));
	assert_int_equal(syn_of(bed, 7), TCP_SYN_RECEIVED);
	bed->flow.local.address.bytes[15] ^= 1; /* another address of ours, of either family */
	bed->flow.local.address.bytes[3] ^= 1;
	bed_peer(bed, 8, PEER_PORT);
	peer_flags(bed, SYN);
	assert_int_equal(next_out(bed)->seg.flags, RSTACK);
}

static void a_new_syn_does_not_end_time_wait_at_a_closed_listener(void **state)
{
	struct bed *bed = *state;
	struct endpoint any = listener(bed, true);

	reach(bed, TCP_TIME_WAIT);
	bed->expected = bed->outs;
	assert_true(stack_unlisten(bed->stack, &any));
	bed->seq += 100000;
	peer_flags(bed, SYN);
	expect_state(bed, TCP_TIME_WAIT);
}

/* ---- no new connections ---- */

static void while_none_are_taken_syns_are_ignored_and_handshakes_completed(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	stack_accepting(bed->stack, false);
	peer_flags(bed, ACK);
	expect_state(bed, TCP_ESTABLISHED);
	bed_peer(bed, 7, PEER_PORT);
	peer_flags(bed, SYN);
	expect_nothing(bed);
	assert_int_equal(counter(bed, not_accepting), 1);
	stack_accepting(bed->stack, true);
	assert_int_equal(syn_of(bed, 7), TCP_SYN_RECEIVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(a_limit_takes_effect_at_once_and_what_is_there_goes_on),
		with_bed(half_open_entries_beyond_a_lower_limit_end_the_oldest_first),
		with_bed(impossible_values_change_nothing),
		with_bed(keepalive_follows),
		with_bed(keepalive_that_is_long_overdue_asks_at_once),
		with_bed(the_user_timeout_follows),
		with_bed(a_user_timeout_that_the_peer_asked_for_stays_where_we_have_none),
		with_bed(a_busy_message_that_is_sent_again_is_the_same),
		with_bed(the_window_scale_is_the_one_that_was_offered),
		with_bed(a_cookie_that_offered_another_scale_is_good_no_more),
		with_bed(a_closed_listener_keeps_its_connections_and_resets_others),
		with_bed_v6(a_closed_listener_keeps_its_connections_and_resets_others),
		with_bed(a_closed_listener_is_used_until_time_wait_is_over_and_then_forgotten),
		with_bed(a_closed_listener_can_be_opened_again),
		with_bed(a_narrower_listener_takes_over_what_it_covers),
		with_bed_v6(a_narrower_listener_takes_over_what_it_covers),
		with_bed(a_new_syn_does_not_end_time_wait_at_a_closed_listener),
		with_bed(while_none_are_taken_syns_are_ignored_and_handshakes_completed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
