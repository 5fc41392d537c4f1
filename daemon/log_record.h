/*
 * What a record of the log (struct message_log) may be, and what its parts are
 * called wherever they are written.
 */
#ifndef DAEMON_LOG_RECORD_H
#define DAEMON_LOG_RECORD_H

#include "daemon/log.h"
#include "daemon/message.h"

/*
 * True when every field of a record that another process sent is in its bounds: numbers that
 * exist, texts that end. What the texts hold is not looked at, so they are escaped when written.
 */
bool log_record_valid(const struct message_log *record);

/*
 * True when a process of ROLE may report EVENT: what a worker says has happened must not
 * pass for what the master has seen.
 */
bool log_event_from(uint32_t event, enum role role);

/* The event's name, such as "session_start"; NULL for LOG_EVENT_NONE and what does not exist. */
const char *log_event_name(uint32_t event);

/* Its MESSAGE_ID in the journal (sd_journal_send(3)): 32 hexadecimal digits; NULL as above. */
const char *log_event_id(uint32_t event);

/* "error", "warning", "info", "debug"; NULL for what does not exist. */
const char *log_level_name(uint32_t level);

#endif
