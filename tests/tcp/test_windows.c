/*
 * Windows (RFC 9293, 3.8.6): offered and used, shut and probed, never silly; delayed ACKs
 * (3.8.6.3), and what becomes of data that is not next.
 */
#include "tests/tcp/harness.h"

/* No window scaling, so that numbers are what they say. */
static void open_plain(struct bed *bed, uint32_t rx)
{
	bed->offer.scale = -1;
	establish_with_worker(bed, rx, 65536);
}

/* ---- receiving ---- */

static void in_order_data_is_acknowledged_within_40_ms(void **state)
{
	struct bed *bed = *state;

	unsigned before;

	open_plain(bed, 16384);
	before = counter(bed, delayed_acks);
	peer_data(bed, 100);
	expect_nothing(bed);
	assert_int_equal(bed_pass_until_out(bed, S), 40 * MS);
	expect(bed, ACK, 1, 101, 0);
	assert_int_equal(counter(bed, delayed_acks), before + 1);
	user_take(bed, 100);
}

static void shld_19_every_second_full_segment_is_acknowledged_at_once(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	peer_data(bed, 1460);
	expect_nothing(bed);
	peer_data(bed, 1460);
	expect(bed, ACK, 1, 2921, 0);
	peer_data(bed, 1460);
	expect_nothing(bed);
	peer_data(bed, 1460);
	expect(bed, ACK, 1, 5841, 0);
}

static void data_that_we_send_carries_the_ack(void **state)
{
	struct bed *bed = *state;

	bed->offer.sack = false; /* no tail loss probe */
	open_plain(bed, 16384);
	peer_data(bed, 1);
	user_take(bed, 1);
	user_write(bed, 1);
	expect(bed, ACK, 1, 2, 1);
	bed_pass(bed, 100 * MS);
	expect_nothing(bed);
}

static void a_segment_that_was_merged_on_the_way_is_acknowledged_at_once(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 65536);
	peer_data(bed, 14600);
	expect(bed, ACK, 1, 14601, 0);
	user_take(bed, 14600);
}

static void rfc_5681_a_gap_is_answered_at_once_and_so_is_its_filling(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	peer_data_at(bed, 101, 100);
	expect(bed, ACK, 1, 1, 0);
	peer_data_at(bed, 301, 100);
	expect(bed, ACK, 1, 1, 0);
	peer_data_at(bed, 1, 100);
	expect(bed, ACK, 1, 201, 0);
	peer_data_at(bed, 201, 100);
	expect(bed, ACK, 1, 401, 0);
	user_take(bed, 400);
}

static void rfc_2018_gaps_are_reported_the_latest_first(void **state)
{
	struct bed *bed = *state;
	const struct segment *seg;

	open_plain(bed, 16384);
	peer_data_at(bed, 101, 100);
	seg = &expect(bed, ACK, 1, 1, 0)->seg;
	assert_int_equal(seg->sack_count, 1);
	assert_int_equal(seg->sack[0].start, PEER_ISS + 101);
	assert_int_equal(seg->sack[0].end, PEER_ISS + 201);
	peer_data_at(bed, 301, 100);
	peer_data_at(bed, 501, 100);
	(void)next_out(bed);
	seg = &expect(bed, ACK, 1, 1, 0)->seg;
	assert_int_equal(seg->sack_count, 3);
	assert_int_equal(seg->sack[0].start, PEER_ISS + 501);
	assert_int_equal(seg->sack[1].start, PEER_ISS + 301);
	assert_int_equal(seg->sack[2].start, PEER_ISS + 101);
	peer_data_at(bed, 201, 100);
	seg = &expect(bed, ACK, 1, 1, 0)->seg;
	assert_int_equal(seg->sack_count, 2);
	assert_int_equal(seg->sack[0].start, PEER_ISS + 101);
	assert_int_equal(seg->sack[0].end, PEER_ISS + 401);
}

static void without_sack_no_blocks_are_sent(void **state)
{
	struct bed *bed = *state;

	bed->offer.sack = false;
	open_plain(bed, 16384);
	peer_data_at(bed, 101, 100);
	assert_int_equal(expect(bed, ACK, 1, 1, 0)->seg.sack_count, 0);
}

static void overlapping_segments_are_trimmed(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	peer_data_at(bed, 1, 100);
	peer_data_at(bed, 51, 100);
	peer_data_at(bed, 1, 300);
	peer_data_at(bed, 401, 100);
	peer_data_at(bed, 351, 100);
	peer_data_at(bed, 251, 200);
	bed_pass(bed, 100 * MS);
	assert_int_equal(bed->out[bed->outs - 1].ack, 501);
	user_take(bed, 500);
	assert_int_equal(bed_conn(bed)->counters.bytes_in, 500);
}

static void data_beyond_the_window_is_cut_off(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 4096);
	peer_data_at(bed, 1, 5000);
	assert_int_equal(expect(bed, ACK, 1, 4097, 0)->seg.window, 0);
	user_take(bed, 4096);
	bed_pass(bed, 40 * MS);
	assert_int_equal(counter(bed, window_dropped), 5000 - 4096);
	expect(bed, ACK, 1, 4097, 0);
	peer_data_at(bed, 4097 + 4090, 100); /* beyond a gap, too */
	expect(bed, ACK, 1, 4097, 0);
	assert_int_equal(counter(bed, window_dropped), 5000 - 4096 + 94);
}

static void the_bytes_around_the_rings_end_are_right(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 4096);
	for (uint32_t i = 0; i < 40; i++) {
		uint32_t at = bed->seq - PEER_ISS;

		peer_data_at(bed, at + 1000, 1000);
		peer_data_at(bed, at, 1000);
		bed->seq += 2000;
		user_take(bed, 2000);
		peer_take(bed);
	}
}

static void more_gaps_than_there_is_room_for_are_forgotten_not_confused(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	for (uint32_t i = 0; i < 100; i++)
		peer_data_at(bed, 3 + 2 * i, 1);
	peer_take(bed);
	assert_int_equal(counter(bed, ooo_dropped), 100 - REASSEMBLY_RANGES);
	peer_data_at(bed, 1, 300);
	bed_pass(bed, 100 * MS);
	user_take(bed, 300);
}

/* ---- the window that we offer ---- */

static void a_full_ring_shuts_the_window_and_its_reader_opens_it(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 4096);
	user_write(bed, 1);
	peer_ack(bed);
	peer_data(bed, 2048);
	peer_data(bed, 2048);
	assert_int_equal(expect(bed, ACK, 2, 4097, 0)->seg.window, 0);
	/* RFC 9293, 3.8.6.2.2: not by less than a segment or half the buffer */
	user_take(bed, 1000);
	expect_nothing(bed);
	user_take(bed, 459);
	expect_nothing(bed);
	user_take(bed, 1);
	assert_int_equal(expect(bed, ACK, 2, 4097, 0)->seg.window, 1460);
	user_take(bed, 2636);
	assert_int_equal(expect(bed, ACK, 2, 4097, 0)->seg.window, 4096);
}

static void before_our_first_byte_the_window_waits_for_it(void **state)
{
	struct bed *bed = *state;

	bed->offer.scale = -1;
	bed->offer.sack = false; /* no tail loss probe */
	establish(bed);
	attach(bed, 16384, 16384);
	expect_nothing(bed);
	bed_pass(bed, 10 * MS);
	user_write(bed, 3); /* the greeting */
	assert_int_equal(expect(bed, ACK, 1, 1, 3)->seg.window, 16384);
	bed_pass(bed, 100 * MS);
	expect_nothing(bed);
}

static void shld_14_the_windows_right_edge_never_moves_back(void **state)
{
	struct bed *bed = *state;
	uint32_t edge = 0;

	open_plain(bed, 4096);
	for (int i = 0; i < 300; i++) {
		peer_data(bed, 1 + (uint32_t)i % 13);
		if (i % 3 == 0)
			user_take(bed, worker_waiting(&bed->worker) / 2);
		bed_pass(bed, 10 * MS);
		while (bed->expected < bed->outs) {
			const struct out *out = next_out(bed);

			assert_true(out->ack + out->seg.window >= edge);
			edge = out->ack + out->seg.window;
		}
		bed->outs = bed->expected = 0;
	}
}

static void a_probe_of_the_shut_window_is_answered(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 4096);
	peer_data(bed, 4096);
	expect(bed, ACK, 1, 4097, 0);
	for (int i = 0; i < 5; i++) {
		peer_data_at(bed, 4097, 1);
		assert_int_equal(expect(bed, ACK, 1, 4097, 0)->seg.window, 0);
		bed_pass(bed, S);
	}
	assert_int_equal(worker_waiting(&bed->worker), 4096);
	user_take(bed, 4096);
	bed_pass(bed, 40 * MS);
	assert_int_equal(expect(bed, ACK, 1, 4097, 0)->seg.window, 4096);
}

static void a_shut_window_lets_acks_and_rst_through(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 4096);
	peer_data(bed, 4096);
	user_write(bed, 100);
	peer_ack(bed);
	assert_int_equal(worker_tx_tail(&bed->worker), 100);
	/* an ACK that comes with a probe counts, too */
	user_write(bed, 100);
	peer_take(bed);
	peer_data_at(bed, 4097, 1);
	assert_int_equal(worker_tx_tail(&bed->worker), 200);
	peer_flags(bed, RST);
	expect_state(bed, TCP_CLOSED);
}

/* ---- the window that we are offered ---- */

static void no_more_is_sent_than_the_window_allows(void **state)
{
	struct bed *bed = *state;

	bed->window = 3000;
	open_plain(bed, 16384);
	user_write(bed, 10000);
	expect(bed, ACK, 1, 1, 1460);
	expect(bed, ACK, 1461, 1, 1460);
	expect_nothing(bed); /* 80 bytes of window are not worth a segment */
	peer_ack(bed);
	expect(bed, ACK, 2921, 1, 1460);
	expect(bed, ACK, 4381, 1, 1460);
	expect_nothing(bed);
}

static void must_36_a_shut_window_is_probed_with_doubling_intervals(void **state)
{
	struct bed *bed = *state;
	uint64_t waited, before = 0;

	open_plain(bed, 16384);
	bed->window = 0;
	peer_flags(bed, ACK);
	user_write(bed, 5000);
	expect_nothing(bed);
	for (int i = 0; i < 12; i++) {
		waited = bed_pass_until_out(bed, 61 * S);
		expect(bed, ACK, 1, 1, 1);
		if (before != 0)
			assert_int_equal(waited, before * 2 < 60 * S ? before * 2 : waited);
		assert_true(waited <= 60 * S);
		before = waited;
		peer_flags(bed, ACK); /* still shut */
		expect_nothing(bed);
	}
	assert_int_equal(counter(bed, persist_probes), 12);
	bed->window = 10000;
	peer_flags(bed, ACK);
	expect(bed, ACK, 1, 1, 1); /* what the probe brought in vain, at once */
	peer_ack(bed);
	assert_int_equal(worker_tx_tail(&bed->worker), 5000);
	expect_nothing(bed);
}

static void must_37_a_peer_that_answers_probes_is_never_given_up(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->window = 0;
	peer_flags(bed, ACK);
	user_write(bed, 5000);
	for (int i = 0; i < 600; i++) {
		bed_pass_until_out(bed, 61 * S);
		bed->outs = bed->expected = 0;
		peer_flags(bed, ACK);
	}
	expect_state(bed, TCP_ESTABLISHED);
}

static void a_peer_that_answers_no_probe_is_given_up(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->window = 0;
	peer_flags(bed, ACK);
	bed_pass(bed, 3600 * S); /* idle: the silence begins with the first probe */
	user_write(bed, 5000);
	bed_pass(bed, 600 * S);
	expect_state(bed, TCP_ESTABLISHED);
	bed_pass(bed, 600 * S);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(worker_reset_reason(&bed->worker), RING_RESET_TIMEOUT);
}

static void the_probes_byte_may_be_accepted(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->window = 0;
	peer_flags(bed, ACK);
	user_write(bed, 3);
	for (uint32_t i = 0; i < 3; i++) {
		bed_pass_until_out(bed, 61 * S);
		expect(bed, ACK, 1 + i, 1, 1);
		bed->ack++;
		peer_flags(bed, ACK);
	}
	assert_int_equal(worker_tx_tail(&bed->worker), 3);
	bed_pass(bed, 3600 * S);
	expect_nothing(bed);
}

static void a_window_that_shuts_on_data_in_flight_is_probed_with_it(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	user_write(bed, 2920);
	peer_take(bed);
	bed->window = 0;
	bed->ack = bed->iss + 1;
	peer_flags(bed, ACK);
	bed_pass_until_out(bed, 10 * S);
	expect(bed, ACK, 1, 1, 1);
	assert_int_equal(counter(bed, timeouts), 0);
	bed->window = 10000;
	peer_flags(bed, ACK);
	expect(bed, ACK, 1, 1, 1460);
	expect(bed, ACK, 1461, 1, 1460);
	expect_nothing(bed);
}

static void fin_is_sent_behind_a_shut_window_once_it_opens(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->window = 0;
	peer_flags(bed, ACK);
	user_write(bed, 100);
	user_close(bed);
	expect_nothing(bed);
	bed_pass_until_out(bed, 10 * S);
	expect(bed, ACK, 1, 1, 1);
	bed->window = 1000;
	peer_flags(bed, ACK);
	while (bed->ack != bed->iss + 102)
		peer_ack(bed);
	expect_state(bed, TCP_FIN_WAIT_2);
}

static void a_fin_that_met_a_shut_window_is_sent_again_when_it_opens(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	user_write(bed, 100);
	bed->window = 0;
	peer_ack(bed);
	user_close(bed);
	expect(bed, FINACK, 101, 1, 0);
	for (int i = 0; i < 8; i++) { /* the peer has no room for it */
		bed_pass_until_out(bed, 61 * S);
		expect(bed, FINACK, 101, 1, 0);
		peer_flags(bed, ACK);
	}
	bed_pass(bed, S);
	bed->window = 1000;
	peer_flags(bed, ACK);
	expect(bed, FINACK, 101, 1, 0);
	peer_ack(bed);
	expect_state(bed, TCP_FIN_WAIT_2);
}

static void the_peers_fin_needs_room_in_our_window_too(void **state)
{
	struct bed *bed = *state;
	struct segment seg;
	uint8_t data[4096] = {0};

	open_plain(bed, 4096);
	seg = peer_segment(bed, FINACK);
	seg.data = data;
	seg.data_length = 4096;
	peer_send(bed, &seg);
	assert_int_equal(expect(bed, ACK, 1, 4097, 0)->seg.window, 0);
	expect_state(bed, TCP_ESTABLISHED);
	bed->seq += 4096;
	assert_int_equal(worker_take(&bed->worker, NULL, 4096), 4096);
	user_ring(bed);
	bed_pass(bed, 40 * MS);
	peer_take(bed);
	peer_flags(bed, FINACK);
	expect(bed, ACK, 1, 4098, 0);
	expect_state(bed, TCP_CLOSE_WAIT);
}

static void must_38_a_small_window_is_not_filled_in_small_pieces(void **state)
{
	struct bed *bed = *state;

	bed->window = 10000;
	open_plain(bed, 16384);
	bed->window = 100;
	peer_flags(bed, ACK);
	user_write(bed, 5000);
	expect_nothing(bed);
	/* the override: after a while what fits is sent */
	bed_pass_until_out(bed, 10 * S);
	expect(bed, ACK, 1, 1, 100);
	bed->window = 10000;
	peer_ack(bed);
	expect(bed, ACK, 101, 1, 1460);
}

/* The next segment with data; the peer goes on with WHAT every 100 ms meanwhile. */
static const struct out *data_despite(struct bed *bed, void (*what)(struct bed *bed))
{
	for (int i = 0; i < 100; i++) {
		bed_pass(bed, 100 * MS);
		while (bed->expected < bed->outs) {
			const struct out *out = next_out(bed);

			if (out->seg.data_length > 0)
				return out;
		}
		what(bed);
	}
	fail_msg("no data has gone in ten seconds");
	return NULL;
}

static void types(struct bed *bed)
{
	peer_data(bed, 1);
}

static void the_override_comes_though_the_peer_types(void **state)
{
	struct bed *bed = *state;
	const struct out *out;

	bed->window = 10000;
	open_plain(bed, 16384);
	bed->window = 100;
	peer_flags(bed, ACK);
	user_write(bed, 5000);
	expect_nothing(bed);
	out = data_despite(bed, types);
	assert_int_equal(out->seq, 1);
	assert_int_equal(out->seg.data_length, 100);
	/* it is on its way: another keystroke is no reason to send it again */
	types(bed);
	while (bed->expected < bed->outs)
		assert_int_equal(next_out(bed)->seg.data_length, 0);
}

static void flickers(struct bed *bed)
{
	bed->window = !bed->window;
	peer_flags(bed, ACK);
}

static void a_window_that_opens_by_a_byte_and_shuts_puts_no_probe_off(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->window = 0;
	peer_flags(bed, ACK);
	user_write(bed, 5000);
	expect_nothing(bed);
	assert_int_equal(data_despite(bed, flickers)->seg.data_length, 1);
	/* once it is really open, all goes */
	bed->window = 10000;
	peer_ack(bed);
	peer_take(bed);
	assert_int_equal(bed->ack - bed->iss, 1 + 5000);
}

static void half_the_largest_window_is_worth_sending(void **state)
{
	struct bed *bed = *state;

	bed->window = 1000;
	open_plain(bed, 16384);
	bed->window = 500;
	peer_flags(bed, ACK);
	user_write(bed, 5000);
	expect(bed, ACK, 1, 1, 500);
	expect_nothing(bed);
}

static void an_old_segment_does_not_change_the_window(void **state)
{
	struct bed *bed = *state;
	struct segment old;

	open_plain(bed, 16384);
	old = peer_segment(bed, ACK);
	old.window = 1;
	peer_data(bed, 10);
	bed->window = 5000;
	peer_flags(bed, ACK);
	assert_int_equal(bed_conn(bed)->snd_wnd, 5000);
	peer_send(bed, &old);
	assert_int_equal(bed_conn(bed)->snd_wnd, 5000);
}

static void a_segment_that_was_overtaken_does_not_change_the_window(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->window = 5000;
	peer_data_at(bed, 101, 100);
	assert_int_equal(bed_conn(bed)->snd_wnd, 5000);
	bed->window = 1;
	peer_data_at(bed, 1, 100); /* sent before it, though it comes after */
	assert_int_equal(bed_conn(bed)->rcv_nxt, PEER_ISS + 201);
	assert_int_equal(bed_conn(bed)->snd_wnd, 5000);
}

/* What is sent again looks older than it is; counted from the new snd_una, the old window is too large. */
static void a_segment_sent_again_with_a_new_ack_brings_its_window(void **state)
{
	struct bed *bed = *state;

	open_plain(bed, 16384);
	bed->window = 1000;
	peer_data_at(bed, 101, 100);
	(void)next_out(bed);
	user_write(bed, 1000);
	(void)peer_take(bed);
	bed->window = 0;
	peer_data_at(bed, 1, 100);
	assert_int_equal(bed_conn(bed)->snd_una, bed_conn(bed)->snd_nxt);
	assert_int_equal(bed_conn(bed)->snd_wnd, 0);
}

static void data_with_an_old_ack_is_taken_and_acknowledged(void **state)
{
	struct bed *bed = *state;
	struct segment old;

	open_plain(bed, 16384);
	user_write(bed, 100);
	old = peer_segment(bed, ACK);
	peer_ack(bed);
	old.data = (const uint8_t *)"";
	old.data_length = 1;
	peer_send(bed, &old);
	assert_int_equal(worker_waiting(&bed->worker), 1);
	assert_int_equal(bed_pass_until_out(bed, S), 40 * MS);
	expect(bed, ACK, 101, 2, 0);
}

/* ---- before there is a worker ---- */

static void early_data_waits_and_the_window_says_how_much(void **state)
{
	struct bed *bed = *state;

	bed->offer.scale = -1;
	establish(bed);
	peer_data(bed, 1000);
	bed_pass(bed, 40 * MS);
	assert_int_equal(expect(bed, ACK, 1, 1001, 0)->seg.window, CONN_EARLY_BYTES - 1000);
	peer_data(bed, 3000);
	bed_pass(bed, 40 * MS);
	assert_int_equal(bed->out[bed->outs - 1].seg.window, 96);
	peer_data(bed, 96);
	bed_pass(bed, 40 * MS);
	assert_int_equal(bed->out[bed->outs - 1].seg.window, 0);
	peer_take(bed);
	attach(bed, 16384, 16384);
	user_take(bed, 4096);
	bed_pass(bed, 40 * MS);
	assert_int_equal(bed->out[bed->outs - 1].seg.window, 16384);
	peer_data(bed, 5000);
	user_take(bed, 5000);
}

static void early_data_out_of_order_is_dropped_and_comes_again(void **state)
{
	struct bed *bed = *state;

	establish(bed);
	peer_data_at(bed, 101, 100);
	assert_int_equal(expect(bed, ACK, 1, 1, 0)->seg.sack_count, 0);
	peer_data_at(bed, 1, 200);
	bed_pass(bed, 40 * MS);
	expect(bed, ACK, 1, 201, 0);
	attach(bed, 16384, 16384);
	user_take(bed, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(in_order_data_is_acknowledged_within_40_ms),
		with_bed(shld_19_every_second_full_segment_is_acknowledged_at_once),
		with_bed(data_that_we_send_carries_the_ack),
		with_bed(a_segment_that_was_merged_on_the_way_is_acknowledged_at_once),
		with_bed(rfc_5681_a_gap_is_answered_at_once_and_so_is_its_filling),
		with_bed(rfc_2018_gaps_are_reported_the_latest_first),
		with_bed_v6(rfc_2018_gaps_are_reported_the_latest_first),
		with_bed(without_sack_no_blocks_are_sent),
		with_bed(overlapping_segments_are_trimmed),
		with_bed(data_beyond_the_window_is_cut_off),
		with_bed(the_bytes_around_the_rings_end_are_right),
		with_bed(more_gaps_than_there_is_room_for_are_forgotten_not_confused),
		with_bed(a_full_ring_shuts_the_window_and_its_reader_opens_it),
		with_bed(before_our_first_byte_the_window_waits_for_it),
		with_bed(shld_14_the_windows_right_edge_never_moves_back),
		with_bed(a_probe_of_the_shut_window_is_answered),
		with_bed(a_shut_window_lets_acks_and_rst_through),
		with_bed(no_more_is_sent_than_the_window_allows),
		with_bed(must_36_a_shut_window_is_probed_with_doubling_intervals),
		with_bed_v6(must_36_a_shut_window_is_probed_with_doubling_intervals),
		with_bed(must_37_a_peer_that_answers_probes_is_never_given_up),
		with_bed(a_peer_that_answers_no_probe_is_given_up),
		with_bed(the_probes_byte_may_be_accepted),
		with_bed(a_window_that_shuts_on_data_in_flight_is_probed_with_it),
		with_bed(fin_is_sent_behind_a_shut_window_once_it_opens),
		with_bed(a_fin_that_met_a_shut_window_is_sent_again_when_it_opens),
		with_bed(the_peers_fin_needs_room_in_our_window_too),
		with_bed(a_segment_that_was_overtaken_does_not_change_the_window),
		with_bed(a_segment_sent_again_with_a_new_ack_brings_its_window),
		with_bed(must_38_a_small_window_is_not_filled_in_small_pieces),
		with_bed(the_override_comes_though_the_peer_types),
		with_bed(a_window_that_opens_by_a_byte_and_shuts_puts_no_probe_off),
		with_bed(half_the_largest_window_is_worth_sending),
		with_bed(an_old_segment_does_not_change_the_window),
		with_bed(data_with_an_old_ack_is_taken_and_acknowledged),
		with_bed(early_data_waits_and_the_window_says_how_much),
		with_bed(early_data_out_of_order_is_dropped_and_comes_again),
	};

	return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
