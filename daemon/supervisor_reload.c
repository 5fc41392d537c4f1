/*
 * Reading the configuration again: `calmctl reload` and SIGHUP. The same file and
 * the same overrides as at the start; what is wrong there changes nothing. What
 * cannot change while running keeps its value and is named.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_keys.h"
#include "daemon/log.h"
#include "daemon/supervisor_state.h"

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

static void on_difference(void *arg, const struct config_key *key, const char *from, const char *to)
{
	struct notes *notes = arg;

	notes_add(notes, "%s: %.100s needs a restart; stays %.100s", key->name, to, from);
}

/* True when it was done; what there is to say about it is in NOTES. */
static bool reload(struct supervisor *s, struct notes *notes)
{
	static struct config wanted; /* large */
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
	reload_prepare(s);
	config_compare(s->config, &wanted, on_difference, notes);
	return true;
}

/* What NOTES say, for the log. */
static void log_notes(const struct notes *notes, bool done)
{
	if (done)
		log_info("the configuration was read again");
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
