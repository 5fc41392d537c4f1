/*
 * What the values of a registry may be: for registry.c alone.
 */
#ifndef DAEMON_REGISTRY_CHECK_H
#define DAEMON_REGISTRY_CHECK_H

#include "daemon/registry.h"

/* What cannot be in REGISTRY, or NULL when all of it can. */
const char *registry_wrong(const struct registry *registry);

#endif
