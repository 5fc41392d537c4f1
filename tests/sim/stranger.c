/* Forgeries from off the path: see stranger.h. */
#include "tests/sim/stranger.h"

#include "stack/checksum.h"

/* As the engine receives it. PEER NULL: from an address that nobody has. */
static void deliver(struct party *p, const struct flow *flow, struct segment *seg)
{
	uint8_t junk[64] = {0}, *bytes;
	struct packet_in in = {
		.src = flow->peer.address,
		.dst = flow->local.address,
		.ifindex = 1,
		.mtu = 1500,
	};
	size_t header;
	uint16_t sum;

	seg->src_port = flow->peer.port;
	seg->dst_port = flow->local.port;
	if (seg->data_length > sizeof(junk))
		seg->data_length = sizeof(junk);
	header = segment_header_length(seg);
	bytes = malloc(header + seg->data_length);
	assert_non_null(bytes);
	(void)segment_build(bytes, seg);
	memcpy(bytes + header, junk, seg->data_length);
	sum = checksum_tcp(&in.src, &in.dst, bytes, header, junk, seg->data_length);
	memcpy(bytes + 16, &sum, sizeof(sum));
	in.tcp = bytes;
	in.tcp_length = header + seg->data_length;
	party_input(p, &in);
	free(bytes);
}

/* A timestamp that PAWS lets through. */
static void stamp(const struct conn *c, struct random *random, struct segment *seg)
{
	seg->has_timestamps = (c->flags & CONN_TIMESTAMPS) != 0;
	seg->ts_value = c->ts_recent + random_below(random, 100000);
	seg->ts_echo = (uint32_t)random_next(random);
}

/* A number of the receive window that is not the next one. */
static uint32_t near_miss(const struct conn *c, struct random *random)
{
	uint32_t window = c->rcv_adv - c->rcv_nxt;

	return c->rcv_nxt + 1 + random_below(random, window > 1 ? window - 1 : 1000);
}

/* What nobody has sent yet, or what is acknowledged since long. */
static uint32_t bad_ack(const struct conn *c, struct random *random)
{
	if (random_below(random, 2))
		return c->snd_nxt + 1 + random_below(random, 1u << 30);
	return c->snd_una - c->max_snd_wnd - 1 - random_below(random, 1u << 30);
}

/* All right but for its timestamp: what PAWS is for, a copy from the circle's last turn. */
static struct segment old_copy(const struct conn *c, struct random *random)
{
	return (struct segment){
		.seq = c->rcv_nxt,
		.ack = c->snd_nxt,
		.flags = TCP_ACK | TCP_PSH,
		.window = 1000,
		.has_timestamps = true,
		.ts_value = c->ts_recent - 1 - random_below(random, 1000000),
		.data_length = 1 + random_below(random, 64),
	};
}

static struct segment forged(const struct conn *c, struct random *random)
{
	struct segment seg = {
		.seq = (uint32_t)random_next(random),
		.ack = (uint32_t)random_next(random),
		.window = (uint16_t)random_next(random),
	};

	switch (random_below(random, 7)) {
	case 0:
		seg.flags = TCP_RST;
		seg.seq = near_miss(c, random);
		break;
	case 1:
		seg.flags = TCP_RST | TCP_ACK;
		seg.seq = near_miss(c, random);
		seg.ack = c->snd_nxt;
		break;
	case 2:
		seg.flags = TCP_SYN;
		if (random_below(random, 2))
			seg.seq = c->rcv_nxt;
		break;
	case 3:
		seg.flags = TCP_SYN | TCP_ACK;
		seg.ack = c->snd_nxt;
		break;
	case 4: /* data right where it would be taken */
		seg.flags = TCP_ACK | TCP_PSH;
		seg.seq = c->rcv_nxt + random_below(random, 3);
		seg.ack = bad_ack(c, random);
		seg.data_length = 1 + random_below(random, 64);
		break;
	case 5: /* an end right where it would be taken */
		seg.flags = TCP_ACK | TCP_FIN | TCP_URG;
		seg.urgent = 5;
		seg.seq = c->rcv_nxt;
		seg.ack = bad_ack(c, random);
		break;
	default:
		seg.flags = (uint8_t)random_next(random);
		seg.data_length = random_below(random, 64);
		break;
	}
	stamp(c, random, &seg);
	return seg;
}

static void forge_icmp(struct party *p, const struct conn *c, struct random *random)
{
	struct icmp_error error = {
		.kind = (enum icmp_kind)random_below(random, 3),
		.mtu = random_below(random, 2000),
		.seq = c->snd_una - 1 - random_below(random, 1u << 30),
		.flow = c->identity.flow,
	};

	if (c->snd_nxt != c->snd_una && random_below(random, 2)) {
		/* quotes data in flight: even so no reason to end a connection (RFC 5461) */
		error.seq = c->snd_una;
		error.kind = random_below(random, 2) ? ICMP_HARD : ICMP_SOFT;
	}
	party_icmp(p, &error);
}

/* From an address of its own, to the listener: anything but the first half of a handshake. */
static void probe_listener(struct party *p, struct random *random)
{
	struct flow flow = {.local = p->local, .peer = {.address = p->peer}};
	struct segment seg = {
		.seq = (uint32_t)random_next(random),
		.ack = (uint32_t)random_next(random),
		.flags = (uint8_t)random_next(random) & (uint8_t)~TCP_SYN,
		.data_length = random_below(random, 64),
	};

	flow.peer.address.bytes[1] = 77;
	flow.peer.port = (uint16_t)(1 + random_below(random, 65535));
	deliver(p, &flow, &seg);
}

void stranger_strikes(struct party *p, struct random *random)
{
	struct session *session = &p->session[random_below(random, p->sessions)];
	uint32_t slot = slot_by_id(p->stack, session->id);
	const struct conn *c;
	struct segment seg;

	if (slot == LOOKUP_NONE || !slot_is_conn(p->stack, slot) ||
	    !state_synchronized((enum tcp_state)slot_conn(p->stack, slot)->state)) {
		probe_listener(p, random);
		return;
	}
	c = slot_conn(p->stack, slot);
	if (random_below(random, 5) == 0) {
		forge_icmp(p, c, random);
		return;
	}
	if ((c->flags & CONN_TIMESTAMPS) && random_below(random, 5) == 0)
		seg = old_copy(c, random);
	else
		seg = forged(c, random);
	deliver(p, &c->identity.flow, &seg);
}
