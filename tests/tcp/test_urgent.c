/* Urgent data (RFC 9293, 3.8.5, with the pointer as RFC 6093 found it): both ways. */
#include "tests/tcp/harness.h"

static void the_peers_pointer_names_the_octet_after_the_urgent_one(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	peer_data(bed, 10);
	assert_int_equal(worker_rx_urgent(&bed->worker), RING_NO_URGENT);
	/* IAC DM: two octets, the pointer behind DM */
	peer_urgent(bed, 2, 2);
	assert_int_equal(worker_rx_urgent(&bed->worker), 12);
	assert_int_equal(worker_waiting(&bed->worker), 12);
	/* what follows moves nothing */
	peer_data(bed, 100);
	assert_int_equal(worker_rx_urgent(&bed->worker), 12);
}

static void the_mark_comes_before_the_data_does(void **state)
{
	struct bed *bed = *state;
	unsigned before;

	reach(bed, TCP_ESTABLISHED);
	worker_sleep(&bed->worker, true);
	before = bed->doorbells;
	peer_urgent(bed, 0, 500);
	assert_int_equal(worker_rx_urgent(&bed->worker), 500);
	assert_int_equal(worker_waiting(&bed->worker), 0);
	assert_int_equal(bed->doorbells, before + 1);
}

static void the_mark_gets_through_a_shut_window(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	bed->offer.scale = -1;
	establish_with_worker(bed, 4096, 4096);
	peer_data(bed, 4096);
	seg = peer_segment(bed, ACK | URG);
	seg.urgent = 1000;
	peer_send(bed, &seg);
	assert_int_equal(worker_rx_urgent(&bed->worker), 5096);
}

static void the_mark_only_grows(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	peer_urgent(bed, 5, 100);
	assert_int_equal(worker_rx_urgent(&bed->worker), 100);
	peer_urgent(bed, 5, 3);
	assert_int_equal(worker_rx_urgent(&bed->worker), 100);
	peer_urgent(bed, 5, 200);
	assert_int_equal(worker_rx_urgent(&bed->worker), 210);
}

static void a_pointer_of_zero_or_into_the_past_is_nothing(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	reach(bed, TCP_ESTABLISHED);
	peer_urgent(bed, 5, 0);
	peer_data(bed, 100);
	seg = peer_segment(bed, ACK | URG);
	seg.seq = PEER_ISS + 1;
	seg.urgent = 50;
	seg.data = (const uint8_t *)"x";
	seg.data_length = 1;
	peer_send(bed, &seg);
	assert_int_equal(worker_rx_urgent(&bed->worker), RING_NO_URGENT);
}

static void a_mark_that_comes_with_the_fin_is_where_it_belongs(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	reach(bed, TCP_ESTABLISHED);
	seg = peer_segment(bed, FINACK | URG);
	seg.data = (const uint8_t *)"\0\7";
	seg.data_length = 2;
	seg.urgent = 2;
	peer_send(bed, &seg);
	expect_state(bed, TCP_CLOSE_WAIT);
	assert_int_equal(worker_rx_urgent(&bed->worker), 2);
}

static void a_pointer_without_urg_is_nothing(void **state)
{
	struct bed *bed = *state;
	struct segment seg;

	reach(bed, TCP_ESTABLISHED);
	seg = peer_segment(bed, ACK);
	seg.urgent = 50;
	peer_send(bed, &seg);
	assert_int_equal(worker_rx_urgent(&bed->worker), RING_NO_URGENT);
}

static void a_mark_that_came_early_is_there_when_the_worker_is(void **state)
{
	struct bed *bed = *state;

	establish(bed);
	peer_urgent(bed, 10, 4);
	attach(bed, 65536, 65536);
	assert_int_equal(worker_rx_urgent(&bed->worker), 4);
	assert_int_equal(worker_waiting(&bed->worker), 10);
}

static void a_mark_far_behind_does_not_come_around(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	peer_urgent(bed, 10, 10);
	/* as if a gigabyte had passed it, and then two more */
	bed_conn(bed)->rcv_up -= 0x40000000u;
	peer_data(bed, 100);
	bed_conn(bed)->rcv_up -= 0x80000000u;
	peer_data(bed, 100);
	assert_int_equal(worker_rx_urgent(&bed->worker), 10);
	peer_urgent(bed, 10, 10);
	assert_int_equal(worker_rx_urgent(&bed->worker), 220);
}

/* ---- ours ---- */

static void our_pointer_names_the_octet_after_the_urgent_one(void **state)
{
	struct bed *bed = *state;
	uint8_t synch[2] = {0, 7};
	const struct out *out;

	reach(bed, TCP_ESTABLISHED);
	assert_int_equal(worker_write(&bed->worker, synch, 2), 2);
	worker_urgent(&bed->worker);
	user_ring(bed);
	out = expect(bed, ACK | URG, 1, 1, 2);
	assert_int_equal(out->seg.urgent, 2);
	/* what comes behind it is not urgent, nor is what was acknowledged */
	user_write(bed, 100);
	expect(bed, ACK, 3, 1, 100);
	peer_ack(bed);
	user_write(bed, 100);
	expect(bed, ACK, 103, 1, 100);
}

static void a_mark_waits_for_the_data_that_it_belongs_to(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	bed->worker.tx_head = 3;
	worker_urgent(&bed->worker); /* stored before tx_head, as a worker does */
	bed->worker.tx_head = 0;
	user_ring(bed);
	expect_nothing(bed);
	user_write(bed, 5);
	assert_int_equal(expect(bed, ACK | URG, 1, 1, 5)->seg.urgent, 3);
}

static void every_segment_before_the_mark_points_to_it(void **state)
{
	struct bed *bed = *state;

	bed->offer.sack = false; /* no tail loss probe before the time-out */
	reach(bed, TCP_ESTABLISHED);
	bed->attached = false; /* leave the pattern: the write below rings once only */
	{
		uint8_t bytes[4000] = {0};

		worker_write(&bed->worker, bytes, 4000);
		worker_urgent(&bed->worker);
		user_ring(bed);
	}
	bed->attached = true;
	assert_int_equal(expect(bed, ACK | URG, 1, 1, 1460)->seg.urgent, 4000);
	assert_int_equal(expect(bed, ACK | URG, 1461, 1, 1460)->seg.urgent, 2540);
	assert_int_equal(expect(bed, ACK | URG, 2921, 1, 1080)->seg.urgent, 1080);
	/* and again when they are sent again */
	bed->attached = false;
	bed_pass_until_out(bed, S);
	bed->attached = true;
	assert_int_equal(expect(bed, ACK | URG, 1, 1, 1460)->seg.urgent, 4000);
}

static void a_shut_window_does_not_hold_the_mark_back(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	bed->window = 0;
	peer_flags(bed, ACK);
	user_write(bed, 1000);
	expect_nothing(bed);
	worker_urgent(&bed->worker);
	user_ring(bed);
	assert_int_equal(expect(bed, ACK | URG, 1, 1, 0)->seg.urgent, 1000);
	expect_nothing(bed);
	user_ring(bed); /* told once */
	expect_nothing(bed);
}

static void a_mark_too_far_ahead_points_as_far_as_it_can(void **state)
{
	struct bed *bed = *state;

	bed->offer.scale = 7;
	bed->window = 1;
	establish_with_worker(bed, 65536, 262144);
	user_write(bed, 200000);
	peer_take(bed);
	worker_urgent(&bed->worker);
	user_ring(bed);
	bed->window = 2000;
	bed->ack = bed->iss + 1 + bed_conn(bed)->snd_nxt - bed_conn(bed)->snd_una;
	peer_flags(bed, ACK);
	while (bed->expected < bed->outs) {
		const struct out *out = next_out(bed);

		assert_true(out->seg.flags & URG);
		assert_true(out->seg.urgent == 65535 || out->seq + out->seg.urgent == 200001);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(the_peers_pointer_names_the_octet_after_the_urgent_one),
		with_bed_v6(the_peers_pointer_names_the_octet_after_the_urgent_one),
		with_bed(the_mark_comes_before_the_data_does),
		with_bed(the_mark_gets_through_a_shut_window),
		with_bed(the_mark_only_grows),
		with_bed(a_pointer_of_zero_or_into_the_past_is_nothing),
		with_bed(a_mark_that_comes_with_the_fin_is_where_it_belongs),
		with_bed(a_pointer_without_urg_is_nothing),
		with_bed(a_mark_that_came_early_is_there_when_the_worker_is),
		with_bed(a_mark_far_behind_does_not_come_around),
		with_bed(our_pointer_names_the_octet_after_the_urgent_one),
		with_bed(a_mark_waits_for_the_data_that_it_belongs_to),
		with_bed(every_segment_before_the_mark_points_to_it),
		with_bed(a_shut_window_does_not_hold_the_mark_back),
		with_bed(a_mark_too_far_ahead_points_as_far_as_it_can),
	};

	return cmocka_run_group_tests_name("urgent", tests, NULL, NULL);
}
