/*
 * Control requests: what a client may ask, and the one place that reads it.
 *
 * A request is a JSON object on one line: {"command":"show","id":3}. Its keys
 * besides `command`: `id` for show, close and abort; `peer` ("192.0.2.1:23"),
 * `port` (local) and `interface` (index, for link-local peers) for call; `address`
 * ("192.0.2.1", "192.0.2.0/24") and `time_s` for ban and unban.
 */
#ifndef DAEMON_CONTROL_REQUEST_H
#define DAEMON_CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/address.h"

#define CONTROL_REQUEST_MAX 4096u /* bytes, newline not counted */
#define CONTROL_ERROR_MAX   128u
#define CONTROL_TIME_MAX_S  (366u * 24 * 60 * 60) /* of a ban */

enum control_command {
	CONTROL_STATUS,
	CONTROL_LIST,
	CONTROL_SHOW,
	CONTROL_STATS,
	CONTROL_CLOSE,
	CONTROL_ABORT,
	CONTROL_CALL,
	CONTROL_RELOAD,
	CONTROL_UPGRADE,
	CONTROL_DRAIN,
	CONTROL_RESUME,
	CONTROL_SOURCES,
	CONTROL_BAN,
	CONTROL_UNBAN,
	CONTROL_COMMANDS
};

struct control_request {
	enum control_command command;
	uint64_t id;
	struct endpoint peer;
	uint16_t port;
	uint32_t interface;
	struct ip_prefix prefix;
	uint64_t time_s; /* 0: none was given */
};

/*
 * Reads LENGTH bytes of any content, without the newline. False with a sentence
 * in ERROR for anything but a request with exactly the keys that its command has.
 */
bool control_request_parse(const char *line, size_t length, struct control_request *request,
                           char error[CONTROL_ERROR_MAX]);

/* True when the command changes something: looking is not enough to be allowed it. */
bool control_command_acts(enum control_command command);

#endif
