/*
 * calmctl's answers as text for people. The input is the daemon's JSON
 * (report.h); what it lacks is shown as "-". Whatever the daemon says is printed
 * with control characters and bytes that are not ASCII as \xHH, because a user
 * name or an address may come from a stranger.
 */
#ifndef DAEMON_CALMCTL_TEXT_H
#define DAEMON_CALMCTL_TEXT_H

#include <stdio.h>

#include <jansson.h>

void calmctl_print_status(FILE *out, const json_t *status);
void calmctl_print_version(FILE *out, const json_t *status);
void calmctl_print_list(FILE *out, const json_t *list);
void calmctl_print_stats(FILE *out, const json_t *stats);

/* One line for each of RESULT's "notes": what the supervisor has to say about what it did. */
void calmctl_print_notes(FILE *out, const json_t *result);

/* In calmctl_sources.c. */
void calmctl_print_sources(FILE *out, const json_t *sources);
void calmctl_print_ban(FILE *out, const json_t *ban);

#define CALMCTL_CELL        128
#define CALMCTL_COLUMNS_MAX 16u

/* A column of a table, from the left; what its cells hold. */
struct calmctl_column {
	const char *title;
	const char *key;
	int right; /* aligned */
	/* NULL: calmctl_cell() */
	void (*cell)(char cell[CALMCTL_CELL], const json_t *row, const char *key);
};

/* ROWS under the titles of COUNT columns, each as wide as it must be. */
void calmctl_print_table(FILE *out, const json_t *rows, const struct calmctl_column *columns,
                         size_t count);

/* In calmctl_show.c. */
void calmctl_print_show(FILE *out, const json_t *show);

/* Writes TEXT (NULL: "-") escaped to BUFFER of SIZE bytes, cut off where it must be. */
void calmctl_escape(char *buffer, size_t size, const char *text);

/* OBJECT's number KEY; 0 when there is none. */
long long calmctl_number(const json_t *object, const char *key);

/* OBJECT's KEY as text: strings escaped, numbers, yes and no; "-" for anything else. */
void calmctl_cell(char cell[CALMCTL_CELL], const json_t *object, const char *key);

/* Microseconds as "0.123 ms" or "12.300 s". */
void calmctl_duration(char cell[CALMCTL_CELL], long long us);

#endif
