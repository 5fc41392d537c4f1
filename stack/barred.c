/*
 * Pairs in TIME-WAIT that outlive the engine: read out of the table that a former engine
 * has left, and put into that of the next, to be there as if nothing had happened. What
 * it takes is all that time_wait_input() looks at; a history and counters it takes not.
 *
 * Both directions check everything: the table may be damaged, the pair may come out of a
 * file that somebody has written to.
 */
#include "engine.h"

#include <string.h>

#include "seal.h"

/* ---- out of a table ---- */

static void pair_read(const struct time_wait *wait, struct quiet_pair *pair)
{
	memset(pair, 0, sizeof(*pair));
	pair->flow = wait->identity.flow;
	pair->ifindex = wait->identity.ifindex;
	pair->mtu = wait->identity.mtu;
	pair->snd_nxt = wait->snd_nxt;
	pair->rcv_nxt = wait->rcv_nxt;
	pair->rcv_wnd = wait->rcv_wnd;
	pair->ts_recent = wait->ts_recent;
	pair->ts_offset = wait->ts_offset;
	pair->rcv_wscale = wait->rcv_wscale;
	pair->timestamps = (wait->flags & CONN_TIMESTAMPS) != 0;
	pair->passive = (wait->flags & CONN_PASSIVE) != 0;
	pair->until_us = wait->deadline_us;
}

size_t stack_barred_pairs(const struct stack_config *config, const void *memory, size_t bytes,
                          uint64_t now_us, struct quiet_pair *pairs, size_t size)
{
	struct table_shape shape = stack_shape(config);
	struct table table;
	size_t count = 0;

	if (!table_view(&table, memory, bytes, &shape))
		return 0;
	for (uint32_t i = 0; i < shape.time_waits && count < size; i++) {
		const struct time_wait *wait = &table.time_wait[i];

		if (wait->identity.id == 0 || wait->deadline_us <= now_us ||
		    !seal_holds(wait, sizeof(*wait)))
			continue;
		pair_read(wait, &pairs[count]);
		if (quiet_pair_holds(&pairs[count]))
			count++;
	}
	return count;
}

/* ---- into a table ---- */

static void pair_write(const struct stack *s, const struct quiet_pair *pair, struct time_wait *wait)
{
	uint64_t latest_us = s->event.now_us + 2 * s->config.msl_us;

	wait->snd_nxt = pair->snd_nxt;
	wait->rcv_nxt = pair->rcv_nxt;
	wait->rcv_wnd = pair->rcv_wnd;
	wait->ts_recent = pair->ts_recent;
	wait->ts_offset = pair->ts_offset;
	wait->flags = CONN_RESTORED | (pair->timestamps ? CONN_TIMESTAMPS : 0) |
	              (pair->passive ? CONN_PASSIVE : 0);
	wait->rcv_wscale = pair->rcv_wscale;
	wait->deadline_us = pair->until_us < latest_us ? pair->until_us : latest_us;
	wait->history.count = 1;
	wait->history.state[0] = TCP_TIME_WAIT;
	wait->history.time_us[0] = s->event.now_us;
}

bool stack_bar_pair(struct stack *s, const struct quiet_pair *pair, uint64_t now_us)
{
	struct time_wait *wait;
	uint32_t slot;

	if (!quiet_pair_holds(pair) || pair->until_us <= now_us ||
	    lookup_find(s->lookup, &pair->flow) != LOOKUP_NONE ||
	    slot_pool_free(&s->free_time_waits) == 0)
		return false;
	event_begin(s, now_us);
	(void)slot_pool_take(&s->free_time_waits, &slot);
	wait = slot_time_wait(s, slot);
	table_touch(&s->table, wait, sizeof(*wait));
	memset(wait, 0, sizeof(*wait));
	identity_init(s, &wait->identity, &pair->flow, pair->ifindex, pair->mtu);
	pair_write(s, pair, wait);
	lookup_add(s->lookup, slot);
	slot_list_put(&s->used_time_waits, slot);
	s->open_time_waits++;
	timer_set(s->timers, slot, wait->deadline_us);
	event_end(s);
	return true;
}
