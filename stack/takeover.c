/*
 * What is derived from a table that a former master left is built again from it:
 * every entry is put back into lookup, timers, queues and counts.
 *
 * Theory of operation: the entries are all there is to know. The daemon then
 * calls stack_attach() again for each connection that has a worker, with the
 * same ring mapped anew. Entries that do not hold are dropped here.
 */
#include "engine.h"

#include <string.h>

static bool identity_valid(const struct conn_identity *identity)
{
	const struct ip_address *local = &identity->flow.local.address;
	const struct ip_address *peer = &identity->flow.peer.address;

	return local->version == peer->version && address_is_unicast(local) &&
	       address_is_unicast(peer) && identity->flow.local.port != 0 &&
	       identity->flow.peer.port != 0;
}

static bool conn_valid(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);

	return identity_valid(&c->identity) && c->history.count <= CONN_HISTORY &&
	       c->state > TCP_LISTEN && c->state < TCP_TIME_WAIT &&
	       seq_leq(c->snd_una, c->snd_nxt) && seq_leq(c->rcv_nxt, c->rcv_adv) &&
	       c->tx_una <= c->tx_head && c->tx_head - c->tx_una <= RING_SIZE_MAX &&
	       c->rx_tail <= c->rx_head && c->rx_head - c->rx_tail <= RING_SIZE_MAX &&
	       c->early_bytes <= CONN_EARLY_BYTES && c->snd_mss > 0 && pmtu_valid(c) &&
	       c->snd_wscale <= WINDOW_SCALE_MAX && c->rcv_wscale <= WINDOW_SCALE_MAX &&
	       c->user_timeout_us <= USER_TIMEOUT_MAX_US &&
	       c->uto_local_s <= SEGMENT_USER_TIMEOUT_MAX && rtt_valid(&c->rtt) &&
	       congestion_valid(&c->congestion) && c->recovery <= RECOVERY_TIMEOUT &&
	       reassembly_valid(&s->table.reassembly[slot], c->rcv_nxt) &&
	       lookup_find(s->lookup, &c->identity.flow) == LOOKUP_NONE;
}

static void rebuild_conn(struct stack *s, uint32_t slot)
{
	struct conn *c = slot_conn(s, slot);
	uint64_t deadline = TIMER_NEVER;

	if (c->identity.id == 0 || !conn_valid(s, slot)) {
		c->identity.id = 0;
		return;
	}
	slot_pool_claim(&s->free_conns, slot);
	lookup_add(s->lookup, slot);
	s->open_conns++;
	if (c->flags & CONN_WAITING)
		slot_queue_put(&s->accept_queue, slot);
	if (c->flags & CONN_BUSY)
		s->busy_messages++;
	if (c->flags & CONN_COUNTED)
		source_add(s->sources, &c->identity.flow.peer.address);
	if (c->worker != CONN_NO_WORKER && !(c->flags & CONN_WORKER_GONE))
		s->workers_busy++;
	for (int i = 0; i < CONN_TIMERS; i++)
		if (c->timer_us[i] < deadline)
			deadline = c->timer_us[i];
	orphan_notice(s, slot);
	timer_set(s->timers, slot, deadline);
	recovery_take_over(s, slot);
	pmtu_take_over(c);
	conn_dirty(s, slot);
}

static void rebuild_half_open(struct stack *s, uint32_t slot)
{
	struct half_open *half = slot_half_open(s, slot);

	if (half->identity.id == 0 || !identity_valid(&half->identity) ||
	    half->retransmits > SYN_ACK_RETRANSMITS || half->snd_wscale > WINDOW_SCALE_MAX ||
	    lookup_find(s->lookup, &half->identity.flow) != LOOKUP_NONE) {
		half->identity.id = 0;
		return;
	}
	slot_pool_claim(&s->free_half_opens, slot);
	lookup_add(s->lookup, slot);
	slot_list_put(&s->used_half_opens, slot);
	timer_set(s->timers, slot, half->deadline_us);
	s->open_half_opens++;
}

static void rebuild_time_wait(struct stack *s, uint32_t slot)
{
	struct time_wait *wait = slot_time_wait(s, slot);

	if (wait->identity.id == 0 || !identity_valid(&wait->identity) ||
	    wait->history.count > CONN_HISTORY || wait->rcv_wscale > WINDOW_SCALE_MAX ||
	    lookup_find(s->lookup, &wait->identity.flow) != LOOKUP_NONE) {
		wait->identity.id = 0;
		return;
	}
	slot_pool_claim(&s->free_time_waits, slot);
	lookup_add(s->lookup, slot);
	slot_list_put(&s->used_time_waits, slot);
	timer_set(s->timers, slot, wait->deadline_us);
	s->open_time_waits++;
}

void takeover_rebuild(struct stack *s)
{
	uint32_t slot = 0;

	for (; slot_is_conn(s, slot); slot++)
		rebuild_conn(s, slot);
	for (; slot_is_half_open(s, slot); slot++)
		rebuild_half_open(s, slot);
	for (uint32_t i = 0; i < s->shape.time_waits; i++, slot++)
		rebuild_time_wait(s, slot);
}
