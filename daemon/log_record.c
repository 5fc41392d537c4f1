/*
 * The table of events, and the check of records that come from other processes.
 */
#include "daemon/log_record.h"

#include <string.h>

#define BIT(role)  (1u << (role))
#define ANYBODY    (~0u)
#define SUPERVISOR BIT(ROLE_SUPERVISOR)
#define MASTER     BIT(ROLE_MASTER)
#define WORKER     BIT(ROLE_WORKER)
/* Its keepers have its name. */
#define OPENER BIT(ROLE_OPENER)

/* The ids were drawn once, as sd-id128(3) says, and never change. */
static const struct {
	const char *name;
	const char *id;
	unsigned from; /* roles that may report it */
} events[LOG_EVENTS] = {
	[LOG_EVENT_NONE] = {NULL, NULL, ANYBODY},
	[LOG_EVENT_CONNECT] = {"connect", "0a04c9a5d0314d6eace4e6fc863a11a3", MASTER},
	[LOG_EVENT_DISCONNECT] = {"disconnect", "aba87d4b4b7b4a0c8e68817b82f146d6", MASTER},
	[LOG_EVENT_OPTIONS] = {"options", "8f1da4d33d5248acb6036b50c627747a", WORKER},
	[LOG_EVENT_SESSION_START] = {"session_start", "eaabe07116d348939241b9b2696d20e6",
                                     WORKER | OPENER},
	[LOG_EVENT_LOGIN] = {"login", "a7c8bf7a40f4452ba8b06eb8a4953374", WORKER | OPENER},
	[LOG_EVENT_SESSION_END] = {"session_end", "f35328f9eee74acf966d8a2bf7c1f838",
                                   MASTER | WORKER | OPENER},
	[LOG_EVENT_REFUSAL] = {"refusal", "b7014700048a432eb3d51d04ffb8779c",
                               MASTER | WORKER | OPENER},
	[LOG_EVENT_ATTACK] = {"attack", "b4253331337e44b7bbd1d8446dc21f4c",
                              MASTER | WORKER | OPENER},
	[LOG_EVENT_STATE] = {"state", "85c0fd88c9d74066af929e7a61d3b64d", MASTER},
	[LOG_EVENT_LEFT_OUT] = {"left_out", "eef257165c644ab1836e3ce8e21c8c5e", ANYBODY},
	[LOG_EVENT_VIOLATION] = {"violation", "3247141ca5b349ef97bd87d957a1f0cd", SUPERVISOR},
};

static const char *const levels[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static bool logged_endpoint_valid(const struct endpoint *endpoint)
{
	uint8_t version = endpoint->address.version;

	return version == IP_NONE || version == IP_V4 || version == IP_V6;
}

/* Not every reader of JSON has numbers beyond this. */
static bool numbers_valid(const struct message_log *record)
{
	return record->connection <= INT64_MAX && record->left_out <= INT64_MAX &&
	       record->bytes_in <= INT64_MAX && record->bytes_out <= INT64_MAX &&
	       record->duration_us <= INT64_MAX;
}

#define ENDS(text) (memchr((text), '\0', sizeof(text)) != NULL)

bool log_record_valid(const struct message_log *record)
{
	return record->level <= LOG_LEVEL_DEBUG && record->event < LOG_EVENTS &&
	       record->measured <= 1 && numbers_valid(record) &&
	       logged_endpoint_valid(&record->peer) && logged_endpoint_valid(&record->local) &&
	       ENDS(record->user) && ENDS(record->state) && ENDS(record->reason) &&
	       ENDS(record->detail);
}

bool log_event_from(uint32_t event, enum role role)
{
	return event < LOG_EVENTS && (events[event].from & BIT(role)) != 0;
}

const char *log_event_name(uint32_t event)
{
	return event < LOG_EVENTS ? events[event].name : NULL;
}

const char *log_event_id(uint32_t event)
{
	return event < LOG_EVENTS ? events[event].id : NULL;
}

const char *log_level_name(uint32_t level)
{
	return level <= LOG_LEVEL_DEBUG ? levels[level] : NULL;
}
