/* Goodput over a bottleneck: see goodput.h. */
#include "tests/sim/goodput.h"

#include "tests/sim/bulk.h"

#define DURATION_US UINT64_C(10000000)
#define SEGMENTS    150000u
#define RUNS_LEAST  4u
#define RUNS_MOST   24u

double goodput_measure(const struct goodput_cell *cell)
{
	struct bulk setup = {
		.flows = 1,
		.algorithm = {cell->algorithm},
		.rtt_ms = cell->rtt_ms,
		.loss = cell->loss,
		.duration_us = DURATION_US,
	};
	uint64_t bytes = 0, segments = 0;
	uint32_t runs = 0;

	do {
		struct bulk_result result;

		setup.seed = ++runs;
		result = bulk_run(&setup);
		bytes += result.bytes[0];
		segments += result.segments;
	} while (cell->loss > 0 && runs < RUNS_MOST && (runs < RUNS_LEAST || segments < SEGMENTS));
	return (double)bytes * 8 / (double)(runs * DURATION_US);
}
