/*
 * Giving up rights for good, in the order that leaves none behind: the root
 * directory while chroot(2) is still allowed, groups and bounding set while
 * CAP_SETGID and CAP_SETPCAP are, then the user; afterwards it is tried whether
 * root is out of reach.
 */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Takes every capability that the kernel knows out of the bounding set. */
static int drop_bounding_set(void)
{
	unsigned long cap = 0;

	while (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
		cap++;
	return cap > CAP_SETPCAP && errno == EINVAL ? 0 : -1; /* EINVAL: there is no such one */
}

/* No capability permitted, effective or inheritable. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	return (int)syscall(SYS_capset, &header, none);
}

/* Fails when any way back to root is left. */
static int verify_dropped(void)
{
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || chroot("/") == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int privileges_drop(int directory, uint32_t uid, uint32_t gid, const char **what)
{
	if (uid == 0 || gid == 0) {
		*what = "user";
		errno = EINVAL;
		return -1;
	}
	*what = "fchdir";
	if (fchdir(directory) < 0)
		return -1;
	*what = "chroot";
	if (chroot(".") < 0)
		return -1;
	*what = "setgroups";
	if (setgroups(0, NULL) < 0)
		return -1;
	*what = "capability bounding set";
	if (drop_bounding_set() < 0)
		return -1;
	*what = "ambient capabilities";
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -1;
	*what = "setresgid";
	if (setresgid(gid, gid, gid) < 0)
		return -1;
	*what = "setresuid";
	if (setresuid(uid, uid, uid) < 0)
		return -1;
	*what = "capabilities";
	if (drop_capabilities() < 0)
		return -1;
	*what = "no new privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	*what = "undumpable";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -1;
	*what = "root is still within reach";
	if (verify_dropped() < 0)
		return -1;
	*what = "";
	return 0;
}
