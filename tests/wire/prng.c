/*
 * xoshiro256** and SplitMix64, written down from the published recurrences of
 * Blackman and Vigna. Not for secrets: speed and replay are all that is asked.
 */
#include "tests/wire/prng.h"

static uint64_t splitmix_next(uint64_t *state)
{
	uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

void prng_seed(struct prng *prng, uint64_t seed, uint64_t stream)
{
	/* The stream passes through the mixer by itself: else seed 1 stream 0 could be seed 0 stream 1. */
	uint64_t mix = stream;

	mix = seed ^ splitmix_next(&mix);
	for (int i = 0; i < 4; i++)
		prng->state[i] = splitmix_next(&mix);
}

uint64_t prng_next(struct prng *prng)
{
	uint64_t *s = prng->state;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate_left(s[3], 45);
	return result;
}

double prng_unit(struct prng *prng)
{
	return (double)(prng_next(prng) >> 11) * 0x1.0p-53;
}
