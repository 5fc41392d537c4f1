/*
 * Random numbers for the wire's decisions: xoshiro256** seeded through SplitMix64,
 * so that one printed seed replays a run on any machine.
 */
#ifndef WIRE_PRNG_H
#define WIRE_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t state[4];
};

/* Starts the sequence that belongs to SEED and STREAM; different streams are independent. */
void prng_seed(struct prng *prng, uint64_t seed, uint64_t stream);

/* The next 64 random bits. */
uint64_t prng_next(struct prng *prng);

/* The next number that is at least 0 and less than 1. */
double prng_unit(struct prng *prng);

#endif
