/*
 * The simulator: two engines over a bad network on virtual time, one seed a run.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_result {
	bool connected;
	bool reset; /* somebody aborted, or gave up on a dead network */
	uint64_t virtual_us;
	uint64_t events;
	uint64_t bytes;
	uint64_t take_overs;
};

/* Runs SEED to its end; fails the cmocka test that it runs in when something is wrong. */
struct sim_result sim_run(uint64_t seed);

#endif
