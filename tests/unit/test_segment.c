/* stack/segment.c: segments of any content into fields, and back. */
#include "tests/unit/random.h"

#include "stack/segment.h"

/* Reads from a buffer with nothing behind it; *s has no data to look at after. */
static enum segment_error parse(const void *bytes, size_t length, struct segment *s)
{
	uint8_t *exact = exact_copy(bytes, length);
	enum segment_error error = segment_parse(exact, length, s);

	if (error == SEGMENT_OK) {
		assert_true(s->data + s->data_length == exact + length);
		assert_true(s->data >= exact + TCP_HEADER_MIN);
	}
	free(exact);
	s->data = NULL;
	return error;
}

/* An ACK with OPTIONS (a multiple of 4 bytes) in its header. */
static size_t with_options(uint8_t *bytes, uint8_t flags, const void *options, size_t length)
{
	const uint8_t header[] = {0x0f, 0xa0, 0, 23, 1,    2, 3, 4, 5, 6,
	                          7,    8,    0, 0,  0x10, 0, 0, 0, 0, 9};

	memcpy(bytes, header, sizeof(header));
	bytes[12] = (uint8_t)((20 + length) / 4 << 4);
	bytes[13] = flags;
	memcpy(bytes + 20, options, length);
	return 20 + length;
}

static enum segment_error parse_options(uint8_t flags, const void *options, size_t length,
                                        struct segment *s)
{
	uint8_t bytes[TCP_HEADER_MAX];

	return parse(bytes, with_options(bytes, flags, options, length), s);
}

static void every_field_of_the_header_is_read(void **state)
{
	uint8_t bytes[23];
	struct segment s;

	(void)state;
	with_options(bytes, TCP_ACK | TCP_PSH | TCP_URG, "", 0);
	memcpy(bytes + 20, "abc", 3);
	assert_int_equal(segment_parse(bytes, sizeof(bytes), &s), SEGMENT_OK);
	assert_int_equal(s.src_port, 4000);
	assert_int_equal(s.dst_port, 23);
	assert_int_equal(s.seq, 0x01020304);
	assert_int_equal(s.ack, 0x05060708);
	assert_int_equal(s.window, 0x1000);
	assert_int_equal(s.urgent, 9);
	assert_int_equal(s.flags, TCP_ACK | TCP_PSH | TCP_URG);
	assert_int_equal(s.data_length, 3);
	assert_memory_equal(s.data, "abc", 3);
	assert_false(s.has_mss || s.has_timestamps || s.has_window_scale || s.sack_permitted);
	assert_int_equal(s.sack_count, 0);
}

static void a_segment_takes_the_sequence_space_of_data_syn_and_fin(void **state)
{
	struct segment s = {.flags = TCP_ACK, .data_length = 5};

	(void)state;
	assert_int_equal(segment_length(&s), 5);
	s.flags |= TCP_FIN;
	assert_int_equal(segment_length(&s), 6);
	s.flags = TCP_SYN;
	assert_int_equal(segment_length(&s), 6);
}

static void fewer_bytes_than_a_header_are_short(void **state)
{
	uint8_t bytes[TCP_HEADER_MAX] = {0};
	struct segment s;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	for (size_t length = 0; length < TCP_HEADER_MIN; length++)
		assert_int_equal(parse(bytes, length, &s), SEGMENT_SHORT);
}

static void a_data_offset_below_five_is_refused(void **state)
{
	uint8_t bytes[TCP_HEADER_MAX] = {0};
	struct segment s;

	(void)state;
	with_options(bytes, TCP_ACK, "", 0);
	for (uint8_t offset = 0; offset < 5; offset++) {
		bytes[12] = (uint8_t)(offset << 4);
		assert_int_equal(parse(bytes, sizeof(bytes), &s), SEGMENT_OFFSET);
	}
}

static void a_data_offset_past_the_end_is_short(void **state)
{
	uint8_t bytes[TCP_HEADER_MAX] = {0};
	struct segment s;

	(void)state;
	with_options(bytes, TCP_ACK, "", 0);
	for (unsigned offset = 5; offset <= 15; offset++) {
		bytes[12] = (uint8_t)(offset << 4);
		for (size_t length = 20; length <= sizeof(bytes); length++)
			assert_int_equal(parse(bytes, length, &s),
			                 length < offset * 4 ? SEGMENT_SHORT : SEGMENT_OK);
	}
}

static void port_zero_is_refused(void **state)
{
	uint8_t bytes[20];
	struct segment s;

	(void)state;
	with_options(bytes, TCP_ACK, "", 0);
	memset(bytes, 0, 2);
	assert_int_equal(parse(bytes, 20, &s), SEGMENT_PORT);
	with_options(bytes, TCP_ACK, "", 0);
	memset(bytes + 2, 0, 2);
	assert_int_equal(parse(bytes, 20, &s), SEGMENT_PORT);
}

static void sets_of_flags_that_no_tcp_sends_are_refused(void **state)
{
	uint8_t bytes[20];
	struct segment s;

	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		bool none = (flags & 0x3f) == 0; /* the upper two are ECN's */
		bool syn_fin = (flags & 0x03) == 0x03, syn_rst = (flags & 0x06) == 0x06;

		with_options(bytes, (uint8_t)flags, "", 0);
		assert_int_equal(parse(bytes, 20, &s),
		                 none || syn_fin || syn_rst ? SEGMENT_FLAGS : SEGMENT_OK);
		assert_int_equal(s.flags, flags);
	}
}

static void reserved_bits_are_ignored(void **state)
{
	uint8_t bytes[20];
	struct segment s;

	(void)state;
	with_options(bytes, TCP_ACK, "", 0);
	bytes[12] |= 0x0f;
	assert_int_equal(parse(bytes, 20, &s), SEGMENT_OK);
	assert_int_equal(s.data_length, 0);
}

static void the_options_of_a_syn_are_read(void **state)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0,
	                                  0, 7, 0, 0,    0, 8, 1, 3,  3, 9};
	struct segment s;

	(void)state;
	assert_int_equal(parse_options(TCP_SYN, options, sizeof(options), &s), SEGMENT_OK);
	assert_true(s.has_mss && s.sack_permitted && s.has_timestamps && s.has_window_scale);
	assert_int_equal(s.mss, 1460);
	assert_int_equal(s.ts_value, 7);
	assert_int_equal(s.ts_echo, 8);
	assert_int_equal(s.window_scale, 9);
}

static void options_of_a_syn_on_other_segments_are_not_taken(void **state)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 9, 1, 1};
	struct segment s;

	(void)state;
	assert_int_equal(parse_options(TCP_ACK, options, sizeof(options), &s), SEGMENT_OK);
	assert_false(s.has_mss || s.sack_permitted || s.has_window_scale);
	assert_int_equal(s.mss, 0);
	assert_int_equal(s.window_scale, 0);
}

static void one_to_four_sack_blocks_are_read(void **state)
{
	uint8_t options[36] = {1, 1, 5};
	struct segment s;

	(void)state;
	for (size_t i = 4; i < sizeof(options); i++)
		options[i] = (uint8_t)i;
	for (uint8_t blocks = 1; blocks <= 4; blocks++) {
		options[3] = (uint8_t)(2 + 8 * blocks);
		assert_int_equal(parse_options(TCP_ACK, options, 4 + 8 * (size_t)blocks, &s),
		                 SEGMENT_OK);
		assert_int_equal(s.sack_count, blocks);
		assert_int_equal(s.sack[0].start, 0x04050607);
		assert_int_equal(s.sack[blocks - 1].end & 0xff, 3 + 8 * blocks);
	}
}

static void what_follows_the_end_of_options_is_ignored(void **state)
{
	static const uint8_t options[] = {1, 1, 0, 2, 0, 0, 0, 0xff};
	struct segment s;

	(void)state;
	assert_int_equal(parse_options(TCP_SYN, options, sizeof(options), &s), SEGMENT_OK);
	assert_false(s.has_mss);
}

static void unknown_options_are_skipped_by_their_length(void **state)
{
	static const uint8_t options[] = {254, 6, 2, 4, 9, 9, 253, 2, 2, 4, 1, 0};
	struct segment s;

	(void)state;
	assert_int_equal(parse_options(TCP_SYN, options, sizeof(options), &s), SEGMENT_OK);
	assert_true(s.has_mss);
	assert_int_equal(s.mss, 256);
}

/* Lengths of 2 to 40 that KIND may have. */
static bool legal(uint8_t kind, size_t length)
{
	switch (kind) {
	case 2:
		return length == 4;
	case 3:
		return length == 3;
	case 4:
		return length == 2;
	case 5:
		return length == 10 || length == 18 || length == 26 || length == 34;
	case 8:
		return length == 10;
	case 28:
		return length == 4;
	default:
		return true;
	}
}

static void every_illegal_option_length_is_refused(void **state)
{
	struct segment s;

	(void)state;
	for (unsigned kind = 2; kind < 256; kind++) {
		for (unsigned length = 0; length < 256; length++) {
			for (int syn = 0; syn < 2; syn++) {
				uint8_t options[40] = {(uint8_t)kind, (uint8_t)length};
				bool fits = length >= 2 && length <= sizeof(options);

				assert_int_equal(parse_options(syn ? TCP_SYN : TCP_ACK, options,
				                               sizeof(options), &s),
				                 fits && legal((uint8_t)kind, length)
				                         ? SEGMENT_OK
				                         : SEGMENT_OPTION);
			}
		}
	}
}

static void rfc_5482_the_user_timeout_is_read_in_seconds_and_minutes(void **state)
{
	static const uint8_t seconds[] = {28, 4, 0x01, 0x2c}, minutes[] = {28, 4, 0x80, 0x05};
	static const uint8_t zero[] = {28, 4, 0, 0}, no_minutes[] = {28, 4, 0x80, 0};
	struct segment s;

	(void)state;
	assert_int_equal(parse_options(TCP_ACK, seconds, 4, &s), SEGMENT_OK);
	assert_true(s.has_user_timeout);
	assert_int_equal(s.user_timeout_s, 300);
	assert_int_equal(parse_options(TCP_SYN, minutes, 4, &s), SEGMENT_OK);
	assert_true(s.has_user_timeout);
	assert_int_equal(s.user_timeout_s, 300);
	assert_int_equal(parse_options(TCP_ACK, zero, 4, &s), SEGMENT_OK);
	assert_false(s.has_user_timeout);
	assert_int_equal(parse_options(TCP_ACK, no_minutes, 4, &s), SEGMENT_OK);
	assert_false(s.has_user_timeout);
}

static void an_option_past_the_end_of_the_header_is_refused(void **state)
{
	static const uint8_t kind_alone[] = {1, 1, 1, 2}, one_too_long[] = {1, 2, 4, 5};
	uint8_t bytes[64] = {0};
	struct segment s;

	(void)state;
	assert_int_equal(parse_options(TCP_SYN, kind_alone, 4, &s), SEGMENT_OPTION);
	assert_int_equal(parse_options(TCP_SYN, one_too_long, 4, &s), SEGMENT_OPTION);
	/* Payload behind the header is no part of an option. */
	with_options(bytes, TCP_SYN, one_too_long, 4);
	assert_int_equal(parse(bytes, sizeof(bytes), &s), SEGMENT_OPTION);
}

static void every_truncation_of_a_valid_segment_is_refused_or_less_data(void **state)
{
	struct segment s = {.src_port = 1,
	                    .dst_port = 2,
	                    .flags = TCP_SYN | TCP_ACK,
	                    .has_mss = true,
	                    .sack_permitted = true,
	                    .has_timestamps = true,
	                    .has_window_scale = true},
		       got;
	uint8_t bytes[TCP_HEADER_MAX + 10] = {0};
	size_t header = segment_build(bytes, &s);

	(void)state;
	assert_int_equal(header, 40);
	for (size_t length = 0; length <= header + 10; length++) {
		enum segment_error error = parse(bytes, length, &got);

		assert_int_equal(error, length < header ? SEGMENT_SHORT : SEGMENT_OK);
		if (error == SEGMENT_OK)
			assert_int_equal(got.data_length, length - header);
	}
}

static struct segment random_segment(struct random *random)
{
	struct segment s;

	random_fill(random, &s, sizeof(s));
	s.src_port = (uint16_t)(1 + random_below(random, 65535));
	s.dst_port = (uint16_t)(1 + random_below(random, 65535));
	s.flags = random_below(random, 2) ? TCP_SYN | TCP_ACK : TCP_ACK | TCP_PSH | TCP_FIN;
	s.has_mss = (s.flags & TCP_SYN) && random_below(random, 2);
	s.has_window_scale = (s.flags & TCP_SYN) && random_below(random, 2);
	s.sack_permitted = (s.flags & TCP_SYN) && random_below(random, 2);
	s.has_timestamps = random_below(random, 2);
	s.has_user_timeout = random_below(random, 2);
	s.user_timeout_s = (uint32_t)(1 + random_below(random, SEGMENT_USER_TIMEOUT_MAX));
	if (s.user_timeout_s > 32767)
		s.user_timeout_s = s.user_timeout_s / 60 * 60; /* what the option can say */
	s.sack_count = (uint8_t)random_below(random, 6);       /* more than there can be, too */
	s.data = NULL;
	s.data_length = 0;
	return s;
}

static void assert_same(const struct segment *a, const struct segment *b)
{
	assert_int_equal(a->src_port, b->src_port);
	assert_int_equal(a->dst_port, b->dst_port);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->ack, b->ack);
	assert_int_equal(a->window, b->window);
	assert_int_equal(a->urgent, b->urgent);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->has_mss, b->has_mss);
	assert_int_equal(a->has_window_scale, b->has_window_scale);
	assert_int_equal(a->sack_permitted, b->sack_permitted);
	assert_int_equal(a->has_timestamps, b->has_timestamps);
	assert_int_equal(a->has_user_timeout, b->has_user_timeout);
	if (a->has_user_timeout)
		assert_int_equal(a->user_timeout_s, b->user_timeout_s);
	if (a->has_mss)
		assert_int_equal(a->mss, b->mss);
	if (a->has_window_scale)
		assert_int_equal(a->window_scale, b->window_scale);
	if (a->has_timestamps) {
		assert_int_equal(a->ts_value, b->ts_value);
		assert_int_equal(a->ts_echo, b->ts_echo);
	}
}

static void what_is_built_is_read_back(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct segment s = random_segment(&random), got;
		uint8_t *bytes = malloc(TCP_HEADER_MAX);
		size_t length;

		assert_non_null(bytes);
		memset(bytes, 0xee, TCP_HEADER_MAX);
		length = segment_build(bytes, &s);
		assert_int_equal(length, segment_header_length(&s));
		assert_true(length % 4 == 0 && length <= TCP_HEADER_MAX);
		assert_int_equal(bytes[16] | bytes[17], 0);
		assert_int_equal(parse(bytes, length, &got), SEGMENT_OK);
		assert_same(&s, &got);
		assert_true(got.sack_count <= s.sack_count);
		assert_memory_equal(got.sack, s.sack, got.sack_count * sizeof(s.sack[0]));
		free(bytes);
	}
}

static void as_many_sack_blocks_as_fit_are_written(void **state)
{
	struct segment s = {.flags = TCP_ACK, .sack_count = 4};

	(void)state;
	assert_int_equal(segment_header_length(&s), 20 + 2 + 34);
	s.has_timestamps = true; /* RFC 2018, section 3: three with timestamps */
	assert_int_equal(segment_header_length(&s), 20 + 12 + 2 + 26);
	s.sack_count = 2;
	assert_int_equal(segment_header_length(&s), 20 + 12 + 2 + 18);
	s.sack_count = 0;
	assert_int_equal(segment_header_length(&s), 32);
}

static void options_are_written_in_the_usual_order(void **state)
{
	static const uint8_t all[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0,
	                              0, 7, 0, 0,    0, 8, 1, 3,  3, 9};
	static const uint8_t alone[] = {1, 1, 4, 2};
	struct segment s = {.flags = TCP_SYN,
	                    .has_mss = true,
	                    .mss = 1460,
	                    .sack_permitted = true,
	                    .has_timestamps = true,
	                    .ts_value = 7,
	                    .ts_echo = 8,
	                    .has_window_scale = true,
	                    .window_scale = 9};
	uint8_t bytes[TCP_HEADER_MAX];

	(void)state;
	assert_int_equal(segment_build(bytes, &s), 20 + sizeof(all));
	assert_memory_equal(bytes + 20, all, sizeof(all));
	s.has_mss = s.has_timestamps = s.has_window_scale = false;
	assert_int_equal(segment_build(bytes, &s), 24);
	assert_memory_equal(bytes + 20, alone, sizeof(alone));
}

static void random_bytes_are_read_without_harm(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint8_t bytes[80];
		size_t length = random_below(&random, sizeof(bytes) + 1);
		struct segment s;

		random_fill(&random, bytes, length);
		if (length > 13 && i % 4 != 0) { /* more often as far as the options */
			bytes[12] = (uint8_t)(0x50 + 0x10 * random_below(&random, 11));
			bytes[13] = i % 2 ? TCP_SYN : TCP_ACK;
			for (size_t at = 20; at < length && i % 4 != 1; at++)
				bytes[at] = (uint8_t)random_below(&random, 12);
		}
		if (parse(bytes, length, &s) == SEGMENT_OK) {
			assert_true(s.sack_count <= TCP_SACK_BLOCKS_MAX);
			assert_true(s.data_length + TCP_HEADER_MIN <= length);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_the_header_is_read),
		cmocka_unit_test(a_segment_takes_the_sequence_space_of_data_syn_and_fin),
		cmocka_unit_test(fewer_bytes_than_a_header_are_short),
		cmocka_unit_test(a_data_offset_below_five_is_refused),
		cmocka_unit_test(a_data_offset_past_the_end_is_short),
		cmocka_unit_test(port_zero_is_refused),
		cmocka_unit_test(sets_of_flags_that_no_tcp_sends_are_refused),
		cmocka_unit_test(reserved_bits_are_ignored),
		cmocka_unit_test(the_options_of_a_syn_are_read),
		cmocka_unit_test(options_of_a_syn_on_other_segments_are_not_taken),
		cmocka_unit_test(one_to_four_sack_blocks_are_read),
		cmocka_unit_test(what_follows_the_end_of_options_is_ignored),
		cmocka_unit_test(unknown_options_are_skipped_by_their_length),
		cmocka_unit_test(every_illegal_option_length_is_refused),
		cmocka_unit_test(rfc_5482_the_user_timeout_is_read_in_seconds_and_minutes),
		cmocka_unit_test(an_option_past_the_end_of_the_header_is_refused),
		cmocka_unit_test(every_truncation_of_a_valid_segment_is_refused_or_less_data),
		cmocka_unit_test(what_is_built_is_read_back),
		cmocka_unit_test(as_many_sack_blocks_as_fit_are_written),
		cmocka_unit_test(options_are_written_in_the_usual_order),
		cmocka_unit_test(random_bytes_are_read_without_harm),
	};

	return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
