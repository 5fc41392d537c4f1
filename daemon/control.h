/*
 * The control socket's server: JSON, one object a line, to calmctl and whoever
 * else may. See control.c.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <stdint.h>

struct control;
struct master;

/* Takes over LISTENER, a listening Unix stream socket. NULL with the cause logged. */
struct control *control_create(struct master *m, int listener);
void control_destroy(struct control *control);

/* The outcome of a `call`: its connection ID, or ERROR. A client that has left is no error. */
void control_call_done(struct control *control, uint64_t client, uint64_t id, const char *error);

#endif
