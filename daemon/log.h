/*
 * Logging: one module for every process. The supervisor writes to stderr (with
 * <N> priorities where JOURNAL_STREAM names it, so that the journal has the
 * level); every other role sends its lines to the supervisor over its channel,
 * which escapes control characters and writes them. Links libc only.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdarg.h>
#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Lines above LEVEL are dropped. */
void log_set_level(enum log_level level);

/* This process logs to stderr, as NAME. */
void log_to_stderr(const char *name);

/* This process logs over CHANNEL to the supervisor; never blocks: a full channel drops and counts. */
void log_to_channel(int channel);

/* One line, without newline; at most LOG_LINE_MAX bytes, the rest is cut. */
#define LOG_LINE_MAX 1000
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The supervisor writes a line that another process NAME (with PID) sent:
 * LENGTH bytes, any content; control characters and bytes that are not ASCII
 * come out as \xHH.
 */
void log_relay(enum log_level level, const char *name, int pid, const char *text, size_t length);

#endif
