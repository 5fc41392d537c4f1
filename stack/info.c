/*
 * Looking at entries: the engine's state as struct conn_info, for people and
 * tests. Changes nothing.
 */
#include "engine.h"
#include "limits.h"

#include <string.h>

static void info_identity(struct conn_info *info, const struct conn_identity *identity,
                          const struct conn_history *history)
{
	info->id = identity->id;
	info->flow = identity->flow;
	info->ifindex = identity->ifindex;
	info->created_us = identity->created_us;
	info->worker = CONN_NO_WORKER;
	info->history_count = history->count;
	for (uint32_t i = 0; i < history->count; i++) {
		info->history[i].state = (enum tcp_state)history->state[i];
		info->history[i].time_us = history->time_us[i];
	}
}

static void info_timers_off(struct conn_info *info)
{
	info->timer_retransmit_us = TIMER_NEVER;
	info->timer_persist_us = TIMER_NEVER;
	info->timer_delayed_ack_us = TIMER_NEVER;
	info->timer_keepalive_us = TIMER_NEVER;
	info->timer_user_us = TIMER_NEVER;
	info->timer_end_us = TIMER_NEVER;
}

static void info_sequence(struct conn_info *info, const struct conn *c)
{
	info->iss = c->iss;
	info->snd_una = c->snd_una;
	info->snd_nxt = c->snd_nxt;
	info->snd_wnd = c->snd_wnd;
	info->snd_wl1 = c->snd_wl1;
	info->snd_wl2 = c->snd_wl2;
	info->snd_up = c->snd_up;
	info->irs = c->irs;
	info->rcv_nxt = c->rcv_nxt;
	info->rcv_wnd = receive_window(c);
	info->rcv_up = c->rcv_up;
	info->snd_queue = (uint32_t)(c->tx_head - c->tx_una);
	info->rcv_queue = (uint32_t)(c->rx_head - c->rx_tail);
	info->send_mss = c->snd_mss;
	info->receive_mss = mss_for_mtu(&c->identity.flow.peer.address, c->identity.mtu);
	info->path_mtu = c->pmtu.mtu;
	info->path_mtu_proven = c->pmtu.proven;
	info->path_mtu_search = c->pmtu.state == PMTU_SEARCHING ? c->pmtu.high : 0;
	info->path_mtu_black_holes = c->pmtu.black_holes;
	info->timestamps = (c->flags & CONN_TIMESTAMPS) != 0;
	info->sack = (c->flags & CONN_SACK) != 0;
	info->ecn = (c->flags & CONN_ECN) != 0;
	info->window_scaling = (c->flags & CONN_SCALING) != 0;
	info->snd_wscale = c->snd_wscale;
	info->rcv_wscale = c->rcv_wscale;
}

/* The peer is the proxy that it came by. */
static void info_client(struct conn_info *info, const struct endpoint *client)
{
	if (client->address.version == IP_NONE)
		return;
	info->proxy = info->flow.peer;
	info->flow.peer = *client;
}

static void info_conn(const struct stack *s, struct conn_info *info, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);

	info_identity(info, &c->identity, &c->history);
	info_sequence(info, c);
	info_client(info, &c->client);
	info->state = (enum tcp_state)c->state;
	info->passive = (c->flags & CONN_PASSIVE) != 0;
	info->waiting = (c->flags & CONN_WAITING) != 0;
	info->worker = c->worker;
	info->has_worker = c->worker != CONN_NO_WORKER && !(c->flags & CONN_WORKER_GONE);
	info->established_us = c->established_us;
	info->cwnd = c->congestion.cwnd;
	info->ssthresh = c->congestion.ssthresh;
	info->in_flight = c->snd_nxt - c->snd_una;
	info->congestion = congestion_ops(&c->congestion)->name;
	info->pacing_rate = c->congestion.pacing_rate;
	info->in_recovery = c->recovery != RECOVERY_OPEN;
	info->sacked_bytes = slot_recovery(s, slot)->sent.sacked;
	info->out_of_order_ranges = s->table.reassembly[slot].count;
	info->srtt_us = c->rtt.srtt_us;
	info->rttvar_us = c->rtt.rttvar_us;
	info->min_rtt_us = c->rtt.min_us;
	info->rto_us = rtt_timeout(&c->rtt);
	info->backoff = c->rtt.backoff;
	info->timer_retransmit_us = c->timer_us[CONN_TIMER_RETRANSMIT];
	info->timer_persist_us = c->timer_us[CONN_TIMER_PERSIST];
	info->timer_delayed_ack_us = c->timer_us[CONN_TIMER_DELAYED_ACK];
	info->timer_keepalive_us = c->timer_us[CONN_TIMER_KEEPALIVE];
	info->timer_user_us = c->timer_us[CONN_TIMER_USER];
	info->timer_end_us = c->timer_us[CONN_TIMER_END];
	info->user_timeout_us = c->user_timeout_us;
	info->stalled_since_us = c->tx_head > c->tx_una ? c->stalled_since_us : 0;
	info->counters = c->counters;
}

static void info_half_open(const struct stack *s, struct conn_info *info, uint32_t slot)
{
	const struct half_open *half = slot_half_open(s, slot);
	struct conn_history history = half_open_history(half);

	info_identity(info, &half->identity, &history);
	info->state = TCP_SYN_RECEIVED;
	info->passive = true;
	info->iss = info->snd_una = half->iss;
	info->snd_nxt = half->iss + 1;
	info->snd_wnd = half->window;
	info->irs = half->irs;
	info->rcv_nxt = half->irs + 1;
	info->rcv_wnd = CONN_EARLY_BYTES;
	info->send_mss = half->peer_mss;
	info->timestamps = (half->flags & CONN_TIMESTAMPS) != 0;
	info->sack = (half->flags & CONN_SACK) != 0;
	info->ecn = (half->flags & CONN_ECN) != 0;
	info->window_scaling = (half->flags & CONN_SCALING) != 0;
	info->snd_wscale = half->snd_wscale;
	info->timer_retransmit_us = half->deadline_us;
	info->backoff = half->retransmits;
}

static void info_time_wait(const struct stack *s, struct conn_info *info, uint32_t slot)
{
	const struct time_wait *wait = slot_time_wait(s, slot);

	info_identity(info, &wait->identity, &wait->history);
	info_client(info, &wait->client);
	info->state = TCP_TIME_WAIT;
	info->passive = (wait->flags & CONN_PASSIVE) != 0;
	info->snd_una = info->snd_nxt = wait->snd_nxt;
	info->rcv_nxt = wait->rcv_nxt;
	info->rcv_wnd = wait->rcv_wnd;
	info->rcv_wscale = wait->rcv_wscale;
	info->timestamps = (wait->flags & CONN_TIMESTAMPS) != 0;
	info->established_us = wait->established_us;
	info->timer_end_us = wait->deadline_us;
	info->counters = wait->counters;
}

static void info_slot(const struct stack *s, struct conn_info *info, uint32_t slot)
{
	memset(info, 0, sizeof(*info));
	info_timers_off(info);
	info->congestion = "";
	if (slot_is_conn(s, slot))
		info_conn(s, info, slot);
	else if (slot_is_half_open(s, slot))
		info_half_open(s, info, slot);
	else
		info_time_wait(s, info, slot);
}

static void info_listen(const struct stack *s, struct conn_info *info, uint32_t index)
{
	memset(info, 0, sizeof(*info));
	info_timers_off(info);
	info->congestion = "";
	info->id = s->listen_id[index];
	info->flow.local = s->listen[index];
	info->state = TCP_LISTEN;
	info->passive = true;
	info->worker = CONN_NO_WORKER;
}

bool stack_info(const struct stack *s, uint64_t id, struct conn_info *info)
{
	uint32_t slot = slot_by_id(s, id);

	if (slot != LOOKUP_NONE) {
		info_slot(s, info, slot);
		return true;
	}
	for (uint32_t i = 0; i < s->listens; i++) {
		if (s->listen_id[i] == id && !s->listen_closed[i]) {
			info_listen(s, info, i);
			return true;
		}
	}
	return false;
}

bool stack_next(const struct stack *s, uint32_t *cursor, struct conn_info *info)
{
	uint32_t at, slot;

	for (; *cursor < s->listens; ++*cursor) {
		if (!s->listen_closed[*cursor]) {
			info_listen(s, info, (*cursor)++);
			return true;
		}
	}
	at = *cursor - s->listens;
	while (slot_next(s, &at, &slot)) {
		if (slot_identity(s, slot)->id != 0) {
			info_slot(s, info, slot);
			*cursor = s->listens + at;
			return true;
		}
	}
	return false;
}

uint64_t stack_find(const struct stack *s, const struct flow *flow)
{
	uint32_t slot = lookup_find(s->lookup, flow);

	return slot != LOOKUP_NONE ? slot_identity(s, slot)->id : 0;
}

void stack_usage(const struct stack *s, struct stack_usage *usage)
{
	usage->connections = limits_connections(s);
	usage->queued = s->accept_queue.count;
	usage->half_open = s->open_half_opens;
	usage->time_wait = s->open_time_waits;
	usage->open = s->open_conns;
}
