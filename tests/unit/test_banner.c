/* The banner: its escapes, and what is no file for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shell/banner.h"

static const struct banner_facts facts = {
	.system = {.sysname = "Linux",
                   .nodename = "host",
                   .release = "6.1",
                   .version = "#1",
                   .machine = "x86_64",
                   .domainname = "(none)"},
	.pretty = "Debian",
	.line = "pts/7",
	.now = {.tm_year = 126,
                .tm_mon = 10,
                .tm_mday = 8,
                .tm_wday = 0,
                .tm_hour = 9,
                .tm_min = 5},
	.users = 3,
};

static const char *expand(const char *text)
{
	static char out[256];

	out[banner_expand(text, strlen(text), &facts, out, sizeof(out) - 1)] = '\0';
	return out;
}

static void escapes_of_telnetd_are_replaced(void **state)
{
	(void)state;
	assert_string_equal(expand("%s %h %r %v %m %t %D %%"),
	                    "Linux host 6.1 #1 x86_64 pts/7 (none) %");
	assert_string_equal(expand("%d"), "09:05 on Sunday, 08 November 2026");
}

static void escapes_of_agetty_are_replaced(void **state)
{
	(void)state;
	assert_string_equal(expand("\\S \\s \\n \\r \\v \\m \\l \\o \\\\"),
	                    "Debian Linux host 6.1 #1 x86_64 pts/7 (none) \\");
	assert_string_equal(expand("\\d \\t \\u \\U \\e[m"),
	                    "Sun Nov  8 2026 09:05:00 3 3 users \033[m");
}

static void other_text_stays_and_lines_end_as_telnet_has_it(void **state)
{
	(void)state;
	assert_string_equal(expand("a\nb %n%s%x %o \\q %"), "a\r\nb %nLinux%x %o \\q %");
	assert_string_equal(expand("\\"), "\\");
}

static void what_has_no_room_is_left_out(void **state)
{
	char out[10];

	(void)state;
	assert_int_equal(banner_expand("12345678%h", 10, &facts, out, sizeof(out)), 10);
	assert_memory_equal(out, "12345678ho", 10);
	assert_int_equal(banner_expand("1\n", 2, &facts, out, 2), 2);
	assert_memory_equal(out, "1\r", 2);
	assert_int_equal(banner_expand("x", 1, &facts, out, 0), 0);
}

static void only_a_file_is_read_and_only_its_beginning(void **state)
{
	char folder[] = "/tmp/calmd-test-XXXXXX", path[64], out[8192];

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(banner_read(folder, 1, out, sizeof(out)), 0);
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(banner_read(path, 1, out, sizeof(out)), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(banner_read(path, 1, out, sizeof(out)), 0); /* does not wait */
	unlink(path);
	snprintf(path, sizeof(path), "%s/large", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("%t..", file);
	fclose(file);
	assert_int_equal(banner_read(path, 12, out, sizeof(out)), BANNER_FILE_MAX / 4 * 8);
	assert_memory_equal(out, "pts/12..pts/12..", 16);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_of_telnetd_are_replaced),
		cmocka_unit_test(escapes_of_agetty_are_replaced),
		cmocka_unit_test(other_text_stays_and_lines_end_as_telnet_has_it),
		cmocka_unit_test(what_has_no_room_is_left_out),
		cmocka_unit_test(only_a_file_is_read_and_only_its_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
