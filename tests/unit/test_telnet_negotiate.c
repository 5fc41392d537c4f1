/*
 * Option policy: the first batch, what is accepted and refused, terminal type
 * and window size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shell/telnet.h"
#include "shell/telnet_negotiate.h"

#define TTYPE_SEND "\xff\xfa\x18\x01\xff\xf0"

static struct negotiation negotiation;
static struct telnet_reply reply;

static int begin(void **test)
{
	(void)test;
	negotiate_start(&negotiation, &reply);
	return 0;
}

static void receive(uint8_t verb, uint8_t option, const char *expected, size_t length)
{
	negotiate_receive(&negotiation, verb, option, &reply);
	assert_int_equal(reply.length, length);
	assert_memory_equal(reply.bytes, expected, length);
}

#define RECEIVE(verb, option, expected) receive(verb, option, expected, sizeof(expected) - 1)
#define SUBNEGOTIATION(option, body)                                                               \
	negotiate_subnegotiation(&negotiation, option, (const uint8_t *)(body), sizeof(body) - 1)

static void the_first_batch_asks_for_what_login_needs(void **test)
{
	(void)test;
	static const char batch[] = "\xff\xfb\x01"  /* WILL ECHO */
				    "\xff\xfb\x03"  /* WILL SGA */
				    "\xff\xfd\x03"  /* DO SGA */
				    "\xff\xfd\x18"  /* DO TTYPE */
				    "\xff\xfd\x1f"; /* DO NAWS */
	assert_int_equal(reply.length, sizeof(batch) - 1);
	assert_memory_equal(reply.bytes, batch, sizeof(batch) - 1);
	assert_false(negotiation.heard);
	assert_false(negotiate_complete(&negotiation));
}

static void answers_to_the_batch_are_not_answered(void **test)
{
	(void)test;
	RECEIVE(TELNET_DO, TELOPT_ECHO, "");
	RECEIVE(TELNET_DO, TELOPT_SGA, "");
	RECEIVE(TELNET_WILL, TELOPT_SGA, "");
	RECEIVE(TELNET_WILL, TELOPT_NAWS, "");
	RECEIVE(TELNET_WILL, TELOPT_TTYPE, TTYPE_SEND);
	RECEIVE(TELNET_WILL, TELOPT_TTYPE, "");
	assert_true(negotiation.heard);
}

static void login_waits_for_terminal_and_window(void **test)
{
	(void)test;
	RECEIVE(TELNET_WILL, TELOPT_TTYPE, TTYPE_SEND);
	RECEIVE(TELNET_WILL, TELOPT_NAWS, "");
	assert_false(negotiate_complete(&negotiation));
	SUBNEGOTIATION(TELOPT_NAWS, "\0\x50\0\x18");
	assert_false(negotiate_complete(&negotiation));
	SUBNEGOTIATION(TELOPT_TTYPE, "\0XTERM-256COLOR");
	assert_true(negotiate_complete(&negotiation));
	assert_string_equal(negotiation.terminal, "xterm-256color");
	assert_int_equal(negotiation.columns, 80);
	assert_int_equal(negotiation.rows, 24);
}

static void refusals_are_enough_for_login(void **test)
{
	(void)test;
	RECEIVE(TELNET_WONT, TELOPT_TTYPE, "");
	assert_false(negotiate_complete(&negotiation));
	RECEIVE(TELNET_WONT, TELOPT_NAWS, "");
	assert_true(negotiate_complete(&negotiation));
	assert_string_equal(negotiation.terminal, "");
}

static void every_other_option_is_refused_once_a_request(void **test)
{
	(void)test;
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned option = 0; option < 256; option++) {
			const char refused_will[] = {'\xff', '\xfe', (char)option};
			const char refused_do[] = {'\xff', '\xfc', (char)option};
			if (option == TELOPT_BINARY || option == TELOPT_ECHO ||
			    option == TELOPT_SGA || option == TELOPT_TTYPE || option == TELOPT_NAWS)
				continue;
			receive(TELNET_WILL, (uint8_t)option, refused_will, 3);
			receive(TELNET_DO, (uint8_t)option, refused_do, 3);
			receive(TELNET_WONT, (uint8_t)option, "", 0);
			receive(TELNET_DONT, (uint8_t)option, "", 0);
		}
	}
}

static void what_is_ours_alone_is_refused_to_the_client(void **test)
{
	(void)test;
	RECEIVE(TELNET_WILL, TELOPT_ECHO, "\xff\xfe\x01");
	RECEIVE(TELNET_DO, TELOPT_TTYPE, "\xff\xfc\x18");
	RECEIVE(TELNET_DO, TELOPT_NAWS, "\xff\xfc\x1f");
}

static void binary_is_accepted_each_way_by_itself(void **test)
{
	(void)test;
	assert_false(negotiate_binary_input(&negotiation));
	RECEIVE(TELNET_WILL, TELOPT_BINARY, "\xff\xfd\0");
	assert_true(negotiate_binary_input(&negotiation));
	assert_false(negotiate_binary_output(&negotiation));
	RECEIVE(TELNET_DO, TELOPT_BINARY, "\xff\xfb\0");
	assert_true(negotiate_binary_output(&negotiation));
	RECEIVE(TELNET_DONT, TELOPT_BINARY, "\xff\xfc\0");
	assert_false(negotiate_binary_output(&negotiation));
	assert_true(negotiate_binary_input(&negotiation));
}

static void terminal(const char *name, size_t length, const char *expected)
{
	uint8_t body[1024] = {TELNET_TTYPE_IS};

	begin(NULL);
	RECEIVE(TELNET_WILL, TELOPT_TTYPE, TTYPE_SEND);
	memcpy(body + 1, name, length);
	negotiate_subnegotiation(&negotiation, TELOPT_TTYPE, body, length + 1);
	assert_string_equal(negotiation.terminal, expected);
	assert_true(negotiation.terminal_known);
}

static void a_terminal_type_that_could_do_harm_is_dumb(void **test)
{
	char longest[40], longer[600];

	(void)test;
	memset(longest, 'x', sizeof(longest));
	memset(longer, 'x', sizeof(longer));
	terminal("vt100", 5, "vt100");
	terminal("rxvt-unicode-256color", 21, "rxvt-unicode-256color");
	terminal("xterm+sl", 8, "xterm+sl");
	terminal("a.b_c", 5, "a.b_c");
	terminal("", 0, "dumb");
	terminal("../../../etc/passwd", 19, "dumb");
	terminal("-f root", 7, "dumb");
	terminal("%n%s%x", 6, "dumb");
	terminal("vt100\0", 6, "dumb");
	terminal("vt\x80", 3, "dumb");
	terminal(longer, 600, "dumb");
	terminal(longer, 41, "dumb");
	begin(NULL);
	terminal(longest, 40, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static void only_the_first_terminal_type_counts(void **test)
{
	(void)test;
	RECEIVE(TELNET_WILL, TELOPT_TTYPE, TTYPE_SEND);
	SUBNEGOTIATION(TELOPT_TTYPE, "\0vt100");
	SUBNEGOTIATION(TELOPT_TTYPE, "\0vt220");
	assert_string_equal(negotiation.terminal, "vt100");
}

static void subnegotiations_of_options_that_are_off_are_ignored(void **test)
{
	(void)test;
	SUBNEGOTIATION(TELOPT_TTYPE, "\0vt100");
	SUBNEGOTIATION(TELOPT_NAWS, "\0\x50\0\x18");
	SUBNEGOTIATION(34, "\3PAA");
	assert_false(negotiation.terminal_known);
	assert_false(negotiation.window_known);
	RECEIVE(TELNET_WILL, TELOPT_TTYPE, TTYPE_SEND);
	SUBNEGOTIATION(TELOPT_TTYPE, "\1");
	SUBNEGOTIATION(TELOPT_TTYPE, "");
	assert_false(negotiation.terminal_known);
}

static void a_window_size_that_is_malformed_is_ignored(void **test)
{
	(void)test;
	RECEIVE(TELNET_WILL, TELOPT_NAWS, "");
	SUBNEGOTIATION(TELOPT_NAWS, "");
	SUBNEGOTIATION(TELOPT_NAWS, "\0\x50\0");
	SUBNEGOTIATION(TELOPT_NAWS, "\0\x50\0\x18\0");
	assert_false(negotiation.window_known);
	SUBNEGOTIATION(TELOPT_NAWS, "\xff\xff\xff\xff");
	assert_int_equal(negotiation.columns, 65535);
	assert_int_equal(negotiation.rows, 65535);
}

static void a_size_of_zero_leaves_what_was_known(void **test)
{
	(void)test;
	RECEIVE(TELNET_WILL, TELOPT_NAWS, "");
	SUBNEGOTIATION(TELOPT_NAWS, "\0\0\0\x18");
	assert_true(negotiation.window_known);
	assert_int_equal(negotiation.columns, 0);
	assert_int_equal(negotiation.rows, 24);
	negotiation.window_changed = false;
	SUBNEGOTIATION(TELOPT_NAWS, "\0\x84\0\0");
	assert_true(negotiation.window_changed);
	assert_int_equal(negotiation.columns, 132);
	assert_int_equal(negotiation.rows, 24);
	negotiation.window_changed = false;
	SUBNEGOTIATION(TELOPT_NAWS, "\0\x84\0\x18");
	assert_false(negotiation.window_changed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_batch_asks_for_what_login_needs, begin),
		cmocka_unit_test_setup(answers_to_the_batch_are_not_answered, begin),
		cmocka_unit_test_setup(login_waits_for_terminal_and_window, begin),
		cmocka_unit_test_setup(refusals_are_enough_for_login, begin),
		cmocka_unit_test_setup(every_other_option_is_refused_once_a_request, begin),
		cmocka_unit_test_setup(what_is_ours_alone_is_refused_to_the_client, begin),
		cmocka_unit_test_setup(binary_is_accepted_each_way_by_itself, begin),
		cmocka_unit_test_setup(a_terminal_type_that_could_do_harm_is_dumb, begin),
		cmocka_unit_test_setup(only_the_first_terminal_type_counts, begin),
		cmocka_unit_test_setup(subnegotiations_of_options_that_are_off_are_ignored, begin),
		cmocka_unit_test_setup(a_window_size_that_is_malformed_is_ignored, begin),
		cmocka_unit_test_setup(a_size_of_zero_leaves_what_was_known, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
