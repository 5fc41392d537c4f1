/*
 * What a client may say about its session: what each piece of it may look like.
 *
 * The same functions are used twice. The worker asks them about what has come from
 * the network, and leaves out what does not hold. The opener asks them again about
 * what a worker has sent, since whoever runs the worker may be a stranger, and
 * refuses the whole request. Which of the client's variables a session gets is
 * another question (shell/accept_env.h).
 *
 * Texts are in arrays of a fixed size; one without a NUL in it is not valid.
 */
#ifndef SHELL_SESSION_DATA_H
#define SHELL_SESSION_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/message.h"

#define SESSION_NAME_MAX  64u  /* bytes of a variable's name */
#define SESSION_VALUE_MAX 512u /* and of its value */

/* True for [A-Za-z0-9+._-]{1,40}. */
bool session_terminal_valid(const char *terminal, size_t size);

/* True for [A-Za-z_][A-Za-z0-9_.-]{0,31}: nothing that login(1) could take for an option. */
bool session_user_valid(const char *user, size_t size);

/* True for [A-Za-z0-9._:/[\]-]{1,128} that does not begin with "-". */
bool session_display_valid(const char *display, size_t size);

/*
 * Puts the variable NAME with VALUE (lengths without NUL) behind the others. One
 * that is there already gets the new value. False, and nothing changed, when the
 * name is not [A-Za-z_][A-Za-z0-9_]{0,63}, when the value is longer than
 * SESSION_VALUE_MAX or has control characters, or when there is no room.
 */
bool session_variable_set(struct message_environment *environment, const char *name,
                          size_t name_length, const char *value, size_t value_length);

/* Takes the variable NAME away, if it is there. */
void session_variable_remove(struct message_environment *environment, const char *name,
                             size_t name_length);

/* True when all of ENVIRONMENT is as session_variable_set() makes it. */
bool session_environment_valid(const struct message_environment *environment);

/* The entry NAME=VALUE behind ENTRY (NULL: the first); NULL behind the last. Of a valid one. */
const char *session_variable_next(const struct message_environment *environment, const char *entry);

#endif
