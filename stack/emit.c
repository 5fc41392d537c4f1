/*
 * Building packets into the batch: the segments of a connection, of half-open and
 * TIME-WAIT entries, and RSTs for segments that belong to nobody. Headers are
 * built here; payload stays in the ring and is only pointed to.
 */
#include "engine.h"

#include <string.h>

#include "checksum.h"

/* Headroom that emit_segment() leaves for what must not be lost to a full batch. */
#define BATCH_RESERVE 16u

uint32_t mss_for_mtu(const struct ip_address *address, uint32_t mtu)
{
	bool v6 = address->version == IP_V6;
	uint32_t headers = address_ip_header(address) + TCP_HEADER_MIN;
	uint32_t least = v6 ? MSS_DEFAULT_V6 : 64;

	if (mtu == 0)
		mtu = v6 ? 1280 : 1500;
	if (mtu > 65535)
		mtu = 65535; /* the largest packet there is without jumbograms */
	return mtu > headers + least ? mtu - headers : least;
}

uint8_t window_scale_for(uint32_t buffer)
{
	uint8_t scale = 0;

	while (scale < WINDOW_SCALE_MAX && (buffer >> scale) > 65535)
		scale++;
	return scale;
}

/* Puts the packet for *SEG into the batch. The caller has made sure that there is room. */
static void emit_packet(struct stack *s, const struct flow *flow, uint32_t ifindex,
                        struct segment *seg)
{
	struct packet_out *packet = &s->batch[s->batch_count++];
	const struct ip_address *src = &flow->local.address;
	const struct ip_address *dst = &flow->peer.address;
	size_t ip_length, tcp_length;
	uint16_t checksum;
	uint8_t *tcp;

	seg->src_port = flow->local.port;
	seg->dst_port = flow->peer.port;
	tcp_length = segment_header_length(seg);
	ip_length = ip_build(packet->header, src, dst, (uint8_t)(s->config.dscp << 2 | seg->ecn),
	                     s->config.ttl, tcp_length + seg->data_length);
	tcp = packet->header + ip_length;
	(void)segment_build(tcp, seg);
	checksum = checksum_tcp(src, dst, tcp, tcp_length, seg->data, seg->data_length);
	memcpy(tcp + 16, &checksum, sizeof(checksum));
	packet->src = *src;
	packet->dst = *dst;
	packet->ifindex = ifindex;
	packet->header_length = (uint32_t)(ip_length + tcp_length);
	packet->data = seg->data;
	packet->data_length = seg->data_length;
	s->stats.out_segs++;
	if (seg->flags & TCP_RST)
		s->stats.out_rsts++;
}

/* The batch that was handed over is done with as soon as the next packet is made. */
static bool emit_room(struct stack *s, size_t reserve)
{
	if (s->batch_taken) {
		s->batch_count = 0;
		s->batch_taken = false;
	}
	if (s->batch_count + reserve < STACK_BATCH)
		return true;
	if (reserve == 0)
		s->stats.out_full++;
	return false;
}

/* ---- segments of a connection ---- */

static void emit_syn_options(const struct conn *c, struct segment *seg)
{
	seg->has_mss = true;
	seg->mss = (uint16_t)mss_for_mtu(&c->identity.flow.peer.address, c->identity.mtu);
	seg->sack_permitted = (c->flags & CONN_SACK) != 0;
	if (c->flags & CONN_SCALING) {
		seg->has_window_scale = true;
		seg->window_scale = c->rcv_wscale;
	}
}

static void emit_timestamps(struct segment *seg, uint32_t value, uint32_t recent)
{
	seg->has_timestamps = true;
	seg->ts_value = value;
	seg->ts_echo = recent;
}

/* SACK blocks, as many as fit beside the timestamps and into the packet. */
static void emit_sack(struct stack *s, uint32_t slot, struct segment *seg)
{
	const struct conn *c = slot_conn(s, slot);
	const struct reassembly *reassembly = &s->table.reassembly[slot];
	unsigned most = (c->flags & CONN_TIMESTAMPS) ? 3 : 4;
	uint32_t room = c->snd_mss > seg->data_length ? c->snd_mss - seg->data_length : 0;
	struct seq_range *dsack = &slot_private(s, slot)->dsack;
	unsigned count = 0;

	if (!(c->flags & CONN_SACK) || (reassembly->count == 0 && dsack->start == dsack->end))
		return;
	while (seg->data_length > 0 && most > 0 && 4 + 8 * most > room)
		most--;
	/* once, and before the block that it lies in, which is the most recent (RFC 2883, 4) */
	if (dsack->start != dsack->end && most > 0) {
		seg->sack[count++] = *dsack;
		*dsack = (struct seq_range){0, 0};
		s->stats.dsacks_out++;
	}
	count += reassembly_sack(reassembly, seg->sack + count, most - count);
	seg->sack_count = (uint8_t)count;
}

/* Advertises the window and remembers its edge; everything owed is acknowledged by this. */
static void emit_acknowledge(struct stack *s, uint32_t slot, struct segment *seg)
{
	struct conn *c = event_conn(s, slot);
	uint32_t window = output_window(s, slot);
	uint8_t scale = (seg->flags & TCP_SYN) ? 0 : c->rcv_wscale;

	if ((window >> scale) > 65535)
		window = 65535u << scale;
	seg->window = (uint16_t)(window >> scale);
	if (!(seg->flags & TCP_ACK))
		return;
	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + ((uint32_t)seg->window << scale));
	seg->ack = c->rcv_nxt;
	c->last_ack_sent = c->rcv_nxt;
	c->rcv_unacked = 0;
	c->flags &= ~(CONN_ACK_NOW | CONN_ACK_DELAYED);
	conn_timer_stop(s, slot, CONN_TIMER_DELAYED_ACK);
}

static void emit_conn(struct stack *s, uint32_t slot, uint32_t seq, uint32_t length, uint8_t flags,
                      bool is_new)
{
	struct conn *c = event_conn(s, slot);
	struct segment seg = {.seq = seq, .flags = flags};

	emit_acknowledge(s, slot, &seg);
	if (flags & TCP_SYN)
		emit_syn_options(c, &seg);
	if (c->flags & CONN_TIMESTAMPS)
		emit_timestamps(&seg, timestamp_now(c->ts_offset, s->event.now_us), c->ts_recent);
	if (length > 0) {
		seg.data_length = length;
		seg.data = user_data(s, slot, c->tx_una + (seq - c->snd_una));
	}
	if (is_new)
		ecn_mark(c, &seg);
	if ((c->flags & CONN_ECE) && !(flags & TCP_SYN))
		seg.flags |= TCP_ECE;
	if ((c->flags & CONN_URGENT_OUT) && seq_gt(c->snd_up, seq)) {
		uint32_t ahead = c->snd_up - seq;

		seg.flags |= TCP_URG;
		seg.urgent = ahead < 65535 ? (uint16_t)ahead : 65535;
	}
	emit_sack(s, slot, &seg);
	user_timeout_tell(s, slot, &seg);
	c->counters.segs_out++;
	emit_packet(s, &c->identity.flow, c->identity.ifindex, &seg);
}

bool emit_segment(struct stack *s, uint32_t slot, uint32_t seq, uint32_t length, uint8_t flags)
{
	if (!emit_room(s, BATCH_RESERVE))
		return false;
	emit_conn(s, slot, seq, length, flags, false);
	return true;
}

bool emit_new(struct stack *s, uint32_t slot, uint32_t length, uint8_t flags)
{
	if (!emit_room(s, BATCH_RESERVE))
		return false;
	emit_conn(s, slot, slot_conn(s, slot)->snd_nxt, length, flags, true);
	return true;
}

void emit_ack(struct stack *s, uint32_t slot)
{
	if (emit_room(s, 0))
		emit_conn(s, slot, slot_conn(s, slot)->snd_nxt, 0, TCP_ACK, false);
}

void emit_count_again(struct stack *s)
{
	s->stats.out_segs--;
	s->stats.retrans_segs++;
}

void emit_reset(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	struct segment seg = {
		.seq = c->snd_nxt,
		.ack = c->rcv_nxt,
		.flags = TCP_RST | TCP_ACK,
	};

	if (c->flags & CONN_TIMESTAMPS) /* RFC 7323, 3.2 */
		emit_timestamps(&seg, timestamp_now(c->ts_offset, s->event.now_us), c->ts_recent);
	if (emit_room(s, 0))
		emit_packet(s, &c->identity.flow, c->identity.ifindex, &seg);
}

bool emit_condemned(struct stack *s, const struct condemned *condemned, uint64_t now_us)
{
	/* An ACK outside of the window is answered with an ACK (RFC 9293, 3.10.7.4). */
	struct segment segs[2] = {
		{.seq = condemned->snd_nxt, .flags = TCP_RST | TCP_ACK},
		{.seq = condemned->snd_una - 1, .flags = TCP_ACK},
	};

	if (!emit_room(s, 1))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		segs[i].ack = condemned->rcv_nxt;
		if (condemned->timestamps)
			emit_timestamps(
				&segs[i],
				timestamp_now(timestamp_offset(s, &condemned->flow), now_us),
				condemned->ts_recent);
		emit_packet(s, &condemned->flow, condemned->ifindex, &segs[i]);
	}
	return true;
}

/* ---- segments of smaller entries, and of none ---- */

bool emit_syn_ack(struct stack *s, const struct half_open *half, uint32_t ts_value)
{
	struct segment seg = {
		.seq = half->iss,
		.ack = half->irs + 1,
		.flags = TCP_SYN | TCP_ACK,
		.window = CONN_EARLY_BYTES,
		.has_mss = true,
		.mss = (uint16_t)mss_for_mtu(&half->identity.flow.peer.address, half->identity.mtu),
		.sack_permitted = (half->flags & CONN_SACK) != 0,
	};

	if (!emit_room(s, 0))
		return false;
	if (half->flags & CONN_ECT)
		seg.flags |= TCP_ECE;
	if (half->flags & CONN_SCALING) {
		seg.has_window_scale = true;
		seg.window_scale = half->rcv_wscale;
	}
	if (half->flags & CONN_TIMESTAMPS)
		emit_timestamps(&seg, ts_value, half->ts_recent);
	seg.user_timeout_s = user_timeout_offer(s);
	seg.has_user_timeout = seg.user_timeout_s != 0;
	emit_packet(s, &half->identity.flow, half->identity.ifindex, &seg);
	return true;
}

void emit_half_open_reset(struct stack *s, const struct half_open *half)
{
	struct segment seg = {
		.seq = half->iss + 1,
		.ack = half->irs + 1,
		.flags = TCP_RST | TCP_ACK,
	};

	if (half->flags & CONN_TIMESTAMPS)
		emit_timestamps(
			&seg,
			timestamp_now(timestamp_offset(s, &half->identity.flow), s->event.now_us),
			half->ts_recent);
	if (emit_room(s, 0))
		emit_packet(s, &half->identity.flow, half->identity.ifindex, &seg);
}

void emit_time_wait_ack(struct stack *s, const struct time_wait *wait)
{
	struct segment seg = {
		.seq = wait->snd_nxt,
		.ack = wait->rcv_nxt,
		.flags = TCP_ACK,
		.window = (uint16_t)((wait->rcv_wnd >> wait->rcv_wscale) < 65535
	                                     ? wait->rcv_wnd >> wait->rcv_wscale
	                                     : 65535),
	};

	if (!emit_room(s, 0))
		return;
	if (wait->flags & CONN_TIMESTAMPS)
		emit_timestamps(&seg, timestamp_now(wait->ts_offset, s->event.now_us),
		                wait->ts_recent);
	emit_packet(s, &wait->identity.flow, wait->identity.ifindex, &seg);
}

void emit_reset_for(struct stack *s, const struct flow *flow, uint32_t ifindex,
                    const struct segment *seg, uint64_t now_us)
{
	struct segment reset = {.flags = TCP_RST};

	if (seg->flags & TCP_RST)
		return;
	if (!answer_source_allowed(s, &s->resets, &flow->peer.address, RESETS_PER_SECOND, now_us)) {
		s->stats.rst_limited++;
		return;
	}
	if (!emit_room(s, 0))
		return;
	if (seg->flags & TCP_ACK) {
		reset.seq = seg->ack;
	} else {
		reset.flags |= TCP_ACK;
		reset.ack = seg->seq + segment_length(seg);
	}
	emit_packet(s, flow, ifindex, &reset);
}
