/*
 * The life of connection entries: made, moved from state to state, closed,
 * aborted, freed (RFC 9293, 3.10.4, 3.10.5). conn_move() is the one function that
 * changes a connection's state.
 */
#include "engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proxied.h"
#include "seal.h"

/* A smaller MSS option only makes work: many packets for few bytes. */
#define PEER_MSS_LEAST 88u

/* ---- identity and history ---- */

static void history_add(struct conn_history *history, enum tcp_state state, uint64_t now_us)
{
	uint32_t at = history->count < CONN_HISTORY ? history->count : CONN_HISTORY - 1;

	history->state[at] = (uint8_t)state;
	history->time_us[at] = now_us;
	if (history->count < CONN_HISTORY)
		history->count++;
}

void identity_init(struct stack *stack, struct conn_identity *identity, const struct flow *flow,
                   uint32_t ifindex, uint32_t mtu)
{
	struct table_header *header = stack->table.header;

	table_touch(&stack->table, &header->next_id, sizeof(header->next_id));
	identity->id = header->next_id++;
	identity->flow = *flow;
	identity->ifindex = ifindex;
	identity->mtu = mtu;
	identity->created_us = stack->event.now_us;
	seal_set(identity, sizeof(*identity));
}

/* RFC 4022's definitions of the counters of moves. */
static void count_move(struct stack_stats *stats, enum tcp_state from, enum tcp_state to)
{
	if (to == TCP_SYN_SENT)
		stats->active_opens++;
	if (from == TCP_LISTEN && to == TCP_SYN_RECEIVED)
		stats->passive_opens++;
	if ((from == TCP_SYN_SENT && to == TCP_CLOSED) ||
	    (from == TCP_SYN_RECEIVED && (to == TCP_CLOSED || to == TCP_LISTEN)))
		stats->attempt_fails++;
	if ((from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT) && to == TCP_CLOSED)
		stats->estab_resets++;
}

struct event_note *identity_move(struct stack *stack, const struct conn_identity *identity,
                                 struct conn_history *history, enum tcp_state from,
                                 enum tcp_state to, const char *why)
{
	struct event_note *note;

	if (!state_move_legal(from, to))
		abort();
	count_move(&stack->stats, from, to);
	if (history != NULL) {
		if (history->count == 0)
			history_add(history, from, stack->event.now_us);
		history_add(history, to, stack->event.now_us);
	}
	note = event_note(stack, NOTE_MOVED, identity);
	note->from = from;
	note->to = to;
	note->why = why;
	return note;
}

/* What there is to say of a connection that was established, and is over. */
static void note_finished(const struct stack *stack, struct event_note *note, const struct conn *c)
{
	note->finished = state_synchronized(note->from) &&
	                 (note->to == TCP_CLOSED || note->to == TCP_TIME_WAIT);
	note->totals = (struct stack_totals){
		.bytes_in = c->counters.bytes_in,
		.bytes_out = c->counters.bytes_out,
		.duration_us = stack->event.now_us - c->established_us,
	};
}

void conn_move(struct stack *stack, uint32_t slot, enum tcp_state to, const char *why)
{
	struct conn *c = event_conn(stack, slot);
	struct event_note *note =
		identity_move(stack, &c->identity, &c->history, (enum tcp_state)c->state, to, why);

	note->flow = conn_flow(c);
	if (c->flags & CONN_HEADER)
		note->flow.peer = (struct endpoint){0}; /* nobody's, yet */
	note_finished(stack, note, c);
	c->state = to;
	if (to != TCP_ESTABLISHED)
		return;
	c->established_us = stack->event.now_us;
	keepalive_start(stack, slot);
}

/* ---- making and freeing ---- */

uint32_t conn_create(struct stack *stack, const struct conn_identity *identity)
{
	uint32_t slot;
	struct conn *c;

	if (!slot_pool_take(&stack->free_conns, &slot))
		return LOOKUP_NONE;
	c = event_conn(stack, slot);
	memset(c, 0, sizeof(*c));
	c->identity = *identity;
	c->worker = CONN_NO_WORKER;
	for (int i = 0; i < CONN_TIMERS; i++)
		c->timer_us[i] = TIMER_NEVER;
	c->last_in_us = c->last_data_us = stack->event.now_us;
	c->unacked_since_us = c->stalled_since_us = stack->event.now_us;
	user_timeout_init(stack, slot);
	rtt_init(&c->rtt);
	pmtu_init(c);
	reassembly_clear(event_reassembly(stack, slot));
	conn_private_reset(slot_private(stack, slot));
	lookup_add(stack->lookup, slot);
	stack->open_conns++;
	return slot;
}

/*
 * Takes the entry out of everything derived and frees the slot; the note makes
 * event_end() tell the worker and let the ring go.
 */
static void conn_free(struct stack *stack, uint32_t slot, enum tcp_state to, enum ring_reset reason)
{
	struct conn *c = event_conn(stack, slot);
	struct event_note *note = event_note(stack, NOTE_DETACHED, &c->identity);

	note->to = to;
	note->handle = (struct conn_handle){slot, c->identity.id};
	note->worker = c->worker;
	note->tx_una = c->tx_una;
	stalled_forget(stack, slot);
	proxied_forget(stack, slot);
	slot_private(stack, slot)->reset_reason = reason;
	if (c->flags & CONN_WAITING)
		slot_queue_drop(&stack->accept_queue, slot);
	slot_list_drop(&stack->orphans, slot);
	if (c->flags & CONN_BUSY)
		stack->busy_messages--;
	if (c->flags & CONN_COUNTED)
		source_remove(stack->sources, conn_source(c));
	timer_set(stack->timers, slot, TIMER_NEVER);
	lookup_remove(stack->lookup, slot);
	c->identity.id = 0;
	c->state = TCP_CLOSED;
	slot_pool_put(&stack->free_conns, slot);
	stack->open_conns--;
}

void conn_destroy(struct stack *stack, uint32_t slot, enum ring_reset reason, const char *why)
{
	struct conn *c = event_conn(stack, slot);

	conn_move(stack, slot, TCP_CLOSED, why);
	event_note(stack, NOTE_ENDED, &c->identity)->why = why;
	conn_free(stack, slot, TCP_CLOSED, reason);
}

void conn_release(struct stack *stack, uint32_t slot)
{
	conn_free(stack, slot, TCP_TIME_WAIT, RING_RESET_NONE);
}

void conn_abort(struct stack *stack, uint32_t slot, enum ring_reset reason, const char *why)
{
	const struct conn *c = slot_conn(stack, slot);

	switch (c->state) {
	case TCP_SYN_RECEIVED:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT_1:
	case TCP_FIN_WAIT_2:
	case TCP_CLOSE_WAIT:
		emit_reset(stack, slot);
		aborted_remember(stack,
		                 &(struct aborted){
					 .flow = c->identity.flow,
					 .ifindex = c->identity.ifindex,
					 .snd_una = c->snd_una,
					 .snd_nxt = c->snd_nxt,
				 },
		                 stack->event.now_us);
		break;
	default: /* SYN-SENT, CLOSING, LAST-ACK: RFC 9293, 3.10.5 sends nothing */
		break;
	}
	conn_destroy(stack, slot, reason, why);
}

void conn_enqueue(struct stack *stack, uint32_t slot)
{
	struct conn *c = event_conn(stack, slot);

	c->flags |= CONN_WAITING;
	slot_queue_put(&stack->accept_queue, slot);
	if (!(c->flags & CONN_COUNTED)) {
		c->flags |= CONN_COUNTED;
		source_add(stack->sources, conn_source(c), stack->event.now_us);
	}
}

void conn_busy_message(struct stack *stack, uint32_t slot)
{
	struct conn *c = event_conn(stack, slot);

	/* its own copy: what was sent once must be the same when it is sent again */
	c->tx_head = strlen(stack->config.busy_message);
	memcpy(table_early(&stack->table, slot), stack->config.busy_message, c->tx_head);
	conn_close(stack, slot, "over a limit");
}

/* ---- CLOSE ---- */

/*
 * Nobody is left who could end a connection that its user has closed, and a peer may
 * keep its window shut, or open it byte by byte, for ever (RFC 6429). What a slow line
 * takes it gets, but the slot is wanted again.
 */
static void conn_limit_closing(struct stack *stack, uint32_t slot)
{
	const struct conn *c = slot_conn(stack, slot);

	conn_timer(stack, slot, CONN_TIMER_END,
	           stack->event.now_us + CLOSING_US + CLOSING_BYTE_US * (c->tx_head - c->tx_una));
}

void conn_close(struct stack *stack, uint32_t slot, const char *why)
{
	struct conn *c = event_conn(stack, slot);

	switch (c->state) {
	case TCP_SYN_SENT:
		conn_destroy(stack, slot, RING_RESET_ABORT, why);
		return;
	case TCP_SYN_RECEIVED:
	case TCP_ESTABLISHED:
		c->flags |= CONN_FIN_QUEUED;
		conn_move(stack, slot, TCP_FIN_WAIT_1, why);
		break;
	case TCP_CLOSE_WAIT:
		c->flags |= CONN_FIN_QUEUED;
		conn_move(stack, slot, TCP_LAST_ACK, why);
		break;
	default: /* closing already */
		return;
	}
	proxied_forget(stack, slot);
	if (c->tx_una == c->tx_head)
		c->stalled_since_us = stack->event.now_us; /* the FIN is what waits */
	c->rx_tail = c->rx_head; /* nobody will take it: its room must not shut the window */
	conn_limit_closing(stack, slot);
	if (c->flags & CONN_WAITING) {
		c->flags &= ~CONN_WAITING;
		slot_queue_drop(&stack->accept_queue, slot);
	}
	orphan_notice(stack, slot);
	conn_dirty(stack, slot);
}

/* ---- small things that belong to an entry ---- */

void conn_set_mss(struct conn *c)
{
	const struct ip_address *address = &c->identity.flow.peer.address;
	uint32_t mss = mss_for_mtu(address, c->pmtu.mtu);

	if (c->peer_mss < mss)
		mss = c->peer_mss > PEER_MSS_LEAST ? c->peer_mss : PEER_MSS_LEAST;
	if (c->flags & CONN_TIMESTAMPS)
		mss -= 12;
	c->snd_mss = mss;
}

void conn_timer(struct stack *stack, uint32_t slot, enum conn_timer timer, uint64_t at_us)
{
	struct conn *c = slot_conn(stack, slot);

	c->timer_us[timer] = at_us;
	/* later than the heap has it: found out when that one pops, which saves most moves */
	if (at_us < timer_get(stack->timers, slot))
		timer_set(stack->timers, slot, at_us);
}

void conn_timer_stop(struct stack *stack, uint32_t slot, enum conn_timer timer)
{
	slot_conn(stack, slot)->timer_us[timer] = TIMER_NEVER;
}

/* A slot may still stand in these two lists when it changes hands: that is remembered. */
void conn_private_reset(struct conn_private *p)
{
	bool dirty = p->dirty, news = p->header_news;

	sent_release(&p->recovery.sent);
	*p = (struct conn_private){0};
	p->dirty = dirty;
	p->header_news = news;
}

void conn_dirty(struct stack *stack, uint32_t slot)
{
	struct conn_private *p = slot_private(stack, slot);

	if (!p->dirty && slot_queue_put(&stack->dirty, slot))
		p->dirty = true;
}
