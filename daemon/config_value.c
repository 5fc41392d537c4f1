/*
 * Single values of the configuration as text.
 */
#include "daemon/config_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define DIGITS_MAX 15 /* no overflow, not even of hours in seconds */

/* Leading digits to *VALUE; returns what is behind them, NULL when there is none. */
static const char *digits(const char *text, uint64_t *value)
{
	size_t length = strspn(text, "0123456789");

	if (length == 0 || length > DIGITS_MAX)
		return NULL;
	*value = 0;
	for (size_t i = 0; i < length; i++)
		*value = *value * 10 + (uint64_t)(text[i] - '0');
	return text + length;
}

bool value_number(const char *text, uint64_t *value)
{
	const char *rest = digits(text, value);

	return rest != NULL && *rest == '\0';
}

/* A number and at most one letter of UNITS; *UNIT is its place, -1 for none. */
static bool number_with_unit(const char *text, const char *units, uint64_t *value, int *unit)
{
	const char *rest = digits(text, value);

	if (rest == NULL)
		return false;
	*unit = -1;
	if (*rest == '\0')
		return true;
	const char *found = strchr(units, tolower((unsigned char)*rest));
	if (found == NULL || rest[1] != '\0')
		return false;
	*unit = (int)(found - units);
	return true;
}

bool value_size(const char *text, uint64_t *bytes)
{
	int unit;

	if (!number_with_unit(text, "km", bytes, &unit))
		return false;
	uint64_t scale = unit < 0 ? 1 : unit == 0 ? 1u << 10 : 1u << 20;
	*bytes = *bytes > UINT64_MAX / scale ? UINT64_MAX : *bytes * scale;
	return true;
}

bool value_time(const char *text, uint64_t *seconds)
{
	int unit;

	if (!number_with_unit(text, "smh", seconds, &unit))
		return false;
	*seconds *= unit <= 0 ? 1 : unit == 1 ? 60 : 3600;
	return true;
}

const char *value_format_time(uint64_t seconds, char buffer[VALUE_TIME_TEXT])
{
	if (seconds != 0 && seconds % 3600 == 0)
		snprintf(buffer, VALUE_TIME_TEXT, "%" PRIu64 "h", seconds / 3600);
	else if (seconds != 0 && seconds % 60 == 0)
		snprintf(buffer, VALUE_TIME_TEXT, "%" PRIu64 "m", seconds / 60);
	else
		snprintf(buffer, VALUE_TIME_TEXT, "%" PRIu64 "s", seconds);
	return buffer;
}

void value_print_size(uint64_t bytes, FILE *out)
{
	if (bytes != 0 && bytes % (1u << 20) == 0)
		fprintf(out, "%" PRIu64 "m", bytes >> 20);
	else if (bytes != 0 && bytes % (1u << 10) == 0)
		fprintf(out, "%" PRIu64 "k", bytes >> 10);
	else
		fprintf(out, "%" PRIu64, bytes);
}

bool value_is_name(const char *text)
{
	if (!isalpha((unsigned char)text[0]) && text[0] != '_')
		return false;
	return text[strspn(text,
	                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] ==
	       '\0';
}

bool value_has_control(const char *text)
{
	for (; *text != '\0'; text++) {
		if (iscntrl((unsigned char)*text))
			return true;
	}
	return false;
}

void value_print_quoted(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\' || c == '$')
			fprintf(out, "\\%c", c);
		else if (iscntrl(c))
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}
