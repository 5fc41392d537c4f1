/*
 * Peers that lie to get more, or to cost more: they acknowledge what was not sent, divide
 * ACKs, repeat them, report blocks that do not exist, send crumbs, and keep slots.
 */
#include "tests/tcp/harness.h"

static void open_with(struct bed *bed, uint32_t algorithm, bool sack)
{
	struct stack_config config = bed_config();

	config.congestion = algorithm;
	bed_open(bed, IP_V4, &config);
	bed->offer.sack = sack;
	bed->offer.timestamps = false;
	bed->offer.scale = 7;
	establish_with_worker(bed, 65536, 1 << 20);
}

/* ---- ACKs ---- */

/* cwnd after ROUNDS windows of data of which each segment is acknowledged in PARTS. */
static uint32_t window_after(uint32_t algorithm, uint32_t parts, unsigned rounds)
{
	struct bed bed;
	uint32_t cwnd;

	open_with(&bed, algorithm, true);
	user_write(&bed, 1 << 20);
	for (unsigned round = 0; round < rounds; round++) {
		uint32_t from = bed_conn(&bed)->snd_una - bed.iss;
		uint32_t to = bed_conn(&bed)->snd_nxt - bed.iss;

		bed_pass(&bed, 20 * MS);
		while (from != to) {
			uint32_t mss = bed_conn(&bed)->snd_mss;
			uint32_t end = from + mss < to ? from + mss : to;

			for (uint32_t part = 1; part <= parts; part++) {
				peer_sack(&bed, from + (end - from) * part / parts, 0u);
				bed.outs = bed.expected = 0;
			}
			from = end;
		}
	}
	cwnd = bed_conn(&bed)->congestion.cwnd;
	bed_close(&bed);
	return cwnd;
}

/* Savage and others, "TCP Congestion Control with a Misbehaving Receiver": RFC 3465 counts bytes. */
static void rfc_3465_divided_acks_bring_no_larger_window(void **state)
{
	(void)state;
	for (uint32_t algorithm = 0; algorithm < CONGESTION_ALGORITHMS; algorithm++) {
		for (unsigned rounds = 1; rounds <= 4; rounds++) {
			const struct congestion cc = {.algorithm = algorithm};
			uint32_t honest = window_after(algorithm, 1, rounds);
			uint32_t greedy = window_after(algorithm, 40, rounds);

			/* a round ends where the windows did, so it may fall a few segments apart */
			if (greedy > honest + honest / 10 + 4 * 1460)
				fail_msg("%s, %u rounds: %u instead of %u",
				         congestion_ops(&cc)->name, rounds, greedy, honest);
		}
	}
}

static void rfc_5961_acknowledging_what_was_not_sent_brings_nothing(void **state)
{
	(void)state;
	for (uint32_t algorithm = 0; algorithm < CONGESTION_ALGORITHMS; algorithm++) {
		const struct conn *c;
		uint32_t una, cwnd;
		struct bed bed;

		open_with(&bed, algorithm, true);
		user_write(&bed, 100000);
		c = bed_conn(&bed);
		una = c->snd_una;
		cwnd = c->congestion.cwnd;
		bed.outs = bed.expected = 0;
		for (uint32_t ahead = 1; ahead < 200000; ahead += 1460) {
			peer_sack(&bed, c->snd_nxt - bed.iss + ahead, 0u);
			assert_int_equal(c->snd_una, una);
			assert_int_equal(c->congestion.cwnd, cwnd);
		}
		for (unsigned i = 0; i < bed.outs; i++)
			assert_int_equal(bed.out[i].seg.data_length, 0);
		assert_in_range(bed.outs, 1, ANSWERS_PER_SECOND);
		bed_close(&bed);
	}
}

/* Each duplicate says that a segment has left the network, and there are no more than were sent. */
static void repeated_acks_bring_out_no_more_than_they_can_stand_for(void **state)
{
	(void)state;
	for (uint32_t algorithm = 0; algorithm < CONGESTION_ALGORITHMS; algorithm++) {
		for (int sack = 0; sack < 2; sack++) {
			uint32_t flight, sent = 0;
			struct bed bed;

			open_with(&bed, algorithm, sack);
			user_write(&bed, 1 << 20);
			flight = bed_conn(&bed)->snd_nxt - bed_conn(&bed)->snd_una;
			bed.outs = bed.expected = 0;
			for (int i = 0; i < 500; i++) {
				peer_sack(&bed, 1, 0u);
				for (unsigned j = 0; j < bed.outs; j++)
					sent += bed.out[j].seg.data_length;
				bed.outs = bed.expected = 0;
			}
			/* limited transmit, what recovery sends again, and what left the pipe meanwhile */
			if (sent > 2 * flight)
				fail_msg("%u, %d: %u bytes on a flight of %u", algorithm, sack,
				         sent, flight);
			bed_close(&bed);
		}
	}
}

/* ---- SACK blocks ---- */

static void rfc_2018_blocks_of_what_was_never_sent_are_ignored(void **state)
{
	(void)state;
	for (uint32_t algorithm = 0; algorithm < CONGESTION_ALGORITHMS; algorithm++) {
		struct conn_info info;
		uint32_t cwnd, end, nxt;
		struct bed bed;

		open_with(&bed, algorithm, true);
		user_write(&bed, 200000);
		nxt = bed_conn(&bed)->snd_nxt;
		end = nxt - bed.iss;
		cwnd = bed_conn(&bed)->congestion.cwnd;
		for (uint32_t i = 1; i <= 20; i++) {
			peer_sack(&bed, 1, end + i, end + 1460 * i, end + 100000 * i,
			          end + 100001 * i, 0u);
			peer_sack(&bed, 1, end - 1460, end + i, 0u);       /* half of it */
			peer_sack(&bed, 1, 1u, 0x40000000u * (i % 4), 0u); /* from snd_una on */
			peer_sack(&bed, 1, 2921u, 1461u, 0u);              /* inverted */
			peer_sack(&bed, 1, 2921u, 2921u, 0u);              /* empty */
			peer_sack(&bed, 1, (uint32_t)-5000, (uint32_t)-100, 0u);
		}
		assert_true(bed_info(&bed, &info));
		assert_int_equal(info.sacked_bytes, 0);
		assert_int_equal(bed_conn(&bed)->snd_una, bed.iss + 1);
		assert_true(bed_conn(&bed)->congestion.cwnd <= cwnd);
		/* and nothing is believed to have arrived: an honest peer still gets all of it */
		for (int i = 0; i < 200 && bed_conn(&bed)->tx_una < 200000; i++) {
			bed_pass(&bed, 20 * MS);
			peer_ack(&bed);
		}
		assert_int_equal(bed_conn(&bed)->tx_una, 200000);
		bed_close(&bed);
	}
}

/* ---- crumbs ---- */

static void single_bytes_in_order_get_few_acks(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	peer_data(bed, 1460); /* a segment of full size is known */
	bed_pass(bed, 100 * MS);
	peer_take(bed);
	for (int i = 0; i < 2000; i++) {
		peer_data(bed, 1);
		bed_pass(bed, 10);
	}
	bed_pass(bed, 100 * MS);
	assert_in_range(peer_take(bed), 1, 4);
	assert_int_equal(bed_conn(bed)->rx_head, 3460);
}

static void single_bytes_with_gaps_take_no_more_than_the_ranges_there_are(void **state)
{
	struct bed *bed = *state;
	struct conn_info info;

	reach(bed, TCP_ESTABLISHED);
	for (uint32_t i = 0; i < 20000; i++) {
		peer_data_at(bed, 3 + 2 * (i % 30000), 1);
		bed->outs = bed->expected = 0;
	}
	assert_true(bed_info(bed, &info));
	assert_int_equal(info.out_of_order_ranges, REASSEMBLY_RANGES);
	assert_int_equal(counter(bed, ooo_dropped), 20000 - REASSEMBLY_RANGES);
	/* and the stream comes out right when it does come */
	for (uint32_t at = 1; at < 20000; at += 1000)
		peer_data_at(bed, at, 1000);
	assert_int_equal(worker_waiting(&bed->worker), 20000);
	user_take(bed, 20000);
}

/* ---- slots ---- */

static void open_small(struct bed *bed, enum stack_busy busy)
{
	struct stack_config config = bed_config();

	config.max_connections = 1;
	config.backlog = 1;
	config.busy = busy;
	bed_open(bed, IP_V4, &config);
}

/* Fills all slots with connections that were closed while they waited, and half-opens one more. */
static unsigned fill_slots(struct bed *bed)
{
	unsigned slots = bed->stack->shape.conns;
	struct conn_info info;

	for (uint16_t i = 0; i < slots; i++) {
		bed_peer(bed, (uint8_t)(i + 1), 50000);
		establish(bed);
		assert_true(bed_info(bed, &info));
		assert_true(stack_close(bed->stack, info.id, bed->now_us));
		bed_settle(bed);
		bed_pass(bed, 10 * MS);
		bed->outs = bed->expected = 0;
		assert_int_equal(info.waiting, 1);
	}
	assert_int_equal(bed->stack->open_conns, slots);
	return slots;
}

static void what_was_closed_while_it_waited_makes_room_too(void **state)
{
	struct bed bed;

	(void)state;
	open_small(&bed, STACK_BUSY_DROP);
	fill_slots(&bed);
	bed_peer(&bed, 99, 50001);
	peer_syn(&bed);
	peer_flags(&bed, ACK);
	expect_state(&bed, TCP_ESTABLISHED);
	assert_int_equal(counter(&bed, orphans_ended), 1);
	bed_peer(&bed, 1, 50000);
	expect_state(&bed, TCP_CLOSED);
	bed_peer(&bed, 2, 50000);
	expect_state(&bed, TCP_FIN_WAIT_1);
	bed_close(&bed);
}

static void the_one_whose_peer_still_acknowledges_goes_last(void **state)
{
	struct bed bed;
	unsigned slots;

	(void)state;
	open_small(&bed, STACK_BUSY_DROP);
	slots = fill_slots(&bed);
	bed_peer(&bed, 1, 50000);
	bed_conn(&bed)->unacked_since_us = bed.now_us;
	bed_seal(bed_conn(&bed));
	for (uint16_t i = 1; i < slots; i++) {
		bed_peer(&bed, 99, (uint16_t)(51000 + i));
		peer_syn(&bed);
		peer_flags(&bed, ACK);
		expect_state(&bed, TCP_ESTABLISHED);
		peer_flags(&bed,
		           FINACK); /* no place in the queue for the next one is its problem */
		bed.outs = bed.expected = 0;
		break;
	}
	bed_peer(&bed, 1, 50000);
	expect_state(&bed, TCP_FIN_WAIT_1);
	bed_peer(&bed, 2, 50000);
	expect_state(&bed, TCP_CLOSED);
	bed_close(&bed);
}

static void a_call_makes_room_as_well(void **state)
{
	const char *error;
	struct bed bed;

	(void)state;
	open_small(&bed, STACK_BUSY_DROP);
	fill_slots(&bed);
	bed_peer(&bed, 99, 2323);
	assert_true(stack_call(bed.stack, &bed.flow.local, &bed.flow.peer, 0, 0, false, bed.now_us,
	                       &error) != 0);
	assert_int_equal(counter(&bed, orphans_ended), 1);
	bed_close(&bed);
}

static void after_a_take_over_they_make_room_as_before(void **state)
{
	struct bed bed;

	(void)state;
	open_small(&bed, STACK_BUSY_DROP);
	fill_slots(&bed);
	bed_take_over(&bed);
	assert_int_equal(bed.stack->orphans.count, bed.stack->shape.conns);
	bed.outs = bed.expected = 0;
	bed_peer(&bed, 99, 50001);
	peer_syn(&bed);
	peer_flags(&bed, ACK);
	expect_state(&bed, TCP_ESTABLISHED);
	bed_close(&bed);
}

/* A half-open entry can be closed and aborted whatever is free. */
static void close_and_abort_of_a_half_open_entry_need_no_free_slot(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct conn_info info;
		struct bed bed;

		open_small(&bed, STACK_BUSY_DROP);
		bed_peer(&bed, 99, 50001);
		peer_syn(&bed);
		fill_slots(&bed);
		bed_peer(&bed, 99, 50001);
		assert_true(bed_info(&bed, &info));
		bed.iss = info.iss;
		if (which == 0)
			assert_true(stack_abort(bed.stack, info.id, bed.now_us));
		else
			assert_true(stack_close(bed.stack, info.id, bed.now_us));
		bed_settle(&bed);
		if (which == 0) {
			expect(&bed, RSTACK, 1, 1, 0);
			expect_state(&bed, TCP_CLOSED);
			assert_non_null(bed_moved(&bed, TCP_SYN_RECEIVED, TCP_CLOSED));
			assert_int_equal(counter(&bed, orphans_ended), 0);
		} else {
			expect_state(&bed, TCP_FIN_WAIT_1);
			assert_int_equal(counter(&bed, orphans_ended), 1);
		}
		bed_close(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_3465_divided_acks_bring_no_larger_window),
		cmocka_unit_test(rfc_5961_acknowledging_what_was_not_sent_brings_nothing),
		cmocka_unit_test(repeated_acks_bring_out_no_more_than_they_can_stand_for),
		cmocka_unit_test(rfc_2018_blocks_of_what_was_never_sent_are_ignored),
		with_bed(single_bytes_in_order_get_few_acks),
		with_bed(single_bytes_with_gaps_take_no_more_than_the_ranges_there_are),
		cmocka_unit_test(what_was_closed_while_it_waited_makes_room_too),
		cmocka_unit_test(the_one_whose_peer_still_acknowledges_goes_last),
		cmocka_unit_test(a_call_makes_room_as_well),
		cmocka_unit_test(after_a_take_over_they_make_room_as_before),
		cmocka_unit_test(close_and_abort_of_a_half_open_entry_need_no_free_slot),
	};

	return cmocka_run_group_tests_name("greedy_peers", tests, NULL, NULL);
}
