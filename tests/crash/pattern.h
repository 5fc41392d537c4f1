/*
 * Streams whose every byte follows from its offset, so that one that is lost, doubled or
 * changed on the way shows at once, and where.
 *
 * A stream is a row of blocks. A block begins with BLOCK_DATA, or BLOCK_END when it is the
 * last one; the rest is the pattern, or, in a last block, what the sender has to say. No byte is
 * CR, which telnet treats as no other; IAC comes as often as any.
 */
#ifndef CRASH_PATTERN_H
#define CRASH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_BYTES 1024u
#define BLOCK_DATA  'D'
#define BLOCK_END   'E'

/* LENGTH bytes of the stream with this seed from OFFSET on; all blocks are BLOCK_DATA. */
void pattern_fill(uint64_t seed, uint64_t offset, uint8_t *bytes, size_t length);

#define PATTERN_WHY 256

/* A stream as it arrives. */
struct pattern_check {
	uint64_t seed;
	uint64_t offset; /* bytes so far */
	bool wrong;
	char why[PATTERN_WHY]; /* what was wrong first */
	bool ended;            /* the last block is complete */
	char said[BLOCK_BYTES];
};

/* Takes the next bytes. What comes behind something wrong is not looked at. */
void pattern_take(struct pattern_check *check, const uint8_t *bytes, size_t length);

/* Turns the block at BYTES into a last one that says TEXT. */
void pattern_end(uint8_t *bytes, const char *text);

#endif
