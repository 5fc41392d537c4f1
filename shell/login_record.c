/*
 * utmp and wtmp: a LOGIN_PROCESS entry in utmp before login(1) begins, which login
 * turns into the user's own (and notes in wtmp), and a DEAD_PROCESS entry in both
 * at the end. Where the files do not exist nothing is written, and nothing is said.
 *
 * An entry of ours has an id that is its pts's alone. Whoever opens the same pts next
 * overwrites it; what is left by a keeper that was killed, the opener finishes
 * (opener_keepers.c).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <utmpx.h>

#include "shell/opener.h"

/* As many entries of dead processes are finished at a time. */
#define SWEEP_MAX 64u

void login_record_id(unsigned number, char id[LOGIN_ID_SIZE])
{
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const unsigned base = sizeof(digits) - 1;

	memset(id, 0, LOGIN_ID_SIZE);
	if (number < 1000) {
		id[0] = '/';
		for (size_t at = number < 10 ? 1 : number < 100 ? 2 : 3; at > 0; number /= 10)
			id[at--] = digits[number % 10];
		return;
	}
	for (size_t at = LOGIN_ID_SIZE - 1; at > 0; number /= base)
		id[at--] = digits[number % base];
	/* a letter: others use decimal digits */
	id[0] = (char)('A' + number % 26);
}

static void fill(struct utmpx *entry, short type, unsigned number, int pid)
{
	struct timeval now;
	char line[sizeof(entry->ut_line)];

	_Static_assert(sizeof(entry->ut_id) == LOGIN_ID_SIZE, "an id of utmp");
	memset(entry, 0, sizeof(*entry));
	gettimeofday(&now, NULL);
	snprintf(line, sizeof(line), "pts/%u", number);
	entry->ut_type = type;
	entry->ut_pid = pid;
	/* Fields of utmp need no NUL when they are full. */
	memcpy(entry->ut_line, line, strnlen(line, sizeof(entry->ut_line)));
	login_record_id(number, entry->ut_id);
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

void login_record_start(unsigned number, int pid, const struct endpoint *peer)
{
	char address[LOGIN_ADDRESS_SIZE];
	struct utmpx entry;

	fill(&entry, LOGIN_PROCESS, number, pid);
	login_address(peer, address);
	memcpy(entry.ut_user, "LOGIN", sizeof("LOGIN"));
	memcpy(entry.ut_host, address, strnlen(address, sizeof(address)));
	/* in network order; an IPv4 address is the first of the four words */
	memcpy(entry.ut_addr_v6, peer->address.bytes, peer->address.version == IP_V6 ? 16 : 4);
	record(&entry);
}

void login_record_end(unsigned number, int pid)
{
	struct utmpx entry;

	fill(&entry, DEAD_PROCESS, number, pid);
	record(&entry);
	updwtmpx(_PATH_WTMPX, &entry);
}

/* The entry of pts/NUMBER, if somebody is there or logging in; NULL: none. */
static const struct utmpx *find(unsigned number)
{
	struct utmpx wanted;
	const struct utmpx *entry;

	fill(&wanted, LOGIN_PROCESS, number, 0);
	setutxent();
	entry = getutxid(&wanted);
	return entry != NULL && (entry->ut_type == USER_PROCESS || entry->ut_type == LOGIN_PROCESS)
	               ? entry
	               : NULL;
}

void login_record_user(unsigned number, char user[SESSION_LOGNAME_SIZE])
{
	const struct utmpx *entry = find(number);

	_Static_assert(SESSION_LOGNAME_SIZE > sizeof(entry->ut_user), "holds any name");
	memset(user, 0, SESSION_LOGNAME_SIZE);
	if (entry != NULL && entry->ut_type == USER_PROCESS)
		memcpy(user, entry->ut_user, sizeof(entry->ut_user));
	if (!message_user_valid(user, SESSION_LOGNAME_SIZE))
		user[0] = '\0';
	endutxent();
}

int login_record_pid(unsigned number)
{
	const struct utmpx *entry = find(number);
	int pid = entry != NULL && entry->ut_pid > 0 ? entry->ut_pid : 0;

	endutxent();
	return pid;
}

void login_record_end_of(unsigned number, int pid)
{
	if (login_record_pid(number) == pid)
		login_record_end(number, pid);
}

/* True for an entry of ours that says that a process is there which is not; its pts is *NUMBER. */
static bool is_stale(const struct utmpx *entry, unsigned *number)
{
	char line[sizeof(entry->ut_line) + 1] = {0};
	struct utmpx ours;

	memcpy(line, entry->ut_line, sizeof(entry->ut_line));
	if ((entry->ut_type != USER_PROCESS && entry->ut_type != LOGIN_PROCESS) ||
	    sscanf(line, "pts/%6u", number) != 1)
		return false;
	fill(&ours, entry->ut_type, *number, entry->ut_pid);
	return memcmp(ours.ut_id, entry->ut_id, sizeof(ours.ut_id)) == 0 &&
	       strncmp(ours.ut_line, line, sizeof(ours.ut_line)) == 0 && entry->ut_pid > 0 &&
	       kill(entry->ut_pid, 0) < 0 && errno == ESRCH;
}

/* Ends some; true when there may be more. *FIRST is the process of the first one, last time and now. */
static bool sweep_some(int *first)
{
	struct {
		unsigned number;
		int pid;
	} stale[SWEEP_MAX];
	const struct utmpx *entry;
	size_t count = 0;

	setutxent();
	while (count < SWEEP_MAX && (entry = getutxent()) != NULL) {
		if (is_stale(entry, &stale[count].number))
			stale[count++].pid = entry->ut_pid;
	}
	endutxent();
	/* That it is there again means that entries cannot be written. */
	if (count == 0 || stale[0].pid == *first)
		return false;
	*first = stale[0].pid;
	for (size_t i = 0; i < count; i++)
		login_record_end_of(stale[i].number, stale[i].pid);
	return count == SWEEP_MAX;
}

void login_record_sweep(void)
{
	int first = 0;

	if (access(_PATH_UTMPX, W_OK) < 0)
		return;
	while (sweep_some(&first))
		;
}
