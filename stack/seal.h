/*
 * Seals: how a new master sees that an entry of the connection table is as the old
 * one left it.
 *
 * Each entry ends with the seal of all bytes before it, which table_commit() writes;
 * an identity has one of its own, because it alone tells whom to reset when the rest
 * is damaged. Whoever writes into the table beside the engine (a stray pointer, bad
 * memory) does not know of it. A seal is no protection against somebody who does.
 */
#ifndef STACK_SEAL_H
#define STACK_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The seal of LENGTH bytes, a multiple of 8, at BYTES, aligned to 8. A change within one
 * aligned word always shows; any other but for one in 2^64.
 */
uint64_t seal_of(const void *bytes, size_t length);

/* The same for an object of LENGTH bytes whose last 8 are its seal: writes it, compares it. */
void seal_set(void *object, size_t length);
bool seal_holds(const void *object, size_t length);

#endif
