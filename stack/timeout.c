/*
 * Timers that have expired (RFC 9293, 3.8.1, 3.8.3, 3.8.4, 3.8.6.1): retransmission,
 * zero-window probes, delayed ACK, pacing, keepalive, and the end of a wait.
 *
 * A connection has one deadline in the heap: the earliest of its timers when it
 * was set. A timer that was moved later since is found not yet due here, and the
 * heap gets the true earliest.
 */
#include "engine.h"

/* R2 for probes into a shut window that nobody answers (RFC 9293, 3.8.6.1). */
#define PERSIST_GIVE_UP_US (15ULL * 60 * 1000000)
#define PERSIST_SHIFT_MAX  16u /* RTO_MAX_US is reached before */

static bool timeout_given_up(const struct stack *s, const struct conn *c, uint64_t otherwise_us)
{
	uint64_t limit = s->config.user_timeout_us != 0 ? s->config.user_timeout_us : otherwise_us;

	return s->event.now_us - c->unacked_since_us >= limit;
}

static void timeout_gone(struct stack *s, uint32_t slot, const char *why)
{
	s->stats.timed_out++;
	conn_abort(s, slot, RING_RESET_TIMEOUT, why);
}

static void timeout_retransmit(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (c->snd_una == c->snd_nxt)
		return;
	if (c->retransmits >= RETRANSMITS_MAX || timeout_given_up(s, c, UINT64_MAX)) {
		timeout_gone(s, slot, "the peer acknowledges nothing any more");
		return;
	}
	if (c->snd_wnd == 0 && (c->flags & CONN_SYN_ACKED) && !(c->flags & CONN_FIN_SENT)) {
		/* the window shut on data in flight: probe with it instead */
		persist_start(s, slot);
		return;
	}
	recovery_timeout(s, slot);
}

void persist_start(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint64_t wait = rtt_timeout(&c->rtt) << c->persist_shift;

	if (wait > RTO_MAX_US)
		wait = RTO_MAX_US;
	if (c->timer_us[CONN_TIMER_PERSIST] == TIMER_NEVER)
		conn_timer(s, slot, CONN_TIMER_PERSIST, s->event.now_us + wait);
}

/*
 * One octet into a shut window (RFC 9293, MUST-35, MUST-36): the first that is not
 * acknowledged. A window that is open but silly small gets what it has room for
 * (the override of 3.8.6.2.1).
 */
static void timeout_persist(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint64_t unacked = c->tx_head - c->tx_una;
	uint32_t length = 1;

	if (unacked == 0 || !user_has_data(s, slot))
		return;
	if (timeout_given_up(s, c, PERSIST_GIVE_UP_US)) {
		timeout_gone(s, slot, "the peer answers no window probe");
		return;
	}
	if (c->snd_wnd > 0 && c->snd_una == c->snd_nxt) {
		length = c->snd_wnd < c->snd_mss ? c->snd_wnd : c->snd_mss;
		if (length > unacked)
			length = (uint32_t)unacked;
	}
	if (emit_segment(s, slot, c->snd_una, length, TCP_ACK | TCP_PSH)) {
		s->stats.persist_probes++;
		c->counters.zero_window_probes++;
		c->flags &= ~CONN_RTT_TIMING;
		if (seq_lt(c->snd_nxt, c->snd_una + length)) {
			c->counters.bytes_out += c->snd_una + length - c->snd_nxt;
			c->snd_nxt = c->snd_una + length;
		}
	}
	if (c->persist_shift < PERSIST_SHIFT_MAX)
		c->persist_shift++;
	persist_start(s, slot);
}

static void timeout_delayed_ack(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (!(c->flags & CONN_ACK_DELAYED))
		return;
	s->stats.delayed_acks++;
	emit_ack(s, slot);
}

/* An idle connection: one old octet's number, which calls for an ACK (RFC 9293, 3.8.4). */
static void timeout_keepalive(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint64_t idle = s->event.now_us - c->last_in_us;
	uint64_t next = c->last_in_us + s->config.keepalive_us;

	if (s->config.keepalive_us == 0 || !state_synchronized((enum tcp_state)c->state))
		return;
	if (idle >= s->config.keepalive_us) {
		if (c->probes >= KEEPALIVE_PROBES) {
			timeout_gone(s, slot, "the peer answers no keepalive");
			return;
		}
		if (c->snd_una == c->snd_nxt && emit_segment(s, slot, c->snd_una - 1, 0, TCP_ACK)) {
			c->probes++;
			c->counters.keepalive_probes++;
			s->stats.keepalive_probes++;
		}
		next = s->event.now_us + KEEPALIVE_INTERVAL_US;
	}
	conn_timer(s, slot, CONN_TIMER_KEEPALIVE, next);
}

static void timeout_end(struct stack *s, uint32_t slot)
{
	switch (slot_conn(s, slot)->state) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECEIVED:
		conn_abort(s, slot, RING_RESET_TIMEOUT, "no answer in time");
		break;
	case TCP_FIN_WAIT_1:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		timeout_gone(s, slot, "the peer does not take the rest");
		break;
	case TCP_FIN_WAIT_2:
		timeout_gone(s, slot, "the peer does not close its side");
		break;
	default:
		break;
	}
}

static void timeout_run(struct stack *s, uint32_t slot, enum conn_timer timer)
{
	conn_timer_stop(s, slot, timer);
	switch (timer) {
	case CONN_TIMER_RETRANSMIT:
		timeout_retransmit(s, slot);
		break;
	case CONN_TIMER_PERSIST:
		timeout_persist(s, slot);
		break;
	case CONN_TIMER_DELAYED_ACK:
		timeout_delayed_ack(s, slot);
		break;
	case CONN_TIMER_PACE:
		conn_dirty(s, slot);
		break;
	case CONN_TIMER_KEEPALIVE:
		timeout_keepalive(s, slot);
		break;
	case CONN_TIMER_END:
		timeout_end(s, slot);
		break;
	case CONN_TIMERS:
		break;
	}
}

void conn_timers_run(struct stack *s, uint32_t slot, uint64_t now_us)
{
	uint64_t id, next = TIMER_NEVER;
	struct conn *c;

	event_begin(s, now_us);
	c = event_conn(s, slot);
	id = c->identity.id;
	for (unsigned i = 0; i < CONN_TIMERS && c->identity.id == id; i++)
		if (c->timer_us[i] <= now_us)
			timeout_run(s, slot, (enum conn_timer)i);
	if (c->identity.id == id) {
		for (unsigned i = 0; i < CONN_TIMERS; i++)
			if (c->timer_us[i] < next)
				next = c->timer_us[i];
		timer_set(s->timers, slot, next);
	}
	event_end(s);
}
