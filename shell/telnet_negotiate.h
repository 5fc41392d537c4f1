/*
 * Which telnet options calmd has and what it knows of the client from them: the
 * first batch, answers to the client's requests, terminal type and window size.
 * Pure: what is to be sent goes into a small buffer of the caller.
 */
#ifndef SHELL_TELNET_NEGOTIATE_H
#define SHELL_TELNET_NEGOTIATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shell/telnet_option.h"

/* The options we have; all others are refused. */
enum negotiate_slot {
	NEGOTIATE_BINARY,
	NEGOTIATE_ECHO,
	NEGOTIATE_SGA,
	NEGOTIATE_TTYPE,
	NEGOTIATE_NAWS,
	NEGOTIATE_SLOTS
};

#define NEGOTIATE_TERMINAL_SIZE 41u /* a terminal type of up to 40 bytes, and NUL */

struct negotiation {
	uint8_t us[NEGOTIATE_SLOTS];   /* enum option_state of our side */
	uint8_t them[NEGOTIATE_SLOTS]; /* and of theirs */
	bool heard;                    /* the client has sent a negotiation */
	bool terminal_known;           /* TTYPE IS has come */
	bool window_known;             /* NAWS has come */
	bool window_changed;           /* rows or columns have; cleared by whoever has used them */
	uint16_t rows, columns;        /* 0: not known */
	char terminal[NEGOTIATE_TERMINAL_SIZE]; /* "" until known; then [a-z0-9+._-]{1,40} */
};

/* What is to be sent to the client; no call adds more than NEGOTIATE_REPLY_MAX bytes. */
#define NEGOTIATE_REPLY_MAX 24u
struct telnet_reply {
	size_t length;
	uint8_t bytes[NEGOTIATE_REPLY_MAX];
};

/* Begins: puts the first batch of requests into *REPLY. */
void negotiate_start(struct negotiation *negotiation, struct telnet_reply *reply);

/* The client has sent VERB (WILL, WONT, DO, DONT) for OPTION; *REPLY gets the answer, if any. */
void negotiate_receive(struct negotiation *negotiation, uint8_t verb, uint8_t option,
                       struct telnet_reply *reply);

/*
 * The client has sent a subnegotiation. One for an option that is not on, or
 * that is malformed, changes nothing. A terminal type that is not
 * [A-Za-z0-9+._-]{1,40} becomes "dumb". A window size of 0 leaves what was known
 * (RFC 1073).
 */
void negotiate_subnegotiation(struct negotiation *negotiation, uint8_t option, const uint8_t *body,
                              size_t length);

/* True when the terminal type is known, or that there is none. */
bool negotiate_terminal_settled(const struct negotiation *negotiation);

/* True when all that a login needs is known: terminal type and window size, or that there is none. */
bool negotiate_complete(const struct negotiation *negotiation);

/* True when the client sends, and when we send, BINARY (RFC 856). */
bool negotiate_binary_input(const struct negotiation *negotiation);
bool negotiate_binary_output(const struct negotiation *negotiation);

#endif
