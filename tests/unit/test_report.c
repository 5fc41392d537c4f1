/* daemon/report.c: the JSON that scripts rely on. */
#include "tests/unit/random.h"

#include "daemon/report.h"
#include "stack/congestion.h"

/* 2026-01-31T12:34:56.789Z, when the engine's clock says 100 s. */
static const struct report_clock noon = {.now_us = 100000000, .now_real_us = 1769862896789000};

static struct conn_info example(void)
{
	struct conn_info info = {
		.id = 7,
		.state = TCP_ESTABLISHED,
		.flow.local = {.address = {.bytes = {192, 0, 2, 1}, .version = IP_V4}, .port = 23},
		.flow.peer = {.address = {.bytes = {198, 51, 100, 2}, .version = IP_V4},
	                      .port = 4000},
		.passive = true,
		.has_worker = true,
		.worker = 12,
		.created_us = 99000000,
		.established_us = 99500000,
		.history_count = 3,
		.history = {{TCP_LISTEN, 99000000},
	                    {TCP_SYN_RECEIVED, 99000010},
	                    {TCP_ESTABLISHED, 99500000}},
		.iss = 1000,
		.snd_una = UINT32_MAX,
		.srtt_us = 1234,
		.cwnd = 14600,
		.ssthresh = CONGESTION_SSTHRESH_INFINITE,
		.congestion = "reno",
		.snd_queue = 5,
		.rcv_queue = 6,
		.timer_retransmit_us = 100200000,
		.timer_persist_us = UINT64_MAX,
		.timer_delayed_ack_us = 99999999,
		.timer_keepalive_us = UINT64_MAX,
		.timer_user_us = UINT64_MAX,
		.timer_end_us = UINT64_MAX,
	};

	return info;
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (value == NULL)
		fail_msg("%s is no text", key);
	return value;
}

static long long number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		fail_msg("%s is no number", key);
	return json_integer_value(value);
}

static void assert_null_value(const json_t *object, const char *key)
{
	if (!json_is_null(json_object_get(object, key)))
		fail_msg("%s is not null", key);
}

/* KEYS, separated by blanks, are OBJECT's, and in this order. */
static void assert_keys(const json_t *object, const char *keys)
{
	char found[1024] = "";
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		(void)value;
		strncat(found, found[0] == '\0' ? "" : " ", sizeof(found) - strlen(found) - 1);
		strncat(found, key, sizeof(found) - strlen(found) - 1);
	}
	assert_string_equal(found, keys);
}

static void a_list_row_has_its_ten_keys(void **state)
{
	struct conn_info info = example();
	json_t *row = report_list_row(&info, NULL, &noon);

	(void)state;
	assert_keys(row, "id state peer local user since rtt_us cwnd snd_queue rcv_queue");
	assert_int_equal(number(row, "id"), 7);
	assert_string_equal(text(row, "state"), "ESTABLISHED");
	assert_string_equal(text(row, "peer"), "198.51.100.2:4000");
	assert_string_equal(text(row, "local"), "192.0.2.1:23");
	assert_null_value(row, "user");
	assert_string_equal(text(row, "since"), "2026-01-31T12:34:56.289Z");
	assert_int_equal(number(row, "rtt_us"), 1234);
	assert_int_equal(number(row, "cwnd"), 14600);
	assert_int_equal(number(row, "snd_queue"), 5);
	assert_int_equal(number(row, "rcv_queue"), 6);
	json_decref(row);
}

static void what_is_known_of_the_session_is_shown(void **state)
{
	struct message_session_note note = {.conn_id = 7, .user = "tester"};
	struct conn_info info = example();
	json_t *show = report_show(&info, &note, &noon);

	(void)state;
	assert_string_equal(text(show, "user"), "tester");
	assert_null_value(show, "ending");
	json_decref(show);
	note.ending = SESSION_IDLE_TIMEOUT;
	note.user[0] = '\0';
	show = report_show(&info, &note, &noon);
	assert_null_value(show, "user");
	assert_string_equal(text(show, "ending"), "no input");
	json_decref(show);
}

static void a_listener_has_no_peer(void **state)
{
	struct conn_info info = {.id = 1, .state = TCP_LISTEN};
	json_t *row;

	(void)state;
	info.flow.local.address.version = IP_V6;
	info.flow.local.port = 23;
	row = report_list_row(&info, NULL, &noon);
	assert_string_equal(text(row, "state"), "LISTEN");
	assert_string_equal(text(row, "local"), "[::]:23");
	assert_null_value(row, "peer");
	assert_null_value(row, "since");
	json_decref(row);
}

static void show_has_the_history_with_times(void **state)
{
	struct conn_info info = example();
	json_t *show = report_show(&info, NULL, &noon), *history, *entry;

	(void)state;
	history = json_object_get(show, "history");
	assert_int_equal(json_array_size(history), 3);
	entry = json_array_get(history, 1);
	assert_keys(entry, "state time after_us");
	assert_string_equal(text(entry, "state"), "SYN-RECEIVED");
	assert_string_equal(text(entry, "time"), "2026-01-31T12:34:55.789Z");
	assert_int_equal(number(entry, "after_us"), 10);
	assert_int_equal(number(json_array_get(history, 2), "after_us"), 500000);
	json_decref(show);
}

static void show_has_variables_timers_and_counters(void **state)
{
	struct conn_info info = example();
	json_t *show = report_show(&info, NULL, &noon), *timers;

	(void)state;
	assert_int_equal(number(show, "iss"), 1000);
	assert_int_equal(number(show, "snd_una"), 4294967295);
	assert_int_equal(number(show, "worker"), 12);
	assert_string_equal(text(show, "congestion"), "reno");
	assert_null_value(show, "ssthresh");
	timers = json_object_get(show, "timers");
	assert_keys(timers, "retransmit_us persist_us delayed_ack_us keepalive_us user_us end_us");
	assert_int_equal(number(timers, "retransmit_us"), 200000);
	assert_null_value(timers, "persist_us");
	assert_int_equal(number(timers, "delayed_ack_us"), 0);
	assert_int_equal(number(json_object_get(show, "counters"), "segs_in"), 0);
	json_decref(show);
}

static void a_history_longer_than_its_room_is_cut(void **state)
{
	struct conn_info info = example();
	json_t *show;

	(void)state;
	info.history_count = UINT32_MAX;
	show = report_show(&info, NULL, &noon);
	assert_int_equal(json_array_size(json_object_get(show, "history")), STACK_HISTORY);
	json_decref(show);
}

static void status_has_its_keys(void **state)
{
	struct message_master_config config = {.supervisor_pid = 10,
	                                       .takeovers = 7,
	                                       .upgrades = 2,
	                                       .draining = 1,
	                                       .max_connections = 50,
	                                       .backlog = 8,
	                                       .version = "1.2.3"};
	struct report_status status = {
		.config = &config,
		.master_pid = 11,
		.uptime_s = 60,
		.master_uptime_s = 20,
		.workers_idle = 4,
		.workers_busy = 2,
		.quiet_left_us = 11000001,
		.quiet_reason = QUIET_REASON_OTHER_BOOT,
		.usage = {.connections = 3, .queued = 1, .half_open = 5, .time_wait = 6},
	};
	json_t *o = report_status(&status);

	(void)state;
	assert_keys(
		o,
		"version supervisor_pid master_pid uptime_s master_uptime_s takeovers upgrades quiet "
		"ending draining sessions workers queue connections half_open time_wait limits");
	assert_string_equal(text(o, "version"), "1.2.3");
	assert_int_equal(number(o, "supervisor_pid"), 10);
	assert_int_equal(number(o, "master_pid"), 11);
	assert_int_equal(number(o, "uptime_s"), 60);
	assert_int_equal(number(o, "master_uptime_s"), 20);
	assert_int_equal(number(o, "takeovers"), 7);
	assert_int_equal(number(o, "upgrades"), 2);
	assert_true(json_is_true(json_object_get(o, "draining")));
	assert_int_equal(number(o, "sessions"), 3);
	assert_int_equal(number(o, "queue"), 1);
	assert_int_equal(number(o, "connections"), 3);
	assert_keys(json_object_get(o, "quiet"), "left_s reason");
	assert_int_equal(number(json_object_get(o, "quiet"), "left_s"), 12);
	assert_string_equal(text(json_object_get(o, "quiet"), "reason"), "other_boot");
	assert_int_equal(number(json_object_get(o, "workers"), "idle"), 4);
	assert_int_equal(number(json_object_get(o, "workers"), "busy"), 2);
	assert_int_equal(number(json_object_get(o, "limits"), "max_connections"), 50);
	json_decref(o);
}

static void stats_have_every_counter(void **state)
{
	struct stack_stats stack = {.active_opens = 1, .out_full = 2};
	struct link_stats link = {.received = 3};
	json_t *o = report_stats(&stack, &link);

	(void)state;
	assert_int_equal(json_object_size(o), (sizeof(stack) + sizeof(link)) / sizeof(uint64_t));
	assert_int_equal(number(o, "tcpActiveOpens"), 1);
	assert_int_equal(number(o, "outBatchFull"), 2);
	assert_int_equal(number(o, "linkReceived"), 3);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_row_has_its_ten_keys),
		cmocka_unit_test(what_is_known_of_the_session_is_shown),
		cmocka_unit_test(a_listener_has_no_peer),
		cmocka_unit_test(show_has_the_history_with_times),
		cmocka_unit_test(show_has_variables_timers_and_counters),
		cmocka_unit_test(a_history_longer_than_its_room_is_cut),
		cmocka_unit_test(status_has_its_keys),
		cmocka_unit_test(stats_have_every_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
