/*
 * What telnet has to say to the client, put together in a small buffer of the
 * caller's before it goes into the send ring. Pure.
 */
#ifndef SHELL_TELNET_REPLY_H
#define SHELL_TELNET_REPLY_H

#include <stddef.h>
#include <stdint.h>

/*
 * No call that takes a reply makes it longer than this: what would not fit is left
 * out as a whole. The longest are STATUS, and SLC with all characters changed.
 */
#define TELNET_REPLY_MAX 256u

struct telnet_reply {
	size_t length;
	uint8_t bytes[TELNET_REPLY_MAX];
};

/* Adds LENGTH bytes as they are, or nothing when there is no room for all. */
void telnet_reply_add(struct telnet_reply *reply, const void *bytes, size_t length);

/* Adds IAC VERB OPTION. */
void telnet_reply_verb(struct telnet_reply *reply, uint8_t verb, uint8_t option);

/* Adds IAC SB OPTION BODY IAC SE, with each 255 of the body doubled (RFC 855). */
void telnet_reply_subnegotiation(struct telnet_reply *reply, uint8_t option, const uint8_t *body,
                                 size_t length);

#endif
