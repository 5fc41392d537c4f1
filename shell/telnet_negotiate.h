/*
 * Which telnet options calmd has, on whose side, and what it knows of the client
 * from them: the first batch, answers to the client's requests, and who reads an
 * option's subnegotiation (option.h). Pure: what is to be sent goes into a small
 * buffer of the caller.
 */
#ifndef SHELL_TELNET_NEGOTIATE_H
#define SHELL_TELNET_NEGOTIATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/message.h"
#include "shell/telnet_option.h"
#include "shell/telnet_reply.h"

/*
 * The options that are on or off; all others are refused, among them START_TLS
 * (46), until there is TLS, AUTHENTICATION (37) and ENCRYPT (38). TIMING-MARK and
 * LOGOUT are never on: they are one question each.
 */
enum negotiate_slot {
	NEGOTIATE_BINARY,
	NEGOTIATE_ECHO,
	NEGOTIATE_SGA,
	NEGOTIATE_TTYPE,
	NEGOTIATE_NAWS,
	NEGOTIATE_TSPEED,
	NEGOTIATE_XDISPLOC,
	NEGOTIATE_NEW_ENVIRON,
	NEGOTIATE_LFLOW,
	NEGOTIATE_STATUS,
	NEGOTIATE_CHARSET,
	NEGOTIATE_LINEMODE,
	NEGOTIATE_EOR,
	NEGOTIATE_SLOTS
};

/* Functions of LINEMODE's SLC, from 1 (RFC 1184, section 2.4). */
#define SLC_FUNCTIONS 18u

/* Local special characters (option_slc.c); both as SLC has them. */
struct slc {
	uint8_t level[SLC_FUNCTIONS + 1];
	uint8_t value[SLC_FUNCTIONS + 1];
	bool changed; /* by the client: the terminal does not have them yet */
};

/* LINEMODE (option_linemode.c). */
struct linemode {
	bool sent;  /* a mode has been */
	bool acked; /* and the client is in it */
	uint8_t mode;
	bool forwardmask; /* it has been asked for */
	uint8_t forward[2];
	struct slc slc;
};

/* TTYPE's cycle (option_ttype.c). */
struct ttype {
	bool settled;  /* no other name is wanted */
	uint8_t asked; /* how often */
	char last[SESSION_TERMINAL_SIZE];
};

/* Remote flow control, as last told (option_lflow.c). */
struct lflow {
	bool told;
	bool on;  /* XOFF stops the output */
	bool any; /* any character starts it again */
};

struct negotiation {
	uint8_t us[NEGOTIATE_SLOTS];   /* enum option_state of our side */
	uint8_t them[NEGOTIATE_SLOTS]; /* and of theirs */
	bool heard;                    /* the client has sent a negotiation */
	bool changed; /* something that the terminal depends on; cleared by whoever has seen to it */
	bool local_echo;   /* the client has refused our echo: it shows what is typed by itself */
	bool echo_refused; /* and the client has said so to what we asked last */
	bool logout;       /* the client asks for the end of the session */
	bool timing_asked; /* our TIMING-MARK is not answered yet */
	bool utf8;         /* CHARSET is agreed to be UTF-8 */
	bool charset_asked;

	bool window_known;      /* NAWS has come */
	bool window_changed;    /* rows or columns have; cleared by whoever has used them */
	uint16_t rows, columns; /* 0: not known */
	bool speed_known;
	uint32_t speed_in, speed_out; /* bits a second from and to the client; 0: not known */
	bool display_known;
	char display[SESSION_DISPLAY_SIZE];   /* "" or as session_display_valid() says */
	char terminal[SESSION_TERMINAL_SIZE]; /* "" until known; then [a-z0-9+._-]{1,40} */
	struct ttype ttype;
	bool environment_known;
	bool user_refused;            /* a user name has come that is none */
	char user[SESSION_USER_SIZE]; /* "" or as session_user_valid() says */
	struct message_environment environment;
	struct linemode linemode;
	struct lflow lflow;
};

/* Begins: puts the first batch of requests into *REPLY. */
void negotiate_start(struct negotiation *negotiation, struct telnet_reply *reply);

/* The client has sent VERB (WILL, WONT, DO, DONT) for OPTION; *REPLY gets the answer, if any. */
void negotiate_receive(struct negotiation *negotiation, uint8_t verb, uint8_t option,
                       struct telnet_reply *reply);

/*
 * The client has sent a subnegotiation; *REPLY gets the answer, if any. One for an
 * option that is not on, or that is malformed, changes nothing.
 */
void negotiate_subnegotiation(struct negotiation *negotiation, uint8_t option, const uint8_t *body,
                              size_t length, struct telnet_reply *reply);

/* We want an option of ours on or off from now on; *REPLY gets the request behind what it holds. */
void negotiate_want(struct negotiation *negotiation, enum negotiate_slot slot, bool on,
                    struct telnet_reply *reply);

/*
 * Asks for a TIMING-MARK (RFC 860), which any client answers, with WILL or WONT;
 * timing_asked is true until it has.
 */
void negotiate_timing_mark(struct negotiation *negotiation, struct telnet_reply *reply);

/* True when a terminal type is known, or that there is none. */
bool negotiate_terminal_settled(const struct negotiation *negotiation);

/* True when all that a session is told has come, or will not come. */
bool negotiate_complete(const struct negotiation *negotiation);

/* True when we have the option on, and when the client has: an answer that is awaited is no yes. */
bool negotiate_we_do(const struct negotiation *negotiation, enum negotiate_slot slot);
bool negotiate_they_do(const struct negotiation *negotiation, enum negotiate_slot slot);

/* The option's number. */
uint8_t negotiate_number(enum negotiate_slot slot);

#endif
