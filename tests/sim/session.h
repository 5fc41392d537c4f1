/*
 * The workers' side of a party: what they write and take, and that the master's page
 * never takes back what it has said.
 */
#ifndef TESTS_SIM_SESSION_H
#define TESTS_SIM_SESSION_H

#include "tests/sim/party.h"

enum session_end {
	SESSION_GOES_ON,
	SESSION_LEAVES, /* the worker's process has ended */
};

/* A fresh ring for the session. */
void session_attach(struct party *party, struct session *session);
/* It is without one again, as if it had never had it. */
void session_detach(struct session *session);
/* The worker has left; the connection waits for another one if this never took it up. */
void session_requeued(struct party *party, struct session *session);

/* The worker does a bit of its work: the engine is to be told. */
enum session_end session_work(struct party *party, struct session *session);

/* What the master's page has taken back; NULL: nothing. After every call of the engine. */
const char *session_watch(struct session *session);

#endif
