/*
 * A hostile peer: one engine, and somebody who knows all its numbers and sends it valid,
 * slightly wrong and random segments and ICMP errors for connections in every state,
 * while workers do their work, some of them mad, and the engine dies now and then.
 * Nobody promises these peers anything; but the engine keeps its invariants, what it says
 * to the workers stands, and in the end nothing is left of them.
 */
#ifndef TESTS_SIM_HOSTILE_H
#define TESTS_SIM_HOSTILE_H

#include "tests/sim/party.h"

struct hostile_result {
	uint64_t segments; /* sent to the engine */
	uint64_t answers;  /* sent by it */
	uint64_t connections;
	uint64_t deaths;
};

struct hostile_result hostile_run(uint64_t seed);

#endif
