/*
 * Timers that have expired (RFC 9293, 3.8.1 and 3.8.3): retransmission, delayed ACK,
 * pacing, and the end of a wait. Window probes, keepalive and user timeout have files of
 * their own.
 *
 * A connection has one deadline in the heap: the earliest of its timers when it
 * was set. A timer that was moved later since is found not yet due here, and the
 * heap gets the true earliest.
 */
#include "engine.h"
#include "proxied.h"

void timeout_gone(struct stack *s, uint32_t slot, const char *why)
{
	s->stats.timed_out++;
	conn_abort(s, slot, RING_RESET_TIMEOUT, why);
}

static void timeout_retransmit(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (c->snd_una == c->snd_nxt)
		return;
	/* R2; where there is a user timeout, that is the limit */
	if (c->user_timeout_us == 0 && c->retransmits >= RETRANSMITS_MAX) {
		timeout_gone(s, slot, "the peer acknowledges nothing any more");
		return;
	}
	if (c->snd_wnd == 0 && (c->flags & CONN_SYN_ACKED) && !(c->flags & CONN_FIN_SENT)) {
		/* the window shut on data in flight: probe with it instead */
		persist_start(s, slot);
		return;
	}
	recovery_timeout(s, slot);
	stalled_look(s, slot);
}

static void timeout_delayed_ack(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (!(c->flags & CONN_ACK_DELAYED))
		return;
	s->stats.delayed_acks++;
	emit_ack(s, slot);
}

/*
 * Nobody reads any more what the peer still sends, but a RST into the middle of it could
 * destroy the last output before its user has seen it: so the wait goes on while data
 * comes, up to a limit, since a peer may send for ever.
 */
static void timeout_fin_wait_2(struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	uint64_t idle_until = c->last_in_us + FIN_WAIT_2_US;
	uint64_t limit = c->history.time_us[c->history.count - 1] + FIN_WAIT_2_MAX_US;
	uint64_t until = idle_until < limit ? idle_until : limit;

	if (s->event.now_us < until)
		conn_timer(s, slot, CONN_TIMER_END, until);
	else
		timeout_gone(s, slot, "the peer does not close its side");
}

static void timeout_end(struct stack *s, uint32_t slot)
{
	if (slot_conn(s, slot)->flags & CONN_HEADER) {
		proxied_timeout(s, slot);
		return;
	}
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
		timeout_fin_wait_2(s, slot);
		break;
	default:
		break;
	}
}

static void timeout_run(struct stack *s, uint32_t slot, enum conn_timer timer)
{
	conn_timer_stop(s, slot, timer);
	switch (timer) {
	case CONN_TIMER_USER:
		user_timeout_timer(s, slot);
		break;
	case CONN_TIMER_REORDER:
		recovery_reordered(s, slot);
		break;
	case CONN_TIMER_PROBE:
		probe_timeout(s, slot);
		break;
	case CONN_TIMER_RETRANSMIT:
		timeout_retransmit(s, slot);
		break;
	case CONN_TIMER_PERSIST:
		persist_timer(s, slot);
		break;
	case CONN_TIMER_DELAYED_ACK:
		timeout_delayed_ack(s, slot);
		break;
	case CONN_TIMER_PACE:
		conn_dirty(s, slot);
		break;
	case CONN_TIMER_KEEPALIVE:
		keepalive_timer(s, slot);
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
	stalled_limit(s, now_us);
}
