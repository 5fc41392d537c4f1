/*
 * RFC 1143's Q method as one table: for each state and event the next state and
 * what to send. Both sides of an option use the same table, since WILL/WONT from
 * the peer are to their side what DO/DONT are to ours.
 *
 * It cannot loop: something is sent only when a state is left for good, for a
 * request of ours, or for one request of the peer each.
 */
#include "shell/telnet_option.h"

struct option_rule {
	uint8_t next;
	uint8_t reply;
};

#define NOTHING OPTION_SEND_NOTHING
#define YES     OPTION_SEND_YES
#define NO      OPTION_SEND_NO

/* RFC 1143, section 7, in its order. */
static const struct option_rule rules[OPTION_STATES][OPTION_EVENTS] =
	{
		[OPTION_NO] =
			{
				[OPTION_RECEIVE_YES] = {OPTION_YES, YES},
				[OPTION_RECEIVE_YES_UNWANTED] = {OPTION_NO, NO},
				[OPTION_RECEIVE_NO] = {OPTION_NO, NOTHING},
				[OPTION_ASK_YES] = {OPTION_WANTYES, YES},
				[OPTION_ASK_NO] = {OPTION_NO, NOTHING},
			},
		[OPTION_YES] =
			{
				[OPTION_RECEIVE_YES] = {OPTION_YES, NOTHING},
				[OPTION_RECEIVE_YES_UNWANTED] = {OPTION_YES, NOTHING},
				[OPTION_RECEIVE_NO] = {OPTION_NO, NO},
				[OPTION_ASK_YES] = {OPTION_YES, NOTHING},
				[OPTION_ASK_NO] = {OPTION_WANTNO, NO},
			},
		/* Yes in answer to our no is the peer's error: off all the same. */
		[OPTION_WANTNO] =
			{
				[OPTION_RECEIVE_YES] = {OPTION_NO, NOTHING},
				[OPTION_RECEIVE_YES_UNWANTED] = {OPTION_NO, NOTHING},
				[OPTION_RECEIVE_NO] = {OPTION_NO, NOTHING},
				[OPTION_ASK_YES] = {OPTION_WANTNO_OPPOSITE, NOTHING},
				[OPTION_ASK_NO] = {OPTION_WANTNO, NOTHING},
			},
		[OPTION_WANTNO_OPPOSITE] =
			{
				[OPTION_RECEIVE_YES] = {OPTION_YES, NOTHING},
				[OPTION_RECEIVE_YES_UNWANTED] = {OPTION_YES, NOTHING},
				[OPTION_RECEIVE_NO] = {OPTION_WANTYES, YES},
				[OPTION_ASK_YES] = {OPTION_WANTNO_OPPOSITE, NOTHING},
				[OPTION_ASK_NO] = {OPTION_WANTNO, NOTHING},
			},
		[OPTION_WANTYES] =
			{
				[OPTION_RECEIVE_YES] = {OPTION_YES, NOTHING},
				[OPTION_RECEIVE_YES_UNWANTED] = {OPTION_YES, NOTHING},
				[OPTION_RECEIVE_NO] = {OPTION_NO, NOTHING},
				[OPTION_ASK_YES] = {OPTION_WANTYES, NOTHING},
				[OPTION_ASK_NO] = {OPTION_WANTYES_OPPOSITE, NOTHING},
			},
		[OPTION_WANTYES_OPPOSITE] =
			{
				[OPTION_RECEIVE_YES] = {OPTION_WANTNO, NO},
				[OPTION_RECEIVE_YES_UNWANTED] = {OPTION_WANTNO, NO},
				[OPTION_RECEIVE_NO] = {OPTION_NO, NOTHING},
				[OPTION_ASK_YES] = {OPTION_WANTYES, NOTHING},
				[OPTION_ASK_NO] = {OPTION_WANTYES_OPPOSITE, NOTHING},
			},
};

enum option_reply option_move(uint8_t *state, enum option_event event)
{
	const struct option_rule *rule = &rules[*state][event];

	*state = rule->next;
	return (enum option_reply)rule->reply;
}

bool option_pending(uint8_t state)
{
	return state != OPTION_NO && state != OPTION_YES;
}
