/*
 * The user timeout (RFC 9293, 3.8.3 and 3.9.1): how long what is sent, or what waits for
 * the peer's window, may go without an acknowledgment before the connection is given
 * up; and the option by which the two ends tell each other theirs (RFC 5482).
 *
 * Theory of operation
 *
 * stalled_since_us moves with each byte that is acknowledged, and when the first byte
 * enters an empty queue; answers to window probes do not move it. One timer compares
 * it with the limit; it is started with data and looks after the fact whether it was
 * overtaken, so that ACKs cost nothing.
 *
 * The option is off unless configured (section 3.1: ENABLED is false by default). With
 * it, ADV_UTO is the configured user timeout, or RFC 9293's five minutes where none is.
 * A configured user timeout is not changed by what the peer says (CHANGEABLE is false);
 * otherwise the peer's option sets ours, between bounds. It goes out with the SYN and
 * with the first segment after it that has room, since SYNs may be answered by a SYN
 * cache or cookie that forgets it (section 3.2).
 */
#include "engine.h"

#define UTO_DEFAULT_S 300u  /* RFC 9293, 3.9.1.1 */
#define UTO_LEAST_S   100u  /* L_LIMIT: R2 of RFC 9293, SHLD-11 */
#define UTO_MOST_S    3600u /* U_LIMIT: what a stranger may ask for */
#define UTO_BYTES     4u

/* Something is unacknowledged or waits to be sent. */
static bool user_timeout_waits(const struct conn *c)
{
	return c->snd_una != c->snd_nxt || c->timer_us[CONN_TIMER_PERSIST] != TIMER_NEVER;
}

void user_timeout_start(struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);

	if (c->user_timeout_us != 0 && c->timer_us[CONN_TIMER_USER] == TIMER_NEVER)
		conn_timer(s, slot, CONN_TIMER_USER, c->stalled_since_us + c->user_timeout_us);
}

static void user_timeout_set(struct stack *s, uint32_t slot, uint64_t us)
{
	struct conn *c = event_conn(s, slot);

	c->user_timeout_us = us;
	conn_timer_stop(s, slot, CONN_TIMER_USER);
	if (user_timeout_waits(c))
		user_timeout_start(s, slot);
}

void user_timeout_timer(struct stack *s, uint32_t slot)
{
	const struct conn *c = event_conn(s, slot);

	if (c->user_timeout_us == 0 || !user_timeout_waits(c))
		return;
	if (s->event.now_us - c->stalled_since_us >= c->user_timeout_us)
		timeout_gone(s, slot, "the user timeout has expired");
	else
		user_timeout_start(s, slot);
}

/* ---- the option ---- */

uint32_t user_timeout_offer(const struct stack *s)
{
	uint64_t seconds = s->config.user_timeout_us / 1000000;

	if (!s->config.user_timeout_option)
		return 0;
	if (seconds > SEGMENT_USER_TIMEOUT_MAX)
		seconds = SEGMENT_USER_TIMEOUT_MAX;
	return seconds > 0 ? (uint32_t)seconds : UTO_DEFAULT_S;
}

void user_timeout_init(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);

	c->user_timeout_us = s->config.user_timeout_us;
	c->uto_local_s = user_timeout_offer(s);
	if (c->uto_local_s != 0)
		c->flags |= CONN_UTO_OWED;
}

void user_timeout_heard(struct stack *s, uint32_t slot, uint32_t remote_s)
{
	struct conn *c = event_conn(s, slot);
	uint32_t seconds = c->uto_local_s;

	if (c->uto_local_s == 0 || remote_s == 0)
		return;
	c->uto_remote_s = remote_s;
	if (s->config.user_timeout_us != 0)
		return; /* not CHANGEABLE */
	/* section 3.1: min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT)) */
	if (seconds < remote_s)
		seconds = remote_s;
	if (seconds < UTO_LEAST_S)
		seconds = UTO_LEAST_S;
	if (seconds > UTO_MOST_S)
		seconds = UTO_MOST_S;
	user_timeout_set(s, slot, seconds * UINT64_C(1000000));
}

void user_timeout_configured(struct stack *s, uint32_t slot, uint64_t before_us)
{
	uint64_t now_us = s->config.user_timeout_us;

	/* one that the peer asked for stays, where we still have none of our own */
	if (now_us != 0 || slot_conn(s, slot)->user_timeout_us == before_us)
		user_timeout_set(s, slot, now_us);
}

void user_timeout_tell(struct stack *s, uint32_t slot, struct segment *seg)
{
	struct conn *c = event_conn(s, slot);
	bool fits = seg->data_length + UTO_BYTES <= c->snd_mss &&
	            segment_header_length(seg) + UTO_BYTES <= TCP_HEADER_MAX;

	if (!(c->flags & CONN_UTO_OWED) || !fits)
		return;
	seg->has_user_timeout = true;
	seg->user_timeout_s = c->uto_local_s;
	if (!(seg->flags & TCP_SYN))
		c->flags &= ~CONN_UTO_OWED;
}
