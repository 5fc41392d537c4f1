/* What each option's subnegotiation says, and what is answered: one sentence a rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "shell/option.h"
#include "shell/session_data.h"
#include "shell/telnet.h"

#define SB "\xff\xfa"
#define SE "\xff\xf0"

static struct negotiation negotiation;
static struct telnet_reply reply;

static int begin(void **test)
{
	(void)test;
	negotiate_start(&negotiation, &reply);
	reply.length = 0;
	return 0;
}

/* The client's side of OPTION goes on. */
static void they(uint8_t option)
{
	negotiate_receive(&negotiation, TELNET_WILL, option, &reply);
}

static void expect_reply(const char *expected, size_t length)
{
	assert_int_equal(reply.length, length);
	assert_memory_equal(reply.bytes, expected, length);
}

#define EXPECT(expected) expect_reply(expected, sizeof(expected) - 1)

static void say(uint8_t option, const void *body, size_t length)
{
	negotiate_subnegotiation(&negotiation, option, body, length, &reply);
}

#define SAY(option, body) say(option, body, sizeof(body) - 1)

/* ---- STATUS, NAWS, TSPEED, XDISPLOC ---- */

static void status_tells_what_is_on(void **test)
{
	(void)test;
	negotiate_receive(&negotiation, TELNET_DO, TELOPT_STATUS, &reply);
	negotiate_receive(&negotiation, TELNET_DO, TELOPT_ECHO, &reply);
	they(TELOPT_NAWS);
	SAY(TELOPT_STATUS, "\1");
	EXPECT(SB "\5\0\xfb\1\xfd\x1f\xfb\5" SE);
	SAY(TELOPT_STATUS, "\0\xfb\1");
	EXPECT("");
}

static void a_window_size_that_is_malformed_is_ignored(void **test)
{
	(void)test;
	they(TELOPT_NAWS);
	SAY(TELOPT_NAWS, "");
	SAY(TELOPT_NAWS, "\0\x50\0");
	SAY(TELOPT_NAWS, "\0\x50\0\x18\0");
	assert_false(negotiation.window_known);
	SAY(TELOPT_NAWS, "\xff\xff\xff\xff");
	assert_int_equal(negotiation.columns, 65535);
	assert_int_equal(negotiation.rows, 65535);
}

static void a_size_of_zero_leaves_what_was_known(void **test)
{
	(void)test;
	they(TELOPT_NAWS);
	SAY(TELOPT_NAWS, "\0\0\0\x18");
	assert_true(negotiation.window_known);
	assert_int_equal(negotiation.columns, 0);
	assert_int_equal(negotiation.rows, 24);
	negotiation.window_changed = false;
	SAY(TELOPT_NAWS, "\0\x84\0\0");
	assert_true(negotiation.window_changed);
	assert_int_equal(negotiation.columns, 132);
	assert_int_equal(negotiation.rows, 24);
	negotiation.window_changed = false;
	SAY(TELOPT_NAWS, "\0\x84\0\x18");
	assert_false(negotiation.window_changed);
}

static void speed(const char *body, size_t length, uint32_t in, uint32_t out)
{
	begin(NULL);
	they(TELOPT_TSPEED);
	say(TELOPT_TSPEED, body, length);
	assert_int_equal(negotiation.speed_in, in);
	assert_int_equal(negotiation.speed_out, out);
}

#define SPEED(body, in, out) speed(body, sizeof(body) - 1, in, out)

static void speeds_are_two_numbers(void **test)
{
	(void)test;
	SPEED("\00038400,38400", 38400, 38400);
	SPEED("\0001200,75", 1200, 75);
	SPEED("\000999999999,0", 999999999, 0);
	SPEED("\0001000000000,9600", 0, 0);
	SPEED("\0009600", 0, 0);
	SPEED("\0009600,", 0, 0);
	SPEED("\000,9600", 0, 0);
	SPEED("\0009600,9600,", 0, 0);
	SPEED("\000-1,-1", 0, 0);
	SPEED("\0009600,9600\0", 0, 0);
	SPEED("\0", 0, 0);
	SPEED("\1", 0, 0);
}

static void display(const char *body, size_t length, const char *expected)
{
	begin(NULL);
	they(TELOPT_XDISPLOC);
	say(TELOPT_XDISPLOC, body, length);
	assert_string_equal(negotiation.display, expected);
	assert_true(negotiation.display_known);
}

static void a_display_is_a_display_or_nothing(void **test)
{
	char longest[130];

	(void)test;
	memset(longest, 'x', sizeof(longest));
	longest[0] = TELNET_IS;
	display("\0here.example:0.0", 17, "here.example:0.0");
	display("\0[2001:db8::1]:0", 16, "[2001:db8::1]:0");
	display("\0-display", 9, "");
	display("\0%n%s%x", 7, "");
	display("\0a:0\0b", 6, "");
	display("\0a:0\nb", 6, "");
	display("\0`id`:0", 7, "");
	display(longest, 130, "");
	longest[129] = '\0';
	display(longest, 129, longest + 1);
	SAY(TELOPT_XDISPLOC, "\0other:0");
	assert_string_equal(negotiation.display, longest + 1);
}

/* ---- TTYPE ---- */

static void terminal(const void *name, size_t length, const char *expected)
{
	uint8_t body[1024] = {TELNET_IS};

	begin(NULL);
	they(TELOPT_TTYPE);
	memcpy(body + 1, name, length);
	say(TELOPT_TTYPE, body, length + 1);
	assert_string_equal(negotiation.terminal, expected);
}

static void a_terminal_type_that_could_do_harm_is_dumb(void **test)
{
	char longest[41] = "", longer[600];

	(void)test;
	memset(longest, 'x', 40);
	memset(longer, 'x', sizeof(longer));
	terminal("vt100", 5, "vt100");
	terminal("rxvt-unicode-256color", 21, "rxvt-unicode-256color");
	terminal("XTERM+sl", 8, "xterm+sl");
	terminal("a.b_c", 5, "a.b_c");
	terminal("", 0, "dumb");
	terminal("../../../etc/passwd", 19, "dumb");
	terminal("-f root", 7, "dumb");
	terminal("%n%s%x", 6, "dumb");
	terminal("vt100\0", 6, "dumb");
	terminal("vt\x80", 3, "dumb");
	terminal(longer, 600, "dumb");
	terminal(longer, 41, "dumb");
	terminal(longest, 40, longest);
}

#define TTYPE_SEND SB "\x18\1" SE

static void a_known_terminal_is_taken_at_once(void **test)
{
	(void)test;
	they(TELOPT_TTYPE);
	EXPECT(TTYPE_SEND);
	SAY(TELOPT_TTYPE, "\0vt100");
	EXPECT("");
	assert_true(negotiation.ttype.settled);
	SAY(TELOPT_TTYPE, "\0vt220");
	EXPECT("");
	assert_string_equal(negotiation.terminal, "vt100");
}

static void a_client_is_asked_on_until_a_known_one(void **test)
{
	(void)test;
	they(TELOPT_TTYPE);
	SAY(TELOPT_TTYPE, "\0FANCY-CLIENT");
	EXPECT(TTYPE_SEND);
	assert_string_equal(negotiation.terminal, "fancy-client");
	assert_false(negotiation.ttype.settled);
	SAY(TELOPT_TTYPE, "\0XTERM-256COLOR");
	EXPECT("");
	assert_true(negotiation.ttype.settled);
	assert_string_equal(negotiation.terminal, "xterm-256color");
}

static void a_list_of_unknown_ones_gives_the_first(void **test)
{
	(void)test;
	they(TELOPT_TTYPE);
	SAY(TELOPT_TTYPE, "\0one");
	SAY(TELOPT_TTYPE, "\0two");
	EXPECT(TTYPE_SEND);
	SAY(TELOPT_TTYPE, "\0two");
	EXPECT(TTYPE_SEND); /* takes the client back to the first */
	assert_true(negotiation.ttype.settled);
	SAY(TELOPT_TTYPE, "\0one");
	EXPECT("");
	assert_string_equal(negotiation.terminal, "one");
	begin(NULL);
	they(TELOPT_TTYPE);
	SAY(TELOPT_TTYPE, "\0only");
	SAY(TELOPT_TTYPE, "\0only");
	EXPECT("");
	assert_true(negotiation.ttype.settled);
}

static void a_list_without_end_is_not_read_to_its_end(void **test)
{
	char body[] = "\0a";
	unsigned asked = 1;

	(void)test;
	they(TELOPT_TTYPE);
	for (; asked < 100; asked++) {
		body[1]++;
		SAY(TELOPT_TTYPE, body);
		if (negotiation.ttype.settled)
			break;
	}
	assert_in_range(asked, 2, 10);
	assert_string_equal(negotiation.terminal, "b");
}

/* ---- NEW-ENVIRON ---- */

static const char *variable(const char *name)
{
	const char *entry = NULL;
	size_t length = strlen(name);

	while ((entry = session_variable_next(&negotiation.environment, entry)) != NULL) {
		if (strncmp(entry, name, length) == 0 && entry[length] == '=')
			return entry + length + 1;
	}
	return NULL;
}

static void variables_of_both_kinds_are_kept(void **test)
{
	(void)test;
	they(TELOPT_NEW_ENVIRON);
	SAY(TELOPT_NEW_ENVIRON, "\0\0LANG\1C.UTF-8\3FOO\1bar\0NONE\0EMPTY\1\0ESC\1a\2\1b");
	assert_string_equal(variable("LANG"), "C.UTF-8");
	assert_string_equal(variable("FOO"), "bar");
	assert_null(variable("NONE"));
	assert_string_equal(variable("EMPTY"), "");
	assert_null(variable("ESC")); /* a control character */
	SAY(TELOPT_NEW_ENVIRON, "\2\3FOO\1other");
	assert_string_equal(variable("FOO"), "other");
	assert_true(session_environment_valid(&negotiation.environment));
}

static void escaped_bytes_belong_to_the_value(void **test)
{
	(void)test;
	they(TELOPT_NEW_ENVIRON);
	SAY(TELOPT_NEW_ENVIRON, "\0\3A\1x\2y\3B\1\2");
	assert_string_equal(variable("A"), "xy");
	assert_string_equal(variable("B"), "");
}

static void user(const char *name, size_t length, const char *expected)
{
	uint8_t body[700] = "\0\0USER\1";

	begin(NULL);
	they(TELOPT_NEW_ENVIRON);
	memcpy(body + 7, name, length);
	say(TELOPT_NEW_ENVIRON, body, 7 + length);
	assert_string_equal(negotiation.user, expected);
	assert_null(variable("USER"));
	assert_int_equal(negotiation.user_refused, expected[0] == '\0' && length > 0);
}

static void a_user_is_a_name_and_nothing_else(void **test)
{
	char longest[33];

	(void)test;
	memset(longest, 'x', sizeof(longest));
	user("guest", 5, "guest");
	user("_a.b-c9", 7, "_a.b-c9");
	user("-f root", 7, "");
	user("-froot", 6, "");
	user("-e", 2, "");
	user("-p", 2, "");
	user("-h x", 4, "");
	user("a b", 3, "");
	user("a\nb", 3, "");
	user("a\2\0b", 4, "");
	user("`id`", 4, "");
	user("%n%s%x", 6, "");
	user("", 0, "");
	user(longest, 33, "");
	longest[32] = '\0';
	user(longest, 32, longest);
}

static void what_is_too_much_or_malformed_is_left_out(void **test)
{
	uint8_t body[2048] = {TELNET_IS, 3, 'B', 1};

	(void)test;
	they(TELOPT_NEW_ENVIRON);
	memset(body + 4, 'v', sizeof(body) - 4);
	say(TELOPT_NEW_ENVIRON, body, sizeof(body));
	assert_null(variable("B"));
	SAY(TELOPT_NEW_ENVIRON, "\0X\3Y\1y");
	assert_null(variable("Y"));
	for (unsigned i = 0; i < 3000; i++) {
		uint8_t one[] = {
			TELNET_IS, 3,  'V', (uint8_t)('a' + i / 26 % 26), (uint8_t)('a' + i % 26),
			1,         'x'};
		say(TELOPT_NEW_ENVIRON, one, sizeof(one));
	}
	assert_true(session_environment_valid(&negotiation.environment));
	assert_string_equal(variable("Vaa"), "x");
	SAY(TELOPT_NEW_ENVIRON, "\1");
	SAY(TELOPT_NEW_ENVIRON, "\0\3");
	SAY(TELOPT_NEW_ENVIRON, "\0\3\1\1\1");
}

/* ---- CHARSET ---- */

static void utf8_is_asked_for_and_noted(void **test)
{
	(void)test;
	negotiate_receive(&negotiation, TELNET_DO, TELOPT_CHARSET, &reply);
	EXPECT(SB "\x2a\1;UTF-8" SE);
	SAY(TELOPT_CHARSET, "\1 UTF-8"); /* crossed: the server's stands */
	EXPECT(SB "\x2a\3" SE);
	assert_false(negotiation.utf8);
	SAY(TELOPT_CHARSET, "\2utf-8");
	assert_true(negotiation.utf8);
}

static void a_clients_list_is_searched_for_utf8(void **test)
{
	(void)test;
	they(TELOPT_CHARSET);
	EXPECT("\xff\xfd\x2a");
	SAY(TELOPT_CHARSET, "\2UTF-8"); /* nobody has asked */
	assert_false(negotiation.utf8);
	SAY(TELOPT_CHARSET, "\1;ISO-8859-1;US-ASCII");
	EXPECT(SB "\x2a\3" SE);
	SAY(TELOPT_CHARSET, "\1");
	EXPECT(SB "\x2a\3" SE);
	SAY(TELOPT_CHARSET, "\1[TTABLE]\1 KOI8-R utf-8");
	EXPECT(SB "\x2a\2UTF-8" SE);
	assert_true(negotiation.utf8);
	SAY(TELOPT_CHARSET, "\4\1;a;b");
	EXPECT(SB "\x2a\5" SE);
}

/* ---- TOGGLE-FLOW-CONTROL ---- */

static void flow_control_is_told_when_it_changes(void **test)
{
	(void)test;
	option_lflow_tell(&negotiation, true, false, &reply);
	EXPECT("");
	they(TELOPT_LFLOW);
	option_lflow_tell(&negotiation, true, false, &reply);
	EXPECT(SB "\x21\3" SE SB "\x21\1" SE);
	reply.length = 0;
	option_lflow_tell(&negotiation, true, false, &reply);
	EXPECT("");
	option_lflow_tell(&negotiation, false, false, &reply);
	EXPECT(SB "\x21\0" SE);
	reply.length = 0;
	option_lflow_tell(&negotiation, false, true, &reply);
	EXPECT(SB "\x21\2" SE);
}

/* ---- LINEMODE ---- */

static void a_mode_holds_when_the_client_agrees(void **test)
{
	(void)test;
	they(TELOPT_LINEMODE);
	EXPECT("\xff\xfd\x22");
	reply.length = 0;
	option_linemode_tell(&negotiation, LINEMODE_EDIT | LINEMODE_TRAPSIG, &reply);
	EXPECT(SB "\x22\1\3" SE);
	assert_false(option_linemode_edits(&negotiation));
	SAY(TELOPT_LINEMODE, "\1\3"); /* no ACK */
	SAY(TELOPT_LINEMODE, "\1\6"); /* another mode's */
	SAY(TELOPT_LINEMODE, "\1");
	assert_false(option_linemode_edits(&negotiation));
	SAY(TELOPT_LINEMODE, "\1\7");
	EXPECT("");
	assert_true(option_linemode_edits(&negotiation));
	option_linemode_tell(&negotiation, LINEMODE_EDIT | LINEMODE_TRAPSIG, &reply);
	EXPECT("");
	option_linemode_tell(&negotiation, LINEMODE_TRAPSIG, &reply);
	EXPECT(SB "\x22\1\2" SE);
	assert_false(option_linemode_edits(&negotiation));
	SAY(TELOPT_LINEMODE, "\1\7"); /* the answer to the one before */
	assert_false(option_linemode_edits(&negotiation));
}

static void the_mode_is_that_of_the_terminal(void **test)
{
	struct termios t = {.c_lflag = ICANON | ISIG | ECHOCTL};

	(void)test;
	assert_int_equal(option_linemode_of(&t), LINEMODE_EDIT | LINEMODE_TRAPSIG);
	t.c_lflag = 0;
	assert_int_equal(option_linemode_of(&t), LINEMODE_LIT_ECHO);
	t.c_oflag = XTABS;
	assert_int_equal(option_linemode_of(&t), LINEMODE_LIT_ECHO | LINEMODE_SOFT_TAB);
}

static void a_forward_mask_has_the_ends_of_a_line(void **test)
{
	(void)test;
	they(TELOPT_LINEMODE);
	reply.length = 0;
	option_linemode_forward(&negotiation, 0, 0, &reply);
	EXPECT("");
	option_linemode_forward(&negotiation, 'A', 0, &reply);
	assert_int_equal(reply.length, 3 + 2 + 32 + 2);
	assert_memory_equal(reply.bytes, SB "\x22\xfd\2\0\0\0\0\0\0\0\0\x40\0", 15);
	reply.length = 0;
	option_linemode_forward(&negotiation, 'A', 0, &reply);
	EXPECT("");
	option_linemode_forward(&negotiation, 0, 0, &reply);
	EXPECT(SB "\x22\xfe\2" SE);
	SAY(TELOPT_LINEMODE, "\xfb\2"); /* WILL: no answer */
	EXPECT("");
	SAY(TELOPT_LINEMODE, "\xfd\2\1"); /* DO: not the client's to ask */
	EXPECT(SB "\x22\xfc\2" SE);
}

static void the_clients_characters_become_the_terminals(void **test)
{
	struct termios t = {.c_lflag = ICANON, .c_cc = {[VINTR] = 3, [VERASE] = 0x7f}};

	(void)test;
	they(TELOPT_LINEMODE);
	/* IP ^G; EC ^H; SUSP not supported; function 40 is none */
	SAY(TELOPT_LINEMODE, "\3\3\x62\7\x0a\2\10\x09\0\0\x28\2\1");
	EXPECT(SB "\x22\3\3\xe2\7\x0a\x82\10\x09\x80\0\x28\0\0" SE);
	assert_true(option_slc_apply(&negotiation, &t));
	assert_int_equal(t.c_cc[VINTR], 7);
	assert_int_equal(t.c_cc[VERASE], 8);
	assert_int_equal(t.c_cc[VSUSP], _POSIX_VDISABLE);
	assert_int_equal(t.c_cc[VKILL], 0x15);
	assert_false(option_slc_apply(&negotiation, &t));
	/* what is known already, and what is only acknowledged, needs no answer */
	SAY(TELOPT_LINEMODE, "\3\3\x62\7\x0a\x82\x08");
	EXPECT("");
	/* a program changes one */
	t.c_cc[VINTR] = 5;
	option_slc_tell(&negotiation, &t, &reply);
	EXPECT(SB "\x22\3\3\x62\5" SE);
	SAY(TELOPT_LINEMODE, "\3\3\xe2\5");
	EXPECT("");
}

static void a_client_can_ask_for_all_characters(void **test)
{
	(void)test;
	they(TELOPT_LINEMODE);
	SAY(TELOPT_LINEMODE, "\3\3\2\7");
	SAY(TELOPT_LINEMODE, "\3\0\2\0\0\2\0\0\2\0"); /* once is enough */
	assert_memory_equal(reply.bytes, SB "\x22\3\1\0\xff\xff\2\0\xff\xff\3\x62\7", 15);
	assert_in_range(reply.length, 3 + 1 + 18 * 3 + 2, 3 + 1 + 18 * 4 + 2);
	SAY(TELOPT_LINEMODE, "\3\0\3\0");
	assert_memory_equal(reply.bytes, SB "\x22\3\1\0\xff\xff\2\0\xff\xff\3\x62\3", 15);
	SAY(TELOPT_LINEMODE, "\3\3\3\0"); /* one function's default */
	EXPECT(SB "\x22\3\3\x62\3" SE);
}

/* CVE-2026-32746: answers have a bound, whatever the client sends. */
static void triplets_without_end_get_a_bounded_answer(void **test)
{
	static const unsigned counts[] = {34, 35, 60, 165, 600};
	uint8_t body[1 + 3 * 600];

	(void)test;
	they(TELOPT_LINEMODE);
	for (size_t round = 0; round < 256 * sizeof(counts) / sizeof(counts[0]); round++) {
		unsigned count = counts[round % 5];
		body[0] = 3;
		for (unsigned i = 0; i < count; i++) {
			body[1 + 3 * i] = (uint8_t)(round / 5);
			body[2 + 3 * i] = (uint8_t)(1 + i % 2);
			body[3 + 3 * i] = (uint8_t)(i + 0x41);
		}
		for (size_t cut = 0; cut < 3; cut++) {
			say(TELOPT_LINEMODE, body, 1 + 3 * count - cut);
			assert_in_range(reply.length, 0, TELNET_REPLY_MAX);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(status_tells_what_is_on, begin),
		cmocka_unit_test_setup(a_window_size_that_is_malformed_is_ignored, begin),
		cmocka_unit_test_setup(a_size_of_zero_leaves_what_was_known, begin),
		cmocka_unit_test_setup(speeds_are_two_numbers, begin),
		cmocka_unit_test_setup(a_display_is_a_display_or_nothing, begin),
		cmocka_unit_test_setup(a_terminal_type_that_could_do_harm_is_dumb, begin),
		cmocka_unit_test_setup(a_known_terminal_is_taken_at_once, begin),
		cmocka_unit_test_setup(a_client_is_asked_on_until_a_known_one, begin),
		cmocka_unit_test_setup(a_list_of_unknown_ones_gives_the_first, begin),
		cmocka_unit_test_setup(a_list_without_end_is_not_read_to_its_end, begin),
		cmocka_unit_test_setup(variables_of_both_kinds_are_kept, begin),
		cmocka_unit_test_setup(escaped_bytes_belong_to_the_value, begin),
		cmocka_unit_test_setup(a_user_is_a_name_and_nothing_else, begin),
		cmocka_unit_test_setup(what_is_too_much_or_malformed_is_left_out, begin),
		cmocka_unit_test_setup(utf8_is_asked_for_and_noted, begin),
		cmocka_unit_test_setup(a_clients_list_is_searched_for_utf8, begin),
		cmocka_unit_test_setup(flow_control_is_told_when_it_changes, begin),
		cmocka_unit_test_setup(a_mode_holds_when_the_client_agrees, begin),
		cmocka_unit_test_setup(the_mode_is_that_of_the_terminal, begin),
		cmocka_unit_test_setup(a_forward_mask_has_the_ends_of_a_line, begin),
		cmocka_unit_test_setup(the_clients_characters_become_the_terminals, begin),
		cmocka_unit_test_setup(a_client_can_ask_for_all_characters, begin),
		cmocka_unit_test_setup(triplets_without_end_get_a_bounded_answer, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
