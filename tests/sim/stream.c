/* Byte streams, eight bytes at a time: see stream.h. */
#include "tests/sim/stream.h"

#include <string.h>

static uint64_t word_at(uint64_t key, uint64_t index)
{
	uint64_t z = (key + index) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	return z ^ z >> 27;
}

/* Up to the end of its word: the bytes of the stream at OFFSET, and how many. */
static uint32_t piece_at(uint64_t key, uint64_t offset, uint32_t length, uint64_t *piece)
{
	uint32_t within = offset % 8, count = 8 - within;

	*piece = word_at(key, offset / 8) >> (within * 8);
	return count < length ? count : length;
}

void stream_fill(uint64_t key, uint64_t offset, uint8_t *bytes, uint32_t length)
{
	uint64_t piece;

	for (uint32_t i = 0, count; i < length; i += count) {
		count = piece_at(key, offset + i, length - i, &piece);
		memcpy(bytes + i, &piece, count);
	}
}

uint32_t stream_compare(uint64_t key, uint64_t offset, const uint8_t *bytes, uint32_t length)
{
	uint64_t piece;

	for (uint32_t i = 0, count; i < length; i += count) {
		count = piece_at(key, offset + i, length - i, &piece);
		for (uint32_t j = 0; memcmp(bytes + i, &piece, count) != 0; j++)
			if (bytes[i + j] != (uint8_t)(piece >> (j * 8)))
				return i + j;
	}
	return length;
}
