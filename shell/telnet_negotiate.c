/*
 * Option policy on top of the Q method (RFC 1143): a table says which options
 * exist, on whose side, and which of them we ask for at once.
 *
 * We echo and never send GO AHEAD (RFC 857, 858): a character at a time. Of the
 * client we want what describes its terminal. BINARY (RFC 856) and END OF RECORD
 * (RFC 885) are accepted both ways when the client asks, LINEMODE when it offers
 * it: a client that doesn't is served better by the pty's own line editing.
 *
 * TIMING-MARK (RFC 860) is answered where it stands in the stream: all before it
 * has been handed on. LOGOUT (RFC 727) is agreed to when the client wants out.
 */
#include "shell/telnet_negotiate.h"

#include "shell/option.h"
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
	[NEGOTIATE_TSPEED] = {TELOPT_TSPEED, false, false, true, true},
	[NEGOTIATE_XDISPLOC] = {TELOPT_XDISPLOC, false, false, true, true},
	[NEGOTIATE_NEW_ENVIRON] = {TELOPT_NEW_ENVIRON, false, false, true, true},
	[NEGOTIATE_LFLOW] = {TELOPT_LFLOW, false, false, true, true},
	[NEGOTIATE_STATUS] = {TELOPT_STATUS, true, true, false, false},
	[NEGOTIATE_CHARSET] = {TELOPT_CHARSET, true, true, true, false},
	[NEGOTIATE_LINEMODE] = {TELOPT_LINEMODE, false, false, true, false},
	[NEGOTIATE_EOR] = {TELOPT_EOR, true, false, true, false},
};

/* The option's slot, or NEGOTIATE_SLOTS for one that we do not have. */
static enum negotiate_slot slot_of(uint8_t option)
{
	size_t slot = 0;

	while (slot < NEGOTIATE_SLOTS && policies[slot].option != option)
		slot++;
	return (enum negotiate_slot)slot;
}

uint8_t negotiate_number(enum negotiate_slot slot)
{
	return policies[slot].option;
}

/* Moves one side of a slot (OURS: our side) by EVENT. */
static void side_move(struct negotiation *negotiation, enum negotiate_slot slot, bool ours,
                      enum option_event event, struct telnet_reply *reply)
{
	uint8_t *state = ours ? &negotiation->us[slot] : &negotiation->them[slot];
	uint8_t option = policies[slot].option;

	switch (option_move(state, event)) {
	case OPTION_SEND_YES:
		telnet_reply_verb(reply, ours ? TELNET_WILL : TELNET_DO, option);
		break;
	case OPTION_SEND_NO:
		telnet_reply_verb(reply, ours ? TELNET_WONT : TELNET_DONT, option);
		break;
	case OPTION_SEND_NOTHING:
		break;
	}
}

void negotiate_start(struct negotiation *negotiation, struct telnet_reply *reply)
{
	*negotiation = (struct negotiation){0};
	option_slc_start(negotiation);
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

void negotiate_want(struct negotiation *negotiation, enum negotiate_slot slot, bool on,
                    struct telnet_reply *reply)
{
	side_move(negotiation, slot, true, on ? OPTION_ASK_YES : OPTION_ASK_NO, reply);
}

void negotiate_timing_mark(struct negotiation *negotiation, struct telnet_reply *reply)
{
	reply->length = 0;
	telnet_reply_verb(reply, TELNET_DO, TELOPT_TIMING_MARK);
	negotiation->timing_asked = true;
}

/* What is no state but a question; true when OPTION is such. */
static bool receive_question(struct negotiation *negotiation, uint8_t verb, uint8_t option,
                             struct telnet_reply *reply)
{
	if (option == TELOPT_TIMING_MARK) {
		if (verb == TELNET_DO)
			telnet_reply_verb(reply, TELNET_WILL, option);
		else if (verb == TELNET_WILL && !negotiation->timing_asked)
			telnet_reply_verb(reply, TELNET_DONT, option);
		if (verb == TELNET_WILL || verb == TELNET_WONT)
			negotiation->timing_asked = false;
		return true;
	}
	if (option == TELOPT_LOGOUT && verb == TELNET_DO) {
		if (!negotiation->logout)
			telnet_reply_verb(reply, TELNET_WILL, option);
		negotiation->logout = true;
		return true;
	}
	return false;
}

/* The client's side of SLOT has gone on: it is asked what it has to tell. */
static void they_began(struct negotiation *negotiation, enum negotiate_slot slot,
                       struct telnet_reply *reply)
{
	static const uint8_t send[] = {TELNET_SEND};

	switch (slot) {
	case NEGOTIATE_TTYPE:
		option_ttype_begin(negotiation, reply);
		break;
	case NEGOTIATE_TSPEED:
		if (!negotiation->speed_known)
			telnet_reply_subnegotiation(reply, TELOPT_TSPEED, send, 1);
		break;
	case NEGOTIATE_XDISPLOC:
		if (!negotiation->display_known)
			telnet_reply_subnegotiation(reply, TELOPT_XDISPLOC, send, 1);
		break;
	case NEGOTIATE_NEW_ENVIRON:
		if (!negotiation->environment_known)
			telnet_reply_subnegotiation(reply, TELOPT_NEW_ENVIRON, send, 1);
		break;
	case NEGOTIATE_LINEMODE:
		option_linemode_begin(negotiation);
		break;
	case NEGOTIATE_LFLOW:
		negotiation->lflow.told = false;
		break;
	default:
		break;
	}
}

/*
 * A client that says DONT ECHO to what we do or offer shows by itself what is typed;
 * one that asks for it later has changed its mind.
 */
static void note_echo(struct negotiation *negotiation, uint8_t verb, uint8_t before)
{
	bool asked_no = before == OPTION_WANTNO || before == OPTION_WANTNO_OPPOSITE;

	if (verb == TELNET_DONT && before == OPTION_WANTYES)
		negotiation->echo_refused = true;
	if (verb == TELNET_DONT && before != OPTION_NO && !asked_no)
		negotiation->local_echo = true;
	else if (verb == TELNET_DO && before == OPTION_NO)
		negotiation->local_echo = false;
}

void negotiate_receive(struct negotiation *negotiation, uint8_t verb, uint8_t option,
                       struct telnet_reply *reply)
{
	enum negotiate_slot slot = slot_of(option);
	bool ours = verb == TELNET_DO || verb == TELNET_DONT;
	bool yes = verb == TELNET_WILL || verb == TELNET_DO;

	reply->length = 0;
	negotiation->heard = true;
	if (receive_question(negotiation, verb, option, reply))
		return;
	if (slot == NEGOTIATE_SLOTS) {
		/* Always off: a request is refused once, a refusal needs no answer. */
		if (yes)
			telnet_reply_verb(reply, ours ? TELNET_WONT : TELNET_DONT, option);
		return;
	}
	const struct policy *policy = &policies[slot];
	bool allowed = ours ? policy->us_allowed : policy->them_allowed;
	uint8_t *state = ours ? &negotiation->us[slot] : &negotiation->them[slot];
	uint8_t before = *state;
	if (!yes)
		side_move(negotiation, slot, ours, OPTION_RECEIVE_NO, reply);
	else
		side_move(negotiation, slot, ours,
		          allowed ? OPTION_RECEIVE_YES : OPTION_RECEIVE_YES_UNWANTED, reply);
	if (*state == before)
		return;
	negotiation->changed = true;
	if (!ours && *state == OPTION_YES)
		they_began(negotiation, slot, reply);
	if (ours && slot == NEGOTIATE_CHARSET && *state == OPTION_YES)
		option_charset_begin(negotiation, reply);
	if (ours && slot == NEGOTIATE_ECHO)
		note_echo(negotiation, verb, before);
}

/* SLOT is the client's to tell about. */
static void receive_theirs(struct negotiation *negotiation, enum negotiate_slot slot,
                           const uint8_t *body, size_t length, struct telnet_reply *reply)
{
	switch (slot) {
	case NEGOTIATE_TTYPE:
		option_ttype_receive(negotiation, body, length, reply);
		break;
	case NEGOTIATE_NAWS:
		option_naws_receive(negotiation, body, length);
		break;
	case NEGOTIATE_TSPEED:
		option_tspeed_receive(negotiation, body, length);
		break;
	case NEGOTIATE_XDISPLOC:
		option_xdisploc_receive(negotiation, body, length);
		break;
	case NEGOTIATE_NEW_ENVIRON:
		option_environ_receive(negotiation, body, length);
		break;
	case NEGOTIATE_LINEMODE:
		option_linemode_receive(negotiation, body, length, reply);
		break;
	default:
		break;
	}
}

void negotiate_subnegotiation(struct negotiation *negotiation, uint8_t option, const uint8_t *body,
                              size_t length, struct telnet_reply *reply)
{
	enum negotiate_slot slot = slot_of(option);

	reply->length = 0;
	if (slot == NEGOTIATE_SLOTS || length == 0)
		return;
	bool we = negotiate_we_do(negotiation, slot), they = negotiate_they_do(negotiation, slot);
	if (slot == NEGOTIATE_STATUS && we)
		option_status_receive(negotiation, body, length, reply);
	else if (slot == NEGOTIATE_CHARSET && (we || they))
		option_charset_receive(negotiation, body, length, reply);
	else if (they)
		receive_theirs(negotiation, slot, body, length, reply);
}

bool negotiate_terminal_settled(const struct negotiation *negotiation)
{
	return negotiation->terminal[0] != '\0' || negotiation->them[NEGOTIATE_TTYPE] == OPTION_NO;
}

bool negotiate_complete(const struct negotiation *negotiation)
{
	const uint8_t *them = negotiation->them;

	return (negotiation->ttype.settled || them[NEGOTIATE_TTYPE] == OPTION_NO) &&
	       (negotiation->window_known || them[NEGOTIATE_NAWS] == OPTION_NO) &&
	       (negotiation->speed_known || them[NEGOTIATE_TSPEED] == OPTION_NO) &&
	       (negotiation->display_known || them[NEGOTIATE_XDISPLOC] == OPTION_NO) &&
	       (negotiation->environment_known || them[NEGOTIATE_NEW_ENVIRON] == OPTION_NO);
}

bool negotiate_we_do(const struct negotiation *negotiation, enum negotiate_slot slot)
{
	return negotiation->us[slot] == OPTION_YES;
}

bool negotiate_they_do(const struct negotiation *negotiation, enum negotiate_slot slot)
{
	return negotiation->them[slot] == OPTION_YES;
}
