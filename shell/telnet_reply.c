/* See telnet_reply.h. */
#include "shell/telnet_reply.h"

#include <string.h>

#include "shell/telnet.h"

void telnet_reply_add(struct telnet_reply *reply, const void *bytes, size_t length)
{
	if (length > sizeof(reply->bytes) - reply->length)
		return;
	memcpy(reply->bytes + reply->length, bytes, length);
	reply->length += length;
}

void telnet_reply_verb(struct telnet_reply *reply, uint8_t verb, uint8_t option)
{
	const uint8_t bytes[3] = {TELNET_IAC, verb, option};

	telnet_reply_add(reply, bytes, sizeof(bytes));
}

void telnet_reply_subnegotiation(struct telnet_reply *reply, uint8_t option, const uint8_t *body,
                                 size_t length)
{
	uint8_t bytes[TELNET_REPLY_MAX] = {TELNET_IAC, TELNET_SB, option};
	size_t at = 3;

	for (size_t i = 0; i < length; i++) {
		if (at + 4 > sizeof(bytes))
			return;
		if (body[i] == TELNET_IAC)
			bytes[at++] = TELNET_IAC;
		bytes[at++] = body[i];
	}
	bytes[at++] = TELNET_IAC;
	bytes[at++] = TELNET_SE;
	telnet_reply_add(reply, bytes, at);
}
