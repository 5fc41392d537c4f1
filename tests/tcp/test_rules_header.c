/*
 * RFC 9293, 3.1 to 3.4 and 3.7.1: what stands in headers and options, and initial sequence
 * numbers. Each test bears the label of the rule that it shows.
 */
#include "tests/tcp/harness.h"

#define KIND_END  0
#define KIND_NOP  1
#define KIND_MSS  2
#define KIND_LAST 255

/* ---- what goes out ---- */

/* A segment of every sort that the engine sends: options, odd lengths, RST, from all kinds of entries. */
static void live(struct bed *bed)
{
	struct segment stray;

	bed->offer.timestamps = true;
	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1461);
	peer_data_at(bed, 101, 101); /* a gap: SACK blocks */
	peer_data_at(bed, 1, 100);
	bed->seq += 201;
	bed_pass(bed, 5 * S);  /* sent again */
	bed->worker.tx_head++; /* what is written next is urgent */
	worker_urgent(&bed->worker);
	bed->worker.tx_head--;
	user_write(bed, 1);
	peer_ack(bed);
	user_close(bed);
	peer_ack(bed);
	peer_flags(bed, FINACK);
	expect_state(bed, TCP_TIME_WAIT);
	bed->seq--;
	peer_flags(bed, FINACK); /* answered from the TIME-WAIT entry */
	peer_take(bed);
	bed_peer(bed, 7, 50000);
	stray = peer_segment(bed, ACK);
	peer_send(bed, &stray); /* RST */
	peer_take(bed);
	call_peer(bed);
}

/* Calls CHECK for each segment that came out, and has seen these flags at least. */
static void for_each_out(struct bed *bed, void (*check)(const struct out *out))
{
	uint8_t seen = 0;

	live(bed);
	for (unsigned i = 0; i < bed->outs; i++) {
		seen |= bed->out[i].seg.flags;
		check(&bed->out[i]);
	}
	assert_int_equal(seen, SYN | ACK | PSH | FIN | RST | URG);
}

static uint32_t naive_add(uint32_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

/* The sum of RFC 1071 over pseudo-header and segment, by the octet, comes to nothing. */
static void checksum_is_right(const struct out *out)
{
	size_t address = out->src.version == IP_V6 ? 16 : 4;
	size_t length = (size_t)(out->bytes[12] >> 4) * 4 + out->seg.data_length;
	uint32_t sum = 6 + (uint32_t)length;

	sum = naive_add(sum, out->src.bytes, address);
	sum = naive_add(sum, out->dst.bytes, address);
	sum = naive_add(sum, out->bytes, length);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
	assert_true(out->bytes[16] != 0 || out->bytes[17] != 0);
}

static void must_2_every_segment_has_a_checksum(void **state)
{
	for_each_out(*state, checksum_is_right);
}

/* Calls TAKE for each option and returns how many bytes they fill. */
static size_t walk_options(const struct out *out,
                           void (*take)(const struct out *out, const uint8_t *option))
{
	size_t end = (size_t)(out->bytes[12] >> 4) * 4, at = 20;

	while (at < end && out->bytes[at] != KIND_END) {
		if (out->bytes[at] == KIND_NOP) {
			at++;
			continue;
		}
		assert_in_range(out->bytes[at + 1], 2, end - at);
		take(out, out->bytes + at);
		at += out->bytes[at + 1];
	}
	return at - 20;
}

static void mss_is_of_a_syn(const struct out *out, const uint8_t *option)
{
	if (option[0] == KIND_MSS)
		assert_true(out->seg.flags & SYN);
}

static void no_mss_without_syn(const struct out *out)
{
	(void)walk_options(out, mss_is_of_a_syn);
}

static void must_65_the_mss_option_stands_in_syns_only(void **state)
{
	for_each_out(*state, no_mss_without_syn);
}

static void any_option(const struct out *out, const uint8_t *option)
{
	(void)out;
	assert_true(option[1] >= 2);
}

static void padding_is_zero(const struct out *out)
{
	size_t end = (size_t)(out->bytes[12] >> 4) * 4;

	for (size_t at = 20 + walk_options(out, any_option); at < end; at++)
		assert_int_equal(out->bytes[at], 0);
}

static void must_69_what_follows_the_end_of_options_is_zero(void **state)
{
	for_each_out(*state, padding_is_zero);
}

/* Segments may be sent whose window, read as signed, would be negative. */
static void must_1_a_window_above_32767_is_not_negative(void **state)
{
	struct bed *bed = *state;

	bed->offer.scale = -1;
	bed->window = 65535;
	reach(bed, TCP_ESTABLISHED);
	assert_int_equal(info_of(bed).snd_wnd, 65535);
	user_write(bed, 2920);
	expect(bed, ACK, 1, 1, 1460);
	expect(bed, ACK, 1461, 1, 1460);
	bed->window = 0x8000;
	peer_ack(bed);
	assert_int_equal(info_of(bed).snd_wnd, 0x8000);
	user_write(bed, 100);
	expect(bed, ACK, 2921, 1, 100);
}

static void rec_1_windows_are_kept_in_32_bits(void **state)
{
	struct bed *bed = *state;

	bed->offer.scale = 14;
	bed->window = 65535;
	reach(bed, TCP_ESTABLISHED);
	assert_int_equal(info_of(bed).snd_wnd, 65535u << 14);
	user_write(bed, 2920);
	expect(bed, ACK, 1, 1, 1460);
	expect(bed, ACK, 1461, 1, 1460);
}

/* ---- options that come in ---- */

/* A connection whose SYN has exactly these options, and a worker. */
static void establish_with_options(struct bed *bed, const uint8_t *options, size_t length)
{
	struct segment seg = peer_segment(bed, SYN);
	const struct out *out;

	peer_send_options(bed, &seg, options, length);
	bed->seq++;
	out = expect(bed, SYNACK, 0, 1, 0);
	bed->ack = out->seg.seq + 1;
	peer_flags(bed, ACK);
	expect_state(bed, TCP_ESTABLISHED);
}

static void must_4_end_nop_and_mss_are_understood(void **state)
{
	static const uint8_t options[] = {1, 2, 4, 0x03, 0xe8, 1, 0, 2};
	struct bed *bed = *state;

	establish_with_options(bed, options, sizeof(options));
	assert_int_equal(info_of(bed).send_mss, 1000);
	attach(bed, 65536, 65536);
	user_write(bed, 1500);
	expect(bed, ACK, 1, 1, 1000);
	expect(bed, ACK, 1001, 1, 500);
}

static void must_64_options_need_no_alignment(void **state)
{
	struct bed *bed = *state;

	for (uint8_t shift = 0; shift < 4; shift++) {
		uint8_t options[12];

		memset(options, KIND_NOP, sizeof(options));
		memcpy(options + shift, (const uint8_t[]){2, 4, 0x03, 0xe8, 4, 2}, 6);
		bed_peer(bed, 0, (uint16_t)(50000 + shift));
		establish_with_options(bed, options, sizeof(options));
		assert_int_equal(info_of(bed).send_mss, 1000);
		assert_true(info_of(bed).sack);
		stack_abort(bed->stack, info_of(bed).id, bed->now_us);
		bed_settle(bed);
		peer_take(bed);
	}
}

/* Of each length that fits, and what stands behind it counts. */
static void must_6_unknown_options_are_skipped_by_their_length(void **state)
{
	static const uint8_t known[] = {0, 1, 2, 3, 4, 5, 8, 28};
	struct bed *bed = *state;

	for (unsigned kind = 0; kind <= KIND_LAST; kind++) {
		uint8_t options[40];
		uint8_t length = (uint8_t)(2 + kind % 34);

		if (memchr(known, (int)kind, sizeof(known)) != NULL)
			continue;
		memset(options, KIND_NOP, sizeof(options));
		memset(options + 2, 2, length); /* its content looks like options */
		options[0] = (uint8_t)kind;
		options[1] = length;
		memcpy(options + length, (const uint8_t[]){2, 4, 0x03, 0xe8}, 4);
		bed_peer(bed, 0, (uint16_t)(50000 + kind));
		establish_with_options(bed, options, sizeof(options));
		assert_int_equal(info_of(bed).send_mss, 1000);
		stack_abort(bed->stack, info_of(bed).id, bed->now_us);
		bed_settle(bed);
		peer_take(bed);
		bed->outs = bed->expected = 0;
	}
	assert_int_equal(counter(bed, bad_option), 0);
}

/* An option that nobody knows on every kind of segment: each does what it does without. */
static void must_5_options_may_stand_in_any_segment(void **state)
{
	static const uint8_t unknown[] = {253, 6, 1, 2, 3, 4, 0, 0};
	struct bed *bed = *state;
	struct segment seg;

	peer_syn(bed);
	seg = peer_segment(bed, ACK);
	peer_send_options(bed, &seg, unknown, sizeof(unknown));
	expect_state(bed, TCP_ESTABLISHED);
	attach(bed, 65536, 65536);
	seg.data = (const uint8_t *)"\0\7";
	seg.data_length = 2;
	peer_send_options(bed, &seg, unknown, sizeof(unknown));
	bed->seq += 2;
	user_take(bed, 2);
	user_write(bed, 100);
	peer_take(bed);
	seg = peer_segment(bed, ACK);
	peer_send_options(bed, &seg, unknown, sizeof(unknown));
	assert_int_equal(worker_tx_tail(&bed->worker), 100);
	seg = peer_segment(bed, FINACK);
	peer_send_options(bed, &seg, unknown, sizeof(unknown));
	bed->seq++;
	expect_state(bed, TCP_CLOSE_WAIT);
	seg = peer_segment(bed, RST);
	peer_send_options(bed, &seg, unknown, sizeof(unknown));
	expect_state(bed, TCP_CLOSED);
}

/* ---- initial sequence numbers ---- */

/* The number that a SYN at this time gets. */
static uint32_t iss_at(struct bed *bed, uint64_t now_us)
{
	uint32_t iss;

	bed->now_us = now_us;
	peer_syn(bed);
	iss = bed->iss;
	peer_flags(bed, RST);
	expect_state(bed, TCP_CLOSED);
	return iss;
}

static void must_8_initial_sequence_numbers_follow_a_clock_of_4_microseconds(void **state)
{
	struct bed *bed = *state;
	uint32_t first = iss_at(bed, 2000 * S);
	uint32_t call;

	assert_int_equal(iss_at(bed, 2000 * S + 4) - first, 1);
	assert_int_equal(iss_at(bed, 2000 * S + 4000) - first, 1000);
	assert_int_equal(iss_at(bed, 2001 * S) - first, 250000);
	/* once around the circle in 4.77 hours */
	assert_int_equal(iss_at(bed, 2000 * S + (UINT64_C(1) << 34)) - first, 0);
	bed->now_us += S;
	stack_abort(bed->stack, call_peer(bed), bed->now_us);
	call = bed->iss;
	bed->now_us += S;
	call_peer(bed);
	assert_int_equal(bed->iss - call, 250000);
}

static void shld_1_each_part_of_the_connections_name_changes_the_number(void **state)
{
	struct bed *bed = *state;
	struct flow flow = bed->flow;
	uint32_t iss[8];

	iss[0] = iss_generate(bed->stack, &flow, 0);
	flow.peer.port++;
	iss[1] = iss_generate(bed->stack, &flow, 0);
	flow.local.port++;
	iss[2] = iss_generate(bed->stack, &flow, 0);
	flow.peer.address.bytes[3]++;
	iss[3] = iss_generate(bed->stack, &flow, 0);
	flow.local.address.bytes[3]++;
	iss[4] = iss_generate(bed->stack, &flow, 0);
	bed->stack->table.header->secrets.sequence[15]++;
	iss[5] = iss_generate(bed->stack, &flow, 0);
	for (int i = 0; i < 6; i++)
		for (int j = 0; j < i; j++)
			assert_int_not_equal(iss[i], iss[j]);
}

/* What one learns from one's own connections says nothing without the secret. */
static void must_9_numbers_of_other_connections_tell_nothing(void **state)
{
	struct bed *bed = *state;
	uint32_t step[2][64];

	for (int secret = 0; secret < 2; secret++) {
		bed->stack->table.header->secrets.sequence[0] = (uint8_t)secret;
		for (uint16_t i = 0; i < 64; i++) {
			struct flow flow = bed->flow;
			uint32_t before;

			flow.peer.port = (uint16_t)(PEER_PORT + i);
			before = iss_generate(bed->stack, &flow, 0);
			flow.peer.port++;
			step[secret][i] = iss_generate(bed->stack, &flow, 0) - before;
		}
	}
	for (int i = 0; i < 64; i++) {
		assert_int_not_equal(step[0][i], step[1][i]);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(step[0][i], step[0][j]);
	}
}

/* ---- the segment size ---- */

static void may_3_the_mss_option_is_sent_even_when_it_is_the_default(void **state)
{
	struct bed *bed = *state;
	bool v6 = bed->flow.local.address.version == IP_V6;

	bed->mtu = v6 ? 1280 : 576;
	peer_syn(bed);
	assert_true(bed->out[0].seg.has_mss);
	assert_int_equal(bed->out[0].seg.mss, v6 ? 1220 : 536);
	bed_peer(bed, 0, 50000);
	call_peer(bed);
	assert_true(bed->out[1].seg.has_mss);
	assert_int_equal(bed->out[1].seg.mss, v6 ? 1220 : 536);
}

static void must_16_no_segment_is_larger_than_our_own_link_takes(void **state)
{
	struct bed *bed = *state;
	bool v6 = bed->flow.local.address.version == IP_V6;
	uint32_t size = v6 ? 1440 : 1460;

	bed->offer = (struct offer){.mss = 8960, .scale = 7, .timestamps = true};
	establish_with_worker(bed, 65536, 65536);
	user_write(bed, 2 * (size - 12));
	expect(bed, ACK, 1, 1, size - 12);
	expect(bed, ACK, 1 + size - 12, 1, size - 12);
	assert_int_equal(bed->out[bed->outs - 1].bytes[12] >> 4, 8); /* 12 octets of options */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(must_2_every_segment_has_a_checksum),
		with_bed_v6(must_2_every_segment_has_a_checksum),
		with_bed(must_65_the_mss_option_stands_in_syns_only),
		with_bed(must_69_what_follows_the_end_of_options_is_zero),
		with_bed(must_1_a_window_above_32767_is_not_negative),
		with_bed(rec_1_windows_are_kept_in_32_bits),
		with_bed(must_4_end_nop_and_mss_are_understood),
		with_bed(must_64_options_need_no_alignment),
		with_bed(must_6_unknown_options_are_skipped_by_their_length),
		with_bed(must_5_options_may_stand_in_any_segment),
		with_bed(must_8_initial_sequence_numbers_follow_a_clock_of_4_microseconds),
		with_bed_v6(must_8_initial_sequence_numbers_follow_a_clock_of_4_microseconds),
		with_bed(shld_1_each_part_of_the_connections_name_changes_the_number),
		with_bed(must_9_numbers_of_other_connections_tell_nothing),
		with_bed(may_3_the_mss_option_is_sent_even_when_it_is_the_default),
		with_bed_v6(may_3_the_mss_option_is_sent_even_when_it_is_the_default),
		with_bed(must_16_no_segment_is_larger_than_our_own_link_takes),
		with_bed_v6(must_16_no_segment_is_larger_than_our_own_link_takes),
	};

	return cmocka_run_group_tests_name("rules of headers", tests, NULL, NULL);
}
