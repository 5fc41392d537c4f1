/* The daemon's master in /proc: see victim.h. */
#include "tests/crash/victim.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* True when PID is a living master whose parent is SUPERVISOR. */
static bool is_master(pid_t pid, pid_t supervisor)
{
	char path[64], line[512], state = 'Z';
	const char *rest;
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	rest = strrchr(line, ')');
	return rest != NULL && strstr(line, "(calmd-master)") != NULL &&
	       sscanf(rest + 1, " %c %d", &state, &parent) == 2 && parent == supervisor &&
	       state != 'Z' && state != 'X';
}

bool victim_find(struct victim *victim)
{
	struct dirent *entry;
	DIR *proc;

	if (victim->master != 0)
		return true;
	proc = opendir("/proc");
	while (proc != NULL && victim->master == 0 && (entry = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid <= 0 || !is_master(pid, victim->supervisor))
			continue;
		victim->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (victim->pidfd >= 0)
			victim->master = pid;
	}
	if (proc != NULL)
		closedir(proc);
	return victim->master != 0;
}

bool victim_dead(struct victim *victim, int wait_ms)
{
	struct pollfd fd = {victim->pidfd, POLLIN, 0};

	if (victim->master == 0 || poll(&fd, 1, wait_ms) <= 0)
		return false;
	close(victim->pidfd);
	victim->master = 0;
	return true;
}

void victim_kill(const struct victim *victim)
{
	syscall(SYS_pidfd_send_signal, victim->pidfd, SIGKILL, NULL, 0);
}

static unsigned count_entries(pid_t pid, const char *what)
{
	struct dirent *entry;
	unsigned count = 0;
	char path[64];
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	directory = opendir(path);
	while (directory != NULL && (entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	if (directory != NULL)
		closedir(directory);
	return count;
}

struct holdings holdings_of(pid_t pid)
{
	struct holdings holdings = {count_entries(pid, "fd"), count_entries(pid, "map_files"), 0,
	                            0};
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Pss_Anon: %lu", &holdings.own_kb) != 1)
			(void)sscanf(line, "Pss_Shmem: %lu", &holdings.shared_kb);
	if (file != NULL)
		fclose(file);
	return holdings;
}
