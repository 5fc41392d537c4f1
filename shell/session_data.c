/*
 * What a client may say about its session; see session_data.h. Environment
 * variables are those of RFC 1572, as far as POSIX allows their names.
 */
#include "shell/session_data.h"

#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

/* True when TEXT of at most MAX bytes, in an array of SIZE, is not empty and of CHARACTERS only. */
static bool made_of(const char *text, size_t size, size_t max, const char *characters)
{
	size_t length = strnlen(text, size);

	return length > 0 && length < size && length <= max && strspn(text, characters) == length;
}

static bool is_letter(char c)
{
	return c != '\0' && strchr(LETTERS "_", c) != NULL;
}

bool session_terminal_valid(const char *terminal, size_t size)
{
	return made_of(terminal, size, 40, LETTERS DIGITS "+._-");
}

bool session_user_valid(const char *user, size_t size)
{
	return made_of(user, size, 32, LETTERS DIGITS "_.-") && is_letter(user[0]);
}

bool session_display_valid(const char *display, size_t size)
{
	return made_of(display, size, 128, LETTERS DIGITS "._:/[]-") && display[0] != '-';
}

/* ---- variables ---- */

static bool name_valid(const char *name, size_t length)
{
	if (length == 0 || length > SESSION_NAME_MAX || !is_letter(name[0]))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_letter(name[i]) && !(name[i] >= '0' && name[i] <= '9'))
			return false;
	}
	return true;
}

/* No control characters of ASCII; what is above it may be UTF-8. */
static bool value_valid(const char *value, size_t length)
{
	if (length > SESSION_VALUE_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)value[i];
		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

const char *session_variable_next(const struct message_environment *environment, const char *entry)
{
	const char *next = entry == NULL ? environment->text : entry + strlen(entry) + 1;

	return next < environment->text + environment->size ? next : NULL;
}

bool session_environment_valid(const struct message_environment *environment)
{
	const char *entry = NULL;

	if (environment->size > sizeof(environment->text) ||
	    (environment->size > 0 && environment->text[environment->size - 1] != '\0'))
		return false;
	while ((entry = session_variable_next(environment, entry)) != NULL) {
		size_t name = strcspn(entry, "=");
		if (entry[name] == '\0' || !name_valid(entry, name) ||
		    !value_valid(entry + name + 1, strlen(entry + name + 1)))
			return false;
	}
	return true;
}

/* The entry of the variable NAME, or NULL. */
static char *find(struct message_environment *environment, const char *name, size_t length)
{
	const char *entry = NULL;

	while ((entry = session_variable_next(environment, entry)) != NULL) {
		if (strncmp(entry, name, length) == 0 && entry[length] == '=')
			return environment->text + (entry - environment->text);
	}
	return NULL;
}

void session_variable_remove(struct message_environment *environment, const char *name,
                             size_t name_length)
{
	if (!name_valid(name, name_length))
		return;
	char *entry = find(environment, name, name_length);
	if (entry == NULL)
		return;
	const char *behind = entry + strlen(entry) + 1;
	const char *end = environment->text + environment->size;
	memmove(entry, behind, (size_t)(end - behind));
	environment->size -= (uint32_t)(behind - entry);
}

bool session_variable_set(struct message_environment *environment, const char *name,
                          size_t name_length, const char *value, size_t value_length)
{
	if (!name_valid(name, name_length) || !value_valid(value, value_length))
		return false;
	size_t length = name_length + 1 + value_length + 1;
	const char *old = find(environment, name, name_length);
	size_t freed = old != NULL ? strlen(old) + 1 : 0;
	if (length > sizeof(environment->text) - environment->size + freed)
		return false;
	session_variable_remove(environment, name, name_length);
	char *at = environment->text + environment->size;
	memcpy(at, name, name_length);
	at[name_length] = '=';
	memcpy(at + name_length + 1, value, value_length);
	at[length - 1] = '\0';
	environment->size += (uint32_t)length;
	return true;
}
