/*
 * Peers that take nothing (RFC 9293, 3.8.6.1; RFC 6429): how much memory they may hold, and
 * waits that must end some time. The probes themselves are tested with the windows.
 */
#include "tests/tcp/harness.h"

#define CLIENTS 3
#define QUEUE   40000u

/* One of several clients; the bed plays one at a time. */
struct client {
	struct bed bed; /* its peer's side only */
	struct worker worker;
	struct conn_handle handle;
};

static void play(struct bed *bed, const struct client *client)
{
	bed->flow = client->bed.flow;
	bed->iss = client->bed.iss;
	bed->seq = client->bed.seq;
	bed->ack = client->bed.ack;
}

static void come(struct bed *bed, struct client *client, uint16_t port)
{
	bed_peer(bed, 0, port);
	bed->window = 65535;
	establish(bed);
	assert_true(stack_accept_next(bed->stack, &client->handle));
	worker_open(&client->worker, 65536, 65536);
	assert_true(stack_attach(bed->stack, client->handle, BED_WORKER, &client->worker.ring,
	                         bed->now_us));
	bed_pass(bed, 100 * MS);
	client->bed = *bed;
	bed->outs = bed->expected = 0;
}

/* Its window shuts, and its session writes. */
static void stall(struct bed *bed, struct client *client)
{
	static const uint8_t bytes[QUEUE];

	play(bed, client);
	bed->window = 0;
	peer_flags(bed, ACK);
	assert_int_equal(worker_write(&client->worker, bytes, QUEUE), QUEUE);
	stack_ring_changed(bed->stack, client->handle, bed->now_us);
	bed_settle(bed);
}

/* Time passes, and every client answers each probe: nobody is silent. */
static void answer_for(struct bed *bed, struct client *client, uint64_t us)
{
	for (uint64_t end = bed->now_us + us; bed->now_us < end;) {
		bed_pass(bed, 100 * MS);
		for (int i = 0; i < CLIENTS && bed->outs > 0; i++) {
			play(bed, &client[i]);
			if (bed_state(bed) == TCP_ESTABLISHED)
				peer_flags(bed, ACK);
		}
		bed->outs = bed->expected = 0;
	}
}

static bool lives(const struct bed *bed, const struct client *client)
{
	struct conn_info info;

	return stack_info(bed->stack, client->handle.id, &info);
}

static struct client *open_clients(struct bed *bed, uint64_t stalled_bytes)
{
	struct stack_config config = bed_config();
	struct client *client = calloc(CLIENTS, sizeof(*client));

	assert_non_null(client);
	config.stalled_bytes = stalled_bytes;
	bed_open(bed, IP_V4, &config);
	bed->handle.id = BED_ANY;
	for (uint16_t i = 0; i < CLIENTS; i++)
		come(bed, &client[i], (uint16_t)(40000 + i));
	return client;
}

static void close_clients(struct bed *bed, struct client *client)
{
	bed_close(bed);
	for (int i = 0; i < CLIENTS; i++)
		worker_close(&client[i].worker);
	free(client);
}

static void the_longest_stalled_makes_room(void **state)
{
	struct bed bed;
	struct client *client;

	(void)state;
	client = open_clients(&bed, 2 * QUEUE);
	stall(&bed, &client[1]);
	answer_for(&bed, client, 5 * S);
	stall(&bed, &client[0]);
	answer_for(&bed, client, 5 * S);
	answer_for(&bed, client, 3600 * S);
	assert_true(lives(&bed, &client[0]) && lives(&bed, &client[1])); /* just not too much */
	stall(&bed, &client[2]);
	answer_for(&bed, client, 25 * S);
	assert_true(lives(&bed, &client[1])); /* the third has not stalled yet */
	answer_for(&bed, client, 100 * S);
	assert_false(lives(&bed, &client[1]));
	assert_true(lives(&bed, &client[0]) && lives(&bed, &client[2]));
	assert_int_equal(worker_reset_reason(&client[1].worker), RING_RESET_TIMEOUT);
	assert_int_equal(counter(&bed, stalled_ended), 1);
	answer_for(&bed, client, 3600 * S);
	assert_true(lives(&bed, &client[0]) && lives(&bed, &client[2]));
	close_clients(&bed, client);
}

static void without_a_limit_nobody_is_ended(void **state)
{
	struct bed bed;
	struct client *client;

	(void)state;
	client = open_clients(&bed, 0);
	for (int i = 0; i < CLIENTS; i++)
		stall(&bed, &client[i]);
	answer_for(&bed, client, 3600 * S);
	for (int i = 0; i < CLIENTS; i++)
		assert_true(lives(&bed, &client[i]));
	assert_int_equal(bed.stack->stalled_bytes, CLIENTS * QUEUE);
	close_clients(&bed, client);
}

static void who_takes_something_is_not_counted(void **state)
{
	struct bed bed;
	struct client *client;

	(void)state;
	client = open_clients(&bed, 2 * QUEUE);
	stall(&bed, &client[0]);
	answer_for(&bed, client, 100 * S);
	assert_int_equal(bed.stack->stalled_bytes, QUEUE);
	play(&bed, &client[0]);
	bed.window = 65535;
	peer_flags(&bed, ACK);
	peer_ack(&bed);
	assert_int_equal(bed.stack->stalled_bytes, 0);
	close_clients(&bed, client);
}

/* Who opens his window by a byte now and then, and takes nothing, is stalled as well. */
static void a_flickering_window_hides_nobody(void **state)
{
	struct bed bed;
	struct client *client;

	(void)state;
	client = open_clients(&bed, 2 * QUEUE);
	stall(&bed, &client[0]);
	for (int i = 0; i < 1000; i++) {
		bed_pass(&bed, 100 * MS);
		bed.outs = bed.expected = 0;
		bed.window = !bed.window;
		peer_flags(&bed, ACK);
	}
	assert_int_equal(bed.stack->stalled_bytes, QUEUE);
	close_clients(&bed, client);
}

static void after_a_take_over_the_stalled_are_found_again(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	bed->window = 0;
	peer_flags(bed, ACK);
	user_write(bed, 1000);
	for (int i = 0; i < 100; i++) {
		bed_pass(bed, S);
		peer_flags(bed, ACK);
	}
	assert_int_equal(bed->stack->stalled_bytes, 1000);
	bed_take_over(bed);
	assert_int_equal(bed->stack->stalled_bytes, 0);
	bed_pass(bed, 61 * S);
	assert_int_equal(bed->stack->stalled_bytes, 1000);
	stack_abort(bed->stack, bed->handle.id, bed->now_us);
	assert_int_equal(bed->stack->stalled_bytes, 0);
}

/* The engine ends when it knows that the window is open, and before it has sent a thing. */
static void an_opened_window_is_not_forgotten_in_a_take_over(void **state)
{
	struct bed *bed = *state;
	uint8_t bytes[TCP_HEADER_MAX];
	struct packet_in packet = {.ifindex = 2, .mtu = 1500, .ttl = 64, .tcp = bytes};
	struct segment seg;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1000);
	bed->window = 0;
	peer_flags(bed, ACK);
	while (counter(bed, persist_probes) == 0)
		bed_pass(bed, 100 * MS);
	bed->window = 10000;
	seg = peer_segment(bed, ACK);
	packet.src = bed->flow.peer.address;
	packet.dst = bed->flow.local.address;
	packet.tcp_length = peer_write(bed, &seg, bytes);
	stack_input(bed->stack, &packet, bed->now_us);
	bed_take_over(bed);
	bed_pass(bed, 5 * S);
	peer_ack(bed);
	assert_int_equal(worker_tx_tail(&bed->worker), 1000);
}

/* ---- FIN-WAIT-2 ---- */

static void fin_wait_2_waits_while_the_peer_sends(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_2);
	for (int i = 0; i < 10; i++) {
		bed_pass(bed, 55 * S);
		expect_state(bed, TCP_FIN_WAIT_2);
		peer_data(bed, 100);
	}
	bed_pass(bed, 49 * S);
	expect_state(bed, TCP_FIN_WAIT_2);
	bed_pass(bed, 2 * S); /* ten minutes are enough */
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(bed->out[bed->outs - 1].seg.flags, RSTACK);
}

static void fin_wait_2_ends_a_minute_after_the_last_segment(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_FIN_WAIT_2);
	bed_pass(bed, 50 * S);
	peer_data(bed, 100);
	bed_pass(bed, 60 * S - 1);
	expect_state(bed, TCP_FIN_WAIT_2);
	bed_pass(bed, 1);
	expect_state(bed, TCP_CLOSED);
}

/* ---- the end ---- */

static void the_workers_page_says_in_the_end_that_all_was_acknowledged(void **state)
{
	static const enum tcp_state states[] = {TCP_ESTABLISHED, TCP_CLOSE_WAIT};
	struct stack_config config = bed_config();

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bed bed;

		bed_open(&bed, IP_V4, &config);
		reach(&bed, states[i]);
		user_write(&bed, 700);
		user_close(&bed);
		(void)peer_take(&bed);
		peer_flags(&bed, states[i] == TCP_ESTABLISHED ? FINACK : ACK);
		assert_int_equal(bed.detached, 1);
		assert_int_equal(worker_tx_tail(&bed.worker), 700);
		bed_close(&bed);
	}
}

static void an_aborted_call_whose_rst_was_lost_answers_with_another(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	bed_open(&bed, IP_V4, &config);
	bed.flow.local.port = 50000; /* nobody listens there */
	establish_by_call(&bed);
	stack_abort(bed.stack, bed_conn(&bed)->identity.id, bed.now_us);
	bed_settle(&bed);
	expect(&bed, RSTACK, 1, 1, 0);
	peer_data(&bed, 10);
	assert_int_equal(next_out(&bed)->seg.seq, bed.ack);
	assert_int_equal(bed.out[bed.outs - 1].seg.flags, RST);
	/* somebody else's connection on the same pair */
	bed.ack += 100000;
	peer_data(&bed, 10);
	expect_nothing(&bed);
	bed.ack -= 100000;
	bed_pass(&bed, 61 * S);
	peer_data(&bed, 10);
	expect_nothing(&bed);
	bed_close(&bed);
}

/* ---- a SYN that was lost ---- */

static void rfc_6298_5_7_after_a_lost_syn_the_time_out_is_3_seconds(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	bed->offer.timestamps = false;
	(void)call_peer(bed);
	bed_pass_until_out(bed, 2 * S);
	expect(bed, SYN, 0, 0, 0);
	bed->ack = bed->iss + 1;
	peer_flags(bed, SYNACK);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.rto_us, 3 * S);
}

static void rfc_6298_5_7_so_it_is_after_a_lost_syn_ack(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	peer_syn(bed);
	bed_pass_until_out(bed, 2 * S);
	peer_flags(bed, ACK);
	expect_state(bed, TCP_ESTABLISHED);
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.rto_us, 3 * S);
	bed_take_over(bed);
	expect_state(bed, TCP_ESTABLISHED);
}

/* How many segments go at once when the SYN-ACK had to be sent again so OFTEN. */
static unsigned first_flight(struct bed *bed, unsigned often)
{
	peer_syn(bed);
	for (unsigned i = 0; i < often; i++)
		bed_pass_until_out(bed, 5 * S);
	peer_flags(bed, ACK);
	attach(bed, 65536, 65536);
	bed->outs = bed->expected = 0;
	user_write(bed, 30000);
	return peer_take(bed);
}

static void rfc_6928_after_one_lost_syn_ack_the_first_window_is_as_ever(void **state)
{
	assert_int_equal(first_flight(*state, 1), 10);
}

static void rfc_6928_after_two_it_is_one_segment(void **state)
{
	assert_int_equal(first_flight(*state, 2), 1);
}

static void rfc_6928_so_it_is_after_two_lost_syns(void **state)
{
	struct bed *bed = *state;

	(void)call_peer(bed);
	bed_pass_until_out(bed, 2 * S);
	bed_pass_until_out(bed, 5 * S);
	bed->ack = bed->iss + 1;
	peer_flags(bed, SYNACK);
	assert_int_equal(info_of(bed).cwnd, bed_conn(bed)->snd_mss);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_stalled_makes_room),
		cmocka_unit_test(without_a_limit_nobody_is_ended),
		cmocka_unit_test(who_takes_something_is_not_counted),
		cmocka_unit_test(a_flickering_window_hides_nobody),
		with_bed(after_a_take_over_the_stalled_are_found_again),
		with_bed(an_opened_window_is_not_forgotten_in_a_take_over),
		with_bed(fin_wait_2_waits_while_the_peer_sends),
		with_bed(fin_wait_2_ends_a_minute_after_the_last_segment),
		cmocka_unit_test(the_workers_page_says_in_the_end_that_all_was_acknowledged),
		cmocka_unit_test(an_aborted_call_whose_rst_was_lost_answers_with_another),
		with_bed(rfc_6298_5_7_after_a_lost_syn_the_time_out_is_3_seconds),
		with_bed(rfc_6298_5_7_so_it_is_after_a_lost_syn_ack),
		with_bed(rfc_6928_after_one_lost_syn_ack_the_first_window_is_as_ever),
		with_bed(rfc_6928_after_two_it_is_one_segment),
		with_bed(rfc_6928_so_it_is_after_two_lost_syns),
	};

	return cmocka_run_group_tests_name("peers that take nothing", tests, NULL, NULL);
}
