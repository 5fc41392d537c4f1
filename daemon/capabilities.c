/*
 * The supervisor's capabilities: the list, and giving up all others.
 *
 * Sessions are to be as on a console: sudo(8), passwd(1) and mount(8) work there. So the
 * opener needs all rights, and rights that have left the bounding set never come back, to
 * no program that is executed. There are two cases.
 *
 *   Somebody else starts the opener (`opener-socket`). The bounding set shrinks to what
 *   is named here, and no_new_privs is set: whatever the supervisor executes, and the
 *   next version that it becomes, has no more than that.
 *
 *   The supervisor starts it. Its bounding set stays as it was found, and only its own sets
 *   shrink: root's programs get theirs from the bounding set when they are executed, and so
 *   does the next version, which gives them up again. That guards against mistakes of
 *   the supervisor, which fail, but not against somebody who runs code of his own in it:
 *   he could execute a program.
 *
 * Master and workers begin as root's programs, and need a few rights to become what they are.
 * Under no_new_privs a program gets nothing that the one that executes it does not have, so
 * the supervisor has these then, permitted but not effective.
 */
#include "daemon/capabilities.h"

#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

static const unsigned own[] = {
	CAP_NET_RAW,          /* lanes, ICMP: at the start, at a reload, for a call */
	CAP_NET_ADMIN,        /* their receive queues: SO_RCVBUFFORCE */
	CAP_NET_BIND_SERVICE, /* guards on ports below 1024 */
	CAP_KILL,             /* of master and workers, who are other users */
	CAP_SYS_RESOURCE,     /* more descriptors than root was given, here and in the master */
	CAP_CHOWN,            /* the control socket is its group's */
	CAP_DAC_READ_SEARCH,  /* configuration and programs where only their owner may look */
};

static const unsigned childrens[] = {
	CAP_SYS_CHROOT, /* an empty root directory */
	CAP_SETUID,     /* a user of their own */
	CAP_SETGID,     /* and no group but its */
	CAP_SETPCAP,    /* an empty bounding set */
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_in(const unsigned *list, size_t count, unsigned capability)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == capability)
			return true;
	}
	return false;
}

/* The sets that CAPABILITY leaves. */
static unsigned sets_without(unsigned capability, bool elsewhere, bool no_new_privileges)
{
	unsigned all = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE;

	if (is_in(own, COUNT(own), capability))
		return CAPNG_INHERITABLE;
	if (is_in(childrens, COUNT(childrens), capability))
		return no_new_privileges ? CAPNG_EFFECTIVE | CAPNG_INHERITABLE : all;
	return elsewhere ? all | CAPNG_BOUNDING_SET : all;
}

int capabilities_drop(bool sessions_elsewhere)
{
	if (sessions_elsewhere && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	bool no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;

	errno = EPERM; /* the library does not always say */
	if (capng_get_caps_process() < 0)
		return -1;
	for (unsigned capability = 0; capability <= CAP_LAST_CAP; capability++) {
		unsigned sets = sets_without(capability, sessions_elsewhere, no_new_privileges);
		if (capng_update(CAPNG_DROP, (capng_type_t)sets, capability) < 0)
			return -1;
	}
	return capng_apply(sessions_elsewhere ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) == 0 ? 0
	                                                                                    : -1;
}
