/*
 * Single values of the configuration as text: numbers, sizes, times, names and
 * quoted strings.
 */
#ifndef DAEMON_CONFIG_VALUE_H
#define DAEMON_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Digits and nothing else; false for anything else or too many. */
bool value_number(const char *text, uint64_t *value);

/* Bytes, with k or m (1024 and 1024 times that) in either case. */
bool value_size(const char *text, uint64_t *bytes);

/* A number with s, m or h; seconds when it has none. */
bool value_time(const char *text, uint64_t *seconds);

/* The shortest text that value_time() reads back; returns BUFFER. */
#define VALUE_TIME_TEXT 24
const char *value_format_time(uint64_t seconds, char buffer[VALUE_TIME_TEXT]);

/* The shortest text that value_size() reads back. */
void value_print_size(uint64_t bytes, FILE *out);

/* True for [A-Za-z_][A-Za-z0-9_.-]*. */
bool value_is_name(const char *text);

/* True when TEXT has a control character. */
bool value_has_control(const char *text);

/* In double quotes, with what libconfuse takes for special escaped. */
void value_print_quoted(const char *text, FILE *out);

#endif
