/*
 * TIME-WAIT (RFC 9293, 3.6.1): the pair of sockets stays unusable for 2 MSL, a
 * repeated FIN is acknowledged again, RST does not end it (RFC 1337), and only a
 * SYN that is provably newer opens the pair again (RFC 9293, MAY-2; RFC 6191).
 */
#include "engine.h"

#include <string.h>

static void time_wait_restart(struct stack *s, uint32_t slot)
{
	struct time_wait *wait = slot_time_wait(s, slot);

	wait->deadline_us = s->event.now_us + 2 * s->config.msl_us;
	timer_set(s->timers, slot, wait->deadline_us);
}

static void time_wait_free(struct stack *s, uint32_t slot)
{
	struct time_wait *wait = slot_time_wait(s, slot);

	lookup_remove(s->lookup, slot);
	timer_set(s->timers, slot, TIMER_NEVER);
	slot_list_drop(&s->used_time_waits, slot);
	wait->identity.id = 0;
	slot_pool_put(&s->free_time_waits, slot);
	s->open_time_waits--;
}

void time_wait_destroy(struct stack *s, uint32_t slot, const char *why)
{
	struct time_wait *wait = slot_time_wait(s, slot);

	table_touch(&s->table, wait, sizeof(*wait));
	identity_move(s, &wait->identity, &wait->history, TCP_TIME_WAIT, TCP_CLOSED, why);
	event_note(s, NOTE_ENDED, &wait->identity)->why = why;
	time_wait_free(s, slot);
}

static void time_wait_fill(struct time_wait *wait, const struct conn *c)
{
	memset(wait, 0, sizeof(*wait));
	wait->identity = c->identity;
	wait->history = c->history;
	wait->snd_nxt = c->snd_nxt;
	wait->rcv_nxt = c->rcv_nxt;
	wait->rcv_wnd = c->rcv_adv - c->rcv_nxt;
	wait->ts_recent = c->ts_recent;
	wait->ts_offset = c->ts_offset;
	wait->flags = c->flags & (CONN_TIMESTAMPS | CONN_PASSIVE);
	wait->rcv_wscale = c->rcv_wscale;
	wait->client = c->client;
	wait->established_us = c->established_us;
	wait->counters = c->counters;
}

void time_wait_enter(struct stack *s, uint32_t conn_slot, const char *why)
{
	const struct conn *c;
	struct time_wait *wait;
	uint32_t slot;
	bool ack_owed;

	if (slot_pool_free(&s->free_time_waits) == 0) {
		s->stats.time_wait_full++;
		time_wait_destroy(s, slot_list_oldest(&s->used_time_waits),
		                  "made room for a newer one");
	}
	conn_move(s, conn_slot, TCP_TIME_WAIT, why);
	(void)slot_pool_take(&s->free_time_waits, &slot);
	c = slot_conn(s, conn_slot);
	wait = slot_time_wait(s, slot);
	table_touch(&s->table, wait, sizeof(*wait));
	time_wait_fill(wait, c);
	ack_owed = (c->flags & (CONN_ACK_NOW | CONN_ACK_DELAYED)) != 0;
	conn_release(s, conn_slot);
	lookup_add(s->lookup, slot);
	slot_list_put(&s->used_time_waits, slot);
	s->open_time_waits++;
	time_wait_restart(s, slot);
	if (ack_owed)
		emit_time_wait_ack(s, wait);
}

void time_wait_timer(struct stack *s, uint32_t slot, uint64_t now_us)
{
	event_begin(s, now_us);
	time_wait_destroy(s, slot, "2 MSL are over");
	event_end(s);
}

/* True when the SYN's number is beyond all that the peer used, its FIN the last of these. */
static bool time_wait_beyond(const struct time_wait *wait, const struct segment *seg)
{
	return seq_geq(seg->seq, wait->rcv_nxt);
}

/*
 * RFC 6191, section 2. A peer that had no timestamps and offers them now is let in: what
 * is left of the old connection has none, and the new one will drop it for that.
 */
static bool time_wait_newer(const struct time_wait *wait, const struct segment *seg)
{
	if (!seg->has_timestamps)
		return time_wait_beyond(wait, seg);
	if (!(wait->flags & CONN_TIMESTAMPS) || seq_gt(seg->ts_value, wait->ts_recent))
		return true;
	return seg->ts_value == wait->ts_recent && time_wait_beyond(wait, seg);
}

/* A newer SYN ends the entry and goes to the listener. */
static void time_wait_reopen(struct stack *s, uint32_t slot, const struct packet_in *packet,
                             const struct segment *seg, const struct flow *flow, uint64_t now_us)
{
	uint32_t snd_nxt = slot_time_wait(s, slot)->snd_nxt;

	event_begin(s, now_us);
	s->stats.time_wait_reused++;
	time_wait_destroy(s, slot, "a newer SYN");
	event_end(s);
	listen_input(s, packet, seg, flow, &snd_nxt, now_us);
}

/* The peer's FIN again: our ACK of it was lost. */
static bool time_wait_is_fin(const struct time_wait *wait, const struct segment *seg)
{
	return (seg->flags & (TCP_FIN | TCP_SYN)) == TCP_FIN &&
	       seg->seq + seg->data_length + 1 == wait->rcv_nxt;
}

/* PAWS (RFC 7323, section 5) holds here, too: an old duplicate begins nothing again. */
static bool time_wait_is_old(const struct time_wait *wait, const struct segment *seg)
{
	return (wait->flags & CONN_TIMESTAMPS) &&
	       (!seg->has_timestamps || seq_lt(seg->ts_value, wait->ts_recent));
}

static void time_wait_answer(struct stack *s, struct time_wait *wait)
{
	if (answer_allowed(s, &wait->answers_until_us))
		emit_time_wait_ack(s, wait);
	else
		s->stats.time_wait_limited++;
}

void time_wait_input(struct stack *s, uint32_t slot, const struct packet_in *packet,
                     const struct segment *seg, const struct flow *flow, uint64_t now_us)
{
	struct time_wait *wait = slot_time_wait(s, slot);
	bool expected;

	if (seg->flags & TCP_RST) {
		s->stats.rst_ignored++; /* RFC 1337, section 3, (F1) */
		return;
	}
	if ((seg->flags & TCP_SYN) && !(seg->flags & TCP_ACK) && time_wait_newer(wait, seg) &&
	    s->accepting && listen_match(s, &flow->local) >= 0) {
		time_wait_reopen(s, slot, packet, seg, flow, now_us);
		return;
	}
	event_begin(s, now_us);
	table_touch(&s->table, wait, sizeof(*wait));
	expected = time_wait_is_fin(wait, seg) && !time_wait_is_old(wait, seg);
	if (expected) {
		time_wait_restart(s, slot);
		wait->ts_recent = seg->ts_value; /* read only where there are timestamps */
	}
	if (expected || segment_length(seg) > 0 || seg->seq != wait->rcv_nxt)
		time_wait_answer(s, wait);
	event_end(s);
}
