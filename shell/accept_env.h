/*
 * Which of the variables that a client offers (RFC 1572) its session gets: those
 * that a pattern of `accept-env` names, but for some that no pattern lets through.
 */
#ifndef SHELL_ACCEPT_ENV_H
#define SHELL_ACCEPT_ENV_H

#include <stdbool.h>

#include "daemon/message.h"

/*
 * True when ENTRY, NAME=VALUE as session_data.h has it, may go into a session's
 * environment under PATTERNS (checked: accept_env_valid()).
 */
bool accept_env(const struct message_strings *patterns, const char *entry);

#endif
