/*
 * Reading the configuration again: `calmctl reload` and SIGHUP.
 *
 * The same file and the same overrides as at the start are read into a second
 * configuration. What cannot change while calmd runs gets its present value and is
 * named. Everything that can fail (groups, new listeners, the limit of descriptors)
 * comes before anything takes effect: an error changes nothing. Then the new
 * configuration is in effect as a whole: the master is told, and a master to come
 * begins with it; workers whose buffers or log level are others are replaced while
 * they are idle, and have their ring's size for themselves; the opener gets the new
 * login for sessions to come.
 */
#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_keys.h"
#include "daemon/engine_config.h"
#include "daemon/log_output.h"
#include "daemon/supervisor_open.h"
#include "daemon/supervisor_opener.h"
#include "daemon/supervisor_state.h"
#include "daemon/users.h"

void reload_prepare(struct supervisor *s)
{
	/* From now on its absence would be a mistake, not the wish for all defaults. */
	if (s->source->file != NULL && access(s->source->file, F_OK) == 0)
		s->source->optional = false;
}

/*
 * False when the file cannot be read a second time without waiting or finding
 * nothing: a pipe, say.
 */
static bool file_is_there(const struct config_source *source, struct notes *notes)
{
	struct stat status;

	if (source->file == NULL)
		return true;
	if (stat(source->file, &status) < 0) {
		if (errno == ENOENT && source->optional)
			return true;
		notes_add(notes, "%s: %s", source->file, strerror(errno));
		return false;
	}
	if (S_ISFIFO(status.st_mode)) {
		notes_add(notes, "%s: is a pipe and cannot be read again", source->file);
		return false;
	}
	return true;
}

/* ---- what cannot change keeps its value ---- */

struct merge {
	const struct supervisor *s;
	struct config *wanted;
	struct notes *notes;
};

static void keep(const struct merge *merge, const struct config_key *key, const char *now,
                 const char *wanted)
{
	notes_add(merge->notes, "%s: %.100s needs a restart; stays %.100s", key->name, wanted, now);
	config_keep(key, merge->s->config, merge->wanted);
}

static void keep_fixed(void *arg, const struct config_key *key, const char *now, const char *wanted)
{
	const struct merge *merge = arg;

	if (key->restart)
		keep(merge, key, now, wanted);
}

/* True when the connection table, as it was made, has room for so many. */
static bool table_holds(const struct supervisor *s, uint32_t connections, uint32_t backlog,
                        uint32_t half_open)
{
	struct stack_config config;

	engine_config(&s->master_config, &config);
	config.max_connections = connections;
	config.backlog = backlog;
	config.half_open = half_open;
	return stack_fits(&config);
}

void limits_fit(struct supervisor *s)
{
	struct config *config = s->config;
	uint32_t connections = config->max_connections, half_open = config->half_open;

	while (config->half_open > 1 && !table_holds(s, 1, 1, config->half_open))
		config->half_open--;
	while (config->max_connections > 1 &&
	       !table_holds(s, config->max_connections, config->backlog, 1))
		config->max_connections--;
	while (config->backlog > 1 && !table_holds(s, config->max_connections, config->backlog, 1))
		config->backlog--;
	if (config->max_connections != connections)
		log_warning("max-connections: %u while sessions go on, for which the table was "
		            "made; %u needs a restart without any",
		            config->max_connections, connections);
	if (config->half_open != half_open)
		log_warning("half-open: %u while sessions go on; %u needs a restart without any",
		            config->half_open, half_open);
	master_config_fill(config, &s->master_config);
}

static void keep_number(const struct merge *merge, const char *name, uint32_t now, uint32_t wanted)
{
	char before[16], after[16];

	snprintf(before, sizeof(before), "%u", now);
	snprintf(after, sizeof(after), "%u", wanted);
	keep(merge, config_key_find(name), before, after);
}

/* Fewer of the one make room for more of the other: what was not raised may stay. */
static void keep_limits(const struct merge *merge)
{
	const struct supervisor *s = merge->s;
	const struct config *now = s->config;
	struct config *wanted = merge->wanted;

	if (!table_holds(s, 1, 1, wanted->half_open))
		keep_number(merge, "half-open", now->half_open, wanted->half_open);
	if (!table_holds(s, wanted->max_connections, wanted->backlog, 1) &&
	    wanted->max_connections > now->max_connections)
		keep_number(merge, "max-connections", now->max_connections,
		            wanted->max_connections);
	if (!table_holds(s, wanted->max_connections, wanted->backlog, 1))
		keep_number(merge, "backlog", now->backlog, wanted->backlog);
}

/* ---- the change takes place ---- */

static void log_change(void *arg, const struct config_key *key, const char *now, const char *wanted)
{
	(void)arg;
	log_info("reload: %s: %.200s, was %.200s", key->name, wanted, now);
}

static void end_idle_workers(struct supervisor *s, const struct config *before)
{
	const struct config *now = s->config;

	if (now->send_buffer != before->send_buffer ||
	    now->receive_buffer != before->receive_buffer || now->log_level != before->log_level ||
	    s->workers.idle > now->max_spare_workers)
		workers_end_idle(s);
	workers_configure(s);
}

static void commit(struct supervisor *s, const struct config *wanted)
{
	struct config before = *s->config;
	struct message_master_config *master = &s->master_config;
	struct message_opener_config opener_before, opener_now;

	*s->config = *wanted;
	master_config_fill(s->config, master);
	log_set_level(s->config->log_level);
	log_output_set(s->config->log_to);
	master_tell_config(s);
	lobby_note_listeners(s);
	opener_config_fill(&before, &opener_before);
	opener_config_fill(s->config, &opener_now);
	if (memcmp(&opener_before, &opener_now, sizeof(opener_now)) != 0)
		opener_configure(s);
	end_idle_workers(s, &before);
}

/* Everything that can fail. 0, or -1 with the reason in NOTES and nothing changed. */
static int prepare(struct supervisor *s, const struct config *wanted, struct listen_change *change,
                   struct notes *notes)
{
	struct message_master_config *master = &s->master_config;
	uint32_t group = master->control_gid, read_group = master->control_read_gid;
	char error[USERS_ERROR_MAX];

	if (users_find_group("control-group", wanted->control_group, &group, error) < 0 ||
	    users_find_group("control-read-group", wanted->control_read_group, &read_group, error) <
	            0) {
		notes_add(notes, "%s", error);
		return -1;
	}
	if (limits_raise(s, wanted) < 0) {
		notes_add(notes, "limit of descriptors: %s", strerror(errno));
		return -1;
	}
	if (listeners_prepare(s, wanted, change, notes) < 0)
		return -1;
	if (control_socket_allow(&s->kept.control, group, read_group) < 0) {
		notes_add(notes, "control-socket: %s: %s", wanted->control_socket, strerror(errno));
		listeners_undo(change);
		return -1;
	}
	master->control_gid = group;
	master->control_read_gid = read_group;
	return 0;
}

/* True when it was done; what there is to say about it is in NOTES. */
static bool reload(struct supervisor *s, struct notes *notes)
{
	static struct config wanted; /* large */
	const struct merge merge = {.s = s, .wanted = &wanted, .notes = notes};
	struct listen_change change;
	char error[CONFIG_ERROR_MAX];

	if (s->stage != END_NOT) {
		notes_add(notes, "calmd is ending");
		return false;
	}
	if (!file_is_there(s->source, notes))
		return false;
	if (config_load(s->source, &wanted, error) < 0) {
		notes_add(notes, "%s", error);
		return false;
	}
	config_compare(s->config, &wanted, keep_fixed, (void *)(uintptr_t)&merge);
	keep_limits(&merge);
	if (prepare(s, &wanted, &change, notes) < 0)
		return false;
	config_compare(s->config, &wanted, log_change, NULL);
	listeners_commit(s, &change);
	commit(s, &wanted);
	reload_prepare(s);
	return true;
}

/* What NOTES say, for the log. */
static void log_notes(const struct notes *notes, bool done)
{
	if (done)
		log_info("reload: done");
	for (const char *line = notes->text; *line != '\0';) {
		int length = (int)strcspn(line, "\n");

		if (done)
			log_warning("reload: %.*s", length, line);
		else
			log_error("reload: nothing is changed: %.*s", length, line);
		line += length + 1;
	}
}

void root_reload(struct supervisor *s, const struct message_request *request)
{
	struct notes notes = {0};
	bool done = reload(s, &notes);

	log_notes(&notes, done);
	request_answer(s, request, done, &notes);
}

void reload_on_signal(struct supervisor *s)
{
	struct notes notes = {0};
	bool done = reload(s, &notes);

	log_notes(&notes, done);
}
