/*
 * The banner: a file of the administrator's, in the manner of issue.net, that a client
 * sees before login.
 */
#ifndef SHELL_BANNER_H
#define SHELL_BANNER_H

#include <stddef.h>
#include <sys/utsname.h>
#include <time.h>

#define BANNER_FILE_MAX 2048u /* bytes of the file; the rest is left out */

/* What its escapes stand for. */
struct banner_facts {
	struct utsname system;
	char pretty[128]; /* os-release's PRETTY_NAME */
	char line[16];    /* pts/N */
	struct tm now;
	unsigned users;
};

/*
 * Puts TEXT of LENGTH bytes with its escapes replaced (calmd.conf(5), banner) and LF made CR LF
 * into OUT; returns the bytes there, at most SIZE. What has no room is left out.
 */
size_t banner_expand(const char *text, size_t length, const struct banner_facts *facts, char *out,
                     size_t size);

/*
 * The same for the file PATH and a session on pts/NUMBER, with the facts of this moment. A file
 * that cannot be read, or is none, gives nothing, and is told to the log once.
 */
size_t banner_read(const char *path, unsigned number, char *out, size_t size);

#endif
