/*
 * What tests with random input share: a seeded generator whose seed is printed
 * and can be given again as CALMD_SEED, and copies of exact length, so that
 * AddressSanitizer sees a read just past the end.
 */
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct random {
	uint64_t state;
};

/* Begins a sequence; the seed is $CALMD_SEED or the time, and is printed. */
static inline struct random random_start(void)
{
	const char *given = getenv("CALMD_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given != NULL ? strtoull(given, NULL, 0)
	                     : (uint64_t)now.tv_sec * 1000000007 + (uint64_t)now.tv_nsec;
	printf("# CALMD_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return (struct random){seed};
}

/* SplitMix64. */
static inline uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A number below LIMIT, which is at least 1. */
static inline uint32_t random_below(struct random *random, uint32_t limit)
{
	return (uint32_t)(random_next(random) % limit);
}

static inline void random_fill(struct random *random, void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((uint8_t *)bytes)[i] = (uint8_t)random_next(random);
}

/* A copy with nothing behind it; to be freed. */
static inline uint8_t *exact_copy(const void *bytes, size_t length)
{
	uint8_t *copy = malloc(length);

	assert_true(copy != NULL || length == 0);
	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

#endif
