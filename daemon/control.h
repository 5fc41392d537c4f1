/*
 * The control socket's server: JSON, one object a line, to calmctl and whoever
 * else may. See control.c.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <stdint.h>

#include <jansson.h>

struct control;
struct master;

/* Takes over LISTENER, a listening Unix stream socket. NULL with the cause logged. */
struct control *control_create(struct master *m, int listener);
void control_destroy(struct control *control);

/*
 * The answer to a request of CLIENT that could not be given at once; takes over
 * REPLY. A client that has left meanwhile is no error, nor is one that does not wait.
 */
void control_answer(struct control *control, uint64_t client, json_t *reply);

#endif
