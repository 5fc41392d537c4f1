/* Option policy: the first batch, what is accepted and refused, when all is known. */
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

static void subnegotiation(uint8_t option, const char *body, size_t body_length,
                           const char *expected, size_t length)
{
	negotiate_subnegotiation(&negotiation, option, (const uint8_t *)body, body_length, &reply);
	assert_int_equal(reply.length, length);
	assert_memory_equal(reply.bytes, expected, length);
}

#define SUBNEGOTIATION(option, body) SUBNEGOTIATION_GETS(option, body, "")
#define SUBNEGOTIATION_GETS(option, body, expected)                                                \
	subnegotiation(option, body, sizeof(body) - 1, expected, sizeof(expected) - 1)

static void the_first_batch_asks_for_what_login_needs(void **test)
{
	(void)test;
	static const char batch[] = "\xff\xfb\x01"  /* WILL ECHO */
				    "\xff\xfb\x03"  /* WILL SGA */
				    "\xff\xfd\x03"  /* DO SGA */
				    "\xff\xfd\x18"  /* DO TTYPE */
				    "\xff\xfd\x1f"  /* DO NAWS */
				    "\xff\xfd\x20"  /* DO TSPEED */
				    "\xff\xfd\x23"  /* DO XDISPLOC */
				    "\xff\xfd\x27"  /* DO NEW-ENVIRON */
				    "\xff\xfd\x21"  /* DO TOGGLE-FLOW-CONTROL */
				    "\xff\xfb\x05"  /* WILL STATUS */
				    "\xff\xfb\x2a"; /* WILL CHARSET */
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
	RECEIVE(TELNET_WILL, TELOPT_LFLOW, "");
	RECEIVE(TELNET_DO, TELOPT_STATUS, "");
	RECEIVE(TELNET_WILL, TELOPT_TTYPE, TTYPE_SEND);
	RECEIVE(TELNET_WILL, TELOPT_TTYPE, "");
	assert_true(negotiation.heard);
}

static void refuse_details(void)
{
	RECEIVE(TELNET_WONT, TELOPT_TSPEED, "");
	RECEIVE(TELNET_WONT, TELOPT_XDISPLOC, "");
	RECEIVE(TELNET_WONT, TELOPT_NEW_ENVIRON, "");
}

static void login_waits_for_terminal_and_window(void **test)
{
	(void)test;
	refuse_details();
	RECEIVE(TELNET_WILL, TELOPT_TTYPE, TTYPE_SEND);
	RECEIVE(TELNET_WILL, TELOPT_NAWS, "");
	assert_false(negotiate_complete(&negotiation));
	SUBNEGOTIATION(TELOPT_NAWS, "\0\x50\0\x18");
	assert_false(negotiate_complete(&negotiation));
	assert_false(negotiate_terminal_settled(&negotiation));
	SUBNEGOTIATION(TELOPT_TTYPE, "\0XTERM-256COLOR");
	assert_true(negotiate_complete(&negotiation));
	assert_string_equal(negotiation.terminal, "xterm-256color");
	assert_int_equal(negotiation.columns, 80);
	assert_int_equal(negotiation.rows, 24);
}

static void login_waits_for_what_else_the_client_has_promised(void **test)
{
	(void)test;
	RECEIVE(TELNET_WONT, TELOPT_TTYPE, "");
	RECEIVE(TELNET_WONT, TELOPT_NAWS, "");
	assert_true(negotiate_terminal_settled(&negotiation));
	RECEIVE(TELNET_WILL, TELOPT_TSPEED, "\xff\xfa\x20\1\xff\xf0");
	RECEIVE(TELNET_WILL, TELOPT_XDISPLOC, "\xff\xfa\x23\1\xff\xf0");
	RECEIVE(TELNET_WILL, TELOPT_NEW_ENVIRON, "\xff\xfa\x27\1\xff\xf0");
	SUBNEGOTIATION(TELOPT_TSPEED, "\0009600,9600");
	SUBNEGOTIATION(TELOPT_XDISPLOC, "\0here:0");
	assert_false(negotiate_complete(&negotiation));
	SUBNEGOTIATION(TELOPT_NEW_ENVIRON, "\0");
	assert_true(negotiate_complete(&negotiation));
}

static void refusals_are_enough_for_login(void **test)
{
	(void)test;
	refuse_details();
	RECEIVE(TELNET_WONT, TELOPT_TTYPE, "");
	assert_false(negotiate_complete(&negotiation));
	RECEIVE(TELNET_WONT, TELOPT_NAWS, "");
	assert_true(negotiate_complete(&negotiation));
	assert_string_equal(negotiation.terminal, "");
}

static bool is_had(unsigned option)
{
	static const uint8_t had[] = {
		TELOPT_BINARY,  TELOPT_ECHO,     TELOPT_SGA,         TELOPT_STATUS,
		TELOPT_TTYPE,   TELOPT_EOR,      TELOPT_NAWS,        TELOPT_TSPEED,
		TELOPT_LFLOW,   TELOPT_LINEMODE, TELOPT_XDISPLOC,    TELOPT_NEW_ENVIRON,
		TELOPT_CHARSET, TELOPT_LOGOUT,   TELOPT_TIMING_MARK,
	};

	return memchr(had, (int)option, sizeof(had)) != NULL;
}

/* Among them AUTHENTICATION (37), ENCRYPT (38) and START_TLS (46). */
static void every_other_option_is_refused_once_a_request(void **test)
{
	(void)test;
	assert_false(is_had(37) || is_had(38) || is_had(46));
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned option = 0; option < 256; option++) {
			const char refused_will[] = {'\xff', '\xfe', (char)option};
			const char refused_do[] = {'\xff', '\xfc', (char)option};
			if (is_had(option))
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
	assert_false(negotiate_they_do(&negotiation, NEGOTIATE_BINARY));
	RECEIVE(TELNET_WILL, TELOPT_BINARY, "\xff\xfd\0");
	assert_true(negotiate_they_do(&negotiation, NEGOTIATE_BINARY));
	assert_false(negotiate_we_do(&negotiation, NEGOTIATE_BINARY));
	RECEIVE(TELNET_DO, TELOPT_BINARY, "\xff\xfb\0");
	assert_true(negotiate_we_do(&negotiation, NEGOTIATE_BINARY));
	RECEIVE(TELNET_DONT, TELOPT_BINARY, "\xff\xfc\0");
	assert_false(negotiate_we_do(&negotiation, NEGOTIATE_BINARY));
	assert_true(negotiate_they_do(&negotiation, NEGOTIATE_BINARY));
}

static void a_timing_mark_is_answered_each_time(void **test)
{
	(void)test;
	for (int i = 0; i < 3; i++)
		RECEIVE(TELNET_DO, TELOPT_TIMING_MARK, "\xff\xfb\x06");
	RECEIVE(TELNET_DONT, TELOPT_TIMING_MARK, "");
	RECEIVE(TELNET_WILL, TELOPT_TIMING_MARK, "\xff\xfe\x06");
	RECEIVE(TELNET_WONT, TELOPT_TIMING_MARK, "");
}

static void the_answer_to_our_timing_mark_is_not_answered(void **test)
{
	static const uint8_t verbs[] = {TELNET_WILL, TELNET_WONT};

	(void)test;
	for (size_t i = 0; i < 2; i++) {
		negotiate_timing_mark(&negotiation, &reply);
		assert_int_equal(reply.length, 3);
		assert_memory_equal(reply.bytes, "\xff\xfd\x06", 3);
		assert_true(negotiation.timing_asked);
		RECEIVE(verbs[i], TELOPT_TIMING_MARK, "");
		assert_false(negotiation.timing_asked);
	}
}

static void logout_is_agreed_to_once_and_noted(void **test)
{
	(void)test;
	RECEIVE(TELNET_WILL, TELOPT_LOGOUT, "\xff\xfe\x12");
	assert_false(negotiation.logout);
	RECEIVE(TELNET_DO, TELOPT_LOGOUT, "\xff\xfb\x12");
	assert_true(negotiation.logout);
	RECEIVE(TELNET_DO, TELOPT_LOGOUT, "");
}

static void end_of_record_is_accepted_each_way(void **test)
{
	(void)test;
	RECEIVE(TELNET_DO, TELOPT_EOR, "\xff\xfb\x19");
	RECEIVE(TELNET_WILL, TELOPT_EOR, "\xff\xfd\x19");
}

static void dont_echo_means_that_the_client_echoes(void **test)
{
	(void)test;
	RECEIVE(TELNET_DO, TELOPT_ECHO, "");
	assert_false(negotiation.local_echo);
	RECEIVE(TELNET_DONT, TELOPT_ECHO, "\xff\xfc\x01");
	assert_true(negotiation.local_echo);
	/* our wish, for a password, is no change of the client's mind */
	reply.length = 0;
	negotiate_want(&negotiation, NEGOTIATE_ECHO, true, &reply);
	assert_int_equal(reply.length, 3);
	RECEIVE(TELNET_DO, TELOPT_ECHO, "");
	assert_true(negotiation.local_echo);
	negotiate_want(&negotiation, NEGOTIATE_ECHO, false, &reply);
	RECEIVE(TELNET_DONT, TELOPT_ECHO, "");
	/* but the client's own is */
	RECEIVE(TELNET_DO, TELOPT_ECHO, "\xff\xfb\x01");
	assert_false(negotiation.local_echo);
}

static void no_echo_for_our_own_wish_is_no_refusal(void **test)
{
	(void)test;
	RECEIVE(TELNET_DO, TELOPT_ECHO, "");
	reply.length = 0;
	negotiate_want(&negotiation, NEGOTIATE_ECHO, false, &reply);
	assert_memory_equal(reply.bytes, "\xff\xfc\x01", 3);
	RECEIVE(TELNET_DONT, TELOPT_ECHO, "");
	assert_false(negotiation.local_echo);
}

static void subnegotiations_of_options_that_are_off_are_ignored(void **test)
{
	(void)test;
	for (unsigned option = 0; option < 256; option++) {
		for (char first = 0; first < 4; first++) {
			const char body[] = {first, 'x', '1', ',', '1'};
			subnegotiation((uint8_t)option, body, sizeof(body), "", 0);
			subnegotiation((uint8_t)option, body, 1, "", 0);
			subnegotiation((uint8_t)option, body, 0, "", 0);
		}
	}
	assert_string_equal(negotiation.terminal, "");
	assert_false(negotiation.window_known || negotiation.speed_known ||
	             negotiation.display_known || negotiation.environment_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_batch_asks_for_what_login_needs, begin),
		cmocka_unit_test_setup(answers_to_the_batch_are_not_answered, begin),
		cmocka_unit_test_setup(login_waits_for_terminal_and_window, begin),
		cmocka_unit_test_setup(login_waits_for_what_else_the_client_has_promised, begin),
		cmocka_unit_test_setup(refusals_are_enough_for_login, begin),
		cmocka_unit_test_setup(every_other_option_is_refused_once_a_request, begin),
		cmocka_unit_test_setup(what_is_ours_alone_is_refused_to_the_client, begin),
		cmocka_unit_test_setup(binary_is_accepted_each_way_by_itself, begin),
		cmocka_unit_test_setup(a_timing_mark_is_answered_each_time, begin),
		cmocka_unit_test_setup(the_answer_to_our_timing_mark_is_not_answered, begin),
		cmocka_unit_test_setup(logout_is_agreed_to_once_and_noted, begin),
		cmocka_unit_test_setup(end_of_record_is_accepted_each_way, begin),
		cmocka_unit_test_setup(dont_echo_means_that_the_client_echoes, begin),
		cmocka_unit_test_setup(no_echo_for_our_own_wish_is_no_refusal, begin),
		cmocka_unit_test_setup(subnegotiations_of_options_that_are_off_are_ignored, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
