/*
 * utmp and wtmp: a LOGIN_PROCESS entry in utmp before login(1) begins, which login
 * turns into the user's own (and notes in wtmp), and a DEAD_PROCESS entry in both
 * at the end. Where the files do not exist nothing is written, and nothing is said.
 */
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <utmpx.h>

#include "shell/opener.h"

static void fill(struct utmpx *entry, short type, unsigned number, int pid)
{
	struct timeval now;
	char line[sizeof(entry->ut_line)];
	char id[16];

	memset(entry, 0, sizeof(*entry));
	gettimeofday(&now, NULL);
	snprintf(line, sizeof(line), "pts/%u", number);
	snprintf(id, sizeof(id), "/%u", number);
	entry->ut_type = type;
	entry->ut_pid = pid;
	/* Fields of utmp need no NUL when they are full. */
	memcpy(entry->ut_line, line, strnlen(line, sizeof(entry->ut_line)));
	memcpy(entry->ut_id, id, strnlen(id, sizeof(entry->ut_id)));
	entry->ut_tv.tv_sec = (typeof(entry->ut_tv.tv_sec))now.tv_sec;
	entry->ut_tv.tv_usec = (typeof(entry->ut_tv.tv_usec))now.tv_usec;
}

static void record(const struct utmpx *entry)
{
	if (access(_PATH_UTMPX, W_OK) < 0)
		return;
	setutxent();
	pututxline(entry);
	endutxent();
}

void login_record_start(unsigned number, int pid, const char *address)
{
	struct utmpx entry;

	fill(&entry, LOGIN_PROCESS, number, pid);
	memcpy(entry.ut_user, "LOGIN", sizeof("LOGIN"));
	memcpy(entry.ut_host, address, strnlen(address, sizeof(entry.ut_host)));
	record(&entry);
}

void login_record_end(unsigned number, int pid)
{
	struct utmpx entry;

	fill(&entry, DEAD_PROCESS, number, pid);
	record(&entry);
	updwtmpx(_PATH_WTMPX, &entry);
}
