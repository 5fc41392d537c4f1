/*
 * RFC 1143's Q method: every state and every event, and that two ends of it
 * cannot loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shell/telnet_option.h"

struct expectation {
	enum option_state before;
	enum option_event event;
	enum option_state after;
	enum option_reply reply;
};

/* Written from section 7 of the RFC, in its order, and not from the code. */
static const struct expectation expectations[] = {
	/* on receiving WILL (for the other side: DO) */
	{OPTION_NO, OPTION_RECEIVE_YES, OPTION_YES, OPTION_SEND_YES},
	{OPTION_NO, OPTION_RECEIVE_YES_UNWANTED, OPTION_NO, OPTION_SEND_NO},
	{OPTION_YES, OPTION_RECEIVE_YES, OPTION_YES, OPTION_SEND_NOTHING},
	{OPTION_YES, OPTION_RECEIVE_YES_UNWANTED, OPTION_YES, OPTION_SEND_NOTHING},
	{OPTION_WANTNO, OPTION_RECEIVE_YES, OPTION_NO, OPTION_SEND_NOTHING},
	{OPTION_WANTNO, OPTION_RECEIVE_YES_UNWANTED, OPTION_NO, OPTION_SEND_NOTHING},
	{OPTION_WANTNO_OPPOSITE, OPTION_RECEIVE_YES, OPTION_YES, OPTION_SEND_NOTHING},
	{OPTION_WANTNO_OPPOSITE, OPTION_RECEIVE_YES_UNWANTED, OPTION_YES, OPTION_SEND_NOTHING},
	{OPTION_WANTYES, OPTION_RECEIVE_YES, OPTION_YES, OPTION_SEND_NOTHING},
	{OPTION_WANTYES, OPTION_RECEIVE_YES_UNWANTED, OPTION_YES, OPTION_SEND_NOTHING},
	{OPTION_WANTYES_OPPOSITE, OPTION_RECEIVE_YES, OPTION_WANTNO, OPTION_SEND_NO},
	{OPTION_WANTYES_OPPOSITE, OPTION_RECEIVE_YES_UNWANTED, OPTION_WANTNO, OPTION_SEND_NO},
	/* on receiving WONT (DONT) */
	{OPTION_NO, OPTION_RECEIVE_NO, OPTION_NO, OPTION_SEND_NOTHING},
	{OPTION_YES, OPTION_RECEIVE_NO, OPTION_NO, OPTION_SEND_NO},
	{OPTION_WANTNO, OPTION_RECEIVE_NO, OPTION_NO, OPTION_SEND_NOTHING},
	{OPTION_WANTNO_OPPOSITE, OPTION_RECEIVE_NO, OPTION_WANTYES, OPTION_SEND_YES},
	{OPTION_WANTYES, OPTION_RECEIVE_NO, OPTION_NO, OPTION_SEND_NOTHING},
	{OPTION_WANTYES_OPPOSITE, OPTION_RECEIVE_NO, OPTION_NO, OPTION_SEND_NOTHING},
	/* when we want it */
	{OPTION_NO, OPTION_ASK_YES, OPTION_WANTYES, OPTION_SEND_YES},
	{OPTION_YES, OPTION_ASK_YES, OPTION_YES, OPTION_SEND_NOTHING},
	{OPTION_WANTNO, OPTION_ASK_YES, OPTION_WANTNO_OPPOSITE, OPTION_SEND_NOTHING},
	{OPTION_WANTNO_OPPOSITE, OPTION_ASK_YES, OPTION_WANTNO_OPPOSITE, OPTION_SEND_NOTHING},
	{OPTION_WANTYES, OPTION_ASK_YES, OPTION_WANTYES, OPTION_SEND_NOTHING},
	{OPTION_WANTYES_OPPOSITE, OPTION_ASK_YES, OPTION_WANTYES, OPTION_SEND_NOTHING},
	/* when we do not */
	{OPTION_NO, OPTION_ASK_NO, OPTION_NO, OPTION_SEND_NOTHING},
	{OPTION_YES, OPTION_ASK_NO, OPTION_WANTNO, OPTION_SEND_NO},
	{OPTION_WANTNO, OPTION_ASK_NO, OPTION_WANTNO, OPTION_SEND_NOTHING},
	{OPTION_WANTNO_OPPOSITE, OPTION_ASK_NO, OPTION_WANTNO, OPTION_SEND_NOTHING},
	{OPTION_WANTYES, OPTION_ASK_NO, OPTION_WANTYES_OPPOSITE, OPTION_SEND_NOTHING},
	{OPTION_WANTYES_OPPOSITE, OPTION_ASK_NO, OPTION_WANTYES_OPPOSITE, OPTION_SEND_NOTHING},
};

#define EXPECTATIONS (sizeof(expectations) / sizeof(expectations[0]))

static void every_state_and_event_is_as_rfc_1143_says(void **test)
{
	(void)test;
	assert_int_equal(EXPECTATIONS, OPTION_STATES * OPTION_EVENTS);
	for (size_t i = 0; i < EXPECTATIONS; i++) {
		const struct expectation *e = &expectations[i];
		uint8_t state = (uint8_t)e->before;
		assert_int_equal(option_move(&state, e->event), e->reply);
		assert_int_equal(state, e->after);
	}
}

static void an_answer_is_pending_in_the_wanting_states_only(void **test)
{
	(void)test;
	assert_false(option_pending(OPTION_NO));
	assert_false(option_pending(OPTION_YES));
	assert_true(option_pending(OPTION_WANTNO));
	assert_true(option_pending(OPTION_WANTNO_OPPOSITE));
	assert_true(option_pending(OPTION_WANTYES));
	assert_true(option_pending(OPTION_WANTYES_OPPOSITE));
}

/* Two ends that both follow the method, with every pair of wishes: they come to rest and agree. */
static void two_ends_come_to_rest_from_any_wishes(void **test)
{
	(void)test;
	for (unsigned wishes = 0; wishes < 64; wishes++) {
		uint8_t state[2] = {OPTION_NO, OPTION_NO};
		enum option_reply queue[2][32];
		size_t head[2] = {0, 0}, tail[2] = {0, 0};
		/* Each end asks three times, before it hears anything. */
		for (unsigned i = 0; i < 6; i++) {
			unsigned end = i % 2;
			enum option_reply out =
				option_move(&state[end], (wishes >> i & 1) != 0 ? OPTION_ASK_YES
			                                                        : OPTION_ASK_NO);
			if (out != OPTION_SEND_NOTHING)
				queue[end][head[end]++] = out;
		}
		for (unsigned turns = 0; tail[0] < head[0] || tail[1] < head[1]; turns++) {
			assert_true(turns < 16);
			for (unsigned end = 0; end < 2; end++) {
				unsigned other = 1 - end;
				if (tail[end] == head[end])
					continue;
				enum option_reply in = queue[end][tail[end]++];
				enum option_reply out = option_move(
					&state[other], in == OPTION_SEND_YES ? OPTION_RECEIVE_YES
									     : OPTION_RECEIVE_NO);
				if (out != OPTION_SEND_NOTHING)
					queue[other][head[other]++] = out;
			}
		}
		assert_false(option_pending(state[0]));
		assert_int_equal(state[0], state[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_and_event_is_as_rfc_1143_says),
		cmocka_unit_test(an_answer_is_pending_in_the_wanting_states_only),
		cmocka_unit_test(two_ends_come_to_rest_from_any_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
