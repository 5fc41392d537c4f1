/*
 * The segments in flight: one record for each, in order of sequence number and
 * without gaps from snd_una (behind the SYN) to snd_nxt. What the peer has
 * selectively acknowledged, what counts as lost, when each was sent and what the
 * connection had delivered by then is in them; RACK (RFC 8985), the pipe (RFC
 * 6675) and delivery-rate samples are made from that.
 *
 * Private to the engine, not in the connection table: a new master knows only
 * that all between snd_una and snd_nxt may be in flight (sent_cover()). This file
 * keeps the records and their sums; what they mean is decided elsewhere.
 *
 * Bounds: SENT_MAX records a connection. The first SENT_FEW stand in the
 * structure itself, which is all that keystrokes need; more take memory, doubled
 * as needed and given back when nothing is in flight. When a record cannot be
 * had, new data waits until an ACK has freed one, and a SACK block or a
 * retransmission that would cut a record in two takes it as a whole.
 *
 * An all-zero structure is an empty one. Finding a record costs O(log n); taking
 * in an ACK costs a step for each record that it newly covers.
 */
#ifndef STACK_SENT_H
#define STACK_SENT_H

#include <stdbool.h>
#include <stdint.h>

#include "segment.h"

#define SENT_FEW 2u    /* records without memory of their own; a power of two */
#define SENT_MAX 4096u /* records of one connection; a power of two */
/* Of these, kept from new data for cutting segments in two. */
#define SENT_SPARE 256u

/* struct sent_record, flags. Neither SACKED nor LOST: thought to be in the network. */
#define SENT_SACKED        0x01u /* selectively acknowledged */
#define SENT_LOST          0x02u /* to be sent again */
#define SENT_RETRANSMITTED 0x04u /* sent more than once */
#define SENT_APP_LIMITED   0x08u /* sent last when the application was the limit */

struct sent_record {
	uint32_t start; /* first sequence number */
	uint32_t end;   /* the one after the last */
	uint64_t sent_us;
	/* for the delivery rate (rate.h), as of the last time it was sent */
	uint64_t first_sent_us;
	uint64_t delivered_us; /* 0: not known */
	uint64_t delivered;
	uint32_t lost; /* low bits of the bytes lost by then */
	uint32_t tx_in_flight;
	uint32_t sacked_to; /* SACKED: so are all records up to here */
	uint32_t flags;
};

struct sent {
	struct sent_record *ring; /* NULL: few[] */
	uint32_t size;            /* of ring, a power of two */
	uint32_t head;
	uint32_t count;
	uint32_t in_flight; /* bytes neither SACKED nor LOST */
	uint32_t sacked;    /* bytes */
	uint32_t lost;      /* bytes */
	uint32_t sacked_records;
	uint32_t lost_from; /* no record before this one is LOST */
	struct sent_record few[SENT_FEW];
};

/* Told of each record that is newly delivered, before it is changed or dropped. */
typedef void sent_visit(void *arg, const struct sent_record *record);

/* Forgets everything and gives its memory back. */
void sent_release(struct sent *sent);

static inline struct sent_record *sent_at(struct sent *sent, uint32_t i)
{
	return sent->ring != NULL ? &sent->ring[(sent->head + i) & (sent->size - 1)]
	                          : &sent->few[(sent->head + i) & (SENT_FEW - 1)];
}

/* The record that SEQ lies in: 0 when it lies before all, count when behind. */
uint32_t sent_find(struct sent *sent, uint32_t seq);

/* The record behind the run of SACKED ones that record I, SACKED, knows of. */
uint32_t sent_behind_run(struct sent *sent, uint32_t i);

/* Makes sure that one more record fits; false: new data must wait. */
bool sent_room(struct sent *sent);

/*
 * Adds a record of [start, end) behind the last, which must end at START, and
 * returns it, all else zero, for its times to be filled in. sent_room() first.
 */
struct sent_record *sent_push(struct sent *sent, uint32_t start, uint32_t end);

/*
 * Records for all of [start, end) that another master sent, last at SENT_US: in flight,
 * and RETRANSMITTED for all one knows. With ONCE the last byte went out just then and not
 * again, so that its ACK is worth a round-trip sample. SENT must be empty.
 */
void sent_cover(struct sent *sent, uint32_t start, uint32_t end, uint64_t sent_us, bool once);

/*
 * Drops what lies below UNA, telling VISIT of each record that was not SACKED. Of
 * a record that UNA cuts, VISIT gets a copy that ends there.
 */
void sent_ack(struct sent *sent, uint32_t una, sent_visit *visit, void *arg);

/*
 * Marks what lies in BLOCK as SACKED, telling VISIT of each record that was not.
 * The block must lie within what is in flight; its edges cut records in two.
 */
void sent_sack(struct sent *sent, struct seq_range block, sent_visit *visit, void *arg);

/* Marks a record that is neither SACKED nor LOST as LOST. */
void sent_mark_lost(struct sent *sent, uint32_t i);

/* All that is LOST counts as in flight again. */
void sent_clear_lost(struct sent *sent);

/* The peer may have thrown away what it had selectively acknowledged: all that is LOST now. */
void sent_clear_sacked(struct sent *sent);

/* The first LOST record; count when there is none. */
uint32_t sent_first_lost(struct sent *sent);

/*
 * Makes LOST record I at most MOST bytes long by cutting it, or longer by what is LOST
 * behind it. Returns the bytes that may be sent of it now: less than the record's when
 * there was no room to cut it.
 */
uint32_t sent_fit(struct sent *sent, uint32_t i, uint32_t most);

/* Cuts record I in two at AT, inside it. False when there is no room. */
bool sent_cut(struct sent *sent, uint32_t i, uint32_t at);

/* Record I has been sent once more: in flight, RETRANSMITTED. Its times are the caller's. */
void sent_again(struct sent *sent, uint32_t i);

/* True when records and sums hold, and span [start, end). For tests: O(n). */
bool sent_valid(struct sent *sent, uint32_t start, uint32_t end);

#endif
