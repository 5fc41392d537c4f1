/*
 * LINEMODE (RFC 1184): the client edits lines and traps signal characters while
 * the pty is in canonical mode, and sends each character by itself while it is
 * not. The mode is ours to set; it holds once the client has acknowledged it. What
 * the characters are is in option_slc.c.
 *
 * FORWARDMASK tells the client at which other characters it hands a line over:
 * those that the pty has as additional ends of line.
 */
#include "shell/option.h"
#include "shell/telnet.h"

enum linemode_code {
	LINEMODE_CODE_MODE = 1,
	LINEMODE_CODE_FORWARDMASK = 2,
	LINEMODE_CODE_SLC = 3,
};

#define MASK_BYTES 32u

void option_linemode_begin(struct negotiation *negotiation)
{
	struct linemode *linemode = &negotiation->linemode;

	linemode->sent = linemode->acked = linemode->forwardmask = false;
}

void option_linemode_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                             struct telnet_reply *reply)
{
	struct linemode *linemode = &negotiation->linemode;
	const uint8_t refusal[] = {TELNET_WONT, LINEMODE_CODE_FORWARDMASK};

	if (body[0] == LINEMODE_CODE_SLC) {
		option_slc_receive(negotiation, body + 1, length - 1, reply);
	} else if (body[0] == LINEMODE_CODE_MODE && length == 2) {
		/* Only what we have asked for last can be agreed to. */
		if (linemode->sent && !linemode->acked && (body[1] & LINEMODE_ACK) != 0 &&
		    (body[1] & (LINEMODE_EDIT | LINEMODE_TRAPSIG)) ==
		            (linemode->mode & (LINEMODE_EDIT | LINEMODE_TRAPSIG)))
			linemode->acked = negotiation->changed = true;
	} else if (body[0] == TELNET_DO && length >= 2 && body[1] == LINEMODE_CODE_FORWARDMASK) {
		/* It is the server's to ask for. WILL and WONT need no answer. */
		telnet_reply_subnegotiation(reply, TELOPT_LINEMODE, refusal, sizeof(refusal));
	}
}

uint8_t option_linemode_of(const struct termios *terminal)
{
	unsigned mode = 0;

	if ((terminal->c_lflag & (tcflag_t)ICANON) != 0)
		mode |= LINEMODE_EDIT;
	if ((terminal->c_lflag & (tcflag_t)ISIG) != 0)
		mode |= LINEMODE_TRAPSIG;
	if ((terminal->c_oflag & (tcflag_t)TABDLY) == (tcflag_t)XTABS)
		mode |= LINEMODE_SOFT_TAB;
	if ((terminal->c_lflag & (tcflag_t)ECHOCTL) == 0)
		mode |= LINEMODE_LIT_ECHO;
	return (uint8_t)mode;
}

void option_linemode_tell(struct negotiation *negotiation, uint8_t mode, struct telnet_reply *reply)
{
	struct linemode *linemode = &negotiation->linemode;
	const uint8_t body[] = {LINEMODE_CODE_MODE, mode};

	if (linemode->sent && linemode->mode == mode)
		return;
	linemode->sent = true;
	linemode->acked = false;
	linemode->mode = mode;
	telnet_reply_subnegotiation(reply, TELOPT_LINEMODE, body, sizeof(body));
}

void option_linemode_forward(struct negotiation *negotiation, uint8_t one, uint8_t other,
                             struct telnet_reply *reply)
{
	struct linemode *linemode = &negotiation->linemode;
	uint8_t body[2 + MASK_BYTES] = {TELNET_DONT, LINEMODE_CODE_FORWARDMASK};
	bool wanted = one != 0 || other != 0;

	if (linemode->forwardmask == wanted &&
	    (!wanted || (linemode->forward[0] == one && linemode->forward[1] == other)))
		return;
	linemode->forwardmask = wanted;
	linemode->forward[0] = one;
	linemode->forward[1] = other;
	if (!wanted) {
		telnet_reply_subnegotiation(reply, TELOPT_LINEMODE, body, 2);
		return;
	}
	/* The first bit of the first byte is character 0. */
	body[0] = TELNET_DO;
	body[2 + one / 8] |= (uint8_t)(0x80u >> one % 8);
	body[2 + other / 8] |= (uint8_t)(0x80u >> other % 8);
	if (one == 0 || other == 0)
		body[2] &= 0x7f;
	telnet_reply_subnegotiation(reply, TELOPT_LINEMODE, body, sizeof(body));
}

static bool agreed(const struct negotiation *negotiation, uint8_t what)
{
	const struct linemode *linemode = &negotiation->linemode;

	return negotiate_they_do(negotiation, NEGOTIATE_LINEMODE) && linemode->sent &&
	       linemode->acked && (linemode->mode & what) != 0;
}

bool option_linemode_edits(const struct negotiation *negotiation)
{
	return agreed(negotiation, LINEMODE_EDIT);
}

bool option_linemode_traps(const struct negotiation *negotiation)
{
	return agreed(negotiation, LINEMODE_TRAPSIG);
}
