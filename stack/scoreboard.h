/*
 * What the peer has selectively acknowledged, and what is lost by RFC 6675.
 * Private to the engine: not in the connection table, so a new master forgets
 * it (RFC 2018 lets a receiver renege, so that is always safe).
 */
#ifndef STACK_SCOREBOARD_H
#define STACK_SCOREBOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "segment.h"

#define SCOREBOARD_RANGES 128

struct scoreboard {
	uint32_t count;
	struct seq_range range[SCOREBOARD_RANGES]; /* ascending, disjoint, not touching */
};

/* Forgets everything. */
void scoreboard_clear(struct scoreboard *board);

/*
 * Takes in the SACK blocks of an acceptable ACK. Blocks that don't lie between
 * SND_UNA (exclusive: a hole comes first) and SND_MAX are ignored (RFC 2018; RFC
 * 2883 D-SACK blocks at or below SND_UNA are too). When the ranges run out the
 * highest are forgotten. Returns how many bytes are newly covered, those
 * forgotten since included.
 */
uint32_t scoreboard_update(struct scoreboard *board, const struct seq_range *blocks, unsigned count,
                           uint32_t snd_una, uint32_t snd_max);

/* snd_una has moved: forgets everything below it. */
void scoreboard_advance(struct scoreboard *board, uint32_t snd_una);

/* Bytes covered in all. */
uint32_t scoreboard_bytes(const struct scoreboard *board);

/* The end of the highest range; SND_UNA when there is none. */
uint32_t scoreboard_highest(const struct scoreboard *board, uint32_t snd_una);

/*
 * RFC 6675, section 4, IsLost(SEQ): three ranges above SEQ, or more than
 * 2 * MSS covered bytes above it.
 */
bool scoreboard_is_lost(const struct scoreboard *board, uint32_t seq, uint32_t mss);

/*
 * The first hole at or after FROM and below LIMIT: sets *hole to a range that is
 * not covered, its end at the next covered byte or LIMIT. False when there is none.
 */
bool scoreboard_hole(const struct scoreboard *board, uint32_t from, uint32_t limit,
                     struct seq_range *hole);

/*
 * RFC 6675, section 4, SetPipe(): bytes thought to be in the network between
 * SND_UNA and SND_MAX, when everything below HIGH_RXT in holes has been sent
 * again and everything not covered below LOST_BELOW counts as lost beside what
 * scoreboard_is_lost says. Cost O(ranges).
 */
uint32_t scoreboard_pipe(const struct scoreboard *board, uint32_t snd_una, uint32_t snd_max,
                         uint32_t high_rxt, uint32_t lost_below, uint32_t mss);

#endif
