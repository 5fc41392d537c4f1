/*
 * The table of configuration keys: what each is called, what it is when nobody
 * says, which values it takes and where they go. Everything else about the
 * configuration (reading, checking, printing) is driven by it.
 */
#ifndef DAEMON_CONFIG_KEYS_H
#define DAEMON_CONFIG_KEYS_H

#include <stddef.h>

#include "daemon/config.h"

#define CONFIG_WHY_MAX 256

struct config_key;

/* A kind of value: how its text becomes part of a struct config, and back. */
struct config_kind {
	bool list;
	/*
	 * Takes TEXT, element INDEX of a list (0: start afresh), into *CONFIG. False
	 * with the reason in WHY when it is not a value that the key can have.
	 */
	bool (*read)(const struct config_key *key, const char *text, unsigned index,
	             struct config *config, char why[CONFIG_WHY_MAX]);
	/* Writes the value as the file has it behind the equal sign. */
	void (*print)(const struct config_key *key, const struct config *config, FILE *out);
	/* A list without elements; NULL: there must be one. */
	void (*clear)(const struct config_key *key, struct config *config);
};

struct config_key {
	const char *name;
	const char *fallback; /* the default, as in the file */
	const struct config_kind *kind;
	size_t offset;     /* in struct config */
	size_t size;       /* of a string's array, and of what config_keep() copies */
	bool restart;      /* cannot change while calmd runs */
	uint64_t min, max; /* of numbers, sizes (bytes) and times (seconds) */
	const char *zero;  /* the word for a time that is off; NULL: never off */
	const char *(*choice)(uint32_t index); /* the words it takes, NULL behind the last */
};

/* All of them, in the order in which they are printed. */
extern const struct config_key config_keys[];
extern const unsigned config_key_count;

/*
 * Calls EACH for every key that is not the same in both, with its values as the
 * file has them.
 */
void config_compare(const struct config *from, const struct config *to,
                    void (*each)(void *arg, const struct config_key *key, const char *from,
                                 const char *to),
                    void *arg);

/* *TO gets KEY's value in *FROM; for keys with a size. */
void config_keep(const struct config_key *key, const struct config *from, struct config *to);

/* The key called NAME, or NULL. */
const struct config_key *config_key_find(const char *name);

/* The kinds (config_kinds.c). */
extern const struct config_kind config_number;
extern const struct config_kind config_bytes;  /* uint32_t, bytes */
extern const struct config_kind config_size;   /* uint32_t, bytes, a power of two */
extern const struct config_kind config_time;   /* uint64_t, microseconds */
extern const struct config_kind config_choice; /* uint32_t */
extern const struct config_kind config_name;   /* of a user or group; MIN 0: may be empty */
extern const struct config_kind config_path;
extern const struct config_kind config_text;
extern const struct config_kind config_endpoints; /* listen */
extern const struct config_kind config_arguments; /* login */
extern const struct config_kind config_patterns;  /* struct message_strings; may be empty */
extern const struct config_kind config_prefixes;  /* struct message_prefixes; may be empty */
extern const struct config_kind config_quiet;     /* quiet-time */

#endif
