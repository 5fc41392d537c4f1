/*
 * Which sequence numbers beyond rcv_nxt have arrived (RFC 9293, 3.10.7.4; RFC
 * 2018, section 4). The bytes themselves already stand in the receive ring;
 * this keeps only the ranges. It lives in the connection table, so it holds no
 * pointers.
 */
#ifndef STACK_REASSEMBLY_H
#define STACK_REASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>

#include "segment.h"

#define REASSEMBLY_RANGES 64

struct reassembly {
	uint32_t count;
	uint32_t recent_count;
	/*
	 * A sequence number inside each of the ranges that the last segments fell
	 * into, the most recent first; those that rcv_nxt has passed lie in none.
	 */
	uint32_t recent[TCP_SACK_BLOCKS_MAX];
	/* ascending, disjoint, never touching, all beyond rcv_nxt */
	struct seq_range range[REASSEMBLY_RANGES];
	uint64_t seal; /* the connection table's: see seal.h */
};

/* No ranges. All bytes zero is the same. */
void reassembly_clear(struct reassembly *reassembly);

/* True when the structure holds what its comments promise, relative to RCV_NXT. */
bool reassembly_valid(const struct reassembly *reassembly, uint32_t rcv_nxt);

/*
 * True when reassembly_add would take [start, end): it merges with a range that
 * is there, or a range is free.
 */
bool reassembly_has_room(const struct reassembly *reassembly, uint32_t start, uint32_t end);

/*
 * Adds [start, end), merging; empty ranges are nothing. Returns false and changes
 * nothing when all ranges are used and it touches none, or when it ends before it
 * starts or lies more than half the circle from the others: the segment must then
 * be dropped.
 */
bool reassembly_add(struct reassembly *reassembly, uint32_t start, uint32_t end);

/*
 * The first run of bytes in [start, end) that has arrived before, for a DSACK; empty when
 * there is none.
 */
struct seq_range reassembly_overlap(const struct reassembly *reassembly, uint32_t start,
                                    uint32_t end);

/*
 * rcv_nxt has moved to RCV_NXT: takes out every range that it has reached or
 * passed and returns how far in-order data now goes (RCV_NXT itself or the end
 * of a range that began at or before it).
 */
uint32_t reassembly_advance(struct reassembly *reassembly, uint32_t rcv_nxt);

/*
 * Fills up to MAX blocks for a SACK option, those of the most recent segments first
 * (RFC 2018, section 4), then others in order, and returns how many.
 */
unsigned reassembly_sack(const struct reassembly *reassembly, struct seq_range *blocks,
                         unsigned max);

#endif
