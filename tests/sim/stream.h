/*
 * The byte streams that connections of the simulator carry: each byte follows from the
 * stream's key and its offset, so that neither end has to remember any.
 */
#ifndef TESTS_SIM_STREAM_H
#define TESTS_SIM_STREAM_H

#include <stdint.h>

/* Writes LENGTH bytes of the stream with KEY from OFFSET on to BYTES. */
void stream_fill(uint64_t key, uint64_t offset, uint8_t *bytes, uint32_t length);

/* The index of the first of LENGTH bytes that is not the stream's; LENGTH: all are. */
uint32_t stream_compare(uint64_t key, uint64_t offset, const uint8_t *bytes, uint32_t length);

#endif
