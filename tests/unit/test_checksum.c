/* stack/checksum.c against a naive reading of RFC 1071. */
#include "tests/unit/random.h"

#include "stack/checksum.h"

#define TCP_CHECKSUM 16

/* RFC 1071, section 4.1: 16-bit words in network order, folded, not complemented. */
static uint16_t naive(uint32_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

/* A value in network byte order as a number. */
static unsigned number(uint16_t in_memory)
{
	uint8_t bytes[2];

	memcpy(bytes, &in_memory, 2);
	return (unsigned)(bytes[0] << 8 | bytes[1]);
}

static struct ip_address address(struct random *random, uint8_t version)
{
	struct ip_address a = {.version = version};

	random_fill(random, a.bytes, version == IP_V6 ? 16 : 4);
	return a;
}

/* The pseudo-header as RFC 9293, 3.1 and RFC 8200, 8.1 draw it, summed naively. */
static uint16_t naive_pseudo(const struct ip_address *src, const struct ip_address *dst,
                             uint32_t length)
{
	uint8_t b[40] = {0};

	if (src->version == IP_V4) {
		memcpy(b, src->bytes, 4);
		memcpy(b + 4, dst->bytes, 4);
		b[9] = 6;
		b[10] = (uint8_t)(length >> 8);
		b[11] = (uint8_t)length;
		return naive(0, b, 12);
	}
	memcpy(b, src->bytes, 16);
	memcpy(b + 16, dst->bytes, 16);
	for (int i = 0; i < 4; i++)
		b[32 + i] = (uint8_t)(length >> (24 - 8 * i));
	b[39] = 6;
	return naive(0, b, 40);
}

static void the_example_of_rfc_1071_gives_ddf2(void **state)
{
	const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(number(checksum_fold(checksum_add(0, bytes, sizeof(bytes)))), 0xddf2);
}

static void any_bytes_at_any_address_sum_as_the_naive_way(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t length = random_below(&random, i % 100 == 0 ? 66000 : 300);
		size_t offset = random_below(&random, 9);
		uint8_t *bytes = malloc(offset + length + 1);

		assert_non_null(bytes);
		if (i % 3 == 0)
			memset(bytes, 0xff, offset + length);
		else
			random_fill(&random, bytes, offset + length);
		bytes = realloc(bytes, offset + length + (offset + length == 0));
		assert_int_equal(number(checksum_fold(checksum_add(0, bytes + offset, length))),
		                 naive(0, bytes + offset, length));
		free(bytes);
	}
}

static void even_pieces_and_an_odd_last_one_sum_as_the_whole(void **state)
{
	struct random random = random_start();
	uint8_t bytes[4001];

	(void)state;
	random_fill(&random, bytes, sizeof(bytes));
	for (int i = 0; i < 2000; i++) {
		size_t at = 0;
		uint64_t sum = 0;

		while (sizeof(bytes) - at > 1000) {
			size_t piece = 2 * (size_t)random_below(&random, 500);

			sum = checksum_add(sum, bytes + at, piece);
			at += piece;
		}
		sum = checksum_add(sum, bytes + at, sizeof(bytes) - at);
		assert_int_equal(number(checksum_fold(sum)), naive(0, bytes, sizeof(bytes)));
	}
}

static void carries_out_of_64_bits_come_around(void **state)
{
	uint8_t ones[100];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (size_t length = 2; length <= sizeof(ones); length++) {
		uint64_t sum = checksum_add(UINT64_MAX, ones, length);

		/* All ones is the other zero. */
		assert_int_equal(number(checksum_fold(sum)), length % 2 == 0 ? 0xffff : 0xff00);
	}
	assert_int_equal(checksum_fold(0), 0);
	assert_int_equal(checksum_fold(UINT64_MAX), 0xffff);
	assert_int_equal(checksum_fold(0xffff0000ffff0001), 1);
}

static void the_pseudo_header_sums_as_drawn_in_the_rfcs(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint8_t version = i % 2 ? IP_V4 : IP_V6;
		struct ip_address src = address(&random, version);
		struct ip_address dst = address(&random, version);
		uint32_t length = random_below(&random, version == IP_V4 ? 65516 : 1 << 20);

		assert_int_equal(number(checksum_fold(checksum_pseudo(&src, &dst, length))),
		                 naive_pseudo(&src, &dst, length));
	}
}

/* Header and data in one buffer of exact length, with the field filled in. */
static uint8_t *segment(struct random *random, const struct ip_address *src,
                        const struct ip_address *dst, size_t header, size_t data)
{
	uint8_t *bytes = malloc(header + data);
	uint16_t field;

	assert_non_null(bytes);
	random_fill(random, bytes, header + data);
	memset(bytes + TCP_CHECKSUM, 0, 2);
	field = checksum_tcp(src, dst, bytes, header, data > 0 ? bytes + header : NULL, data);
	memcpy(bytes + TCP_CHECKSUM, &field, 2);
	return bytes;
}

static void a_checksum_that_was_written_verifies(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 3000; i++) {
		uint8_t version = i % 2 ? IP_V4 : IP_V6;
		struct ip_address src = address(&random, version);
		struct ip_address dst = address(&random, version);
		size_t header = 20 + 4 * (size_t)random_below(&random, 11);
		size_t data = random_below(&random, 3) ? random_below(&random, 1500) : 0;
		uint8_t *bytes = segment(&random, &src, &dst, header, data);

		assert_true(checksum_tcp_ok(&src, &dst, bytes, header + data));
		assert_int_equal(naive(naive_pseudo(&src, &dst, (uint32_t)(header + data)), bytes,
		                       header + data),
		                 0xffff);
		free(bytes);
	}
}

static void one_flipped_bit_anywhere_is_noticed(void **state)
{
	struct random random = random_start();
	struct ip_address src = address(&random, IP_V4), dst = address(&random, IP_V4);
	uint8_t *bytes = segment(&random, &src, &dst, 32, 101);

	(void)state;
	for (size_t bit = 0; bit < 8 * 133; bit++) {
		uint16_t field, pseudo = checksum_fold(checksum_pseudo(&src, &dst, 133));

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memcpy(&field, bytes + TCP_CHECKSUM, 2);
		if (field != pseudo)
			assert_false(checksum_tcp_ok(&src, &dst, bytes, 133));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	src.bytes[1] ^= 4;
	assert_false(checksum_tcp_ok(&src, &dst, bytes, 133));
	free(bytes);
}

static void the_sum_of_the_pseudo_header_alone_is_accepted(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint8_t version = i % 2 ? IP_V4 : IP_V6;
		struct ip_address src = address(&random, version);
		struct ip_address dst = address(&random, version);
		size_t data = random_below(&random, 60000);
		uint8_t *bytes = segment(&random, &src, &dst, 20, data);
		uint16_t field = checksum_fold(checksum_pseudo(&src, &dst, 20 + data));

		memcpy(bytes + TCP_CHECKSUM, &field, 2);
		assert_true(checksum_tcp_ok(&src, &dst, bytes, 20 + data));
		free(bytes);
	}
}

static void the_complement_of_the_pseudo_header_is_not(void **state)
{
	struct ip_address src = {.bytes = {10, 0, 0, 1}, .version = IP_V4};
	struct ip_address dst = {.bytes = {10, 0, 0, 2}, .version = IP_V4};
	uint8_t bytes[21] = {[20] = 'x'};
	uint16_t field = (uint16_t)~checksum_fold(checksum_pseudo(&src, &dst, sizeof(bytes)));

	(void)state;
	memcpy(bytes + TCP_CHECKSUM, &field, 2);
	assert_false(checksum_tcp_ok(&src, &dst, bytes, sizeof(bytes)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_1071_gives_ddf2),
		cmocka_unit_test(any_bytes_at_any_address_sum_as_the_naive_way),
		cmocka_unit_test(even_pieces_and_an_odd_last_one_sum_as_the_whole),
		cmocka_unit_test(carries_out_of_64_bits_come_around),
		cmocka_unit_test(the_pseudo_header_sums_as_drawn_in_the_rfcs),
		cmocka_unit_test(a_checksum_that_was_written_verifies),
		cmocka_unit_test(one_flipped_bit_anywhere_is_noticed),
		cmocka_unit_test(the_sum_of_the_pseudo_header_alone_is_accepted),
		cmocka_unit_test(the_complement_of_the_pseudo_header_is_not),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
