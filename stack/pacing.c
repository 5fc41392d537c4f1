/*
 * Pacing: segments leave at the congestion control's rate instead of in bursts that
 * the ACKs shape (draft-ietf-ccwg-bbr, section 5.6.2; RFC 9438 allows it, RFC 7661
 * wants it after a pause).
 *
 * Theory of operation: a connection that is paced has a debt, in bytes: what has left
 * ahead of its rate. Each segment adds its length, time takes off at the rate. A
 * segment may go while the debt does not pass the quantum with it; when none may, a
 * timer runs until the debt is paid, and then a quantum goes at once. The debt is
 * counted in millionths of bytes, so that rate times microseconds is exact and
 * nothing drifts, and a changed rate holds for what is owed already.
 *
 * A debt below zero is credit for a timer that came late, so that a busy host keeps the
 * rate; it is bounded. Whoever had nothing to send, or waited for cwnd, gets none: a
 * rate that was not used has made no room in the network. With nothing in the
 * network an initial window may go whatever is owed, as at the beginning of a connection
 * (RFC 6928): a keystroke's echo never waits, nor does a screen behind it.
 *
 * The debt is not in the connection table: a new master begins without one.
 */
#include "engine.h"

#define MICRO 1000000LL

#define PACING_CREDIT_US 8000u /* by so much a timer may be late without loss of rate */
#define PACING_WAIT_US   100u  /* the least that a timer waits; what that costs is credit */
#define PACING_ELAPSED   (UINT64_C(1) << 26) /* microseconds */
#define PACING_RATE      (UINT64_C(1) << 35) /* bytes a second: no link is faster */
#define PACING_QUANTUM   (UINT32_C(1) << 20) /* bytes */

static int64_t pacing_rate(const struct congestion *cc)
{
	return (int64_t)(cc->pacing_rate < PACING_RATE ? cc->pacing_rate : PACING_RATE);
}

/* What may be owed, in millionths of bytes: at least a segment, or none would ever go. */
static int64_t pacing_quantum(const struct conn *c)
{
	uint32_t bytes = c->congestion.send_quantum;

	if (bytes < c->snd_mss)
		bytes = c->snd_mss;
	if (bytes > PACING_QUANTUM)
		bytes = PACING_QUANTUM;
	return (int64_t)bytes * MICRO;
}

/* What may be owed before the first segment into an empty network. */
static int64_t pacing_start(const struct conn *c)
{
	int64_t free = pacing_quantum(c) - (int64_t)congestion_initial_window(c->snd_mss) * MICRO;

	return free < 0 ? free : 0;
}

void pacing_begin(struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	struct pacing *p = &slot_private(s, slot)->pacing;
	int64_t rate = pacing_rate(&c->congestion);
	int64_t least = p->waiting ? -rate * (int64_t)PACING_CREDIT_US : 0;
	uint64_t elapsed = s->event.now_us - p->updated_us;

	p->waiting = false;
	p->updated_us = s->event.now_us;
	if (elapsed > PACING_ELAPSED)
		elapsed = PACING_ELAPSED;
	p->debt -= rate * (int64_t)elapsed;
	if (rate == 0 || p->debt < least)
		p->debt = least;
}

bool pacing_allows(struct stack *s, uint32_t slot, uint32_t length, uint32_t pipe)
{
	const struct conn *c = slot_conn(s, slot);
	struct pacing *p = &slot_private(s, slot)->pacing;
	int64_t quantum = pacing_quantum(c);
	int64_t cost = (int64_t)length * MICRO;

	if (c->congestion.pacing_rate == 0)
		return true;
	if (pipe == 0 && p->debt > pacing_start(c))
		p->debt = pacing_start(c);
	/* a probe of the path MTU is larger than a segment, and must be able to go, too */
	if (p->debt + (cost < quantum ? cost : quantum) > quantum)
		p->waiting = true;
	return !p->waiting;
}

void pacing_sent(struct stack *s, uint32_t slot, uint32_t length)
{
	if (slot_conn(s, slot)->congestion.pacing_rate != 0)
		slot_private(s, slot)->pacing.debt += (int64_t)length * MICRO;
}

void pacing_end(struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	const struct pacing *p = &slot_private(s, slot)->pacing;
	int64_t rate = pacing_rate(&c->congestion);
	uint64_t wait = PACING_WAIT_US;

	if (!p->waiting || rate == 0) {
		conn_timer_stop(s, slot, CONN_TIMER_PACE);
		return;
	}
	if (p->debt > 0 && (uint64_t)(p->debt / rate) >= wait)
		wait = (uint64_t)((p->debt + rate - 1) / rate);
	conn_timer(s, slot, CONN_TIMER_PACE, s->event.now_us + wait);
}
