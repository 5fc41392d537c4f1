/*
 * The load client's side of telnet, in the manners of two kinds of clients that people use.
 */
#ifndef BENCH_TELNET_H
#define BENCH_TELNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TELNET_SE = 240,
	TELNET_SB = 250,
	TELNET_WILL = 251,
	TELNET_WONT = 252,
	TELNET_DO = 253,
	TELNET_DONT = 254,
	TELNET_IAC = 255,
};

enum {
	TELNET_OPTION_BINARY = 0,
	TELNET_OPTION_ECHO = 1,
	TELNET_OPTION_SGA = 3,
	TELNET_OPTION_STATUS = 5,
	TELNET_OPTION_TIMING_MARK = 6,
	TELNET_OPTION_TTYPE = 24,
	TELNET_OPTION_NAWS = 31,
	TELNET_OPTION_TSPEED = 32,
	TELNET_OPTION_LFLOW = 33,
	TELNET_OPTION_LINEMODE = 34,
	TELNET_OPTION_NEW_ENVIRON = 39,
};

/*
 * How the client answers. Full agrees to what GNU telnet agrees to, with its speed, environment and
 * line mode; plain agrees to what BusyBox telnet and the like do. Both end in character mode with the
 * server echoing.
 */
enum telnet_manners {
	TELNET_FULL,
	TELNET_PLAIN,
};

/* Room for the answers to one buffer of commands; what exceeds it ends the measurement. */
#define TELNET_ANSWER_ROOM 4096
/* The longest subnegotiation body that is kept; the rest of a longer one is skipped. */
#define TELNET_BODY_ROOM 64

/* Where the decoder stands between two bytes. */
enum telnet_place {
	TELNET_DATA,
	TELNET_AFTER_CR,
	TELNET_AFTER_IAC,
	TELNET_AFTER_VERB,
	TELNET_IN_BODY,
	TELNET_IN_BODY_AFTER_IAC,
};

struct telnet {
	enum telnet_manners manners;
	enum telnet_place place;
	uint8_t verb;                   /* WILL, WONT, DO or DONT while its option is awaited */
	bool ours[256];                 /* options that we have said WILL to */
	bool theirs[256];               /* options that we have said DO to */
	uint8_t body[TELNET_BODY_ROOM]; /* the subnegotiation being read */
	size_t body_length;
	uint8_t answer[TELNET_ANSWER_ROOM]; /* bytes that the caller must send, then set to 0 */
	size_t answer_length;
	bool answer_overflow; /* the server asked for more than a client would answer */
};

/* A client that has said nothing yet. */
void telnet_begin(struct telnet *telnet, enum telnet_manners manners);

/*
 * Takes `length` bytes from the network in `bytes`, removes every telnet command and the NUL of
 * CR NUL in place, and returns how many bytes of data are left at the front of `bytes`.
 * Answers are appended to telnet->answer. State is kept across calls, wherever the cut falls.
 * RFC 854 for commands, RFC 1143 for answers that cannot loop.
 */
size_t telnet_decode(struct telnet *telnet, uint8_t *bytes, size_t length);

/*
 * Answers the command `verb` (WILL, WONT, DO, DONT) about `option`, if it needs an answer. Called by
 * the decoder.
 */
void telnet_take_option(struct telnet *telnet, uint8_t verb, uint8_t option);

/* Answers the subnegotiation in telnet->body, if it needs an answer. Called by the decoder. */
void telnet_take_body(struct telnet *telnet);

#endif
