/* The wire's command line: what it says, and what holds where it says nothing. */
#ifndef WIRE_OPTIONS_H
#define WIRE_OPTIONS_H

#include <net/if.h>
#include <stdint.h>

#include "tests/wire/path.h"
#include "tests/wire/tun.h"

enum wire_direction {
	WIRE_A_TO_B,
	WIRE_B_TO_A,
	WIRE_DIRECTIONS
};

struct wire_options {
	struct tun_settings ends[2]; /* A and B */
	struct path_settings paths[WIRE_DIRECTIONS];
	uint64_t seed;
};

/*
 * Reads the command line. Prints the help and exits 0 on --help; says what is wrong in
 * one line and exits 2 on anything it can't read. Without --seed, picks one.
 */
void options_parse(struct wire_options *options, int argc, char **argv);

#endif
