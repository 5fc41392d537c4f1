/*
 * Terminal type (RFC 1091). A client may have several names; asked again it tells
 * the next, and tells its last one twice to say that there are no more. Names that
 * terminal databases know are taken at once. For any other the client is asked on,
 * a few times, and the first name is the one in the end.
 *
 * A client behaves as the name that it has told last. After a full cycle it is
 * asked once more, which takes it back to its first.
 *
 * The worker has no terminal database to look into: it knows how the names of
 * those terminals begin that people have.
 */
#include "shell/option.h"

#include <string.h>

#include "shell/session_data.h"
#include "shell/telnet.h"

#define NAMES_MAX 8u /* a client is asked for no more */

static const char known[][10] = {
	"xterm", "vt",        "linux",   "screen",  "tmux",     "rxvt",  "ansi", "dumb",
	"st-",   "alacritty", "foot",    "konsole", "gnome",    "putty", "sun",  "wy",
	"ibm",   "hp",        "cygwin",  "mintty",  "teraterm", "cons2", "mach", "eterm",
	"kterm", "nsterm",    "iterm",   "pcansi",  "tvi",      "adm",   "att",  "d2",
	"h19",   "dtterm",    "aixterm", "unknown",
};

static bool is_known(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strncmp(name, known[i], strlen(known[i])) == 0)
			return true;
	}
	return false;
}

static void ask(struct negotiation *negotiation, struct telnet_reply *reply)
{
	static const uint8_t send[] = {TELNET_SEND};

	negotiation->ttype.asked++;
	telnet_reply_subnegotiation(reply, TELOPT_TTYPE, send, sizeof(send));
}

void option_ttype_begin(struct negotiation *negotiation, struct telnet_reply *reply)
{
	if (!negotiation->ttype.settled && negotiation->ttype.asked == 0)
		ask(negotiation, reply);
}

/* Names are NVT ASCII, upper and lower case are equivalent; terminfo's are lower. */
static bool read_name(const uint8_t *from, size_t length, char name[SESSION_TERMINAL_SIZE])
{
	if (length >= SESSION_TERMINAL_SIZE)
		return false;
	memset(name, 0, SESSION_TERMINAL_SIZE);
	for (size_t i = 0; i < length; i++) {
		uint8_t c = from[i];
		name[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	return strlen(name) == length && session_terminal_valid(name, SESSION_TERMINAL_SIZE);
}

void option_ttype_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                          struct telnet_reply *reply)
{
	struct ttype *ttype = &negotiation->ttype;
	char name[SESSION_TERMINAL_SIZE];

	if (body[0] != TELNET_IS || ttype->settled || ttype->asked == 0)
		return;
	bool valid = read_name(body + 1, length - 1, name);
	bool first = negotiation->terminal[0] == '\0';
	bool last = !valid || strcmp(name, ttype->last) == 0 || ttype->asked >= NAMES_MAX;

	if (valid && (first || is_known(name)))
		memcpy(negotiation->terminal, name, sizeof(name));
	else if (first)
		memcpy(negotiation->terminal, "dumb", sizeof("dumb"));
	if (valid && is_known(name)) {
		ttype->settled = true;
	} else if (last) {
		ttype->settled = true;
		if (!first && strcmp(negotiation->terminal, ttype->last) != 0)
			ask(negotiation, reply);
	} else {
		memcpy(ttype->last, name, sizeof(name));
		ask(negotiation, reply);
	}
}
