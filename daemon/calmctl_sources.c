/*
 * Text for people: sources, and bans.
 */
#include <string.h>

#include "daemon/calmctl_text.h"

/* "by calmd until 2026-...", "by operator until lifted", "-". */
static void ban_cell(char cell[CALMCTL_CELL], const json_t *row, const char *key)
{
	char by[CALMCTL_CELL], until[CALMCTL_CELL];

	(void)key;
	if (!json_is_true(json_object_get(row, "banned"))) {
		calmctl_escape(cell, CALMCTL_CELL, NULL);
		return;
	}
	calmctl_cell(by, row, "banned_by");
	if (json_is_string(json_object_get(row, "banned_until")))
		calmctl_cell(until, row, "banned_until");
	else
		calmctl_escape(until, sizeof(until), "lifted");
	snprintf(cell, CALMCTL_CELL, "by %.40s until %.60s", by, until);
}

void calmctl_print_sources(FILE *out, const json_t *sources)
{
	static const struct calmctl_column columns[] = {
		{"ADDRESS", "address", 0, NULL},      {"CONNS", "connections", 1, NULL},
		{"/MIN", "per_minute", 1, NULL},      {"REFUSED", "refused", 1, NULL},
		{"DROPPED", "dropped", 1, NULL},      {"ATTACKS", "signatures", 1, NULL},
		{"LOGINS", "failed_logins", 1, NULL}, {"POINTS", "points", 1, NULL},
		{"BANNED", "banned", 0, ban_cell},
	};

	calmctl_print_table(out, sources, columns, sizeof(columns) / sizeof(columns[0]));
}

void calmctl_print_ban(FILE *out, const json_t *ban)
{
	char address[CALMCTL_CELL], until[CALMCTL_CELL];
	long long connections = calmctl_number(ban, "connections");

	calmctl_cell(address, ban, "address");
	calmctl_cell(until, ban, "banned_until");
	if (json_is_string(json_object_get(ban, "banned_until")))
		fprintf(out, "%s is banned until %s\n", address, until);
	else
		fprintf(out, "%s is banned until calmctl unban %s\n", address, address);
	if (connections > 0)
		fprintf(out, "%lld of its connections go on; calmctl abort ends them\n",
		        connections);
}
