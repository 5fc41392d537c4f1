/*
 * Active opens (`calmctl call`): from the request to the connection's end. A
 * call needs a local port with a guard and lanes of its own, which the
 * supervisor gives for as long as the connection lives.
 */
#ifndef DAEMON_CALL_H
#define DAEMON_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/message.h"
#include "stack/stack.h"

struct call_table;
struct master;

#define CALLS_MAX 64

/* NULL when memory is short. */
struct call_table *call_create(struct master *m);
void call_destroy(struct call_table *calls);

/*
 * Begins a call to PEER from LOCAL_PORT (0: any free one) over interface IFINDEX
 * (0: the routing table's). Its outcome goes to control client CLIENT by
 * control_answer(). Returns NULL, or why it cannot be.
 */
const char *call_begin(struct call_table *calls, uint64_t client, const struct endpoint *peer,
                       uint16_t local_port, uint32_t ifindex, uint64_t now_us);

/* MESSAGE_CALL_PORT: the supervisor's answer. */
void call_port(struct call_table *calls, const struct message_call_port *answer, uint64_t now_us);

/*
 * MESSAGE_CALL_PORT before MESSAGE_TAKE_OVER: a former master's call, which the
 * supervisor keeps guard and lanes for.
 */
void call_kept(struct call_table *calls, const struct message_call_port *kept);

/* For the engine's hooks of the same names. */
void call_moved(struct call_table *calls, uint64_t id, enum tcp_state to);
void call_ended(struct call_table *calls, uint64_t id, const char *why);

/* Answers for calls that got through or failed, and gives back what ended ones had. */
void call_settle(struct call_table *calls);

#endif
