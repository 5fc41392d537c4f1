/*
 * The state of one telnet option on one side, and what changes it: the Q method
 * of RFC 1143. Pure.
 */
#ifndef SHELL_TELNET_OPTION_H
#define SHELL_TELNET_OPTION_H

#include <stdbool.h>
#include <stdint.h>

/* RFC 1143's states with its queue bit: EMPTY or OPPOSITE. */
enum option_state {
	OPTION_NO,
	OPTION_YES,
	OPTION_WANTNO,           /* WANTNO, EMPTY */
	OPTION_WANTNO_OPPOSITE,  /* WANTNO, OPPOSITE: wants yes next */
	OPTION_WANTYES,          /* WANTYES, EMPTY */
	OPTION_WANTYES_OPPOSITE, /* WANTYES, OPPOSITE: wants no next */
	OPTION_STATES
};

enum option_event {
	OPTION_RECEIVE_YES,          /* WILL for their side, DO for ours; acceptable */
	OPTION_RECEIVE_YES_UNWANTED, /* the same; not acceptable */
	OPTION_RECEIVE_NO,           /* WONT for their side, DONT for ours */
	OPTION_ASK_YES,              /* we want it on */
	OPTION_ASK_NO,               /* we want it off */
	OPTION_EVENTS
};

enum option_reply {
	OPTION_SEND_NOTHING,
	OPTION_SEND_YES, /* DO for their side, WILL for ours */
	OPTION_SEND_NO,  /* DONT for their side, WONT for ours */
};

/* Moves *STATE (enum option_state) by EVENT; returns what must be sent. */
enum option_reply option_move(uint8_t *state, enum option_event event);

/* True while an answer to what we asked is outstanding. */
bool option_pending(uint8_t state);

#endif
