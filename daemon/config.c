/*
 * Reading the configuration with libconfuse.
 *
 * libconfuse parses the syntax and calls check_value() for every value as soon
 * as it has it, while it still knows the line; the table of config_keys.h says
 * what the value must be. The built-in defaults go the same way as the file and
 * the overrides of the command line, so that there is one way to set a value.
 *
 * libconfuse 3.3 counts the line of a comment twice or three times. Comments are
 * therefore blanked before it sees them, which also keeps the columns.
 */
#include "daemon/config.h"

#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_keys.h"

#define CONFIG_KEYS_MAX 64
#define CONFIG_FILE_MAX (1u << 20) /* bytes */

/* Where a value was set: line 0 and no file for defaults, file "-o" for an override. */
struct place {
	const char *file;
	int line;
};

#define OVERRIDE "-o"

/* What the callbacks need; libconfuse has no argument for it. */
static struct {
	struct config *config;
	const char *file;  /* being read */
	char override[40]; /* the key of the override being read */
	struct place places[CONFIG_KEYS_MAX];
	char *error; /* CONFIG_ERROR_MAX bytes, empty until the first error */
} reading;

/* Keeps the first error: "FILE:LINE: KEY: TEXT", "-o KEY: TEXT". KEY may be NULL. */
static void report(struct place place, const char *key, const char *text)
{
	bool override = place.file != NULL && strcmp(place.file, OVERRIDE) == 0;
	char where[CONFIG_ERROR_MAX / 2] = "";

	if (reading.error[0] != '\0')
		return;
	if (override && key == NULL)
		key = reading.override;
	if (override)
		snprintf(where, sizeof(where), "-o ");
	else if (place.file != NULL && place.line > 0)
		snprintf(where, sizeof(where), "%s:%d: ", place.file, place.line);
	else if (place.file != NULL)
		snprintf(where, sizeof(where), "%s: ", place.file);
	snprintf(reading.error, CONFIG_ERROR_MAX, "%s%s%s%s", where, key != NULL ? key : "",
	         key != NULL ? ": " : "", text);
}

/* libconfuse's own complaints: about the syntax, or a key that it does not know. */
static void on_error(cfg_t *cfg, const char *format, va_list arguments)
{
	struct place place = {reading.file, cfg->line};
	char text[CONFIG_ERROR_MAX / 2];
	char key[80];

	vsnprintf(text, sizeof(text), format, arguments);
	if (sscanf(text, "no such option '%79[^']'", key) == 1)
		report(place, key, "unknown key");
	else
		report(place, NULL, text);
}

/* Every value, as soon as it is set; a list's last element, and once more at its end. */
static int check_value(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct config_key *key = config_key_find(cfg_opt_name(opt));
	struct place place = {reading.file, cfg->line};
	unsigned count = cfg_opt_size(opt);
	char why[CONFIG_WHY_MAX];

	if (key == NULL || count == 0)
		return -1;
	reading.places[key - config_keys] = place;
	/* From the first on: at a list's end its last element comes twice. */
	for (unsigned i = 0; i < count; i++) {
		const char *text = cfg_opt_getnstr(opt, i);
		if (!key->kind->read(key, text != NULL ? text : "", i, reading.config, why)) {
			report(place, key->name, why);
			return -1;
		}
	}
	return 0;
}

/* True where a token can begin, so that what follows can be a comment. */
static bool token_begins(const char *text, size_t i)
{
	return i == 0 || strchr(" \t\r\n={},+\"'", text[i - 1]) != NULL;
}

/* Replaces comments (#, //, and C's) by spaces, newlines excepted. */
static void blank_comments(char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == '"' || text[i] == '\'') {
			char quote = text[i++];
			while (text[i] != '\0' && text[i] != quote)
				i += text[i] == '\\' && text[i + 1] != '\0' ? 2 : 1;
			if (text[i] == '\0')
				return;
		} else if (token_begins(text, i) &&
		           (text[i] == '#' || strncmp(text + i, "//", 2) == 0)) {
			size_t length = strcspn(text + i, "\n");
			memset(text + i, ' ', length);
			i += length - 1;
		} else if (token_begins(text, i) && strncmp(text + i, "/*", 2) == 0) {
			const char *end = strstr(text + i + 2, "*/");
			if (end == NULL)
				return; /* libconfuse will say so */
			for (const char *stop = end + 2; text + i < stop; i++) {
				if (text[i] != '\n')
					text[i] = ' ';
			}
			i--;
		}
	}
}

/* The whole of FILE, or NULL with the reason reported. */
static char *read_file(const char *file)
{
	struct place place = {file, 0};
	FILE *in = fopen(file, "re");

	if (in == NULL) {
		report(place, NULL, strerror(errno));
		return NULL;
	}
	char *text = malloc(CONFIG_FILE_MAX + 1);
	size_t length = text != NULL ? fread(text, 1, CONFIG_FILE_MAX + 1, in) : 0;
	const char *wrong = NULL;
	if (text == NULL || ferror(in))
		wrong = strerror(errno);
	else if (length > CONFIG_FILE_MAX)
		wrong = "is larger than a configuration can be";
	else if (memchr(text, '\0', length) != NULL)
		wrong = "is not text";
	fclose(in);
	if (wrong != NULL) {
		report(place, NULL, wrong);
		free(text);
		return NULL;
	}
	text[length] = '\0';
	return text;
}

/* The line of TEXT in which KEY is set; 0 when it is not. */
static int line_of(const char *text, const char *key)
{
	size_t length = strlen(key);
	int line = 1;

	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == '\n')
			line++;
		else if (token_begins(text, i) && strncmp(text + i, key, length) == 0 &&
		         strchr(" \t=", text[i + length]) != NULL)
			return line;
	}
	return 0;
}

/* A list without elements is never given to check_value(). */
static int check_lists(cfg_t *cfg, const char *file, const char *text)
{
	for (unsigned i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		int line = line_of(text, key->name);
		if (!key->kind->list || line == 0 || cfg_size(cfg, key->name) != 0)
			continue;
		if (key->kind->clear == NULL) {
			report((struct place){file, line}, key->name, "must not be empty");
			return -1;
		}
		key->kind->clear(key, reading.config);
	}
	return 0;
}

static int parse(cfg_t *cfg, const char *file, const char *text)
{
	reading.file = file;
	if (cfg_parse_buf(cfg, text) == CFG_SUCCESS && reading.error[0] == '\0')
		return check_lists(cfg, file, text);
	report((struct place){file, 0}, NULL, "cannot be parsed");
	return -1;
}

static int parse_defaults(cfg_t *cfg)
{
	char text[256];

	for (unsigned i = 0; i < config_key_count; i++) {
		snprintf(text, sizeof(text), "%s = %s", config_keys[i].name,
		         config_keys[i].fallback);
		if (parse(cfg, NULL, text) < 0)
			return -1;
	}
	return 0;
}

static int parse_file(cfg_t *cfg, const char *file)
{
	char *text = read_file(file);

	if (text == NULL)
		return -1;
	blank_comments(text);
	int result = parse(cfg, file, text);
	free(text);
	return result;
}

static int parse_override(cfg_t *cfg, const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz-");
	size_t equals = length + strspn(text + length, " \t");

	if (length == 0 || text[equals] != '=') {
		report((struct place){OVERRIDE, 0}, text, "must be KEY=VALUE");
		return -1;
	}
	snprintf(reading.override, sizeof(reading.override), "%.*s", (int)length, text);
	return parse(cfg, OVERRIDE, text);
}

static const struct place *place_of(const char *name)
{
	return &reading.places[config_key_find(name) - config_keys];
}

/* What no single value can show. */
static int check_together(void)
{
	const struct config *config = reading.config;
	char text[CONFIG_WHY_MAX];

	if (config->min_spare_workers > config->max_spare_workers) {
		snprintf(text, sizeof(text), "must not be above max-spare-workers, %u, is %u",
		         config->max_spare_workers, config->min_spare_workers);
		report(*place_of("min-spare-workers"), "min-spare-workers", text);
		return -1;
	}
	return 0;
}

/* libconfuse's view of the table: every key is a string or a list of them. */
static cfg_t *make_parser(cfg_opt_t options[CONFIG_KEYS_MAX + 1])
{
	for (unsigned i = 0; i < config_key_count; i++) {
		cfg_opt_t text = CFG_STR(config_keys[i].name, NULL, CFGF_NONE);
		cfg_opt_t list = CFG_STR_LIST(config_keys[i].name, NULL, CFGF_NONE);
		options[i] = config_keys[i].kind->list ? list : text;
	}
	options[config_key_count] = (cfg_opt_t)CFG_END();
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	if (cfg == NULL)
		return NULL;
	cfg_set_error_function(cfg, on_error);
	for (unsigned i = 0; i < config_key_count; i++)
		cfg_set_validate_func(cfg, config_keys[i].name, check_value);
	return cfg;
}

static int load(cfg_t *cfg, const struct config_source *source)
{
	if (parse_defaults(cfg) < 0)
		return -1;
	/* As config_print() writes it: it has no comments. */
	if (source->text != NULL && parse(cfg, "configuration in effect", source->text) < 0)
		return -1;
	if (source->file != NULL && !(source->optional && access(source->file, F_OK) < 0) &&
	    parse_file(cfg, source->file) < 0)
		return -1;
	for (unsigned i = 0; i < source->override_count; i++) {
		if (parse_override(cfg, source->overrides[i]) < 0)
			return -1;
	}
	return check_together();
}

int config_load(const struct config_source *source, struct config *config,
                char error[CONFIG_ERROR_MAX])
{
	cfg_opt_t options[CONFIG_KEYS_MAX + 1];

	memset(config, 0, sizeof(*config));
	memset(&reading, 0, sizeof(reading));
	reading.config = config;
	reading.error = error;
	error[0] = '\0';
	cfg_t *cfg = config_key_count <= CONFIG_KEYS_MAX ? make_parser(options) : NULL;
	if (cfg == NULL) {
		report((struct place){0}, NULL, "no memory for the configuration");
		return -1;
	}
	int result = load(cfg, source);
	cfg_free(cfg);
	return result;
}

void config_print(const struct config *config, FILE *out)
{
	for (unsigned i = 0; i < config_key_count; i++) {
		fprintf(out, "%s = ", config_keys[i].name);
		config_keys[i].kind->print(&config_keys[i], config, out);
		fputc('\n', out);
	}
}
