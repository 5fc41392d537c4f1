/*
 * The connection table: undo, commit-before-you-speak, and engines that take up what
 * another one left (stack/table.h).
 */
#include "tests/tcp/harness.h"

/* ---- the undo record alone ---- */

struct scratch {
	struct table table;
	struct table_shape shape;
	uint8_t *memory;
	uint8_t *copy;
	size_t bytes;
};

static void scratch_open(struct scratch *x)
{
	static const struct stack_secrets secrets = {{9}, {8}, {7}, {6}};

	x->shape = (struct table_shape){.conns = 3, .half_opens = 3, .time_waits = 3};
	x->bytes = table_bytes(&x->shape);
	x->memory = aligned_alloc(4096, x->bytes);
	x->copy = malloc(x->bytes);
	assert_true(x->memory != NULL && x->copy != NULL);
	memset(x->memory, 0, x->bytes);
	table_create(&x->table, x->memory, &x->shape, &secrets);
	memset(x->table.conn, 0x11, 3 * sizeof(struct conn));
	memset(x->table.half_open, 0x22, 3 * sizeof(struct half_open));
	memset(x->table.time_wait, 0x33, 3 * sizeof(struct time_wait));
}

static void scratch_close(struct scratch *x)
{
	free(x->memory);
	free(x->copy);
}

/* Beside the undo record itself, the table is as it was when it was copied. */
static void expect_as_before(struct scratch *x)
{
	size_t at = offsetof(struct table_header, undo);

	memcpy(x->copy + at, x->memory + at, sizeof(struct table_undo));
	assert_memory_equal(x->copy, x->memory, x->bytes);
}

static void a_half_done_event_is_undone(void **state)
{
	struct scratch x;
	struct table again;

	(void)state;
	scratch_open(&x);
	memcpy(x.copy, x.memory, x.bytes);
	table_begin(&x.table);
	table_touch(&x.table, &x.table.conn[1], sizeof(struct conn));
	memset(&x.table.conn[1], 0xee, sizeof(struct conn));
	table_touch(&x.table, &x.table.header->next_id, sizeof(uint64_t));
	x.table.header->next_id = 77;
	table_touch(&x.table, &x.table.time_wait[2], sizeof(struct time_wait));
	memset(&x.table.time_wait[2], 0xdd, 100);
	assert_int_equal(x.table.header->busy, 1);
	assert_true(table_recover(&again, x.memory, x.bytes, &x.shape));
	assert_int_equal(x.table.header->busy, 0);
	expect_as_before(&x);
	scratch_close(&x);
}

static void touching_twice_keeps_what_was_first(void **state)
{
	struct scratch x;
	struct table again;

	(void)state;
	scratch_open(&x);
	memcpy(x.copy, x.memory, x.bytes);
	table_begin(&x.table);
	for (uint8_t i = 0; i < 20; i++) {
		table_touch(&x.table, &x.table.conn[0], sizeof(struct conn));
		memset(&x.table.conn[0], i, sizeof(struct conn));
	}
	assert_int_equal(x.table.header->undo.count, 1);
	assert_true(table_recover(&again, x.memory, x.bytes, &x.shape));
	expect_as_before(&x);
	scratch_close(&x);
}

static void what_is_committed_stays(void **state)
{
	struct scratch x;
	struct table again;

	(void)state;
	scratch_open(&x);
	table_begin(&x.table);
	table_touch(&x.table, &x.table.conn[1], sizeof(struct conn));
	memset(&x.table.conn[1], 0xee, sizeof(struct conn));
	table_commit(&x.table);
	memcpy(x.copy, x.memory, x.bytes);
	assert_true(table_recover(&again, x.memory, x.bytes, &x.shape));
	expect_as_before(&x);
	scratch_close(&x);
}

static void an_event_that_has_touched_nothing_is_undone_too(void **state)
{
	struct scratch x;
	struct table again;

	(void)state;
	scratch_open(&x);
	table_begin(&x.table);
	table_touch(&x.table, &x.table.conn[1], sizeof(struct conn));
	memset(&x.table.conn[1], 0xee, sizeof(struct conn));
	table_commit(&x.table);
	memcpy(x.copy, x.memory, x.bytes);
	table_begin(&x.table); /* and dies: the record of the event before is no longer meant */
	assert_true(table_recover(&again, x.memory, x.bytes, &x.shape));
	expect_as_before(&x);
	scratch_close(&x);
}

static void memory_that_is_no_such_table_is_refused(void **state)
{
	struct scratch x;
	struct table again;
	struct table_shape other;

	(void)state;
	scratch_open(&x);
	other = x.shape;
	other.conns++;
	assert_false(table_recover(&again, x.memory, x.bytes, &other));
	assert_false(table_recover(&again, x.memory, x.bytes - 4096, &x.shape));
	assert_false(table_recover(&again, x.memory, 10, &x.shape));
	x.table.header->magic++;
	assert_false(table_recover(&again, x.memory, x.bytes, &x.shape));
	x.table.header->magic--;
	x.table.header->version++;
	assert_false(table_recover(&again, x.memory, x.bytes, &x.shape));
	x.table.header->version--;
	assert_true(table_recover(&again, x.memory, x.bytes, &x.shape));
	scratch_close(&x);
}

static void an_undo_record_that_does_not_hold_is_refused(void **state)
{
	struct scratch x;
	struct table again;
	struct table_undo *undo;

	(void)state;
	scratch_open(&x);
	undo = &x.table.header->undo;
	table_begin(&x.table);
	table_touch(&x.table, &x.table.conn[1], sizeof(struct conn));
	undo->entry[0].offset = x.bytes;
	assert_false(table_recover(&again, x.memory, x.bytes, &x.shape));
	undo->entry[0].offset = UINT64_MAX;
	assert_false(table_recover(&again, x.memory, x.bytes, &x.shape));
	undo->entry[0].offset = 0;
	undo->entry[0].length = TABLE_UNDO_BYTES;
	assert_false(table_recover(&again, x.memory, x.bytes, &x.shape));
	undo->entry[0].length = 8;
	undo->entry[0].at = UINT32_MAX;
	assert_false(table_recover(&again, x.memory, x.bytes, &x.shape));
	undo->count = TABLE_UNDO_ENTRIES + 1;
	assert_false(table_recover(&again, x.memory, x.bytes, &x.shape));
	undo->count = 0;
	undo->used = TABLE_UNDO_BYTES + 1;
	assert_false(table_recover(&again, x.memory, x.bytes, &x.shape));
	undo->used = 0;
	assert_true(table_recover(&again, x.memory, x.bytes, &x.shape));
	scratch_close(&x);
}

/* ---- real events, undone at their end ---- */

/*
 * A master that dies just before the commit of the last event leaves the table as it is,
 * with `busy` set.
 */
static void expect_undone(struct bed *bed, const uint8_t *before)
{
	size_t undo = offsetof(struct table_header, undo);
	uint8_t *now = malloc(bed->bytes);
	struct table table;

	assert_non_null(now);
	memcpy(now, bed->memory, bed->bytes);
	((struct table_header *)now)->busy = 1;
	assert_true(table_recover(&table, now, bed->bytes, &bed->stack->shape));
	memcpy(now + undo, before + undo, sizeof(struct table_undo));
	/* early data beyond early_bytes means nothing */
	assert_memory_equal(now, before, (size_t)(table.early - now));
	free(now);
}

/* What the engine is told, without the output that would be an event of its own. */
static void input_only(struct bed *bed, uint8_t flags, uint32_t length)
{
	struct segment seg = peer_segment(bed, flags);
	uint8_t data[100] = {0}, bytes[200];
	struct packet_in packet = {
		.src = bed->flow.peer.address, .dst = bed->flow.local.address, .mtu = 1500};

	seg.data = data;
	seg.data_length = length;
	packet.tcp = bytes;
	packet.tcp_length = peer_write(bed, &seg, bytes);
	stack_input(bed->stack, &packet, bed->now_us);
}

static void every_kind_of_event_can_be_undone(void **state)
{
	static const struct {
		enum tcp_state from;
		uint8_t flags;
		uint32_t length;
		uint32_t acked; /* beyond what the peer has acknowledged */
	} cases[] = {
		{TCP_LISTEN, SYN, 0, 0},           {TCP_SYN_RECEIVED, RST, 0, 0},
		{TCP_SYN_SENT, SYNACK, 0, 0},      {TCP_SYN_SENT, SYN, 0, 0},
		{TCP_SYN_SENT, RSTACK, 0, 0},      {TCP_ESTABLISHED, ACK, 100, 0},
		{TCP_ESTABLISHED, FINACK, 100, 0}, {TCP_ESTABLISHED, RST, 0, 0},
		{TCP_FIN_WAIT_1, ACK, 0, 1},       {TCP_FIN_WAIT_1, FINACK, 0, 0},
		{TCP_FIN_WAIT_1, FINACK, 10, 1},   {TCP_FIN_WAIT_2, FINACK, 10, 0},
		{TCP_CLOSING, ACK, 0, 1},          {TCP_LAST_ACK, ACK, 0, 1},
		{TCP_TIME_WAIT, FINACK, 0, 0},
	};
	struct stack_config config = bed_config();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *before;
		struct bed bed;

		bed_open(&bed, i % 2 ? IP_V6 : IP_V4, &config);
		reach(&bed, cases[i].from);
		bed_pass(&bed, 10 * MS);
		before = malloc(bed.bytes);
		assert_non_null(before);
		memcpy(before, bed.memory, bed.bytes);
		bed.ack += cases[i].acked;
		if (cases[i].from == TCP_TIME_WAIT)
			bed.seq--;
		input_only(&bed, cases[i].flags, cases[i].length);
		assert_memory_not_equal(before, bed.memory, bed.bytes);
		expect_undone(&bed, before);
		free(before);
		bed_close(&bed);
	}
}

static void what_cookies_do_can_be_undone(void **state)
{
	struct stack_config config = bed_config();

	(void)state;
	config.syn_cookies = STACK_COOKIES_ALWAYS;
	config.half_open = 1;
	for (int which = 0; which < 2; which++) {
		struct half_open half = {.iss = 1, .irs = 2, .peer_mss = 1460};
		uint8_t *before;
		struct bed bed;

		bed_open(&bed, IP_V4, &config);
		half.identity.flow = bed.flow;
		if (which == 1) { /* another one makes room for it */
			assert_true(half_open_restore(bed.stack, &half, bed.now_us) != LOOKUP_NONE);
			half.identity.flow.peer.port++;
		}
		before = malloc(bed.bytes);
		assert_non_null(before);
		memcpy(before, bed.memory, bed.bytes);
		if (which == 0)
			input_only(&bed, SYN, 0);
		else
			(void)half_open_restore(bed.stack, &half, bed.now_us);
		assert_memory_not_equal(before, bed.memory, bed.bytes);
		expect_undone(&bed, before);
		free(before);
		bed_close(&bed);
	}
}

static void requests_and_timers_can_be_undone(void **state)
{
	struct stack_config config = bed_config();

	(void)state;
	for (int which = 0; which < 6; which++) {
		struct conn_info info;
		uint8_t *before;
		struct bed bed;

		bed_open(&bed, IP_V4, &config);
		reach(&bed, which == 2 || which == 3 ? TCP_SYN_RECEIVED : TCP_ESTABLISHED);
		if (which == 4)
			user_write(&bed, 5000);
		peer_take(&bed);
		before = malloc(bed.bytes);
		assert_non_null(before);
		memcpy(before, bed.memory, bed.bytes);
		assert_true(bed_info(&bed, &info));
		if (which == 0 || which == 2)
			stack_close(bed.stack, info.id, bed.now_us);
		else if (which == 1 || which == 3)
			stack_abort(bed.stack, info.id, bed.now_us);
		else if (which == 4)
			stack_timers(bed.stack, bed.now_us + 2 * S);
		else
			stack_worker_gone(bed.stack, bed.handle, bed.now_us);
		assert_memory_not_equal(before, bed.memory, bed.bytes);
		expect_undone(&bed, before);
		free(before);
		bed_close(&bed);
	}
}

static void a_table_is_taken_up_whatever_the_limits_have_become(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	bed->config.shape = stack_shape(&bed->config);
	bed->config.max_connections = 3;
	bed->config.backlog = 1;
	bed->config.half_open = 2;
	assert_true(stack_table_bytes(&bed->config) == bed->bytes);
	bed_take_over(bed);
	expect_state(bed, TCP_ESTABLISHED);
	for (uint8_t i = 1; i <= 4; i++) {
		bed_peer(bed, i, PEER_PORT);
		peer_flags(bed, SYN);
	}
	bed->expected = bed->outs;
	assert_int_equal(bed->stack->open_half_opens, 2);
}

static void a_full_time_wait_list_can_be_undone(void **state)
{
	struct stack_config config = bed_config();
	uint8_t *before;
	struct bed bed;

	(void)state;
	config.time_wait = 1;
	bed_open(&bed, IP_V4, &config);
	reach(&bed, TCP_TIME_WAIT);
	worker_close(&bed.worker);
	bed.attached = false;
	bed_peer(&bed, 0, PEER_PORT + 1);
	reach(&bed, TCP_FIN_WAIT_2);
	before = malloc(bed.bytes);
	assert_non_null(before);
	memcpy(before, bed.memory, bed.bytes);
	input_only(&bed, FINACK, 0);
	assert_int_equal(counter(&bed, time_wait_full), 1);
	expect_undone(&bed, before);
	free(before);
	bed_close(&bed);
}

/* ---- taking over ---- */

static void a_transfer_goes_on_under_another_engine(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	for (uint32_t i = 0; i < 20; i++) {
		user_write(bed, 5000);
		peer_data(bed, 3000);
		if (i % 2)
			peer_take(bed);
		bed_take_over(bed);
		user_take(bed, 3000);
		while (bed_conn(bed)->tx_una < 5000 * (i + 1)) {
			peer_ack(bed);
			if (bed_conn(bed)->tx_una < 5000 * (i + 1))
				bed_pass(bed, 300 * MS);
		}
		bed->outs = bed->expected = 0;
	}
	user_close(bed);
	peer_ack(bed);
	peer_flags(bed, FINACK);
	expect_state(bed, TCP_TIME_WAIT);
	assert_int_equal(bed->ack - bed->iss, 100002);
}

static void every_state_outlives_its_engine(void **state)
{
	struct stack_config config = bed_config();

	(void)state;
	for (int i = TCP_SYN_SENT; i <= TCP_TIME_WAIT; i++) {
		struct conn_info before, after;
		struct bed bed;

		bed_open(&bed, i % 2 ? IP_V6 : IP_V4, &config);
		reach(&bed, (enum tcp_state)i);
		assert_true(bed_info(&bed, &before));
		bed_take_over(&bed);
		assert_true(bed_info(&bed, &after));
		assert_memory_equal(&before, &after, sizeof(before));
		bed_close(&bed);
	}
}

/* What a new master changes in the entries that it takes up is committed, too. */
static void masters_that_die_at_once_lose_nothing(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 20000);
	peer_take(bed);
	for (int i = 0; i < 3; i++) {
		stack_destroy(bed->stack);
		bed->stack = NULL;
		bed->stack = stack_create(&bed->config, &bed->hooks, bed->memory, bed->bytes, NULL);
		assert_non_null(bed->stack);
		assert_int_equal(bed->dropped, 0);
		expect_state(bed, TCP_ESTABLISHED);
	}
}

static void what_waits_in_the_accept_queue_waits_on(void **state)
{
	struct bed *bed = *state;

	establish(bed);
	peer_data(bed, 500);
	bed_take_over(bed);
	attach(bed, 16384, 16384);
	user_take(bed, 500);
}

static void whoever_waits_is_served_in_turn_whatever_his_slot(void **state)
{
	struct bed *bed = *state;
	struct conn_handle next;
	uint64_t first, second;

	establish(bed);
	first = info_of(bed).id;
	bed_pass(bed, 10 * MS);
	bed_peer(bed, 1, PEER_PORT + 1);
	establish(bed);
	second = info_of(bed).id;
	assert_true(stack_abort(bed->stack, first, bed->now_us));
	bed_settle(bed);
	bed->expected = bed->outs; /* its RST */
	bed_pass(bed, 10 * MS);
	bed_peer(bed, 2, PEER_PORT + 2);
	establish(bed); /* in the first one's slot */
	assert_true(lookup_find(bed->stack->lookup, &bed->flow) == 0);
	bed_take_over(bed);
	assert_true(stack_accept_next(bed->stack, &next));
	assert_int_equal(next.id, second);
}

/* Port PORT of the peer's comes, goes and waits in TIME-WAIT. */
static void come_and_go(struct bed *bed, uint16_t port)
{
	bed_peer(bed, 0, port);
	reach(bed, TCP_TIME_WAIT);
	worker_close(&bed->worker);
	bed->attached = false;
	bed_pass(bed, 10 * MS);
}

static void the_oldest_time_wait_entry_makes_room_whatever_its_slot(void **state)
{
	struct stack_config config = bed_config();
	struct flow second, third;
	struct bed bed;

	(void)state;
	config.time_wait = 2;
	bed_open(&bed, IP_V4, &config);
	come_and_go(&bed, PEER_PORT + 1);
	ask_abort(&bed);
	come_and_go(&bed, PEER_PORT + 2);
	second = bed.flow;
	come_and_go(&bed, PEER_PORT + 3);
	third = bed.flow;
	/* the later one is in the lower slot: by hand, for slots are taken as the engine likes */
	if (lookup_find(bed.stack->lookup, &third) > lookup_find(bed.stack->lookup, &second)) {
		bed.flow = second;
		ask_abort(&bed);
		come_and_go(&bed, PEER_PORT + 4);
		second = third;
		third = bed.flow;
	}
	assert_true(lookup_find(bed.stack->lookup, &third) <
	            lookup_find(bed.stack->lookup, &second));
	bed_take_over(&bed);
	come_and_go(&bed, PEER_PORT + 5);
	assert_int_equal(counter(&bed, time_wait_full), 1);
	assert_int_equal(stack_find(bed.stack, &second), 0);
	assert_int_not_equal(stack_find(bed.stack, &third), 0);
	bed_close(&bed);
}

/*
 * The master died when it had committed whose the connection is, and the worker before it
 * heard of that: what was in its ring waits for the next one.
 */
static void what_a_worker_has_not_taken_up_waits_for_another_one(void **state)
{
	struct bed *bed = *state;

	establish(bed);
	peer_data(bed, 500);
	attach(bed, 16384, 16384);
	atomic_store(&bed->worker.ring.worker->conn_id, 0);
	peer_data(bed, 200);
	bed_take_over(bed);
	stack_worker_gone(bed->stack, bed->handle, bed->now_us);
	assert_int_equal(bed->detached, 1);
	expect_state(bed, TCP_ESTABLISHED);
	worker_close(&bed->worker);
	bed->attached = false;
	bed_take_over(bed);
	attach(bed, 16384, 16384);
	user_take(bed, 700);
}

static void nothing_is_sent_from_a_ring_that_is_not_mapped_yet(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	reach(bed, TCP_ESTABLISHED);
	bed->window = 1000;
	peer_flags(bed, ACK);
	user_write(bed, 30000);
	peer_take(bed);
	bed->ack = bed->iss + 1;
	stack_destroy(bed->stack);
	bed->stack = NULL;
	bed->stack = stack_create(&bed->config, &bed->hooks, bed->memory, bed->bytes, NULL);
	assert_non_null(bed->stack);
	bed_pass(bed, 10 * S);
	peer_flags(bed, ACK);
	peer_data_at(bed, 1, 10); /* nowhere to put it */
	bed->window = 65000;
	peer_flags(bed, ACK);
	while (bed->expected < bed->outs)
		assert_int_equal(next_out(bed)->seg.data_length, 0);
	assert_true(bed_info(bed, &info));
	assert_true(
		stack_attach(bed->stack, bed->handle, BED_WORKER, &bed->worker.ring, bed->now_us));
	bed_settle(bed);
	for (int i = 0; i < 50 && bed_conn(bed)->tx_una < 30000; i++) {
		peer_ack(bed);
		bed_pass(bed, S);
	}
	assert_int_equal(worker_tx_tail(&bed->worker), 30000);
	peer_data(bed, 10);
	user_take(bed, 10);
}

static void the_master_page_is_written_again(void **state)
{
	struct bed *bed = *state;
	struct ring_master_page before;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1000);
	peer_ack(bed);
	peer_data(bed, 500);
	peer_flags(bed, FINACK);
	memcpy(&before, bed->worker.ring.master, sizeof(before));
	memset(bed->worker.ring.master, 0, sizeof(before));
	bed_take_over(bed);
	assert_int_equal(worker_conn_id(&bed->worker), bed->handle.id);
	assert_memory_equal(&before, bed->worker.ring.master, sizeof(before));
}

static void entries_that_do_not_hold_are_dropped(void **state)
{
	struct stack_config config = bed_config();

	(void)state;
	for (int which = 0; which < 9; which++) {
		struct bed bed;
		struct conn *c;

		bed_open(&bed, IP_V4, &config);
		establish(&bed);
		c = bed_conn(&bed);
		switch (which) {
		case 0:
			c->state = 99;
			break;
		case 1:
			c->snd_una = c->snd_nxt + 1;
			break;
		case 2:
			c->rcv_adv = c->rcv_nxt - 1;
			break;
		case 3:
			c->tx_una = c->tx_head + 1;
			break;
		case 4:
			c->early_bytes = CONN_EARLY_BYTES + 1;
			break;
		case 5:
			c->snd_mss = 0;
			break;
		case 6:
			c->identity.flow.peer.port = 0;
			break;
		case 7:
			c->rtt.backoff = 1000;
			break;
		default:
			c->history.count = CONN_HISTORY + 1;
			break;
		}
		bed_seal(c);
		bed_take_over(&bed);
		expect_state(&bed, TCP_CLOSED);
		bed.expected = bed.outs;
		establish(&bed);
		bed_close(&bed);
	}
}

/* Fields of which a damaged highest byte shows by what else the entry says. */
#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct conn, name) + sizeof(((struct conn *)0)->name) - 1          \
	}
static const struct {
	const char *name;
	size_t at;
} fields[] = {
	FIELD(identity.created_us),
	FIELD(identity.flow.peer.address.bytes),
	FIELD(identity.flow.local.reserved),
	FIELD(history.count),
	FIELD(history.state[0]),
	FIELD(state),
	FIELD(early_bytes),
	FIELD(iss),
	FIELD(snd_una),
	FIELD(snd_nxt),
	FIELD(snd_wnd),
	FIELD(max_snd_wnd),
	FIELD(snd_mss),
	FIELD(tx_una),
	FIELD(tx_head),
	FIELD(irs),
	FIELD(rcv_nxt),
	FIELD(rcv_adv),
	FIELD(rcv_mss),
	FIELD(rx_head),
	FIELD(rx_tail),
	FIELD(snd_wscale),
	FIELD(rcv_wscale),
	FIELD(ts_offset),
	FIELD(rtt.rto_us),
	FIELD(congestion.cwnd),
	FIELD(congestion.mss),
	FIELD(persist_shift),
	FIELD(last_data_us),
	FIELD(stalled_since_us),
	FIELD(user_timeout_us),
	FIELD(uto_local_s),
	FIELD(timer_us[CONN_TIMER_RETRANSMIT]),
};

static void damage_that_contradicts_the_rest_is_noticed(void **state)
{
	struct stack_config config = bed_config();

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct bed bed;
		struct conn *c;

		bed_open(&bed, IP_V4, &config);
		bed.offer.timestamps = true;
		reach(&bed, TCP_ESTABLISHED);
		user_write(&bed, 1000);
		c = bed_conn(&bed);
		((uint8_t *)c)[fields[i].at] ^= 0x40;
		bed_seal(c);
		bed_take_over(&bed);
		if (bed_state(&bed) != TCP_CLOSED)
			fail_msg("not noticed: %s", fields[i].name);
		bed_close(&bed);
	}
}

static void a_state_that_contradicts_flags_and_numbers_is_noticed(void **state)
{
	struct stack_config config = bed_config();

	(void)state;
	for (uint32_t is = TCP_SYN_SENT; is < TCP_TIME_WAIT; is++) {
		for (uint32_t said = TCP_SYN_SENT; said < TCP_TIME_WAIT; said++) {
			struct bed bed;
			struct conn *c;

			/* half-open ones have no state; those two look the same */
			if (is == TCP_SYN_RECEIVED || is == said ||
			    (is == TCP_CLOSING && said == TCP_LAST_ACK) ||
			    (is == TCP_LAST_ACK && said == TCP_CLOSING))
				continue;
			bed_open(&bed, IP_V6, &config);
			reach(&bed, (enum tcp_state)is);
			c = bed_conn(&bed);
			c->state = said;
			c->history.state[c->history.count - 1] = (uint8_t)said;
			bed_seal(c);
			bed_take_over(&bed);
			expect_state(&bed, TCP_CLOSED);
			bed_close(&bed);
		}
	}
}

/* ---- entries that were damaged by whoever, anywhere ---- */

enum damaged_kind {
	DAMAGED_CONN,
	DAMAGED_REASSEMBLY,
	DAMAGED_HALF_OPEN,
	DAMAGED_TIME_WAIT,
};

/* The entry of the bed's flow and its size. */
static uint8_t *entry_of(struct bed *bed, enum damaged_kind kind, size_t *bytes)
{
	uint32_t slot = lookup_find(bed->stack->lookup, &bed->flow);

	assert_true(slot != LOOKUP_NONE);
	switch (kind) {
	case DAMAGED_CONN:
		*bytes = sizeof(struct conn);
		return (uint8_t *)slot_conn(bed->stack, slot);
	case DAMAGED_REASSEMBLY:
		*bytes = sizeof(struct reassembly);
		return (uint8_t *)&bed->stack->table.reassembly[slot];
	case DAMAGED_HALF_OPEN:
		*bytes = sizeof(struct half_open);
		return (uint8_t *)slot_half_open(bed->stack, slot);
	default:
		*bytes = sizeof(struct time_wait);
		return (uint8_t *)slot_time_wait(bed->stack, slot);
	}
}

/* One word or one bit of it, another value than before. */
static void damage_at(uint8_t *bytes, size_t word, unsigned how)
{
	uint64_t value, before;

	memcpy(&before, bytes + word, sizeof(before));
	if (how == 0)
		value = before ^ UINT64_C(1) << (word * 7 % 64);
	else
		value = (before + how) * UINT64_C(0x2545f4914f6cdd1d);
	if (value == before)
		value++;
	memcpy(bytes + word, &value, sizeof(value));
}

/*
 * What the peer of a damaged entry gets: RST, with the entry's numbers, and where these may
 * be wrong, too, RST for the answer to an ACK that it cannot take. Then nothing is left.
 */
static void expect_reset_peer(struct bed *bed)
{
	const struct out *rst = next_out(bed), *ack = next_out(bed);

	assert_int_equal(rst->seg.flags, RST | ACK);
	assert_int_equal(ack->seg.flags, ACK);
	assert_int_equal(ack->seg.data_length, 0);
	expect_nothing(bed);
}

/* Whatever the peer sends now is answered with the RST that it must believe. */
static void expect_reset_when_it_speaks(struct bed *bed)
{
	peer_data(bed, 4);
	expect(bed, RST, bed->ack - bed->iss, 0, 0);
}

/* Another client, which waits for a worker; the bed's own peer stays what it was. */
static struct flow stand_by(struct bed *bed)
{
	const struct bed own = *bed;
	struct flow flow;

	bed->offer.timestamps = false;
	bed_peer(bed, 7, 50000);
	establish(bed);
	flow = bed->flow;
	bed->flow = own.flow;
	bed->iss = own.iss;
	bed->seq = own.seq;
	bed->ack = own.ack;
	bed->timestamps = own.timestamps;
	return flow;
}

static void damage_every_word(enum damaged_kind kind, enum tcp_state state)
{
	struct stack_config config = bed_config();
	struct flow bystander;
	size_t bytes = 8;

	for (unsigned how = 0; how < 3; how++) {
		for (size_t word = 0; word < bytes; word += 8) {
			bool nameless =
				kind != DAMAGED_REASSEMBLY && word < sizeof(struct conn_identity);
			struct bed bed;
			uint8_t *entry;

			bed_open(&bed, how % 2 ? IP_V6 : IP_V4, &config);
			bed.offer.timestamps = how == 1;
			reach(&bed, state);
			bystander = stand_by(&bed);
			if (state == TCP_ESTABLISHED)
				peer_data_at(&bed, 3000, 1000);
			peer_take(&bed);
			bed.expected = bed.outs;
			entry = entry_of(&bed, kind, &bytes);
			damage_at(entry, word, how);
			bed_take_over(&bed);
			assert_int_equal(bed.dropped, 1);
			assert_int_equal(counter(&bed, entries_dropped), 1);
			assert_int_equal(bed.dropped_known, !nameless);
			expect_state(&bed, TCP_CLOSED);
			if (kind != DAMAGED_TIME_WAIT && !nameless)
				expect_reset_peer(&bed);
			if (kind != DAMAGED_TIME_WAIT)
				expect_reset_when_it_speaks(&bed);
			bed.flow = bystander;
			expect_state(&bed, TCP_ESTABLISHED);
			bed_close(&bed);
		}
	}
}

static void damage_to_any_word_of_a_connection_ends_it_alone(void **state)
{
	(void)state;
	damage_every_word(DAMAGED_CONN, TCP_ESTABLISHED);
}

static void damage_to_any_word_of_its_ranges_ends_it_alone(void **state)
{
	(void)state;
	damage_every_word(DAMAGED_REASSEMBLY, TCP_ESTABLISHED);
}

static void damage_to_any_word_of_a_half_open_one_ends_it_alone(void **state)
{
	(void)state;
	damage_every_word(DAMAGED_HALF_OPEN, TCP_SYN_RECEIVED);
}

static void damage_to_any_word_of_a_time_wait_entry_ends_it_alone(void **state)
{
	(void)state;
	damage_every_word(DAMAGED_TIME_WAIT, TCP_TIME_WAIT);
}

/* More than can be told at once: those are told when they speak. */
static void a_table_that_is_damaged_throughout_ends_all_connections(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.max_connections = config.backlog = config.half_open = 100;
	bed_open(&bed, IP_V4, &config);
	for (uint16_t i = 0; i < 100; i++) {
		bed_peer(&bed, 0, (uint16_t)(40000 + i));
		establish(&bed);
	}
	for (uint32_t slot = 0; slot < 100; slot++)
		slot_conn(bed.stack, slot)->ts_recent++;
	bed.expected = bed.outs;
	bed_take_over(&bed);
	assert_int_equal(bed.dropped, 100);
	assert_int_equal(bed.outs - bed.expected, 2 * CONDEMNED_MAX);
	bed.expected = bed.outs;
	for (uint16_t i = 0; i < 100; i++) {
		bed.flow.peer.port = (uint16_t)(40000 + i);
		expect_state(&bed, TCP_CLOSED);
	}
	bed_close(&bed);
}

/* The master died after the event that stopped one timer and before output started another. */
static void what_is_in_flight_is_never_without_a_timer(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1000);
	peer_take(bed);
	for (int i = 0; i < CONN_TIMERS; i++)
		bed_conn(bed)->timer_us[i] = TIMER_NEVER;
	bed_seal(bed_conn(bed));
	bed_take_over(bed);
	(void)bed_pass_until_out(bed, 2 * S);
	expect(bed, ACK, 1, 1, 1000);
}

static void a_ring_that_is_too_small_ends_the_connection(void **state)
{
	struct bed *bed = *state;
	struct worker small;

	reach(bed, TCP_ESTABLISHED);
	stack_destroy(bed->stack);
	bed->stack = stack_create(&bed->config, &bed->hooks, bed->memory, bed->bytes, NULL);
	assert_non_null(bed->stack);
	worker_open(&small, 4096, 4096);
	assert_false(stack_attach(bed->stack, bed->handle, BED_WORKER, &small.ring, bed->now_us));
	bed_settle(bed);
	expect_state(bed, TCP_CLOSED);
	expect(bed, RST | ACK, 1, 1, 0);
	assert_int_equal(bed->detached, 1);
	worker_close(&small);
}

static void ids_are_never_given_twice(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;
	uint64_t last = 0;

	for (uint16_t i = 0; i < 10; i++) {
		bed_peer(bed, 0, (uint16_t)(50000 + i));
		establish(bed);
		assert_true(bed_info(bed, &info));
		assert_true(info.id > last);
		last = info.id;
		peer_flags(bed, RST);
		bed_take_over(bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_half_done_event_is_undone),
		cmocka_unit_test(touching_twice_keeps_what_was_first),
		cmocka_unit_test(what_is_committed_stays),
		cmocka_unit_test(an_event_that_has_touched_nothing_is_undone_too),
		cmocka_unit_test(memory_that_is_no_such_table_is_refused),
		cmocka_unit_test(an_undo_record_that_does_not_hold_is_refused),
		cmocka_unit_test(every_kind_of_event_can_be_undone),
		cmocka_unit_test(what_cookies_do_can_be_undone),
		cmocka_unit_test(requests_and_timers_can_be_undone),
		cmocka_unit_test(a_full_time_wait_list_can_be_undone),
		with_bed(a_transfer_goes_on_under_another_engine),
		with_bed_v6(a_transfer_goes_on_under_another_engine),
		cmocka_unit_test(every_state_outlives_its_engine),
		with_bed(masters_that_die_at_once_lose_nothing),
		with_bed(what_waits_in_the_accept_queue_waits_on),
		with_bed(whoever_waits_is_served_in_turn_whatever_his_slot),
		cmocka_unit_test(the_oldest_time_wait_entry_makes_room_whatever_its_slot),
		with_bed(what_a_worker_has_not_taken_up_waits_for_another_one),
		with_bed(nothing_is_sent_from_a_ring_that_is_not_mapped_yet),
		with_bed(the_master_page_is_written_again),
		cmocka_unit_test(entries_that_do_not_hold_are_dropped),
		cmocka_unit_test(damage_that_contradicts_the_rest_is_noticed),
		cmocka_unit_test(a_state_that_contradicts_flags_and_numbers_is_noticed),
		cmocka_unit_test(damage_to_any_word_of_a_connection_ends_it_alone),
		cmocka_unit_test(damage_to_any_word_of_its_ranges_ends_it_alone),
		cmocka_unit_test(damage_to_any_word_of_a_half_open_one_ends_it_alone),
		cmocka_unit_test(damage_to_any_word_of_a_time_wait_entry_ends_it_alone),
		cmocka_unit_test(a_table_that_is_damaged_throughout_ends_all_connections),
		with_bed(what_is_in_flight_is_never_without_a_timer),
		with_bed(a_ring_that_is_too_small_ends_the_connection),
		with_bed(ids_are_never_given_twice),
		with_bed(a_table_is_taken_up_whatever_the_limits_have_become),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
