/*
 * The kinds of configuration values: numbers, sizes, times, words, names, paths,
 * text. Each kind is one pair of functions, one that reads the text of a value
 * and says what is wrong with it, and one that prints it again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config_keys.h"
#include "daemon/config_value.h"
#include "stack/quiet.h"
#include "stack/ring.h"

#define SECOND_US UINT64_C(1000000)
#define WHY(...)  (snprintf(why, CONFIG_WHY_MAX, __VA_ARGS__), false)

/* KEY's member of CONFIG. */
static void *member(const struct config_key *key, struct config *config)
{
	return (char *)config + key->offset;
}

static const void *member_of(const struct config_key *key, const struct config *config)
{
	return (const char *)config + key->offset;
}

static uint32_t number_of(const struct config_key *key, const struct config *config)
{
	return *(const uint32_t *)member_of(key, config);
}

static bool read_number(const struct config_key *key, const char *text, unsigned index,
                        struct config *config, char why[CONFIG_WHY_MAX])
{
	uint64_t value;

	(void)index;
	if (!value_number(text, &value))
		return WHY("must be a number, is \"%.60s\"", text);
	if (value < key->min || value > key->max)
		return WHY("must be between %" PRIu64 " and %" PRIu64 ", is %" PRIu64, key->min,
		           key->max, value);
	*(uint32_t *)member(key, config) = (uint32_t)value;
	return true;
}

static void print_number(const struct config_key *key, const struct config *config, FILE *out)
{
	fprintf(out, "%" PRIu32, number_of(key, config));
}

/* An amount of memory between KEY's bounds. */
static bool read_bytes(const struct config_key *key, const char *text, unsigned index,
                       struct config *config, char why[CONFIG_WHY_MAX])
{
	uint64_t value;

	(void)index;
	if (!value_size(text, &value))
		return WHY("must be a number of bytes such as 65536, 64k or 1m, is \"%.60s\"",
		           text);
	if (value < key->min || value > key->max)
		return WHY("must be between %" PRIu64 "k and %" PRIu64 "m, is %.60s",
		           key->min >> 10, key->max >> 20, text);
	*(uint32_t *)member(key, config) = (uint32_t)value;
	return true;
}

/* The same, for a ring. */
static bool read_size(const struct config_key *key, const char *text, unsigned index,
                      struct config *config, char why[CONFIG_WHY_MAX])
{
	uint64_t value;

	if (value_size(text, &value) &&
	    (value < key->min || value > key->max || !ring_size_valid((uint32_t)value)))
		return WHY("must be a power of two between %" PRIu64 "k and %" PRIu64 "m, is %.60s",
		           key->min >> 10, key->max >> 20, text);
	return read_bytes(key, text, index, config, why);
}

static void print_size(const struct config_key *key, const struct config *config, FILE *out)
{
	value_print_size(number_of(key, config), out);
}

/* A time between KEY's bounds, in microseconds. */
static bool read_bounded_time(const struct config_key *key, const char *text, uint64_t *us,
                              char why[CONFIG_WHY_MAX])
{
	uint64_t seconds;

	if (!value_time(text, &seconds))
		return WHY("must be a time such as 30s, 5m or 2h%s%s, is \"%.60s\"",
		           key->zero != NULL ? ", or " : "", key->zero != NULL ? key->zero : "",
		           text);
	if (seconds < key->min || seconds > key->max) {
		char low[VALUE_TIME_TEXT], high[VALUE_TIME_TEXT];
		return WHY("must be between %s and %s, is %.60s", value_format_time(key->min, low),
		           value_format_time(key->max, high), text);
	}
	*us = seconds * SECOND_US;
	return true;
}

static bool read_time(const struct config_key *key, const char *text, unsigned index,
                      struct config *config, char why[CONFIG_WHY_MAX])
{
	uint64_t us = 0;

	(void)index;
	bool off = key->zero != NULL && (strcmp(text, key->zero) == 0 || strcmp(text, "0") == 0);
	if (!off && !read_bounded_time(key, text, &us, why))
		return false;
	*(uint64_t *)member(key, config) = us;
	return true;
}

static void print_time(const struct config_key *key, const struct config *config, FILE *out)
{
	uint64_t us = *(const uint64_t *)member_of(key, config);
	char text[VALUE_TIME_TEXT];

	fputs(us == 0 ? key->zero : value_format_time(us / SECOND_US, text), out);
}

static bool read_quiet(const struct config_key *key, const char *text, unsigned index,
                       struct config *config, char why[CONFIG_WHY_MAX])
{
	uint64_t us = 0;
	uint32_t quiet;

	(void)index;
	if (strcmp(text, "auto") == 0)
		quiet = QUIET_AUTO;
	else if (strcmp(text, "off") == 0)
		quiet = QUIET_OFF;
	else if (read_bounded_time(key, text, &us, why))
		quiet = QUIET_FIXED;
	else
		return WHY("must be auto, off, or a time up to 1h, is \"%.60s\"", text);
	config->quiet = quiet;
	config->quiet_us = us;
	return true;
}

static void print_quiet(const struct config_key *key, const struct config *config, FILE *out)
{
	char text[VALUE_TIME_TEXT];

	(void)key;
	if (config->quiet == QUIET_FIXED)
		fputs(value_format_time(config->quiet_us / SECOND_US, text), out);
	else
		fputs(config->quiet == QUIET_OFF ? "off" : "auto", out);
}

static bool read_choice(const struct config_key *key, const char *text, unsigned index,
                        struct config *config, char why[CONFIG_WHY_MAX])
{
	char known[CONFIG_WHY_MAX / 2] = "";
	size_t used = 0;

	(void)index;
	for (uint32_t i = 0; key->choice(i) != NULL; i++) {
		if (strcmp(text, key->choice(i)) == 0) {
			*(uint32_t *)member(key, config) = i;
			return true;
		}
		int n = snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ",
		                 key->choice(i));
		used += n > 0 && (size_t)n < sizeof(known) - used ? (size_t)n : 0;
	}
	return WHY("must be one of %s, is \"%.60s\"", known, text);
}

static void print_choice(const struct config_key *key, const struct config *config, FILE *out)
{
	fputs(key->choice(number_of(key, config)), out);
}

static bool read_name(const struct config_key *key, const char *text, unsigned index,
                      struct config *config, char why[CONFIG_WHY_MAX])
{
	(void)index;
	if (text[0] == '\0' && key->min == 0) {
		*(char *)member(key, config) = '\0';
		return true;
	}
	if (!value_is_name(text) || strlen(text) >= key->size)
		return WHY("must be the name of a user or group, is \"%.60s\"", text);
	snprintf(member(key, config), key->size, "%s", text);
	return true;
}

static bool read_path(const struct config_key *key, const char *text, unsigned index,
                      struct config *config, char why[CONFIG_WHY_MAX])
{
	(void)index;
	if (text[0] == '\0' && key->min == 0) {
		*(char *)member(key, config) = '\0';
		return true;
	}
	if (text[0] != '/' || text[1] == '\0' || value_has_control(text))
		return WHY("must be a path that begins with /, is \"%.60s\"", text);
	if (strlen(text) >= key->size)
		return WHY("must be at most %zu bytes long, is %zu", key->size - 1, strlen(text));
	snprintf(member(key, config), key->size, "%s", text);
	return true;
}

/* One line for a client: 0xff would be a telnet command. */
static bool read_text(const struct config_key *key, const char *text, unsigned index,
                      struct config *config, char why[CONFIG_WHY_MAX])
{
	(void)index;
	if (value_has_control(text) || strchr(text, 0xff) != NULL)
		return WHY("must be one line of text without control characters");
	if (strlen(text) >= key->size)
		return WHY("must be at most %zu bytes long, is %zu", key->size - 1, strlen(text));
	snprintf(member(key, config), key->size, "%s", text);
	return true;
}

static void print_string(const struct config_key *key, const struct config *config, FILE *out)
{
	value_print_quoted(member_of(key, config), out);
}

const struct config_kind config_number = {false, read_number, print_number, NULL};
const struct config_kind config_bytes = {false, read_bytes, print_size, NULL};
const struct config_kind config_size = {false, read_size, print_size, NULL};
const struct config_kind config_time = {false, read_time, print_time, NULL};
const struct config_kind config_quiet = {false, read_quiet, print_quiet, NULL};
const struct config_kind config_choice = {false, read_choice, print_choice, NULL};
const struct config_kind config_name = {false, read_name, print_string, NULL};
const struct config_kind config_path = {false, read_path, print_string, NULL};
const struct config_kind config_text = {false, read_text, print_string, NULL};
