/*
 * The telnet input machine: what comes out as data and as commands, the same
 * whether the input comes whole or one byte at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shell/telnet_parse.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

/* All that came out, written as text: data as it is, the rest in brackets. */
struct outcome {
	char text[8192];
	size_t length;
};

static void note(struct outcome *outcome, const void *bytes, size_t length)
{
	assert_true(outcome->length + length < sizeof(outcome->text));
	memcpy(outcome->text + outcome->length, bytes, length);
	outcome->length += length;
}

static void note_event(struct outcome *outcome, const struct telnet_event *event)
{
	char text[64] = "";

	switch (event->type) {
	case TELNET_EVENT_DATA:
		note(outcome, event->data, event->length);
		return;
	case TELNET_EVENT_COMMAND:
		snprintf(text, sizeof(text), "<%u>", event->code);
		break;
	case TELNET_EVENT_NEGOTIATION:
		snprintf(text, sizeof(text), "<%u %u>", event->code, event->option);
		break;
	case TELNET_EVENT_SUBNEGOTIATION:
		snprintf(text, sizeof(text), "<SB %u:%zu:", event->option, event->length);
		note(outcome, text, strlen(text));
		note(outcome, event->data, event->length);
		snprintf(text, sizeof(text), ">");
		break;
	case TELNET_EVENT_NONE:
		return;
	}
	note(outcome, text, strlen(text));
}

/* Parses BYTES in pieces of at most PIECE. */
static void parse(struct outcome *outcome, const uint8_t *bytes, size_t length, size_t piece,
                  bool binary)
{
	struct telnet_parser parser = {.binary = binary};

	outcome->length = 0;
	for (size_t at = 0; at < length;) {
		size_t n = length - at < piece ? length - at : piece;
		/* A copy of just these bytes, so that ASan sees a read beyond them. */
		uint8_t *copy = malloc(n);
		assert_non_null(copy);
		memcpy(copy, bytes + at, n);
		for (size_t used = 0; used < n;) {
			struct telnet_event event;
			size_t k = telnet_parse(&parser, copy + used, n - used, &event);
			assert_in_range(k, 1, n - used);
			if (event.type == TELNET_EVENT_NONE)
				assert_int_equal(k, n - used);
			note_event(outcome, &event);
			used += k;
		}
		free(copy);
		at += n;
	}
}

static void expect(const uint8_t *bytes, size_t length, bool binary, const void *expected,
                   size_t expected_length)
{
	struct outcome outcome;
	const size_t pieces[] = {1, 2, 3, 7, 100000};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		parse(&outcome, bytes, length, pieces[i], binary);
		assert_int_equal(outcome.length, expected_length);
		assert_memory_equal(outcome.text, expected, expected_length);
	}
}

#define EXPECT(input, output)        expect(BYTES(input), false, output, sizeof(output) - 1)
#define EXPECT_BINARY(input, output) expect(BYTES(input), true, output, sizeof(output) - 1)

static void plain_text_passes(void **test)
{
	(void)test;
	EXPECT("ls -l", "ls -l");
	EXPECT("\x01\x7f\x80\xfe", "\x01\x7f\x80\xfe");
	EXPECT("a\0b", "a\0b");
}

static void cr_nul_and_cr_lf_are_one_cr(void **test)
{
	(void)test;
	EXPECT("ls\r\0", "ls\r");
	EXPECT("ls\r\n", "ls\r");
	EXPECT("a\r\nb\r\0c", "a\rb\rc");
	EXPECT("\r\r\n\n", "\r\r\n");
	EXPECT("\r\0\0", "\r\0");
}

static void lone_lf_and_lone_cr_stay(void **test)
{
	(void)test;
	EXPECT("ls\n", "ls\n");
	EXPECT("a\rb", "a\rb");
	EXPECT("\r", "\r");
}

static void binary_changes_nothing_but_doubled_iac(void **test)
{
	(void)test;
	EXPECT_BINARY("a\r\nb\r\0c\r", "a\r\nb\r\0c\r");
	EXPECT_BINARY("\xff\xff\r\xff\xff\n", "\xff\r\xff\n");
}

static void doubled_iac_is_one_byte(void **test)
{
	(void)test;
	EXPECT("a\xff\xff"
	       "b",
	       "a\xff"
	       "b");
	EXPECT("\xff\xff\xff\xff", "\xff\xff");
	EXPECT("\r\xff\xff\n", "\r\xff\n");
}

static void commands_come_out_alone(void **test)
{
	(void)test;
	EXPECT("a\xff\xf4"
	       "b",
	       "a<244>b");
	EXPECT("\xff\xf7\xff\xf8", "<247><248>");
	EXPECT("\xff\x01x", "<1>x");
	/* A command between CR and its LF does not make a second line. */
	EXPECT("\r\xff\xf1\n", "\r<241>");
}

static void negotiations_carry_their_option(void **test)
{
	(void)test;
	EXPECT("\xff\xfb\x18\xff\xfc\x1f\xff\xfd\x03\xff\xfe\xffx",
	       "<251 24><252 31><253 3><254 255>x");
}

static void subnegotiations_come_whole(void **test)
{
	(void)test;
	EXPECT("\xff\xfa\x18\0xterm\xff\xf0y", "<SB 24:6:\0xterm>y");
	EXPECT("\xff\xfa\x1f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0",
	       "<SB 31:4:\xff\xff\xff\xff>");
	EXPECT("\xff\xfa\x1f\xff\xf0z", "<SB 31:0:>z");
}

static void nothing_of_a_spoilt_subnegotiation_is_data(void **test)
{
	(void)test;
	/* a 255 that was not doubled */
	EXPECT("\xff\xfa\x1f\0\xff\0\x18\xff\xf0z", "z");
	EXPECT("\xff\xfa\x18\0rm -rf\xff\x0ax\xff\xf4y\xff\xf0z", "z");
	/* no option at all */
	EXPECT("\xff\xfa\xff\xf0z", "z");
	EXPECT("\xff\xfa\xff\xffrm\xff\xf0z", "z");
}

static void a_lost_end_is_made_up_by_the_next_negotiation(void **test)
{
	(void)test;
	EXPECT("\xff\xfa\x18\0xterm\xff\xfb\x1fz", "<251 31>z");
	EXPECT("\xff\xfa\x18\0xterm\xff\xfa\x1f\0\x50\0\x18\xff\xf0", "<SB 31:4:\0\x50\0\x18>");
}

/* BODY bytes of 'a' in a subnegotiation, and an x behind it. */
static void long_body(size_t body, bool comes_out)
{
	static uint8_t input[1 << 20];
	struct outcome outcome;
	size_t length = 3;

	memcpy(input, "\xff\xfa\x27", 3);
	memset(input + length, 'a', body);
	length += body;
	memcpy(input + length, "\xff\xf0x", 3);
	length += 3;
	parse(&outcome, input, length, 4096, false);
	if (comes_out)
		assert_memory_equal(outcome.text, "<SB 39:", 7);
	else
		assert_int_equal(outcome.length, 1);
	assert_int_equal(outcome.text[outcome.length - 1], 'x');
}

static void a_subnegotiation_above_the_bound_is_discarded(void **test)
{
	(void)test;
	long_body(TELNET_BODY_MAX, true);
	long_body(TELNET_BODY_MAX + 1, false);
	long_body((1 << 20) - 16, false);
}

static void what_nobody_could_take_is_parsed_again(void **test)
{
	struct telnet_parser parser = {0};
	struct telnet_event event;
	const uint8_t *input = (const uint8_t *)"abc\r\nd";

	(void)test;
	assert_int_equal(telnet_parse(&parser, input, 6, &event), 4);
	assert_int_equal(event.length, 4);
	telnet_parse_back(&parser, 2); /* "c\r" */
	assert_int_equal(telnet_parse(&parser, input + 2, 4, &event), 2);
	assert_memory_equal(event.data, "c\r", 2);
	assert_int_equal(telnet_parse(&parser, input + 4, 2, &event), 2);
	assert_int_equal(event.length, 1);
	assert_int_equal(event.data[0], 'd');
}

/* Any bytes, cut anywhere, give the same; the seed is printed. */
static void random_input_is_the_same_however_it_is_cut(void **test)
{
	static const uint8_t alphabet[] = {255, 255, 255, 240, 250, 251, 253, 244,
	                                   242, 0,   10,  13,  24,  31,  'a', 'b'};
	unsigned seed = 20240607;

	(void)test;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 2000; round++) {
		uint8_t input[64];
		struct outcome whole, cut;
		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = alphabet[(size_t)rand() % sizeof(alphabet)];
		parse(&whole, input, sizeof(input), sizeof(input), round % 2 != 0);
		for (size_t piece = 1; piece < 5; piece++) {
			parse(&cut, input, sizeof(input), piece, round % 2 != 0);
			assert_int_equal(whole.length, cut.length);
			assert_memory_equal(whole.text, cut.text, cut.length);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_passes),
		cmocka_unit_test(cr_nul_and_cr_lf_are_one_cr),
		cmocka_unit_test(lone_lf_and_lone_cr_stay),
		cmocka_unit_test(binary_changes_nothing_but_doubled_iac),
		cmocka_unit_test(doubled_iac_is_one_byte),
		cmocka_unit_test(commands_come_out_alone),
		cmocka_unit_test(negotiations_carry_their_option),
		cmocka_unit_test(subnegotiations_come_whole),
		cmocka_unit_test(nothing_of_a_spoilt_subnegotiation_is_data),
		cmocka_unit_test(a_lost_end_is_made_up_by_the_next_negotiation),
		cmocka_unit_test(a_subnegotiation_above_the_bound_is_discarded),
		cmocka_unit_test(what_nobody_could_take_is_parsed_again),
		cmocka_unit_test(random_input_is_the_same_however_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
