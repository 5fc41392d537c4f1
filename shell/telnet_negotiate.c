/*
 * Option policy on top of the Q method: a table says which options exist, on
 * whose side, and which of them we ask for at once.
 *
 * We echo and never send GO AHEAD (RFC 857, 858): a character at a time. Of the
 * client we want terminal type and window size (RFC 1091, 1073). BINARY (RFC
 * 856) is accepted both ways when the client asks.
 */
#include "shell/telnet_negotiate.h"

#include <string.h>

#include "shell/telnet.h"

struct policy {
	uint8_t option;
	bool us_allowed, us_asked;
	bool them_allowed, them_asked;
};

static const struct policy policies[NEGOTIATE_SLOTS] = {
	[NEGOTIATE_BINARY] = {TELOPT_BINARY, true, false, true, false},
	[NEGOTIATE_ECHO] = {TELOPT_ECHO, true, true, false, false},
	[NEGOTIATE_SGA] = {TELOPT_SGA, true, true, true, true},
	[NEGOTIATE_TTYPE] = {TELOPT_TTYPE, false, false, true, true},
	[NEGOTIATE_NAWS] = {TELOPT_NAWS, false, false, true, true},
};

/* The option's slot, or NEGOTIATE_SLOTS for one that we do not have. */
static enum negotiate_slot slot_of(uint8_t option)
{
	size_t slot = 0;

	while (slot < NEGOTIATE_SLOTS && policies[slot].option != option)
		slot++;
	return (enum negotiate_slot)slot;
}

static void reply_add(struct telnet_reply *reply, const uint8_t *bytes, size_t length)
{
	if (length > sizeof(reply->bytes) - reply->length)
		return;
	memcpy(reply->bytes + reply->length, bytes, length);
	reply->length += length;
}

static void reply_verb(struct telnet_reply *reply, uint8_t verb, uint8_t option)
{
	const uint8_t bytes[3] = {TELNET_IAC, verb, option};

	reply_add(reply, bytes, sizeof(bytes));
}

/* Moves one side of a slot (OURS: our side) by EVENT. */
static void side_move(struct negotiation *negotiation, enum negotiate_slot slot, bool ours,
                      enum option_event event, struct telnet_reply *reply)
{
	uint8_t *state = ours ? &negotiation->us[slot] : &negotiation->them[slot];
	uint8_t option = policies[slot].option;

	switch (option_move(state, event)) {
	case OPTION_SEND_YES:
		reply_verb(reply, ours ? TELNET_WILL : TELNET_DO, option);
		break;
	case OPTION_SEND_NO:
		reply_verb(reply, ours ? TELNET_WONT : TELNET_DONT, option);
		break;
	case OPTION_SEND_NOTHING:
		break;
	}
}

void negotiate_start(struct negotiation *negotiation, struct telnet_reply *reply)
{
	*negotiation = (struct negotiation){0};
	reply->length = 0;
	for (size_t slot = 0; slot < NEGOTIATE_SLOTS; slot++) {
		if (policies[slot].us_asked)
			side_move(negotiation, (enum negotiate_slot)slot, true, OPTION_ASK_YES,
			          reply);
		if (policies[slot].them_asked)
			side_move(negotiation, (enum negotiate_slot)slot, false, OPTION_ASK_YES,
			          reply);
	}
}

void negotiate_receive(struct negotiation *negotiation, uint8_t verb, uint8_t option,
                       struct telnet_reply *reply)
{
	enum negotiate_slot slot = slot_of(option);
	bool ours = verb == TELNET_DO || verb == TELNET_DONT;
	bool yes = verb == TELNET_WILL || verb == TELNET_DO;

	reply->length = 0;
	negotiation->heard = true;
	if (slot == NEGOTIATE_SLOTS) {
		/* Always off: a request is refused once, a refusal needs no answer. */
		if (yes)
			reply_verb(reply, ours ? TELNET_WONT : TELNET_DONT, option);
		return;
	}
	const struct policy *policy = &policies[slot];
	bool allowed = ours ? policy->us_allowed : policy->them_allowed;
	bool was_on = negotiation->them[NEGOTIATE_TTYPE] == OPTION_YES;
	if (!yes)
		side_move(negotiation, slot, ours, OPTION_RECEIVE_NO, reply);
	else
		side_move(negotiation, slot, ours,
		          allowed ? OPTION_RECEIVE_YES : OPTION_RECEIVE_YES_UNWANTED, reply);

	/* A client that has a terminal type is asked for it, once. */
	if (!was_on && negotiation->them[NEGOTIATE_TTYPE] == OPTION_YES &&
	    !negotiation->terminal_known) {
		static const uint8_t ask[] = {TELNET_IAC,        TELNET_SB,  TELOPT_TTYPE,
		                              TELNET_TTYPE_SEND, TELNET_IAC, TELNET_SE};
		reply_add(reply, ask, sizeof(ask));
	}
}

/* RFC 1091: names are NVT ASCII and upper and lower case are equivalent; terminfo's are lower. */
static void receive_terminal(struct negotiation *negotiation, const uint8_t *name, size_t length)
{
	char *terminal = negotiation->terminal;

	negotiation->terminal_known = true;
	if (length == 0 || length >= NEGOTIATE_TERMINAL_SIZE)
		goto dumb;
	for (size_t i = 0; i < length; i++) {
		uint8_t c = name[i];
		if (c >= 'A' && c <= 'Z')
			c = (uint8_t)(c - 'A' + 'a');
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' ||
		      c == '_' || c == '-'))
			goto dumb;
		terminal[i] = (char)c;
	}
	terminal[length] = '\0';
	return;
dumb:
	memcpy(terminal, "dumb", sizeof("dumb"));
}

static void receive_window(struct negotiation *negotiation, const uint8_t *body)
{
	uint16_t columns = (uint16_t)(body[0] << 8 | body[1]);
	uint16_t rows = (uint16_t)(body[2] << 8 | body[3]);

	negotiation->window_known = true;
	if (columns != 0 && columns != negotiation->columns) {
		negotiation->columns = columns;
		negotiation->window_changed = true;
	}
	if (rows != 0 && rows != negotiation->rows) {
		negotiation->rows = rows;
		negotiation->window_changed = true;
	}
}

void negotiate_subnegotiation(struct negotiation *negotiation, uint8_t option, const uint8_t *body,
                              size_t length)
{
	if (option == TELOPT_TTYPE && negotiation->them[NEGOTIATE_TTYPE] == OPTION_YES &&
	    !negotiation->terminal_known && length >= 1 && body[0] == TELNET_TTYPE_IS)
		receive_terminal(negotiation, body + 1, length - 1);
	else if (option == TELOPT_NAWS && negotiation->them[NEGOTIATE_NAWS] == OPTION_YES &&
	         length == 4)
		receive_window(negotiation, body);
}

bool negotiate_terminal_settled(const struct negotiation *negotiation)
{
	return negotiation->terminal_known || negotiation->them[NEGOTIATE_TTYPE] == OPTION_NO;
}

bool negotiate_complete(const struct negotiation *negotiation)
{
	bool window = negotiation->window_known || negotiation->them[NEGOTIATE_NAWS] == OPTION_NO;

	return negotiate_terminal_settled(negotiation) && window;
}

bool negotiate_binary_input(const struct negotiation *negotiation)
{
	return negotiation->them[NEGOTIATE_BINARY] == OPTION_YES;
}

bool negotiate_binary_output(const struct negotiation *negotiation)
{
	return negotiation->us[NEGOTIATE_BINARY] == OPTION_YES;
}
