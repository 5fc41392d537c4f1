/*
 * Keepalive (RFC 9293, 3.8.4): a peer from which nothing has come for the time that is
 * configured is asked for an ACK, again and again until it answers or has not answered
 * KEEPALIVE_PROBES times. Only what is idle is asked: unacknowledged data has its own
 * timers (MUST-26).
 */
#include "engine.h"

#define KEEPALIVE_INTERVAL_US 75000000ULL
#define KEEPALIVE_PROBES      9u

/* Who asks often also wants to know soon. */
static uint64_t keepalive_interval(const struct stack *s)
{
	uint64_t idle = s->config.keepalive_us;

	return idle < KEEPALIVE_INTERVAL_US ? idle : KEEPALIVE_INTERVAL_US;
}

/* All probes are unanswered, and for as long as data may be (RFC 5482, 4.2). */
static bool keepalive_given_up(const struct stack *s, const struct conn *c)
{
	return c->probes >= KEEPALIVE_PROBES &&
	       s->event.now_us - c->probing_since_us >= c->user_timeout_us;
}

/* One old octet's number, which calls for an ACK. */
static void keepalive_probe(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	if (c->snd_una != c->snd_nxt || !emit_segment(s, slot, c->snd_una - 1, 0, TCP_ACK))
		return;
	if (c->probes == 0)
		c->probing_since_us = s->event.now_us;
	c->probes++;
	c->counters.keepalive_probes++;
	s->stats.keepalive_probes++;
}

void keepalive_start(struct stack *s, uint32_t slot)
{
	if (s->config.keepalive_us != 0)
		conn_timer(s, slot, CONN_TIMER_KEEPALIVE, s->event.now_us + s->config.keepalive_us);
}

void keepalive_configured(struct stack *s, uint32_t slot)
{
	const struct conn *c = event_conn(s, slot);

	if (!state_synchronized((enum tcp_state)c->state))
		return;
	if (s->config.keepalive_us == 0)
		conn_timer_stop(s, slot, CONN_TIMER_KEEPALIVE);
	else if (c->probes == 0) /* else the next probe comes soon enough */
		conn_timer(s, slot, CONN_TIMER_KEEPALIVE, c->last_in_us + s->config.keepalive_us);
}

void keepalive_timer(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	uint64_t next = c->last_in_us + s->config.keepalive_us;

	if (s->config.keepalive_us == 0 || !state_synchronized((enum tcp_state)c->state))
		return;
	if (s->event.now_us >= next) {
		if (keepalive_given_up(s, c)) {
			timeout_gone(s, slot, "the peer answers no keepalive");
			return;
		}
		keepalive_probe(s, slot);
		next = s->event.now_us + keepalive_interval(s);
	}
	conn_timer(s, slot, CONN_TIMER_KEEPALIVE, next);
}
