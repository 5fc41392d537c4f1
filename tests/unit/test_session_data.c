/* What a client may say about its session: each limit, from both sides. */
#include "tests/unit/random.h"

#include <stdio.h>

#include "shell/opener.h"
#include "shell/session_data.h"

static bool user(const char *text)
{
	char array[SESSION_USER_SIZE] = {0};

	memcpy(array, text, strnlen(text, sizeof(array)));
	return session_user_valid(array, sizeof(array));
}

static void a_user_is_a_name_that_cannot_be_an_option(void **state)
{
	static const char *const good[] = {"root", "_x", "a.b-c_D9",
	                                   "abcdefghijklmnopqrstuvwxyz012345", "f"};
	static const char *const bad[] = {
		"",       "-f root",  "-froot",
		"-p",     "-h x",     "a b",
		"-e",     "a\nb",     "a\rb",
		"1a",     ".a",       "a`id`",
		"$(id)",  "a/b",      "../root",
		"%n%s%x", "\xc3\xa4", "root\x7f",
		"a=b",    "a:b",      "abcdefghijklmnopqrstuvwxyz0123456",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(user(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(user(bad[i]));
}

static void a_text_without_its_nul_is_not_valid(void **state)
{
	char all[SESSION_DISPLAY_SIZE];

	(void)state;
	memset(all, 'a', sizeof(all));
	assert_false(session_user_valid(all, 32));
	assert_false(session_terminal_valid(all, SESSION_TERMINAL_SIZE));
	assert_false(session_display_valid(all, sizeof(all)));
	all[128] = '\0';
	assert_true(session_display_valid(all, sizeof(all)));
}

static void a_display_is_a_host_and_numbers(void **state)
{
	(void)state;
	assert_true(session_display_valid("[fd76::1]:10.0", sizeof("[fd76::1]:10.0")));
	assert_true(session_display_valid("unix:0", sizeof("unix:0")));
	assert_false(session_display_valid("", 1));
	assert_false(session_display_valid("-f", 3));
	assert_false(session_display_valid("a b:0", 6));
	assert_false(session_display_valid("%n%s:0", 7));
}

/* ---- variables ---- */

static struct message_environment environment;

static int begin(void **state)
{
	(void)state;
	environment = (struct message_environment){0};
	return 0;
}

static bool set(const char *name, const char *value)
{
	return session_variable_set(&environment, name, strlen(name), value, strlen(value));
}

/* All entries, each with a blank behind it. */
static const char *entries(void)
{
	static char text[2 * SESSION_ENVIRONMENT_SIZE];
	const char *entry = NULL;

	text[0] = '\0';
	assert_true(session_environment_valid(&environment));
	while ((entry = session_variable_next(&environment, entry)) != NULL) {
		strcat(text, entry);
		strcat(text, " ");
	}
	return text;
}

static void variables_are_set_replaced_and_removed(void **state)
{
	(void)state;
	assert_string_equal(entries(), "");
	assert_true(set("LANG", "C.UTF-8"));
	assert_true(set("EMPTY", ""));
	assert_true(set("LANGUAGE", "x=y"));
	assert_string_equal(entries(), "LANG=C.UTF-8 EMPTY= LANGUAGE=x=y ");
	assert_true(set("LANG", "de"));
	assert_string_equal(entries(), "EMPTY= LANGUAGE=x=y LANG=de ");
	session_variable_remove(&environment, "EMPTY", 5);
	session_variable_remove(&environment, "NONE", 4);
	assert_string_equal(entries(), "LANGUAGE=x=y LANG=de ");
}

static void what_is_no_variable_is_not_set(void **state)
{
	char name[SESSION_NAME_MAX + 2] = {0}, value[SESSION_VALUE_MAX + 2] = {0};

	(void)state;
	assert_false(set("", "x"));
	assert_false(set("1A", "x"));
	assert_false(set("A-B", "x"));
	assert_false(set("A=B", "x"));
	assert_false(set("A", "a\nb"));
	assert_false(set("A", "\x1b[2J"));
	assert_false(session_variable_set(&environment, "A\0B", 3, "x", 1));
	assert_false(session_variable_set(&environment, "A", 1, "a\0b", 3));
	memset(name, 'N', SESSION_NAME_MAX + 1);
	memset(value, 'v', SESSION_VALUE_MAX + 1);
	assert_false(set(name, "x"));
	assert_false(set("A", value));
	assert_string_equal(entries(), "");
	name[SESSION_NAME_MAX] = value[SESSION_VALUE_MAX] = '\0';
	assert_true(set(name, value));
}

static void three_thousand_variables_are_as_many_as_have_room(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		char name[16];
		snprintf(name, sizeof(name), "V%u", i);
		taken += set(name, "value") ? 1 : 0;
	}
	assert_in_range(taken, 150, 220);
	assert_true(session_environment_valid(&environment));
	/* A full one still takes a value that is no longer than the one it replaces. */
	assert_true(set("V0", "other"));
	assert_false(set("V1", "much longer than what was there before it"));
	assert_true(session_environment_valid(&environment));
}

static void whatever_is_set_the_block_stays_valid(void **state)
{
	(void)state;
	struct random random = random_start();

	for (unsigned round = 0; round < 20000; round++) {
		char name[4], value[80];
		size_t name_length = random_below(&random, sizeof(name) + 1);
		size_t value_length = random_below(&random, sizeof(value) + 1);
		for (size_t i = 0; i < name_length; i++)
			name[i] = "AB_1= \0"[random_below(&random, 7)];
		for (size_t i = 0; i < value_length; i++)
			value[i] =
				(char)(random_below(&random, 50) == 0 ? random_below(&random, 256)
			                                              : 'v');
		if (random_below(&random, 4) == 0)
			session_variable_remove(&environment, name, name_length);
		else
			session_variable_set(&environment, name, name_length, value, value_length);
		assert_true(session_environment_valid(&environment));
	}
}

static void a_block_that_a_stranger_made_is_refused(void **state)
{
	static const struct {
		const char *text;
		uint32_t size;
	} blocks[] = {
		{"A=b", 3},       {"A=b\0C", 6},
		{"A\0", 2},       {"=b\0", 3},
		{"A=b\0\0", 5},   {"A=\n\0", 4},
		{"A-=b\0", 5},    {"A=b", SESSION_ENVIRONMENT_SIZE + 1},
		{"", UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		environment = (struct message_environment){.size = blocks[i].size};
		if (blocks[i].size <= 8)
			memcpy(environment.text, blocks[i].text, blocks[i].size);
		assert_false(session_environment_valid(&environment));
	}
}

/* ---- the whole request ---- */

static struct message_open_session good_request(void)
{
	struct message_open_session request = {
		.peer = {.address = {.bytes = {192, 0, 2, 9}, .version = IP_V4}, .port = 40000},
		.terminal = "vt100",
		.user = "tester",
		.display = "host:0.0",
	};

	assert_true(session_variable_set(&request.environment, "LANG", 4, "C", 1));
	return request;
}

static void a_request_is_valid_in_all_its_parts_or_not_at_all(void **state)
{
	struct message_open_session request = good_request();

	(void)state;
	assert_true(open_session_valid(&request));
	request.user[0] = request.display[0] = '\0';
	request.environment.size = 0;
	assert_true(open_session_valid(&request));

	request = good_request();
	request.user[0] = '-';
	assert_false(open_session_valid(&request));
	request = good_request();
	memset(request.user, 'a', sizeof(request.user));
	assert_false(open_session_valid(&request));
	request = good_request();
	request.display[1] = ' ';
	assert_false(open_session_valid(&request));
	request = good_request();
	request.terminal[0] = '/';
	assert_false(open_session_valid(&request));
	request = good_request();
	request.terminal[0] = '\0';
	assert_false(open_session_valid(&request));
	request = good_request();
	request.environment.size--;
	assert_false(open_session_valid(&request));
	request = good_request();
	request.environment.size = SESSION_ENVIRONMENT_SIZE + 1;
	assert_false(open_session_valid(&request));
	request = good_request();
	request.peer.address.version = 5;
	assert_false(open_session_valid(&request));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_is_a_name_that_cannot_be_an_option),
		cmocka_unit_test(a_text_without_its_nul_is_not_valid),
		cmocka_unit_test(a_display_is_a_host_and_numbers),
		cmocka_unit_test_setup(variables_are_set_replaced_and_removed, begin),
		cmocka_unit_test_setup(what_is_no_variable_is_not_set, begin),
		cmocka_unit_test_setup(three_thousand_variables_are_as_many_as_have_room, begin),
		cmocka_unit_test_setup(whatever_is_set_the_block_stays_valid, begin),
		cmocka_unit_test_setup(a_block_that_a_stranger_made_is_refused, begin),
		cmocka_unit_test(a_request_is_valid_in_all_its_parts_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
