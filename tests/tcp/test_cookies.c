/*
 * SYN cookies (RFC 4987, section 3.6): a SYN that finds no half-open entry is answered and
 * forgotten, and the third segment of the handshake makes the connection all the same.
 */
#include "tests/tcp/harness.h"

#define PERIOD (64 * S) /* a cookie is good for this long at least and twice as long at most */

/* A bed in which every SYN gets a cookie. */
static void open_always(struct bed *bed, enum ip_version version)
{
	struct stack_config config = bed_config();

	config.syn_cookies = STACK_COOKIES_ALWAYS;
	bed_open(bed, version, &config);
}

static int setup_always(void **state)
{
	*state = malloc(sizeof(struct bed));
	if (*state == NULL)
		return -1;
	open_always(*state, IP_V4);
	return 0;
}

/* The third segment makes a connection. */
static void third(struct bed *bed)
{
	peer_flags(bed, ACK);
	expect_nothing(bed);
	expect_state(bed, TCP_ESTABLISHED);
}

/* ---- when ---- */

static void rfc_4987_when_the_half_open_entries_run_out_a_syn_gets_a_cookie(void **state)
{
	struct bed *bed = *state;

	for (uint8_t i = 1; i <= 4; i++) {
		bed_peer(bed, i, PEER_PORT);
		peer_syn(bed);
		expect_state(bed, TCP_SYN_RECEIVED);
	}
	assert_int_equal(counter(bed, cookies_sent), 0);
	bed_peer(bed, 5, PEER_PORT);
	peer_syn(bed);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(counter(bed, cookies_sent), 1);
	assert_int_equal(counter(bed, half_open_full), 0);
	third(bed);
	assert_int_equal(counter(bed, cookies_accepted), 1);
	assert_int_equal(counter(bed, passive_opens), 5);
	assert_non_null(bed_moved(bed, TCP_LISTEN, TCP_SYN_RECEIVED));
	assert_non_null(bed_moved(bed, TCP_SYN_RECEIVED, TCP_ESTABLISHED));
}

static void rfc_4987_a_cookie_keeps_nothing(void **state)
{
	struct bed *bed = *state;
	size_t entries = (size_t)((uint8_t *)bed->stack->table.conn - (uint8_t *)bed->memory);
	uint8_t *before = malloc(bed->bytes);
	uint64_t next_id = bed->stack->table.header->next_id;

	assert_non_null(before);
	memcpy(before, bed->memory, bed->bytes);
	for (uint16_t i = 0; i < 1000; i++) {
		bed_peer(bed, 0, (uint16_t)(1000 + i));
		peer_syn(bed);
	}
	assert_memory_equal(before + entries, (uint8_t *)bed->memory + entries,
	                    bed->bytes - entries);
	assert_int_equal(bed->stack->table.header->next_id, next_id);
	assert_int_equal(bed->moves, 0);
	assert_int_equal(counter(bed, cookies_sent), 1000);
	assert_true(stack_deadline(bed->stack) == UINT64_MAX); /* and nothing is sent again */
	free(before);
}

/* What strangers can make us keep: a ninth of a connection, and no more than is named here. */
static void rfc_4987_a_half_open_entry_is_small(void **state)
{
	struct stack_config config = bed_config();
	size_t bytes;

	(void)state;
	config.half_open = 1000;
	bytes = stack_table_bytes(&config);
	config.half_open = 101000; /* so many that whole pages make no difference */
	assert_in_range((stack_table_bytes(&config) - bytes) / 100000, 1, 128);
}

static void off_gives_no_cookies_and_takes_none(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.syn_cookies = STACK_COOKIES_ALWAYS;
	bed_open(&bed, IP_V4, &config);
	peer_syn(&bed);
	bed.config.syn_cookies = STACK_COOKIES_OFF;
	bed_take_over(&bed);
	peer_flags(&bed, ACK);
	assert_int_equal(next_out(&bed)->seg.flags, RST);
	assert_int_equal(counter(&bed, cookies_failed), 0);
	peer_syn(&bed);
	expect_state(&bed, TCP_SYN_RECEIVED);
	bed_close(&bed);
}

static void cookies_are_looked_for_only_when_some_are_out(void **state)
{
	struct bed *bed = *state;

	bed->ack = 12345;
	peer_flags(bed, ACK);
	assert_int_equal(next_out(bed)->seg.flags, RST);
	assert_int_equal(counter(bed, cookies_failed), 0);
	peer_syn(bed);
	bed->ack += 100;
	peer_flags(bed, ACK);
	assert_int_equal(next_out(bed)->seg.flags, RST);
	assert_int_equal(counter(bed, cookies_failed), 1);
	bed_pass(bed, 2 * PERIOD + 2 * S);
	peer_flags(bed, ACK);
	assert_int_equal(next_out(bed)->seg.flags, RST);
	assert_int_equal(counter(bed, cookies_failed), 1);
}

/* The new connection must begin beyond the old one's numbers, and a cookie cannot choose. */
static void a_pair_in_time_wait_is_opened_again_with_an_entry(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_TIME_WAIT);
	bed->seq += 1000;
	peer_flags(bed, SYN);
	assert_int_equal(next_out(bed)->seg.flags, SYNACK);
	expect_state(bed, TCP_SYN_RECEIVED);
}

/* ---- what it keeps ---- */

/* The MSS of the connection that comes of a cookie when the peer offers MSS. */
static uint16_t mss_by_cookie(enum ip_version version, uint16_t mss)
{
	struct bed bed;
	uint16_t kept;

	open_always(&bed, version);
	bed.offer.mss = mss;
	peer_syn(&bed);
	third(&bed);
	kept = (uint16_t)bed_conn(&bed)->peer_mss;
	bed_close(&bed);
	return kept;
}

static void rfc_4987_the_mss_is_kept_rounded_down(void **state)
{
	static const uint16_t offers[] = {64,   88,   100,  256,  400,  536,  1000,
	                                  1200, 1220, 1300, 1360, 1380, 1400, 1420,
	                                  1440, 1452, 1460, 4000, 8960, 65535};

	(void)state;
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		uint16_t mss = offers[i];
		uint16_t v4 = mss_by_cookie(IP_V4, mss), v6 = mss_by_cookie(IP_V6, mss);

		assert_in_range(v4, 1, mss);
		assert_in_range(v6, 1, mss);
		if (mss >= 1220 && mss <= 1460) {
			assert_in_range(v4, mss - 125, mss);
			assert_in_range(v6, mss - 125, mss);
		}
	}
	assert_int_equal(mss_by_cookie(IP_V4, 1460), 1460);
	assert_int_equal(mss_by_cookie(IP_V6, 1440), 1440);
	assert_int_equal(mss_by_cookie(IP_V4, 536), 536);
	/* no option: the defaults */
	assert_int_equal(mss_by_cookie(IP_V4, 0), 536);
	assert_int_equal(mss_by_cookie(IP_V6, 0), 1220);
}

static void rfc_4987_window_scale_and_sack_are_kept_in_the_timestamp(void **state)
{
	(void)state;
	for (int scale = -1; scale <= 14; scale++) {
		for (int sack = 0; sack < 2; sack++) {
			const struct conn *c;
			struct bed bed;

			open_always(&bed, scale % 2 ? IP_V6 : IP_V4);
			bed.now_us += (uint64_t)(scale + 1) * 7 * MS;
			bed.offer = (struct offer){
				.mss = 1460, .scale = scale, .timestamps = true, .sack = sack};
			peer_syn(&bed);
			assert_int_equal(bed.out[0].seg.sack_permitted, sack);
			assert_int_equal(bed.out[0].seg.has_window_scale, scale >= 0);
			bed_pass(&bed, 300 * MS);
			third(&bed);
			c = bed_conn(&bed);
			assert_int_equal((c->flags & CONN_SACK) != 0, sack);
			assert_int_equal((c->flags & CONN_SCALING) != 0, scale >= 0);
			assert_int_equal(c->snd_wscale, scale >= 0 ? scale : 0);
			assert_true(c->flags & CONN_TIMESTAMPS);
			assert_int_equal(c->ts_recent, bed.ts_value);
			assert_int_equal(c->snd_wnd, 65535u << c->snd_wscale);
			bed_close(&bed);
		}
	}
}

static void without_timestamps_nothing_is_agreed_on_that_a_cookie_cannot_keep(void **state)
{
	struct bed *bed = *state;
	const struct conn *c;

	bed->offer = (struct offer){.mss = 1400, .scale = 7, .timestamps = false, .sack = true};
	peer_syn(bed);
	assert_false(bed->out[0].seg.sack_permitted);
	assert_false(bed->out[0].seg.has_window_scale);
	assert_false(bed->out[0].seg.has_timestamps);
	assert_true(bed->out[0].seg.has_mss);
	third(bed);
	c = bed_conn(bed);
	assert_int_equal(c->flags & (CONN_SACK | CONN_SCALING | CONN_TIMESTAMPS), 0);
	assert_int_equal(c->peer_mss, 1400);
	assert_int_equal(c->snd_wnd, 65535);
}

static void rfc_7323_the_timestamp_never_runs_ahead_of_those_that_follow(void **state)
{
	struct bed *bed = *state;

	bed->offer.timestamps = true;
	for (uint16_t i = 0; i < 200; i++) {
		uint32_t offset, now, sent;

		bed_peer(bed, 0, (uint16_t)(2000 + i));
		bed->offer.scale = i % 15;
		peer_syn(bed);
		offset = timestamp_offset(bed->stack, &bed->flow);
		now = timestamp_now(offset, bed->now_us);
		sent = bed->out[bed->outs - 1].seg.ts_value;
		assert_true(seq_leq(sent, now));
		assert_true(now - sent < 64);
		bed_pass(bed, 7 * MS);
	}
}

static void the_handshake_gives_no_round_trip_sample(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	bed_pass(bed, 200 * MS);
	third(bed);
	assert_int_equal(bed_conn(bed)->rtt.srtt_us, 0);
}

/* ---- what makes it good ---- */

static void a_cookie_is_good_for_a_minute_and_no_longer_than_two(void **state)
{
	(void)state;
	for (uint64_t start = 0; start < PERIOD; start += 9 * S) {
		struct bed bed;

		open_always(&bed, IP_V4);
		bed.now_us += start;
		peer_syn(&bed);
		bed_pass(&bed, PERIOD - 1);
		third(&bed);
		bed_close(&bed);

		open_always(&bed, IP_V4);
		bed.now_us += start;
		peer_syn(&bed);
		bed_pass(&bed, 2 * PERIOD + 1);
		peer_flags(&bed, ACK);
		assert_int_equal(next_out(&bed)->seg.flags, RST);
		expect_state(&bed, TCP_CLOSED);
		bed_close(&bed);
	}
}

static void any_other_number_is_no_cookie(void **state)
{
	struct bed *bed = *state;
	struct segment good, seg;

	bed->offer.timestamps = true;
	peer_syn(bed);
	good = peer_segment(bed, ACK);
	for (int bit = 0; bit < 32 + 32 + 6; bit++) {
		seg = good;
		if (bit < 32)
			seg.ack ^= 1u << bit;
		else if (bit < 64)
			seg.seq ^= 1u << (bit - 32);
		else
			seg.ts_echo ^= 1u << (bit - 64); /* the options are part of it */
		peer_send(bed, &seg);
		/* the lowest three bits of the sum are the MSS: a neighbour is as good */
		if (bit < 3 && bed_state(bed) == TCP_ESTABLISHED) {
			struct conn_info info;

			assert_true(bed_info(bed, &info));
			stack_abort(bed->stack, info.id, bed->now_us);
			bed_settle(bed);
		}
		bed->expected = bed->outs;
		expect_state(bed, TCP_CLOSED);
	}
	seg = good;
	seg.has_timestamps = false;
	peer_send(bed, &seg);
	expect_state(bed, TCP_CLOSED);
	seg = good;
	seg.flags = SYNACK;
	peer_send(bed, &seg);
	bed->expected = bed->outs;
	expect_state(bed, TCP_CLOSED);
	peer_send(bed, &good);
	expect_state(bed, TCP_ESTABLISHED);
}

static void a_cookie_is_good_for_its_own_pair_of_sockets_only(void **state)
{
	struct bed *bed = *state;
	uint32_t ack;

	peer_syn(bed);
	ack = bed->ack;
	bed_peer(bed, 0, PEER_PORT + 1);
	bed->seq = PEER_ISS + 1;
	bed->ack = ack;
	peer_flags(bed, ACK);
	assert_int_equal(next_out(bed)->seg.flags, RST);
	bed_peer(bed, 7, PEER_PORT);
	bed->seq = PEER_ISS + 1;
	bed->ack = ack;
	peer_flags(bed, ACK);
	assert_int_equal(next_out(bed)->seg.flags, RST);
	assert_int_equal(bed->stack->open_conns, 0);
}

static void a_new_master_takes_the_cookies_of_the_old_one(void **state)
{
	struct bed *bed = *state;

	bed->offer.timestamps = true;
	bed->offer.scale = 9;
	peer_syn(bed);
	bed_take_over(bed);
	third(bed);
	assert_int_equal(bed_conn(bed)->snd_wscale, 9);
	assert_true(bed_conn(bed)->flags & CONN_SACK);
}

static void another_secret_makes_other_cookies(void **state)
{
	struct bed *bed = *state;
	uint32_t first;

	peer_syn(bed);
	first = bed->iss;
	bed->stack->table.header->secrets.cookie[5] ^= 1;
	peer_flags(bed, ACK);
	assert_int_equal(next_out(bed)->seg.flags, RST);
	peer_syn(bed);
	assert_int_not_equal(bed->iss, first);
}

/*
 * A flood of third segments from one address: after what its group may have, they cost
 * neither a check nor an answer.
 */
static void checks_of_cookies_are_limited_for_each_source(void **state)
{
	struct bed *bed = *state;

	peer_syn(bed);
	for (uint32_t i = 1; i <= 1000; i++) {
		struct segment seg = peer_segment(bed, ACK);

		seg.ack += 1000 * i;
		peer_send(bed, &seg);
		bed->outs = bed->expected = 0;
	}
	assert_in_range(counter(bed, cookies_failed), COOKIE_CHECKS_PER_SECOND / 2,
	                COOKIE_CHECKS_PER_SECOND * 3 / 2);
	assert_int_equal(counter(bed, cookies_failed) + counter(bed, cookies_limited), 1000);
	assert_true(counter(bed, out_rsts) <= RESETS_PER_SECOND * 3 / 2);
	bed_pass(bed, S);
	third(bed);
}

/* ---- the third segment ---- */

static void data_and_fin_on_the_third_segment_are_kept(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	peer_syn(bed);
	seg = peer_segment(bed, FINACK);
	seg.data = (const uint8_t *)"hello";
	seg.data_length = 5;
	peer_send(bed, &seg);
	bed->seq += 6;
	expect(bed, ACK, 1, 7, 0);
	expect_state(bed, TCP_CLOSE_WAIT);
	assert_int_equal(bed_conn(bed)->early_bytes, 5);
	assert_memory_equal(table_early(&bed->stack->table, 0), "hello", 5);
}

static void when_the_third_segment_is_lost_data_does_its_work(void **state)
{
	struct bed *bed = *state;

	bed->offer.timestamps = true;
	peer_syn(bed);
	bed_pass(bed, 10 * S); /* the SYN-ACK is not sent again */
	expect_nothing(bed);
	peer_data(bed, 100);
	expect_state(bed, TCP_ESTABLISHED);
	attach(bed, 65536, 65536);
	user_take(bed, 100);
	user_write(bed, 3000);
	assert_true(peer_take(bed) >= 3);
	peer_ack(bed);
	assert_int_equal(bed_conn(bed)->snd_una, bed_conn(bed)->snd_nxt);
}

static void the_syn_again_gets_a_cookie_again_and_either_will_do(void **state)
{
	struct bed *bed = *state;
	uint32_t first;

	peer_syn(bed);
	first = bed->ack;
	bed_pass(bed, PERIOD - S);
	peer_syn(bed);
	assert_int_not_equal(first, bed->ack); /* a minute later */
	bed->ack = first;
	third(bed);
}

/* ---- limits hold ---- */

/* Three clients wait: the accept queue is full. */
static void fill_queue(struct bed *bed)
{
	for (uint8_t i = 1; i <= 3; i++) {
		bed_peer(bed, i, PEER_PORT);
		peer_syn(bed);
		third(bed);
	}
	bed_peer(bed, 4, PEER_PORT);
}

static void open_busy(struct bed *bed, enum stack_busy busy)
{
	struct stack_config config = bed_config();

	config.syn_cookies = STACK_COOKIES_ALWAYS;
	config.busy = busy;
	bed_open(bed, IP_V4, &config);
}

static void with_the_accept_queue_full_busy_drop_keeps_an_entry_that_gets_in_later(void **state)
{
	struct conn_info info;
	struct bed bed;

	(void)state;
	open_busy(&bed, STACK_BUSY_DROP);
	fill_queue(&bed);
	peer_syn(&bed);
	peer_data(&bed, 100);
	expect_nothing(&bed);
	expect_state(&bed, TCP_SYN_RECEIVED);
	assert_int_equal(counter(&bed, queue_full), 1);
	/* its SYN-ACK again, in the same numbers, asks the client for its ACK */
	bed_pass_until_out(&bed, 2 * S);
	expect(&bed, SYNACK, 0, 1, 0);
	assert_int_equal(bed.ack, bed.iss + 1);
	bed.flow.peer.address.bytes[3] = 2;
	assert_true(bed_info(&bed, &info));
	assert_true(stack_abort(bed.stack, info.id, bed.now_us));
	bed_settle(&bed);
	assert_int_equal(next_out(&bed)->seg.flags, RSTACK);
	bed.flow.peer.address.bytes[3] = 4;
	peer_data_at(&bed, 1, 100); /* and what it had said with it is not lost */
	expect_state(&bed, TCP_ESTABLISHED);
	assert_int_equal(bed_conn(&bed)->early_bytes, 100);
	bed_close(&bed);
}

static void with_the_accept_queue_full_busy_reset_resets(void **state)
{
	struct bed bed;

	(void)state;
	open_busy(&bed, STACK_BUSY_RESET);
	fill_queue(&bed);
	peer_syn(&bed);
	peer_flags(&bed, ACK);
	assert_int_equal(next_out(&bed)->seg.flags, RST);
	expect_state(&bed, TCP_CLOSED);
	assert_int_equal(counter(&bed, busy_reset), 1);
	bed_close(&bed);
}

static void with_the_accept_queue_full_busy_message_says_why(void **state)
{
	struct bed bed;

	(void)state;
	open_busy(&bed, STACK_BUSY_MESSAGE);
	fill_queue(&bed);
	peer_syn(&bed);
	peer_flags(&bed, ACK);
	assert_memory_equal(expect(&bed, FINACK, 1, 1, 21)->seg.data, "All lines", 9);
	assert_int_equal(counter(&bed, busy_message), 1);
	bed_close(&bed);
}

static void a_source_gets_no_more_than_its_share_by_cookies(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.syn_cookies = STACK_COOKIES_ALWAYS;
	config.max_connections_per_source = 2;
	config.busy = STACK_BUSY_RESET;
	bed_open(&bed, IP_V4, &config);
	/* cookies for three, before any of them is a connection */
	for (uint16_t i = 0; i < 3; i++) {
		bed_peer(&bed, 1, (uint16_t)(50000 + i));
		peer_syn(&bed);
	}
	for (uint16_t i = 0; i < 3; i++) {
		bed_peer(&bed, 1, (uint16_t)(50000 + i));
		bed.seq = PEER_ISS + 1;
		bed.ack = bed.out[i].seg.seq + 1;
		peer_flags(&bed, ACK);
		expect_state(&bed, i < 2 ? TCP_ESTABLISHED : TCP_CLOSED);
	}
	assert_int_equal(counter(&bed, limit_source), 1);
	bed_close(&bed);
}

static void a_client_over_a_limit_gets_no_cookie(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.syn_cookies = STACK_COOKIES_ALWAYS;
	config.max_connections = 1;
	bed_open(&bed, IP_V4, &config);
	establish(&bed);
	bed_peer(&bed, 2, PEER_PORT);
	peer_flags(&bed, SYN);
	expect_nothing(&bed);
	assert_int_equal(counter(&bed, busy_dropped), 1);
	bed_close(&bed);
}

static void no_cookie_while_no_new_connections_are_taken(void **state)
{
	struct bed *bed = *state;

	stack_accepting(bed->stack, false);
	peer_flags(bed, SYN);
	expect_nothing(bed);
}

/* ---- a flood ---- */

static void flood(struct bed *bed, uint32_t syns)
{
	struct bed before = *bed;

	for (uint32_t i = 0; i < syns; i++) {
		bed_peer(bed, (uint8_t)(1 + i % 250), (uint16_t)(1 + i));
		bed->flow.peer.address.bytes[1] = (uint8_t)(i >> 8);
		peer_flags(bed, SYN);
		bed->outs = bed->expected = 0;
		bed->now_us += 50;
	}
	bed->flow = before.flow;
	bed->seq = before.seq;
	bed->ack = before.ack;
	bed->iss = before.iss;
	bed->timestamps = before.timestamps;
}

static void rfc_4987_during_a_flood_clients_get_in(void **state)
{
	struct bed *bed = *state;

	bed->offer.timestamps = true;
	for (uint16_t i = 0; i < 10; i++) {
		flood(bed, 1000);
		bed_peer(bed, 251, (uint16_t)(50000 + i));
		peer_syn(bed);
		flood(bed, 1000); /* before its answer arrives */
		third(bed);
		peer_flags(bed, RST);
		expect_state(bed, TCP_CLOSED);
	}
	assert_in_range(counter(bed, cookies_sent), 19000, 20010);
	assert_int_equal(counter(bed, cookies_accepted), 10);
}

/* ---- the number ---- */

/* Like any other first sequence number, it says nothing about those of others. */
static void rfc_6528_cookies_are_spread_over_all_numbers(void **state)
{
	struct bed *bed = *state;
	unsigned quarter[4] = {0};
	uint32_t last = 0;

	for (uint16_t i = 0; i < 400; i++) {
		uint32_t step;

		bed_peer(bed, 0, (uint16_t)(3000 + i));
		peer_syn(bed);
		step = bed->iss - last;
		last = bed->iss;
		if (i > 0)
			quarter[step >> 30]++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(quarter[i], 60, 140);
}

#define with_always(test) cmocka_unit_test_setup_teardown(test, setup_always, bed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(rfc_4987_when_the_half_open_entries_run_out_a_syn_gets_a_cookie),
		with_bed_v6(rfc_4987_when_the_half_open_entries_run_out_a_syn_gets_a_cookie),
		with_always(rfc_4987_a_cookie_keeps_nothing),
		cmocka_unit_test(rfc_4987_a_half_open_entry_is_small),
		cmocka_unit_test(off_gives_no_cookies_and_takes_none),
		with_always(cookies_are_looked_for_only_when_some_are_out),
		with_always(a_pair_in_time_wait_is_opened_again_with_an_entry),
		cmocka_unit_test(rfc_4987_the_mss_is_kept_rounded_down),
		cmocka_unit_test(rfc_4987_window_scale_and_sack_are_kept_in_the_timestamp),
		with_always(without_timestamps_nothing_is_agreed_on_that_a_cookie_cannot_keep),
		with_always(rfc_7323_the_timestamp_never_runs_ahead_of_those_that_follow),
		with_always(the_handshake_gives_no_round_trip_sample),
		cmocka_unit_test(a_cookie_is_good_for_a_minute_and_no_longer_than_two),
		with_always(any_other_number_is_no_cookie),
		with_always(a_cookie_is_good_for_its_own_pair_of_sockets_only),
		with_always(a_new_master_takes_the_cookies_of_the_old_one),
		with_always(another_secret_makes_other_cookies),
		with_always(checks_of_cookies_are_limited_for_each_source),
		with_always(data_and_fin_on_the_third_segment_are_kept),
		with_always(when_the_third_segment_is_lost_data_does_its_work),
		with_always(the_syn_again_gets_a_cookie_again_and_either_will_do),
		cmocka_unit_test(
			with_the_accept_queue_full_busy_drop_keeps_an_entry_that_gets_in_later),
		cmocka_unit_test(with_the_accept_queue_full_busy_reset_resets),
		cmocka_unit_test(with_the_accept_queue_full_busy_message_says_why),
		cmocka_unit_test(a_source_gets_no_more_than_its_share_by_cookies),
		cmocka_unit_test(a_client_over_a_limit_gets_no_cookie),
		with_always(no_cookie_while_no_new_connections_are_taken),
		with_bed(rfc_4987_during_a_flood_clients_get_in),
		with_always(rfc_6528_cookies_are_spread_over_all_numbers),
	};

	return cmocka_run_group_tests_name("cookies", tests, NULL, NULL);
}
