/*
 * What a session runs: login's arguments and environment.
 *
 * The environment begins empty. Two things from the network become arguments: the
 * peer's address, which is numeric, and a user's name that the client has told. The
 * name is [A-Za-z_][A-Za-z0-9_.-]*, so it cannot begin with a dash, and it stands
 * behind "--": nothing that a client says can be an option, and -f never stands
 * there unless the administrator has written it into the configuration.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "shell/accept_env.h"
#include "shell/opener.h"
#include "shell/session_data.h"

/* Where the next text goes. */
struct room {
	char *at;
	const char *end;
};

void login_address(const struct endpoint *peer, char address[LOGIN_ADDRESS_SIZE])
{
	int family = peer->address.version == IP_V6 ? AF_INET6 : AF_INET;

	_Static_assert(LOGIN_ADDRESS_SIZE >= INET6_ADDRSTRLEN, "holds any address");
	if (inet_ntop(family, peer->address.bytes, address, LOGIN_ADDRESS_SIZE) == NULL)
		address[0] = '\0';
}

/* Copies TEXT with each %h replaced by ADDRESS; NULL when there is no room. */
static char *put(struct room *room, const char *text, const char *address)
{
	char *begin = room->at;

	while (*text != '\0') {
		bool host = address != NULL && text[0] == '%' && text[1] == 'h';
		const char *from = host ? address : text;
		size_t length = host ? strlen(address) : 1;

		if (length >= (size_t)(room->end - room->at))
			return NULL;
		memcpy(room->at, from, length);
		room->at += length;
		text += host ? 2 : 1;
	}
	if (room->at == room->end)
		return NULL;
	*room->at++ = '\0';
	return begin;
}

static bool put_arguments(const struct login *login, const struct message_open_session *request,
                          struct room *room, char **argv)
{
	char address[LOGIN_ADDRESS_SIZE];
	bool named = false;

	login_address(&request->peer, address);
	for (size_t i = 0; i < login->count; i++) {
		if (strcmp(login->argv[i], "%u") != 0) {
			if ((*argv++ = put(room, login->argv[i], address)) == NULL)
				return false;
		} else if (request->user[0] != '\0' && !named) {
			named = true;
			if ((*argv++ = put(room, "--", NULL)) == NULL ||
			    (*argv++ = put(room, request->user, NULL)) == NULL)
				return false;
		}
	}
	*argv = NULL;
	return true;
}

/* Puts NAME=VALUE. */
static char *put_variable(struct room *room, const char *name, const char *value)
{
	char text[16 + SESSION_DISPLAY_SIZE];

	snprintf(text, sizeof(text), "%s=%s", name, value);
	return put(room, text, NULL);
}

static bool put_environment(const struct login *login, const struct message_open_session *request,
                            struct room *room, char **variables)
{
	const char *entry = NULL;

	if ((*variables++ = put_variable(room, "TERM", request->terminal)) == NULL)
		return false;
	if (request->display[0] != '\0' &&
	    (*variables++ = put_variable(room, "DISPLAY", request->display)) == NULL)
		return false;
	while ((entry = session_variable_next(&request->environment, entry)) != NULL) {
		if (accept_env(login->accept_env, entry) &&
		    (*variables++ = put(room, entry, NULL)) == NULL)
			return false;
	}
	*variables = NULL;
	return true;
}

bool login_command(const struct login *login, const struct message_open_session *request,
                   struct login_command *command)
{
	struct room room = {command->text, command->text + sizeof(command->text)};

	return put_arguments(login, request, &room, command->argv) && command->argv[0] != NULL &&
	       put_environment(login, request, &room, command->environment);
}
