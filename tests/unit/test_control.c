/* daemon/control_request.c: what a control client may ask, and what it may not. */
#include "tests/unit/random.h"

#include "daemon/control_request.h"

static bool parse(const char *text, struct control_request *request, char *error)
{
	size_t length = strlen(text);
	uint8_t *exact = exact_copy(text, length);
	bool valid = control_request_parse((const char *)exact, length, request, error);

	free(exact);
	return valid;
}

static void assert_refused(const char *text, const char *why)
{
	struct control_request request;
	char error[CONTROL_ERROR_MAX] = "";

	if (parse(text, &request, error))
		fail_msg("taken: %s", text);
	assert_string_equal(error, why);
}

static void commands_without_arguments_are_read(void **state)
{
	struct control_request request;
	char error[CONTROL_ERROR_MAX];

	(void)state;
	assert_true(parse("{\"command\":\"status\"}", &request, error));
	assert_int_equal(request.command, CONTROL_STATUS);
	assert_true(parse(" { \"command\" : \"list\" } ", &request, error));
	assert_int_equal(request.command, CONTROL_LIST);
	assert_true(parse("{\"command\":\"stats\"}", &request, error));
	assert_int_equal(request.command, CONTROL_STATS);
	assert_true(parse("{\"command\":\"reload\"}", &request, error));
	assert_int_equal(request.command, CONTROL_RELOAD);
	assert_true(parse("{\"command\":\"upgrade\"}", &request, error));
	assert_int_equal(request.command, CONTROL_UPGRADE);
	assert_true(parse("{\"command\":\"drain\"}", &request, error));
	assert_int_equal(request.command, CONTROL_DRAIN);
	assert_true(parse("{\"command\":\"resume\"}", &request, error));
	assert_int_equal(request.command, CONTROL_RESUME);
}

static void an_id_is_read(void **state)
{
	struct control_request request;
	char error[CONTROL_ERROR_MAX];

	(void)state;
	assert_true(parse("{\"command\":\"show\",\"id\":3}", &request, error));
	assert_int_equal(request.command, CONTROL_SHOW);
	assert_int_equal(request.id, 3);
	assert_true(parse("{\"id\":9223372036854775807,\"command\":\"abort\"}", &request, error));
	assert_int_equal(request.command, CONTROL_ABORT);
	assert_true(request.id == INT64_MAX);
}

static void a_call_has_a_peer_and_may_have_a_port(void **state)
{
	struct control_request request;
	char error[CONTROL_ERROR_MAX];

	(void)state;
	assert_true(parse("{\"command\":\"call\",\"peer\":\"192.0.2.7\"}", &request, error));
	assert_int_equal(request.peer.address.version, IP_V4);
	assert_int_equal(request.peer.port, 23);
	assert_int_equal(request.port, 0);
	assert_true(
		parse("{\"command\":\"call\",\"peer\":\"[::1]:99\",\"port\":23,\"interface\":4}",
	              &request, error));
	assert_int_equal(request.peer.address.version, IP_V6);
	assert_int_equal(request.peer.port, 99);
	assert_int_equal(request.port, 23);
	assert_int_equal(request.interface, 4);
}

static void what_is_not_a_request_is_refused(void **state)
{
	(void)state;
	assert_refused("", "the request is not JSON");
	assert_refused("show 3", "the request is not JSON");
	assert_refused("{\"command\":\"show\",\"id\":3", "the request is not JSON");
	assert_refused("{\"command\":\"status\"} x", "the request is not JSON");
	assert_refused("{\"command\":\"status\",\"command\":\"list\"}", "the request is not JSON");
	assert_refused("{\"command\":\"\xff\"}", "the request is not JSON");
	assert_refused("[\"status\"]", "a request is a JSON object");
	assert_refused("[]", "a request is a JSON object");
	assert_refused("{}", "unknown command");
	assert_refused("{\"command\":7}", "unknown command");
	assert_refused("{\"command\":null}", "unknown command");
	assert_refused("{\"command\":\"reboot\"}", "unknown command");
	assert_refused("{\"command\":\"status\\u0000\"}", "the request is not JSON");
}

static void arguments_that_a_command_has_not_are_refused(void **state)
{
	(void)state;
	assert_refused("{\"command\":\"status\",\"id\":3}", "status has no such argument");
	assert_refused("{\"command\":\"show\",\"id\":3,\"port\":4}", "show has no such argument");
	assert_refused("{\"command\":\"show\",\"\":3}", "show has no such argument");
	assert_refused("{\"command\":\"show\"}", "show lacks an argument");
	assert_refused("{\"command\":\"call\",\"port\":23}", "call lacks an argument");
}

static void values_out_of_range_are_refused(void **state)
{
	(void)state;
	assert_refused("{\"command\":\"show\",\"id\":0}", "id: impossible value");
	assert_refused("{\"command\":\"show\",\"id\":-1}", "id: impossible value");
	assert_refused("{\"command\":\"show\",\"id\":\"3\"}", "id: impossible value");
	assert_refused("{\"command\":\"show\",\"id\":3.0}", "id: impossible value");
	assert_refused("{\"command\":\"show\",\"id\":null}", "id: impossible value");
	/* beyond 64 bits jansson refuses the whole */
	assert_refused("{\"command\":\"show\",\"id\":18446744073709551616}",
	               "the request is not JSON");
	assert_refused("{\"command\":\"call\",\"peer\":\"a.example\"}", "peer: impossible value");
	assert_refused("{\"command\":\"call\",\"peer\":\"192.0.2.1:0\"}", "peer: impossible value");
	assert_refused("{\"command\":\"call\",\"peer\":\"192.0.2.1:70000\"}",
	               "peer: impossible value");
	assert_refused("{\"command\":\"call\",\"peer\":[]}", "peer: impossible value");
	assert_refused("{\"command\":\"call\",\"peer\":\"192.0.2.1\",\"port\":65536}",
	               "port: impossible value");
	assert_refused("{\"command\":\"call\",\"peer\":\"192.0.2.1\",\"interface\":0}",
	               "interface: impossible value");
}

static void a_request_is_bounded(void **state)
{
	char text[CONTROL_REQUEST_MAX + 2];

	(void)state;
	memset(text, ' ', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_refused(text, "the request is too long");
}

/* Brackets nested as deeply as a request can hold: jansson has a limit, the stack survives. */
static void deep_nesting_is_refused(void **state)
{
	char text[CONTROL_REQUEST_MAX + 1];

	(void)state;
	memset(text, '[', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_refused(text, "the request is not JSON");
}

static void only_what_changes_something_needs_the_right_to_act(void **state)
{
	(void)state;
	assert_false(control_command_acts(CONTROL_STATUS));
	assert_false(control_command_acts(CONTROL_LIST));
	assert_false(control_command_acts(CONTROL_SHOW));
	assert_false(control_command_acts(CONTROL_STATS));
	assert_true(control_command_acts(CONTROL_CLOSE));
	assert_true(control_command_acts(CONTROL_ABORT));
	assert_true(control_command_acts(CONTROL_CALL));
	assert_true(control_command_acts(CONTROL_RELOAD));
	assert_true(control_command_acts(CONTROL_UPGRADE));
	assert_true(control_command_acts(CONTROL_DRAIN));
	assert_true(control_command_acts(CONTROL_RESUME));
	assert_true(control_command_acts(CONTROL_COMMANDS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_without_arguments_are_read),
		cmocka_unit_test(an_id_is_read),
		cmocka_unit_test(a_call_has_a_peer_and_may_have_a_port),
		cmocka_unit_test(what_is_not_a_request_is_refused),
		cmocka_unit_test(arguments_that_a_command_has_not_are_refused),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(a_request_is_bounded),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(only_what_changes_something_needs_the_right_to_act),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
