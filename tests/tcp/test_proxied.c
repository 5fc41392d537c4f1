/*
 * Connections that come by way of a proxy (stack/proxied.c): they wait for their header, and
 * then are their client's. Reading headers is the daemon's; here they are HEADER bytes.
 */
#include "tests/tcp/harness.h"

#define HEADER 30u
#define MINUTE (60 * S)

static const struct endpoint client = {{{203, 0, 113, 9}, IP_V4, {0}}, 5555, 0};

static void listen_proxied(struct bed *bed)
{
	const struct endpoint any = {{.version = IP_V4}, LOCAL_PORT, 0};

	stack_listen_proxied(bed->stack, &any, true);
}

static void open_bed(struct bed *bed, const struct stack_config *given)
{
	struct stack_config config = given != NULL ? *given : bed_config();

	bed_open(bed, IP_V4, &config);
	config.proxy_froms = 1;
	config.proxy_from[0] = (struct ip_prefix){bed->flow.peer.address, 24};
	assert_true(prefix_fold(&config.proxy_from[0]));
	bed->config = config;
	assert_true(stack_configure(bed->stack, &config, bed->now_us));
	listen_proxied(bed);
}

/* The connection from which something has come; its early data to *BYTES. */
static bool next_header(struct bed *bed, struct conn_handle *handle, size_t *length, bool *ended)
{
	const uint8_t *bytes;

	return stack_header_next(bed->stack, handle, &bytes, length, ended);
}

/* HEADER bytes and MORE behind them have come and the header is read as CLIENT's. */
static bool header_comes(struct bed *bed, uint32_t more, const struct endpoint *whose)
{
	struct conn_handle handle;
	size_t length;
	bool ended, done;

	peer_data(bed, HEADER + more);
	assert_true(next_header(bed, &handle, &length, &ended));
	assert_int_equal(length, HEADER + more);
	done = stack_header_done(bed->stack, handle, HEADER, whose, bed->now_us);
	bed_settle(bed);
	return done;
}

/* The connection gets its worker, which finds LENGTH bytes: those of the peer's stream behind the header. */
static void attach_and_take(struct bed *bed, uint32_t length)
{
	uint8_t got[4096], want[4096];
	struct conn_handle handle;

	worker_open(&bed->worker, 8192, 8192);
	assert_true(stack_accept_next(bed->stack, &handle));
	bed->handle = handle;
	assert_true(stack_attach(bed->stack, handle, BED_WORKER, &bed->worker.ring, bed->now_us));
	bed->attached = true;
	bed_settle(bed);
	assert_int_equal(worker_take(&bed->worker, got, sizeof(got)), length);
	for (uint32_t i = 0; i < length; i++)
		want[i] = peer_byte(HEADER + i);
	assert_memory_equal(got, want, length);
}

static void other_peers_are_reset_by_their_syn(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, NULL);
	bed.flow.peer.address.bytes[0] ^= 1;
	peer_flags(&bed, SYN);
	assert_true((next_out(&bed)->seg.flags & TCP_RST) != 0);
	expect_state(&bed, TCP_CLOSED);
	assert_int_equal(bed.refused, 1);
	assert_int_equal(counter(&bed, proxy_strangers), 1);
	bed_close(&bed);
}

static void no_worker_is_taken_before_the_header_is_there(void **state)
{
	struct conn_handle handle;
	struct stack_usage usage;
	struct bed bed;
	size_t length;
	bool ended;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	assert_false(stack_accept_next(bed.stack, &handle));
	stack_usage(bed.stack, &usage);
	assert_int_equal(usage.connections, 1);
	peer_data(&bed, 10);
	assert_true(next_header(&bed, &handle, &length, &ended));
	assert_int_equal(length, 10);
	assert_false(next_header(&bed, &handle, &length, &ended)); /* until more comes */
	assert_false(stack_accept_next(bed.stack, &handle));
	peer_data(&bed, HEADER - 10);
	assert_true(next_header(&bed, &handle, &length, &ended));
	assert_int_equal(length, HEADER);
	assert_false(stack_header_done(bed.stack, handle, HEADER + 1, &client, bed.now_us));
	assert_true(stack_header_done(bed.stack, handle, HEADER, &client, bed.now_us));
	assert_false(stack_header_done(bed.stack, handle, HEADER, &client, bed.now_us));
	bed_settle(&bed);
	assert_true(stack_accept_next(bed.stack, &handle));
	bed_close(&bed);
}

static void what_is_behind_the_header_begins_the_stream(void **state)
{
	struct bed bed;
	const struct flow *flow;
	struct conn_info info;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	assert_true(header_comes(&bed, 50, &client));
	peer_data(&bed, 20); /* before there is a worker */
	attach_and_take(&bed, 70);
	info = info_of(&bed);
	assert_memory_equal(&info.flow.peer, &client, sizeof(client));
	assert_memory_equal(&info.proxy, &bed.flow.peer, sizeof(client));
	flow = stack_flow(bed.stack, bed.handle);
	assert_memory_equal(&flow->peer, &client, sizeof(client));
	assert_int_equal(source_count(bed.stack->sources, &client.address), 1);
	assert_int_equal(source_count(bed.stack->sources, &bed.flow.peer.address), 0);
	worker_close(&bed.worker);
	bed.attached = false;
	bed_close(&bed);
}

/* The early buffer is filled to its last byte, and no byte beyond what was offered is taken. */
static void a_header_takes_its_room_of_the_early_window(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	assert_true(header_comes(&bed, 0, &client));
	for (uint32_t left = CONN_EARLY_BYTES - HEADER; left > 0;) {
		uint32_t piece = left < 500 ? left : 500;

		peer_data(&bed, piece);
		left -= piece;
	}
	bed_pass(&bed, 100 * MS);
	assert_int_equal(info_of(&bed).rcv_wnd, 0);
	attach_and_take(&bed, CONN_EARLY_BYTES - HEADER);
	worker_close(&bed.worker);
	bed.attached = false;
	bed_close(&bed);
}

static void who_sends_no_header_is_reset_in_time(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	peer_data(&bed, 10);
	bed_pass(&bed, 4 * S);
	bed.outs = bed.expected = 0;
	expect_state(&bed, TCP_ESTABLISHED);
	bed_pass(&bed, 2 * S);
	assert_true((next_out(&bed)->seg.flags & TCP_RST) != 0);
	expect_state(&bed, TCP_CLOSED);
	assert_int_equal(bed.refused, 1);
	assert_int_equal(bed.stack->headers_awaited, 0);
	bed_close(&bed);
}

static void a_bad_header_is_answered_with_a_reset(void **state)
{
	struct conn_handle handle;
	struct bed bed;
	size_t length;
	bool ended;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	peer_data(&bed, 10);
	assert_true(next_header(&bed, &handle, &length, &ended));
	stack_header_bad(bed.stack, handle, "bad", bed.now_us);
	bed_settle(&bed);
	assert_true((next_out(&bed)->seg.flags & TCP_RST) != 0);
	assert_int_equal(bed.refused, 1);
	assert_int_equal(counter(&bed, headers_refused), 1);
	stack_header_bad(bed.stack, handle, "bad", bed.now_us); /* stale */
	bed_close(&bed);
}

static void a_peer_that_leaves_while_it_is_waited_for_is_forgotten(void **state)
{
	struct conn_handle handle;
	struct bed bed;
	size_t length;
	bool ended;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	peer_data(&bed, 10);
	peer_flags(&bed, RSTACK);
	expect_state(&bed, TCP_CLOSED);
	assert_false(next_header(&bed, &handle, &length, &ended));
	assert_int_equal(bed.stack->headers_awaited, 0);
	bed_close(&bed);
}

/* Health checks: a connection, perhaps a header, and the end. */
static void a_proxy_that_only_looks_costs_no_worker(void **state)
{
	struct conn_handle handle;
	struct bed bed;
	size_t length;
	bool ended;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	peer_data(&bed, HEADER);
	peer_flags(&bed, FINACK);
	assert_true(next_header(&bed, &handle, &length, &ended));
	assert_true(ended);
	assert_true(stack_header_done(bed.stack, handle, HEADER, NULL, bed.now_us));
	bed_settle(&bed);
	assert_false(stack_accept_next(bed.stack, &handle));
	expect_state(&bed, TCP_LAST_ACK);
	bed_close(&bed);
}

static void a_proxy_that_speaks_for_itself_is_served_beyond_limits_of_sources(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.max_connections_per_source = 1;
	config.connections_per_minute_per_source = 1;
	config.busy = STACK_BUSY_RESET;
	open_bed(&bed, &config);
	for (uint16_t i = 0; i < 3; i++) {
		struct conn_handle handle;
		struct conn_info info;

		bed_peer(&bed, 0, (uint16_t)(100 + i));
		establish(&bed);
		assert_true(header_comes(&bed, 0, NULL));
		info = info_of(&bed);
		assert_true(info.waiting);
		assert_memory_equal(&info.flow.peer, &bed.flow.peer, sizeof(client));
		assert_int_equal(info.proxy.address.version, IP_NONE);
		assert_true(stack_accept_next(bed.stack, &handle));
		bed_pass(&bed, 100 * MS);
		bed.outs = bed.expected = 0;
	}
	bed_close(&bed);
}

static void a_client_that_has_closed_its_side_is_still_served(void **state)
{
	struct bed bed;
	struct conn_handle handle;
	size_t length;
	bool ended;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	peer_data(&bed, HEADER + 5);
	peer_flags(&bed, FINACK);
	assert_true(next_header(&bed, &handle, &length, &ended));
	assert_true(stack_header_done(bed.stack, handle, HEADER, &client, bed.now_us));
	bed_settle(&bed);
	attach_and_take(&bed, 5);
	assert_true(worker_rx_fin(&bed.worker));
	worker_close(&bed.worker);
	bed.attached = false;
	bed_close(&bed);
}

/* ---- limits are the client's ---- */

static void limits_and_bans_are_the_clients(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;
	struct ip_prefix prefix = {client.address, 32};
	struct endpoint other = client;

	(void)state;
	config.max_connections_per_source = 1;
	config.ban_after = 2;
	config.ban_time_us = MINUTE;
	config.max_connections = 20;
	other.address.bytes[3] = 10;
	open_bed(&bed, &config);
	establish(&bed);
	assert_true(header_comes(&bed, 0, &client));
	for (uint16_t i = 0; i < 2; i++) {
		bed.outs = bed.expected = 0;
		bed_peer(&bed, 0, (uint16_t)(100 + i));
		establish(&bed);
		assert_true(header_comes(&bed, 0, &client));
		expect_state(&bed, TCP_CLOSED); /* even where nothing is said to others */
	}
	assert_int_equal(bed.banned, 1);
	assert_true(source_banned(bed.stack->sources, &client.address, bed.now_us));
	assert_false(source_banned(bed.stack->sources, &bed.flow.peer.address, bed.now_us));
	bed.outs = bed.expected = 0;
	bed_peer(&bed, 0, 200);
	establish(&bed);
	assert_true(header_comes(&bed, 0, &other));
	expect_state(&bed, TCP_ESTABLISHED);
	/* a ban of the proxy itself bans none of its clients */
	assert_true(stack_unban(bed.stack, &prefix, bed.now_us) == 1);
	prefix.address = bed.flow.peer.address;
	assert_true(stack_ban(bed.stack, &prefix, UINT64_MAX, bed.now_us));
	bed.outs = bed.expected = 0;
	bed_peer(&bed, 0, 201);
	establish(&bed);
	bed_close(&bed);
}

static void a_client_over_a_limit_gets_the_message(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.max_connections_per_source = 1;
	config.busy = STACK_BUSY_MESSAGE;
	memcpy(config.busy_message, "Full.", 6);
	open_bed(&bed, &config);
	establish(&bed);
	assert_true(header_comes(&bed, 0, &client));
	bed.outs = bed.expected = 0;
	bed_peer(&bed, 0, 100);
	establish(&bed);
	assert_true(header_comes(&bed, 7, &client));
	expect(&bed, FINACK, 1, 1 + HEADER + 7, 5);
	assert_int_equal(bed.refused, 1);
	bed_take_over(&bed);
	listen_proxied(&bed);
	bed_settle(&bed);
	expect_state(&bed, TCP_FIN_WAIT_1);
	bed_close(&bed);
}

/* ---- another master, another worker ---- */

static void a_header_is_read_on_by_another_master(void **state)
{
	struct conn_handle handle;
	struct bed bed;
	size_t length;
	bool ended;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	peer_data(&bed, 12);
	bed_take_over(&bed);
	listen_proxied(&bed);
	bed_settle(&bed);
	assert_int_equal(counter(&bed, entries_dropped), 0);
	assert_true(next_header(&bed, &handle, &length, &ended)); /* without more of it, too */
	assert_int_equal(length, 12);
	peer_data(&bed, HEADER - 12 + 9);
	assert_true(next_header(&bed, &handle, &length, &ended));
	assert_true(stack_header_done(bed.stack, handle, HEADER, &client, bed.now_us));
	bed_settle(&bed);
	bed_take_over(&bed);
	listen_proxied(&bed);
	bed_settle(&bed);
	assert_int_equal(counter(&bed, entries_dropped), 0);
	assert_int_equal(source_count(bed.stack->sources, &client.address), 1);
	peer_data(&bed, 3);
	attach_and_take(&bed, 12);
	worker_close(&bed.worker);
	bed.attached = false;
	bed_close(&bed);
}

static void what_a_worker_did_not_take_waits_for_another_one(void **state)
{
	struct conn_handle handle;
	struct worker first;
	struct bed bed;

	(void)state;
	open_bed(&bed, NULL);
	establish(&bed);
	assert_true(header_comes(&bed, 40, &client));
	worker_open(&first, 8192, 8192);
	atomic_store(&first.ring.worker->conn_id, 0); /* it never takes it up */
	assert_true(stack_accept_next(bed.stack, &handle));
	bed.handle = handle;
	assert_true(stack_attach(bed.stack, handle, BED_WORKER, &first.ring, bed.now_us));
	bed_settle(&bed);
	peer_data(&bed, 5);
	stack_worker_gone(bed.stack, handle, bed.now_us);
	bed_settle(&bed);
	worker_close(&first);
	attach_and_take(&bed, 45);
	worker_close(&bed.worker);
	bed.attached = false;
	bed_close(&bed);
}

static void a_listener_that_is_proxied_no_more_takes_anybody(void **state)
{
	struct bed bed;
	struct conn_handle handle;
	const struct endpoint any = {{.version = IP_V4}, LOCAL_PORT, 0};

	(void)state;
	open_bed(&bed, NULL);
	stack_listen_proxied(bed.stack, &any, false);
	bed.flow.peer.address.bytes[0] ^= 1;
	establish(&bed);
	assert_true(stack_accept_next(bed.stack, &handle));
	bed_close(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_peers_are_reset_by_their_syn),
		cmocka_unit_test(no_worker_is_taken_before_the_header_is_there),
		cmocka_unit_test(what_is_behind_the_header_begins_the_stream),
		cmocka_unit_test(a_header_takes_its_room_of_the_early_window),
		cmocka_unit_test(who_sends_no_header_is_reset_in_time),
		cmocka_unit_test(a_bad_header_is_answered_with_a_reset),
		cmocka_unit_test(a_peer_that_leaves_while_it_is_waited_for_is_forgotten),
		cmocka_unit_test(a_proxy_that_only_looks_costs_no_worker),
		cmocka_unit_test(a_proxy_that_speaks_for_itself_is_served_beyond_limits_of_sources),
		cmocka_unit_test(a_client_that_has_closed_its_side_is_still_served),
		cmocka_unit_test(limits_and_bans_are_the_clients),
		cmocka_unit_test(a_client_over_a_limit_gets_the_message),
		cmocka_unit_test(a_header_is_read_on_by_another_master),
		cmocka_unit_test(what_a_worker_did_not_take_waits_for_another_one),
		cmocka_unit_test(a_listener_that_is_proxied_no_more_takes_anybody),
	};

	return cmocka_run_group_tests_name("proxied", tests, NULL, NULL);
}
