/*
 * daemon/log_format.c, log_record.c: what a record looks like as a line, as JSON, for the journal
 * and for syslog, and which records are not believed.
 */
#include "tests/unit/random.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/log_format.h"

static char buffer[LOG_FORMAT_DATAGRAM_MAX];

/* A worker's. */
#define AT 1795337053469123u /* 2026-11-22 08:44:13.469123 UTC */
static const struct log_origin origin = {
	.name = "calmd",
	.role = "worker",
	.pid = 77,
	.relayed = true,
};

/* A record in which every field says something. */
static struct message_log full(void)
{
	return (struct message_log){
		.time_us = AT,
		.level = LOG_LEVEL_INFO,
		.event = LOG_EVENT_SESSION_END,
		.connection = 12,
		.left_out = 3,
		.measured = 1,
		.bytes_in = 100,
		.bytes_out = 0,
		.duration_us = 1500000,
		.peer = {.address = {.version = IP_V4, .bytes = {192, 0, 2, 1}}, .port = 4000},
		.local = {.address = {.version = IP_V6, .bytes = {[15] = 1}}, .port = 23},
		.user = "guest",
		.state = "ESTABLISHED",
		.reason = "logged out",
		.detail = "a \"b\" \\c",
	};
}

typedef size_t formatter(const struct log_origin *, const struct log_said *, char *);

/* What FORMAT makes of RECORD and LENGTH bytes of TEXT, terminated. */
static const char *formatted(formatter *format, const struct message_log *record, const char *text,
                             size_t length)
{
	const struct log_said said = {record, text, length};
	size_t n = format(&origin, &said, buffer);

	assert_true(n < sizeof(buffer));
	buffer[n] = '\0';
	return buffer;
}

static void a_json_object_has_every_field(void **state)
{
	struct message_log record = full();
	const char *text = formatted(log_format_json, &record, "it ended", 8);

	(void)state;
	assert_string_equal(
		text,
		"{\"time\":\"2026-11-22T08:44:13.469123Z\",\"level\":\"info\",\"event\":\"session_"
		"end\",\"role\":\"worker\",\"pid\":77,\"connection\":12,\"peer\":\"192.0.2.1:4000\","
		"\"address\":\"192.0.2.1\","
		"\"local\":\"[::1]:23\",\"user\":\"guest\",\"state\":\"ESTABLISHED\",\"reason\":"
		"\"logged out\",\"detail\":\"a \\\"b\\\" \\\\c\",\"bytes_in\":100,\"bytes_out\":0,"
		"\"duration_us\":1500000,\"left_out\":3,\"message\":\"it ended\"}\n");
}

static void what_says_nothing_has_no_field(void **state)
{
	const struct message_log record = {.time_us = AT, .level = LOG_LEVEL_WARNING};

	(void)state;
	assert_string_equal(formatted(log_format_json, &record, "x", 1),
	                    "{\"time\":\"2026-11-22T08:44:13.469123Z\",\"level\":\"warning\","
	                    "\"role\":\"worker\",\"pid\":77,\"message\":\"x\"}\n");
	assert_string_equal(formatted(log_format_journal, &record, "x", 1),
	                    "PRIORITY=4\nSYSLOG_IDENTIFIER=calmd\nCALMD_ROLE=worker\nCALMD_PID=77\n"
	                    "MESSAGE=x\n");
}

static void the_journal_gets_every_field_under_a_name_of_ours(void **state)
{
	struct message_log record = full();
	char want[1024];

	(void)state;
	snprintf(want, sizeof(want),
	         "PRIORITY=6\nSYSLOG_IDENTIFIER=calmd\nMESSAGE_ID=%s\nCALMD_EVENT=session_end\n"
	         "CALMD_ROLE=worker\nCALMD_PID=77\nCALMD_CONNECTION=12\nCALMD_PEER=192.0.2.1:4000\n"
	         "CALMD_ADDRESS=192.0.2.1\n"
	         "CALMD_LOCAL=[::1]:23\nCALMD_USER=guest\nCALMD_STATE=ESTABLISHED\n"
	         "CALMD_REASON=logged out\nCALMD_DETAIL=a \"b\" \\c\nCALMD_BYTES_IN=100\n"
	         "CALMD_BYTES_OUT=0\nCALMD_DURATION_US=1500000\nCALMD_LEFT_OUT=3\n"
	         "MESSAGE=it ended\n",
	         log_event_id(LOG_EVENT_SESSION_END));
	assert_string_equal(formatted(log_format_journal, &record, "it ended", 8), want);
}

static void syslog_gets_a_priority_and_the_text(void **state)
{
	struct message_log record = full();

	(void)state;
	setenv("TZ", "UTC", 1);
	assert_string_equal(formatted(log_format_syslog, &record, "it\nended", 8),
	                    "<30>Nov 22 08:44:13 calmd[77]: it\\x0aended");
}

static void nobody_writes_fields_or_lines_of_their_own(void **state)
{
	struct message_log record = full();
	const char said[] = "a\nPRIORITY=0\r\033[2J\xff\0\"}";

	(void)state;
	snprintf(record.user, sizeof(record.user), "x\nMESSAGE_ID=0\x7f");
	snprintf(record.reason, sizeof(record.reason), "\"}\n{\"");
	const char *text = formatted(log_format_journal, &record, said, sizeof(said) - 1);
	assert_null(strstr(text, "\nPRIORITY=0"));
	assert_null(strstr(text, "\nMESSAGE_ID=0"));
	assert_non_null(strstr(text, "\nCALMD_USER=x\\x0aMESSAGE_ID=0\\x7f\n"));
	assert_non_null(strstr(text, "\nMESSAGE=a\\x0aPRIORITY=0\\x0d\\x1b[2J\\xff\\x00\"}\n"));
	json_t *json =
		json_loads(formatted(log_format_json, &record, said, sizeof(said) - 1), 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "reason")), "\"}\\x0a{\"");
	assert_string_equal(json_string_value(json_object_get(json, "message")),
	                    "a\\x0aPRIORITY=0\\x0d\\x1b[2J\\xff\\x00\"}");
	json_decref(json);
}

/* The longest record there can be, of bytes that take most room. */
static void the_longest_record_is_cut_and_stays_well_formed(void **state)
{
	struct message_log record = full();
	char text[LOG_LINE_MAX];

	(void)state;
	memset(text, '\n', sizeof(text));
	memset(record.user, '\n', sizeof(record.user) - 1);
	memset(record.state, '\n', sizeof(record.state) - 1);
	memset(record.reason, '\n', sizeof(record.reason) - 1);
	memset(record.detail, '\n', sizeof(record.detail) - 1);
	json_t *json = json_loads(formatted(log_format_json, &record, text, sizeof(text)), 0, NULL);
	assert_non_null(json);
	assert_true(strlen(buffer) < LOG_FORMAT_LINE_MAX);
	assert_true(strlen(buffer) > LOG_FORMAT_LINE_MAX - 16);
	assert_int_equal(json_integer_value(json_object_get(json, "left_out")), 3);
	json_decref(json);
	formatted(log_format_journal, &record, text, sizeof(text));
	assert_int_equal(strlen(strstr(buffer, "\nMESSAGE=")),
	                 strlen("\nMESSAGE=") + 4 * sizeof(text) + 1);
}

static void random_records_give_well_formed_json(void **state)
{
	static struct message_log record;
	struct random random = random_start();
	char text[LOG_LINE_MAX];

	(void)state;
	for (int i = 0; i < 300; i++) {
		random_fill(&random, &record, sizeof(record));
		random_fill(&random, text, sizeof(text));
		record.level %= LOG_LEVEL_DEBUG + 1;
		record.event %= LOG_EVENTS;
		record.measured &= 1;
		record.time_us = AT;
		record.connection >>= 1;
		record.left_out >>= 1;
		record.bytes_in >>= 1;
		record.bytes_out >>= 1;
		record.duration_us >>= 1;
		record.peer.address.version = IP_V6;
		record.local.address.version = IP_NONE;
		record.user[LOG_USER_MAX - 1] = record.state[LOG_STATE_MAX - 1] = '\0';
		record.reason[LOG_REASON_MAX - 1] = record.detail[LOG_DETAIL_MAX - 1] = '\0';
		assert_true(log_record_valid(&record));
		size_t length = random_below(&random, sizeof(text) + 1);
		json_t *json =
			json_loads(formatted(log_format_json, &record, text, length), 0, NULL);
		assert_non_null(json);
		json_decref(json);
	}
}

static void a_record_that_cannot_be_is_not_valid(void **state)
{
	struct message_log good = full(), bad;

	(void)state;
	assert_true(log_record_valid(&good));
#define BAD(change)                                                                                \
	do {                                                                                       \
		bad = good;                                                                        \
		change;                                                                            \
		assert_false(log_record_valid(&bad));                                              \
	} while (0)
	BAD(bad.level = LOG_LEVEL_DEBUG + 1);
	BAD(bad.event = LOG_EVENTS);
	BAD(bad.measured = 2);
	BAD(bad.bytes_in = UINT64_MAX);
	BAD(bad.connection = UINT64_MAX);
	BAD(bad.peer.address.version = 5);
	BAD(bad.local.address.version = 7);
	BAD(memset(bad.user, 'a', sizeof(bad.user)));
	BAD(memset(bad.state, 'a', sizeof(bad.state)));
	BAD(memset(bad.reason, 'a', sizeof(bad.reason)));
	BAD(memset(bad.detail, 'a', sizeof(bad.detail)));
#undef BAD
}

static void a_worker_cannot_report_what_the_master_sees(void **state)
{
	(void)state;
	assert_true(log_event_from(LOG_EVENT_CONNECT, ROLE_MASTER));
	assert_false(log_event_from(LOG_EVENT_CONNECT, ROLE_WORKER));
	assert_false(log_event_from(LOG_EVENT_DISCONNECT, ROLE_WORKER));
	assert_false(log_event_from(LOG_EVENT_STATE, ROLE_WORKER));
	assert_false(log_event_from(LOG_EVENT_SESSION_START, ROLE_MASTER));
	assert_true(log_event_from(LOG_EVENT_NONE, ROLE_WORKER));
	assert_false(log_event_from(LOG_EVENTS, ROLE_SUPERVISOR));
}

static void every_event_has_a_name_and_an_id_of_its_own(void **state)
{
	(void)state;
	assert_null(log_event_name(LOG_EVENT_NONE));
	assert_null(log_event_name(LOG_EVENTS));
	assert_null(log_event_id(LOG_EVENTS));
	for (uint32_t i = LOG_EVENT_NONE + 1; i < LOG_EVENTS; i++) {
		assert_non_null(log_event_name(i));
		assert_int_equal(strlen(log_event_id(i)), 32);
		assert_int_equal(strspn(log_event_id(i), "0123456789abcdef"), 32);
		for (uint32_t j = LOG_EVENT_NONE + 1; j < i; j++)
			assert_string_not_equal(log_event_id(i), log_event_id(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_json_object_has_every_field),
		cmocka_unit_test(what_says_nothing_has_no_field),
		cmocka_unit_test(the_journal_gets_every_field_under_a_name_of_ours),
		cmocka_unit_test(syslog_gets_a_priority_and_the_text),
		cmocka_unit_test(nobody_writes_fields_or_lines_of_their_own),
		cmocka_unit_test(the_longest_record_is_cut_and_stays_well_formed),
		cmocka_unit_test(random_records_give_well_formed_json),
		cmocka_unit_test(a_record_that_cannot_be_is_not_valid),
		cmocka_unit_test(a_worker_cannot_report_what_the_master_sees),
		cmocka_unit_test(every_event_has_a_name_and_an_id_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
