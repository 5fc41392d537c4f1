/*
 * The programs of all processes. They are opened once, at the start, so that a
 * package upgrade on disk does not mix versions; where calmd's own was found is
 * remembered, since an upgrade looks there again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/supervisor_state.h"

/* The file that is running. 0, or -1 with errno. */
static int running_file(char path[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (length < 0)
		return -1;
	path[length] = '\0';
	return 0;
}

/* The program NAME: beside us in a tree that was built, else where it is installed. */
static int open_program(const char *name)
{
	char self[PATH_MAX], path[PATH_MAX + 64];

	if (running_file(self) == 0) {
		char *slash = strrchr(self, '/');
		snprintf(path, sizeof(path), "%.*s/../shell/%s", (int)(slash - self), self, name);
		int fd = open(path, O_PATH | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	snprintf(path, sizeof(path), "%s/%s", CALMD_LIBEXECDIR, name);
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		log_error("%s: %s", path, strerror(errno));
	return fd;
}

/*
 * The path by which we were started, links not followed: it is where the next
 * version will be. The kernel tells it; one from a descriptor is none.
 */
static int find_ourselves(char path[PATH_MAX])
{
	const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	char directory[PATH_MAX];
	int length = -1;

	if (name == NULL || strncmp(name, "/dev/fd/", 8) == 0 || strncmp(name, "/proc/", 6) == 0)
		return running_file(path);
	if (name[0] == '/')
		length = snprintf(path, PATH_MAX, "%s", name);
	else if (getcwd(directory, sizeof(directory)) != NULL)
		length = snprintf(path, PATH_MAX, "%s/%s", directory, name);
	return length < 0 || length >= PATH_MAX ? running_file(path) : 0;
}

int programs_open(struct supervisor *s)
{
	if (s->program[0] == '\0' && find_ourselves(s->program) < 0)
		return supervisor_fail("/proc/self/exe");
	s->program_calmd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (s->program_calmd < 0)
		return supervisor_fail("/proc/self/exe");
	s->program_worker = open_program("calmd-worker");
	if (s->program_worker < 0)
		return -1;
	s->program_opener = open_program("calmd-opener");
	return s->program_opener < 0 ? -1 : 0;
}
