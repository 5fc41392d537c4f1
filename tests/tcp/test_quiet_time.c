/*
 * The engine in quiet time (RFC 9293, 3.4.3), and pairs in TIME-WAIT that a former engine
 * had. How long quiet time is, tests/unit/test_quiet.c looks at.
 */
#include "stack/seal.h"
#include "tests/tcp/harness.h"

#define QUIET_US (40 * S)

static void keep_quiet(struct bed *bed, uint64_t us)
{
	stack_keep_quiet(bed->stack, bed->now_us + us, QUIET_REASON_CRASH, bed->now_us);
}

/* A segment of each kind, from somebody who had a connection and from somebody new. */
static void send_all_kinds(struct bed *bed)
{
	static const uint8_t flags[] = {SYN, ACK, FINACK, PSH | ACK, SYNACK, RST, RSTACK, FIN};

	for (size_t i = 0; i < sizeof(flags); i++)
		peer_flags(bed, flags[i]);
	peer_data_at(bed, 1, 100);
	peer_send_raw(bed, (const uint8_t *)"nonsense", 8);
}

static void rfc_9293_3_4_3_nothing_is_sent_in_quiet_time(void **state)
{
	struct bed *bed = *state;

	keep_quiet(bed, QUIET_US);
	for (int i = 0; i < 39; i++) {
		send_all_kinds(bed);
		bed_pass(bed, S);
	}
	bed_pass(bed, S - 1);
	assert_int_equal(stack_quiet_left(bed->stack, bed->now_us), 1);
	send_all_kinds(bed);
	expect_nothing(bed);
	assert_int_equal(counter(bed, quiet_dropped), 40 * 10);
	assert_int_equal(counter(bed, in_segs), 40 * 10);
	assert_int_equal(counter(bed, out_segs), 0);
	expect_state(bed, TCP_CLOSED);
}

static void when_it_is_over_the_same_syn_connects(void **state)
{
	struct bed *bed = *state;

	keep_quiet(bed, QUIET_US);
	peer_flags(bed, SYN);
	expect_nothing(bed);
	bed_pass(bed, QUIET_US);
	assert_int_equal(stack_quiet_left(bed->stack, bed->now_us), 0);
	assert_int_equal(stack_quiet_reason(bed->stack), QUIET_REASON_CRASH);
	establish(bed);
	expect_state(bed, TCP_ESTABLISHED);
}

static void afterwards_segments_of_old_connections_are_reset(void **state)
{
	struct bed *bed = *state;

	keep_quiet(bed, QUIET_US);
	peer_data_at(bed, 1, 100);
	expect_nothing(bed);
	bed_pass(bed, QUIET_US);
	peer_data_at(bed, 1, 100);
	assert_int_equal(next_out(bed)->seg.flags & RST, RST);
}

static void nobody_is_called_in_quiet_time(void **state)
{
	struct bed *bed = *state;
	const char *error = NULL;

	keep_quiet(bed, QUIET_US);
	assert_int_equal(stack_call(bed->stack, &bed->flow.local, &bed->flow.peer, 1, 1500, false,
	                            bed->now_us, &error),
	                 0);
	assert_non_null(strstr(error, "quiet"));
	bed_settle(bed);
	expect_nothing(bed);
	bed_pass(bed, QUIET_US);
	call_peer(bed);
}

static void an_engine_that_takes_the_table_up_goes_on_being_quiet(void **state)
{
	struct bed *bed = *state;

	keep_quiet(bed, QUIET_US);
	bed_pass(bed, 30 * S);
	bed_take_over(bed);
	assert_int_equal(stack_quiet_left(bed->stack, bed->now_us), 10 * S);
	assert_int_equal(stack_quiet_reason(bed->stack), QUIET_REASON_CRASH);
	peer_flags(bed, SYN);
	expect_nothing(bed);
	bed_pass(bed, 10 * S);
	establish(bed);
}

/* Half done, it has not happened. */
static void dying_while_it_is_set_leaves_what_was(void **state)
{
	struct bed *bed = *state;
	struct table *table = &bed->stack->table;

	keep_quiet(bed, QUIET_US);
	table_begin(table);
	table_touch(table, &table->header->quiet, sizeof(table->header->quiet));
	table->header->quiet.until_us = 0;
	bed_take_over(bed);
	assert_int_equal(stack_quiet_left(bed->stack, bed->now_us), QUIET_US);
}

static void a_damaged_end_does_not_silence_it_for_ever(void **state)
{
	struct bed *bed = *state;

	bed->stack->table.header->quiet.until_us = UINT64_MAX;
	establish(bed);
}

/* ---- pairs ---- */

/* The pairs that the bed's engine leaves; it is gone, and the bed's engine a new one. */
static size_t restart(struct bed *bed, struct quiet_pair *pairs, size_t size)
{
	struct stack_config config = bed->config;
	struct bed old = *bed;
	size_t count =
		stack_barred_pairs(&config, bed->memory, bed->bytes, bed->now_us, pairs, size);

	bed_open(bed, old.flow.local.address.version, &config);
	/* Another run has other secrets: nothing may hang on them. */
	memset(&bed->stack->table.header->secrets, 0x77, sizeof(struct stack_secrets));
	bed->now_us = old.now_us;
	bed->flow = old.flow;
	bed->offer = old.offer;
	bed->seq = old.seq;
	bed->ack = old.ack;
	bed->iss = old.iss;
	bed->window = old.window;
	bed->timestamps = old.timestamps;
	bed->ts_value = old.ts_value;
	bed->ts_echo = old.ts_echo;
	bed_close(&old);
	return count;
}

/* A bed whose pair was in TIME-WAIT for 20 s when another engine took its place. */
static void open_restarted(struct bed *bed, enum ip_version version, bool timestamps)
{
	struct stack_config config = bed_config();
	struct quiet_pair pair;

	bed_open(bed, version, &config);
	bed->offer.timestamps = timestamps;
	reach(bed, TCP_TIME_WAIT);
	bed_pass(bed, 20 * S);
	peer_take(bed);
	assert_int_equal(restart(bed, &pair, 1), 1);
	assert_true(flow_equal(&pair.flow, &bed->flow));
	assert_int_equal(pair.until_us, bed->now_us + 40 * S);
	assert_true(stack_bar_pair(bed->stack, &pair, bed->now_us));
	bed_settle(bed);
	expect_state(bed, TCP_TIME_WAIT);
}

static void a_barred_pair_waits_for_the_time_it_had_left(void **state)
{
	struct bed bed;

	(void)state;
	for (int v6 = 0; v6 <= 1; v6++) {
		open_restarted(&bed, v6 ? IP_V6 : IP_V4, true);
		bed_pass(&bed, 40 * S - 1);
		expect_state(&bed, TCP_TIME_WAIT);
		bed_pass(&bed, 1);
		expect_state(&bed, TCP_CLOSED);
		expect_nothing(&bed);
		bed_close(&bed);
	}
}

/* RFC 9293, 3.10.7.4: its ACK may have been lost before the restart. */
static void it_acknowledges_the_fin_again_with_the_old_numbers(void **state)
{
	struct bed bed;

	(void)state;
	for (int timestamps = 0; timestamps <= 1; timestamps++) {
		const struct out *out;
		uint32_t before;

		open_restarted(&bed, IP_V4, timestamps != 0);
		before = bed.ts_echo;
		bed.seq = PEER_ISS + 1;
		peer_flags(&bed, FINACK);
		out = expect(&bed, ACK, 2, 2, 0);
		assert_int_equal(out->seg.has_timestamps, timestamps);
		if (timestamps) { /* our clock has gone on: the peer's PAWS lets it through */
			assert_int_equal(out->seg.ts_echo, bed.ts_value);
			assert_true(seq_gt(out->seg.ts_value, before));
			assert_true(out->seg.ts_value - before < 60000);
		}
		bed_pass(&bed, 60 * S - 1); /* and the wait begins again */
		expect_state(&bed, TCP_TIME_WAIT);
		bed_close(&bed);
	}
}

static void it_answers_an_old_syn_with_an_ack_and_takes_a_newer_one(void **state)
{
	struct bed bed;
	uint32_t snd_nxt;

	(void)state;
	open_restarted(&bed, IP_V4, false);
	snd_nxt = bed.iss + 2;
	bed.seq = PEER_ISS + 1;
	peer_flags(&bed, SYN);
	expect(&bed, ACK, 2, 2, 0);
	expect_state(&bed, TCP_TIME_WAIT);
	bed.seq = PEER_ISS + 5000;
	peer_flags(&bed, SYN);
	assert_true(seq_gt(next_out(&bed)->seg.seq, snd_nxt)); /* RFC 6191 */
	expect_state(&bed, TCP_SYN_RECEIVED);
	assert_int_equal(counter(&bed, time_wait_reused), 1);
	bed_close(&bed);
}

static void every_other_pair_connects_at_once(void **state)
{
	struct bed bed;

	(void)state;
	open_restarted(&bed, IP_V4, true);
	bed_peer(&bed, 0, 40001);
	establish(&bed);
	bed_close(&bed);
}

static void the_next_engine_and_the_next_run_take_it_up_too(void **state)
{
	struct quiet_pair pair;
	struct bed bed;

	(void)state;
	open_restarted(&bed, IP_V4, true);
	bed_take_over(&bed);
	expect_state(&bed, TCP_TIME_WAIT);
	bed_pass(&bed, 10 * S);
	assert_int_equal(restart(&bed, &pair, 1), 1);
	assert_int_equal(pair.until_us, bed.now_us + 30 * S);
	assert_true(stack_bar_pair(bed.stack, &pair, bed.now_us));
	bed.seq = PEER_ISS + 1;
	peer_flags(&bed, FINACK);
	expect(&bed, ACK, 2, 2, 0);
	bed_close(&bed);
}

static void a_pair_is_refused_that_does_not_hold_or_has_no_place(void **state)
{
	struct quiet_pair pair;
	struct bed bed;

	(void)state;
	open_restarted(&bed, IP_V4, true);
	assert_int_equal(
		stack_barred_pairs(&bed.config, bed.memory, bed.bytes, bed.now_us, &pair, 1), 1);
	assert_false(stack_bar_pair(bed.stack, &pair, bed.now_us)); /* it is there */
	pair.flow.peer.port = 0;
	assert_false(stack_bar_pair(bed.stack, &pair, bed.now_us));
	for (uint16_t i = 1; i < 4; i++) {
		pair.flow.peer.port = i;
		assert_true(stack_bar_pair(bed.stack, &pair, bed.now_us));
	}
	pair.flow.peer.port = 4;
	assert_false(stack_bar_pair(bed.stack, &pair, bed.now_us)); /* four are all */
	pair.until_us = UINT64_MAX / 4;
	bed_pass(&bed, 40 * S);
	assert_true(stack_bar_pair(bed.stack, &pair, bed.now_us));
	bed.flow = pair.flow;
	bed_pass(&bed, 60 * S); /* no longer than 2 MSL */
	expect_state(&bed, TCP_CLOSED);
	pair.until_us = bed.now_us;
	assert_false(stack_bar_pair(bed.stack, &pair, bed.now_us)); /* it is over */
	bed_close(&bed);
}

/* What the supervisor reads may have been written by a master that a stranger had taken over. */
static void nothing_is_read_from_what_is_no_table(void **state)
{
	struct quiet_pair pairs[4];
	struct stack_config other;
	struct bed *bed = *state;
	struct table_header *header;
	struct time_wait *wait;

	reach(bed, TCP_TIME_WAIT);
#define PAIRS(config, bytes) stack_barred_pairs(config, bed->memory, bytes, bed->now_us, pairs, 4)
	header = bed->stack->table.header;
	assert_int_equal(PAIRS(&bed->config, bed->bytes), 1);
	assert_int_equal(PAIRS(&bed->config, bed->bytes - 4096), 0);
	assert_int_equal(PAIRS(&bed->config, 0), 0);
	other = bed->config;
	other.time_wait = 40000;
	assert_int_equal(PAIRS(&other, bed->bytes), 0);
	header->time_waits = UINT32_MAX;
	assert_int_equal(PAIRS(&bed->config, bed->bytes), 0);
	header->time_waits = bed->config.time_wait;
	header->busy = 1;
	assert_int_equal(PAIRS(&bed->config, bed->bytes), 0);
	header->busy = 0;
	wait = &bed->stack->table.time_wait[0];
	wait->rcv_wnd++;
	assert_int_equal(PAIRS(&bed->config, bed->bytes), 0);
	seal_set(wait, sizeof(*wait));
	assert_int_equal(PAIRS(&bed->config, bed->bytes), 1);
	wait->rcv_wnd = UINT32_MAX;
	seal_set(wait, sizeof(*wait));
	assert_int_equal(PAIRS(&bed->config, bed->bytes), 0);
	wait->rcv_wnd = 1000;
	seal_set(wait, sizeof(*wait));
	assert_int_equal(PAIRS(&bed->config, bed->bytes), 1);
	assert_int_equal(
		stack_barred_pairs(&bed->config, bed->memory, bed->bytes, bed->now_us, pairs, 0),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(rfc_9293_3_4_3_nothing_is_sent_in_quiet_time),
		with_bed_v6(rfc_9293_3_4_3_nothing_is_sent_in_quiet_time),
		with_bed(when_it_is_over_the_same_syn_connects),
		with_bed(afterwards_segments_of_old_connections_are_reset),
		with_bed(nobody_is_called_in_quiet_time),
		with_bed(an_engine_that_takes_the_table_up_goes_on_being_quiet),
		with_bed(dying_while_it_is_set_leaves_what_was),
		with_bed(a_damaged_end_does_not_silence_it_for_ever),
		cmocka_unit_test(a_barred_pair_waits_for_the_time_it_had_left),
		cmocka_unit_test(it_acknowledges_the_fin_again_with_the_old_numbers),
		cmocka_unit_test(it_answers_an_old_syn_with_an_ack_and_takes_a_newer_one),
		cmocka_unit_test(every_other_pair_connects_at_once),
		cmocka_unit_test(the_next_engine_and_the_next_run_take_it_up_too),
		cmocka_unit_test(a_pair_is_refused_that_does_not_hold_or_has_no_place),
		with_bed(nothing_is_read_from_what_is_no_table),
	};

	return cmocka_run_group_tests_name("quiet_time", tests, NULL, NULL);
}
