/*
 * The commands of the control socket that are about sources: `sources`, `ban`, `unban`.
 */
#ifndef DAEMON_CONTROL_SOURCES_H
#define DAEMON_CONTROL_SOURCES_H

#include <jansson.h>

#include "daemon/control_request.h"

struct master;

/* The next row of the list of sources, CURSOR as for stack_next_source(); NULL at the end. */
json_t *control_source_row(struct master *m, uint32_t *cursor, uint64_t now_us);

json_t *control_ban(struct master *m, const struct control_request *request, uint64_t now_us);
json_t *control_unban(struct master *m, const struct control_request *request, uint64_t now_us);

#endif
