/*
 * calmctl upgrade: asks for it, and waits until the new version answers.
 */
#ifndef DAEMON_CALMCTL_UPGRADE_H
#define DAEMON_CALMCTL_UPGRADE_H

#include <jansson.h>

#include "daemon/calmctl_client.h"

/* So long a new version may take to answer. */
#define CALMCTL_UPGRADE_SECONDS 60

/* Returns the new version's status, or NULL with a line in ERROR: refused, or not done in time. */
json_t *calmctl_upgrade(const char *socket_path, char error[CALMCTL_ERROR_MAX]);

#endif
