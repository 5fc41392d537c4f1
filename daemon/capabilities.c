/*
 * The supervisor's capabilities: the list, and giving up all others.
 *
 * The supervisor starts what must have all rights: the opener, whose sessions are
 * to be as on a console, so that sudo(8), passwd(1) and mount(8) work there. Rights that
 * have left the bounding set never come back, to no program that is executed. So the
 * bounding set stays as it was found, and the supervisor's own sets shrink: root's programs get
 * theirs from the bounding set when they are executed, and so does the next version of
 * the supervisor, which gives them up again.
 *
 * What that is good for: the supervisor's mistakes with a file, a mount or somebody's process
 * fail. What it is not good for: whoever runs code of his own in the supervisor
 * could execute a program and have all rights. Nothing that a stranger sends is read
 * there. Where the service manager limits the bounding set, these are the ones to leave in it,
 * and those that master and workers need to become what they are: CAP_SETGID, CAP_SETUID,
 * CAP_SETPCAP, CAP_SYS_CHROOT.
 */
#include "daemon/capabilities.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static const unsigned named[] = {
	CAP_NET_RAW,          /* lanes, ICMP: at the start, at a reload, for a call */
	CAP_NET_ADMIN,        /* their receive queues: SO_RCVBUFFORCE */
	CAP_NET_BIND_SERVICE, /* guards on ports below 1024 */
	CAP_KILL,             /* of master and workers, who are other users */
	CAP_SYS_RESOURCE,     /* more descriptors than root was given, here and in the master */
	CAP_CHOWN,            /* the control socket is its group's */
	CAP_DAC_READ_SEARCH,  /* configuration and programs where only their owner may look */
};

static bool is_named(unsigned capability)
{
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (named[i] == capability)
			return true;
	}
	return false;
}

int capabilities_drop(void)
{
	const capng_type_t own = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE;

	errno = 0;
	if (capng_get_caps_process() < 0)
		goto failed;
	for (unsigned capability = 0; capability <= CAP_LAST_CAP; capability++) {
		if (!is_named(capability) && capng_update(CAPNG_DROP, own, capability) < 0)
			goto failed;
	}
	if (capng_apply(CAPNG_SELECT_CAPS) == 0)
		return 0;
failed:
	if (errno == 0)
		errno = EPERM;
	return -1;
}
