/*
 * Logging: one module for every process. What is logged is a record: a level, a text for people, and
 * what it is about as fields with names, for programs.
 *
 * Master, workers and opener send their records to the supervisor over their channels
 * (log.c), which checks them (log_record.c), limits them, and writes them where
 * the configuration says (log_output.c). Links libc only.
 *
 * Nobody logs what a client has typed, nor the value of a variable that it has set:
 * a field holds what has been checked, or what calmd itself says.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/address.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* What has happened, for those who look for it; calmd(8) describes each. Names: log_event_name(). */
enum log_event {
	LOG_EVENT_NONE,          /* a line for people */
	LOG_EVENT_CONNECT,       /* a connection is established */
	LOG_EVENT_DISCONNECT,    /* it has ended */
	LOG_EVENT_OPTIONS,       /* telnet options are agreed on, before the session begins */
	LOG_EVENT_SESSION_START, /* login runs */
	LOG_EVENT_LOGIN,         /* somebody has logged in */
	LOG_EVENT_SESSION_END,   /* the session has ended */
	LOG_EVENT_REFUSAL,   /* a client is not served: a limit, a ban, a missing PROXY header */
	LOG_EVENT_ATTACK,    /* a client has sent what no honest one sends */
	LOG_EVENT_STATE,     /* a connection has moved to another state */
	LOG_EVENT_LEFT_OUT,  /* so many records were not written */
	LOG_EVENT_VIOLATION, /* the sandbox has ended a process */
	LOG_EVENTS
};

/* Bytes of each text with its NUL; what is longer is cut. */
#define LOG_USER_MAX   40
#define LOG_STATE_MAX  16
#define LOG_REASON_MAX 128
#define LOG_DETAIL_MAX 256

/* What a record is about; zero, or NULL, where there is nothing to say. */
struct log_fields {
	enum log_event event;
	uint64_t connection;          /* its id */
	const struct endpoint *peer;  /* the client */
	const struct endpoint *local; /* where it connected to */
	const char *user;
	const char *state;  /* RFC 9293's name */
	const char *reason; /* why: the limit, the signature, what ended it */
	const char *detail; /* what else belongs to this event */
	bool measured;      /* the next three count, even where they are 0 */
	uint64_t bytes_in;  /* from the client */
	uint64_t bytes_out; /* to it */
	uint64_t duration_us;
	uint64_t left_out; /* records */
};

/* Records above LEVEL are dropped. */
void log_set_level(enum log_level level);

/* The level in effect; for log_wanted() alone. */
extern enum log_level log_threshold;

/* True when records of LEVEL are written: ask before you work for one. */
static inline bool log_wanted(enum log_level level)
{
	return level <= log_threshold;
}

/*
 * From now on every record of this process is about CONNECTION of PEER, unless it says
 * otherwise: PEER stays where it is. NULL: about nobody.
 */
void log_about(uint64_t connection, const struct endpoint *peer);

/* This process logs over CHANNEL to the supervisor; never blocks: a full channel drops and counts. */
void log_to_channel(int channel);

/* The level's priority in syslog(3). */
int log_priority(enum log_level level);

/*
 * A record with FIELDS (LOG_FIELDS(), or NULL for a line for people alone) and a text of one line,
 * without newline; at most LOG_LINE_MAX bytes, the rest is cut. Arguments are not looked at
 * when the level is not wanted; errno is left alone:
 *
 *   log_at(LOG_LEVEL_INFO, LOG_FIELDS(.event = LOG_EVENT_CONNECT, .connection = id),
 *          "connection %llu: established", id);
 */
#define LOG_LINE_MAX 1000
#define log_at(level, fields, ...)                                                                 \
	do {                                                                                       \
		if (log_wanted(level))                                                             \
			log_write(level, fields, __VA_ARGS__);                                     \
	} while (0)
#define LOG_FIELDS(...)  (&(const struct log_fields){__VA_ARGS__})
#define log_error(...)   log_at(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, NULL, __VA_ARGS__)
#define log_info(...)    log_at(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...)   log_at(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)

void log_write(enum log_level level, const struct log_fields *fields, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- for the other files of this module ---- */

struct message_log;

/* Where records of this process go: RECORD is whole, TEXT has LENGTH bytes. False: it was lost. */
typedef bool log_sink(const struct message_log *record, const char *text, size_t length);

/* For who writes without log_write(): says how many were lost, before the next; one more was. */
void log_tell_lost(void);
void log_count_lost(void);

/* Takes SINK for all records from now on; how many one lost is said as soon as it takes some again. */
void log_set_sink(log_sink *sink);

#endif
