/*
 * What is bounded, and the answer when it is full: half-open entries, accept queue,
 * connections in all and by source, with each of the three `busy` answers.
 */
#include "tests/tcp/harness.h"

static void open_bed(struct bed *bed, enum stack_busy busy, uint32_t connections, uint32_t source)
{
	struct stack_config config = bed_config();

	config.busy = busy;
	config.max_connections = connections;
	config.max_connections_per_source = source;
	bed_open(bed, IP_V4, &config);
}

/* Client NUMBER connects and its worker, on a ring of its own, is attached. */
static struct conn_handle serve(struct bed *bed, uint8_t number, struct worker *worker)
{
	struct conn_handle handle;

	bed_peer(bed, number, 50000);
	establish(bed);
	worker_open(worker, 4096, 4096);
	assert_true(stack_accept_next(bed->stack, &handle));
	bed->handle = handle;
	assert_true(stack_attach(bed->stack, handle, BED_WORKER, &worker->ring, bed->now_us));
	bed_settle(bed);
	bed_pass(bed, 40 * MS);
	peer_take(bed);
	return handle;
}

/* ---- half-open entries ---- */

static void without_cookies_a_newer_syn_pushes_out_the_oldest_half_open_entry(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.syn_cookies = STACK_COOKIES_OFF;
	bed_open(&bed, IP_V4, &config);
	for (uint8_t i = 1; i <= 6; i++) {
		bed_peer(&bed, i, PEER_PORT);
		peer_syn(&bed);
	}
	assert_int_equal(counter(&bed, half_open_full), 2);
	for (uint8_t i = 1; i <= 6; i++) {
		bed_peer(&bed, i, PEER_PORT);
		expect_state(&bed, i <= 2 ? TCP_CLOSED : TCP_SYN_RECEIVED);
	}
	bed_close(&bed);
}

static void a_flood_of_syns_leaves_connections_alone(void **state)
{
	struct bed *bed = *state;
	struct flow flow;
	uint32_t seq, ack, iss;

	reach(bed, TCP_ESTABLISHED);
	flow = bed->flow;
	seq = bed->seq;
	ack = bed->ack;
	iss = bed->iss;
	for (uint32_t i = 0; i < 20000; i++) {
		bed_peer(bed, (uint8_t)(1 + i % 250), (uint16_t)(1 + i));
		bed->flow.peer.address.bytes[1] = (uint8_t)(i >> 8);
		peer_flags(bed, SYN);
		bed->outs = bed->expected = 0;
	}
	assert_int_equal(bed->stack->open_half_opens, bed->config.half_open);
	bed->flow = flow;
	bed->seq = seq;
	bed->ack = ack;
	bed->iss = iss;
	peer_data(bed, 10);
	user_take(bed, 10);
	user_write(bed, 10);
	expect(bed, ACK, 1, 11, 10);
}

/* ---- the accept queue ---- */

static void a_full_accept_queue_keeps_clients_waiting_half_open(void **state)
{
	struct bed *bed = *state;
	struct conn_handle first, again;
	struct worker worker;

	for (uint8_t i = 1; i <= 4; i++) {
		bed_peer(bed, i, PEER_PORT);
		peer_syn(bed);
		peer_flags(bed, ACK);
	}
	expect_nothing(bed);
	expect_state(bed, TCP_SYN_RECEIVED); /* the fourth */
	assert_int_equal(counter(bed, queue_full), 1);
	/* the first in is the first out; then there is room */
	assert_true(stack_accept_next(bed->stack, &first));
	assert_true(stack_accept_next(bed->stack, &again));
	assert_int_equal(first.id, again.id);
	worker_open(&worker, 4096, 4096);
	bed->handle = first;
	assert_true(stack_attach(bed->stack, first, BED_WORKER, &worker.ring, bed->now_us));
	bed_settle(bed);
	assert_int_equal(bed->stack->accept_queue.count, 2);
	peer_flags(bed, ACK);
	expect_state(bed, TCP_ESTABLISHED);
	stack_worker_gone(bed->stack, first, bed->now_us);
	bed_settle(bed);
	assert_int_equal(bed->detached, 1);
	worker_close(&worker);
}

static void a_client_that_leaves_the_queue_makes_room(void **state)
{
	struct bed *bed = *state;
	struct stack_usage usage;

	for (uint8_t i = 1; i <= 3; i++) {
		bed_peer(bed, i, PEER_PORT);
		establish(bed);
	}
	bed_peer(bed, 2, PEER_PORT);
	bed->seq = PEER_ISS + 1;
	peer_flags(bed, RST);
	stack_usage(bed->stack, &usage);
	assert_int_equal(usage.queued, 2);
	bed_peer(bed, 4, PEER_PORT);
	establish(bed);
}

static void a_client_may_close_while_it_waits(void **state)
{
	struct bed *bed = *state;

	establish(bed);
	peer_data(bed, 5);
	peer_flags(bed, FINACK);
	expect(bed, ACK, 1, 7, 0);
	expect_state(bed, TCP_CLOSE_WAIT);
	attach(bed, 4096, 4096);
	user_take(bed, 5);
	assert_true(worker_rx_fin(&bed->worker));
	user_write(bed, 100);
	expect(bed, ACK, 1, 7, 100);
}

/* ---- max-connections ---- */

static void busy_drop_says_nothing_and_serves_when_there_is_room(void **state)
{
	struct worker one, two;
	struct conn_handle first;
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_DROP, 2, 0);
	first = serve(&bed, 1, &one);
	serve(&bed, 2, &two);
	bed_peer(&bed, 3, PEER_PORT);
	peer_flags(&bed, SYN);
	expect_nothing(&bed);
	expect_state(&bed, TCP_CLOSED);
	assert_int_equal(counter(&bed, busy_dropped), 1);
	assert_int_equal(counter(&bed, limit_connections), 1);
	bed.handle = first;
	stack_worker_gone(bed.stack, first, bed.now_us);
	bed_settle(&bed);
	peer_take(&bed);
	establish(&bed); /* its SYN again */
	worker_close(&one);
	bed_close(&bed);
	worker_close(&two);
}

/* The only connection is taken: the client that comes now is one too many. */
struct taken {
	struct bed bed;
	struct worker worker;
};

static struct bed *open_taken(struct taken *taken, enum stack_busy busy)
{
	open_bed(&taken->bed, busy, 1, 0);
	serve(&taken->bed, 1, &taken->worker);
	bed_peer(&taken->bed, 2, PEER_PORT);
	return &taken->bed;
}

static void close_taken(struct taken *taken)
{
	bed_close(&taken->bed);
	worker_close(&taken->worker);
}

static void busy_reset_resets(void **state)
{
	struct taken taken;
	struct bed *bed = open_taken(&taken, STACK_BUSY_RESET);

	(void)state;
	peer_flags(bed, SYN);
	assert_int_equal(next_out(bed)->seg.flags, RSTACK);
	assert_int_equal(bed->out[bed->outs - 1].ack, 1);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(counter(bed, busy_reset), 1);
	close_taken(&taken);
}

static void busy_message_says_why_and_closes(void **state)
{
	struct taken taken;
	struct bed *bed = open_taken(&taken, STACK_BUSY_MESSAGE);
	const struct out *out;

	(void)state;
	peer_syn(bed);
	peer_flags(bed, ACK);
	out = expect(bed, FINACK, 1, 1, 21);
	assert_memory_equal(out->seg.data, "All lines are busy.\r\n", 21);
	assert_int_equal(counter(bed, busy_message), 1);
	peer_ack(bed);
	expect_state(bed, TCP_FIN_WAIT_2);
	/* what it says is thrown away */
	peer_data(bed, 1000);
	peer_flags(bed, FINACK);
	expect_state(bed, TCP_TIME_WAIT);
	assert_int_equal(bed->detached, 0);
	close_taken(&taken);
}

static void the_busy_message_is_sent_again_until_it_arrives(void **state)
{
	struct taken taken;
	struct bed *bed = open_taken(&taken, STACK_BUSY_MESSAGE);

	(void)state;
	peer_syn(bed);
	peer_flags(bed, ACK);
	peer_take(bed);
	bed_pass_until_out(bed, 5 * S);
	expect(bed, FINACK, 1, 1, 21);
	bed_take_over(bed);
	bed_pass_until_out(bed, 5 * S);
	assert_memory_equal(expect(bed, FINACK, 1, 1, 21)->seg.data, "All lines", 9);
	close_taken(&taken);
}

static void clients_that_get_the_message_are_bounded_too(void **state)
{
	struct taken taken;
	struct bed *bed = open_taken(&taken, STACK_BUSY_MESSAGE);
	unsigned resets = 0;

	(void)state;
	for (uint8_t i = 0; i < 40; i++) {
		bed_peer(bed, 2, (uint16_t)(60000 + i));
		peer_flags(bed, SYN);
		if (next_out(bed)->seg.flags & RST) {
			resets++;
			continue;
		}
		bed->ack = bed->iss + 1;
		peer_flags(bed, ACK);
		bed->outs = bed->expected = 0;
	}
	assert_int_equal(resets, 24);
	close_taken(&taken);
}

static void handshakes_under_way_do_not_get_around_the_bound(void **state)
{
	struct stack_config config = bed_config();
	struct worker one;
	struct bed bed;

	(void)state;
	config.busy = STACK_BUSY_MESSAGE;
	config.max_connections = 1;
	config.half_open = 100;
	bed_open(&bed, IP_V4, &config);
	serve(&bed, 1, &one);
	for (uint8_t i = 0; i < 40; i++) {
		bed_peer(&bed, 2, (uint16_t)(60000 + i));
		peer_syn(&bed);
	}
	for (uint8_t i = 0; i < 40; i++) {
		bed_peer(&bed, 2, (uint16_t)(60000 + i));
		bed.seq = PEER_ISS + 1;
		for (unsigned j = 0; j < bed.outs; j++)
			if (bed.out[j].seg.dst_port == 60000 + i)
				bed.ack = bed.out[j].seg.seq + 1;
		peer_flags(&bed, ACK);
	}
	assert_int_equal(bed.stack->busy_messages, 16);
	assert_int_equal(counter(&bed, busy_reset), 24);
	bed_close(&bed);
	worker_close(&one);
}

/*
 * Sessions that have ended, and whose peers never acknowledge the last bytes, keep their
 * slots for minutes: they must not keep others out.
 */
static void connections_without_a_session_make_room_for_new_ones(void **state)
{
	struct stack_config config = bed_config();
	struct worker worker[40];
	struct bed bed;
	uint16_t clients = 0;

	(void)state;
	config.max_connections = 2;
	config.backlog = 2;
	bed_open(&bed, IP_V4, &config);
	/* 2 * 2 + 2 + 16 slots */
	for (; clients < 40; clients++) {
		struct conn_handle handle;

		bed_peer(&bed, (uint8_t)(clients + 1), 50000);
		peer_syn(&bed);
		peer_flags(&bed, ACK);
		expect_state(&bed, TCP_ESTABLISHED);
		worker_open(&worker[clients], 4096, 4096);
		assert_true(stack_accept_next(bed.stack, &handle));
		bed.handle = handle;
		assert_true(stack_attach(bed.stack, handle, BED_WORKER, &worker[clients].ring,
		                         bed.now_us));
		worker_write(&worker[clients], "bye", 3);
		worker_fin(&worker[clients]);
		stack_worker_gone(bed.stack, handle, bed.now_us);
		bed_settle(&bed);
		bed_pass(&bed, 10 * MS);
		bed.outs = bed.expected = 0;
		bed.handle.id = BED_ANY;
	}
	assert_int_equal(bed.stack->open_conns, 22);
	assert_int_equal(counter(&bed, orphans_ended), 40 - 22);
	/* the oldest had to go */
	for (uint16_t i = 0; i < clients; i++) {
		bed_peer(&bed, (uint8_t)(i + 1), 50000);
		expect_state(&bed, i < 40 - 22 ? TCP_CLOSED : TCP_FIN_WAIT_1);
	}
	bed_close(&bed);
	for (uint16_t i = 0; i < clients; i++)
		worker_close(&worker[i]);
}

static void those_who_wait_count_as_connections(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_DROP, 2, 0);
	bed_peer(&bed, 1, PEER_PORT);
	establish(&bed);
	bed_peer(&bed, 2, PEER_PORT);
	establish(&bed);
	bed_peer(&bed, 3, PEER_PORT);
	peer_flags(&bed, SYN);
	expect_nothing(&bed);
	bed_close(&bed);
}

static void the_limit_is_looked_at_again_when_the_handshake_ends(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_RESET, 1, 0);
	bed_peer(&bed, 1, PEER_PORT);
	peer_syn(&bed);
	bed_peer(&bed, 2, PEER_PORT);
	establish(&bed);
	bed_peer(&bed, 1, PEER_PORT);
	bed.seq = PEER_ISS + 1;
	bed.iss = bed.out[0].seg.seq;
	bed.ack = bed.iss + 1;
	peer_flags(&bed, ACK);
	assert_int_equal(next_out(&bed)->seg.flags, RST);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

static void one_source_gets_no_more_than_its_share(void **state)
{
	struct bed bed;

	(void)state;
	open_bed(&bed, STACK_BUSY_DROP, 4, 2);
	for (uint16_t i = 0; i < 2; i++) {
		bed_peer(&bed, 1, (uint16_t)(50000 + i));
		establish(&bed);
	}
	bed_peer(&bed, 1, 50002);
	peer_flags(&bed, SYN);
	expect_nothing(&bed);
	assert_int_equal(counter(&bed, limit_source), 1);
	bed_peer(&bed, 2, 50002);
	establish(&bed); /* another's share is its own */
	/* one of the first leaves */
	bed_peer(&bed, 1, 50000);
	bed.seq = PEER_ISS + 1;
	peer_flags(&bed, RST);
	bed_peer(&bed, 1, 50003);
	establish(&bed);
	bed_close(&bed);
}

static void a_whole_ipv6_network_is_one_source(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.max_connections_per_source = 1;
	bed_open(&bed, IP_V6, &config);
	bed_peer(&bed, 1, 50000);
	establish(&bed);
	bed_peer(&bed, 1, 50001);
	bed.flow.peer.address.bytes[15] = 77; /* another address of the same /64 */
	peer_flags(&bed, SYN);
	expect_nothing(&bed);
	bed_close(&bed);
}

static void a_call_is_refused_over_the_limit(void **state)
{
	struct taken taken;
	struct bed *bed = open_taken(&taken, STACK_BUSY_DROP);
	const char *error;

	(void)state;
	assert_int_equal(stack_call(bed->stack, &bed->flow.local, &bed->flow.peer, 0, 0, false,
	                            bed->now_us, &error),
	                 0);
	assert_string_equal(error, "max-connections");
	close_taken(&taken);
}

/* ---- handles and listeners ---- */

static void stale_handles_are_refused(void **state)
{
	struct bed *bed = *state;
	struct conn_handle stale, made_up = {UINT32_MAX, 1};

	reach(bed, TCP_ESTABLISHED);
	stale = bed->handle;
	peer_flags(bed, RST);
	assert_false(stack_attach(bed->stack, stale, BED_WORKER, &bed->worker.ring, bed->now_us));
	stack_ring_changed(bed->stack, stale, bed->now_us);
	stack_worker_gone(bed->stack, stale, bed->now_us);
	stack_ring_changed(bed->stack, made_up, bed->now_us);
	assert_false(stack_attach(bed->stack, made_up, 1, &bed->worker.ring, bed->now_us));
	made_up = (struct conn_handle){0, 0};
	assert_false(stack_attach(bed->stack, made_up, 1, &bed->worker.ring, bed->now_us));
	bed_settle(bed);
	expect_nothing(bed);
	/* the slot is another's now */
	establish(bed);
	assert_false(stack_attach(bed->stack, stale, BED_WORKER, &bed->worker.ring, bed->now_us));
	stack_ring_changed(bed->stack, stale, bed->now_us);
	stack_worker_gone(bed->stack, stale, bed->now_us);
	bed_settle(bed);
	expect_state(bed, TCP_ESTABLISHED);
}

static void a_connection_has_one_worker(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	assert_false(stack_attach(bed->stack, bed->handle, BED_WORKER + 1, &bed->worker.ring,
	                          bed->now_us));
	/* the same again is harmless */
	assert_true(
		stack_attach(bed->stack, bed->handle, BED_WORKER, &bed->worker.ring, bed->now_us));
	bed_settle(bed);
	user_write(bed, 10);
	expect(bed, ACK, 1, 1, 10);
}

static void listeners_are_told_apart_by_address_and_bounded(void **state)
{
	struct bed *bed = *state;
	struct endpoint local = bed->flow.local;

	local.port = 2323;
	assert_true(stack_listen(bed->stack, &local));
	assert_false(stack_listen(bed->stack, &local));
	bed->flow.local.port = 2323;
	establish(bed);
	bed->flow.local.address.bytes[3]++;
	peer_flags(bed, SYN);
	expect_nothing(bed);
	for (uint16_t port = 3000; port < 3000 + STACK_LISTEN_MAX - 2; port++) {
		local.port = port;
		assert_true(stack_listen(bed->stack, &local));
	}
	local.port = 9999;
	assert_false(stack_listen(bed->stack, &local));
}

/* ---- what a worker's page may say ---- */

static void break_page(const char *what, void (*damage)(struct ring_worker_page *page))
{
	struct stack_config config = bed_config();
	struct bed bed;

	bed_open(&bed, IP_V4, &config);
	reach(&bed, TCP_ESTABLISHED);
	user_write(&bed, 1000);
	peer_ack(&bed);
	peer_data(&bed, 1000);
	user_take(&bed, 1000);
	peer_take(&bed);
	damage(bed.worker.ring.worker);
	user_ring(&bed);
	if (bed_state(&bed) != TCP_CLOSED)
		fail_msg("not noticed: %s", what);
	assert_int_equal(bed.out[bed.outs - 1].seg.flags, RSTACK);
	assert_int_equal(worker_reset_reason(&bed.worker), RING_RESET_ERROR);
	assert_int_equal(counter(&bed, ring_errors), 1);
	bed_close(&bed);
}

static void head_back(struct ring_worker_page *page)
{
	atomic_store(&page->tx_head, 999);
}

static void head_too_far(struct ring_worker_page *page)
{
	atomic_store(&page->tx_head, 1000 + 65536 + 1);
}

static void head_absurd(struct ring_worker_page *page)
{
	atomic_store(&page->tx_head, UINT64_MAX);
}

static void tail_back(struct ring_worker_page *page)
{
	atomic_store(&page->rx_tail, 999);
}

static void tail_too_far(struct ring_worker_page *page)
{
	atomic_store(&page->rx_tail, 1001);
}

static void impossible_values_in_the_workers_page_end_its_connection(void **state)
{
	(void)state;
	break_page("tx_head behind", head_back);
	break_page("tx_head beyond the ring", head_too_far);
	break_page("tx_head absurd", head_absurd);
	break_page("rx_tail behind", tail_back);
	break_page("rx_tail beyond what came", tail_too_far);
}

static void the_masters_page_is_never_believed(void **state)
{
	struct bed *bed = *state;
	struct ring_master_page *page;

	reach(bed, TCP_ESTABLISHED);
	page = bed->worker.ring.master;
	memset(page, 0xff, sizeof(*page));
	peer_data(bed, 100);
	peer_data(bed, 100);
	peer_take(bed);
	assert_int_equal(bed_conn(bed)->rx_head, 200);
	assert_int_equal(atomic_load(&page->rx_head), 200);
	expect_state(bed, TCP_ESTABLISHED);
}

static void doorbells_ring_for_sleepers_only(void **state)
{
	struct bed *bed = *state;
	unsigned before;

	reach(bed, TCP_ESTABLISHED);
	before = bed->doorbells;
	peer_data(bed, 10);
	assert_int_equal(bed->doorbells, before);
	worker_sleep(&bed->worker, true);
	peer_data(bed, 10);
	assert_int_equal(bed->doorbells, before + 1);
	peer_flags(bed, ACK); /* no news */
	assert_int_equal(bed->doorbells, before + 1);
	peer_flags(bed, FINACK);
	assert_int_equal(bed->doorbells, before + 2);
}

static void who_waits_for_room_is_woken_when_there_is_some(void **state)
{
	struct bed *bed = *state;
	_Atomic uint32_t *asleep;
	unsigned before;

	establish_with_worker(bed, 16384, 16384);
	user_write(bed, 16384);
	peer_take(bed);
	before = bed->doorbells;
	asleep = &bed->worker.ring.worker->asleep;
	atomic_store(asleep, RING_ASLEEP);
	peer_sack(bed, 1461, 0u); /* who does not wait for room is left alone */
	assert_int_equal(bed->doorbells, before);
	atomic_store(asleep, RING_ASLEEP | RING_ASLEEP_ROOM);
	peer_sack(bed, 2921, 0u); /* less than a quarter of the buffer */
	assert_int_equal(bed->doorbells, before);
	peer_sack(bed, 4381, 0u);
	assert_int_equal(bed->doorbells, before + 1);
}

static void who_waits_to_write_is_woken_when_most_of_it_is_sent(void **state)
{
	struct bed *bed = *state;
	const struct conn *c;
	struct ring_master_page *page;
	unsigned before;
	uint64_t sent;

	establish_with_worker(bed, 16384, 1 << 20);
	page = bed->worker.ring.master;
	assert_int_equal(atomic_load(&page->tx_limit), RING_UNSENT_MIN);
	user_write(bed, 60000);
	peer_take(bed);
	c = bed_conn(bed);
	atomic_store(&bed->worker.ring.worker->asleep, RING_ASLEEP | RING_ASLEEP_ROOM);
	before = bed->doorbells;
	do {
		sent = worker_tx_sent(&bed->worker);
		assert_true(sent < 60000);
		assert_int_equal(atomic_load(&page->tx_limit), sent + RING_UNSENT_MIN);
		assert_int_equal(bed->doorbells, before);
		peer_sack(bed, (c->snd_una - c->iss) + 2920, 0u);
		peer_take(bed);
	} while (worker_tx_sent(&bed->worker) < 60000 - RING_UNSENT_MIN / 2);
	assert_int_equal(bed->doorbells, before + 1);
}

static void more_may_be_written_ahead_where_more_is_in_flight(void **state)
{
	struct bed *bed = *state;
	struct ring_master_page *page;

	establish_with_worker(bed, 16384, 1 << 20);
	page = bed->worker.ring.master;
	bed_conn(bed)->congestion.cwnd = 400000;
	user_write(bed, 1000);
	assert_int_equal(atomic_load(&page->tx_limit), 1000 + 400000 / RING_UNSENT_CWND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_cookies_a_newer_syn_pushes_out_the_oldest_half_open_entry),
		with_bed(a_flood_of_syns_leaves_connections_alone),
		with_bed(a_full_accept_queue_keeps_clients_waiting_half_open),
		with_bed(a_client_that_leaves_the_queue_makes_room),
		with_bed(a_client_may_close_while_it_waits),
		cmocka_unit_test(busy_drop_says_nothing_and_serves_when_there_is_room),
		cmocka_unit_test(busy_reset_resets),
		cmocka_unit_test(busy_message_says_why_and_closes),
		cmocka_unit_test(the_busy_message_is_sent_again_until_it_arrives),
		cmocka_unit_test(clients_that_get_the_message_are_bounded_too),
		cmocka_unit_test(handshakes_under_way_do_not_get_around_the_bound),
		cmocka_unit_test(connections_without_a_session_make_room_for_new_ones),
		cmocka_unit_test(those_who_wait_count_as_connections),
		cmocka_unit_test(the_limit_is_looked_at_again_when_the_handshake_ends),
		cmocka_unit_test(one_source_gets_no_more_than_its_share),
		cmocka_unit_test(a_whole_ipv6_network_is_one_source),
		cmocka_unit_test(a_call_is_refused_over_the_limit),
		with_bed(stale_handles_are_refused),
		with_bed(a_connection_has_one_worker),
		with_bed(listeners_are_told_apart_by_address_and_bounded),
		cmocka_unit_test(impossible_values_in_the_workers_page_end_its_connection),
		with_bed(the_masters_page_is_never_believed),
		with_bed(doorbells_ring_for_sleepers_only),
		with_bed(who_waits_for_room_is_woken_when_there_is_some),
		with_bed(who_waits_to_write_is_woken_when_most_of_it_is_sent),
		with_bed(more_may_be_written_ahead_where_more_is_in_flight),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
