/*
 * The choice among the variables that a client offers.
 *
 * login(1) runs as root, and what it finds in its environment it hands on, so a
 * variable can do harm twice: in login and its PAM modules, and in the user's shell
 * before the user's own files have run. Whoever configures `accept-env` thinks of
 * the latter at most, and a pattern is easily wider than it was meant. Therefore
 * these are never taken, whatever the patterns say:
 *
 * - what the dynamic linker, the C library, its locales, its resolver and PAM's
 *   modules read: paths of code and data, switches of the allocator;
 * - what shells and interpreters run, or look for code by;
 * - what tools that others call run for them (pagers, editors, remote shells);
 * - what login and the service manager set or believe: the user, home, path,
 *   credentials;
 * - what calmd sets itself from options of its own: TERM, DISPLAY, and the user's
 *   name, which is an argument of login and not a variable.
 *
 * The locale's name becomes part of a path: it may have no slash.
 */
#include "shell/accept_env.h"

#include <stddef.h>
#include <string.h>

static const char *const never[] = {
	/* linker, C library, resolver, PAM */
	"LD_*",
	"_RLD*",
	"LIBPATH",
	"SHLIB_PATH",
	"DYLD_*",
	"GCONV_PATH",
	"GETCONF_DIR",
	"GLIBC_*",
	"MALLOC_*",
	"LOCPATH",
	"NLSPATH",
	"LANGUAGE",
	"OUTPUT_CHARSET",
	"HOSTALIASES",
	"LOCALDOMAIN",
	"RES_OPTIONS",
	"RESOLV_*",
	"NIS_PATH",
	"TZDIR",
	"TMPDIR",
	"KRB*",
	"SASL_*",
	"XAUTHORITY",
	"ASAN_*",
	"UBSAN_*",
	/* shells, interpreters */
	"IFS",
	"ENV",
	"BASH*",
	"SHELLOPTS",
	"ZDOTDIR",
	"FPATH",
	"CDPATH",
	"GLOBIGNORE",
	"PS?",
	"PROMPT*",
	"HIST*",
	"INPUTRC",
	"PERL*",
	"PYTHON*",
	"RUBY*",
	"NODE_*",
	"LUA_*",
	"TCL*",
	"JAVA_*",
	"_JAVA*",
	"JDK_*",
	"CLASSPATH",
	"PHP*",
	"GEM_*",
	/* what others run */
	"PAGER",
	"MANPAGER",
	"EDITOR",
	"VISUAL",
	"BROWSER",
	"LESS*",
	"GIT_*",
	"RSYNC_*",
	"SSH_*",
	"SVN_*",
	"MAKE*",
	"GREP_*",
	"TAR_OPTIONS",
	"POSIXLY_CORRECT",
	/* login, the service manager */
	"CREDENTIALS_DIRECTORY",
	"PATH",
	"HOME",
	"SHELL",
	"USER",
	"LOGNAME",
	"USERNAME",
	"MAIL",
	"MAILPATH",
	"PWD",
	"OLDPWD",
	"HUSHLOGIN",
	"REMOTEHOST",
	"HZ",
	"SUDO_*",
	"XDG_*",
	"DBUS_*",
	"SYSTEMD_*",
	"NOTIFY_SOCKET",
	"LISTEN_*",
	"JOURNAL_STREAM",
	"INVOCATION_ID",
	"MAINPID",
	/* the terminal */
	"TERM",
	"TERMCAP",
	"TERMINFO*",
	"TERMPATH",
	"TTYPROMPT",
	"DISPLAY",
	"LINES",
	"COLUMNS",
};

/* As fnmatch(3) with * and ?, for NAME of LENGTH bytes. */
static bool matches(const char *pattern, const char *name, size_t length)
{
	const char *star = NULL; /* behind the last one */
	size_t i = 0, star_i = 0;

	while (i < length) {
		if (*pattern == '*') {
			star = ++pattern;
			star_i = i;
		} else if (*pattern == '?' || *pattern == name[i]) {
			pattern++;
			i++;
		} else if (star != NULL) {
			/* the last star takes one byte more */
			pattern = star;
			i = ++star_i;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool is_never(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (matches(never[i], name, length))
			return true;
	}
	return false;
}

static bool is_wanted(const struct message_strings *patterns, const char *name, size_t length)
{
	const char *pattern = patterns->text;

	for (uint32_t i = 0; i < patterns->count; i++) {
		if (matches(pattern, name, length))
			return true;
		pattern += strlen(pattern) + 1;
	}
	return false;
}

bool accept_env(const struct message_strings *patterns, const char *entry)
{
	size_t length = strcspn(entry, "=");
	bool locale = matches("LANG", entry, length) || matches("LC_*", entry, length);

	return is_wanted(patterns, entry, length) && !is_never(entry, length) &&
	       !(locale && strchr(entry + length, '/') != NULL);
}
