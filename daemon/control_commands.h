/*
 * The commands of the control socket. Each answers at once with a reply, but
 * `list`, which goes out row by row, and `call`, which is answered later.
 */
#ifndef DAEMON_CONTROL_COMMANDS_H
#define DAEMON_CONTROL_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "daemon/control_request.h"

struct master;

/* {"ok":true,"result":RESULT}; takes over RESULT. NULL when memory is short. */
json_t *control_reply(json_t *result);

/* {"ok":false,"error":TEXT}. */
json_t *control_refusal(const char *text);

/*
 * Does what REQUEST of CLIENT says and returns the reply; NULL for a call that
 * has begun, whose answer comes by control_call_done().
 */
json_t *control_run(struct master *m, uint64_t client, const struct control_request *request,
                    uint64_t now_us);

/* The next row of a list, CURSOR as for stack_next(); NULL at the end. */
json_t *control_list_row(struct master *m, uint32_t *cursor, uint64_t now_us);

#endif
