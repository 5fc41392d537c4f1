/*
 * What holds for an engine between any two events, whatever has happened.
 */
#ifndef TESTS_TCP_INVARIANTS_H
#define TESTS_TCP_INVARIANTS_H

#include "stack/engine.h"

/* The first thing that does not hold, or NULL. The text is valid until the next call. */
const char *invariants_broken(const struct stack *stack);

#endif
