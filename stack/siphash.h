/*
 * SipHash-2-4: the keyed hash behind sequence numbers, timestamps offsets and
 * hash tables, so that no outsider can predict or collide them.
 */
#ifndef STACK_SIPHASH_H
#define STACK_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16

/* The 64-bit hash of LENGTH bytes at DATA under KEY. */
uint64_t siphash(const uint8_t key[SIPHASH_KEY_BYTES], const void *data, size_t length);

#endif
