/*
 * Records of the segments in flight: see sent.h.
 *
 * They stand in a ring that doubles, sorted along the circle of sequence numbers,
 * so that sending, the usual cumulative ACK and finding one are cheap; cutting a
 * record or joining two moves those on its shorter side. A SACKED record says how
 * far the run of SACKED ones goes that it begins, so that a block which only has
 * grown since the last ACK is not walked through again.
 */
#include "sent.h"

#include <stdlib.h>
#include <string.h>

#include "seq.h"

#define RING_FIRST 16u /* the smallest ring; a power of two */

static uint32_t length_of(const struct sent_record *record)
{
	return record->end - record->start;
}

/* The sum that a record with these flags counts for. */
static uint32_t *sum_of(struct sent *sent, uint32_t flags)
{
	if (flags & SENT_SACKED)
		return &sent->sacked;
	return (flags & SENT_LOST) ? &sent->lost : &sent->in_flight;
}

static void set_flags(struct sent *sent, struct sent_record *record, uint32_t flags)
{
	*sum_of(sent, record->flags) -= length_of(record);
	*sum_of(sent, flags) += length_of(record);
	sent->sacked_records += (flags & SENT_SACKED) != 0;
	sent->sacked_records -= (record->flags & SENT_SACKED) != 0;
	record->flags = flags;
}

/* ---- room ---- */

static uint32_t capacity(const struct sent *sent)
{
	return sent->ring != NULL ? sent->size : SENT_FEW;
}

void sent_release(struct sent *sent)
{
	free(sent->ring);
	*sent = (struct sent){0};
}

static bool grow(struct sent *sent)
{
	uint32_t size = sent->ring != NULL ? 2 * sent->size : RING_FIRST;
	struct sent_record *ring = malloc(size * sizeof(*ring));

	if (ring == NULL)
		return false;
	for (uint32_t i = 0; i < sent->count; i++)
		ring[i] = *sent_at(sent, i);
	free(sent->ring);
	sent->ring = ring;
	sent->size = size;
	sent->head = 0;
	return true;
}

static bool room_below(struct sent *sent, uint32_t most)
{
	if (sent->count >= most)
		return false;
	return sent->count < capacity(sent) || grow(sent);
}

bool sent_room(struct sent *sent)
{
	return room_below(sent, SENT_MAX - SENT_SPARE);
}

/* ---- the ring ---- */

/* Makes a place for one more record at I; what it holds there is anything. */
static void open_place(struct sent *sent, uint32_t i)
{
	sent->count++;
	if (i < sent->count / 2) {
		sent->head--;
		for (uint32_t at = 0; at < i; at++)
			*sent_at(sent, at) = *sent_at(sent, at + 1);
	} else {
		for (uint32_t at = sent->count - 1; at > i; at--)
			*sent_at(sent, at) = *sent_at(sent, at - 1);
	}
}

static void close_place(struct sent *sent, uint32_t i)
{
	if (i < sent->count / 2) {
		for (uint32_t at = i; at > 0; at--)
			*sent_at(sent, at) = *sent_at(sent, at - 1);
		sent->head++;
	} else {
		for (uint32_t at = i; at + 1 < sent->count; at++)
			*sent_at(sent, at) = *sent_at(sent, at + 1);
	}
	sent->count--;
}

uint32_t sent_find(struct sent *sent, uint32_t seq)
{
	uint32_t low = 0, high = sent->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (seq_leq(sent_at(sent, middle)->end, seq))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t sent_behind_run(struct sent *sent, uint32_t i)
{
	const struct sent_record *record = sent_at(sent, i);

	/* where only every other segment is SACKED a search for each would be dear */
	return record->sacked_to == record->end ? i + 1 : sent_find(sent, record->sacked_to);
}

struct sent_record *sent_push(struct sent *sent, uint32_t start, uint32_t end)
{
	struct sent_record *record = sent_at(sent, sent->count++);

	*record = (struct sent_record){.start = start, .end = end};
	sent->in_flight += end - start;
	return record;
}

void sent_cover(struct sent *sent, uint32_t start, uint32_t end, uint64_t sent_us, bool once)
{
	struct sent_record *record;

	sent_release(sent);
	record = sent_push(sent, start, end);
	record->sent_us = sent_us;
	record->flags = SENT_RETRANSMITTED;
	if (once && (end - start == 1 || sent_cut(sent, 0, end - 1)))
		sent_at(sent, sent->count - 1)->flags = 0;
}

bool sent_cut(struct sent *sent, uint32_t i, uint32_t at)
{
	struct sent_record copy;

	if (!room_below(sent, SENT_MAX))
		return false;
	copy = *sent_at(sent, i);
	open_place(sent, i + 1);
	sent_at(sent, i)->end = at;
	copy.start = at;
	*sent_at(sent, i + 1) = copy;
	sent->sacked_records += (copy.flags & SENT_SACKED) != 0;
	return true;
}

/* ---- what ACKs bring ---- */

/* The first record loses its bytes below UNA. */
static void ack_part(struct sent *sent, uint32_t una, sent_visit *visit, void *arg)
{
	struct sent_record *first = sent_at(sent, 0);
	struct sent_record part = *first;

	part.end = una;
	if (!(first->flags & SENT_SACKED))
		visit(arg, &part);
	*sum_of(sent, first->flags) -= length_of(&part);
	first->start = una;
}

void sent_ack(struct sent *sent, uint32_t una, sent_visit *visit, void *arg)
{
	while (sent->count > 0) {
		struct sent_record *first = sent_at(sent, 0);

		if (!seq_lt(first->start, una))
			return;
		if (seq_gt(first->end, una)) {
			ack_part(sent, una, visit, arg);
			return;
		}
		if (!(first->flags & SENT_SACKED))
			visit(arg, first);
		else
			sent->sacked_records--;
		*sum_of(sent, first->flags) -= length_of(first);
		sent->head++;
		sent->count--;
	}
	sent_release(sent);
}

/* The first record that begins inside BLOCK, after cutting one that begins before it. */
static uint32_t first_inside(struct sent *sent, struct seq_range block)
{
	uint32_t i = sent_find(sent, block.start);

	if (i == sent->count || seq_geq(sent_at(sent, i)->start, block.start))
		return i;
	if (!(sent_at(sent, i)->flags & SENT_SACKED) && seq_gt(sent_at(sent, i)->end, block.start))
		(void)sent_cut(sent, i, block.start);
	return i + 1;
}

void sent_sack(struct sent *sent, struct seq_range block, sent_visit *visit, void *arg)
{
	uint32_t first = first_inside(sent, block), i = first;

	while (i < sent->count && seq_lt(sent_at(sent, i)->start, block.end)) {
		struct sent_record *record = sent_at(sent, i);

		if (record->flags & SENT_SACKED) {
			i = sent_behind_run(sent, i);
			continue;
		}
		if (seq_gt(record->end, block.end)) {
			if (!sent_cut(sent, i, block.end))
				break;
			record = sent_at(sent, i);
		}
		visit(arg, record);
		set_flags(sent, record, (record->flags & ~SENT_LOST) | SENT_SACKED);
		record->sacked_to = record->end;
		i++;
	}
	if (i > first)
		sent_at(sent, first)->sacked_to = sent_at(sent, i - 1)->end;
}

/* ---- what is lost ---- */

void sent_mark_lost(struct sent *sent, uint32_t i)
{
	struct sent_record *record = sent_at(sent, i);

	if (sent->lost == 0 || seq_lt(record->start, sent->lost_from))
		sent->lost_from = record->start;
	set_flags(sent, record, record->flags | SENT_LOST);
}

void sent_clear_lost(struct sent *sent)
{
	for (uint32_t i = 0; i < sent->count && sent->lost > 0; i++) {
		struct sent_record *record = sent_at(sent, i);

		if (record->flags & SENT_LOST)
			set_flags(sent, record, record->flags & ~SENT_LOST);
	}
}

void sent_clear_sacked(struct sent *sent)
{
	for (uint32_t i = 0; i < sent->count && sent->sacked > 0; i++) {
		struct sent_record *record = sent_at(sent, i);

		if (record->flags & SENT_SACKED) {
			set_flags(sent, record, record->flags & ~SENT_SACKED);
			sent_mark_lost(sent, i);
		}
	}
}

uint32_t sent_first_lost(struct sent *sent)
{
	uint32_t i;

	if (sent->lost == 0)
		return sent->count;
	for (i = sent_find(sent, sent->lost_from); i < sent->count;) {
		struct sent_record *record = sent_at(sent, i);

		if (record->flags & SENT_LOST) {
			sent->lost_from = record->start;
			break;
		}
		i = (record->flags & SENT_SACKED) ? sent_behind_run(sent, i) : i + 1;
	}
	return i;
}

uint32_t sent_fit(struct sent *sent, uint32_t i, uint32_t most)
{
	struct sent_record *record = sent_at(sent, i);

	if (length_of(record) > most) {
		(void)sent_cut(sent, i, record->start + most);
		return most;
	}
	while (i + 1 < sent->count) {
		struct sent_record *next = sent_at(sent, i + 1);

		if (!(next->flags & SENT_LOST))
			break;
		record->flags |= next->flags;
		if (length_of(record) + length_of(next) > most) {
			record->end = record->start + most;
			next->start = record->end;
			break;
		}
		record->end = next->end;
		close_place(sent, i + 1);
		record = sent_at(sent, i); /* it may have moved */
	}
	return length_of(record);
}

void sent_again(struct sent *sent, uint32_t i)
{
	struct sent_record *record = sent_at(sent, i);

	set_flags(sent, record, (record->flags & ~SENT_LOST) | SENT_RETRANSMITTED);
}

/* ---- for tests ---- */

/* A run of SACKED records goes as far as record I says. */
static bool run_valid(struct sent *sent, uint32_t i)
{
	uint32_t to = sent_at(sent, i)->sacked_to;

	if (seq_gt(to, sent_at(sent, sent->count - 1)->end))
		return false;
	if (!seq_gt(to, sent_at(sent, i)->start))
		return false;
	for (; i < sent->count && seq_lt(sent_at(sent, i)->start, to); i++)
		if (!(sent_at(sent, i)->flags & SENT_SACKED))
			return false;
	return true;
}

bool sent_valid(struct sent *sent, uint32_t start, uint32_t end)
{
	struct sent sums = {.lost_from = sent->lost_from};

	for (uint32_t i = 0; i < sent->count; i++) {
		const struct sent_record *record = sent_at(sent, i);

		if (record->start != start || !seq_gt(record->end, start) ||
		    (record->flags & (SENT_SACKED | SENT_LOST)) == (SENT_SACKED | SENT_LOST))
			return false;
		if ((record->flags & SENT_SACKED) && !run_valid(sent, i))
			return false;
		if ((record->flags & SENT_LOST) && seq_lt(record->start, sent->lost_from))
			return false;
		*sum_of(&sums, record->flags) += length_of(record);
		sums.sacked_records += (record->flags & SENT_SACKED) != 0;
		start = record->end;
	}
	return start == end && sent->count <= capacity(sent) && sent->count <= SENT_MAX &&
	       sums.in_flight == sent->in_flight && sums.sacked == sent->sacked &&
	       sums.lost == sent->lost && sums.sacked_records == sent->sacked_records;
}
