/*
 * Users and groups of the configuration by their numbers.
 */
#include "daemon/users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define FAIL(...) (snprintf(error, USERS_ERROR_MAX, __VA_ARGS__), -1)

int users_find_user(const char *key, const char *name, uint32_t *uid, uint32_t *gid,
                    char error[USERS_ERROR_MAX])
{
	errno = 0;
	const struct passwd *user = getpwnam(name);

	if (user == NULL && errno != 0 && errno != ENOENT)
		return FAIL("%s: cannot look up user %s: %s", key, name, strerror(errno));
	if (user == NULL)
		return FAIL("%s: there is no user %s: make it with \"useradd --system "
		            "--user-group --home-dir /nonexistent --shell /usr/sbin/nologin %s\"",
		            key, name, name);
	if (user->pw_uid == 0 || user->pw_gid == 0)
		return FAIL("%s: %s has the rights of root", key, name);
	*uid = user->pw_uid;
	*gid = user->pw_gid;
	return 0;
}

int users_find_group(const char *key, const char *name, uint32_t *gid, char error[USERS_ERROR_MAX])
{
	if (name[0] == '\0') {
		*gid = UINT32_MAX;
		return 0;
	}
	errno = 0;
	const struct group *group = getgrnam(name);
	if (group == NULL && errno != 0 && errno != ENOENT)
		return FAIL("%s: cannot look up group %s: %s", key, name, strerror(errno));
	if (group == NULL)
		return FAIL("%s: there is no group %s: make it with \"groupadd --system %s\"", key,
		            name, name);
	*gid = group->gr_gid;
	return 0;
}
