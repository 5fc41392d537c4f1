/*
 * Environment variables, NEW-ENVIRON (RFC 1572): all that the client offers, until
 * the session has been asked for; what a session gets of them the opener decides
 * (accept_env.h). Well-known and user variables are taken alike. USER is no
 * variable here but who the client says it is, DISPLAY what XDISPLOC would have
 * told.
 *
 * A name or a value may have any byte behind an ESC; such as make it invalid are
 * found by session_data.h. What has no room, or is no variable, is left out.
 */
#include <string.h>

#include "shell/option.h"
#include "shell/session_data.h"
#include "shell/telnet.h"

enum environ_code {
	ENVIRON_VAR = 0,
	ENVIRON_VALUE = 1,
	ENVIRON_ESC = 2,
	ENVIRON_USERVAR = 3,
};

/* A name or a value as it is read; one that is too long is not valid either. */
struct text {
	size_t length;
	char bytes[SESSION_VALUE_MAX + 2];
};

/* Reads up to the next code at *AT. An ESC that ends the whole stands for nothing. */
static void read_text(const uint8_t *body, size_t length, size_t *at, struct text *text)
{
	text->length = 0;
	while (*at < length && (body[*at] > ENVIRON_USERVAR || body[*at] == ENVIRON_ESC)) {
		if (body[*at] == ENVIRON_ESC && ++(*at) == length)
			break;
		if (text->length < sizeof(text->bytes) - 1)
			text->bytes[text->length++] = (char)body[*at];
		(*at)++;
	}
	text->bytes[text->length] = '\0';
}

static bool is_named(const struct text *name, const char *wanted)
{
	return name->length == strlen(wanted) && memcmp(name->bytes, wanted, name->length) == 0;
}

static void take_user(struct negotiation *negotiation, const struct text *value)
{
	if (value->length < sizeof(negotiation->user) && strlen(value->bytes) == value->length &&
	    session_user_valid(value->bytes, value->length + 1))
		memcpy(negotiation->user, value->bytes, value->length + 1);
	else
		negotiation->user_refused = value->length > 0;
}

static void take_variable(struct negotiation *negotiation, const struct text *name,
                          const struct text *value)
{
	if (is_named(name, "USER")) {
		take_user(negotiation, value);
	} else if (is_named(name, "DISPLAY")) {
		if (negotiation->display[0] == '\0' && strlen(value->bytes) == value->length &&
		    value->length < sizeof(negotiation->display) &&
		    session_display_valid(value->bytes, value->length + 1))
			memcpy(negotiation->display, value->bytes, value->length + 1);
	} else {
		session_variable_set(&negotiation->environment, name->bytes, name->length,
		                     value->bytes, value->length);
	}
}

void option_environ_receive(struct negotiation *negotiation, const uint8_t *body, size_t length)
{
	struct text name, value;
	size_t at = 1;

	if (body[0] != TELNET_IS && body[0] != TELNET_INFO)
		return;
	negotiation->environment_known = true;
	while (at < length) {
		uint8_t code = body[at++];
		if (code != ENVIRON_VAR && code != ENVIRON_USERVAR)
			return; /* malformed: what came before it holds */
		read_text(body, length, &at, &name);
		if (at == length || body[at] != ENVIRON_VALUE)
			continue; /* without a value it is not defined */
		at++;
		read_text(body, length, &at, &value);
		take_variable(negotiation, &name, &value);
	}
}
