/*
 * RFC 7323 (timestamps, window scaling) and RFC 2018 (SACK): what their options do on a
 * connection. Each test bears the RFC whose rule it shows; more are in test_handshake.c,
 * test_blind_attacks.c and test_windows.c.
 */
#include "tests/tcp/harness.h"

static void with_timestamps(struct bed *bed)
{
	bed->offer.timestamps = true;
	reach(bed, TCP_ESTABLISHED);
}

/* ---- RFC 7323: timestamps ---- */

/* Section 3.2: once negotiated, every segment has them, and RST should. */
static void rfc_7323_every_segment_has_the_negotiated_timestamps(void **state)
{
	struct bed *bed = *state;

	with_timestamps(bed);
	user_write(bed, 3000);
	bed_pass(bed, 5 * S); /* sent again */
	peer_ack(bed);
	peer_data_at(bed, 101, 100); /* a duplicate ACK */
	peer_data(bed, 100);
	peer_data(bed, 100);
	bed_pass(bed, S);
	peer_take(bed);
	peer_flags(bed, ACK);
	worker_abort(&bed->worker);
	user_ring(bed);
	assert_int_equal(bed->out[bed->outs - 1].seg.flags, RSTACK);
	for (unsigned i = 0; i < bed->outs; i++)
		assert_true(bed->out[i].seg.has_timestamps);
	peer_take(bed);
	/* that of a half-open entry, too */
	bed_peer(bed, 0, 50000);
	peer_syn(bed);
	assert_true(bed->out[bed->outs - 1].seg.has_timestamps);
	stack_abort(bed->stack, info_of(bed).id, bed->now_us);
	bed_settle(bed);
	assert_true(expect(bed, RSTACK, 1, 1, 0)->seg.has_timestamps);
}

static void rfc_7323_timestamps_that_were_not_negotiated_are_ignored(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	bed->timestamps = true;
	for (uint32_t i = 0; i < 4; i++) {
		bed->ts_value -= 1000; /* older and older: PAWS would drop them */
		peer_data(bed, 1460);
	}
	user_take(bed, 4 * 1460);
	bed_pass(bed, S);
	while (bed->expected < bed->outs)
		assert_false(next_out(bed)->seg.has_timestamps);
	assert_int_equal(counter(bed, paws), 0);
}

/* Section 5.4: nobody learns the uptime or another connection's clock from one's own. */
static void rfc_7323_each_connection_has_a_clock_offset_of_its_own(void **state)
{
	struct bed *bed = *state;
	uint32_t value[16];

	bed->offer.timestamps = true;
	for (uint16_t i = 0; i < 16; i++) {
		bed_peer(bed, 0, (uint16_t)(50000 + i));
		peer_syn(bed);
		value[i] = bed->out[bed->outs - 1].seg.ts_value;
		peer_flags(bed, RST);
		for (uint16_t j = 0; j < i; j++)
			assert_true(value[i] - value[j] > 1000 && value[j] - value[i] > 1000);
	}
}

/* Section 4.1: an ACK that acknowledges nothing new brings no sample, whatever it echoes. */
static void rfc_7323_a_duplicate_ack_gives_no_sample(void **state)
{
	struct bed *bed = *state;
	uint64_t srtt;

	with_timestamps(bed);
	user_write(bed, 1000);
	peer_take(bed);
	bed->ack = bed->iss + 1;
	srtt = info_of(bed).srtt_us;
	bed_pass(bed, 50 * MS);
	for (int i = 0; i < 3; i++) {
		bed->ts_echo -= 5000;
		peer_flags(bed, ACK);
	}
	assert_int_equal(info_of(bed).srtt_us, srtt);
}

/* Section 5.3: what PAWS drops is answered, and neither moves TS.Recent nor anything else. */
static void rfc_7323_what_paws_drops_changes_nothing(void **state)
{
	struct bed *bed = *state;
	uint32_t now;

	with_timestamps(bed);
	user_write(bed, 1000);
	peer_take(bed);
	now = bed->ts_value;
	bed->ts_value = now - 1;
	peer_flags(bed, FINACK); /* and it acknowledges all, with another window */
	bed->seq--;
	expect(bed, ACK, 1001, 1, 0);
	expect_state(bed, TCP_ESTABLISHED);
	assert_int_equal(worker_tx_tail(&bed->worker), 0);
	assert_int_equal(bed_conn(bed)->ts_recent, now);
	/* half the circle ahead is old, one less is new */
	bed->ts_value = now + 0x80000000u;
	peer_data_at(bed, 1, 10);
	assert_int_equal(worker_waiting(&bed->worker), 0);
	bed->ts_value = now + 0x7fffffffu;
	peer_data_at(bed, 1, 10);
	assert_int_equal(worker_waiting(&bed->worker), 10);
}

/* Section 4.3: TS.Recent is taken from what spans the last ACK and is in the window only. */
static void rfc_7323_an_old_duplicate_does_not_move_the_echo_back(void **state)
{
	struct bed *bed = *state;

	with_timestamps(bed);
	bed->ts_value = 6000;
	peer_data(bed, 1460);
	peer_data(bed, 1460);
	assert_int_equal(expect(bed, ACK, 1, 2921, 0)->seg.ts_echo, 6000);
	bed->ts_value = 7000; /* a duplicate with a new clock, outside the window */
	peer_data_at(bed, 1, 1460);
	assert_int_equal(expect(bed, ACK, 1, 2921, 0)->seg.ts_echo, 6000);
}

/* ---- RFC 7323: windows ---- */

/*
 * Section 2.4: a scaled window cannot name each edge, so a later ACK seems to take back a
 * few bytes; what fitted into any window that was announced is taken.
 */
static void rfc_7323_a_window_that_was_rounded_down_is_still_honoured(void **state)
{
	struct stack_config config = bed_config();
	uint32_t edge = 1 + (1 << 20); /* that of the first ACK with a scaled window */
	bool less = false;
	struct bed bed;

	(void)state;
	config.receive_buffer = 1 << 20; /* a scale of 5 */
	bed_open(&bed, IP_V4, &config);
	establish_with_worker(&bed, 1 << 20, 65536);
	for (uint32_t i = 0; i < 40; i++) {
		peer_data(&bed, 1 + i % 7);
		bed_pass(&bed, 50 * MS);
		while (bed.expected < bed.outs) {
			const struct out *out = next_out(&bed);
			uint32_t right = out->ack + ((uint32_t)out->seg.window << 5);

			less |= right < edge;
			assert_true(right <= edge);
		}
	}
	assert_true(less);
	assert_int_equal((uint32_t)(PEER_ISS + edge), bed_conn(&bed)->rcv_adv);
	/* the last byte before the edge, beyond a gap */
	peer_data_at(&bed, edge - 1, 1);
	assert_int_equal(counter(&bed, out_of_order), 1);
	peer_data_at(&bed, edge, 1);
	assert_int_equal(counter(&bed, out_of_order), 1);
	bed_close(&bed);
}

/* Section 2.2: a scale that only one side offers counts for neither. */
static void rfc_7323_without_the_peers_offer_our_windows_are_not_scaled(void **state)
{
	struct stack_config config = bed_config();
	struct bed bed;

	(void)state;
	config.receive_buffer = 1 << 20;
	bed_open(&bed, IP_V4, &config);
	bed.offer.scale = -1;
	bed.window = 5000;
	establish(&bed);
	attach(&bed, 1 << 20, 65536);
	bed_pass(&bed, 100 * MS);
	assert_int_equal(expect(&bed, ACK, 1, 1, 0)->seg.window, 65535);
	assert_int_equal(bed_conn(&bed)->rcv_adv, bed_conn(&bed)->rcv_nxt + 65535);
	assert_int_equal(info_of(&bed).snd_wnd, 5000);
	bed_close(&bed);
}

/* ---- RFC 2018 ---- */

/* Section 3: what fits beside the timestamps; section 4: the latest first, as many as fit. */
static void rfc_2018_as_many_blocks_as_there_is_room_for(void **state)
{
	struct stack_config config = bed_config();

	(void)state;
	for (int timestamps = 0; timestamps < 2; timestamps++) {
		const struct segment *seg;
		struct bed bed;

		bed_open(&bed, IP_V4, &config);
		bed.offer.timestamps = timestamps;
		reach(&bed, TCP_ESTABLISHED);
		for (uint32_t i = 0; i < 6; i++)
			peer_data_at(&bed, 101 + 200 * i, 100);
		seg = &bed.out[bed.outs - 1].seg;
		assert_int_equal(seg->sack_count, timestamps ? 3 : 4);
		for (uint32_t i = 0; i < seg->sack_count; i++)
			assert_int_equal(seg->sack[i].start, PEER_ISS + 1101 - 200 * i);
		bed_close(&bed);
	}
}

/* Section 4: all ACKs that do not acknowledge the highest byte have them, those with data too. */
static void rfc_2018_segments_with_data_report_gaps_too(void **state)
{
	struct bed *bed = *state;
	const struct segment *seg;

	reach(bed, TCP_ESTABLISHED);
	peer_data_at(bed, 101, 100);
	expect(bed, ACK, 1, 1, 0);
	user_write(bed, 10);
	seg = &expect(bed, ACK, 1, 1, 10)->seg;
	assert_int_equal(seg->sack_count, 1);
	assert_int_equal(seg->sack[0].start, PEER_ISS + 101);
	assert_int_equal(seg->sack[0].end, PEER_ISS + 201);
	/* each later ACK repeats it until it is filled */
	peer_data_at(bed, 1, 10);
	bed_pass_until_out(bed, S);
	while (bed->expected < bed->outs)
		assert_int_equal(next_out(bed)->seg.sack_count, 1);
	peer_data_at(bed, 11, 90);
	assert_int_equal(expect(bed, ACK, 11, 201, 0)->seg.sack_count, 0);
}

/* Section 2: permitted by a SYN only, and used only when both sides permit it. */
static void rfc_2018_blocks_of_a_peer_that_did_not_permit_sack_are_ignored(void **state)
{
	struct bed *bed = *state;

	bed->offer.sack = false;
	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 5 * 1460);
	peer_take(bed);
	bed->ack = bed->iss + 1;
	peer_sack(bed, 1, 1461u, 2921u, 0u);
	assert_int_equal(info_of(bed).sacked_bytes, 0);
}

/* Section 8: what was SACKed may still be dropped by the peer, so it stays until it is acknowledged. */
static void rfc_2018_what_was_sacked_is_kept_until_it_is_acknowledged(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 3 * 1460);
	peer_take(bed);
	peer_sack(bed, 1, 1461u, 4381u, 0u);
	assert_int_equal(worker_tx_tail(&bed->worker), 0);
	/* the peer has reneged: all of it is sent again in the end */
	for (int i = 0; i < 40 && worker_tx_tail(&bed->worker) < 4380; i++) {
		uint32_t next = bed->ack = bed_conn(bed)->snd_una;

		bed_pass(bed, 2 * S);
		while (bed->expected < bed->outs) {
			const struct out *out = next_out(bed);

			if (out->seg.seq == next && out->seg.data_length > 0)
				next += out->seg.data_length;
		}
		bed->ack = next;
		peer_flags(bed, ACK);
	}
	assert_int_equal(worker_tx_tail(&bed->worker), 4380);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(rfc_7323_every_segment_has_the_negotiated_timestamps),
		with_bed_v6(rfc_7323_every_segment_has_the_negotiated_timestamps),
		with_bed(rfc_7323_timestamps_that_were_not_negotiated_are_ignored),
		with_bed(rfc_7323_each_connection_has_a_clock_offset_of_its_own),
		with_bed(rfc_7323_a_duplicate_ack_gives_no_sample),
		with_bed(rfc_7323_what_paws_drops_changes_nothing),
		with_bed(rfc_7323_an_old_duplicate_does_not_move_the_echo_back),
		cmocka_unit_test(rfc_7323_a_window_that_was_rounded_down_is_still_honoured),
		cmocka_unit_test(rfc_7323_without_the_peers_offer_our_windows_are_not_scaled),
		cmocka_unit_test(rfc_2018_as_many_blocks_as_there_is_room_for),
		with_bed(rfc_2018_segments_with_data_report_gaps_too),
		with_bed(rfc_2018_blocks_of_a_peer_that_did_not_permit_sack_are_ignored),
		with_bed(rfc_2018_what_was_sacked_is_kept_until_it_is_acknowledged),
	};

	return cmocka_run_group_tests_name("rules of options", tests, NULL, NULL);
}
