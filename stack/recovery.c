/*
 * Loss recovery: what is lost, what is in the network, what to send again.
 *
 * Theory of operation
 *
 * snd_nxt never moves back. What has to be sent again lies in holes between
 * snd_una and snd_nxt: parts that the scoreboard does not cover. A hole counts as
 * lost by RFC 6675's IsLost(), or when it is below lost_below, which a time-out
 * sets to snd_nxt and a peer without SACK gets set to the end of the first
 * segment (RFC 6582). high_rxt is how far holes have been sent again in this
 * round. The pipe (RFC 6675, SetPipe) says what may be in the network; output.c
 * sends while it is below cwnd, what recovery_next() names before new data.
 *
 * Three phases: OPEN; FAST, from three duplicate ACKs or their SACK equivalent
 * until snd_una reaches recover; TIMEOUT, from an expired timer until then. The
 * congestion control (congestion.h) is told of each and decides on cwnd alone.
 */
#include "engine.h"

#define DUPLICATE_THRESHOLD 3u

/* The end of the first segment in flight. */
static uint32_t recovery_head_end(const struct conn *c)
{
	return seq_min(c->snd_una + c->snd_mss, c->snd_nxt);
}

void recovery_init(struct conn *c)
{
	c->recovery = RECOVERY_OPEN;
	c->recover = c->snd_una;
	c->high_rxt = c->snd_una;
	c->lost_below = c->snd_una;
	c->dup_acks = 0;
}

uint32_t recovery_pipe(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	const struct scoreboard *board = &slot_private(s, slot)->scoreboard;
	uint32_t pipe = scoreboard_pipe(board, c->snd_una, c->snd_nxt, c->high_rxt, c->lost_below,
	                                c->snd_mss);

	if (!(c->flags & CONN_SACK)) {
		/*
		 * Each duplicate ACK says that one segment has left the network: no more of
		 * them than were out when recovery began, whatever a peer makes up (RFC 5681,
		 * 3.2, the note on bogus duplicates).
		 */
		uint64_t gone = (uint64_t)c->dup_acks * c->snd_mss;
		uint32_t most = c->recover - c->snd_una;

		if (c->recovery == RECOVERY_FAST && gone > most)
			gone = most;
		pipe = gone < pipe ? pipe - (uint32_t)gone : 0;
	}
	return pipe;
}

bool recovery_next(const struct stack *s, uint32_t slot, struct seq_range *range)
{
	const struct conn *c = slot_conn(s, slot);
	const struct scoreboard *board = &slot_private(s, slot)->scoreboard;

	if (c->recovery == RECOVERY_OPEN && seq_leq(c->lost_below, c->snd_una))
		return false;
	if (!scoreboard_hole(board, seq_max(c->high_rxt, c->snd_una), c->snd_nxt, range))
		return false;
	if (!seq_lt(range->start, c->lost_below) &&
	    !scoreboard_is_lost(board, range->start, c->snd_mss))
		return false;
	if (range->end - range->start > c->snd_mss)
		range->end = range->start + c->snd_mss;
	return true;
}

void recovery_resend_all(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	c->flags &= ~CONN_RTT_TIMING;
	conn_dirty(s, slot);
	if (!(c->flags & CONN_SYN_ACKED)) {
		c->flags |= CONN_SYN_OWED; /* the SYN is no hole: there is no data at its number */
		return;
	}
	c->high_rxt = c->snd_una;
	c->lost_below = c->snd_nxt;
}

/* ---- what an ACK means ---- */

static void recovery_enter(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint32_t flight = c->snd_nxt - c->snd_una;

	/* what limited transmit has sent beyond cwnd does not count (RFC 5681, 3.2, step 2) */
	if (flight > c->congestion.cwnd)
		flight = c->congestion.cwnd;
	c->recovery = RECOVERY_FAST;
	c->recover = c->snd_nxt;
	c->high_rxt = c->snd_una;
	c->lost_below = recovery_head_end(c);
	c->flags &= ~CONN_RTT_TIMING;
	c->counters.fast_recoveries++;
	s->stats.fast_recoveries++;
	congestion_ops(&c->congestion)->on_loss(&c->congestion, flight, s->event.now_us);
	ecn_reduced(c);
}

static void recovery_leave(struct stack *s, struct conn *c)
{
	c->recovery = RECOVERY_OPEN;
	c->dup_acks = 0;
	c->high_rxt = c->snd_una;
	c->lost_below = c->snd_una;
	congestion_ops(&c->congestion)->on_recovered(&c->congestion, s->event.now_us);
}

/* An ACK inside fast recovery that does not end it (RFC 6582, 3.2, step 3). */
static void recovery_partial(struct conn *c, uint32_t acked)
{
	uint32_t segments = (acked + c->snd_mss - 1) / c->snd_mss;

	c->dup_acks = c->dup_acks > segments ? c->dup_acks - segments : 0;
	if (!(c->flags & CONN_SACK)) {
		c->high_rxt = c->snd_una;
		c->lost_below = recovery_head_end(c);
	}
}

static void recovery_new_ack(struct stack *s, uint32_t slot, const struct segment *seg,
                             uint32_t acked, uint32_t flight)
{
	struct conn *c = event_conn(s, slot);
	struct congestion_ack ack = {
		.now_us = s->event.now_us,
		.acked_bytes = acked,
		.in_flight_before = flight,
		.cwnd_limited = flight + c->snd_mss > c->congestion.cwnd,
		.in_recovery = c->recovery == RECOVERY_FAST,
		.ece = ecn_echoed(c, seg),
		.rtt = &c->rtt,
	};

	scoreboard_advance(&slot_private(s, slot)->scoreboard, c->snd_una);
	c->high_rxt = seq_max(c->high_rxt, c->snd_una);
	c->lost_below = seq_max(c->lost_below, c->snd_una);
	if (c->recovery != RECOVERY_OPEN && seq_geq(c->snd_una, c->recover))
		recovery_leave(s, c);
	else if (c->recovery == RECOVERY_FAST)
		recovery_partial(c, acked);
	else
		c->dup_acks = 0;
	/* the end of the last recovery is passed, and must not come around */
	if (c->recovery == RECOVERY_OPEN && seq_gt(c->snd_una, c->recover))
		c->recover = c->snd_una - 1;
	congestion_ops(&c->congestion)->on_ack(&c->congestion, &ack);
}

/*
 * Without SACK, duplicate ACKs right at the end of the last recovery may come from what
 * was sent again needlessly in it: only those beyond it tell of a loss (RFC 6582, 3.2,
 * step 1).
 */
static bool recovery_dup_acks_tell(const struct conn *c)
{
	return (c->flags & CONN_SACK) || seq_gt(c->snd_una, c->recover);
}

void recovery_ack(struct stack *s, uint32_t slot, const struct segment *seg, uint32_t acked,
                  bool duplicate, uint32_t flight)
{
	struct conn *c = event_conn(s, slot);
	struct scoreboard *board = &slot_private(s, slot)->scoreboard;
	uint32_t sacked = 0;

	if (acked > 0)
		recovery_new_ack(s, slot, seg, acked, flight);
	if (c->flags & CONN_SACK)
		sacked = scoreboard_update(board, seg->sack, seg->sack_count, c->snd_una,
		                           c->snd_nxt);
	if (duplicate && (sacked > 0 || !(c->flags & CONN_SACK))) {
		c->dup_acks++;
		c->counters.dup_acks_in++;
	}
	if (c->recovery != RECOVERY_OPEN || c->snd_una == c->snd_nxt)
		return;
	if ((c->dup_acks >= DUPLICATE_THRESHOLD && recovery_dup_acks_tell(c)) ||
	    (sacked > 0 && scoreboard_is_lost(board, c->snd_una, c->snd_mss)))
		recovery_enter(s, slot);
}

/* ---- the timer ---- */

void recovery_timeout(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint32_t flight = c->snd_nxt - c->snd_una;

	s->stats.timeouts++;
	c->counters.timeouts++;
	c->retransmits++;
	rtt_backoff(&c->rtt);
	conn_timer(s, slot, CONN_TIMER_RETRANSMIT, s->event.now_us + rtt_timeout(&c->rtt));
	c->flags &= ~CONN_RTT_TIMING;
	if (!(c->flags & CONN_SYN_ACKED)) {
		c->flags |= CONN_SYN_OWED;
		conn_dirty(s, slot);
		return;
	}
	congestion_ops(&c->congestion)
		->on_timeout(&c->congestion, flight, c->retransmits == 1, s->event.now_us);
	ecn_reduced(c);
	/* the peer may have forgotten what it had (RFC 2018, section 8) */
	scoreboard_clear(&slot_private(s, slot)->scoreboard);
	c->recovery = RECOVERY_TIMEOUT;
	c->recover = c->snd_nxt;
	c->dup_acks = 0;
	recovery_resend_all(s, slot);
}
