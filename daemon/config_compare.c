/*
 * Which keys differ between two configurations: those whose values print
 * differently, since every value prints in one way only.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/config_keys.h"

/* KEY's value in the syntax of the file, to be freed; NULL when memory is short. */
static char *value_text(const struct config_key *key, const struct config *config)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	key->kind->print(key, config, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

void config_compare(const struct config *from, const struct config *to,
                    void (*each)(void *arg, const struct config_key *key, const char *from,
                                 const char *to),
                    void *arg)
{
	for (unsigned i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		char *before = value_text(key, from);
		char *after = value_text(key, to);

		if (before != NULL && after != NULL && strcmp(before, after) != 0)
			each(arg, key, before, after);
		free(before);
		free(after);
	}
}

void config_keep(const struct config_key *key, const struct config *from, struct config *to)
{
	memcpy((char *)to + key->offset, (const char *)from + key->offset, key->size);
}
