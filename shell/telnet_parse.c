/*
 * The telnet input machine: takes the network's bytes apart into data, commands,
 * negotiations and subnegotiations (RFC 854 and 855). It keeps its state between
 * calls, so that it does not matter where the network has cut the stream.
 *
 * A subnegotiation is collected up to a bound and ends with IAC SE. An IAC in it
 * that is followed by neither IAC nor SE spoils it: the rest is discarded up to
 * IAC SE, since clients that forget to double a 255 exist and their bytes must
 * not be typed into the session. Only what can begin nothing but another
 * negotiation (SB, WILL, WONT, DO, DONT) ends it early, so that a lost SE does
 * not make the connection deaf.
 */
#include "shell/telnet_parse.h"

#include "shell/telnet.h"

enum parse_state {
	PARSE_DATA,
	PARSE_IAC,
	PARSE_VERB,      /* WILL, WONT, DO or DONT: its option comes */
	PARSE_SB_OPTION, /* SB: its option comes */
	PARSE_SB_BODY,
	PARSE_SB_IAC,
};

/* Reads a run of data at BYTES; returns bytes used. No event when all were NUL or LF behind CR. */
static size_t parse_data(struct telnet_parser *parser, const uint8_t *bytes, size_t length,
                         struct telnet_event *event)
{
	size_t start = 0;
	size_t end;

	if (parser->after_cr && !parser->binary && (bytes[0] == '\0' || bytes[0] == '\n'))
		start = 1;
	parser->after_cr = false;
	for (end = start; end < length && bytes[end] != TELNET_IAC; end++) {
		if (bytes[end] == '\r' && !parser->binary) {
			parser->after_cr = true;
			end++;
			break;
		}
	}
	if (end > start) {
		event->type = TELNET_EVENT_DATA;
		event->data = bytes + start;
		event->length = end - start;
	}
	return end;
}

static void parse_iac(struct telnet_parser *parser, const uint8_t *byte, struct telnet_event *event)
{
	parser->state = PARSE_DATA;
	switch (*byte) {
	case TELNET_IAC:
		parser->after_cr = false;
		event->type = TELNET_EVENT_DATA;
		event->data = byte;
		event->length = 1;
		return;
	case TELNET_WILL:
	case TELNET_WONT:
	case TELNET_DO:
	case TELNET_DONT:
		parser->verb = *byte;
		parser->state = PARSE_VERB;
		return;
	case TELNET_SB:
		parser->state = PARSE_SB_OPTION;
		return;
	default:
		event->type = TELNET_EVENT_COMMAND;
		event->code = *byte;
	}
}

static void body_add(struct telnet_parser *parser, uint8_t byte)
{
	if (parser->length < TELNET_BODY_MAX)
		parser->body[parser->length++] = byte;
	else
		parser->spoilt = true;
}

/* The byte behind an IAC inside a subnegotiation. */
static void parse_sb_iac(struct telnet_parser *parser, const uint8_t *byte,
                         struct telnet_event *event)
{
	switch (*byte) {
	case TELNET_IAC:
		body_add(parser, *byte);
		parser->state = PARSE_SB_BODY;
		return;
	case TELNET_SE:
		parser->state = PARSE_DATA;
		if (parser->spoilt)
			return;
		event->type = TELNET_EVENT_SUBNEGOTIATION;
		event->option = parser->option;
		event->data = parser->body;
		event->length = parser->length;
		return;
	case TELNET_SB:
	case TELNET_WILL:
	case TELNET_WONT:
	case TELNET_DO:
	case TELNET_DONT:
		parse_iac(parser, byte, event);
		return;
	default:
		parser->spoilt = true;
		parser->state = PARSE_SB_BODY;
	}
}

/* One byte in any state but PARSE_DATA. */
static void parse_byte(struct telnet_parser *parser, const uint8_t *byte,
                       struct telnet_event *event)
{
	switch ((enum parse_state)parser->state) {
	case PARSE_IAC:
		parse_iac(parser, byte, event);
		return;
	case PARSE_VERB:
		parser->state = PARSE_DATA;
		event->type = TELNET_EVENT_NEGOTIATION;
		event->code = parser->verb;
		event->option = *byte;
		return;
	case PARSE_SB_OPTION:
		/* IAC stands for no option here: the subnegotiation is without one. */
		parser->option = *byte;
		parser->length = 0;
		parser->spoilt = *byte == TELNET_IAC;
		parser->state = *byte == TELNET_IAC ? PARSE_SB_IAC : PARSE_SB_BODY;
		return;
	case PARSE_SB_BODY:
		if (*byte == TELNET_IAC)
			parser->state = PARSE_SB_IAC;
		else
			body_add(parser, *byte);
		return;
	case PARSE_SB_IAC:
		parse_sb_iac(parser, byte, event);
		return;
	case PARSE_DATA:
		return;
	}
}

size_t telnet_parse(struct telnet_parser *parser, const uint8_t *bytes, size_t length,
                    struct telnet_event *event)
{
	size_t used = 0;

	*event = (struct telnet_event){.type = TELNET_EVENT_NONE};
	while (used < length && event->type == TELNET_EVENT_NONE) {
		if (parser->state != PARSE_DATA) {
			parse_byte(parser, bytes + used, event);
			used++;
		} else if (bytes[used] == TELNET_IAC) {
			parser->state = PARSE_IAC;
			used++;
		} else {
			used += parse_data(parser, bytes + used, length - used, event);
		}
	}
	return used;
}

void telnet_parse_back(struct telnet_parser *parser, size_t count)
{
	if (count > 0)
		parser->after_cr = false;
}
