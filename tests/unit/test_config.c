/*
 * daemon/config*.c: a table of bad configurations with the very line that each
 * gives, and good ones that print and read back as the same.
 */
#include "tests/unit/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/config_keys.h"
#include "stack/congestion.h"
#include "stack/stack.h"

static struct config config;
static char error[CONFIG_ERROR_MAX];

/* Loads TEXT as a file and returns the error ("" when there is none). The file is called FILE. */
static const char *load_text(const char *text)
{
	char path[] = "/tmp/calmd-test-XXXXXX";
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");
	struct config_source source = {.file = path};

	fputs(text, out);
	fclose(out);
	int result = config_load(&source, &config, error);
	unlink(path);
	assert_int_equal(result, error[0] == '\0' ? 0 : -1);
	if (strncmp(error, path, strlen(path)) == 0) {
		memmove(error + 4, error + strlen(path), strlen(error + strlen(path)) + 1);
		memcpy(error, "FILE", 4);
	}
	return error;
}

static const char *load_override(const char *text)
{
	const struct config_source source = {.overrides = &text, .override_count = 1};
	int result = config_load(&source, &config, error);

	assert_int_equal(result, error[0] == '\0' ? 0 : -1);
	return error;
}

static const struct bad {
	const char *text;
	const char *error;
} bad_files[] = {
	{"baner = \"x\"\n", "FILE:1: baner: unknown key"},
	{"\n\n  no-such-key=1", "FILE:3: no-such-key: unknown key"},
	{"# one\n// two\n/* three\nfour */ x = 1 # five", "FILE:4: x: unknown key"},
	{"max-connections = 0", "FILE:1: max-connections: must be between 1 and 60000, is 0"},
	{"max-connections = 60001",
         "FILE:1: max-connections: must be between 1 and 60000, is 60001"},
	{"max-connections = many", "FILE:1: max-connections: must be a number, is \"many\""},
	{"max-connections = -1", "FILE:1: max-connections: must be a number, is \"-1\""},
	{"max-connections = 1.5", "FILE:1: max-connections: must be a number, is \"1.5\""},
	{"max-connections = 99999999999999999999",
         "FILE:1: max-connections: must be a number, is \"99999999999999999999\""},
	{"max-connections = \"\"", "FILE:1: max-connections: must be a number, is \"\""},
	{"max-connections = {1, 2}", "FILE:1: unexpected token '{'"},
	{"max-connections", "FILE:1: premature end of file"},
	{"max-connections 5", "FILE:1: missing equal sign after option 'max-connections'"},
	{"backlog = 0", "FILE:1: backlog: must be between 1 and 60000, is 0"},
	{"half-open = 2000000", "FILE:1: half-open: must be between 1 and 1000000, is 2000000"},
	{"max-connections-per-source = 60001",
         "FILE:1: max-connections-per-source: must be between 0 and 60000, is 60001"},
	{"\nlisten = {}", "FILE:2: listen: must not be empty"},
	{"listen = {\"1.2.3.4:23\",\n \"localhost:23\"}",
         "FILE:2: listen: must be ADDRESS:PORT, such as 0.0.0.0:23 or [::]:23, is "
         "\"localhost:23\""},
	{"listen = {\"1.2.3.4:0\"}",
         "FILE:1: listen: must be ADDRESS:PORT, such as 0.0.0.0:23 or [::]:23, is \"1.2.3.4:0\""},
	{"listen = {\"224.0.0.1:23\"}",
         "FILE:1: listen: must be an address of this host, is \"224.0.0.1:23\""},
	{"listen = {\"0.0.0.0:23\", \"1.2.3.4:23\"}",
         "FILE:1: listen: 1.2.3.4:23 is already covered by 0.0.0.0:23"},
	{"listen = {\"[::1]:23\", \"[::1]\"}",
         "FILE:1: listen: [::1] is already covered by [::1]:23"},
	{"listen = {\"1.1.1.1:1\",\"1.1.1.1:2\",\"1.1.1.1:3\",\"1.1.1.1:4\",\"1.1.1.1:5\","
         "\"1.1.1.1:6\",\"1.1.1.1:7\",\"1.1.1.1:8\",\"1.1.1.1:9\",\"1.1.1.1:10\",\"1.1.1.1:11\","
         "\"1.1.1.1:12\",\"1.1.1.1:13\",\"1.1.1.1:14\",\"1.1.1.1:15\",\"1.1.1.1:16\","
         "\"1.1.1.1:17\"}",
         "FILE:1: listen: must be at most 16 endpoints"},
	{"user = \"\"", "FILE:1: user: must be the name of a user or group, is \"\""},
	{"user = \"a b\"", "FILE:1: user: must be the name of a user or group, is \"a b\""},
	{"user = 0", "FILE:1: user: must be the name of a user or group, is \"0\""},
	{"control-group = \"../x\"",
         "FILE:1: control-group: must be the name of a user or group, is \"../x\""},
	{"busy = ignore", "FILE:1: busy: must be one of drop, reset, message, is \"ignore\""},
	{"busy-message = \"two\\nlines\"",
         "FILE:1: busy-message: must be one line of text without control characters"},
	{"congestion-control = vegas",
         "FILE:1: congestion-control: must be one of reno, cubic, bbr, is \"vegas\""},
	{"log-level = loud",
         "FILE:1: log-level: must be one of error, warning, info, debug, is \"loud\""},
	{"min-spare-workers = 30",
         "FILE:1: min-spare-workers: must not be above max-spare-workers, 24, is 30"},
	{"min-spare-workers = 0", "FILE:1: min-spare-workers: must be between 1 and 1000, is 0"},
	{"login = {}", "FILE:1: login: must not be empty"},
	{"login = {\"\"}", "FILE:1: login: must begin with the name of a program"},
	{"login = {\"%u\", \"x\"}", "FILE:1: login: must begin with the name of a program"},
	{"accept-env = {\"LANG\", \"A B\"}",
         "FILE:1: accept-env: must be a variable's name, in which * and ? may stand for what they do "
         "in a shell, is \"A B\""},
	{"accept-env = {\"A=b\"}",
         "FILE:1: accept-env: must be a variable's name, in which * and ? may stand for what they do "
         "in a shell, is \"A=b\""},
	{"keepalive = never",
         "FILE:1: keepalive: must be a time such as 30s, 5m or 2h, or off, is \"never\""},
	{"keepalive = 1d",
         "FILE:1: keepalive: must be a time such as 30s, 5m or 2h, or off, is \"1d\""},
	{"user-timeout-option = yes",
         "FILE:1: user-timeout-option: must be one of off, on, is \"yes\""},
	{"ecn = 1", "FILE:1: ecn: must be one of off, on, is \"1\""},
	{"stalled-memory = 63k", "FILE:1: stalled-memory: must be between 64k and 2048m, is 63k"},
	{"stalled-memory = 1t",
         "FILE:1: stalled-memory: must be a number of bytes such as 65536, 64k or 1m, is \"1t\""},
	{"user-timeout = 721h", "FILE:1: user-timeout: must be between 1s and 720h, is 721h"},
	{"msl = 0", "FILE:1: msl: must be between 1s and 10m, is 0"},
	{"msl = 11m", "FILE:1: msl: must be between 1s and 10m, is 11m"},
	{"msl = 99999999999999h", "FILE:1: msl: must be between 1s and 10m, is 99999999999999h"},
	{"quiet-time = 2h", "FILE:1: quiet-time: must be auto, off, or a time up to 1h, is \"2h\""},
	{"send-buffer = 100000",
         "FILE:1: send-buffer: must be a power of two between 4k and 64m, is 100000"},
	{"send-buffer = 128m",
         "FILE:1: send-buffer: must be a power of two between 4k and 64m, is 128m"},
	{"receive-buffer = 999999999999999m",
         "FILE:1: receive-buffer: must be a power of two between 4k and 64m, is 999999999999999m"},
	{"receive-buffer = 1g", "FILE:1: receive-buffer: must be a number of bytes such as 65536, "
                                "64k or 1m, is \"1g\""},
	{"control-socket = run/x",
         "FILE:1: control-socket: must be a path that begins with /, is \"run/x\""},
	{"include(\"/etc/passwd\")", "FILE:1: include: unknown key"},
	{"}", "FILE:1: unexpected closing brace"},
};

static void a_bad_file_gives_one_line_with_file_line_and_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++)
		assert_string_equal(load_text(bad_files[i].text), bad_files[i].error);
}

static void a_bad_override_is_named(void **state)
{
	(void)state;
	assert_string_equal(load_override("max-connections=0"),
	                    "-o max-connections: must be between 1 and 60000, is 0");
	assert_string_equal(load_override("nothing=0"), "-o nothing: unknown key");
	assert_string_equal(load_override("max-connections"),
	                    "-o max-connections: must be KEY=VALUE");
	assert_string_equal(load_override("=5"), "-o =5: must be KEY=VALUE");
	assert_string_equal(load_override("max-connections="),
	                    "-o max-connections: premature end of file");
	assert_string_equal(load_override("listen={}"), "-o listen: must not be empty");
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	struct config_source source = {.file = "/nonexistent/calmd.conf"};
	char binary[] = "/tmp/calmd-test-XXXXXX";
	int fd = mkstemp(binary);

	(void)state;
	assert_int_equal(config_load(&source, &config, error), -1);
	assert_string_equal(error, "/nonexistent/calmd.conf: No such file or directory");
	source.optional = true;
	assert_int_equal(config_load(&source, &config, error), 0);
	assert_int_equal(write(fd, "a\0b", 3), 3);
	source = (struct config_source){.file = binary};
	assert_int_equal(config_load(&source, &config, error), -1);
	assert_string_equal(error + strlen(binary), ": is not text");
	close(fd);
	unlink(binary);
	source.file = "/tmp";
	assert_int_equal(config_load(&source, &config, error), -1);
	assert_string_equal(error, "/tmp: Is a directory");
}

static void every_key_has_a_default_that_works(void **state)
{
	(void)state;
	assert_string_equal(load_text(""), "");
	assert_int_equal(config.listens, 2);
	assert_int_equal(config.listen[0].port, 23);
	assert_int_equal(config.listen[1].address.version, IP_V6);
	assert_string_equal(config.user, "_calmd");
	assert_string_equal(config.worker_user, "_calmd-worker");
	assert_int_equal(config.max_connections, 250);
	assert_int_equal(config.busy, STACK_BUSY_DROP);
	assert_int_equal(config.msl_us, 30000000);
	assert_int_equal(config.keepalive_us, UINT64_C(7200000000));
	assert_int_equal(config.user_timeout_us, 0);
	assert_int_equal(config.user_timeout_option, 0);
	assert_int_equal(config.stalled_memory, 64 << 20);
	assert_int_equal(config.congestion, CONGESTION_BBR);
	assert_int_equal(config.ecn, 1);
	assert_int_equal(config.receive_buffer, 256 << 10);
	assert_int_equal(config.login.count, 5);
	assert_int_equal(config.login.size, sizeof("login\0-p\0-h\0%h\0%u"));
	assert_memory_equal(config.login.text, "login\0-p\0-h\0%h\0%u", config.login.size);
	assert_int_equal(config.accept_env.count, 3);
	assert_int_equal(config.accept_env.size, sizeof("LANG\0LC_*\0COLORTERM"));
	assert_memory_equal(config.accept_env.text, "LANG\0LC_*\0COLORTERM",
	                    config.accept_env.size);
}

static void later_settings_win(void **state)
{
	(void)state;
	assert_string_equal(load_text("backlog = 5\nlisten = {\"1.1.1.1:1\", \"1.1.1.1:2\"}\n"
	                              "listen = {\"2.2.2.2:2\"}\nbacklog = 6\n"),
	                    "");
	assert_int_equal(config.backlog, 6);
	assert_int_equal(config.listens, 1);
	assert_int_equal(config.listen[0].address.bytes[0], 2);
}

/* What config_print() writes; to be freed. */
static char *printed(void)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	config_print(&config, out);
	fclose(out);
	return text;
}

static void reads_back(const char *text)
{
	assert_string_equal(load_text(text), "");
	char *first = printed();
	struct config before = config;
	assert_string_equal(load_text(first), "");
	char *second = printed();
	assert_string_equal(first, second);
	assert_memory_equal(&before, &config, sizeof(config));
	free(first);
	free(second);
}

static void what_is_printed_reads_back_as_the_same(void **state)
{
	(void)state;
	reads_back("");
	reads_back("listen = {\"0.0.0.0\", \"[::]:2323\", \"10.0.0.1:9\"}\nuser = a\n"
	           "worker-user = b\nmax-connections = 1\nmax-connections-per-source = 0\n"
	           "backlog = 60000\nhalf-open = 1\nbusy = message\n"
	           "busy-message = \"say \\\"no\\\" for \\$5 \\\\ ${} # // 'x'\"\n"
	           "min-spare-workers = 1\nmax-spare-workers = 1\n"
	           "login = {\"/bin/sh\", \"-c\", \"echo \\\"hi\\\"; tty\", \"\"}\n"
	           "keepalive = off\necn = off\nuser-timeout = 90\nuser-timeout-option = on\n"
	           "stalled-memory = 100m\ncall-timeout = 61s\nmsl = 1\n"
	           "quiet-time = 90s\ndscp = 46\nttl = 255\n"
	           "send-buffer = 4096\nreceive-buffer = 64M\n"
	           "control-socket = \"/tmp/a b\"\ncontrol-group = x\ncontrol-read-group = y\n"
	           "state-dir = /x\nlog-level = debug\n");
	reads_back("quiet-time = off\nbusy = reset\nkeepalive = 0");
	reads_back("accept-env = {\"TZ\", \"A*_?\"}");
	reads_back("banner = /etc/issue.net\nlogin-timeout = 2m\nidle-timeout = 7h\nprobe = 90");
	reads_back("accept-env = {}");
	assert_int_equal(config.accept_env.count, 0);
}

/* The lines of etc/calmd.conf that set a key, whether commented out or not. */
static char *example_file(bool uncomment)
{
	const char *folder = getenv("CALMD_SRCDIR");
	char path[4096], line[512];
	char *text = NULL;
	size_t length;

	snprintf(path, sizeof(path), "%s/etc/calmd.conf", folder != NULL ? folder : ".");
	FILE *in = fopen(path, "r");
	if (in == NULL)
		fail_msg("%s cannot be opened", path);
	FILE *out = open_memstream(&text, &length);
	while (fgets(line, sizeof(line), in) != NULL) {
		bool key = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
		fputs(uncomment && key ? line + 1 : line, out);
	}
	fclose(in);
	fclose(out);
	return text;
}

static void the_file_we_ship_shows_every_default(void **state)
{
	char *as_is = example_file(false), *all = example_file(true);
	char key[64];

	(void)state;
	assert_string_equal(load_text(""), "");
	struct config defaults = config;
	char *keys = printed();
	assert_string_equal(load_text(as_is), "");
	assert_memory_equal(&config, &defaults, sizeof(config));
	assert_string_equal(load_text(all), "");
	assert_memory_equal(&config, &defaults, sizeof(config));
	for (const char *line = keys; *line != '\0'; line = strchr(line, '\n') + 1) {
		snprintf(key, sizeof(key), "\n%.*s =", (int)strcspn(line, " "), line);
		if (strstr(all, key) == NULL)
			fail_msg("etc/calmd.conf does not show%s", key);
	}
	free(as_is);
	free(all);
	free(keys);
}

static void random_text_is_refused_or_taken_but_never_breaks_anything(void **state)
{
	static const char *const words[] = {
		"listen", "=",  "{",  "}",    "\"", "'",
		"\n",     "#",  "//", "/*",   "*/", "max-connections",
		"login",  " ",  ",",  "1",    "+=", "\\",
		"$",      "(",  ")",  "x",    "",   "\"1.2.3.4:5\"",
		"0",      "\t", "\r", "9999", "h",  "~",
		"${",     "%",  "!",
	};
	struct random random = random_start();
	char text[512];

	(void)state;
	for (int round = 0; round < 2000; round++) {
		text[0] = '\0';
		for (uint32_t i = random_below(&random, 30); i > 0; i--)
			strcat(text,
			       words[random_below(&random, sizeof(words) / sizeof(words[0]))]);
		load_override(text);
		struct config_source source = {.file = NULL};
		assert_int_equal(config_load(&source, &config, error), 0);
	}
}

static void add_difference(void *arg, const struct config_key *key, const char *from,
                           const char *to)
{
	char *text = arg;

	sprintf(text + strlen(text), "%s: %s to %s\n", key->name, from, to);
}

static void what_differs_is_found_key_by_key(void **state)
{
	static struct config before;
	char text[512] = "";

	(void)state;
	assert_string_equal(load_text("backlog = 7\nlogin = {\"a\", \"b\"}"), "");
	before = config;
	assert_string_equal(load_text("login = {\"a\", \"b\"} # the same\nbacklog=7"), "");
	config_compare(&before, &config, add_difference, text);
	assert_string_equal(text, "");
	assert_string_equal(load_text("msl = 60s\nlogin = {\"a\", \"b c\"}\nkeepalive = 120m"), "");
	config_compare(&before, &config, add_difference, text);
	assert_string_equal(text, "backlog: 7 to 64\n"
	                          "login: {\"a\", \"b\"} to {\"a\", \"b c\"}\n"
	                          "msl: 30s to 1m\n");
}

static void keep_what_needs_a_restart(void *arg, const struct config_key *key, const char *from,
                                      const char *to)
{
	(void)from;
	(void)to;
	if (key->restart)
		config_keep(key, arg, &config);
}

static void what_cannot_change_can_be_kept(void **state)
{
	static struct config before;
	char text[512] = "";

	(void)state;
	assert_string_equal(load_text("user = one\nquiet-time = 7s\nstate-dir = /a/long/path"), "");
	before = config;
	assert_string_equal(load_text("quiet-time = off\nbacklog = 9\ncontrol-socket = /x"), "");
	config_compare(&before, &config, keep_what_needs_a_restart, &before);
	config_compare(&before, &config, add_difference, text);
	assert_string_equal(text, "backlog: 64 to 9\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_file_gives_one_line_with_file_line_and_key),
		cmocka_unit_test(a_bad_override_is_named),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(every_key_has_a_default_that_works),
		cmocka_unit_test(later_settings_win),
		cmocka_unit_test(what_is_printed_reads_back_as_the_same),
		cmocka_unit_test(the_file_we_ship_shows_every_default),
		cmocka_unit_test(what_differs_is_found_key_by_key),
		cmocka_unit_test(what_cannot_change_can_be_kept),
		cmocka_unit_test(random_text_is_refused_or_taken_but_never_breaks_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
