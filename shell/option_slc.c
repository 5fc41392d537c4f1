/*
 * LINEMODE's set of local special characters, SLC (RFC 1184, sections 2.4 and
 * 2.5): which byte is the interrupt character, the erase character and so on, at
 * the client's terminal and at the pty. The client's come first and become the
 * pty's; what a program then changes at the pty is told to the client.
 *
 * Each triplet of the client's is answered at most once, and one with ACK not at
 * all, so that nobody can make a loop of it; answers are put together in a buffer
 * that has room for each function twice, and end there.
 */
#include <string.h>
#include <unistd.h>

#include "shell/option.h"
#include "shell/telnet.h"

enum slc_level {
	SLC_NOSUPPORT = 0,
	SLC_CANTCHANGE = 1,
	SLC_VALUE = 2,
	SLC_DEFAULT = 3,
};

#define SLC_LEVEL    3u
#define SLC_FLUSHOUT 32u
#define SLC_FLUSHIN  64u
#define SLC_ACK      128u
#define SLC_NONE     255u /* as a value: there is no such character */

#define CODE_SLC     3u
#define TRIPLETS_MAX 36u /* of an answer */

/* Which character of the terminal a function is; NO_PLACE: none. What a new pty has for it. */
#define NO_PLACE 255u
struct function {
	uint8_t place;
	uint8_t value;
	uint8_t flags; /* what the pty does with input and output when it comes */
};

static const struct function functions[SLC_FUNCTIONS + 1] = {
	[1] = {NO_PLACE, 0, 0},                          /* SYNCH */
	[2] = {NO_PLACE, 0, 0},                          /* BRK */
	[3] = {VINTR, 0x03, SLC_FLUSHIN | SLC_FLUSHOUT}, /* IP */
	[4] = {VDISCARD, 0x0f, 0},                       /* AO */
	[5] = {NO_PLACE, 0, 0},                          /* AYT */
	[6] = {NO_PLACE, 0, 0},                          /* EOR */
	[7] = {VQUIT, 0x1c, SLC_FLUSHIN | SLC_FLUSHOUT}, /* ABORT */
	[8] = {VEOF, 0x04, 0},                           /* EOF */
	[9] = {VSUSP, 0x1a, SLC_FLUSHIN},                /* SUSP */
	[10] = {VERASE, 0x7f, 0},                        /* EC */
	[11] = {VKILL, 0x15, 0},                         /* EL */
	[12] = {VWERASE, 0x17, 0},                       /* EW */
	[13] = {VREPRINT, 0x12, 0},
	[14] = {VLNEXT, 0x16, 0},
	[15] = {VSTART, 0x11, 0},    /* XON */
	[16] = {VSTOP, 0x13, 0},     /* XOFF */
	[17] = {VEOL, SLC_NONE, 0},  /* FORW1 */
	[18] = {VEOL2, SLC_NONE, 0}, /* FORW2 */
};

/* An answer that grows. */
struct triplets {
	size_t length;
	uint8_t bytes[1 + 3 * TRIPLETS_MAX];
};

static void triplet(struct triplets *triplets, uint8_t function, uint8_t flags, uint8_t value)
{
	const uint8_t bytes[] = {function, flags, value};

	if (triplets->length + sizeof(bytes) > sizeof(triplets->bytes))
		return;
	memcpy(triplets->bytes + triplets->length, bytes, sizeof(bytes));
	triplets->length += sizeof(bytes);
}

static void send_triplets(const struct triplets *triplets, struct telnet_reply *reply)
{
	if (triplets->length > 1)
		telnet_reply_subnegotiation(reply, TELOPT_LINEMODE, triplets->bytes,
		                            triplets->length);
}

static void set_default(struct slc *slc, size_t function)
{
	bool ours = functions[function].place != NO_PLACE;

	slc->level[function] = ours ? SLC_VALUE : SLC_NOSUPPORT;
	slc->value[function] = ours ? functions[function].value : SLC_NONE;
}

void option_slc_start(struct negotiation *negotiation)
{
	for (size_t i = 1; i <= SLC_FUNCTIONS; i++)
		set_default(&negotiation->linemode.slc, i);
}

static void tell(const struct slc *slc, size_t function, struct triplets *answer)
{
	uint8_t flags = (uint8_t)(slc->level[function] | functions[function].flags);

	triplet(answer, (uint8_t)function, flags, slc->value[function]);
}

/* Function 0: the client asks for all that we have, or for how we would begin. */
static void receive_all(struct slc *slc, uint8_t level, struct triplets *answer)
{
	for (size_t i = 1; i <= SLC_FUNCTIONS; i++) {
		if (level == SLC_DEFAULT) {
			set_default(slc, i);
			slc->changed = true;
		}
		if (level >= SLC_VALUE)
			tell(slc, i, answer);
	}
}

static void receive_triplet(struct slc *slc, const uint8_t *from, struct triplets *answer)
{
	uint8_t function = from[0], flags = from[1], value = from[2];
	uint8_t level = flags & SLC_LEVEL;

	if (function > SLC_FUNCTIONS) {
		if (level != SLC_NOSUPPORT)
			triplet(answer, function, SLC_NOSUPPORT, 0);
		return;
	}
	if (level == SLC_NOSUPPORT || value == 0)
		value = SLC_NONE;
	if (level == slc->level[function] &&
	    (value == slc->value[function] || (flags & SLC_ACK) != 0))
		return;
	if (level == SLC_DEFAULT) {
		set_default(slc, function);
		slc->changed = true;
		tell(slc, function, answer);
		return;
	}
	/* What has no place at a pty the client may have for itself: IAC BRK, AYT and so on. */
	slc->level[function] = level;
	slc->value[function] = value;
	slc->changed = true;
	if ((flags & SLC_ACK) == 0)
		triplet(answer, function, (uint8_t)(flags | SLC_ACK), from[2]);
}

void option_slc_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                        struct telnet_reply *reply)
{
	struct slc *slc = &negotiation->linemode.slc;
	struct triplets answer = {.length = 1, .bytes = {CODE_SLC}};
	bool all = false; /* once is enough, however often it is asked for */

	for (size_t at = 0; at + 3 <= length; at += 3) {
		if (body[at] != 0)
			receive_triplet(slc, body + at, &answer);
		else if (!all)
			receive_all(slc, body[at + 1] & SLC_LEVEL, &answer);
		all = all || body[at] == 0;
	}
	negotiation->changed = negotiation->changed || slc->changed;
	send_triplets(&answer, reply);
}

bool option_slc_apply(struct negotiation *negotiation, struct termios *terminal)
{
	struct slc *slc = &negotiation->linemode.slc;
	bool any = false;

	slc->changed = false;
	for (size_t i = 1; i <= SLC_FUNCTIONS; i++) {
		uint8_t place = functions[i].place;
		cc_t value = slc->value[i] == SLC_NONE ? _POSIX_VDISABLE : slc->value[i];

		if (place == NO_PLACE || terminal->c_cc[place] == value)
			continue;
		terminal->c_cc[place] = value;
		any = true;
	}
	return any;
}

void option_slc_tell(struct negotiation *negotiation, const struct termios *terminal,
                     struct telnet_reply *reply)
{
	struct slc *slc = &negotiation->linemode.slc;
	struct triplets answer = {.length = 1, .bytes = {CODE_SLC}};
	bool lines = (terminal->c_lflag & (tcflag_t)ICANON) != 0;

	for (size_t i = 1; i <= SLC_FUNCTIONS; i++) {
		uint8_t place = functions[i].place;
		/* Without lines there are signals only: a shell switches others off and on. */
		if (place == NO_PLACE || (!lines && functions[i].flags == 0))
			continue;
		cc_t character = terminal->c_cc[place];
		uint8_t value = character == _POSIX_VDISABLE ? SLC_NONE : character;

		if (value == slc->value[i])
			continue;
		slc->level[i] = SLC_VALUE;
		slc->value[i] = value;
		tell(slc, i, &answer);
	}
	send_triplets(&answer, reply);
}
