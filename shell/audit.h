/*
 * What a worker tells the log of its connection, for an audit: the options that
 * were agreed on, the session's start and its end. Nothing of it is what somebody has
 * typed: it is calmd's own words, numbers, and what was checked before.
 */
#ifndef SHELL_AUDIT_H
#define SHELL_AUDIT_H

#include <stdint.h>

struct worker;

struct audit {
	uint64_t
		started_us; /* when the session began, CLOCK_MONOTONIC; 0: it has not, or has ended */
	const char *reason; /* why it ends; NULL: as worker->ending says */
	int status;         /* as waitpid gave it to the keeper; -1: it has not said */
};

/* The connection is taken up: every record from now on names it and its client. */
void audit_begin(struct worker *worker);

/* The session is about to be asked for. */
void audit_options(const struct worker *worker);

/* There is a session. */
void audit_session_start(struct worker *worker);

/* worker->user has logged in. */
void audit_login(const struct worker *worker);

/* It ends because of REASON, a literal, and not of worker->ending; the first one counts. */
void audit_reason(struct worker *worker, const char *reason);

/* Its keeper says how it ended. */
void audit_status(struct worker *worker, int status);

/* It is over for us: one record, however often this is called. */
void audit_session_end(struct worker *worker);

#endif
