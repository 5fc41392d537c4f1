/*
 * The commands of the control socket. Each answers at once with a reply, but
 * `list`, which goes out row by row, `call`, and what the supervisor must do,
 * which are answered later.
 */
#ifndef DAEMON_CONTROL_COMMANDS_H
#define DAEMON_CONTROL_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "daemon/control_request.h"
#include "daemon/message.h"

struct master;

/* {"ok":true,"result":RESULT}; takes over RESULT. NULL when memory is short. */
json_t *control_reply(json_t *result);

/* {"ok":false,"error":TEXT}. */
json_t *control_refusal(const char *text);

/*
 * Does what REQUEST of CLIENT says and returns the reply; NULL for what has
 * only begun, whose answer comes by control_answer().
 */
json_t *control_run(struct master *m, uint64_t client, const struct control_request *request,
                    uint64_t now_us);

/*
 * MESSAGE_ANSWER, LENGTH bytes in all: what the supervisor says goes on to the
 * client that asked, as {"notes": [LINE...]} or as a refusal.
 */
void control_supervisor_answer(struct master *m, const struct message_answer *answer,
                               size_t length);

/* The next row of a list, CURSOR as for stack_next(); NULL at the end. */
json_t *control_list_row(struct master *m, uint32_t *cursor, uint64_t now_us);

#endif
