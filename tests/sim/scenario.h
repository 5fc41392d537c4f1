/*
 * Canned runs of the simulator for the crash points: short, on a network that is good
 * unless the scenario is about a bad one, each with something else under way.
 */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "tests/sim/sim.h"

/* The name of scenario NUMBER; NULL: there are no more. */
const char *scenario_name(unsigned number);

void scenario_setup(unsigned number, struct sim_setup *setup);

#endif
