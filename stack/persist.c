/*
 * A shut window: probes with growing intervals (RFC 9293, 3.8.6.1; RFC 6429), and what
 * peers may hold that take nothing.
 *
 * Theory of operation
 *
 * A peer that answers probes may keep its window shut as long as it likes (MUST-37):
 * what ends that is the user timeout (user_timeout.c), if there is one, and the limit
 * on memory. A connection is stalled when its oldest byte has not moved for STALLED_US;
 * its timers find that out, or ACKs of nothing, by which a peer may put the timers off. All that the
 * stalled ones hold together is counted, and while it is above the limit the one that
 * has stalled longest is aborted: the fresh ones may still recover. The count is not in
 * the table: after a take-over the timers find the stalled ones again.
 */
#include "engine.h"

/* R2 for probes into a shut window that nobody answers (RFC 9293, 3.8.6.1). */
#define PERSIST_GIVE_UP_US (15ULL * 60 * 1000000)
#define STALLED_US         30000000ULL

/* ---- probes ---- */

void persist_start(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint64_t wait = rtt_timeout(&c->rtt) << c->persist_shift;

	if (wait > RTO_MAX_US)
		wait = RTO_MAX_US;
	if (c->timer_us[CONN_TIMER_PERSIST] == TIMER_NEVER)
		conn_timer(s, slot, CONN_TIMER_PERSIST, s->event.now_us + wait);
	user_timeout_start(s, slot);
}

/*
 * One octet into a shut window (MUST-35, MUST-36): the first that is not acknowledged. A
 * window that is open but silly small gets what it has room for (the override of
 * 3.8.6.2.1).
 */
static uint32_t persist_length(const struct conn *c)
{
	uint64_t unacked = c->tx_head - c->tx_una;
	uint32_t length = 1;

	if (c->snd_wnd == 0 || c->snd_una != c->snd_nxt)
		return length;
	length = c->snd_wnd < c->snd_mss ? c->snd_wnd : c->snd_mss;
	return length < unacked ? length : (uint32_t)unacked;
}

void persist_timer(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint32_t length = persist_length(c);

	if (c->tx_head == c->tx_una)
		return;
	if (!user_has_data(s, slot)) {
		persist_start(s, slot); /* once the ring is there */
		return;
	}
	if (c->user_timeout_us == 0 &&
	    s->event.now_us - c->unacked_since_us >= PERSIST_GIVE_UP_US) {
		timeout_gone(s, slot, "the peer answers no window probe");
		return;
	}
	if (emit_segment(s, slot, c->snd_una, length, TCP_ACK | TCP_PSH)) {
		s->stats.persist_probes++;
		c->counters.zero_window_probes++;
		if (seq_lt(c->snd_nxt, c->snd_una + length)) {
			recovery_sent(s, slot, c->snd_nxt, c->snd_una + length);
			c->counters.bytes_out += c->snd_una + length - c->snd_nxt;
			c->snd_nxt = c->snd_una + length;
		} else {
			recovery_probed(s, slot);
		}
	}
	if (c->persist_shift < PERSIST_SHIFT_MAX)
		c->persist_shift++;
	persist_start(s, slot);
	stalled_look(s, slot);
}

/* ---- stalled peers ---- */

void stalled_look(struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	struct conn_private *p = slot_private(s, slot);

	if (s->event.now_us - c->stalled_since_us < STALLED_US)
		return;
	s->stalled_bytes -= p->stalled_bytes;
	p->stalled_bytes = (uint32_t)(c->tx_head - c->tx_una);
	s->stalled_bytes += p->stalled_bytes;
}

void stalled_forget(struct stack *s, uint32_t slot)
{
	struct conn_private *p = slot_private(s, slot);

	s->stalled_bytes -= p->stalled_bytes;
	p->stalled_bytes = 0;
}

static uint32_t stalled_longest(const struct stack *s)
{
	uint32_t longest = LOOKUP_NONE;

	for (uint32_t slot = 0; slot_is_conn(s, slot); slot++)
		if (slot_private(s, slot)->stalled_bytes > 0 &&
		    (longest == LOOKUP_NONE || slot_conn(s, slot)->stalled_since_us <
		                                       slot_conn(s, longest)->stalled_since_us))
			longest = slot;
	return longest;
}

void stalled_limit(struct stack *s, uint64_t now_us)
{
	while (s->config.stalled_bytes > 0 && s->stalled_bytes > s->config.stalled_bytes) {
		uint32_t slot = stalled_longest(s);

		if (slot == LOOKUP_NONE)
			return;
		s->stats.stalled_ended++;
		event_begin(s, now_us);
		conn_abort(s, slot, RING_RESET_TIMEOUT, "stalled longest, and memory was short");
		event_end(s);
	}
}
