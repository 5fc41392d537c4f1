/* stack/ip.c: IP headers around TCP. */
#include "tests/unit/random.h"

#include "stack/ip.h"

static const struct ip_address local4 = {.bytes = {192, 0, 2, 1}, .version = IP_V4};
static const struct ip_address peer4 = {.bytes = {198, 51, 100, 2}, .version = IP_V4};
static const struct ip_address local6 = {.bytes = {0x20, 1, [15] = 1}, .version = IP_V6};
static const struct ip_address peer6 = {.bytes = {0x20, 1, [15] = 2}, .version = IP_V6};

/* Reads from a buffer with nothing behind it; tcp becomes an offset from its start. */
static enum ip_error parse(const void *bytes, size_t length, struct packet_in *packet,
                           size_t *offset)
{
	uint8_t *exact = exact_copy(bytes, length);
	enum ip_error error = ip4_parse(exact, length, packet);

	if (error == IP_OK) {
		*offset = (size_t)(packet->tcp - exact);
		assert_true(*offset >= 20 && *offset + packet->tcp_length <= length);
	}
	free(exact);
	packet->tcp = NULL;
	return error;
}

static void an_ipv4_header_is_read(void **state)
{
	uint8_t bytes[60];
	struct packet_in packet = {.ifindex = 3, .mtu = 1500};
	size_t offset = 0;

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	ip_build(bytes, &peer4, &local4, 0x10, 64, 40);
	assert_int_equal(parse(bytes, sizeof(bytes), &packet, &offset), IP_OK);
	assert_true(address_equal(&packet.src, &peer4));
	assert_true(address_equal(&packet.dst, &local4));
	assert_int_equal(packet.tos, 0x10);
	assert_int_equal(packet.ttl, 64);
	assert_int_equal(offset, 20);
	assert_int_equal(packet.tcp_length, 40);
	assert_int_equal(packet.ifindex, 3);
	assert_int_equal(packet.mtu, 1500);
}

static void bytes_past_the_total_length_are_left_out(void **state)
{
	uint8_t bytes[60] = {0};
	struct packet_in packet;
	size_t offset = 0;

	(void)state;
	ip_build(bytes, &peer4, &local4, 0, 64, 21);
	assert_int_equal(parse(bytes, sizeof(bytes), &packet, &offset), IP_OK);
	assert_int_equal(packet.tcp_length, 21);
}

static void a_total_length_of_zero_stands_for_all_there_is(void **state)
{
	uint8_t bytes[70] = {0};
	struct packet_in packet;
	size_t offset = 0;

	(void)state;
	ip_build(bytes, &peer4, &local4, 0, 64, 70000); /* does not fit the field */
	assert_int_equal(bytes[2] | bytes[3], 0);
	assert_int_equal(parse(bytes, sizeof(bytes), &packet, &offset), IP_OK);
	assert_int_equal(packet.tcp_length, 50);
}

static void every_truncation_is_short(void **state)
{
	uint8_t bytes[60] = {0};
	struct packet_in packet;
	size_t offset = 0;

	(void)state;
	ip_build(bytes, &peer4, &local4, 0, 64, 40);
	for (size_t length = 0; length < sizeof(bytes); length++)
		assert_int_equal(parse(bytes, length, &packet, &offset), IP_SHORT);
}

static void a_header_alone_is_a_packet_without_tcp(void **state)
{
	uint8_t bytes[20];
	struct packet_in packet;
	size_t offset = 0;

	(void)state;
	ip_build(bytes, &peer4, &local4, 0, 64, 0);
	assert_int_equal(parse(bytes, sizeof(bytes), &packet, &offset), IP_OK);
	assert_int_equal(packet.tcp_length, 0);
}

static void ip_options_are_skipped_and_illegal_header_lengths_refused(void **state)
{
	uint8_t bytes[80] = {0};
	struct packet_in packet;
	size_t offset = 0;

	(void)state;
	ip_build(bytes, &peer4, &local4, 0, 64, 30); /* 50 in all */
	for (uint8_t words = 0; words < 16; words++) {
		bool legal = words >= 5 && words * 4 <= 50;

		bytes[0] = (uint8_t)(0x40 | words);
		assert_int_equal(parse(bytes, sizeof(bytes), &packet, &offset),
		                 legal ? IP_OK : IP_SHORT);
		if (legal) {
			assert_int_equal(offset, words * 4);
			assert_int_equal(packet.tcp_length, 50 - words * 4);
		}
	}
}

static void other_versions_protocols_and_fragments_are_not_tcp(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {{0, 0x65}, {9, 17}, {6, 0x20}, {6, 0x60}, {7, 1}, {6, 0x1f}};
	struct packet_in packet;
	size_t offset = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		uint8_t bytes[60] = {0};

		ip_build(bytes, &peer4, &local4, 0, 64, 40);
		bytes[changes[i].at] = changes[i].value;
		assert_int_equal(parse(bytes, sizeof(bytes), &packet, &offset), IP_NOT_TCP);
	}
}

static void an_ipv4_header_is_written_with_df(void **state)
{
	static const uint8_t expected[] = {0x45, 0x10, 0,   70, 0, 0, 0x40, 0,  64,  6,
	                                   0,    0,    192, 0,  2, 1, 198,  51, 100, 2};
	uint8_t bytes[IP_HEADER_MAX];

	(void)state;
	assert_int_equal(ip_build(bytes, &local4, &peer4, 0x10, 64, 50), 20);
	assert_memory_equal(bytes, expected, sizeof(expected));
	ip_build(bytes, &local4, &peer4, 0x10, 64, 65535 - 20); /* as much as fits */
	assert_int_equal(bytes[2] & bytes[3], 0xff);
}

static void an_ipv6_header_is_written(void **state)
{
	uint8_t bytes[IP_HEADER_MAX];
	static const uint8_t start[] = {0x6a, 0xb0, 0, 0, 0x12, 0x34, 6, 64};

	(void)state;
	assert_int_equal(ip_build(bytes, &local6, &peer6, 0xab, 64, 0x1234), 40);
	assert_memory_equal(bytes, start, sizeof(start));
	assert_memory_equal(bytes + 8, local6.bytes, 16);
	assert_memory_equal(bytes + 24, peer6.bytes, 16);
}

static void random_bytes_are_read_without_harm(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint8_t bytes[100];
		size_t length = random_below(&random, sizeof(bytes) + 1), offset = 0;
		struct packet_in packet;

		random_fill(&random, bytes, length);
		if (length >= 20 && i % 4 != 0) {
			bytes[0] = (uint8_t)(0x40 | random_below(&random, 16));
			bytes[2] = 0;
			bytes[3] = (uint8_t)random_below(&random, 110);
			bytes[6] &= 0xc0;
			bytes[7] = 0;
			bytes[9] = 6;
		}
		parse(bytes, length, &packet, &offset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_header_is_read),
		cmocka_unit_test(bytes_past_the_total_length_are_left_out),
		cmocka_unit_test(a_total_length_of_zero_stands_for_all_there_is),
		cmocka_unit_test(every_truncation_is_short),
		cmocka_unit_test(a_header_alone_is_a_packet_without_tcp),
		cmocka_unit_test(ip_options_are_skipped_and_illegal_header_lengths_refused),
		cmocka_unit_test(other_versions_protocols_and_fragments_are_not_tcp),
		cmocka_unit_test(an_ipv4_header_is_written_with_df),
		cmocka_unit_test(an_ipv6_header_is_written),
		cmocka_unit_test(random_bytes_are_read_without_harm),
	};

	return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
