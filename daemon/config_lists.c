/*
 * The lists of the configuration: where to listen, login's arguments, and which variables are accepted.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/address_text.h"
#include "daemon/config_keys.h"
#include "daemon/config_value.h"

#define TELNET_PORT 23 /* RFC 854 */
#define WHY(...)    (snprintf(why, CONFIG_WHY_MAX, __VA_ARGS__), false)

/* True when the kernel could not have a guard for both. */
static bool overlap(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && a->address.version == b->address.version &&
	       (address_equal(&a->address, &b->address) || address_is_any(&a->address) ||
	        address_is_any(&b->address));
}

/* An endpoint, and behind it perhaps the word proxy. */
static bool listen_parse(const char *text, struct endpoint *endpoint, bool *proxied)
{
	size_t length = strcspn(text, " \t");
	const char *word = text + length + strspn(text + length, " \t");
	char part[ENDPOINT_TEXT_MAX];

	if (length >= sizeof(part))
		return false;
	memcpy(part, text, length);
	part[length] = '\0';
	*proxied = strcmp(word, "proxy") == 0;
	return (*proxied || (*word == '\0' && text[length] == '\0')) &&
	       endpoint_parse(part, TELNET_PORT, endpoint);
}

static bool read_endpoints(const struct config_key *key, const char *text, unsigned index,
                           struct config *config, char why[CONFIG_WHY_MAX])
{
	struct endpoint endpoint;
	bool proxied;

	(void)key;
	if (!listen_parse(text, &endpoint, &proxied))
		return WHY("must be ADDRESS:PORT, such as 0.0.0.0:23 or [::]:23, is \"%.60s\"",
		           text);
	if (!address_is_any(&endpoint.address) && !address_is_unicast(&endpoint.address))
		return WHY("must be an address of this host, is \"%.60s\"", text);
	if (index >= MESSAGE_LISTEN_MAX)
		return WHY("must be at most %u endpoints", MESSAGE_LISTEN_MAX);
	for (unsigned i = 0; i < index; i++) {
		char other[ENDPOINT_TEXT_MAX];
		if (overlap(&config->listen[i], &endpoint))
			return WHY("%.60s is already covered by %s", text,
			           endpoint_format(&config->listen[i], other));
	}
	if (index == 0)
		config->listen_proxied = 0;
	config->listen_proxied |= (uint32_t)proxied << index;
	config->listen[index] = endpoint;
	config->listens = index + 1;
	return true;
}

static void print_endpoints(const struct config_key *key, const struct config *config, FILE *out)
{
	char text[ENDPOINT_TEXT_MAX];

	(void)key;
	fputc('{', out);
	for (uint32_t i = 0; i < config->listens; i++)
		fprintf(out, "%s\"%s%s\"", i == 0 ? "" : ", ",
		        endpoint_format(&config->listen[i], text),
		        (config->listen_proxied & (1u << i)) != 0 ? " proxy" : "");
	fputc('}', out);
}

static struct message_strings *strings_of(const struct config_key *key, struct config *config)
{
	return (struct message_strings *)((char *)config + key->offset);
}

/* Puts TEXT, element INDEX, behind the others; false when there is no room. */
static bool add_string(struct message_strings *strings, const char *text, unsigned index)
{
	size_t length = strlen(text) + 1;

	if (index == 0)
		*strings = (struct message_strings){0};
	if (index >= MESSAGE_STRINGS_MAX || length > MESSAGE_STRINGS_SIZE - strings->size)
		return false;
	memcpy(strings->text + strings->size, text, length);
	strings->size += (uint32_t)length;
	strings->count = index + 1;
	return true;
}

static bool read_arguments(const struct config_key *key, const char *text, unsigned index,
                           struct config *config, char why[CONFIG_WHY_MAX])
{
	if (index == 0 && (text[0] == '\0' || strcmp(text, "%u") == 0))
		return WHY("must begin with the name of a program");
	if (!add_string(strings_of(key, config), text, index))
		return WHY("must be at most %u arguments of %u bytes together", MESSAGE_STRINGS_MAX,
		           MESSAGE_STRINGS_SIZE);
	return true;
}

static bool read_patterns(const struct config_key *key, const char *text, unsigned index,
                          struct config *config, char why[CONFIG_WHY_MAX])
{
	if (text[0] == '\0' ||
	    text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                      "0123456789_*?")] != '\0')
		return WHY("must be a variable's name, in which * and ? may stand for what they do "
		           "in a shell, is \"%.60s\"",
		           text);
	if (!add_string(strings_of(key, config), text, index))
		return WHY("must be at most %u patterns of %u bytes together", MESSAGE_STRINGS_MAX,
		           MESSAGE_STRINGS_SIZE);
	return true;
}

static void print_strings(const struct config_key *key, const struct config *config, FILE *out)
{
	const struct message_strings *strings =
		(const struct message_strings *)((const char *)config + key->offset);
	const char *text = strings->text;

	fputc('{', out);
	for (uint32_t i = 0; i < strings->count; i++) {
		fputs(i == 0 ? "" : ", ", out);
		value_print_quoted(text, out);
		text += strlen(text) + 1;
	}
	fputc('}', out);
}

static void clear_strings(const struct config_key *key, struct config *config)
{
	*strings_of(key, config) = (struct message_strings){0};
}

const struct config_kind config_endpoints = {true, read_endpoints, print_endpoints, NULL};
const struct config_kind config_arguments = {true, read_arguments, print_strings, NULL};
const struct config_kind config_patterns = {true, read_patterns, print_strings, clear_strings};
