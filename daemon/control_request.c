/*
 * Reading control requests. The JSON is jansson's; which keys there may be, of
 * which type and in which range, is in one table.
 */
#include "daemon/control_request.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "daemon/address_text.h"

#define KEY_ID        1u
#define KEY_PEER      2u
#define KEY_PORT      4u
#define KEY_INTERFACE 8u
#define KEY_ADDRESS   16u
#define KEY_TIME      32u

#define TELNET_PORT 23

static const struct {
	const char *name;
	unsigned required; /* keys */
	unsigned allowed;  /* keys, the required ones too */
	bool acts;
} commands[CONTROL_COMMANDS] = {
	[CONTROL_STATUS] = {"status", 0, 0, false},
	[CONTROL_LIST] = {"list", 0, 0, false},
	[CONTROL_SHOW] = {"show", KEY_ID, KEY_ID, false},
	[CONTROL_STATS] = {"stats", 0, 0, false},
	[CONTROL_CLOSE] = {"close", KEY_ID, KEY_ID, true},
	[CONTROL_ABORT] = {"abort", KEY_ID, KEY_ID, true},
	[CONTROL_CALL] = {"call", KEY_PEER, KEY_PEER | KEY_PORT | KEY_INTERFACE, true},
	[CONTROL_RELOAD] = {"reload", 0, 0, true},
	[CONTROL_UPGRADE] = {"upgrade", 0, 0, true},
	[CONTROL_DRAIN] = {"drain", 0, 0, true},
	[CONTROL_RESUME] = {"resume", 0, 0, true},
	[CONTROL_SOURCES] = {"sources", 0, 0, false},
	[CONTROL_BAN] = {"ban", KEY_ADDRESS, KEY_ADDRESS | KEY_TIME, true},
	[CONTROL_UNBAN] = {"unban", KEY_ADDRESS, KEY_ADDRESS, true},
};

bool control_command_acts(enum control_command command)
{
	return command >= CONTROL_COMMANDS || commands[command].acts;
}

/* An integer from 1 to MAX. */
static bool read_number(const json_t *value, uint64_t max, uint64_t *number)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 1 || (uint64_t)n > max)
		return false;
	*number = (uint64_t)n;
	return true;
}

/* Takes one key; returns its bit, 0 for a key that no command has, with *VALID its value's. */
static unsigned read_key(const char *key, const json_t *value, struct control_request *request,
                         bool *valid)
{
	uint64_t number = 0;

	if (strcmp(key, "id") == 0) {
		*valid = read_number(value, INT64_MAX, &request->id);
		return KEY_ID;
	}
	if (strcmp(key, "port") == 0) {
		*valid = read_number(value, UINT16_MAX, &number);
		request->port = (uint16_t)number;
		return KEY_PORT;
	}
	if (strcmp(key, "interface") == 0) {
		*valid = read_number(value, INT32_MAX, &number);
		request->interface = (uint32_t)number;
		return KEY_INTERFACE;
	}
	if (strcmp(key, "time_s") == 0) {
		*valid = read_number(value, CONTROL_TIME_MAX_S, &request->time_s);
		return KEY_TIME;
	}
	if (strcmp(key, "address") == 0) {
		*valid = json_is_string(value) &&
		         prefix_parse(json_string_value(value), &request->prefix);
		return KEY_ADDRESS;
	}
	if (strcmp(key, "peer") == 0) {
		*valid = json_is_string(value) &&
		         endpoint_parse(json_string_value(value), TELNET_PORT, &request->peer);
		return KEY_PEER;
	}
	return 0;
}

static bool read_command(const json_t *root, struct control_request *request)
{
	const char *name = json_string_value(json_object_get(root, "command"));

	for (unsigned i = 0; name != NULL && i < CONTROL_COMMANDS; i++) {
		if (strcmp(name, commands[i].name) == 0) {
			request->command = (enum control_command)i;
			return true;
		}
	}
	return false;
}

static bool read_object(json_t *root, struct control_request *request,
                        char error[CONTROL_ERROR_MAX])
{
	unsigned seen = 0;
	const char *key;
	json_t *value;

	if (!json_is_object(root)) {
		snprintf(error, CONTROL_ERROR_MAX, "a request is a JSON object");
		return false;
	}
	if (!read_command(root, request)) {
		snprintf(error, CONTROL_ERROR_MAX, "unknown command");
		return false;
	}
	json_object_foreach (root, key, value) {
		bool valid = false;
		unsigned bit;

		if (strcmp(key, "command") == 0)
			continue;
		bit = read_key(key, value, request, &valid);
		if ((bit & commands[request->command].allowed) == 0) {
			snprintf(error, CONTROL_ERROR_MAX, "%s has no such argument",
			         commands[request->command].name);
			return false;
		}
		if (!valid) {
			snprintf(error, CONTROL_ERROR_MAX, "%s: impossible value", key);
			return false;
		}
		seen |= bit;
	}
	if ((commands[request->command].required & ~seen) != 0) {
		snprintf(error, CONTROL_ERROR_MAX, "%s lacks an argument",
		         commands[request->command].name);
		return false;
	}
	return true;
}

bool control_request_parse(const char *line, size_t length, struct control_request *request,
                           char error[CONTROL_ERROR_MAX])
{
	json_t *root;
	bool valid;

	memset(request, 0, sizeof(*request));
	if (length > CONTROL_REQUEST_MAX) {
		snprintf(error, CONTROL_ERROR_MAX, "the request is too long");
		return false;
	}
	root = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	if (root == NULL) {
		snprintf(error, CONTROL_ERROR_MAX, "the request is not JSON");
		return false;
	}
	valid = read_object(root, request, error);
	json_decref(root);
	return valid;
}
