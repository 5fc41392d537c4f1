/*
 * Taking up a table that a former master left (takeover.c), and which of its entries
 * hold (takeover_check.c). A part of engine.h, which includes it.
 */
#ifndef STACK_TAKEOVER_H
#define STACK_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "conn.h"

struct stack;

/* So many peers of entries that did not hold are reset at once; more when they speak. */
#define CONDEMNED_MAX 64u

/* One of them. All but the flow may be damaged. */
struct condemned {
	struct flow flow;
	uint32_t ifindex;
	uint32_t snd_una, snd_nxt, rcv_nxt, ts_recent;
	bool timestamps;
};

/* Deaths in an event of an entry that are too many. */
#define POISON_DEATHS 3u

/* poison.c: accuses the entries that the last engine was at work on when it died; once, at first. */
void poison_note(struct stack *stack);
/* True for an entry that has made as many engines die as may be. */
bool poison_is(const struct stack *stack, uint64_t id);

/* Builds everything derived from the table; drops entries that do not hold. */
void takeover_rebuild(struct stack *stack);

/* Resets the peers of entries that were dropped, as many as the batch holds. */
void takeover_reset(struct stack *stack, uint64_t now_us);

/* Why an engine cannot have left the entry so; NULL: it can, and need be looked at no more. */
const char *takeover_conn_wrong(const struct stack *stack, uint32_t slot);
const char *takeover_half_open_wrong(const struct stack *stack, uint32_t slot);
const char *takeover_time_wait_wrong(const struct stack *stack, uint32_t slot);

/* The identity is as it was made, and makes sense: it may be spoken to. */
bool takeover_identity_holds(const struct conn_identity *identity);

#endif
