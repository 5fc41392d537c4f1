/*
 * The ranges beyond rcv_nxt that have arrived, in an array sorted along the
 * circle. All lie within 2^31 of each other, so that seq.h's comparisons order
 * them.
 */
#include "reassembly.h"

#include <string.h>

#include "seq.h"

/* The ranges that [start, end) overlaps or touches: from first up to, not with, last. */
struct touched {
	uint32_t first;
	uint32_t last;
};

void reassembly_clear(struct reassembly *reassembly)
{
	memset(reassembly, 0, sizeof(*reassembly));
}

bool reassembly_valid(const struct reassembly *reassembly, uint32_t rcv_nxt)
{
	uint32_t before = rcv_nxt;

	if (reassembly->count > REASSEMBLY_RANGES || reassembly->recent_count > TCP_SACK_BLOCKS_MAX)
		return false;
	for (uint32_t i = 0; i < reassembly->count; i++) {
		const struct seq_range *range = &reassembly->range[i];

		if (!seq_gt(range->start, before) || !seq_gt(range->end, range->start))
			return false;
		/* Still beyond rcv_nxt: going on in small steps must not come around. */
		if (!seq_gt(range->start, rcv_nxt) || !seq_gt(range->end, rcv_nxt))
			return false;
		before = range->end;
	}
	return true;
}

static struct touched find_touched(const struct reassembly *reassembly, uint32_t start,
                                   uint32_t end)
{
	struct touched touched = {0, 0};

	while (touched.first < reassembly->count &&
	       seq_lt(reassembly->range[touched.first].end, start))
		touched.first++;
	touched.last = touched.first;
	while (touched.last < reassembly->count &&
	       seq_leq(reassembly->range[touched.last].start, end))
		touched.last++;
	return touched;
}

/* True when [start, end) and the ranges together span less than half the circle. */
static bool in_order(const struct reassembly *reassembly, uint32_t start, uint32_t end)
{
	int64_t low = 0, high, from, to;
	uint32_t origin;

	if (!seq_gt(end, start))
		return false;
	if (reassembly->count == 0)
		return true;
	origin = reassembly->range[0].start;
	high = seq_diff(reassembly->range[reassembly->count - 1].end, origin);
	from = seq_diff(start, origin);
	to = from + seq_diff(end, start);
	if (from < low)
		low = from;
	if (to > high)
		high = to;
	return high - low <= INT32_MAX;
}

bool reassembly_has_room(const struct reassembly *reassembly, uint32_t start, uint32_t end)
{
	struct touched touched;

	if (start == end)
		return true;
	if (!in_order(reassembly, start, end))
		return false;
	touched = find_touched(reassembly, start, end);
	return touched.first < touched.last || reassembly->count < REASSEMBLY_RANGES;
}

static bool inside(const struct seq_range *range, uint32_t seq)
{
	return seq_geq(seq, range->start) && seq_lt(seq, range->end);
}

/* RANGE is where the last segment fell: its place is now at the front. */
static void remember(struct reassembly *reassembly, const struct seq_range *range)
{
	uint32_t kept[TCP_SACK_BLOCKS_MAX];
	uint32_t count = 0;

	kept[count++] = range->start;
	for (uint32_t i = 0; i < reassembly->recent_count && count < TCP_SACK_BLOCKS_MAX; i++) {
		if (!inside(range, reassembly->recent[i]))
			kept[count++] = reassembly->recent[i];
	}
	memcpy(reassembly->recent, kept, count * sizeof(kept[0]));
	reassembly->recent_count = count;
}

/* Makes the ranges that TOUCHED names into one, which may be a new one. */
static void replace(struct reassembly *reassembly, struct touched touched, struct seq_range one)
{
	struct seq_range *at = &reassembly->range[touched.first];

	memmove(at + 1, &reassembly->range[touched.last],
	        (reassembly->count - touched.last) * sizeof(*at));
	*at = one;
	reassembly->count = reassembly->count - (touched.last - touched.first) + 1;
}

bool reassembly_add(struct reassembly *reassembly, uint32_t start, uint32_t end)
{
	struct seq_range one = {start, end};
	struct touched touched;

	if (start == end)
		return true;
	if (!reassembly_has_room(reassembly, start, end))
		return false;
	touched = find_touched(reassembly, start, end);
	if (touched.first < touched.last) {
		one.start = seq_min(start, reassembly->range[touched.first].start);
		one.end = seq_max(end, reassembly->range[touched.last - 1].end);
	}
	replace(reassembly, touched, one);
	remember(reassembly, &one);
	return true;
}

struct seq_range reassembly_overlap(const struct reassembly *reassembly, uint32_t start,
                                    uint32_t end)
{
	for (uint32_t i = 0; i < reassembly->count; i++) {
		struct seq_range both = {seq_max(reassembly->range[i].start, start),
		                         seq_min(reassembly->range[i].end, end)};

		if (seq_lt(both.start, both.end))
			return both;
	}
	return (struct seq_range){start, start};
}

uint32_t reassembly_advance(struct reassembly *reassembly, uint32_t rcv_nxt)
{
	uint32_t reached = 0, in_order_to = rcv_nxt;

	while (reached < reassembly->count &&
	       seq_leq(reassembly->range[reached].start, in_order_to)) {
		in_order_to = seq_max(in_order_to, reassembly->range[reached].end);
		reached++;
	}
	reassembly->count -= reached;
	memmove(reassembly->range, reassembly->range + reached,
	        reassembly->count * sizeof(reassembly->range[0]));
	if (reassembly->count == 0)
		reassembly->recent_count = 0;
	return in_order_to;
}

/* The index of the range around SEQ; the count when there is none. */
static uint32_t range_around(const struct reassembly *reassembly, uint32_t seq)
{
	uint32_t i = 0;

	while (i < reassembly->count && !inside(&reassembly->range[i], seq))
		i++;
	return i;
}

static bool listed(const struct seq_range *blocks, unsigned count, uint32_t start)
{
	for (unsigned i = 0; i < count; i++) {
		if (blocks[i].start == start)
			return true;
	}
	return false;
}

unsigned reassembly_sack(const struct reassembly *reassembly, struct seq_range *blocks,
                         unsigned max)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < reassembly->recent_count && count < max; i++) {
		uint32_t at = range_around(reassembly, reassembly->recent[i]);

		if (at < reassembly->count && !listed(blocks, count, reassembly->range[at].start))
			blocks[count++] = reassembly->range[at];
	}
	for (uint32_t i = 0; i < reassembly->count && count < max; i++) {
		if (!listed(blocks, count, reassembly->range[i].start))
			blocks[count++] = reassembly->range[i];
	}
	return count;
}
