/*
 * Segments that no TCP sends: nothing but counters changes. The table is compared byte
 * for byte; a listener, a half-open entry, a connection and a TIME-WAIT entry are all tried.
 */
#include "tests/tcp/harness.h"
#include "tests/unit/random.h"

#include "stack/checksum.h"

/* A bed whose table is watched. */
struct watched {
	struct bed bed;
	uint8_t *before;
};

static void watch(struct watched *w, enum tcp_state state)
{
	struct stack_config config = bed_config();

	bed_open(&w->bed, IP_V4, &config);
	reach(&w->bed, state);
	w->before = malloc(w->bed.bytes);
	assert_non_null(w->before);
	memcpy(w->before, w->bed.memory, w->bed.bytes);
}

static void unwatch(struct watched *w)
{
	free(w->before);
	bed_close(&w->bed);
}

static void expect_untouched(const struct watched *w, const char *what, size_t which)
{
	if (memcmp(w->before, w->bed.memory, w->bed.bytes) != 0)
		fail_msg("%s %zu has changed the table", what, which);
	if (w->bed.outs != w->bed.expected)
		fail_msg("%s %zu has been answered", what, which);
}

static const enum tcp_state states[] = {TCP_LISTEN, TCP_SYN_RECEIVED, TCP_SYN_SENT, TCP_ESTABLISHED,
                                        TCP_TIME_WAIT};

#define for_each_state(i) for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)

/* The largest header, with data, at the number that is expected. */
static size_t good_segment(const struct bed *bed, uint8_t *bytes)
{
	struct segment seg = peer_segment(bed, ACK | PSH);

	seg.has_timestamps = true;
	seg.sack_count = 2;
	seg.sack[0] = (struct seq_range){bed->iss + 2, bed->iss + 3};
	seg.sack[1] = (struct seq_range){bed->iss + 5, bed->iss + 8};
	seg.data = (const uint8_t *)"data";
	seg.data_length = 4;
	return peer_write(bed, &seg, bytes);
}

static void put_checksum(const struct bed *bed, uint8_t *bytes, size_t length)
{
	uint16_t sum;

	memset(bytes + 16, 0, 2);
	sum = checksum_tcp(&bed->flow.peer.address, &bed->flow.local.address, bytes, 20, bytes + 20,
	                   length - 20);
	memcpy(bytes + 16, &sum, 2);
}

static void every_truncation_changes_nothing(void **state)
{
	(void)state;
	for_each_state(i)
	{
		uint8_t bytes[128];
		struct watched w;
		size_t length;

		watch(&w, states[i]);
		length = good_segment(&w.bed, bytes);
		for (size_t cut = 0; cut < length; cut++) {
			peer_send_raw(&w.bed, bytes, cut);
			expect_untouched(&w, "truncation to", cut);
		}
		assert_int_equal(counter(&w.bed, in_errs), length);
		assert_int_equal(counter(&w.bed, bad_header), 20);
		assert_int_equal(counter(&w.bed, bad_checksum), length - 20);
		unwatch(&w);
	}
}

/* Cut off and with a checksum that is right for what is left: the header does not fit. */
static void a_header_longer_than_the_segment_changes_nothing(void **state)
{
	(void)state;
	for_each_state(i)
	{
		uint8_t bytes[128];
		struct watched w;
		size_t header;

		watch(&w, states[i]);
		(void)good_segment(&w.bed, bytes);
		header = (size_t)(bytes[12] >> 4) * 4;
		for (size_t cut = 20; cut < header; cut++) {
			put_checksum(&w.bed, bytes, cut);
			peer_send_raw(&w.bed, bytes, cut);
			expect_untouched(&w, "truncated header of", cut);
		}
		for (uint8_t offset = 0; offset < 5; offset++) {
			bytes[12] = (uint8_t)(offset << 4);
			put_checksum(&w.bed, bytes, header);
			peer_send_raw(&w.bed, bytes, header);
			expect_untouched(&w, "data offset", offset);
		}
		assert_int_equal(counter(&w.bed, bad_header), header - 20 + 5);
		unwatch(&w);
	}
}

static void a_wrong_checksum_changes_nothing(void **state)
{
	(void)state;
	for_each_state(i)
	{
		uint8_t bytes[128];
		struct watched w;
		size_t length;

		watch(&w, states[i]);
		length = good_segment(&w.bed, bytes);
		for (size_t bit = 0; bit < length * 8; bit++) {
			bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			peer_send_raw(&w.bed, bytes, length);
			bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			expect_untouched(&w, "flipped bit", bit);
		}
		assert_int_equal(counter(&w.bed, bad_checksum), length * 8);
		unwatch(&w);
	}
}

static void flags_that_no_tcp_sends_change_nothing(void **state)
{
	static const uint8_t impossible[] = {
		0,
		SYN | FIN,
		SYN | RST,
		SYN | FIN | ACK,
		SYN | RST | ACK,
		SYN | FIN | RST | PSH | ACK | URG,
		SYN | FIN | URG | PSH,
	};

	(void)state;
	for_each_state(i)
	{
		struct watched w;

		watch(&w, states[i]);
		for (size_t f = 0; f < sizeof(impossible); f++) {
			struct segment seg = peer_segment(&w.bed, impossible[f]);

			peer_send(&w.bed, &seg);
			expect_untouched(&w, "flags", impossible[f]);
		}
		assert_int_equal(counter(&w.bed, bad_flags), sizeof(impossible));
		unwatch(&w);
	}
}

/* A SYN-less and a SYN segment with these four bytes of options. */
static void send_options(struct watched *w, const uint8_t *options, size_t length, size_t which)
{
	static const uint8_t flags[] = {ACK, SYN};

	for (int i = 0; i < 2; i++) {
		struct segment seg = peer_segment(&w->bed, flags[i]);
		uint8_t bytes[60] = {0};

		(void)segment_build(bytes, &seg);
		bytes[12] = (uint8_t)((20 + length) / 4 << 4);
		memcpy(bytes + 20, options, length);
		put_checksum(&w->bed, bytes, 20 + length);
		peer_send_raw(&w->bed, bytes, 20 + length);
		expect_untouched(w, "options", which);
	}
}

static void options_of_illegal_length_change_nothing(void **state)
{
	static const uint8_t options[][8] = {
		{2, 0, 5, 180},
		{2, 1, 5, 180},
		{2, 3, 5, 180, 1, 1, 1, 1},
		{2, 5, 5, 180, 0},
		{2, 255, 5, 180},
		{3, 2, 1, 1},
		{3, 4, 1, 1},
		{3, 0, 1, 1},
		{4, 3, 1, 1},
		{4, 1, 1, 1},
		{5, 2, 1, 1},
		{5, 8, 0, 0, 0, 1, 0, 0},
		{8, 8, 0, 0, 0, 1},
		{8, 10, 0, 0},
		{8, 2, 1, 1},
		{99, 0, 0, 0},
		{99, 1, 0, 0},
		{99, 9, 0, 0, 0, 0, 0, 0},
		{1, 1, 1, 2},
		{1, 1, 1, 1, 1, 1, 2, 4},
		{1, 1, 1, 99},
		{254, 200, 1, 1},
	};
	const size_t count = sizeof(options) / sizeof(options[0]);

	(void)state;
	for_each_state(i)
	{
		struct watched w;

		watch(&w, states[i]);
		for (size_t o = 0; o < count; o++)
			send_options(&w, options[o], 8, o);
		assert_int_equal(counter(&w.bed, bad_option), 2 * count);
		unwatch(&w);
	}
}

static void addresses_and_ports_that_no_peer_has_change_nothing(void **state)
{
	static const uint8_t sources[][4] = {
		{0, 0, 0, 0}, {224, 0, 0, 1}, {239, 255, 255, 255}, {255, 255, 255, 255}};

	(void)state;
	for_each_state(i)
	{
		struct flow flow;
		struct watched w;

		watch(&w, states[i]);
		flow = w.bed.flow;
		for (size_t a = 0; a < 4; a++) {
			struct segment seg = peer_segment(&w.bed, SYN);

			memcpy(w.bed.flow.peer.address.bytes, sources[a], 4);
			peer_send(&w.bed, &seg);
			expect_untouched(&w, "source", a);
			w.bed.flow = flow;
			memcpy(w.bed.flow.local.address.bytes, sources[a], 4);
			peer_send(&w.bed, &seg);
			expect_untouched(&w, "destination", a);
			w.bed.flow = flow;
		}
		assert_int_equal(counter(&w.bed, bad_address), 8);
		w.bed.flow.peer.port = 0;
		{
			struct segment seg = peer_segment(&w.bed, SYN);

			peer_send(&w.bed, &seg);
			expect_untouched(&w, "port", 0);
		}
		assert_int_equal(counter(&w.bed, bad_header), 1);
		unwatch(&w);
	}
}

static void a_checksum_that_the_host_left_unfinished_is_accepted(void **state)
{
	struct bed *bed = *state;
	struct segment seg;
	uint8_t bytes[64];
	size_t length;
	uint16_t partial;

	reach(bed, TCP_ESTABLISHED);
	seg = peer_segment(bed, ACK);
	seg.data = (const uint8_t *)"\0\7";
	seg.data_length = 2;
	length = peer_write(bed, &seg, bytes);
	partial = checksum_fold(
		checksum_pseudo(&bed->flow.peer.address, &bed->flow.local.address, length));
	memcpy(bytes + 16, &partial, 2);
	peer_send_raw(bed, bytes, length);
	user_take(bed, 2);
}

/* Whatever comes with a right checksum: the engine's invariants hold, and nothing breaks. */
static void random_segments_break_nothing(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct stack_config config = bed_config();
		struct bed bed;

		bed_open(&bed, round % 2 ? IP_V6 : IP_V4, &config);
		bed.offer.timestamps = random_below(&random, 2);
		reach(&bed, (enum tcp_state)random_below(&random, TCP_STATES));
		bed.attached = false; /* what is sent need not be the pattern */
		for (int i = 0; i < 400; i++) {
			struct segment seg = peer_segment(&bed, (uint8_t)random_below(&random, 64));
			uint8_t data[1400] = {0};

			if (random_below(&random, 4))
				seg.flags |= ACK;
			if (random_below(&random, 8))
				seg.flags &= (uint8_t) ~(RST | SYN | FIN);
			seg.seq += random_below(&random, 3000) - 1000;
			seg.ack = bed.iss + random_below(&random, 5);
			seg.window = (uint16_t)random_next(&random);
			seg.urgent = (uint16_t)random_next(&random);
			seg.ts_value += random_below(&random, 100);
			seg.has_mss = seg.flags & SYN;
			seg.mss = (uint16_t)random_next(&random);
			seg.sack_count = (uint8_t)random_below(&random, 4);
			for (int s = 0; s < seg.sack_count; s++) {
				seg.sack[s].start = bed.iss + random_below(&random, 3000);
				seg.sack[s].end = bed.iss + random_below(&random, 3000);
			}
			if (random_below(&random, 20) == 0)
				seg.seq = (uint32_t)random_next(&random);
			if (random_below(&random, 20) == 0)
				seg.ack = (uint32_t)random_next(&random);
			seg.data = data;
			seg.data_length = random_below(&random, 2) * random_below(&random, 1400);
			peer_send(&bed, &seg);
			if (random_below(&random, 10) == 0 && bed.worker.ring.master != NULL &&
			    bed.detached == 0)
				worker_write(&bed.worker, data, random_below(&random, 1400));
			if (random_below(&random, 10) == 0)
				stack_ring_changed(bed.stack, bed.handle, bed.now_us);
			if (random_below(&random, 10) == 0)
				bed_pass(&bed, random_below(&random, 3000000));
			bed_settle(&bed);
			bed.outs = bed.expected = 0;
		}
		bed.attached = bed.worker.ring.master != NULL;
		bed_close(&bed);
	}
}

/* The same for bytes of any kind. */
static void random_bytes_break_nothing(void **state)
{
	struct bed *bed = *state;
	struct random random = random_start();

	reach(bed, TCP_ESTABLISHED);
	for (int i = 0; i < 20000; i++) {
		uint8_t bytes[100];
		size_t length = random_below(&random, sizeof(bytes));

		random_fill(&random, bytes, sizeof(bytes));
		if (random_below(&random, 2)) { /* for our connection */
			bytes[0] = PEER_PORT >> 8;
			bytes[1] = PEER_PORT & 255;
			bytes[2] = 0;
			bytes[3] = LOCAL_PORT;
		}
		if (length >= 20 && random_below(&random, 4))
			put_checksum(bed, bytes, length);
		peer_send_raw(bed, bytes, length);
		bed->outs = bed->expected = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_changes_nothing),
		cmocka_unit_test(a_header_longer_than_the_segment_changes_nothing),
		cmocka_unit_test(a_wrong_checksum_changes_nothing),
		cmocka_unit_test(flags_that_no_tcp_sends_change_nothing),
		cmocka_unit_test(options_of_illegal_length_change_nothing),
		cmocka_unit_test(addresses_and_ports_that_no_peer_has_change_nothing),
		with_bed(a_checksum_that_the_host_left_unfinished_is_accepted),
		with_bed_v6(a_checksum_that_the_host_left_unfinished_is_accepted),
		cmocka_unit_test(random_segments_break_nothing),
		with_bed(random_bytes_break_nothing),
	};

	return cmocka_run_group_tests_name("malformed", tests, NULL, NULL);
}
