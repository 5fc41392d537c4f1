/*
 * The two lists of the configuration: where to listen, and login's arguments.
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

static bool read_endpoints(const struct config_key *key, const char *text, unsigned index,
                           struct config *config, char why[CONFIG_WHY_MAX])
{
	struct endpoint endpoint;

	(void)key;
	if (!endpoint_parse(text, TELNET_PORT, &endpoint))
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
		fprintf(out, "%s\"%s\"", i == 0 ? "" : ", ",
		        endpoint_format(&config->listen[i], text));
	fputc('}', out);
}

static bool read_arguments(const struct config_key *key, const char *text, unsigned index,
                           struct config *config, char why[CONFIG_WHY_MAX])
{
	struct message_opener_config *login = &config->login;
	size_t length = strlen(text) + 1;

	(void)key;
	if (index == 0)
		*login = (struct message_opener_config){0};
	if (index == 0 && text[0] == '\0')
		return WHY("must begin with the name of a program");
	if (index >= OPENER_ARGS_MAX || length > OPENER_ARGS_SIZE - login->size)
		return WHY("must be at most %u arguments of %u bytes together", OPENER_ARGS_MAX,
		           OPENER_ARGS_SIZE);
	memcpy(login->args + login->size, text, length);
	login->size += (uint32_t)length;
	login->count = index + 1;
	return true;
}

static void print_arguments(const struct config_key *key, const struct config *config, FILE *out)
{
	const char *argument = config->login.args;

	(void)key;
	fputc('{', out);
	for (uint32_t i = 0; i < config->login.count; i++) {
		fputs(i == 0 ? "" : ", ", out);
		value_print_quoted(argument, out);
		argument += strlen(argument) + 1;
	}
	fputc('}', out);
}

const struct config_kind config_endpoints = {true, read_endpoints, print_endpoints};
const struct config_kind config_arguments = {true, read_arguments, print_arguments};
