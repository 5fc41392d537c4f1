/*
 * Could this program go on where the running supervisor is? A supervisor that is
 * asked to become this program first starts it with --role=check and its registry:
 * everything that the take-over will do and that can be tried without its
 * descriptors is done here. What is wrong goes to standard error, where the old
 * supervisor reads it; nothing has been given up yet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/capabilities.h"
#include "daemon/engine_config.h"
#include "daemon/log.h"
#include "daemon/spawn.h"
#include "daemon/supervisor.h"
#include "daemon/supervisor_open.h"
#include "daemon/supervisor_state.h"

/* True when WHAT has the same version here and there. */
static bool same_version(const char *what, uint32_t ours, uint32_t theirs)
{
	if (ours != theirs)
		log_error("%s of the running calmd have version %u, this one has %u", what, theirs,
		          ours);
	return ours == theirs;
}

static bool same_formats(const struct version_formats *theirs)
{
	const struct version_formats ours = version_formats();

	return same_version("the entries in the connection table", ours.table, theirs->table) &&
	       same_version("the rings", ours.ring, theirs->ring) &&
	       same_version("the messages", ours.message, theirs->message);
}

/* True when a master of ours would take up a table of this size with this configuration. */
static bool table_fits(struct supervisor *s, const struct registry_facts *facts)
{
	struct stack_config config;

	adopt_facts(s, facts);
	engine_config(&s->master_config, &config);
	if (stack_table_bytes(&config) == facts->table_bytes)
		return true;
	log_error("the connection table has %llu bytes, where this calmd has %zu",
	          (unsigned long long)facts->table_bytes, stack_table_bytes(&config));
	return false;
}

/* Users, programs, the table: with the configuration that is in effect. */
static bool can_go_on(const struct registry *registry)
{
	const struct config_source running = {.text = registry->configuration};
	struct supervisor *s = calloc(1, sizeof(*s));
	struct config *config = calloc(1, sizeof(*config));
	char error[CONFIG_ERROR_MAX];
	bool result = false;

	if (s == NULL || config == NULL) {
		log_error("no memory");
	} else if (config_load(&running, config, error) < 0) {
		log_error("%s", error);
	} else {
		s->config = config;
		result = supervisor_prepare(s) == 0 && table_fits(s, &registry->facts);
	}
	free(config);
	free(s);
	return result;
}

int supervisor_check(const struct config_source *source)
{
	static struct config config;
	struct registry registry;
	char error[CONFIG_ERROR_MAX];
	char why[REGISTRY_ERROR_MAX];

	if (registry_read(SPAWN_FD_FIRST, &registry, why) < 0) {
		log_error("%s", why);
		return 1;
	}
	bool good = capabilities_drop(false) == 0 && same_formats(&registry.formats) &&
	            can_go_on(&registry);
	registry_free(&registry);
	/* What the next reload, or the next start, would find. */
	if (good && config_load(source, &config, error) < 0) {
		log_error("%s", error);
		good = false;
	}
	if (!good)
		return 1;
	dprintf(STDERR_FILENO, "%s%s\n", SUPERVISOR_CHECKED, version_text());
	return 0;
}
