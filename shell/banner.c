/*
 * The banner's file and its escapes: those of in.telnetd's issue.net (%h) and those of
 * agetty's issue (\n), as far as they say something about the host or the line.
 *
 * It is read by the opener, since nobody else who serves a session can open files, and
 * sent to the worker: written to the pty it would be lost when login(1) hangs the
 * terminal up (vhangup(2)) before the worker has read it.
 */
#include "shell/banner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmpx.h>

#include "daemon/log.h"

struct room {
	char *at;
	const char *end;
};

static void put(struct room *room, const char *text, size_t length)
{
	size_t left = (size_t)(room->end - room->at);

	if (length > left)
		length = left;
	memcpy(room->at, text, length);
	room->at += length;
}

static void put_text(struct room *room, const char *text)
{
	put(room, text, strlen(text));
}

static void put_time(struct room *room, const char *format, const struct tm *now)
{
	char text[80];

	put(room, text, strftime(text, sizeof(text), format, now));
}

static void put_users(struct room *room, const char *format, unsigned users)
{
	char text[32];

	snprintf(text, sizeof(text), format, users, users == 1 ? "" : "s");
	put_text(room, text);
}

/* What both kinds have; false: ESCAPE is none of them. */
static bool put_system(struct room *room, char escape, const struct banner_facts *facts)
{
	switch (escape) {
	case 's':
		put_text(room, facts->system.sysname);
		return true;
	case 'm':
		put_text(room, facts->system.machine);
		return true;
	case 'r':
		put_text(room, facts->system.release);
		return true;
	case 'v':
		put_text(room, facts->system.version);
		return true;
	case 'D':
	case 'o':
		put_text(room, facts->system.domainname);
		return true;
	default:
		return false;
	}
}

/* in.telnetd's */
static bool put_percent(struct room *room, char escape, const struct banner_facts *facts)
{
	switch (escape) {
	case '%':
		put_text(room, "%");
		return true;
	case 'h':
		put_text(room, facts->system.nodename);
		return true;
	case 't':
		put_text(room, facts->line);
		return true;
	case 'd':
		put_time(room, "%H:%M on %A, %d %B %Y", &facts->now);
		return true;
	default:
		return escape != 'o' && put_system(room, escape, facts);
	}
}

/* agetty's */
static bool put_backslash(struct room *room, char escape, const struct banner_facts *facts)
{
	switch (escape) {
	case '\\':
		put_text(room, "\\");
		return true;
	case 'e':
		put_text(room, "\033");
		return true;
	case 'n':
		put_text(room, facts->system.nodename);
		return true;
	case 'l':
		put_text(room, facts->line);
		return true;
	case 'S':
		put_text(room, facts->pretty);
		return true;
	case 'd':
		put_time(room, "%a %b %e %Y", &facts->now);
		return true;
	case 't':
		put_time(room, "%H:%M:%S", &facts->now);
		return true;
	case 'u':
		put_users(room, "%u", facts->users);
		return true;
	case 'U':
		put_users(room, "%u user%s", facts->users);
		return true;
	default:
		return put_system(room, escape, facts);
	}
}

size_t banner_expand(const char *text, size_t length, const struct banner_facts *facts, char *out,
                     size_t size)
{
	struct room room = {out, out + size};

	for (size_t i = 0; i < length; i++) {
		bool more = i + 1 < length;
		if ((text[i] == '%' && more && put_percent(&room, text[i + 1], facts)) ||
		    (text[i] == '\\' && more && put_backslash(&room, text[i + 1], facts)))
			i++;
		else if (text[i] == '\n')
			put(&room, "\r\n", 2);
		else
			put(&room, &text[i], 1);
	}
	return (size_t)(room.at - out);
}

/* Up to SIZE bytes of the file PATH; -1 with errno when it is not to be read. */
static ssize_t read_file(const char *path, char *text, size_t size)
{
	/* It must not be waited for: a FIFO would hold up all sessions. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0) {
		errno = EINVAL;
		n = S_ISREG(status.st_mode) ? read(fd, text, size) : -1;
	}
	int error = errno;
	close(fd);
	errno = error;
	return n;
}

static void read_pretty(char pretty[128])
{
	static const char key[] = "PRETTY_NAME=\"";
	char text[2048];
	ssize_t n = read_file("/etc/os-release", text, sizeof(text) - 1);

	pretty[0] = '\0';
	if (n <= 0)
		return;
	text[n] = '\0';
	const char *at = strstr(text, key);
	if (at != NULL)
		snprintf(pretty, 128, "%.*s", (int)strcspn(at + sizeof(key) - 1, "\"\n"),
		         at + sizeof(key) - 1);
}

static unsigned count_users(void)
{
	const struct utmpx *entry;
	unsigned users = 0;

	setutxent();
	while ((entry = getutxent()) != NULL)
		users += entry->ut_type == USER_PROCESS ? 1 : 0;
	endutxent();
	return users;
}

size_t banner_read(const char *path, unsigned number, char *out, size_t size)
{
	static bool told;
	struct banner_facts facts;
	char text[BANNER_FILE_MAX];
	time_t now = time(NULL);

	ssize_t n = read_file(path, text, sizeof(text));
	if (n < 0 && !told)
		log_warning("the banner %s cannot be read: %s", path, strerror(errno));
	told = n < 0;
	if (n <= 0 || uname(&facts.system) < 0 || localtime_r(&now, &facts.now) == NULL)
		return 0;
	snprintf(facts.line, sizeof(facts.line), "pts/%u", number);
	facts.users = memmem(text, (size_t)n, "\\u", 2) != NULL ||
	                              memmem(text, (size_t)n, "\\U", 2) != NULL
	                      ? count_users()
	                      : 0;
	facts.pretty[0] = '\0';
	if (memmem(text, (size_t)n, "\\S", 2) != NULL)
		read_pretty(facts.pretty);
	return banner_expand(text, (size_t)n, &facts, out, size);
}
