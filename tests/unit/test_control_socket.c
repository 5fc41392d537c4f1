/*
 * daemon/control_socket.c: who may connect, what is replaced and what is not, and
 * what is left behind. Ownership is checked as root only.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control_socket.h"

static char directory[] = "/tmp/calmd-test-XXXXXX";
static char path[64];
static struct control_socket control;

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/calmd-test-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/run/control", directory);
	return 0;
}

static int remove_directory(void **state)
{
	char run[64];

	(void)state;
	snprintf(run, sizeof(run), "%s/run", directory);
	unlink(path);
	rmdir(run);
	return rmdir(directory);
}

static mode_t mode_of(const char *file)
{
	struct stat status;

	assert_int_equal(lstat(file, &status), 0);
	return status.st_mode & 07777;
}

static int connect_to(const char *file)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, file);
	int result = connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return result;
}

static void opens(uint32_t group, uint32_t read_group, mode_t mode)
{
	struct stat status;

	assert_int_equal(control_socket_open(&control, path, group, read_group), 0);
	assert_int_equal(mode_of(path), mode);
	assert_int_equal(lstat(path, &status), 0);
	if (geteuid() == 0)
		assert_int_equal(status.st_gid, group == CONTROL_NO_GROUP ? 0 : group);
	assert_int_equal(connect_to(path), 0);
	control_socket_close(&control);
}

static void the_groups_decide_who_may_connect(void **state)
{
	mode_t mask = umask(077);
	char run[64];

	(void)state;
	if (geteuid() != 0)
		skip();
	opens(CONTROL_NO_GROUP, CONTROL_NO_GROUP, 0600);
	opens(5, CONTROL_NO_GROUP, 0660);
	opens(5, 6, 0666);
	opens(CONTROL_NO_GROUP, 6, 0666);
	umask(mask);
	snprintf(run, sizeof(run), "%s/run", directory);
	assert_int_equal(mode_of(run), 0755);
}

static void the_end_leaves_no_file(void **state)
{
	(void)state;
	opens(CONTROL_NO_GROUP, CONTROL_NO_GROUP, 0600);
	assert_int_equal(access(path, F_OK), -1);
	control_socket_close(&control); /* once more does no harm */
}

static void a_socket_that_nobody_serves_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(control_socket_open(&control, path, CONTROL_NO_GROUP, CONTROL_NO_GROUP),
	                 0);
	close(control.fd); /* as a daemon that was killed */
	assert_int_equal(connect_to(path), -1);
	opens(CONTROL_NO_GROUP, CONTROL_NO_GROUP, 0600);
}

static void a_daemon_that_answers_is_left_alone(void **state)
{
	struct control_socket second;

	(void)state;
	assert_int_equal(control_socket_open(&control, path, CONTROL_NO_GROUP, CONTROL_NO_GROUP),
	                 0);
	assert_int_equal(control_socket_open(&second, path, CONTROL_NO_GROUP, CONTROL_NO_GROUP),
	                 -1);
	assert_int_equal(errno, EADDRINUSE);
	control_socket_close(&second);
	assert_int_equal(connect_to(path), 0);
	control_socket_close(&control);
}

static void a_daemon_that_is_busy_is_left_alone(void **state)
{
	struct control_socket second;
	int clients[64];

	(void)state;
	assert_int_equal(control_socket_open(&control, path, CONTROL_NO_GROUP, CONTROL_NO_GROUP),
	                 0);
	for (int i = 0; i < 64; i++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		strcpy(address.sun_path, path);
		if (connect(clients[i], (struct sockaddr *)&address, sizeof(address)) < 0)
			assert_int_equal(errno, EAGAIN);
	}
	assert_int_equal(control_socket_open(&second, path, CONTROL_NO_GROUP, CONTROL_NO_GROUP),
	                 -1);
	assert_int_equal(errno, EADDRINUSE);
	for (int i = 0; i < 64; i++)
		close(clients[i]);
	control_socket_close(&control);
}

static void what_is_no_socket_is_never_removed(void **state)
{
	char run[64];

	(void)state;
	snprintf(run, sizeof(run), "%s/run", directory);
	assert_int_equal(mkdir(run, 0755), 0);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(control_socket_open(&control, path, CONTROL_NO_GROUP, CONTROL_NO_GROUP),
	                 -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(control_socket_open(&control, path, CONTROL_NO_GROUP, CONTROL_NO_GROUP),
	                 -1);
	assert_int_equal(errno, EEXIST);
}

static void another_daemon_s_socket_is_not_removed_at_the_end(void **state)
{
	struct control_socket second;

	(void)state;
	assert_int_equal(control_socket_open(&control, path, CONTROL_NO_GROUP, CONTROL_NO_GROUP),
	                 0);
	unlink(path);
	assert_int_equal(control_socket_open(&second, path, CONTROL_NO_GROUP, CONTROL_NO_GROUP), 0);
	control_socket_close(&control);
	assert_int_equal(connect_to(path), 0);
	control_socket_close(&second);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	char longer[200];

	(void)state;
	memset(longer, 'a', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(control_socket_open(&control, longer, CONTROL_NO_GROUP, CONTROL_NO_GROUP),
	                 -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

#define SOCKET_TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOCKET_TEST(the_groups_decide_who_may_connect),
		SOCKET_TEST(the_end_leaves_no_file),
		SOCKET_TEST(a_socket_that_nobody_serves_is_replaced),
		SOCKET_TEST(a_daemon_that_answers_is_left_alone),
		SOCKET_TEST(a_daemon_that_is_busy_is_left_alone),
		SOCKET_TEST(what_is_no_socket_is_never_removed),
		SOCKET_TEST(another_daemon_s_socket_is_not_removed_at_the_end),
		SOCKET_TEST(a_path_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
