/*
 * The engine's configuration, out of the master's: the supervisor needs it for the
 * size of the connection table, the master to make the engine on it.
 */
#ifndef DAEMON_ENGINE_CONFIG_H
#define DAEMON_ENGINE_CONFIG_H

#include "daemon/message.h"
#include "stack/stack.h"

/* Fills *TO; the busy message is ended with a NUL whatever it held. */
void engine_config(const struct message_master_config *from, struct stack_config *to);

#endif
