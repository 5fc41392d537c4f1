/*
 * Making a record, and sending it: to the supervisor over this process's channel,
 * or to whatever log_output.c has put in its place. Workers link this file alone.
 */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/message.h"

enum log_level log_threshold = LOG_LEVEL_INFO;

static log_sink *log_to;
static int log_channel = -1;
static uint64_t log_lost; /* records that the sink did not take */
static uint64_t about_connection;
static const struct endpoint *about_peer;

void log_set_level(enum log_level level)
{
	log_threshold = level;
}

void log_about(uint64_t connection, const struct endpoint *peer)
{
	about_connection = connection;
	about_peer = peer;
}

int log_priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return 3;
	case LOG_LEVEL_WARNING:
		return 4;
	case LOG_LEVEL_INFO:
		return 6;
	default:
		return 7;
	}
}

void log_set_sink(log_sink *sink)
{
	log_to = sink;
}

/* Sends one record to the supervisor; false when there was no room. */
static bool send_record(const struct message_log *record, const char *text, size_t length)
{
	struct {
		struct message_log log;
		char text[LOG_LINE_MAX];
	} payload;

	if (length > sizeof(payload.text))
		length = sizeof(payload.text);
	payload.log = *record;
	memcpy(payload.text, text, length);
	return message_send(log_channel, MESSAGE_LOG, &payload, sizeof(payload.log) + length, NULL,
	                    0, MSG_DONTWAIT) == 0;
}

void log_to_channel(int channel)
{
	log_channel = channel;
	log_set_sink(send_record);
}

/* TEXT into a field of SIZE bytes, cut where it must be. */
static void copy_text(char *field, size_t size, const char *text)
{
	if (text == NULL)
		return;
	size_t length = strnlen(text, size - 1);
	memcpy(field, text, length);
}

/* Every byte of *RECORD is set: it goes to another process. */
static void fill(struct message_log *record, enum log_level level, const struct log_fields *fields)
{
	struct timespec now;

	memset(record, 0, sizeof(*record));
	clock_gettime(CLOCK_REALTIME, &now);
	record->time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	record->level = level;
	record->connection = about_connection;
	if (about_peer != NULL)
		record->peer = *about_peer;
	if (fields == NULL)
		return;
	record->event = fields->event;
	if (fields->connection != 0)
		record->connection = fields->connection;
	if (fields->peer != NULL)
		record->peer = *fields->peer;
	if (fields->local != NULL)
		record->local = *fields->local;
	copy_text(record->user, sizeof(record->user), fields->user);
	copy_text(record->state, sizeof(record->state), fields->state);
	copy_text(record->reason, sizeof(record->reason), fields->reason);
	copy_text(record->detail, sizeof(record->detail), fields->detail);
	record->measured = fields->measured;
	record->bytes_in = fields->bytes_in;
	record->bytes_out = fields->bytes_out;
	record->duration_us = fields->duration_us;
	record->left_out = fields->left_out;
}

void log_tell_lost(void)
{
	struct message_log record;
	char note[64];

	if (log_lost == 0)
		return;
	fill(&record, LOG_LEVEL_WARNING,
	     LOG_FIELDS(.event = LOG_EVENT_LEFT_OUT, .left_out = log_lost));
	int n = snprintf(note, sizeof(note), "%llu lines of log were lost",
	                 (unsigned long long)log_lost);
	if (log_to(&record, note, (size_t)n))
		log_lost = 0;
}

void log_count_lost(void)
{
	log_lost++;
}

void log_write(enum log_level level, const struct log_fields *fields, const char *format, ...)
{
	char text[LOG_LINE_MAX + 1];
	struct message_log record;
	va_list arguments;
	int cause = errno;

	if (!log_wanted(level) || log_to == NULL)
		return;
	va_start(arguments, format);
	int n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	size_t length = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	fill(&record, level, fields);
	log_tell_lost();
	if (!log_to(&record, text, length))
		log_lost++;
	errno = cause;
}
