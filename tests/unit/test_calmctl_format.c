/* daemon/calmctl_text.c, calmctl_show.c, calmctl_client.c: what people see. */
#include "tests/unit/random.h"

#include <stdio.h>

#include "daemon/calmctl_client.h"
#include "daemon/calmctl_text.h"

/* What PRINT makes of the JSON in TEXT, to be freed. */
static char *printed(void (*print)(FILE *, const json_t *), const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	char *output = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&output, &size);

	assert_non_null(json);
	print(stream, json);
	fclose(stream);
	json_decref(json);
	return output;
}

static void a_list_is_aligned(void **state)
{
	char *output = printed(
		calmctl_print_list,
		"[{\"id\":1,\"state\":\"LISTEN\",\"peer\":null,\"local\":\"0.0.0.0:23\",\"user\":null,"
		"\"since\":null,\"rtt_us\":0,\"cwnd\":0,\"snd_queue\":0,\"rcv_queue\":0},"
		"{\"id\":12,\"state\":\"ESTABLISHED\",\"peer\":\"192.0.2.1:40000\","
		"\"local\":\"192.0.2.2:23\",\"user\":null,\"since\":\"2026-01-31T12:34:56.289Z\","
		"\"rtt_us\":1234,\"cwnd\":14600,\"snd_queue\":5,\"rcv_queue\":6}]");

	(void)state;
	assert_string_equal(
		output,
		"ID  STATE        PEER             LOCAL         USER  SINCE                          "
		"RTT   CWND  SND-Q  RCV-Q\n"
		" 1  LISTEN       *                0.0.0.0:23    -     -                              "
		"  -      0      0      0\n"
		"12  ESTABLISHED  192.0.2.1:40000  192.0.2.2:23  -     2026-01-31T12:34:56.289Z  1.234 "
		"ms  14600      5      6\n");
	free(output);
}

static void an_empty_list_has_its_heading(void **state)
{
	char *output = printed(calmctl_print_list, "[]");

	(void)state;
	assert_string_equal(output,
	                    "ID  STATE  PEER  LOCAL  USER  SINCE  RTT  CWND  SND-Q  RCV-Q\n");
	free(output);
}

static void control_characters_are_escaped(void **state)
{
	char cell[CALMCTL_CELL], small[8];
	char *output = printed(calmctl_print_list, "[{\"user\":\"\\u001b]0;x\\u0007\\n\\u00e9\"}]");

	(void)state;
	assert_non_null(strstr(output, "\\x1B]0;x\\x07\\x0A\\xC3\\xA9"));
	assert_null(strchr(output, '\033'));
	free(output);
	calmctl_escape(cell, sizeof(cell), "a\177b");
	assert_string_equal(cell, "a\\x7Fb");
	/* cut between characters, never inside an escape */
	calmctl_escape(small, sizeof(small), "ab\001\001");
	assert_string_equal(small, "ab\\x01");
}

static void show_tells_the_way_through_the_states(void **state)
{
	char *output = printed(
		calmctl_print_show,
		"{\"id\":7,\"state\":\"ESTABLISHED\",\"iss\":4294967295,\"snd_una\":1,\"history\":["
		"{\"state\":\"LISTEN\",\"time\":\"T1\",\"after_us\":0},"
		"{\"state\":\"SYN-RECEIVED\",\"time\":\"T2\",\"after_us\":10},"
		"{\"state\":\"ESTABLISHED\",\"time\":\"T3\",\"after_us\":1500000}],"
		"\"timers\":{\"retransmit_us\":200000,\"persist_us\":null}}");

	(void)state;
	assert_non_null(strstr(output, "Connection 7: ESTABLISHED\n"));
	assert_non_null(strstr(output, "  T1  +0.000000 s  LISTEN\n"
	                               "  T2  +0.000010 s  LISTEN -> SYN-RECEIVED\n"
	                               "  T3  +1.500000 s  SYN-RECEIVED -> ESTABLISHED\n"));
	assert_non_null(strstr(output, "  snd_una              1           iss + 2\n"));
	assert_non_null(strstr(output, "  retransmission       200.000 ms\n"));
	assert_non_null(strstr(output, "  persist              not running\n"));
	free(output);
}

static void show_leaves_out_what_an_entry_does_not_have(void **state)
{
	char *waiting = printed(calmctl_print_show,
	                        "{\"id\":7,\"state\":\"TIME-WAIT\",\"snd_nxt\":5,\"rcv_nxt\":9,"
	                        "\"timers\":{\"end_us\":59000000},\"counters\":{\"segs_in\":3}}");
	char *listener = printed(calmctl_print_show,
	                         "{\"id\":1,\"state\":\"LISTEN\",\"local\":\"[::1]:23\",\"iss\":0,"
	                         "\"history\":[],\"counters\":{\"segs_in\":0}}");

	(void)state;
	assert_non_null(strstr(waiting, "  rcv_nxt              9\n"));
	assert_non_null(strstr(waiting, "  end                  59.000 s\n"));
	assert_non_null(strstr(waiting, "  segments in          3\n"));
	assert_null(strstr(waiting, "cwnd"));
	assert_null(strstr(waiting, "irs"));
	assert_non_null(strstr(listener, "  local                [::1]:23\n"));
	assert_null(strstr(listener, "History"));
	assert_null(strstr(listener, "Counters"));
	free(waiting);
	free(listener);
}

static void status_says_how_full_everything_is(void **state)
{
	char *output = printed(
		calmctl_print_status,
		"{\"version\":\"1.2.3\",\"supervisor_pid\":10,\"master_pid\":11,\"uptime_s\":7380,"
		"\"quiet\":{\"left_s\":12,\"reason\":\"other_boot\"},\"workers\":{\"idle\":4,\"busy\":2},"
		"\"queue\":1,\"connections\":3,\"half_open\":5,\"time_wait\":6,"
		"\"limits\":{\"max_connections\":50,\"backlog\":8,\"half_open\":100,\"time_wait\":200}}");

	(void)state;
	assert_string_equal(output, "calmd 1.2.3, up 2 h 3 min (supervisor 10, master 11)\n"
	                            "quiet time   12 s left: calmd had run before this boot: 2 MSL "
	                            "of uptime\n"
	                            "workers      4 idle, 2 busy\n"
	                            "connections  3 of 50\n"
	                            "queue        1 of 8\n"
	                            "half-open    5 of 100\n"
	                            "TIME-WAIT    6 of 200\n");
	free(output);
}

static void quiet_time_that_is_over_says_why_there_was_any(void **state)
{
	static const struct {
		const char *status, *line;
	} cases[] = {
		{"{\"quiet\":{\"left_s\":0,\"reason\":\"first_start\"}}",
	         "quiet time   none: calmd never ran here\n"},
		{"{\"quiet\":{\"left_s\":0,\"reason\":\"of_another_version\"}}",
	         "quiet time   none: of_another_version\n"},
		{"{\"quiet\":{\"left_s\":1,\"reason\":\"\\u001b\"}}",
	         "quiet time   1 s left: \\x1B\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *output = printed(calmctl_print_status, cases[i].status);

		assert_non_null(strstr(output, cases[i].line));
		free(output);
	}
}

static void stats_explain_what_they_count(void **state)
{
	char *output = printed(calmctl_print_stats, "{\"tcpInSegs\":3,\"somethingNew\":4}");

	(void)state;
	assert_non_null(strstr(output, "tcpInSegs "));
	assert_non_null(strstr(output, " 3  segments received"));
	assert_non_null(strstr(output, "somethingNew "));
	free(output);
}

/* Whatever a daemon of another version says, nothing breaks. */
static void answers_of_a_strange_shape_are_printed(void **state)
{
	static const char *const strange[] = {"{}", "[]", "[1,null,[]]", "{\"history\":[1]}",
	                                      "{\"id\":\"x\",\"timers\":7,\"limits\":[]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		free(printed(calmctl_print_list, strange[i]));
		free(printed(calmctl_print_show, strange[i]));
		free(printed(calmctl_print_status, strange[i]));
		free(printed(calmctl_print_stats, strange[i]));
	}
}

static void assert_split(const char *text, const char *host, const char *port)
{
	const char *found_host, *found_port;
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	assert_true(calmctl_split(copy, &found_host, &found_port));
	assert_string_equal(found_host, host);
	assert_string_equal(found_port, port);
}

static void a_host_to_call_is_split(void **state)
{
	static const char *const wrong[] = {"",       ":23",   "host:", "[::1",
	                                    "[::1]x", "[]:23", "[::1]:"};
	const char *host, *port;
	char copy[64];

	(void)state;
	assert_split("host", "host", "23");
	assert_split("host:99", "host", "99");
	assert_split("192.0.2.1:99", "192.0.2.1", "99");
	assert_split("::1", "::1", "23");
	assert_split("[::1]", "::1", "23");
	assert_split("[fe80::1%eth0]:99", "fe80::1%eth0", "99");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(copy, sizeof(copy), "%s", wrong[i]);
		assert_false(calmctl_split(copy, &host, &port));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_aligned),
		cmocka_unit_test(an_empty_list_has_its_heading),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(show_tells_the_way_through_the_states),
		cmocka_unit_test(show_leaves_out_what_an_entry_does_not_have),
		cmocka_unit_test(quiet_time_that_is_over_says_why_there_was_any),
		cmocka_unit_test(status_says_how_full_everything_is),
		cmocka_unit_test(stats_explain_what_they_count),
		cmocka_unit_test(answers_of_a_strange_shape_are_printed),
		cmocka_unit_test(a_host_to_call_is_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
