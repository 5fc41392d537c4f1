/* stack/icmp.c: ICMP errors that quote a segment of ours. */
#include "tests/unit/random.h"

#include "stack/checksum.h"
#include "stack/ip.h"

static const struct ip_address local4 = {.bytes = {192, 0, 2, 1}, .version = IP_V4};
static const struct ip_address peer4 = {.bytes = {198, 51, 100, 2}, .version = IP_V4};
static const struct ip_address local6 = {.bytes = {0x20, 1, [15] = 1}, .version = IP_V6};
static const struct ip_address peer6 = {.bytes = {0x20, 1, [15] = 2}, .version = IP_V6};

/* Port 23 to port 4000, sequence number 0x01020304. */
static const uint8_t tcp[8] = {0, 23, 0x0f, 0xa0, 1, 2, 3, 4};

#define MESSAGE4 (20 + 8 + 20 + 8)
#define MESSAGE6 (8 + 40 + 8)

static bool parse4(const void *bytes, size_t length, struct icmp_error *error)
{
	uint8_t *exact = exact_copy(bytes, length);
	bool found = icmp4_parse(exact, length, error);

	free(exact);
	return found;
}

static bool parse6(const void *bytes, size_t length, struct icmp_error *error)
{
	uint8_t *exact = exact_copy(bytes, length);
	bool found = icmp6_parse(exact, length, error);

	free(exact);
	return found;
}

/* Makes the checksum of the ICMP message in LENGTH bytes of IPv4 right. */
static void sign4(uint8_t *bytes, size_t length)
{
	size_t header = (size_t)(bytes[0] & 15) * 4;
	uint16_t field;

	memset(bytes + header + 2, 0, 2);
	field = (uint16_t)~checksum_fold(checksum_add(0, bytes + header, length - header));
	memcpy(bytes + header + 2, &field, 2);
}

/* As a router sends it, with the least that it must quote. */
static void build4(uint8_t *bytes, uint8_t type, uint8_t code, uint16_t mtu)
{
	const struct ip_address router = {.bytes = {203, 0, 113, 9}, .version = IP_V4};

	memset(bytes, 0, MESSAGE4);
	/* To another address than the quote's source: only the quote counts. */
	ip_build(bytes, &router, &router, 0, 64, MESSAGE4 - 20);
	bytes[9] = 1;
	bytes[20] = type;
	bytes[21] = code;
	bytes[26] = (uint8_t)(mtu >> 8);
	bytes[27] = (uint8_t)mtu;
	ip_build(bytes + 28, &local4, &peer4, 0, 64, 1000);
	memcpy(bytes + 48, tcp, sizeof(tcp));
	sign4(bytes, MESSAGE4);
}

static void build6(uint8_t *bytes, uint8_t type, uint8_t code, uint32_t mtu)
{
	memset(bytes, 0, MESSAGE6);
	bytes[0] = type;
	bytes[1] = code;
	for (int i = 0; i < 4; i++)
		bytes[4 + i] = (uint8_t)(mtu >> (24 - 8 * i));
	ip_build(bytes + 8, &local6, &peer6, 0, 64, 1000);
	memcpy(bytes + 48, tcp, sizeof(tcp));
}

static void the_quoted_ipv4_segment_is_ours_by_flow_and_sequence_number(void **state)
{
	uint8_t bytes[MESSAGE4];
	struct icmp_error error;
	const struct flow expected = {.local = {local4, 23, 0}, .peer = {peer4, 4000, 0}};

	(void)state;
	build4(bytes, 3, 4, 1400);
	assert_true(parse4(bytes, sizeof(bytes), &error));
	assert_int_equal(error.kind, ICMP_TOO_BIG);
	assert_int_equal(error.mtu, 1400);
	assert_int_equal(error.seq, 0x01020304);
	assert_true(flow_equal(&error.flow, &expected));
}

static void the_quoted_ipv6_segment_is_ours_by_flow_and_sequence_number(void **state)
{
	uint8_t bytes[MESSAGE6];
	struct icmp_error error;
	const struct flow expected = {.local = {local6, 23, 0}, .peer = {peer6, 4000, 0}};

	(void)state;
	build6(bytes, 2, 0, 70000);
	assert_true(parse6(bytes, sizeof(bytes), &error));
	assert_int_equal(error.kind, ICMP_TOO_BIG);
	assert_int_equal(error.mtu, 70000);
	assert_int_equal(error.seq, 0x01020304);
	assert_true(flow_equal(&error.flow, &expected));
}

/* The kind of error by type and code; -1 for what is no error to TCP. */
static int kind4(unsigned type, unsigned code)
{
	if (type == 11 || type == 12)
		return ICMP_SOFT;
	if (type != 3 || code > 15)
		return -1;
	if (code == 4)
		return ICMP_TOO_BIG;
	return code == 2 || code == 3 || code == 9 || code == 10 || code >= 13 ? ICMP_HARD
	                                                                       : ICMP_SOFT;
}

static int kind6(unsigned type, unsigned code)
{
	if (type == 2)
		return ICMP_TOO_BIG;
	if (type == 3)
		return ICMP_SOFT;
	if (type == 4)
		return code == 1 ? ICMP_HARD : ICMP_SOFT;
	if (type != 1 || code > 7)
		return -1;
	return code == 1 || code == 4 || code == 5 || code == 6 ? ICMP_HARD : ICMP_SOFT;
}

static void every_type_and_code_has_its_kind_or_is_no_error(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		for (unsigned code = 0; code < 256; code++) {
			uint8_t bytes4[MESSAGE4], bytes6[MESSAGE6];
			struct icmp_error error;
			int four = kind4(type, code), six = kind6(type, code);

			build4(bytes4, (uint8_t)type, (uint8_t)code, 1300);
			assert_int_equal(icmp4_parse(bytes4, sizeof(bytes4), &error), four >= 0);
			if (four >= 0) {
				assert_int_equal(error.kind, four);
				assert_int_equal(error.mtu, four == ICMP_TOO_BIG ? 1300 : 0);
			}
			build6(bytes6, (uint8_t)type, (uint8_t)code, 1300);
			assert_int_equal(icmp6_parse(bytes6, sizeof(bytes6), &error), six >= 0);
			if (six >= 0) {
				assert_int_equal(error.kind, six);
				assert_int_equal(error.mtu, six == ICMP_TOO_BIG ? 1300 : 0);
			}
		}
	}
}

static void every_truncation_is_no_error(void **state)
{
	uint8_t bytes4[MESSAGE4], bytes6[MESSAGE6];
	struct icmp_error error;

	(void)state;
	build4(bytes4, 3, 1, 0);
	for (size_t length = 0; length < MESSAGE4; length++)
		assert_false(parse4(bytes4, length, &error));
	/* Cut off before it was sent, so that lengths and checksum are right. */
	for (size_t length = 20; length < MESSAGE4; length++) {
		bytes4[3] = (uint8_t)length;
		if (length >= 28)
			sign4(bytes4, length);
		assert_false(parse4(bytes4, length, &error));
	}
	build6(bytes6, 1, 0, 0);
	for (size_t length = 0; length < MESSAGE6; length++)
		assert_false(parse6(bytes6, length, &error));
}

static void an_ipv4_message_with_a_wrong_checksum_is_no_error(void **state)
{
	uint8_t bytes[MESSAGE4];
	struct icmp_error error;

	(void)state;
	build4(bytes, 3, 4, 1400);
	for (size_t bit = 8 * 20; bit < 8 * MESSAGE4; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(parse4(bytes, sizeof(bytes), &error));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(parse4(bytes, sizeof(bytes), &error));
}

static void ip_options_on_either_header_are_skipped(void **state)
{
	uint8_t bytes[MESSAGE4 + 8] = {0}, plain[MESSAGE4];
	struct icmp_error error;

	(void)state;
	build4(plain, 3, 1, 0);
	memcpy(bytes, plain, 20);
	memcpy(bytes + 24, plain + 20, 28);
	memcpy(bytes + 56, plain + 48, 8);
	bytes[0] = bytes[32] = 0x46;
	bytes[3] = sizeof(bytes);
	sign4(bytes, sizeof(bytes));
	assert_true(parse4(bytes, sizeof(bytes), &error));
	assert_int_equal(error.flow.local.port, 23);
	assert_int_equal(error.seq, 0x01020304);
}

static void quotes_of_something_else_are_no_error(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes4[] = {{0, 0x65},  {0, 0x44},  {9, 6},   {7, 1},  {28, 0x65},
	                {28, 0x44}, {28, 0x4f}, {37, 17}, {35, 1}, {34, 0x1f}},
	  changes6[] = {{8, 0x45}, {14, 17}, {14, 44}};
	struct icmp_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(changes4) / sizeof(changes4[0]); i++) {
		uint8_t bytes[MESSAGE4];

		build4(bytes, 3, 1, 0);
		bytes[changes4[i].at] = changes4[i].value;
		if (changes4[i].at >= 20)
			sign4(bytes, sizeof(bytes));
		assert_false(parse4(bytes, sizeof(bytes), &error));
	}
	for (size_t i = 0; i < sizeof(changes6) / sizeof(changes6[0]); i++) {
		uint8_t bytes[MESSAGE6];

		build6(bytes, 1, 0, 0);
		bytes[changes6[i].at] = changes6[i].value;
		assert_false(parse6(bytes, sizeof(bytes), &error));
	}
}

static void random_bytes_are_read_without_harm(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint8_t bytes[MESSAGE4 + 8];
		size_t length = 20 + random_below(&random, sizeof(bytes) - 20 + 1);
		struct icmp_error error;

		random_fill(&random, bytes, sizeof(bytes));
		parse4(bytes, length, &error);
		build4(bytes, 3, (uint8_t)random_below(&random, 16), 0);
		bytes[random_below(&random, MESSAGE4)] = (uint8_t)random_next(&random);
		bytes[random_below(&random, MESSAGE4)] = (uint8_t)random_next(&random);
		if (length > 60 && (bytes[0] & 15) < 12)
			sign4(bytes, length);
		parse4(bytes, length, &error);
		random_fill(&random, bytes, sizeof(bytes));
		bytes[0] = (uint8_t)(1 + random_below(&random, 4));
		bytes[8] = 0x60;
		bytes[14] = 6;
		parse6(bytes, length, &error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_quoted_ipv4_segment_is_ours_by_flow_and_sequence_number),
		cmocka_unit_test(the_quoted_ipv6_segment_is_ours_by_flow_and_sequence_number),
		cmocka_unit_test(every_type_and_code_has_its_kind_or_is_no_error),
		cmocka_unit_test(every_truncation_is_no_error),
		cmocka_unit_test(an_ipv4_message_with_a_wrong_checksum_is_no_error),
		cmocka_unit_test(ip_options_on_either_header_are_skipped),
		cmocka_unit_test(quotes_of_something_else_are_no_error),
		cmocka_unit_test(random_bytes_are_read_without_harm),
	};

	return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
