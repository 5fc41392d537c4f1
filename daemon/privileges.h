/*
 * Giving up rights for good: used by master and worker right after they have
 * their configuration. Links libc only.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <stdint.h>

/*
 * Changes root to the (empty) directory DIRECTORY, drops supplementary groups,
 * becomes UID and GID for real, effective and saved, empties the capability
 * bounding set, sets no-new-privileges and makes the process undumpable.
 * UID and GID must not be 0. Returns 0, or -1 with errno and *WHAT naming the
 * step that failed: the caller must then exit.
 */
int privileges_drop(int directory, uint32_t uid, uint32_t gid, const char **what);

#endif
