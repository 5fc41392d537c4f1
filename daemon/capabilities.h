/*
 * What the supervisor may do as root.
 */
#ifndef DAEMON_CAPABILITIES_H
#define DAEMON_CAPABILITIES_H

/*
 * Gives up every capability of this process that the list in capabilities.c does not name;
 * one that it names and does not have stays away. What root's programs get when they are
 * executed is not changed. 0, or -1 with errno.
 */
int capabilities_drop(void);

#endif
