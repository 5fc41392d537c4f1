/*
 * Half-open connections: the SYN-RECEIVED state of passive opens (RFC 9293, 3.10.7.4),
 * kept in small entries (RFC 4987, 3.5) until the third segment of the handshake makes a
 * connection.
 *
 * The list of entries is bounded. When it is full SYNs are answered with cookies (cookie.c),
 * or, without these, the oldest entry makes room. A cookie that comes back becomes an entry
 * and goes on here as any other, limits and all: an entry that must wait for a place in the
 * accept queue has its SYN-ACK sent again, which brings the client's ACK again.
 */
#include "engine.h"
#include "limits.h"
#include "proxied.h"

#include <string.h>

#define SYN_ACK_TIMEOUT_US 1000000ULL
/* How far behind an old connection's numbers those of a new one begin, at least. */
#define ISS_STEP 131072u

/* ---- a SYN makes an entry ---- */

void half_open_fill(const struct stack *s, struct half_open *half, const struct segment *seg)
{
	bool v6 = half->identity.flow.peer.address.version == IP_V6;

	half->irs = seg->seq;
	half->window = seg->window;
	half->peer_mss = (uint16_t)(v6 ? MSS_DEFAULT_V6 : MSS_DEFAULT_V4);
	if (seg->has_mss)
		half->peer_mss = seg->mss;
	if (seg->has_timestamps) {
		half->flags |= CONN_TIMESTAMPS;
		half->ts_recent = seg->ts_value;
	}
	if (seg->sack_permitted)
		half->flags |= CONN_SACK;
	if (s->config.ecn && ecn_setup(seg))
		half->flags |= CONN_ECN | CONN_ECT;
	if (s->config.user_timeout_option && seg->has_user_timeout)
		half->user_timeout_s = seg->user_timeout_s;
	if (seg->has_window_scale) {
		half->flags |= CONN_SCALING;
		half->snd_wscale =
			seg->window_scale < WINDOW_SCALE_MAX ? seg->window_scale : WINDOW_SCALE_MAX;
		half->rcv_wscale = window_scale_for(s->config.receive_buffer);
	}
}

static uint64_t half_open_deadline(const struct half_open *half, uint64_t now_us)
{
	return now_us + (SYN_ACK_TIMEOUT_US << half->retransmits);
}

bool half_open_full(const struct stack *s)
{
	return s->open_half_opens >= s->config.half_open ||
	       slot_pool_free(&s->free_half_opens) == 0;
}

/* A free slot; when no more may be used the oldest entry's. In an event. */
static uint32_t half_open_slot(struct stack *s)
{
	uint32_t slot;

	if (half_open_full(s)) {
		s->stats.half_open_full++;
		half_open_destroy(s, slot_list_oldest(&s->used_half_opens),
		                  "pushed out by a newer one");
	}
	return slot_pool_take(&s->free_half_opens, &slot) ? slot : LOOKUP_NONE;
}

/* The entry is complete: it moves to SYN-RECEIVED. In an event. */
static void half_open_enter(struct stack *s, uint32_t slot, const char *why)
{
	struct half_open *half = slot_half_open(s, slot);

	half->deadline_us = half_open_deadline(half, s->event.now_us);
	identity_move(s, &half->identity, NULL, TCP_LISTEN, TCP_SYN_RECEIVED, why);
	lookup_add(s->lookup, slot);
	slot_list_put(&s->used_half_opens, slot);
	timer_set(s->timers, slot, half->deadline_us);
	s->open_half_opens++;
}

/* SYN-ACK, for the first time or again. False when the batch is full. */
static bool half_open_answer(struct stack *s, const struct half_open *half)
{
	uint32_t offset = 0;

	if (half->flags & CONN_TIMESTAMPS)
		offset = timestamp_offset(s, &half->identity.flow);
	return emit_syn_ack(s, half, timestamp_now(offset, s->event.now_us));
}

void half_open_create(struct stack *s, const struct syn *syn, uint64_t now_us)
{
	struct half_open *half;
	uint32_t slot;

	event_begin(s, now_us);
	slot = half_open_slot(s);
	if (slot == LOOKUP_NONE) {
		event_end(s);
		return;
	}
	half = slot_half_open(s, slot);
	table_touch(&s->table, half, sizeof(*half));
	memset(half, 0, sizeof(*half));
	identity_init(s, &half->identity, syn->flow, syn->packet->ifindex, syn->packet->mtu);
	half_open_fill(s, half, syn->seg);
	half->iss = iss_generate(s, syn->flow, now_us);
	/* RFC 9293, 3.6.1: beyond all that the old one sent, faster than its clock though it was */
	if (syn->after != NULL && !seq_gt(half->iss, *syn->after))
		half->iss = *syn->after + ISS_STEP;
	if (syn->busy)
		half->flags |= CONN_BUSY;
	half_open_enter(s, slot, "SYN");
	(void)half_open_answer(s, half);
	event_end(s);
}

uint32_t half_open_restore(struct stack *s, const struct half_open *from, uint64_t now_us)
{
	const struct conn_identity *identity = &from->identity;
	struct half_open *half;
	uint32_t slot;

	event_begin(s, now_us);
	slot = half_open_slot(s);
	if (slot != LOOKUP_NONE) {
		half = slot_half_open(s, slot);
		table_touch(&s->table, half, sizeof(*half));
		*half = *from;
		identity_init(s, &half->identity, &identity->flow, identity->ifindex,
		              identity->mtu);
		half_open_enter(s, slot, "a SYN cookie came back");
	}
	event_end(s);
	return slot;
}

/* ---- the entry's end ---- */

/* Takes it out of everything derived. */
static void half_open_free(struct stack *s, uint32_t slot)
{
	struct half_open *half = slot_half_open(s, slot);

	table_touch(&s->table, half, sizeof(*half));
	lookup_remove(s->lookup, slot);
	timer_set(s->timers, slot, TIMER_NEVER);
	slot_list_drop(&s->used_half_opens, slot);
	half->identity.id = 0;
	slot_pool_put(&s->free_half_opens, slot);
	s->open_half_opens--;
}

static void half_open_end(struct stack *s, uint32_t slot, enum tcp_state to, const char *why)
{
	struct half_open *half = slot_half_open(s, slot);

	table_touch(&s->table, half, sizeof(*half));
	identity_move(s, &half->identity, NULL, TCP_SYN_RECEIVED, to, why);
	event_note(s, NOTE_ENDED, &half->identity)->why = why;
	half_open_free(s, slot);
}

void half_open_destroy(struct stack *s, uint32_t slot, const char *why)
{
	half_open_end(s, slot, TCP_LISTEN, why);
}

void half_open_abort(struct stack *s, uint32_t slot, const char *why)
{
	emit_half_open_reset(s, slot_half_open(s, slot));
	half_open_end(s, slot, TCP_CLOSED, why);
}

void half_open_timer(struct stack *s, uint32_t slot, uint64_t now_us)
{
	struct half_open *half = slot_half_open(s, slot);

	event_begin(s, now_us);
	table_touch(&s->table, half, sizeof(*half));
	if (half->retransmits == SYN_ACK_RETRANSMITS) {
		s->stats.half_open_expired++;
		half_open_destroy(s, slot, "the handshake timed out");
	} else {
		half->retransmits++;
		half->flags &= ~CONN_ECT; /* lost for its flags, perhaps (RFC 3168, 6.1.1.1) */
		half->deadline_us = half_open_deadline(half, now_us);
		timer_set(s->timers, slot, half->deadline_us);
		if (half_open_answer(s, half))
			emit_count_again(s);
	}
	event_end(s);
}

/* ---- the third segment ---- */

struct conn_history half_open_history(const struct half_open *half)
{
	uint64_t at_us = half->identity.created_us;

	return (struct conn_history){2, {TCP_LISTEN, TCP_SYN_RECEIVED}, {at_us, at_us}};
}

static void promote_fields(struct stack *s, uint32_t slot, const struct half_open *half)
{
	struct conn *c = event_conn(s, slot);

	c->state = TCP_SYN_RECEIVED;
	c->history = half_open_history(half);
	c->flags |=
		CONN_PASSIVE |
		(half->flags & (CONN_TIMESTAMPS | CONN_SACK | CONN_SCALING | CONN_ECN | CONN_ECT));
	c->iss = half->iss;
	c->snd_una = half->iss;
	c->snd_nxt = half->iss + 1;
	c->snd_up = half->iss;
	c->snd_wnd = half->window;
	c->max_snd_wnd = half->window;
	c->snd_wl1 = half->irs;
	c->snd_wl2 = half->iss;
	c->peer_mss = half->peer_mss;
	c->irs = half->irs;
	c->rcv_nxt = half->irs + 1;
	c->rcv_adv = c->rcv_nxt + CONN_EARLY_BYTES;
	c->rcv_up = c->rcv_nxt;
	c->last_ack_sent = c->rcv_nxt;
	c->snd_wscale = half->snd_wscale;
	c->rcv_wscale = half->rcv_wscale;
	if (half->flags & CONN_TIMESTAMPS)
		c->ts_offset = timestamp_offset(s, &half->identity.flow);
	c->ts_recent = half->ts_recent;
	c->ts_recent_us = s->event.now_us;
	conn_set_mss(c);
	recovery_init(c);
	congestion_init(&c->congestion, s->config.congestion, c->snd_mss, &c->rtt, s->event.now_us);
	/*
	 * RFC 6298, 2.2: the handshake is the first sample, unless it was sent again (Karn), or
	 * nobody knows when, which is the price of a cookie.
	 */
	if (half->retransmits == 0 && !(half->flags & CONN_COOKIE)) {
		uint64_t rtt = s->event.now_us - half->identity.created_us;

		rtt_sample(&c->rtt, rtt > 0 ? rtt : 1);
	} else {
		recovery_syn_lost(c, half->retransmits);
	}
}

uint32_t half_open_promote(struct stack *s, uint32_t half_slot)
{
	struct half_open copy = *slot_half_open(s, half_slot);
	uint32_t slot;

	if (slot_pool_free(&s->free_conns) == 0)
		return LOOKUP_NONE;
	half_open_free(s, half_slot);
	slot = conn_create(s, &copy.identity);
	promote_fields(s, slot, &copy);
	user_timeout_heard(s, slot, copy.user_timeout_s);
	conn_timer(s, slot, CONN_TIMER_RETRANSMIT,
	           s->event.now_us + rtt_timeout(&slot_conn(s, slot)->rtt));
	return slot;
}

/* What comes from a proxy is its client's doing: it counts when that is known. */
static bool half_open_proxied(const struct stack *s, const struct half_open *half)
{
	return proxied_listener(s, &half->identity.flow.local);
}

/* Why the client cannot be let in now; NULL: it can. */
static const char *half_open_refuse(struct stack *s, const struct half_open *half)
{
	if (half->flags & CONN_BUSY)
		return "over a limit"; /* as its SYN found; others may have taken the places since */
	if (s->accept_queue.count >= s->config.backlog || slot_pool_free(&s->free_conns) == 0) {
		s->stats.queue_full++;
		return "the accept queue is full";
	}
	if (half_open_proxied(s, half))
		return limits_refuse(s, NULL, true);
	return limits_refuse_proven(s, &half->identity.flow.peer.address);
}

/* Told and counted once, however often the client's ACK comes. */
static void half_open_refused(struct stack *s, struct half_open *half, const char *why)
{
	const struct ip_address *peer = &half->identity.flow.peer.address;

	if (half->flags & CONN_REFUSED)
		return;
	table_touch(&s->table, half, sizeof(*half));
	half->flags |= CONN_REFUSED;
	limits_note_refused(s, &half->identity, why);
	if (!half_open_proxied(s, half) && limits_own(s, peer))
		limits_offence(s, peer, STACK_OFFENCE_REFUSED);
}

static void half_open_reset(struct stack *s, uint32_t slot, const struct packet_in *packet,
                            const struct segment *seg, const char *why)
{
	struct flow flow = slot_half_open(s, slot)->identity.flow;

	half_open_destroy(s, slot, why);
	emit_reset_for(s, &flow, packet->ifindex, seg, s->event.now_us);
}

/*
 * The ACK of our SYN: into the accept queue, or what `busy` says. False when the
 * entry stays as it is or is gone.
 */
static bool half_open_accept(struct stack *s, uint32_t slot, const struct packet_in *packet,
                             const struct segment *seg)
{
	struct half_open *half = slot_half_open(s, slot);
	const struct ip_address *peer = &half->identity.flow.peer.address;
	const char *full;

	if (!half_open_proxied(s, half) && limits_banned(s, peer, s->event.now_us)) {
		half_open_reset(s, slot, packet, seg, "its source is banned");
		return false;
	}
	full = half_open_refuse(s, half);
	if (full == NULL) {
		if (!half_open_proxied(s, half))
			limits_admit(s, peer);
		return true;
	}
	half_open_refused(s, half, full);
	if (s->config.busy == STACK_BUSY_DROP) {
		s->stats.busy_dropped++;
		return false;
	}
	if (s->config.busy == STACK_BUSY_MESSAGE && s->busy_messages < BUSY_MESSAGES_MAX) {
		table_touch(&s->table, half, sizeof(*half));
		half->flags |= CONN_BUSY;
		return true;
	}
	s->stats.busy_reset++;
	half_open_reset(s, slot, packet, seg, full);
	return false;
}

static void half_open_establish(struct stack *s, uint32_t half_slot, const struct segment *seg,
                                uint64_t now_us)
{
	bool busy = (slot_half_open(s, half_slot)->flags & CONN_BUSY) != 0;
	uint32_t slot = half_open_promote(s, half_slot);
	struct conn *c;

	if (slot == LOOKUP_NONE) {
		event_end(s);
		return;
	}
	c = event_conn(s, slot);
	if (busy) {
		c->flags |= CONN_BUSY;
		orphan_notice(s, slot);
		s->busy_messages++;
		s->stats.busy_message++;
	}
	event_end(s);
	/* the ACK, its data and its FIN take the usual way, as the next event */
	conn_input(s, slot, seg, now_us);
}

/* ---- a segment for a half-open entry: SYN-RECEIVED of RFC 9293, 3.10.7.4 ---- */

static bool half_open_in_window(const struct half_open *half, uint32_t seq)
{
	return seq_geq(seq, half->irs + 1) && seq_lt(seq, half->irs + 1 + CONN_EARLY_BYTES);
}

static void half_open_syn(struct stack *s, uint32_t slot, const struct segment *seg)
{
	struct half_open *half = slot_half_open(s, slot);

	table_touch(&s->table, half, sizeof(*half));
	if (seg->seq == half->irs)
		ecn_peer_syn(&half->flags, seg);
	if (seg->seq == half->irs || !half_open_in_window(half, seg->seq))
		half_open_answer(s, half); /* its SYN again: our SYN-ACK was lost or is late */
	else
		half_open_destroy(s, slot, "another SYN inside the window");
}

/* True when the segment establishes the connection. In an event. */
static bool half_open_check(struct stack *s, uint32_t slot, const struct packet_in *packet,
                            const struct segment *seg, uint64_t now_us)
{
	struct half_open *half = slot_half_open(s, slot);
	struct flow flow = half->identity.flow;

	if (seg->flags & TCP_RST) {
		/* RFC 5961, section 3: exactly the next sequence number */
		if (seg->seq == half->irs + 1)
			half_open_destroy(s, slot, "RST");
		else
			s->stats.rst_ignored++;
		return false;
	}
	if (seg->flags & TCP_SYN) {
		half_open_syn(s, slot, seg);
		return false;
	}
	if (!(seg->flags & TCP_ACK))
		return false;
	if (seg->ack != half->iss + 1) {
		s->stats.bad_ack++;
		emit_reset_for(s, &flow, packet->ifindex, seg, now_us);
		return false;
	}
	if (!half_open_in_window(half, seg->seq)) {
		s->stats.out_of_window++;
		half_open_answer(s, half);
		return false;
	}
	/* RFC 7323, 3.2 and 5.3: negotiated, so each segment has it, and not an older one */
	if ((half->flags & CONN_TIMESTAMPS) &&
	    (!seg->has_timestamps || seq_lt(seg->ts_value, half->ts_recent))) {
		s->stats.paws++;
		return false;
	}
	return half_open_accept(s, slot, packet, seg);
}

void half_open_input(struct stack *s, uint32_t slot, const struct packet_in *packet,
                     const struct segment *seg, uint64_t now_us)
{
	if ((seg->flags & TCP_ACK) && seg->ack == slot_half_open(s, slot)->iss + 1)
		orphan_make_room(s, now_us);
	event_begin(s, now_us);
	if (half_open_check(s, slot, packet, seg, now_us))
		half_open_establish(s, slot, seg, now_us);
	else
		event_end(s);
}
