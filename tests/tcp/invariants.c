/* What holds for an engine between events: see invariants.h. */
#include "tests/tcp/invariants.h"

#include <stdio.h>

#include "stack/seal.h"

static char broken[256];

#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			snprintf(broken, sizeof(broken), "%s:%d: %s", __func__, __LINE__,          \
			         #condition);                                                      \
			return broken;                                                             \
		}                                                                                  \
	} while (0)

static const char *sequence_broken(const struct conn *c, const struct conn_private *p)
{
	uint32_t flight = c->snd_nxt - c->snd_una;
	uint32_t extra = ((c->flags & CONN_FIN_SENT) && flight > 0) + !(c->flags & CONN_SYN_ACKED);

	HOLDS(seq_leq(c->snd_una, c->snd_nxt));
	HOLDS(seq_leq(c->rcv_nxt, c->rcv_adv));
	HOLDS(c->tx_una <= c->tx_head);
	HOLDS(c->rx_tail <= c->rx_head);
	HOLDS(c->snd_mss > 0);
	HOLDS(c->tx_una + flight <= c->tx_head + extra);
	if (p->ring.master != NULL) {
		HOLDS(c->tx_head - c->tx_una <= p->ring.tx_size);
		HOLDS(c->rx_head - c->rx_tail <= p->ring.rx_size);
		HOLDS(c->rx_tail + p->ring.rx_size - c->rx_head >= c->rcv_adv - c->rcv_nxt ||
		      state_peer_closed((enum tcp_state)c->state));
	}
	return NULL;
}

/* Whatever waits for something has a timer that ends the waiting. */
static const char *timers_broken(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	bool retransmit = c->timer_us[CONN_TIMER_RETRANSMIT] != TIMER_NEVER;
	bool persist = c->timer_us[CONN_TIMER_PERSIST] != TIMER_NEVER;

	for (int i = 0; i < CONN_TIMERS; i++)
		HOLDS(timer_get(s->timers, slot) <= c->timer_us[i]);
	if (slot_private(s, slot)->dirty)
		return NULL; /* will be looked at before anything waits */
	HOLDS(!(c->flags & (CONN_SYN_OWED | CONN_ACK_NOW)));
	HOLDS(c->snd_una == c->snd_nxt || retransmit || persist);
	HOLDS(!(c->flags & CONN_ACK_DELAYED) || c->timer_us[CONN_TIMER_DELAYED_ACK] != TIMER_NEVER);
	if (state_synchronized((enum tcp_state)c->state) && c->snd_una == c->snd_nxt) {
		HOLDS(c->tx_una == c->tx_head || persist);
		HOLDS(!(c->flags & CONN_FIN_QUEUED) || (c->flags & CONN_FIN_SENT) || persist);
	}
	HOLDS(!(c->flags & CONN_FIN_QUEUED) || c->timer_us[CONN_TIMER_END] != TIMER_NEVER);
	HOLDS(c->state != TCP_SYN_SENT || c->timer_us[CONN_TIMER_END] != TIMER_NEVER);
	return NULL;
}

/* ... and runs only where there is something to wait for. */
static const char *timers_idle_broken(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	const uint64_t *timer = c->timer_us;
	bool open = state_synchronized((enum tcp_state)c->state);

	HOLDS(timer[CONN_TIMER_PERSIST] == TIMER_NEVER || c->tx_una < c->tx_head ||
	      c->snd_wnd == 0);
	HOLDS(timer[CONN_TIMER_KEEPALIVE] == TIMER_NEVER || (open && s->config.keepalive_us != 0));
	HOLDS(timer[CONN_TIMER_END] == TIMER_NEVER || c->state == TCP_SYN_SENT ||
	      c->state == TCP_SYN_RECEIVED || (c->flags & (CONN_FIN_QUEUED | CONN_HEADER)));
	HOLDS(timer[CONN_TIMER_PROBE] == TIMER_NEVER || open);
	HOLDS(timer[CONN_TIMER_REORDER] == TIMER_NEVER || open);
	return NULL;
}

/* Each segment in flight has a record, from behind the SYN to snd_nxt. */
static const char *records_broken(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	struct recovery *r = slot_recovery(s, slot);
	uint32_t start = (c->flags & CONN_SYN_ACKED) ? c->snd_una : c->iss + 1;

	HOLDS(sent_valid(&r->sent, seq_min(start, c->snd_nxt), c->snd_nxt));
	HOLDS(r->sent.count > 0 || r->sent.ring == NULL);
	HOLDS(r->reno_sacked <= r->sent.in_flight);
	HOLDS(!(c->flags & CONN_SACK) || r->reno_sacked == 0);
	HOLDS((c->flags & CONN_SACK) || r->sent.sacked == 0);
	HOLDS(!r->probe.due || slot_private(s, slot)->dirty || !user_has_data(s, slot));
	return NULL;
}

static const char *conn_broken(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	const char *why = sequence_broken(c, slot_private(s, slot));

	if (why == NULL)
		why = records_broken(s, slot);
	if (why == NULL)
		why = timers_broken(s, slot);
	if (why == NULL)
		why = timers_idle_broken(s, slot);
	if (why != NULL)
		return why;
	HOLDS(seal_holds(c, sizeof(*c)));
	HOLDS(seal_holds(&s->table.reassembly[slot], sizeof(struct reassembly)));
	HOLDS(c->state > TCP_LISTEN && c->state < TCP_TIME_WAIT);
	HOLDS(reassembly_valid(&s->table.reassembly[slot], c->rcv_nxt));
	HOLDS(rtt_valid(&c->rtt));
	HOLDS(c->congestion.cwnd >= c->congestion.mss);
	HOLDS(c->congestion.mss == c->snd_mss);
	HOLDS(!(c->flags & CONN_COUNTED) || source_count(s->sources, conn_source(c)) > 0);
	HOLDS(!(c->flags & CONN_WORKER_GONE) || c->worker != CONN_NO_WORKER);
	HOLDS(c->early_bytes == 0 || c->worker == CONN_NO_WORKER);
	HOLDS(c->header_bytes + c->early_bytes <= CONN_EARLY_BYTES);
	HOLDS(!(c->flags & CONN_HEADER) || c->timer_us[CONN_TIMER_END] != TIMER_NEVER);
	HOLDS(lookup_find(s->lookup, &c->identity.flow) == slot);
	HOLDS(!(c->flags & CONN_WAITING) || c->worker == CONN_NO_WORKER);
	HOLDS(c->history.count > 0 &&
	      (c->history.state[c->history.count - 1] == c->state || c->state == TCP_SYN_RECEIVED));
	return NULL;
}

/* A slot is used, or in its pool once; a free one has no deadline. */
static const char *pool_broken(const struct stack *s, const struct slot_pool *pool)
{
	for (uint32_t i = 0; i < pool->freed_count; i++) {
		uint32_t slot = pool->freed[i];

		HOLDS(slot - pool->first < pool->fresh);
		HOLDS(slot_identity(s, slot)->id == 0);
		HOLDS(timer_get(s->timers, slot) == TIMER_NEVER);
		/* pools of tests are small; in a large one the counts must do */
		for (uint32_t j = 0; j < i && i < 64; j++)
			HOLDS(pool->freed[j] != slot);
	}
	return NULL;
}

/* What stands in a queue says so itself. */
static const char *queues_broken(const struct stack *s)
{
	uint32_t dirty = 0;
	uint64_t stalled = 0;

	for (uint32_t i = 0; i < s->accept_queue.count; i++) {
		uint32_t at = (s->accept_queue.head + i) % s->accept_queue.size;
		const struct conn *c = slot_conn(s, s->accept_queue.slot[at]);

		HOLDS(c->identity.id != 0 && (c->flags & CONN_WAITING));
	}
	for (uint32_t i = 0; i < s->dirty.count; i++) {
		uint32_t at = (s->dirty.head + i) % s->dirty.size;

		HOLDS(slot_private(s, s->dirty.slot[at])->dirty);
	}
	for (uint32_t slot = 0; slot < s->free_conns.fresh; slot++) {
		dirty += slot_private(s, slot)->dirty;
		stalled += slot_private(s, slot)->stalled_bytes;
	}
	HOLDS(dirty == s->dirty.count);
	HOLDS(stalled == s->stalled_bytes);
	return NULL;
}

static const char *derived_broken(const struct stack *s)
{
	const char *why = pool_broken(s, &s->free_conns);

	if (why == NULL)
		why = pool_broken(s, &s->free_half_opens);
	if (why == NULL)
		why = pool_broken(s, &s->free_time_waits);
	if (why == NULL)
		why = queues_broken(s);
	return why;
}

const char *invariants_broken(const struct stack *s)
{
	uint32_t open = 0, half = 0, wait = 0, waiting = 0, busy = 0, headers = 0, slot = 0;

	HOLDS(!s->table.header->busy);
	for (; slot < s->shape.conns; slot++) {
		const struct conn *c = slot_conn(s, slot);
		const char *why;

		if (c->identity.id == 0)
			continue;
		open++;
		waiting += (c->flags & CONN_WAITING) != 0;
		busy += (c->flags & CONN_BUSY) != 0;
		headers += (c->flags & CONN_HEADER) != 0;
		why = conn_broken(s, slot);
		if (why != NULL)
			return why;
	}
	for (; slot_is_half_open(s, slot); slot++) {
		const struct half_open *entry = slot_half_open(s, slot);

		if (entry->identity.id == 0)
			continue;
		half++;
		HOLDS(seal_holds(entry, sizeof(*entry)));
		HOLDS(lookup_find(s->lookup, &entry->identity.flow) == slot);
		HOLDS(timer_get(s->timers, slot) == entry->deadline_us);
	}
	for (uint32_t i = 0; i < s->shape.time_waits; i++, slot++) {
		const struct time_wait *entry = slot_time_wait(s, slot);

		if (entry->identity.id == 0)
			continue;
		wait++;
		HOLDS(seal_holds(entry, sizeof(*entry)));
		HOLDS(lookup_find(s->lookup, &entry->identity.flow) == slot);
		HOLDS(timer_get(s->timers, slot) == entry->deadline_us);
	}
	HOLDS(open == s->open_conns && open + slot_pool_free(&s->free_conns) == s->shape.conns);
	HOLDS(half == s->open_half_opens && half == s->used_half_opens.count &&
	      half + slot_pool_free(&s->free_half_opens) == s->shape.half_opens);
	HOLDS(wait == s->open_time_waits && wait == s->used_time_waits.count &&
	      wait + slot_pool_free(&s->free_time_waits) == s->shape.time_waits);
	HOLDS(waiting == s->accept_queue.count);
	HOLDS(busy == s->busy_messages);
	HOLDS(headers == s->headers_awaited);
	return derived_broken(s);
}
