/*
 * Which entries of a table that is taken up hold.
 *
 * Theory of operation: the memory outlives whoever wrote it, so it may be damaged. Whatever
 * changed an entry beside the engine shows by its seal (seal.h). What the engine itself
 * got wrong, before it died of that perhaps, is sealed too; so an entry must also be one that
 * the engine could have left so between two events: nothing that is
 * done with it from then on reads outside a buffer, makes an illegal move, computes with
 * numbers that cannot be, or waits without a timer. Much of an entry says the same twice
 * (sequence numbers and stream offsets, state and flags, state and history), so that most
 * such defects show. What no value of can do harm is not looked at: counters, rates, what an
 * algorithm keeps for itself.
 *
 * Whether the entry fits its ring is found out when that is attached (user.c).
 */
#include "engine.h"

#include <string.h>

#include "seal.h"

/* Times and stream offsets: sums of two of them do not overflow. */
#define VALUE_MAX (UINT64_C(1) << 62)

/* ---- what all kinds of entries have ---- */

bool takeover_identity_holds(const struct conn_identity *identity)
{
	return seal_holds(identity, sizeof(*identity)) && identity->id != 0 &&
	       identity->id != UINT64_MAX && flow_valid(&identity->flow) &&
	       identity->created_us <= VALUE_MAX;
}

static bool history_holds(const struct conn_history *history, enum tcp_state state)
{
	if (history->count == 0 || history->count > CONN_HISTORY ||
	    history->state[history->count - 1] != state)
		return false;
	for (uint32_t i = 0; i < history->count; i++)
		if (history->state[i] >= TCP_STATES || history->time_us[i] > VALUE_MAX)
			return false;
	return true;
}

/* The offset is derived from the flow: it tells of damage to either. */
static bool timestamps_hold(const struct stack *s, const struct flow *flow, uint32_t flags,
                            uint32_t offset)
{
	return !(flags & CONN_TIMESTAMPS) || offset == timestamp_offset(s, flow);
}

static bool scale_holds(uint32_t flags, uint8_t scale)
{
	return scale <= ((flags & CONN_SCALING) ? WINDOW_SCALE_MAX : 0);
}

/* ---- connections ---- */

static bool has(const struct conn *c, uint32_t flag)
{
	return (c->flags & flag) != 0;
}

/* The user has closed, as far as the state tells. */
static bool state_user_closed(uint32_t state)
{
	return state == TCP_FIN_WAIT_1 || state == TCP_FIN_WAIT_2 || state == TCP_CLOSING ||
	       state == TCP_LAST_ACK;
}

static bool state_holds(const struct conn *c)
{
	bool synchronized = c->state >= TCP_ESTABLISHED;
	bool waits = (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT) &&
	             c->worker == CONN_NO_WORKER;

	if (c->state <= TCP_LISTEN || c->state >= TCP_TIME_WAIT ||
	    !history_holds(&c->history, (enum tcp_state)c->state))
		return false;
	/* a FIN-WAIT-1 whose SYN is not acknowledged was closed in SYN-RECEIVED */
	if (has(c, CONN_SYN_ACKED) ? !synchronized : synchronized && c->state != TCP_FIN_WAIT_1)
		return false;
	return has(c, CONN_FIN_QUEUED) == state_user_closed(c->state) &&
	       (has(c, CONN_WAITING) != has(c, CONN_HEADER)) == waits &&
	       (!has(c, CONN_WAITING) || (has(c, CONN_COUNTED) && !has(c, CONN_HEADER))) &&
	       (!has(c, CONN_HEADER) || waits) &&
	       (!has(c, CONN_FIN_SENT) || has(c, CONN_FIN_QUEUED)) &&
	       (!has(c, CONN_SYN_OWED) || !has(c, CONN_SYN_ACKED)) &&
	       (!has(c, CONN_ACK_NOW | CONN_ACK_DELAYED) || synchronized) &&
	       (!has(c, CONN_UTO_OWED) || c->uto_local_s != 0);
}

/* Without a worker there is no ring, and no data but the early and the busy message. */
static bool worker_holds(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	uint64_t most = has(c, CONN_BUSY) && has(c, CONN_SYN_ACKED) ? STACK_BUSY_MESSAGE_MAX : 0;

	if (user_discards(c) && c->rx_tail != c->rx_head)
		return false;
	if (c->worker != CONN_NO_WORKER)
		return has(c, CONN_SYN_ACKED) && !has(c, CONN_BUSY) && c->early_bytes == 0 &&
		       (!has(c, CONN_WORKER_GONE) || has(c, CONN_FIN_QUEUED));
	if (has(c, CONN_WORKER_GONE) || c->tx_head > most ||
	    c->early_bytes > CONN_EARLY_BYTES - c->header_bytes)
		return false;
	return user_discards(c) || (c->rx_tail == 0 && c->rx_head == c->early_bytes &&
	                            s->table.reassembly[slot].count == 0);
}

/* RFC 9293, 3.3.1: what was sent, by sequence numbers and by stream offsets. */
static bool send_holds(const struct conn *c)
{
	uint32_t flight = c->snd_nxt - c->snd_una;
	uint32_t head = c->iss + 1 + (uint32_t)c->tx_head;
	uint64_t unacked = c->tx_head - c->tx_una;

	if (c->tx_head > VALUE_MAX || c->tx_una > c->tx_head || unacked > RING_SIZE_MAX)
		return false;
	if (has(c, CONN_FIN_SENT) && c->snd_nxt != head + 1)
		return false;
	if (!has(c, CONN_SYN_ACKED))
		return c->snd_una == c->iss && c->tx_head == 0 &&
		       flight <= 1u + has(c, CONN_FIN_SENT) &&
		       (flight > 0 || has(c, CONN_SYN_OWED));
	if (c->state == TCP_FIN_WAIT_2)
		return has(c, CONN_FIN_SENT) && flight == 0 && unacked == 0;
	if (c->snd_una != c->iss + 1 + (uint32_t)c->tx_una)
		return false;
	return has(c, CONN_FIN_SENT) || flight <= unacked;
}

/* What the peer lets us send, and how it is cut. */
static bool send_limits_hold(const struct conn *c)
{
	const struct ip_address *peer = &c->identity.flow.peer.address;
	uint32_t ahead = c->snd_up - c->snd_una;

	return c->snd_mss > 0 && c->snd_mss <= mss_for_mtu(peer, UINT16_MAX) &&
	       scale_holds(c->flags, c->snd_wscale) && c->snd_wnd <= c->max_snd_wnd &&
	       c->max_snd_wnd <= UINT32_C(65535) << c->snd_wscale &&
	       (!has(c, CONN_URGENT_OUT) ||
	        (has(c, CONN_SYN_ACKED) && ahead > 0 && ahead <= c->tx_head - c->tx_una));
}

/* The urgent mark: behind what has come by so little, or ahead of it (RFC 9293, 3.8.5). */
static bool urgent_holds(const struct conn *c)
{
	uint32_t head = c->rcv_nxt - state_peer_closed((enum tcp_state)c->state);
	int32_t ahead = seq_diff(c->rcv_up, head);

	if (!has(c, CONN_URGENT_IN))
		return true;
	if (!state_synchronized((enum tcp_state)c->state))
		return false;
	if (ahead < 0)
		return (uint64_t) - (int64_t)ahead < c->rx_head;
	return (uint32_t)ahead <= c->rcv_adv - c->rcv_nxt + UINT16_MAX + 1;
}

/* What its proxy has said of it. */
static bool header_holds(const struct conn *c)
{
	static const struct endpoint none;

	if (has(c, CONN_HEADER) && c->header_bytes > 0)
		return false;
	return c->header_bytes <= CONN_EARLY_BYTES &&
	       (c->client.address.version == IP_NONE
	                ? memcmp(&c->client, &none, sizeof(none)) == 0
	                : c->header_bytes > 0 && endpoint_valid(&c->client));
}

/* RFC 9293, 3.3.1: what was received, by sequence numbers and by stream offsets. */
static bool receive_holds(const struct conn *c)
{
	bool closed = state_peer_closed((enum tcp_state)c->state);

	if (c->rx_head > VALUE_MAX || c->rx_tail > c->rx_head ||
	    c->rx_head - c->rx_tail > RING_SIZE_MAX)
		return false;
	if (c->rcv_adv - c->rcv_nxt > RING_SIZE_MAX || !scale_holds(c->flags, c->rcv_wscale) ||
	    c->rcv_mss > UINT16_MAX)
		return false;
	if (c->state == TCP_SYN_SENT)
		return c->rx_head == 0 && c->rcv_adv == c->rcv_nxt;
	if (c->state == TCP_SYN_RECEIVED && c->rx_head != 0)
		return false;
	return c->rcv_nxt == c->irs + 1 + c->header_bytes + (uint32_t)c->rx_head + closed &&
	       seq_leq(c->last_ack_sent, c->rcv_nxt) && seq_leq(c->snd_wl1, c->rcv_adv) &&
	       urgent_holds(c);
}

/* What has come beyond rcv_nxt. */
static bool beyond_holds(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	const struct reassembly *reassembly = &s->table.reassembly[slot];
	bool receives = state_can_receive((enum tcp_state)c->state);

	if (!reassembly_valid(reassembly, c->rcv_nxt))
		return false;
	if (reassembly->count > 0 &&
	    (!receives || seq_gt(reassembly->range[reassembly->count - 1].end, c->rcv_adv)))
		return false;
	return !has(c, CONN_FIN_RECEIVED) ||
	       (receives && seq_gt(c->peer_fin, c->rcv_nxt) && seq_lt(c->peer_fin, c->rcv_adv));
}

/* Timers run where there is something to wait for, and what must end some time has one. */
static bool timers_hold(const struct conn *c)
{
	bool open = state_synchronized((enum tcp_state)c->state);
	bool running[CONN_TIMERS];

	for (int i = 0; i < CONN_TIMERS; i++) {
		running[i] = c->timer_us[i] != TIMER_NEVER;
		if (running[i] && c->timer_us[i] > VALUE_MAX)
			return false;
	}
	if (running[CONN_TIMER_PERSIST] && c->tx_una == c->tx_head && c->snd_wnd > 0)
		return false;
	if (!open && (running[CONN_TIMER_PROBE] || running[CONN_TIMER_REORDER]))
		return false;
	if (has(c, CONN_FIN_QUEUED) || c->state == TCP_SYN_SENT)
		return running[CONN_TIMER_END];
	return running[CONN_TIMER_END] == has(c, CONN_HEADER) || !open;
}

static bool times_hold(const struct conn *c)
{
	return c->established_us <= VALUE_MAX && c->last_in_us <= VALUE_MAX &&
	       c->last_data_us <= VALUE_MAX && c->unacked_since_us <= VALUE_MAX &&
	       c->stalled_since_us <= VALUE_MAX && c->probing_since_us <= VALUE_MAX &&
	       c->ts_recent_us <= VALUE_MAX && c->user_timeout_us <= USER_TIMEOUT_MAX_US &&
	       c->uto_local_s <= SEGMENT_USER_TIMEOUT_MAX &&
	       c->uto_remote_s <= SEGMENT_USER_TIMEOUT_MAX && c->persist_shift <= PERSIST_SHIFT_MAX;
}

static bool conn_holds(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);

	return takeover_identity_holds(&c->identity) && state_holds(c) && header_holds(c) &&
	       worker_holds(s, slot) && send_holds(c) && send_limits_hold(c) && receive_holds(c) &&
	       beyond_holds(s, slot) && timers_hold(c) && times_hold(c) && rtt_valid(&c->rtt) &&
	       pmtu_valid(c) && congestion_valid(&c->congestion) &&
	       c->recovery <= RECOVERY_TIMEOUT && c->congestion.mss == c->snd_mss &&
	       timestamps_hold(s, &c->identity.flow, c->flags, c->ts_offset);
}

/* ---- the smaller entries ---- */

static bool half_open_holds(const struct half_open *half)
{
	return takeover_identity_holds(&half->identity) &&
	       half->retransmits <= SYN_ACK_RETRANSMITS &&
	       scale_holds(half->flags, half->snd_wscale) &&
	       scale_holds(half->flags, half->rcv_wscale) && half->deadline_us <= VALUE_MAX &&
	       half->user_timeout_s <= SEGMENT_USER_TIMEOUT_MAX;
}

static bool time_wait_holds(const struct stack *s, const struct time_wait *wait)
{
	return takeover_identity_holds(&wait->identity) &&
	       history_holds(&wait->history, TCP_TIME_WAIT) &&
	       wait->rcv_wscale <= WINDOW_SCALE_MAX && wait->rcv_wnd <= RING_SIZE_MAX &&
	       wait->deadline_us <= VALUE_MAX && wait->established_us <= VALUE_MAX &&
	       ((wait->flags & CONN_RESTORED) || /* the offset is a former engine's */
	        timestamps_hold(s, &wait->identity.flow, wait->flags, wait->ts_offset));
}

/* ---- why not ---- */

static const char damaged[] = "its entry was damaged";
static const char wrong[] = "its entry made no sense";

const char *takeover_conn_wrong(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	const struct reassembly *reassembly = &s->table.reassembly[slot];

	if (!seal_holds(c, sizeof(*c)) || !seal_holds(reassembly, sizeof(*reassembly)))
		return damaged;
	return conn_holds(s, slot) ? NULL : wrong;
}

const char *takeover_half_open_wrong(const struct stack *s, uint32_t slot)
{
	const struct half_open *half = slot_half_open(s, slot);

	if (!seal_holds(half, sizeof(*half)))
		return damaged;
	return half_open_holds(half) ? NULL : wrong;
}

const char *takeover_time_wait_wrong(const struct stack *s, uint32_t slot)
{
	const struct time_wait *wait = slot_time_wait(s, slot);

	if (!seal_holds(wait, sizeof(*wait)))
		return damaged;
	return time_wait_holds(s, wait) ? NULL : wrong;
}
