/*
 * Rings for the simulator's workers. Making and mapping one costs more than a short
 * run, so those given back are used again, with what still stands in their buffers.
 */
#ifndef TESTS_SIM_RINGS_H
#define TESTS_SIM_RINGS_H

#include "tests/tcp/worker.h"

/* A worker on a ring of these sizes, with fresh pages. */
void rings_get(struct worker *worker, uint32_t rx_size, uint32_t tx_size);
void rings_put(struct worker *worker);

#endif
