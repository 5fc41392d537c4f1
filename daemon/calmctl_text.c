/*
 * Text for people: status, the table of connections, the counters.
 */
#include "daemon/calmctl_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/link.h"
#include "stack/quiet.h"
#include "stack/stats.h"

void calmctl_escape(char *buffer, size_t size, const char *text)
{
	size_t used = 0;

	for (const char *c = text != NULL ? text : "-"; *c != '\0'; c++) {
		unsigned char byte = (unsigned char)*c;
		char piece[5];
		size_t length;

		if (byte >= 0x20 && byte < 0x7f)
			snprintf(piece, sizeof(piece), "%c", byte);
		else
			snprintf(piece, sizeof(piece), "\\x%02X", byte);
		length = strlen(piece);
		if (used + length + 1 > size)
			break;
		memcpy(buffer + used, piece, length);
		used += length;
	}
	buffer[used] = '\0';
}

long long calmctl_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void calmctl_cell(char cell[CALMCTL_CELL], const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_integer(value))
		snprintf(cell, CALMCTL_CELL, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(cell, CALMCTL_CELL, "%s", json_is_true(value) ? "yes" : "no");
	else
		calmctl_escape(cell, CALMCTL_CELL, json_string_value(value));
}

void calmctl_duration(char cell[CALMCTL_CELL], long long us)
{
	if (us >= 1000000)
		snprintf(cell, CALMCTL_CELL, "%lld.%03lld s", us / 1000000, us / 1000 % 1000);
	else
		snprintf(cell, CALMCTL_CELL, "%lld.%03lld ms", us / 1000, us % 1000);
}

/* "3 d 4 h", "4 h 5 min", "5 min 6 s", "6 s". */
static void long_duration(char cell[CALMCTL_CELL], long long s)
{
	if (s >= 86400)
		snprintf(cell, CALMCTL_CELL, "%lld d %lld h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(cell, CALMCTL_CELL, "%lld h %lld min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(cell, CALMCTL_CELL, "%lld min %lld s", s / 60, s % 60);
	else
		snprintf(cell, CALMCTL_CELL, "%lld s", s);
}

/* A reason that this calmctl does not know, of another version's daemon, is shown as it is. */
static void print_quiet(FILE *out, const json_t *quiet)
{
	long long left_s = calmctl_number(quiet, "left_s");
	char cell[CALMCTL_CELL];
	const char *text;

	calmctl_cell(cell, quiet, "reason");
	text = quiet_reason_explain(cell);
	if (left_s > 0)
		fprintf(out, "quiet time   %lld s left: %s\n", left_s, text != NULL ? text : cell);
	else
		fprintf(out, "quiet time   none: %s\n", text != NULL ? text : cell);
}

void calmctl_print_status(FILE *out, const json_t *status)
{
	const json_t *workers = json_object_get(status, "workers");
	const json_t *limits = json_object_get(status, "limits");
	long long per_source = calmctl_number(limits, "max_connections_per_source");
	char cell[CALMCTL_CELL], uptime[CALMCTL_CELL];

	calmctl_cell(cell, status, "version");
	long_duration(uptime, calmctl_number(status, "uptime_s"));
	fprintf(out, "calmd %s, up %s (supervisor %lld, master %lld)%s\n", cell, uptime,
	        calmctl_number(status, "supervisor_pid"), calmctl_number(status, "master_pid"),
	        json_is_true(json_object_get(status, "ending")) ? ", ending" : "");
	if (calmctl_number(status, "takeovers") > 0) {
		long_duration(uptime, calmctl_number(status, "master_uptime_s"));
		fprintf(out, "takeovers    %lld, the last %s ago\n",
		        calmctl_number(status, "takeovers"), uptime);
	}
	if (calmctl_number(status, "upgrades") > 0)
		fprintf(out, "upgrades     %lld\n", calmctl_number(status, "upgrades"));
	print_quiet(out, json_object_get(status, "quiet"));
	if (json_is_true(json_object_get(status, "draining")))
		fprintf(out, "draining     %lld sessions left; no new connections are taken\n",
		        calmctl_number(status, "sessions"));
	fprintf(out, "workers      %lld idle, %lld busy\n", calmctl_number(workers, "idle"),
	        calmctl_number(workers, "busy"));
	fprintf(out, "connections  %lld of %lld", calmctl_number(status, "connections"),
	        calmctl_number(limits, "max_connections"));
	if (per_source > 0)
		fprintf(out, ", at most %lld from one address", per_source);
	fprintf(out, "\nqueue        %lld of %lld\n", calmctl_number(status, "queue"),
	        calmctl_number(limits, "backlog"));
	fprintf(out, "half-open    %lld of %lld\n", calmctl_number(status, "half_open"),
	        calmctl_number(limits, "half_open"));
	fprintf(out, "TIME-WAIT    %lld of %lld\n", calmctl_number(status, "time_wait"),
	        calmctl_number(limits, "time_wait"));
}

void calmctl_print_version(FILE *out, const json_t *status)
{
	char cell[CALMCTL_CELL];

	calmctl_cell(cell, status, "version");
	fprintf(out, "calmd %s runs (master %lld)\n", cell, calmctl_number(status, "master_pid"));
}

void calmctl_print_notes(FILE *out, const json_t *result)
{
	char line[1024];
	json_t *note;
	size_t i;

	json_array_foreach (json_object_get(result, "notes"), i, note) {
		calmctl_escape(line, sizeof(line), json_string_value(note));
		fprintf(out, "%s\n", line);
	}
}

/* ---- tables ---- */

static void table_cell(char cell[CALMCTL_CELL], const json_t *row,
                       const struct calmctl_column *column)
{
	if (column->cell != NULL)
		column->cell(cell, row, column->key);
	else
		calmctl_cell(cell, row, column->key);
}

/* Nothing is behind the last column, unless it is aligned to the right. */
static void print_cell(FILE *out, const char *text, const struct calmctl_column *column, int width,
                       bool last)
{
	if (column->right)
		fprintf(out, "%*s", width, text);
	else
		fprintf(out, "%-*s", last ? 0 : width, text);
	fputs(last ? "\n" : "  ", out);
}

void calmctl_print_table(FILE *out, const json_t *rows, const struct calmctl_column *columns,
                         size_t count)
{
	int width[CALMCTL_COLUMNS_MAX];
	char cell[CALMCTL_CELL];
	json_t *row;
	size_t i;

	for (size_t c = 0; c < count; c++) {
		width[c] = (int)strlen(columns[c].title);
		json_array_foreach (rows, i, row) {
			table_cell(cell, row, &columns[c]);
			if ((int)strlen(cell) > width[c])
				width[c] = (int)strlen(cell);
		}
	}
	for (size_t c = 0; c < count; c++)
		print_cell(out, columns[c].title, &columns[c], width[c], c + 1 == count);
	json_array_foreach (rows, i, row) {
		for (size_t c = 0; c < count; c++) {
			table_cell(cell, row, &columns[c]);
			print_cell(out, cell, &columns[c], width[c], c + 1 == count);
		}
	}
}

/* A listener has no round trips, nor a peer. */
static void rtt_cell(char cell[CALMCTL_CELL], const json_t *row, const char *key)
{
	if (calmctl_number(row, key) > 0)
		calmctl_duration(cell, calmctl_number(row, key));
	else
		calmctl_escape(cell, CALMCTL_CELL, NULL);
}

static void peer_cell(char cell[CALMCTL_CELL], const json_t *row, const char *key)
{
	if (json_is_string(json_object_get(row, key)))
		calmctl_cell(cell, row, key);
	else
		calmctl_escape(cell, CALMCTL_CELL, "*");
}

void calmctl_print_list(FILE *out, const json_t *list)
{
	static const struct calmctl_column columns[] = {
		{"ID", "id", 1, NULL},           {"STATE", "state", 0, NULL},
		{"PEER", "peer", 0, peer_cell},  {"LOCAL", "local", 0, NULL},
		{"USER", "user", 0, NULL},       {"SINCE", "since", 0, NULL},
		{"RTT", "rtt_us", 1, rtt_cell},  {"CWND", "cwnd", 1, NULL},
		{"SND-Q", "snd_queue", 1, NULL}, {"RCV-Q", "rcv_queue", 1, NULL},
	};

	calmctl_print_table(out, list, columns, sizeof(columns) / sizeof(columns[0]));
}

/* What a counter counts; "" for one that this build does not know. */
static const char *explain(const char *name)
{
#define EXPLAIN(field, known, what)                                                                \
	if (strcmp(name, known) == 0)                                                              \
		return what;
	STACK_STATS(EXPLAIN)
	LINK_STATS(EXPLAIN)
#undef EXPLAIN
	return "";
}

void calmctl_print_stats(FILE *out, const json_t *stats)
{
	char name[CALMCTL_CELL], cell[CALMCTL_CELL];
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)stats, key, value) {
		(void)value;
		calmctl_escape(name, sizeof(name), key);
		calmctl_cell(cell, stats, key);
		fprintf(out, "%-22s %12s  %s\n", name, cell, explain(key));
	}
}
