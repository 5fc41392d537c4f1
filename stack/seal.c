/*
 * Seals of the connection table's entries: see seal.h. A seal is made at every commit,
 * so it must cost little: four sums side by side, each a multiplication behind the
 * other. For a given word a step maps different sums to different sums, and the other
 * way round, which is why no single changed word is missed.
 */
#include "seal.h"

#include <string.h>

#define SUMS 4u
/* Odd, and its bits well mixed: 2^64 by the golden ratio. */
#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t step(uint64_t sum, const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	sum = (sum ^ word) * MULTIPLIER;
	return sum ^ sum >> 32;
}

uint64_t seal_of(const void *bytes, size_t length)
{
	uint64_t a = 1, b = 2, c = 3, d = 4;
	const uint8_t *at = bytes;

	for (; length >= SUMS * 8; length -= SUMS * 8, at += SUMS * 8) {
		a = step(a, at);
		b = step(b, at + 8);
		c = step(c, at + 16);
		d = step(d, at + 24);
	}
	for (; length > 0; length -= 8, at += 8)
		a = step(a, at);
	b = step(b, (const uint8_t *)&a);
	c = step(c, (const uint8_t *)&b);
	return step(d, (const uint8_t *)&c);
}

void seal_set(void *object, size_t length)
{
	uint64_t seal = seal_of(object, length - sizeof(seal));

	memcpy((uint8_t *)object + length - sizeof(seal), &seal, sizeof(seal));
}

bool seal_holds(const void *object, size_t length)
{
	uint64_t seal;

	memcpy(&seal, (const uint8_t *)object + length - sizeof(seal), sizeof(seal));
	return seal == seal_of(object, length - sizeof(seal));
}
