/* What a session runs: login's arguments, and which variables it gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shell/accept_env.h"
#include "shell/opener.h"
#include "shell/session_data.h"

static struct message_strings patterns;
static struct login login;
static struct message_open_session request;
static struct login_command command;

static void set_login(const char *const argv[])
{
	for (login.count = 0; argv[login.count] != NULL; login.count++)
		login.argv[login.count] = argv[login.count];
}

static void accept(const char *const list[])
{
	patterns = (struct message_strings){0};
	for (; list[patterns.count] != NULL; patterns.count++) {
		size_t length = strlen(list[patterns.count]) + 1;
		memcpy(patterns.text + patterns.size, list[patterns.count], length);
		patterns.size += (uint32_t)length;
	}
}

static int begin(void **state)
{
	(void)state;
	set_login((const char *const[]){"login", "-p", "-h", "%h", "%u", NULL});
	accept((const char *const[]){"LANG", "LC_*", "COLORTERM", NULL});
	login.accept_env = &patterns;
	request = (struct message_open_session){
		.peer = {.address = {.bytes = {192, 0, 2, 9}, .version = IP_V4}, .port = 40000},
		.terminal = "vt100",
	};
	return 0;
}

static void offer(const char *name, const char *value)
{
	assert_true(session_variable_set(&request.environment, name, strlen(name), value,
	                                 strlen(value)));
}

/* The texts of LIST, each with a blank behind it. */
static const char *joined(char *const list[])
{
	static char text[sizeof(command.text) * 2];

	text[0] = '\0';
	for (size_t i = 0; list[i] != NULL; i++) {
		strcat(text, list[i]);
		strcat(text, " ");
	}
	return text;
}

static const char *arguments(void)
{
	assert_true(login_command(&login, &request, &command));
	return joined(command.argv);
}

static const char *variables(void)
{
	assert_true(login_command(&login, &request, &command));
	return joined(command.environment);
}

static void a_user_stands_behind_two_dashes(void **state)
{
	(void)state;
	strcpy(request.user, "tester");
	assert_string_equal(arguments(), "login -p -h 192.0.2.9 -- tester ");
	assert_string_equal(command.argv[4], "--");
	assert_string_equal(command.argv[5], "tester");
	assert_null(command.argv[6]);
}

static void without_a_user_there_is_neither(void **state)
{
	(void)state;
	assert_string_equal(arguments(), "login -p -h 192.0.2.9 ");
}

static void a_login_that_does_not_ask_for_the_user_is_not_told(void **state)
{
	(void)state;
	strcpy(request.user, "tester");
	set_login((const char *const[]){"/bin/board", "--caller=%h", "-%u", "100%", NULL});
	assert_string_equal(arguments(), "/bin/board --caller=192.0.2.9 -%u 100% ");
}

static void an_address_of_ipv6_is_numeric_too(void **state)
{
	(void)state;
	request.peer.address =
		(struct ip_address){.bytes = {0xfd, 0x76, [15] = 1}, .version = IP_V6};
	assert_string_equal(arguments(), "login -p -h fd76::1 ");
}

static void the_longest_command_has_room_and_a_longer_one_is_refused(void **state)
{
	static char many[MESSAGE_STRINGS_SIZE];

	(void)state;
	request.peer.address = (struct ip_address){.version = IP_V6};
	memset(request.peer.address.bytes, 0xff, sizeof(request.peer.address.bytes));
	for (size_t i = 0; i + 2 < 200; i += 2)
		memcpy(many + i, "%h", 2);
	set_login((const char *const[]){"x", many, "%u", "%u", NULL});
	memset(request.user, 'a', 32);
	assert_int_equal(strlen(arguments()), 2 + 99 * 39 + 1 + 3 + 33);
	for (size_t i = 0; i + 2 < sizeof(many); i += 2)
		memcpy(many + i, "%h", 2);
	assert_false(login_command(&login, &request, &command));
}

static void the_environment_begins_empty(void **state)
{
	(void)state;
	assert_string_equal(variables(), "TERM=vt100 ");
	strcpy(request.display, "host:0");
	assert_string_equal(variables(), "TERM=vt100 DISPLAY=host:0 ");
}

static void a_variable_is_accepted_by_name_or_pattern(void **state)
{
	(void)state;
	offer("LANG", "de_DE.UTF-8@euro");
	offer("LC_ALL", "C");
	offer("COLORTERM", "truecolor");
	offer("LANGX", "x");
	offer("XLC_ALL", "x");
	offer("EXTRA", "x");
	assert_string_equal(variables(),
	                    "TERM=vt100 LANG=de_DE.UTF-8@euro LC_ALL=C COLORTERM=truecolor ");
}

static void a_locale_is_no_path(void **state)
{
	(void)state;
	offer("LANG", "../../tmp/evil");
	offer("LC_CTYPE", "/tmp/evil");
	assert_string_equal(variables(), "TERM=vt100 ");
}

static void what_is_dangerous_is_not_accepted_by_any_pattern(void **state)
{
	static const char *const names[] = {
		"LD_PRELOAD",
		"LD_LIBRARY_PATH",
		"LD_AUDIT",
		"GCONV_PATH",
		"LANGUAGE",
		"OUTPUT_CHARSET",
		"LOCPATH",
		"NLSPATH",
		"IFS",
		"ENV",
		"BASH_ENV",
		"BASH_FUNC_x",
		"SHELLOPTS",
		"PS4",
		"PROMPT_COMMAND",
		"PATH",
		"HOME",
		"SHELL",
		"USER",
		"LOGNAME",
		"TERM",
		"TERMCAP",
		"TERMINFO",
		"TERMINFO_DIRS",
		"TTYPROMPT",
		"DISPLAY",
		"CREDENTIALS_DIRECTORY",
		"HOSTALIASES",
		"RES_OPTIONS",
		"MALLOC_CHECK_",
		"GLIBC_TUNABLES",
		"PERL5LIB",
		"PYTHONPATH",
		"RUBYOPT",
		"NODE_OPTIONS",
		"LESSOPEN",
		"PAGER",
		"EDITOR",
		"MAIL",
		"KRB5_CONFIG",
		"KRB5CCNAME",
		"XDG_RUNTIME_DIR",
		"SUDO_USER",
		"TZDIR",
		"LISTEN_FDS",
		"NOTIFY_SOCKET",
	};

	(void)state;
	accept((const char *const[]){"*", "LD_*", "??*", NULL});
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		request.environment.size = 0;
		offer(names[i], "value");
		assert_string_equal(variables(), "TERM=vt100 ");
	}
	offer("LIBRARY", "value");
	assert_string_equal(variables(), "TERM=vt100 LIBRARY=value ");
}

static void patterns_are_a_shells(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} cases[] = {
		{"A*C", "AC", true},      {"A*C", "ABBC", true},     {"A*C", "ABCD", false},
		{"*", "A", true},         {"A?", "AB", true},        {"A?", "A", false},
		{"*A*B", "XAYABB", true}, {"*A*B", "XAYABC", false}, {"A", "a", false},
		{"**A", "A", true},       {"A**", "A", true},        {"A", "AA", false},
		{"X*?Z", "XZ", false},    {"X*?Z", "XYZ", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char entry[32];
		accept((const char *const[]){"NONE", cases[i].pattern, NULL});
		snprintf(entry, sizeof(entry), "%s=value", cases[i].name);
		assert_int_equal(accept_env(&patterns, entry), cases[i].fits);
	}
	accept((const char *const[]){NULL});
	assert_false(accept_env(&patterns, "A=b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_user_stands_behind_two_dashes, begin),
		cmocka_unit_test_setup(without_a_user_there_is_neither, begin),
		cmocka_unit_test_setup(a_login_that_does_not_ask_for_the_user_is_not_told, begin),
		cmocka_unit_test_setup(an_address_of_ipv6_is_numeric_too, begin),
		cmocka_unit_test_setup(the_longest_command_has_room_and_a_longer_one_is_refused,
	                               begin),
		cmocka_unit_test_setup(the_environment_begins_empty, begin),
		cmocka_unit_test_setup(a_variable_is_accepted_by_name_or_pattern, begin),
		cmocka_unit_test_setup(a_locale_is_no_path, begin),
		cmocka_unit_test_setup(what_is_dangerous_is_not_accepted_by_any_pattern, begin),
		cmocka_unit_test_setup(patterns_are_a_shells, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
