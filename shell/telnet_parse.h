/*
 * The telnet input machine: bytes from the network in, one event at a time out.
 * Pure: it answers nothing and calls nobody.
 */
#ifndef SHELL_TELNET_PARSE_H
#define SHELL_TELNET_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a subnegotiation that are kept; one that is longer is discarded whole. */
#define TELNET_BODY_MAX 2048u

struct telnet_parser {
	uint8_t state;  /* enum parse_state of telnet_parse.c; 0 to begin */
	uint8_t verb;   /* WILL, WONT, DO or DONT while its option is awaited */
	uint8_t option; /* of the subnegotiation */
	bool after_cr;  /* the last data byte was CR: a NUL or LF that follows is no data */
	bool spoilt;    /* the subnegotiation is too long or malformed */
	bool binary;    /* the peer sends BINARY: no rule for CR. Set by the owner */
	uint16_t length;
	uint8_t body[TELNET_BODY_MAX];
};

enum telnet_event_type {
	TELNET_EVENT_NONE,           /* the input is used up */
	TELNET_EVENT_DATA,           /* data, length: bytes for the session, as they are */
	TELNET_EVENT_COMMAND,        /* code */
	TELNET_EVENT_NEGOTIATION,    /* code: WILL, WONT, DO or DONT; option */
	TELNET_EVENT_SUBNEGOTIATION, /* option; data, length: its body, IACs undoubled */
};

struct telnet_event {
	enum telnet_event_type type;
	uint8_t code;
	uint8_t option;
	const uint8_t *data; /* into the input, or for a subnegotiation into the parser */
	size_t length;
};

/*
 * Reads from BYTES up to and including the next event, which goes to *EVENT.
 * Returns how many bytes of LENGTH were used: all of them when the event is
 * TELNET_EVENT_NONE. A run of data ends where the input must change: before an
 * IAC, behind a CR unless the peer sends BINARY (CR NUL and CR LF come out as
 * CR alone, RFC 854 and RFC 1123, section 3.3.1), and at LENGTH. A doubled IAC
 * is a run of its own. Nothing of a subnegotiation ever comes out as data.
 */
size_t telnet_parse(struct telnet_parser *parser, const uint8_t *bytes, size_t length,
                    struct telnet_event *event);

/*
 * Says that the last COUNT bytes (at least 1) of the run of data just returned
 * will be parsed again, since nobody could take them. The run must not be that
 * of a doubled IAC: no run of more than one byte is.
 */
void telnet_parse_back(struct telnet_parser *parser, size_t count);

#endif
