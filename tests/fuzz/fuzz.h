/*
 * What the fuzz targets share: bytes from libFuzzer taken apart into decisions,
 * and a connection of the rule tests' bed (tests/tcp/harness.h) that they make
 * those decisions about. Whatever the bytes say, no sanitizer may complain, no
 * invariant (tests/tcp/invariants.h) may break, and no loop may fail to end.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "tests/tcp/harness.h"

/* The input, taken from the front; zeroes when it has run out. */
struct fuzz {
	const uint8_t *bytes;
	size_t left;
};

uint8_t fuzz_byte(struct fuzz *fuzz);
uint16_t fuzz_u16(struct fuzz *fuzz);
uint32_t fuzz_u32(struct fuzz *fuzz);

/* A number near VALUE mostly, any number now and then. */
uint32_t fuzz_near(struct fuzz *fuzz, uint32_t value);

/* A bed whose configuration and options the next bytes choose. */
void fuzz_open(struct fuzz *fuzz, struct bed *bed);

/* Takes what comes out, checks the invariants, and forgets it all. */
void fuzz_settle(struct bed *bed);

/* A segment to the bed's connection whose every field the next bytes choose, near what fits. */
void fuzz_segment(struct fuzz *fuzz, struct bed *bed);

/*
 * The engine is gone without a word; another one takes up the table and the ring. False when the
 * table is none any more: then the bed has no engine.
 */
bool fuzz_take_over(struct bed *bed);

/* Something that the worker does, or time that passes, or another engine that takes over. */
void fuzz_event(struct fuzz *fuzz, struct bed *bed);

/* Segments and events until the input has run out, then an hour. */
void fuzz_run(struct fuzz *fuzz, struct bed *bed);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#endif
