/*
 * CHARSET (RFC 2066): UTF-8 or nothing. We ask for it once the client agrees to
 * the option; a client that asks first gets it when it is in its list. While our
 * own question is open the client's is refused, as the RFC has it for servers.
 * Translation tables are refused.
 */
#include <string.h>
#include <strings.h>

#include "shell/option.h"
#include "shell/telnet.h"

enum charset_code {
	CHARSET_REQUEST = 1,
	CHARSET_ACCEPTED = 2,
	CHARSET_REJECTED = 3,
	CHARSET_TTABLE_IS = 4,
	CHARSET_TTABLE_REJECTED = 5,
};

#define NAME        "UTF-8"
#define NAME_LENGTH (sizeof(NAME) - 1)
#define TTABLE      "[TTABLE]"

static bool is_utf8(const uint8_t *name, size_t length)
{
	return length == NAME_LENGTH && strncasecmp((const char *)name, NAME, length) == 0;
}

void option_charset_begin(struct negotiation *negotiation, struct telnet_reply *reply)
{
	static const uint8_t request[] = "\x01;" NAME;

	if (negotiation->utf8 || negotiation->charset_asked)
		return;
	negotiation->charset_asked = true;
	telnet_reply_subnegotiation(reply, TELOPT_CHARSET, request, sizeof(request) - 1);
}

/* True when the list of names behind REQUEST, which begins with its separator, has UTF-8. */
static bool list_has_utf8(const uint8_t *list, size_t length)
{
	size_t table = sizeof(TTABLE) - 1;

	if (length > table && memcmp(list, TTABLE, table) == 0) {
		list += table + 1; /* and the version */
		length -= table + 1;
	}
	while (length > 1) {
		const uint8_t *end = memchr(list + 1, list[0], length - 1);
		size_t name = (end != NULL ? (size_t)(end - list) : length) - 1;

		if (is_utf8(list + 1, name))
			return true;
		list += name + 1;
		length -= name + 1;
	}
	return false;
}

static void answer_request(struct negotiation *negotiation, const uint8_t *body, size_t length,
                           struct telnet_reply *reply)
{
	static const uint8_t accepted[] = "\x02" NAME, rejected[] = {CHARSET_REJECTED};

	if (!negotiation->charset_asked && list_has_utf8(body + 1, length - 1)) {
		negotiation->utf8 = negotiation->changed = true;
		telnet_reply_subnegotiation(reply, TELOPT_CHARSET, accepted, sizeof(accepted) - 1);
	} else {
		telnet_reply_subnegotiation(reply, TELOPT_CHARSET, rejected, sizeof(rejected));
	}
}

void option_charset_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                            struct telnet_reply *reply)
{
	static const uint8_t no_table[] = {CHARSET_TTABLE_REJECTED};

	switch (body[0]) {
	case CHARSET_REQUEST:
		answer_request(negotiation, body, length, reply);
		break;
	case CHARSET_ACCEPTED:
	case CHARSET_REJECTED:
		if (!negotiation->charset_asked)
			break;
		negotiation->charset_asked = false;
		if (body[0] == CHARSET_ACCEPTED && is_utf8(body + 1, length - 1))
			negotiation->utf8 = negotiation->changed = true;
		break;
	case CHARSET_TTABLE_IS:
		telnet_reply_subnegotiation(reply, TELOPT_CHARSET, no_table, sizeof(no_table));
		break;
	default:
		break;
	}
}
