/*
 * Four ways to write a record. Fields come first where a format has them, since
 * they are bounded so that they always fit; the text is what is cut.
 *
 * The journal's format is one KEY=value a line (systemd.io, Journal Native
 * Protocol); values hold no newline, since that is escaped. Its keys are the
 * names of JSON's, in capitals and behind CALMD_.
 */
#include "daemon/log_format.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/address_text.h"

#define FACILITY_DAEMON (3 << 3) /* syslog(3) */

/* Text that grows in a buffer, and is cut where that ends. */
struct writer {
	char *bytes;
	size_t used, size;
};

enum escape {
	ESCAPE_CONTROL, /* control characters */
	ESCAPE_FOREIGN, /* and all that is not ASCII */
	ESCAPE_JSON,    /* and what ends a JSON string */
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *out, const char *format, ...)
{
	va_list arguments;
	size_t room = out->size - out->used;

	va_start(arguments, format);
	int n = vsnprintf(out->bytes + out->used, room, format, arguments);
	va_end(arguments);
	if (n > 0)
		out->used += (size_t)n < room ? (size_t)n : room - 1;
}

/* As many bytes of TEXT as leave SPARE free. An escape is written whole or not at all. */
static void put_escaped(struct writer *out, const char *text, size_t length, enum escape how,
                        size_t spare)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length && out->used + 6 + spare < out->size; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7f || (how != ESCAPE_CONTROL && c > 0x7e)) {
			if (how == ESCAPE_JSON)
				out->bytes[out->used++] = '\\';
			out->bytes[out->used++] = '\\';
			out->bytes[out->used++] = 'x';
			out->bytes[out->used++] = digits[c >> 4];
			out->bytes[out->used++] = digits[c & 15];
			continue;
		}
		if (how == ESCAPE_JSON && (c == '"' || c == '\\'))
			out->bytes[out->used++] = '\\';
		out->bytes[out->used++] = (char)c;
	}
}

static enum escape escape_of(const struct log_origin *origin)
{
	return origin->relayed ? ESCAPE_FOREIGN : ESCAPE_CONTROL;
}

/* "calmd", or "calmd[worker 17]". */
static void put_head(struct writer *out, const struct log_origin *origin)
{
	if (origin->relayed)
		put(out, "%.20s[%.20s %d]", origin->name, origin->role, origin->pid);
	else
		put(out, "%.40s", origin->name);
}

size_t log_format_line(const struct log_origin *origin, const struct log_said *said, bool priority,
                       char buffer[LOG_FORMAT_LINE_MAX])
{
	struct writer out = {buffer, 0, LOG_FORMAT_LINE_MAX};

	if (priority)
		put(&out, "<%d>", log_priority(said->record->level));
	put_head(&out, origin);
	put(&out, ": ");
	put_escaped(&out, said->text, said->length, escape_of(origin), 1);
	put(&out, "\n");
	return out.used;
}

/* ---- fields ---- */

/* Writes a field called NAME: one of a number, and one of a text that needs no escape, or one that does. */
struct fields {
	struct writer *out;
	void (*number)(struct writer *out, const char *name, uint64_t value);
	void (*text)(struct writer *out, const char *name, const char *value);
};

static void put_text(const struct fields *to, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		to->text(to->out, name, value);
}

static void put_number(const struct fields *to, const char *name, uint64_t value)
{
	if (value != 0)
		to->number(to->out, name, value);
}

static void put_address(const struct fields *to, const char *name, const struct ip_address *address)
{
	char text[ADDRESS_TEXT_MAX];

	if (address->version != IP_NONE)
		to->text(to->out, name, address_format(address, text));
}

/* Without a port, it is an address. */
static void put_endpoint(const struct fields *to, const char *name, const struct endpoint *endpoint)
{
	char text[ENDPOINT_TEXT_MAX];

	if (endpoint->port == 0)
		put_address(to, name, &endpoint->address);
	else if (endpoint->address.version != IP_NONE)
		to->text(to->out, name, endpoint_format(endpoint, text));
}

/* Every field of the record that says something. */
static void put_fields(const struct fields *to, const struct log_origin *origin,
                       const struct message_log *record)
{
	put_text(to, "event", log_event_name(record->event));
	put_text(to, "role", origin->role);
	to->number(to->out, "pid", (uint64_t)origin->pid);
	put_number(to, "connection", record->connection);
	put_endpoint(to, "peer", &record->peer);
	put_address(to, "address", &record->peer.address);
	put_endpoint(to, "local", &record->local);
	put_text(to, "user", record->user);
	put_text(to, "state", record->state);
	put_text(to, "reason", record->reason);
	put_text(to, "detail", record->detail);
	if (record->measured) {
		to->number(to->out, "bytes_in", record->bytes_in);
		to->number(to->out, "bytes_out", record->bytes_out);
		to->number(to->out, "duration_us", record->duration_us);
	}
	put_number(to, "left_out", record->left_out);
}

/* ---- JSON ---- */

static void json_number(struct writer *out, const char *name, uint64_t value)
{
	put(out, ",\"%s\":%" PRIu64, name, value);
}

static void json_text(struct writer *out, const char *name, const char *value)
{
	put(out, ",\"%s\":\"", name);
	put_escaped(out, value, strlen(value), ESCAPE_JSON, 3);
	put(out, "\"");
}

size_t log_format_json(const struct log_origin *origin, const struct log_said *said,
                       char buffer[LOG_FORMAT_LINE_MAX])
{
	struct writer out = {buffer, 0, LOG_FORMAT_LINE_MAX};
	const struct fields fields = {&out, json_number, json_text};
	time_t seconds = (time_t)(said->record->time_us / 1000000);
	struct tm utc;
	char date[32];

	gmtime_r(&seconds, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	put(&out, "{\"time\":\"%s.%06uZ\"", date, (unsigned)(said->record->time_us % 1000000));
	put_text(&fields, "level", log_level_name(said->record->level));
	put_fields(&fields, origin, said->record);
	put(&out, ",\"message\":\"");
	put_escaped(&out, said->text, said->length, ESCAPE_JSON, 3);
	put(&out, "\"}\n");
	return out.used;
}

/* ---- the journal ---- */

static void journal_name(struct writer *out, const char *name)
{
	char capitals[32];
	size_t i;

	for (i = 0; name[i] != '\0' && i < sizeof(capitals) - 1; i++)
		capitals[i] = (char)toupper((unsigned char)name[i]);
	capitals[i] = '\0';
	put(out, "CALMD_%s=", capitals);
}

static void journal_number(struct writer *out, const char *name, uint64_t value)
{
	journal_name(out, name);
	put(out, "%" PRIu64 "\n", value);
}

static void journal_text(struct writer *out, const char *name, const char *value)
{
	journal_name(out, name);
	put_escaped(out, value, strlen(value), ESCAPE_FOREIGN, 1);
	put(out, "\n");
}

size_t log_format_journal(const struct log_origin *origin, const struct log_said *said,
                          char buffer[LOG_FORMAT_DATAGRAM_MAX])
{
	struct writer out = {buffer, 0, LOG_FORMAT_DATAGRAM_MAX};
	const struct fields fields = {&out, journal_number, journal_text};
	const char *id = log_event_id(said->record->event);

	put(&out, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.40s\n", log_priority(said->record->level),
	    origin->name);
	if (id != NULL)
		put(&out, "MESSAGE_ID=%s\n", id);
	put_fields(&fields, origin, said->record);
	put(&out, "MESSAGE=");
	put_escaped(&out, said->text, said->length, escape_of(origin), 1);
	put(&out, "\n");
	return out.used;
}

/* ---- syslog ---- */

size_t log_format_syslog(const struct log_origin *origin, const struct log_said *said,
                         char buffer[LOG_FORMAT_DATAGRAM_MAX])
{
	struct writer out = {buffer, 0, LOG_FORMAT_DATAGRAM_MAX};
	time_t seconds = (time_t)(said->record->time_us / 1000000);
	struct tm local;
	char date[32];

	localtime_r(&seconds, &local);
	strftime(date, sizeof(date), "%b %e %H:%M:%S", &local);
	put(&out, "<%d>%s %.40s[%d]: ", FACILITY_DAEMON | log_priority(said->record->level), date,
	    origin->name, origin->pid);
	put_escaped(&out, said->text, said->length, escape_of(origin), 1);
	return out.used;
}
