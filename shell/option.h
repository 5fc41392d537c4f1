/*
 * The telnet options that have something of their own to say: one file each, named
 * after the option, with its RFC. telnet_negotiate.c calls them when the option is
 * on; terminal.c has those told that follow the pty's settings. Pure: they read
 * what the client has sent (BODY: behind IAC SB OPTION, never empty), keep what is
 * valid in the negotiation, and put answers into REPLY, each with no more than
 * TELNET_REPLY_MAX bytes in all.
 */
#ifndef SHELL_OPTION_H
#define SHELL_OPTION_H

#include <termios.h>

#include "shell/telnet_negotiate.h"

/* ---- option_status.c: RFC 859 ---- */
void option_status_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                           struct telnet_reply *reply);

/* ---- option_naws.c: RFC 1073. A size of 0 leaves what was known. ---- */
void option_naws_receive(struct negotiation *negotiation, const uint8_t *body, size_t length);

/* ---- option_tspeed.c: RFC 1079 ---- */
void option_tspeed_receive(struct negotiation *negotiation, const uint8_t *body, size_t length);

/* ---- option_xdisploc.c: RFC 1096 ---- */
void option_xdisploc_receive(struct negotiation *negotiation, const uint8_t *body, size_t length);

/* ---- option_environ.c: RFC 1572 ---- */
void option_environ_receive(struct negotiation *negotiation, const uint8_t *body, size_t length);

/*
 * ---- option_ttype.c: RFC 1091 ----
 * A name that is not [A-Za-z0-9+._-]{1,40} is "dumb". One that few systems know is
 * kept, and the client asked for another.
 */
void option_ttype_begin(struct negotiation *negotiation, struct telnet_reply *reply);
void option_ttype_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                          struct telnet_reply *reply);

/* ---- option_charset.c: RFC 2066 ---- */
void option_charset_begin(struct negotiation *negotiation, struct telnet_reply *reply);
void option_charset_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                            struct telnet_reply *reply);

/* ---- option_lflow.c: RFC 1372. Tells what has changed, when the option is on. ---- */
void option_lflow_tell(struct negotiation *negotiation, bool on, bool any,
                       struct telnet_reply *reply);

/* ---- option_linemode.c: RFC 1184, sections 2.1 to 2.3 ---- */

enum linemode_mode {
	LINEMODE_EDIT = 1,
	LINEMODE_TRAPSIG = 2,
	LINEMODE_ACK = 4,
	LINEMODE_SOFT_TAB = 8,
	LINEMODE_LIT_ECHO = 16,
};

/* The client has begun: it has no mode yet. */
void option_linemode_begin(struct negotiation *negotiation);
void option_linemode_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                             struct telnet_reply *reply);

/* The mode that the pty's settings ask for. */
uint8_t option_linemode_of(const struct termios *terminal);

/* Asks for MODE when it is not the one that was last asked for. */
void option_linemode_tell(struct negotiation *negotiation, uint8_t mode,
                          struct telnet_reply *reply);

/* Characters at which a line being edited is handed over at once; 0: no such. */
void option_linemode_forward(struct negotiation *negotiation, uint8_t one, uint8_t other,
                             struct telnet_reply *reply);

/*
 * True when the client edits lines, and when it makes commands of signal characters: it has
 * agreed to the last mode, and that has EDIT, or TRAPSIG.
 */
bool option_linemode_edits(const struct negotiation *negotiation);
bool option_linemode_traps(const struct negotiation *negotiation);

/* ---- option_slc.c: RFC 1184, sections 2.4 and 2.5 ---- */

/* The characters that a new pty has. */
void option_slc_start(struct negotiation *negotiation);
/* BODY: triplets. */
void option_slc_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                        struct telnet_reply *reply);
/* Gives the terminal the client's characters; true when that changes any. */
bool option_slc_apply(struct negotiation *negotiation, struct termios *terminal);
/* The terminal has other characters: the client is told. */
void option_slc_tell(struct negotiation *negotiation, const struct termios *terminal,
                     struct telnet_reply *reply);

#endif
