/*
 * Escaping of output: against a model that looks at one byte after the other,
 * cut anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shell/telnet_output.h"

struct text {
	uint8_t bytes[1024];
	size_t length;
};

static void add(struct text *text, const uint8_t *bytes, size_t length)
{
	assert_true(text->length + length <= sizeof(text->bytes));
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

/* What RFC 854 wants, written down the slow way. */
static void model(struct text *out, const uint8_t *bytes, size_t length, bool binary)
{
	out->length = 0;
	for (size_t i = 0; i < length; i++) {
		add(out, &bytes[i], 1);
		if (bytes[i] == 255)
			add(out, &bytes[i], 1);
		if (!binary && bytes[i] == '\r' && (i + 1 == length || bytes[i + 1] != '\n'))
			add(out, (const uint8_t *)"", 1);
	}
}

static void expand(struct text *out, const uint8_t *bytes, size_t length, size_t piece, bool binary)
{
	struct telnet_output output = {.binary = binary};

	out->length = 0;
	for (size_t at = 0; at < length;) {
		size_t n = length - at < piece ? length - at : piece;
		uint8_t *buffer = malloc(2 * n + 1); /* just what is promised to be enough */
		assert_non_null(buffer);
		memcpy(buffer, bytes + at, n);
		size_t total = telnet_output_expand(&output, buffer, n);
		assert_true(total <= 2 * n + 1);
		add(out, buffer, total);
		free(buffer);
		at += n;
	}
	if (telnet_output_settle(&output) != 0)
		add(out, (const uint8_t *)"", 1);
}

/* In pieces of at least SMALLEST bytes. */
static void check_pieces(const void *input, size_t length, size_t smallest, bool binary)
{
	struct text expected, got;

	model(&expected, input, length, binary);
	for (size_t piece = smallest; piece <= length; piece++) {
		expand(&got, input, length, piece, binary);
		assert_int_equal(got.length, expected.length);
		assert_memory_equal(got.bytes, expected.bytes, got.length);
	}
}

static void check(const void *input, size_t length, bool binary)
{
	check_pieces(input, length, 1, binary);
}

#define CHECK(text)                                                                                \
	do {                                                                                       \
		check(text, sizeof(text) - 1, false);                                              \
		check(text, sizeof(text) - 1, true);                                               \
	} while (0)

static void text_is_unchanged(void **test)
{
	struct telnet_output output = {0};
	uint8_t line[] = "total 4\r\n";

	(void)test;
	assert_int_equal(telnet_output_expand(&output, line, 9), 9);
	assert_memory_equal(line, "total 4\r\n", 9);
	CHECK("total 4\r\n");
}

static void iac_is_doubled(void **test)
{
	(void)test;
	CHECK("\xff");
	CHECK("a\xff\xff"
	      "b\xff");
}

static void lone_cr_gets_a_nul(void **test)
{
	(void)test;
	CHECK("\r");
	CHECK("50%\r60%\r\r\n");
	CHECK("\r\xff\r\n\r\r\xff");
}

static void a_cr_at_the_end_of_a_read_waits_for_the_next(void **test)
{
	struct telnet_output output = {0};
	uint8_t bytes[8] = "a\r";

	(void)test;
	assert_int_equal(telnet_output_expand(&output, bytes, 2), 2);
	bytes[0] = '\n';
	assert_int_equal(telnet_output_expand(&output, bytes, 1), 1);
	bytes[0] = '\r';
	assert_int_equal(telnet_output_expand(&output, bytes, 1), 1);
	bytes[0] = 'b';
	assert_int_equal(telnet_output_expand(&output, bytes, 1), 2);
	assert_memory_equal(bytes, "\0b", 2);
	assert_int_equal(telnet_output_settle(&output), 0);
}

static void random_output_is_as_the_model_says(void **test)
{
	static const uint8_t alphabet[] = {255, 255, '\r', '\r', '\n', 0, 'a', 'b'};
	unsigned seed = 977;

	(void)test;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 1000; round++) {
		uint8_t input[24];
		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = alphabet[(size_t)rand() % sizeof(alphabet)];
		check(input, sizeof(input), round % 2 != 0);
	}
}

/* Long reads are counted block by block. */
static void long_output_is_as_the_model_says(void **test)
{
	static const uint8_t alphabet[] = {255, '\r', '\n', 'a', 'b', 'c', 'd', 'e'};
	uint8_t input[330];
	unsigned seed = 978;

	(void)test;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = alphabet[(size_t)rand() % sizeof(alphabet)];
		check_pieces(input, sizeof(input), 60, round % 2 != 0);
	}
	memset(input, 255, sizeof(input));
	check_pieces(input, sizeof(input), 60, false);
	memset(input, '\r', sizeof(input));
	check_pieces(input, sizeof(input), 60, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_unchanged),
		cmocka_unit_test(iac_is_doubled),
		cmocka_unit_test(lone_cr_gets_a_nul),
		cmocka_unit_test(a_cr_at_the_end_of_a_read_waits_for_the_next),
		cmocka_unit_test(random_output_is_as_the_model_says),
		cmocka_unit_test(long_output_is_as_the_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
