/*
 * daemon/spawn.c: what a child has, and what it has not. The starting is done by
 * a process of its own, since it gives up its standard output for it.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/spawn.h"

static char said[4096];

/*
 * A supervisor of our own starts a shell with SCRIPT and a pipe as descriptor 3,
 * /dev/zero as 4; what the script writes to 3 comes into `said`. Returns the wait status.
 */
static int run_script(const char *script, const struct rlimit *files)
{
	int ends[2], status;
	size_t length = 0;
	ssize_t n;

	assert_int_equal(pipe(ends), 0); /* not close-on-exec: spawn must see to it */
	pid_t pid = fork();
	if (pid == 0) {
		const char *const argv[] = {"sh", "-c", script, NULL};
		signal(SIGQUIT, SIG_IGN); /* by whoever started us */
		if (spawn_reserve(true) < 0)
			_exit(90);
		signal(SIGHUP, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
		const int fds[] = {fcntl(ends[1], F_DUPFD_CLOEXEC, 20),
		                   open("/dev/zero", O_RDONLY | O_CLOEXEC)};
		const struct spawn child = {
			.program = open("/bin/sh", O_PATH | O_CLOEXEC),
			.argv = argv,
			.fds = fds,
			.fd_count = 2,
			.files = files,
		};
		pid_t started = spawn(&child);
		if (started < 0 || waitpid(started, &status, 0) != started)
			_exit(91);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 92);
	}
	close(ends[1]);
	while ((n = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0)
		length += (size_t)n;
	said[length] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_child_has_its_descriptors_and_no_others(void **state)
{
	(void)state;
	/* With the shell's own means: a program that it starts changes what is seen. */
	assert_int_equal(run_script("for f in 0 1 2; do"
	                            " test /proc/$$/fd/$f -ef /dev/null && echo null >&3; done;"
	                            "test /proc/$$/fd/4 -ef /dev/zero && echo zero >&3;"
	                            "f=0; while [ $f -lt 100 ]; do"
	                            " test -e /proc/$$/fd/$f && echo $f >&3; f=$((f + 1)); done",
	                            NULL),
	                 0);
	assert_string_equal(said, "null\nnull\nnull\nzero\n0\n1\n2\n3\n4\n");
}

static void a_child_has_an_environment_of_its_own(void **state)
{
	(void)state;
	setenv("LD_PRELOAD_NOT", "x", 1);
	assert_int_equal(run_script("env >&3", NULL), 0);
	assert_null(strstr(said, "LD_PRELOAD_NOT"));
	assert_non_null(strstr(said, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"));
}

static void a_child_ignores_and_blocks_no_signal(void **state)
{
	(void)state;
	assert_int_equal(run_script("while read line; do case $line in"
	                            " SigBlk*|SigIgn*) echo \"$line\" >&3;; esac;"
	                            " done </proc/$$/status",
	                            NULL),
	                 0);
	unsigned long long blocked = 1, ignored = 1;
	assert_int_equal(sscanf(said, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
	assert_true(blocked == 0);
	/* 32 and 33 are libc's own, which cannot be set and which it sets itself. */
	assert_true((ignored & ~(3ull << 31)) == 0);
}

static void a_child_gets_the_limit_it_is_given(void **state)
{
	const struct rlimit limit = {.rlim_cur = 77, .rlim_max = 88};

	(void)state;
	assert_int_equal(run_script("ulimit -Sn >&3; ulimit -Hn >&3; exit 5", &limit), 5 << 8);
	assert_string_equal(said, "77\n88\n");
}

static void a_program_that_cannot_be_started_is_an_error_here(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		const char *const argv[] = {"x", NULL};
		struct spawn child = {.program = open("/etc/passwd", O_PATH | O_CLOEXEC),
		                      .argv = argv};
		if (spawn_reserve(true) < 0)
			_exit(90);
		if (spawn(&child) != -1 || errno != EACCES)
			_exit(91);
		_exit(waitpid(-1, NULL, 0) == -1 && errno == ECHILD ? 0 : 92); /* no zombie */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_has_its_descriptors_and_no_others),
		cmocka_unit_test(a_child_has_an_environment_of_its_own),
		cmocka_unit_test(a_child_ignores_and_blocks_no_signal),
		cmocka_unit_test(a_child_gets_the_limit_it_is_given),
		cmocka_unit_test(a_program_that_cannot_be_started_is_an_error_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
