/*
 * The sender's view of what has arrived out of order (RFC 6675, sections 3 and
 * 4). Ranges are sorted along the circle; all lie between snd_una and snd_max,
 * less than 2^31 apart.
 */
#include "scoreboard.h"

#include <string.h>

#include "seq.h"

#define DUP_THRESH 3 /* RFC 6675, section 2 */

void scoreboard_clear(struct scoreboard *board)
{
	board->count = 0;
}

/* The index of the first range that ends after SEQ (or at it, with TOUCHING). */
static uint32_t first_after(const struct scoreboard *board, uint32_t seq, bool touching)
{
	uint32_t low = 0, high = board->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		uint32_t end = board->range[middle].end;

		if (touching ? seq_lt(end, seq) : seq_leq(end, seq))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Makes the ranges from FIRST up to, not with, LAST into one, or none into one. */
static void replace(struct scoreboard *board, uint32_t first, uint32_t last, struct seq_range one)
{
	struct seq_range *at = &board->range[first];

	if (first == last && board->count == SCOREBOARD_RANGES)
		board->count--; /* forget the highest, which is not before FIRST */
	memmove(at + 1, &board->range[last], (board->count - last) * sizeof(*at));
	*at = one;
	board->count = board->count - (last - first) + 1;
}

/* Adds BLOCK, merging, and returns how many of its bytes were not covered. */
static uint32_t add(struct scoreboard *board, struct seq_range block)
{
	uint32_t first = first_after(board, block.start, true), last = first;
	uint32_t covered = 0;
	struct seq_range one = block;

	while (last < board->count && seq_leq(board->range[last].start, block.end)) {
		covered += board->range[last].end - board->range[last].start;
		one.start = seq_min(one.start, board->range[last].start);
		one.end = seq_max(one.end, board->range[last].end);
		last++;
	}
	if (first == SCOREBOARD_RANGES)
		return 0; /* would be the highest of too many */
	replace(board, first, last, one);
	return one.end - one.start - covered;
}

uint32_t scoreboard_update(struct scoreboard *board, const struct seq_range *blocks, unsigned count,
                           uint32_t snd_una, uint32_t snd_max)
{
	uint32_t newly = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!seq_gt(blocks[i].start, snd_una) || !seq_gt(blocks[i].end, blocks[i].start) ||
		    seq_gt(blocks[i].end, snd_max) || !seq_gt(blocks[i].end, snd_una))
			continue;
		newly += add(board, blocks[i]);
	}
	return newly;
}

void scoreboard_advance(struct scoreboard *board, uint32_t snd_una)
{
	uint32_t gone = first_after(board, snd_una, false);

	board->count -= gone;
	memmove(board->range, board->range + gone, board->count * sizeof(board->range[0]));
	if (board->count > 0)
		board->range[0].start = seq_max(board->range[0].start, snd_una);
}

uint32_t scoreboard_bytes(const struct scoreboard *board)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < board->count; i++)
		bytes += board->range[i].end - board->range[i].start;
	return bytes;
}

uint32_t scoreboard_highest(const struct scoreboard *board, uint32_t snd_una)
{
	return board->count > 0 ? board->range[board->count - 1].end : snd_una;
}

/* What IsLost asks of the ranges above a hole. */
static bool counts_as_lost(uint32_t ranges, uint64_t bytes, uint32_t mss)
{
	return ranges >= DUP_THRESH || bytes > (DUP_THRESH - 1) * (uint64_t)mss;
}

bool scoreboard_is_lost(const struct scoreboard *board, uint32_t seq, uint32_t mss)
{
	uint32_t ranges = 0;
	uint64_t bytes = 0;

	/* From the top, which takes three steps at most. */
	for (uint32_t i = board->count; i > 0 && seq_gt(board->range[i - 1].start, seq); i--) {
		ranges++;
		bytes += board->range[i - 1].end - board->range[i - 1].start;
		if (counts_as_lost(ranges, bytes, mss))
			return true;
	}
	return false;
}

bool scoreboard_hole(const struct scoreboard *board, uint32_t from, uint32_t limit,
                     struct seq_range *hole)
{
	uint32_t i = first_after(board, from, false);

	/* Ranges don't touch, so behind the one around FROM there is a hole. */
	if (i < board->count && seq_leq(board->range[i].start, from))
		from = board->range[i++].end;
	if (!seq_lt(from, limit))
		return false;
	hole->start = from;
	hole->end = i < board->count ? seq_min(board->range[i].start, limit) : limit;
	return true;
}

/* Bytes of [start, end) that are at or above FROM. */
static uint32_t bytes_from(uint32_t start, uint32_t end, uint32_t from)
{
	start = seq_max(start, from);
	return seq_lt(start, end) ? end - start : 0;
}

/* Bytes of [start, end) that are below TO. */
static uint32_t bytes_to(uint32_t start, uint32_t end, uint32_t to)
{
	end = seq_min(end, to);
	return seq_lt(start, end) ? end - start : 0;
}

uint32_t scoreboard_pipe(const struct scoreboard *board, uint32_t snd_una, uint32_t snd_max,
                         uint32_t high_rxt, uint32_t lost_below, uint32_t mss)
{
	uint32_t end = snd_max, ranges = 0, pipe = 0;
	uint64_t bytes = 0;

	/* Hole by hole from the top: nothing in a hole differs in what is above it. */
	for (uint32_t i = board->count + 1; i-- > 0;) {
		uint32_t start = i > 0 ? board->range[i - 1].end : snd_una;

		if (seq_lt(start, end)) {
			if (!counts_as_lost(ranges, bytes, mss))
				pipe += bytes_from(start, end, lost_below);
			pipe += bytes_to(start, end, high_rxt);
		}
		if (i > 0) {
			end = board->range[i - 1].start;
			bytes += board->range[i - 1].end - end;
			ranges++;
		}
	}
	return pipe;
}
