/*
 * Lists of addresses in the configuration: each an address or a prefix, "192.0.2.1" or
 * "2001:db8::/32".
 */
#include <stdio.h>

#include "daemon/address_text.h"
#include "daemon/config_keys.h"

#define WHY(...) (snprintf(why, CONFIG_WHY_MAX, __VA_ARGS__), false)

static struct message_prefixes *prefixes_of(const struct config_key *key, struct config *config)
{
	return (struct message_prefixes *)((char *)config + key->offset);
}

static bool read_prefixes(const struct config_key *key, const char *text, unsigned index,
                          struct config *config, char why[CONFIG_WHY_MAX])
{
	struct message_prefixes *prefixes = prefixes_of(key, config);
	struct ip_prefix prefix;

	if (!prefix_parse(text, &prefix))
		return WHY("must be an address or a prefix, such as 192.0.2.1 or 2001:db8::/32, is "
		           "\"%.60s\"",
		           text);
	if (index >= MESSAGE_PREFIXES_MAX)
		return WHY("must be at most %u addresses", MESSAGE_PREFIXES_MAX);
	if (index == 0)
		*prefixes = (struct message_prefixes){0};
	prefixes->prefix[index] = prefix;
	prefixes->count = index + 1;
	return true;
}

static void print_prefixes(const struct config_key *key, const struct config *config, FILE *out)
{
	const struct message_prefixes *prefixes =
		(const struct message_prefixes *)((const char *)config + key->offset);
	char text[PREFIX_TEXT_MAX];

	fputc('{', out);
	for (uint32_t i = 0; i < prefixes->count; i++)
		fprintf(out, "%s\"%s\"", i == 0 ? "" : ", ",
		        prefix_format(&prefixes->prefix[i], text));
	fputc('}', out);
}

static void clear_prefixes(const struct config_key *key, struct config *config)
{
	*prefixes_of(key, config) = (struct message_prefixes){0};
}

const struct config_kind config_prefixes = {true, read_prefixes, print_prefixes, clear_prefixes};
