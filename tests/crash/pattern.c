/* Streams that show what is lost, doubled or changed: see pattern.h. */
#include "tests/crash/pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How far around the place where a stream broke its continuation is looked for. */
#define SEARCH  (1u << 21)
#define MATCHED 16u

static uint64_t word(uint64_t seed, uint64_t number)
{
	uint64_t x = seed + number * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint8_t byte(uint64_t seed, uint64_t offset)
{
	uint8_t value = (uint8_t)(word(seed, offset / 8) >> 8 * (offset % 8));

	if (offset % BLOCK_BYTES == 0)
		return BLOCK_DATA;
	return value == '\r' ? '\n' : value;
}

void pattern_fill(uint64_t seed, uint64_t offset, uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = byte(seed, offset + i);
}

void pattern_end(uint8_t *bytes, const char *text)
{
	memset(bytes, 0, BLOCK_BYTES);
	bytes[0] = BLOCK_END;
	snprintf((char *)bytes + 1, BLOCK_BYTES - 1, "%s", text);
}

/* Where in the stream these bytes belong; UINT64_MAX: nowhere near. */
static uint64_t find(const struct pattern_check *check, const uint8_t *bytes)
{
	uint64_t low = check->offset > SEARCH ? check->offset - SEARCH : 0;

	for (uint64_t at = low; at < check->offset + SEARCH; at++) {
		unsigned i = 0;

		while (i < MATCHED && bytes[i] == byte(check->seed, at + i))
			i++;
		if (i == MATCHED)
			return at;
	}
	return UINT64_MAX;
}

static void describe(struct pattern_check *check, const uint8_t *bytes, size_t length)
{
	uint64_t place = length >= MATCHED ? find(check, bytes) : UINT64_MAX;
	uint64_t after = length >= 64 + MATCHED ? find(check, bytes + 64) : UINT64_MAX;

	check->wrong = true;
	if (place != UINT64_MAX && place > check->offset)
		snprintf(check->why, sizeof(check->why),
		         "at offset %" PRIu64 " %" PRIu64 " bytes are lost", check->offset,
		         place - check->offset);
	else if (place != UINT64_MAX)
		snprintf(check->why, sizeof(check->why),
		         "at offset %" PRIu64 " the last %" PRIu64 " bytes come again",
		         check->offset, check->offset - place);
	else
		snprintf(check->why, sizeof(check->why),
		         "at offset %" PRIu64 " bytes are changed: %02x %02x %02x %02x, not "
		         "%02x %02x %02x %02x; 64 bytes on it is %s",
		         check->offset, bytes[0], length > 1 ? bytes[1] : 0,
		         length > 2 ? bytes[2] : 0, length > 3 ? bytes[3] : 0,
		         byte(check->seed, check->offset), byte(check->seed, check->offset + 1),
		         byte(check->seed, check->offset + 2), byte(check->seed, check->offset + 3),
		         after == check->offset + 64 ? "the stream again" : "no part of it");
}

/* One byte of a last block, or its first one. */
static bool take_end(struct pattern_check *check, uint8_t value)
{
	size_t at = check->offset % BLOCK_BYTES;

	if (at == 0 ? value != BLOCK_END : check->said[0] == '\0')
		return false;
	/* said[0] tells that such a block has begun */
	check->said[at] = (char)value;
	if (at == BLOCK_BYTES - 1) {
		memmove(check->said, check->said + 1, BLOCK_BYTES - 1);
		check->said[BLOCK_BYTES - 1] = '\0';
		check->ended = true;
	}
	return true;
}

void pattern_take(struct pattern_check *check, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length && !check->wrong; i++) {
		if (check->ended) {
			check->wrong = true;
			snprintf(check->why, sizeof(check->why),
			         "%zu bytes come behind the end at offset %" PRIu64, length - i,
			         check->offset);
			return;
		}
		if (!take_end(check, bytes[i]) && bytes[i] != byte(check->seed, check->offset)) {
			describe(check, bytes + i, length - i);
			return;
		}
		check->offset++;
	}
}
