/*
 * What the engine does about single sources: handshakes a minute, offences, bans. What is
 * known of an address that somebody has only claimed: nothing.
 */
#include "tests/tcp/harness.h"

#define MINUTE (60 * S)
#define RATE   3u

static void open_bed(struct bed *bed, enum stack_busy busy)
{
	struct stack_config config = bed_config();

	config.max_connections = 40;
	config.backlog = 40;
	config.busy = busy;
	config.connections_per_minute_per_source = RATE;
	config.ban_after = 4;
	config.ban_time_us = 5 * MINUTE;
	memcpy(config.busy_message, "No.", 4);
	bed_open(bed, IP_V4, &config);
}

/* A client at ADDRESS completes a handshake from PORT, as far as it can. */
static void client(struct bed *bed, uint8_t address, uint16_t port)
{
	bed->outs = bed->expected = 0;
	bed_peer(bed, address, port);
	peer_syn(bed);
	peer_flags(bed, ACK);
}

/* As many as are let in. */
static void use_up(struct bed *bed, uint8_t address)
{
	for (uint16_t i = 0; i < RATE; i++) {
		client(bed, address, (uint16_t)(100 + i));
		expect_state(bed, TCP_ESTABLISHED);
	}
	bed_pass(bed, 100 * MS);
	bed->outs = bed->expected = 0;
}

static const struct source_entry *entry_of(struct bed *bed, uint8_t address)
{
	uint32_t at;

	bed_peer(bed, address, PEER_PORT);
	at = source_find(bed->stack->sources, &bed->flow.peer.address);
	return at != SOURCE_NONE ? &bed->stack->table.source[at] : NULL;
}

static void expect_silence_for_a_syn(struct bed *bed, uint8_t address, uint16_t port)
{
	bed_peer(bed, address, port);
	peer_flags(bed, SYN);
	expect_nothing(bed);
	expect_state(bed, TCP_CLOSED);
}

/* ---- connections a minute ---- */

static void a_client_over_its_rate_is_reset_by_the_ack_of_its_handshake(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_RESET);
	use_up(&bed, 1);
	client(&bed, 1, 200);
	assert_true((next_out(&bed)->seg.flags & TCP_RST) != 0);
	expect_state(&bed, TCP_CLOSED);
	assert_int_equal(counter(&bed, limit_rate), 1);
	assert_int_equal(bed.refused, 1);
	assert_int_equal(entry_of(&bed, 1)->refused, 1);
	/* others have their own */
	client(&bed, 2, 200);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_close(&bed);
}

static void a_client_over_its_rate_gets_in_by_waiting_where_nothing_is_said(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_DROP);
	use_up(&bed, 1);
	bed_pass(&bed, 50 * S);
	bed.outs = bed.expected = 0;
	client(&bed, 1, 200);
	expect_state(&bed, TCP_SYN_RECEIVED);
	for (int i = 0; i < 5 && bed_state(&bed) == TCP_SYN_RECEIVED; i++) {
		/* SYN-ACKs come again, and the client repeats its ACK */
		bed_pass_until_out(&bed, MINUTE);
		bed.outs = bed.expected = 0;
		peer_flags(&bed, ACK);
	}
	expect_state(&bed, TCP_ESTABLISHED);
	assert_int_equal(bed.refused, 1); /* once, however often its ACK came */
	assert_int_equal(entry_of(&bed, 1)->refused, 1);
	bed_close(&bed);
}

static void a_client_over_its_rate_is_told_so_where_there_is_a_message(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_MESSAGE);
	use_up(&bed, 1);
	client(&bed, 1, 200);
	expect(&bed, FINACK, 1, 1, 3);
	assert_int_equal(bed.refused, 1);
	bed_close(&bed);
}

static void who_came_by_a_cookie_is_counted_as_well(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.syn_cookies = STACK_COOKIES_ALWAYS;
	config.busy = STACK_BUSY_RESET;
	config.backlog = config.max_connections = 20;
	config.connections_per_minute_per_source = RATE;
	bed_open(&bed, IP_V6, &config);
	use_up(&bed, 1);
	client(&bed, 1, 200);
	assert_true((next_out(&bed)->seg.flags & TCP_RST) != 0);
	assert_int_equal(entry_of(&bed, 1)->refused, 1);
	bed_close(&bed);
}

/* ---- bans ---- */

static void who_goes_on_over_its_limits_is_banned_and_then_costs_nothing(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_RESET);
	use_up(&bed, 1);
	for (uint16_t i = 0; i < 4; i++) {
		assert_int_equal(bed.banned, 0);
		client(&bed, 1, (uint16_t)(200 + i));
	}
	assert_int_equal(bed.banned, 1);
	bed.outs = bed.expected = 0;
	expect_silence_for_a_syn(&bed, 1, 300);
	assert_int_equal(bed.stack->open_half_opens, 0);
	assert_int_equal(counter(&bed, banned), 1);
	client(&bed, 2, 300);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 5 * MINUTE);
	bed.outs = bed.expected = 0;
	client(&bed, 1, 301);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_close(&bed);
}

static void a_ban_ends_no_connection_that_is_there(void **state)
{
	struct bed bed;
	struct ip_prefix prefix = {.bits = 24};

	(void)state;
	open_bed(&bed, STACK_BUSY_DROP);
	reach(&bed, TCP_ESTABLISHED);
	prefix.address = bed.flow.peer.address;
	assert_true(prefix_fold(&prefix));
	assert_true(stack_ban(bed.stack, &prefix, UINT64_MAX, bed.now_us));
	peer_data(&bed, 10);
	user_take(&bed, 10);
	user_write(&bed, 10);
	expect(&bed, ACK, 1, 11, 10);
	bed_close(&bed);
}

static void a_handshake_that_a_ban_overtakes_is_reset(void **state)
{
	struct bed bed;
	struct ip_prefix prefix = {.bits = 32};

	(void)state;
	open_bed(&bed, STACK_BUSY_DROP);
	peer_syn(&bed);
	prefix.address = bed.flow.peer.address;
	assert_true(stack_ban(bed.stack, &prefix, UINT64_MAX, bed.now_us));
	peer_flags(&bed, ACK);
	assert_true((next_out(&bed)->seg.flags & TCP_RST) != 0);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

static void a_ban_by_hand_lasts_as_long_as_was_said(void **state)
{
	struct bed bed;
	struct ip_prefix prefix = {.bits = 32};

	(void)state;
	open_bed(&bed, STACK_BUSY_DROP);
	bed_peer(&bed, 7, 300);
	prefix.address = bed.flow.peer.address;
	assert_true(stack_ban(bed.stack, &prefix, bed.now_us + MINUTE, bed.now_us));
	expect_silence_for_a_syn(&bed, 7, 300);
	bed_pass(&bed, MINUTE);
	client(&bed, 7, 301);
	expect_state(&bed, TCP_ESTABLISHED);
	assert_true(stack_ban(bed.stack, &prefix, UINT64_MAX, bed.now_us));
	bed.outs = bed.expected = 0;
	expect_silence_for_a_syn(&bed, 7, 302);
	assert_int_equal(stack_unban(bed.stack, &prefix, bed.now_us), 1);
	assert_int_equal(stack_unban(bed.stack, &prefix, bed.now_us), 0);
	client(&bed, 7, 303);
	expect_state(&bed, TCP_ESTABLISHED);
	prefix.bits = 33;
	assert_false(stack_ban(bed.stack, &prefix, UINT64_MAX, bed.now_us));
	bed_close(&bed);
}

static void signatures_and_failed_logins_are_offences_too(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_DROP);
	bed.config.ban_after = 3;
	assert_true(stack_configure(bed.stack, &bed.config, bed.now_us));
	client(&bed, 1, 100);
	assert_true(stack_offence(bed.stack, &bed.flow.peer.address, STACK_OFFENCE_SIGNATURE,
	                          bed.now_us));
	assert_int_equal(bed.banned, 0);
	assert_true(
		stack_offence(bed.stack, &bed.flow.peer.address, STACK_OFFENCE_LOGIN, bed.now_us));
	assert_int_equal(bed.banned, 1);
	assert_int_equal(entry_of(&bed, 1)->signatures, 1);
	assert_int_equal(entry_of(&bed, 1)->failures, 1);
	assert_false(stack_offence(bed.stack, &bed.flow.peer.address, STACK_OFFENCES, bed.now_us));
	bed_close(&bed);
}

static void who_is_exempt_is_banned_by_hand_only(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.ban_after = 1;
	config.ban_time_us = MINUTE;
	bed_open(&bed, IP_V4, &config);
	bed.config.ban_exempts = 1;
	bed.config.ban_exempt[0] = (struct ip_prefix){bed.flow.peer.address, 32};
	assert_true(stack_configure(bed.stack, &bed.config, bed.now_us));
	for (int i = 0; i < 10; i++)
		assert_true(stack_offence(bed.stack, &bed.flow.peer.address,
		                          STACK_OFFENCE_SIGNATURE, bed.now_us));
	assert_int_equal(bed.banned, 0);
	assert_true(stack_ban(bed.stack, &bed.config.ban_exempt[0], UINT64_MAX, bed.now_us));
	peer_flags(&bed, SYN);
	expect_nothing(&bed);
	bed_close(&bed);
}

static void bans_and_counts_outlive_a_master(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_RESET);
	use_up(&bed, 1);
	for (uint16_t i = 0; i < 4; i++)
		client(&bed, 1, (uint16_t)(200 + i));
	use_up(&bed, 2);
	bed_take_over(&bed);
	bed_settle(&bed);
	bed.outs = bed.expected = 0;
	expect_silence_for_a_syn(&bed, 1, 300);
	client(&bed, 2, 300);
	assert_true((next_out(&bed)->seg.flags & TCP_RST) != 0);
	bed_close(&bed);
}

/* ---- addresses that somebody has only claimed ---- */

static void a_flood_of_made_up_addresses_leaves_no_entry(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_RESET);
	for (uint32_t i = 0; i < 5000; i++) {
		bed_peer(&bed, (uint8_t)(1 + i % 250), (uint16_t)(1 + i));
		bed.flow.peer.address.bytes[1] = (uint8_t)(i >> 8);
		peer_flags(&bed, SYN);
		bed.seq++;
		bed.ack = bed.iss + 77; /* not what it was told */
		peer_flags(&bed, ACK);
		bed.outs = bed.expected = 0;
	}
	assert_int_equal(bed.stack->sources->free.fresh, 0);
	bed_close(&bed);
}

/* Somebody sends SYNs with the address of one who is at his limits already. */
static void claimed_addresses_are_no_offence_of_their_owners(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_RESET);
	bed.config.max_connections_per_source = RATE;
	assert_true(stack_configure(bed.stack, &bed.config, bed.now_us));
	use_up(&bed, 1);
	for (uint16_t i = 0; i < 500; i++) {
		bed_peer(&bed, 1, (uint16_t)(1000 + i));
		peer_flags(&bed, SYN);
		bed.outs = bed.expected = 0;
	}
	assert_int_equal(bed.banned, 0);
	assert_int_equal(entry_of(&bed, 1)->points, 0);
	assert_int_equal(entry_of(&bed, 1)->refused, 0);
	bed_close(&bed);
}

static void limits_that_all_share_are_nobodys_offence(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_RESET);
	bed.config.connections_per_minute_per_source = 0;
	bed.config.backlog = 1;
	assert_true(stack_configure(bed.stack, &bed.config, bed.now_us));
	client(&bed, 1, 100);
	expect_state(&bed, TCP_ESTABLISHED);
	for (uint16_t i = 0; i < 50; i++)
		client(&bed, 1, (uint16_t)(200 + i));
	assert_int_equal(bed.refused, 50);
	assert_int_equal(bed.banned, 0);
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_over_its_rate_is_reset_by_the_ack_of_its_handshake),
		cmocka_unit_test(a_client_over_its_rate_gets_in_by_waiting_where_nothing_is_said),
		cmocka_unit_test(a_client_over_its_rate_is_told_so_where_there_is_a_message),
		cmocka_unit_test(who_came_by_a_cookie_is_counted_as_well),
		cmocka_unit_test(who_goes_on_over_its_limits_is_banned_and_then_costs_nothing),
		cmocka_unit_test(a_ban_ends_no_connection_that_is_there),
		cmocka_unit_test(a_handshake_that_a_ban_overtakes_is_reset),
		cmocka_unit_test(a_ban_by_hand_lasts_as_long_as_was_said),
		cmocka_unit_test(signatures_and_failed_logins_are_offences_too),
		cmocka_unit_test(who_is_exempt_is_banned_by_hand_only),
		cmocka_unit_test(bans_and_counts_outlive_a_master),
		cmocka_unit_test(a_flood_of_made_up_addresses_leaves_no_entry),
		cmocka_unit_test(claimed_addresses_are_no_offence_of_their_owners),
		cmocka_unit_test(limits_that_all_share_are_nobodys_offence),
	};

	return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
