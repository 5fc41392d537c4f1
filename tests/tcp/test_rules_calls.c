/*
 * RFC 9293, 3.5 to 3.7 and 3.9: opening, closing and aborting, what is told to whom, and
 * addresses. Each test bears the label of the rule that it shows.
 */
#include "tests/tcp/harness.h"

#include "daemon/config.h"

/* What calmd does when its configuration says nothing. */
static struct config default_config(void)
{
	struct config_source source = {0};
	char error[CONFIG_ERROR_MAX];
	struct config config;

	assert_int_equal(config_load(&source, &config, error), 0);
	return config;
}

/* ---- ends ---- */

static void must_12_the_application_learns_whether_its_peer_closed_or_aborted(void **state)
{
	struct stack_config config = bed_config();
	struct bed closed, aborted;

	(void)state;
	bed_open(&closed, IP_V4, &config);
	reach(&closed, TCP_ESTABLISHED);
	peer_flags(&closed, FINACK);
	assert_true(worker_rx_fin(&closed.worker));
	assert_int_equal(worker_reset_reason(&closed.worker), RING_RESET_NONE);
	bed_open(&aborted, IP_V4, &config);
	reach(&aborted, TCP_ESTABLISHED);
	peer_flags(&aborted, RST);
	assert_false(worker_rx_fin(&aborted.worker));
	assert_int_equal(worker_reset_reason(&aborted.worker), RING_RESET_PEER);
	bed_close(&closed);
	bed_close(&aborted);
}

static void shld_2_a_reset_may_bring_data(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	reach(bed, TCP_ESTABLISHED);
	seg = peer_segment(bed, RST);
	seg.data = (const uint8_t *)"out of memory";
	seg.data_length = 13;
	peer_send(bed, &seg);
	expect_nothing(bed);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(worker_waiting(&bed->worker), 0);
	assert_int_equal(worker_reset_reason(&bed->worker), RING_RESET_PEER);
}

/* The other half of it, RST for what nobody will read, is deviated from (SHLD-3). */
static void may_1_who_has_closed_reads_no_more(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	peer_data(bed, 100);
	user_close(bed);
	peer_data(bed, 100);
	assert_int_equal(worker_waiting(&bed->worker), 100); /* of before */
	peer_take(bed);
	assert_int_equal(bed_conn(bed)->rcv_nxt, PEER_ISS + 201);
	expect_state(bed, TCP_FIN_WAIT_1);
}

/* ---- OPEN ---- */

static void must_41_a_passive_open_leaves_connections_alone(void **state)
{
	struct bed *bed = *state;
	struct endpoint other = bed->flow.local;
	struct flow flow;
	struct conn before;

	reach(bed, TCP_ESTABLISHED);
	flow = bed->flow;
	before = *bed_conn(bed);
	other.port = 2323;
	assert_true(stack_listen(bed->stack, &other));
	assert_false(stack_listen(bed->stack, &other)); /* the same again is an error */
	bed_settle(bed);
	assert_memory_equal(&before, bed_conn(bed), sizeof(before));
	expect_nothing(bed);
	bed_peer(bed, 9, PEER_PORT);
	bed->flow.local.port = 2323;
	establish(bed);
	bed->flow = flow;
	assert_memory_equal(&before, bed_conn(bed), sizeof(before));
}

static void must_42_listen_on_a_port_that_others_are_opening_from(void **state)
{
	struct bed *bed = *state;
	struct flow called;

	bed->flow.local.port = 2323;
	call_peer(bed);
	called = bed->flow;
	assert_true(stack_listen(bed->stack, &bed->flow.local));
	bed_peer(bed, 9, 50000);
	peer_syn(bed);
	/* and again with one in SYN-RECEIVED: the listener of another address */
	{
		struct endpoint second = bed->flow.local;

		second.address.bytes[3]++;
		assert_true(stack_listen(bed->stack, &second));
	}
	peer_flags(bed, ACK);
	expect_state(bed, TCP_ESTABLISHED);
	bed->flow = called;
	expect_state(bed, TCP_SYN_SENT);
}

static void must_43_the_local_address_can_be_chosen(void **state)
{
	struct bed *bed = *state;
	struct endpoint local = bed->flow.local;
	const char *error;

	local.port = 2323;
	local.address.bytes[3] = 77;
	assert_true(stack_listen(bed->stack, &local));
	bed->flow.local.port = 2323; /* the same port at another address */
	peer_flags(bed, SYN);
	expect_nothing(bed);
	bed_peer(bed, 0, PEER_PORT);
	bed->flow.local = local;
	establish(bed);
	/* and that of a call; what comes out is compared with flow.local */
	local.address.bytes[3] = 78;
	bed_peer(bed, 8, PEER_PORT);
	bed->flow.local = local;
	assert_true(stack_call(bed->stack, &local, &bed->flow.peer, 2, 1500, false, bed->now_us,
	                       &error) != 0);
	bed_settle(bed);
	assert_int_equal(expect(bed, SYN, 0, 0, 0)->src.bytes[3], 78);
}

/* A listener on any address: each answer comes from the one that was asked, to the end. */
static void must_45_all_segments_of_a_connection_have_one_local_address(void **state)
{
	struct bed *bed = *state;
	size_t last = bed->flow.local.address.version == IP_V6 ? 15 : 3;

	for (uint8_t i = 0; i < 3; i++) {
		bed_peer(bed, 0, (uint16_t)(50000 + i));
		bed->flow.local.address.bytes[last] = (uint8_t)(10 + i);
		reach(bed, TCP_CLOSE_WAIT);
		user_write(bed, 100);
		bed_pass(bed, 5 * S);
		user_close(bed);
		peer_ack(bed);
		peer_ack(bed);
		expect_state(bed, TCP_CLOSED);
		for (unsigned j = 0; j < bed->outs; j++)
			assert_int_equal(bed->out[j].src.bytes[last], 10 + i);
		stack_worker_gone(bed->stack, bed->handle, bed->now_us);
		worker_close(&bed->worker);
		bed->attached = false;
		bed->outs = bed->expected = 0;
	}
}

static void must_46_a_call_to_no_single_host_is_refused(void **state)
{
	static const struct ip_address nobody[] = {
		{.version = IP_V4, .bytes = {224, 0, 0, 1}},
		{.version = IP_V4, .bytes = {239, 255, 255, 250}},
		{.version = IP_V4, .bytes = {255, 255, 255, 255}},
		{.version = IP_V4, .bytes = {0, 0, 0, 0}},
		{.version = IP_V6, .bytes = {0xff, 2, [15] = 1}},
		{.version = IP_V6, .bytes = {0}},
	};
	struct bed *bed = *state;

	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		struct endpoint local = bed->flow.local, peer = {.address = nobody[i], .port = 23};
		const char *error = NULL;

		if (peer.address.version == IP_V6) {
			memset(&local.address, 0, sizeof(local.address));
			local.address.version = IP_V6;
			local.address.bytes[15] = 1;
		}
		assert_int_equal(
			stack_call(bed->stack, &local, &peer, 2, 1500, false, bed->now_us, &error),
			0);
		assert_string_equal(error, "not a pair of unicast addresses of one family");
		bed_settle(bed);
	}
	expect_nothing(bed);
	assert_int_equal(bed->stack->open_conns, 0);
}

/* ---- giving up ---- */

static void must_23_a_call_is_tried_for_three_minutes(void **state)
{
	struct stack_config config = bed_config();
	uint64_t last = 0;
	struct bed bed;

	(void)state;
	config.call_timeout_us = default_config().call_timeout_us;
	assert_true(config.call_timeout_us >= 180 * S);
	bed_open(&bed, IP_V4, &config);
	call_peer(&bed);
	bed_pass(&bed, 180 * S - 1);
	expect_state(&bed, TCP_SYN_SENT);
	while (bed.expected < bed.outs)
		last = expect(&bed, SYN, 0, 0, 0)->at_us;
	assert_true(last >= bed.now_us - 60 * S); /* and tried, not only waited for */
	bed_pass(&bed, config.call_timeout_us - 180 * S + 1);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

/* R2 of SYNs ends them as that of data does: closed, and whoever asked is told. */
static void must_22_a_call_that_nobody_answers_is_given_up(void **state)
{
	struct bed *bed = *state;
	uint64_t wait = S;

	call_peer(bed);
	for (int i = 0; i < 5; i++, wait *= 2) {
		assert_int_equal(bed_pass_until_out(bed, 60 * S), wait);
		expect(bed, SYN, 0, 0, 0);
	}
	while (bed_state(bed) == TCP_SYN_SENT)
		bed_pass(bed, S);
	assert_int_equal(bed->ended, 1);
	assert_non_null(bed_moved(bed, TCP_SYN_SENT, TCP_CLOSED));
	assert_string_equal(bed_moved(bed, TCP_SYN_SENT, TCP_CLOSED)->why, "no answer in time");
}

/* ---- the IP layer ---- */

/* Every sort of segment, from each kind of entry and from none. */
static void each_segment_has(enum ip_version version, uint8_t dscp, uint8_t ttl)
{
	struct stack_config config = bed_config();
	struct segment stray;
	struct bed bed;

	config.dscp = dscp;
	config.ttl = ttl;
	bed_open(&bed, version, &config);
	reach(&bed, TCP_ESTABLISHED);
	user_write(&bed, 2000);
	bed_pass(&bed, 5 * S);
	peer_data(&bed, 3000);
	user_close(&bed);
	peer_ack(&bed);
	peer_flags(&bed, FINACK);
	bed.seq--;
	peer_flags(&bed, FINACK); /* answered from TIME-WAIT */
	bed_peer(&bed, 7, 50000);
	stray = peer_segment(&bed, ACK);
	peer_send(&bed, &stray); /* RST */
	peer_take(&bed);
	call_peer(&bed);
	assert_true(bed.outs >= 10);
	for (unsigned i = 0; i < bed.outs; i++) {
		assert_int_equal(bed.out[i].tos >> 2, dscp);
		assert_int_equal(bed.out[i].ttl, ttl);
	}
	bed_close(&bed);
}

static void must_48_the_differentiated_services_field_is_what_is_configured(void **state)
{
	(void)state;
	each_segment_has(IP_V4, 46, 64);
	each_segment_has(IP_V6, 46, 64);
	each_segment_has(IP_V6, 0, 64);
}

static void must_49_the_time_to_live_is_what_is_configured(void **state)
{
	(void)state;
	each_segment_has(IP_V4, 0, 1);
	each_segment_has(IP_V4, 0, 255);
	each_segment_has(IP_V6, 16, 3);
}

/* An ICMP error that may pass ends nothing, but whoever looks at the connection sees it. */
static void must_47_soft_errors_are_there_for_who_asks(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1000);
	peer_take(bed);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(info_of(bed).counters.soft_errors, i);
		peer_icmp(bed, ICMP_SOFT, 1, 0);
	}
	peer_icmp(bed, ICMP_HARD, 1, 0); /* is none here, either (RFC 5461) */
	assert_int_equal(info_of(bed).counters.soft_errors, 4);
	peer_icmp(bed, ICMP_SOFT, 1001, 0); /* not in flight */
	assert_int_equal(info_of(bed).counters.soft_errors, 4);
	expect_state(bed, TCP_ESTABLISHED);
	/* another one that RFC 1122, 4.2.4.1, names: retransmissions */
	bed_pass(bed, 10 * S);
	assert_true(info_of(bed).counters.timeouts > 2);
	assert_true(info_of(bed).backoff > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(must_12_the_application_learns_whether_its_peer_closed_or_aborted),
		with_bed(shld_2_a_reset_may_bring_data),
		with_bed(may_1_who_has_closed_reads_no_more),
		with_bed(must_41_a_passive_open_leaves_connections_alone),
		with_bed(must_42_listen_on_a_port_that_others_are_opening_from),
		with_bed(must_43_the_local_address_can_be_chosen),
		with_bed(must_45_all_segments_of_a_connection_have_one_local_address),
		with_bed_v6(must_45_all_segments_of_a_connection_have_one_local_address),
		with_bed(must_46_a_call_to_no_single_host_is_refused),
		cmocka_unit_test(must_23_a_call_is_tried_for_three_minutes),
		with_bed(must_22_a_call_that_nobody_answers_is_given_up),
		cmocka_unit_test(must_48_the_differentiated_services_field_is_what_is_configured),
		cmocka_unit_test(must_49_the_time_to_live_is_what_is_configured),
		with_bed(must_47_soft_errors_are_there_for_who_asks),
	};

	return cmocka_run_group_tests_name("rules of calls", tests, NULL, NULL);
}
