/*
 * daemon/privileges.c, in a child of the test each time; needs root.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/privileges.h"

#define USER  12345
#define GROUP 12346

/* An empty directory that is removed already, as the supervisor gives it. */
static int empty_directory(void)
{
	char path[] = "/tmp/calmd-test-XXXXXX";

	if (mkdtemp(path) == NULL)
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rmdir(path);
	return fd;
}

/* Runs CHECK in a child that has given up its rights; it returns 0 when all is well. */
static void in_dropped_child(int (*check)(void))
{
	int status;

	if (geteuid() != 0)
		skip();
	pid_t pid = fork();
	if (pid == 0) {
		const char *what = "directory";
		const gid_t groups[] = {1, 2, 3};
		int directory = setgroups(3, groups) < 0 ? -1 : empty_directory();
		if (directory < 0 || privileges_drop(directory, USER, GROUP, &what) < 0) {
			fprintf(stderr, "%s: %s\n", what, strerror(errno));
			_exit(99);
		}
		_exit(check());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int user_is_changed(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) < 0 || r != USER || e != USER || s != USER)
		return 1;
	if (getresgid(&rg, &eg, &sg) < 0 || rg != GROUP || eg != GROUP || sg != GROUP)
		return 2;
	return getgroups(0, NULL) == 0 ? 0 : 3;
}

static int root_is_out_of_reach(void)
{
	if (setuid(0) == 0 || seteuid(0) == 0 || setresuid(0, 0, 0) == 0)
		return 1;
	if (setgid(0) == 0 || setgroups(0, NULL) == 0)
		return 2;
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0)
			return 3;
	}
	if (socket(AF_INET, SOCK_RAW, IPPROTO_TCP) >= 0)
		return 4;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 5;
}

static int nothing_of_the_file_system_is_left(void)
{
	if (access("/etc/passwd", F_OK) == 0 || access("/proc", F_OK) == 0 ||
	    access("../../etc", F_OK) == 0)
		return 1;
	if (open("/new", O_CREAT | O_WRONLY, 0600) >= 0)
		return 2;
	return chroot("/") == 0 ? 3 : 0;
}

static int it_cannot_be_traced(void)
{
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static void user_and_groups_are_changed_for_good(void **state)
{
	(void)state;
	in_dropped_child(user_is_changed);
}

static void no_way_leads_back_to_root(void **state)
{
	(void)state;
	in_dropped_child(root_is_out_of_reach);
}

static void the_file_system_is_out_of_sight(void **state)
{
	(void)state;
	in_dropped_child(nothing_of_the_file_system_is_left);
}

static void others_of_the_same_user_cannot_trace_it(void **state)
{
	(void)state;
	in_dropped_child(it_cannot_be_traced);
}

static void root_as_the_target_is_refused(void **state)
{
	const char *what = NULL;

	(void)state;
	assert_int_equal(privileges_drop(-1, 0, GROUP, &what), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(what, "user");
	assert_int_equal(privileges_drop(-1, USER, 0, &what), -1);
	assert_int_equal(errno, EINVAL);
}

static void the_step_that_failed_is_named(void **state)
{
	const char *what = NULL;

	(void)state;
	assert_int_equal(privileges_drop(-1, USER, GROUP, &what), -1);
	assert_int_equal(errno, EBADF);
	assert_string_equal(what, "fchdir");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_and_groups_are_changed_for_good),
		cmocka_unit_test(no_way_leads_back_to_root),
		cmocka_unit_test(the_file_system_is_out_of_sight),
		cmocka_unit_test(others_of_the_same_user_cannot_trace_it),
		cmocka_unit_test(root_as_the_target_is_refused),
		cmocka_unit_test(the_step_that_failed_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
