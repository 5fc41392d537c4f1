/*
 * What the workers have told of their sessions: who has logged in, and why a
 * session has ended. It is kept for `calmctl` until the connection is gone from the
 * table, its TIME-WAIT included; not over a change of the master, whom workers tell
 * again.
 */
#ifndef DAEMON_SESSION_NOTES_H
#define DAEMON_SESSION_NOTES_H

#include <stdint.h>

#include "daemon/message.h"

struct session_notes;

/* NULL: out of memory. */
struct session_notes *session_notes_create(void);
void session_notes_destroy(struct session_notes *notes);

/*
 * Keeps NOTE (its user checked), in place of the one that its connection had. At most
 * SESSION_NOTES_MAX are kept: beyond that the oldest goes. Out of memory, nothing is kept.
 */
#define SESSION_NOTES_MAX 65536u
void session_notes_set(struct session_notes *notes, const struct message_session_note *note);

/* The note about connection ID, or NULL. */
const struct message_session_note *session_notes_find(const struct session_notes *notes,
                                                      uint64_t id);

/* The connection is gone. */
void session_notes_forget(struct session_notes *notes, uint64_t id);

#endif
