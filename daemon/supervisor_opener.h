/* The opener as the supervisor sees it: see supervisor_opener.c. */
#ifndef DAEMON_SUPERVISOR_OPENER_H
#define DAEMON_SUPERVISOR_OPENER_H

#include <stdbool.h>

#include "daemon/channel.h"
#include "daemon/config.h"

struct supervisor;

extern const struct channel_handler opener_handler;

/* Starts one, or connects to one. 0, or -1 when a line was logged. */
int opener_start(struct supervisor *s);

/*
 * Another one takes the place of the running one, which still serves the workers that
 * it has been told of, and then ends by itself.
 */
void opener_replace(struct supervisor *s);

/* The one that is our child has ended. */
void opener_ended(struct supervisor *s, int status);

/* True while there is one, or one of which we have not yet heard the end. */
bool opener_is_there(const struct supervisor *s);

/* Everything ends, and it has not in time: our child is killed, of another one we take leave. */
void opener_abandon(struct supervisor *s);

/* What the opener is told of CONFIG. */
void opener_config_fill(const struct config *config, struct message_opener_config *opener);

/* Sessions to come get the login that is configured now. */
void opener_configure(struct supervisor *s);

#endif
