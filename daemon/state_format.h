/*
 * What calmd leaves for its next start, as bytes: the format of the state file, written
 * and read in this one place. Knows no file.
 *
 * A head of fixed size, then the pairs in TIME-WAIT, if it was an orderly end. Numbers are
 * in the machine's order: the file is of no use elsewhere. Both parts are covered by a
 * hash, so that half of a write, or a file of somebody else's, reads as no state at all.
 */
#ifndef DAEMON_STATE_FORMAT_H
#define DAEMON_STATE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/quiet.h"

#define STATE_VERSION    1u
#define STATE_BOOT_BYTES 16u
#define STATE_HEAD_BYTES 72u
#define STATE_PAIRS_MAX  32768u
#define STATE_BYTES_MAX  (STATE_HEAD_BYTES + STATE_PAIRS_MAX * sizeof(struct quiet_pair))

/* Times in microseconds of CLOCK_BOOTTIME. */
struct state {
	uint8_t boot_id[STATE_BOOT_BYTES]; /* not all zero */
	bool clean;                        /* an orderly end; only then are there pairs */
	uint64_t stamp_us;                 /* a sign of life */
	uint64_t quiet_until_us;           /* of the run's own quiet time; 0: it had none */
	uint32_t pairs;                    /* STATE_PAIRS_MAX at most */
};

/* Writes STATE's head, which also covers its pairs. */
void state_format(const struct state *state, const struct quiet_pair *pairs,
                  uint8_t head[STATE_HEAD_BYTES]);

/*
 * Reads a whole file of LENGTH bytes: true when each byte of it is as state_format() and the
 * pairs would have it, and every value within its bounds. *PAIRS then points into BYTES.
 */
bool state_parse(const uint8_t *bytes, size_t length, struct state *state, const uint8_t **pairs);

/* Pair INDEX of those. */
struct quiet_pair state_pair(const uint8_t *pairs, size_t index);

#endif
