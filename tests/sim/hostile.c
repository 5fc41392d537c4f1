/* A peer that means no good: see hostile.h. */
#include "tests/sim/hostile.h"

#include "tests/sim/stream.h"

#include "stack/checksum.h"

#define PORTS    6u
#define STEPS    200u
#define DRAIN_US UINT64_C(4 * 3600 * 1000000)
#define MOST     3000u /* bytes of payload in one segment */

/* What the peer has seen of one of its flows. */
struct seen {
	uint32_t syn;     /* its own SYN's number */
	uint32_t syn_ack; /* the engine's */
	uint32_t stamp;
};

struct hostile {
	struct random random;
	uint64_t now_us;
	struct party party;
	struct seen seen[PORTS];
	struct hostile_result result;
	uint8_t junk[MOST];
};

static uint32_t below(struct hostile *h, uint32_t limit)
{
	return random_below(&h->random, limit);
}

static uint32_t any(struct hostile *h)
{
	return (uint32_t)random_next(&h->random);
}

/* ---- what the engine says ---- */

static void hear_data(const struct hostile *h, const struct packet_out *out,
                      const struct segment *seg)
{
	struct flow flow = {.local = h->party.local, .peer = {.address = out->dst}};
	uint32_t slot;

	flow.peer.port = seg->dst_port;
	flow.local.port = seg->src_port;
	slot = lookup_find(h->party.stack->lookup, &flow);
	for (unsigned i = 0; slot != LOOKUP_NONE && i < h->party.sessions; i++) {
		const struct session *session = &h->party.session[i];
		const struct conn *c;

		if (!slot_is_conn(h->party.stack, slot) || session->mad ||
		    session->id != slot_identity(h->party.stack, slot)->id)
			continue;
		c = slot_conn(h->party.stack, slot);
		if (stream_compare(session->key, seg->seq - c->iss - 1, out->data,
		                   out->data_length) != out->data_length)
			fail_msg("session %u sends a byte that is not its stream's", i);
	}
}

static void on_send(void *arg, unsigned number, const struct packet_out *out)
{
	struct hostile *h = arg;
	size_t ip = address_ip_header(&out->dst);
	struct segment seg;

	(void)number;
	h->result.answers++;
	assert_int_equal(segment_parse(out->header + ip, out->header_length - ip, &seg),
	                 SEGMENT_OK);
	if ((seg.flags & TCP_SYN) && seg.dst_port - PARTY_FIRST_PORT < (int)PORTS)
		h->seen[seg.dst_port - PARTY_FIRST_PORT] =
			(struct seen){seg.ack - 1, seg.seq, seg.ts_value};
	if (out->data_length > 0)
		hear_data(h, out, &seg);
}

/* ---- what it gets ---- */

static struct flow flow_to(const struct hostile *h, unsigned port)
{
	struct flow flow = {.local = h->party.local, .peer = {.address = h->party.peer}};

	flow.peer.port = (uint16_t)(PARTY_FIRST_PORT + port);
	return flow;
}

static void deliver(struct hostile *h, const struct flow *flow, struct segment *seg)
{
	size_t header, length;
	uint8_t *bytes;
	uint16_t sum;
	struct packet_in in = {
		.src = flow->peer.address,
		.dst = flow->local.address,
		.ifindex = 1,
		.mtu = 1500,
		.tos = (uint8_t)below(h, 4),
	};

	seg->src_port = flow->peer.port;
	seg->dst_port = flow->local.port;
	header = segment_header_length(seg);
	length = header + seg->data_length;
	bytes = malloc(length);
	assert_non_null(bytes);
	(void)segment_build(bytes, seg);
	if (seg->data_length > 0)
		memcpy(bytes + header, h->junk + below(h, 7), seg->data_length);
	if (below(h, 40) == 0) /* options of any kind and length */
		for (size_t i = 20; i < header; i++)
			bytes[i] = (uint8_t)below(h, below(h, 2) ? 256 : 12);
	sum = checksum_tcp(&in.src, &in.dst, bytes, header, bytes + header, seg->data_length);
	if (below(h, 100) != 0)
		memcpy(bytes + 16, &sum, sizeof(sum));
	in.tcp = bytes;
	in.tcp_length = below(h, 100) ? length : below(h, (uint32_t)length);
	h->result.segments++;
	party_input(&h->party, &in);
	free(bytes);
}

/* ---- what would be right ---- */

/* A number between FROM and TO, mostly one of the two. */
static uint32_t between(struct hostile *h, uint32_t from, uint32_t to)
{
	switch (below(h, 4)) {
	case 0:
		return from;
	case 1:
		return from + below(h, to - from + 1);
	default:
		return to;
	}
}

static void add_sack(struct hostile *h, const struct conn *c, struct segment *seg)
{
	uint32_t flight = c->snd_nxt - c->snd_una;

	seg->sack_count = (uint8_t)below(h, 4);
	for (unsigned i = 0; i < seg->sack_count; i++) {
		uint32_t start = c->snd_una + below(h, flight + 2);

		if (below(h, 3) == 0) /* on the borders of segments, where it does most */
			start = c->snd_una + (start - c->snd_una) / c->snd_mss * c->snd_mss;
		seg->sack[i].start = start;
		seg->sack[i].end = start + (below(h, 3) ? c->snd_mss : below(h, 3000));
	}
}

static struct segment right_for_conn(struct hostile *h, const struct conn *c)
{
	struct segment seg = {
		.seq = c->rcv_nxt,
		.ack = between(h, c->snd_una, c->snd_nxt),
		.flags = TCP_ACK,
		.window = (uint16_t)(below(h, 4) ? 8192 : below(h, 2000)),
		.has_timestamps = (c->flags & CONN_TIMESTAMPS) != 0,
		.ts_value = c->ts_recent + below(h, 3),
		.ts_echo = c->ts_offset + (uint32_t)(h->now_us / 1000),
	};

	if (c->state == TCP_SYN_SENT) {
		seg.seq = any(h);
		seg.flags = (uint8_t)(TCP_SYN | (below(h, 3) ? TCP_ACK : 0));
	} else if (c->state == TCP_SYN_RECEIVED && below(h, 2)) {
		seg.seq = c->irs;
		seg.flags = TCP_SYN | TCP_ACK;
	}
	if (seg.flags & TCP_SYN) {
		seg.has_mss = below(h, 2);
		seg.mss = (uint16_t)below(h, 3000);
		seg.has_window_scale = below(h, 2);
		seg.window_scale = (uint8_t)below(h, 16);
		seg.sack_permitted = below(h, 2);
		return seg;
	}
	if (below(h, 3) == 0)
		seg.data_length = below(h, below(h, 2) ? 100 : MOST - 8);
	if (below(h, 12) == 0)
		seg.seq += below(h, c->rcv_adv - c->rcv_nxt + 1);
	if (below(h, 40) == 0)
		seg.flags |= TCP_FIN;
	if (below(h, 3) == 0)
		add_sack(h, c, &seg);
	return seg;
}

/* For what the engine holds of this flow; a SYN, or what a cookie waits for, when nothing. */
static struct segment right_segment(struct hostile *h, unsigned port)
{
	const struct stack *s = h->party.stack;
	struct flow flow = flow_to(h, port);
	const struct seen *seen = &h->seen[port];
	uint32_t slot = lookup_find(s->lookup, &flow);
	struct segment seg = {.window = 4096, .flags = TCP_ACK, .ts_echo = seen->stamp};

	if (slot != LOOKUP_NONE && slot_is_conn(s, slot))
		return right_for_conn(h, slot_conn(s, slot));
	if (slot != LOOKUP_NONE && slot_is_half_open(s, slot)) {
		const struct half_open *half = slot_half_open(s, slot);

		seg.seq = half->irs + 1;
		seg.ack = half->iss + 1;
		seg.has_timestamps = (half->flags & CONN_TIMESTAMPS) != 0;
		seg.ts_value = half->ts_recent + 1;
		return seg;
	}
	if (slot != LOOKUP_NONE) {
		const struct time_wait *wait = slot_time_wait(s, slot);

		seg.seq = wait->rcv_nxt + (below(h, 2) ? 0 : 100000);
		seg.ack = wait->snd_nxt;
		seg.flags = below(h, 2) ? TCP_SYN : TCP_FIN | TCP_ACK;
		return seg;
	}
	if (below(h, 3) == 0) {
		seg.seq = seen->syn + 1;
		seg.ack = seen->syn_ack + 1;
		seg.has_timestamps = below(h, 2);
		return seg;
	}
	return (struct segment){
		.seq = any(h),
		.flags = TCP_SYN,
		.window = (uint16_t)any(h),
		.has_mss = below(h, 2),
		.mss = (uint16_t)below(h, 3000),
		.has_timestamps = below(h, 2),
		.ts_value = any(h),
		.has_window_scale = below(h, 2),
		.window_scale = (uint8_t)below(h, 16),
		.sack_permitted = below(h, 2),
	};
}

/* ---- what is wrong ---- */

/* By one, by about a window, by half the circle, or anything. */
static uint32_t off(struct hostile *h, uint32_t value)
{
	switch (below(h, 5)) {
	case 0:
		return value + 1;
	case 1:
		return value - 1;
	case 2:
		return value + below(h, 200000) - 100000;
	case 3:
		return value + 0x80000000u - 1 + below(h, 3);
	default:
		return any(h);
	}
}

static void spoil(struct hostile *h, struct segment *seg)
{
	switch (below(h, 9)) {
	case 0:
		seg->seq = off(h, seg->seq);
		break;
	case 1:
		seg->ack = off(h, seg->ack);
		break;
	case 2:
		seg->flags = (uint8_t)any(h);
		break;
	case 3:
		seg->window = (uint16_t)(below(h, 2) ? 0 : any(h));
		break;
	case 4:
		seg->flags |= TCP_URG;
		seg->urgent = (uint16_t)any(h);
		break;
	case 5:
		seg->ts_value = off(h, seg->ts_value);
		seg->ts_echo = off(h, seg->ts_echo);
		break;
	case 6:
		seg->has_timestamps = !seg->has_timestamps;
		break;
	case 7:
		seg->flags |= TCP_RST;
		break;
	default:
		for (unsigned i = 0; i < seg->sack_count; i++)
			seg->sack[i].end = off(h, seg->sack[i].start);
		break;
	}
}

static void send_segment(struct hostile *h)
{
	unsigned port = below(h, PORTS);
	struct flow flow = flow_to(h, port);
	struct segment seg = right_segment(h, port);
	uint32_t times = below(h, 30) ? 1 : 1 + below(h, 20);

	for (uint32_t wrong = below(h, 3) ? 0 : 1 + below(h, 2); wrong > 0; wrong--)
		spoil(h, &seg);
	for (; times > 0; times--)
		deliver(h, &flow, &seg);
}

static void send_icmp(struct hostile *h)
{
	struct icmp_error error = {
		.kind = (enum icmp_kind)below(h, 3),
		.mtu = below(h, 3) ? below(h, 2000) : any(h),
		.flow = flow_to(h, below(h, PORTS)),
	};
	uint32_t slot = lookup_find(h->party.stack->lookup, &error.flow);

	error.seq = any(h);
	if (slot != LOOKUP_NONE && slot_is_conn(h->party.stack, slot)) {
		const struct conn *c = slot_conn(h->party.stack, slot);

		error.seq = between(h, c->snd_una, c->snd_nxt);
	}
	party_icmp(&h->party, &error);
}

/* A worker gone mad writes whatever it likes to its page; it is then the engine's prey. */
static void madden(struct hostile *h)
{
	struct session *session = &h->party.session[below(h, h->party.sessions)];
	struct ring_worker_page *page = session->worker.ring.worker;
	_Atomic uint64_t *field[3];

	if (!session->attached || session->let_go)
		return;
	session->mad = true;
	field[0] = &page->tx_head;
	field[1] = &page->rx_tail;
	field[2] = &page->tx_urgent;
	for (unsigned i = 0; i < 3; i++)
		if (below(h, 2))
			atomic_store(field[i], below(h, 2)
			                               ? random_next(&h->random)
			                               : atomic_load(field[i]) + below(h, 100000));
	session->wake_us = h->now_us;
}

/* ---- a run ---- */

static struct stack_config draw_config(struct hostile *h)
{
	static const uint32_t sizes[] = {4096, 16384, 65536};

	return (struct stack_config){
		.max_connections = 1 + below(h, PARTY_SESSIONS),
		.max_connections_per_source = below(h, 2) ? 0 : 2,
		.backlog = 1 + below(h, 3),
		.half_open = 1 + below(h, 4),
		.time_wait = 1 + below(h, 3),
		.receive_buffer = sizes[below(h, 3)],
		.busy = (enum stack_busy)below(h, 3),
		.syn_cookies = (enum stack_syn_cookies)below(h, 3),
		.congestion = below(h, CONGESTION_ALGORITHMS),
		.ecn = below(h, 2),
		.user_timeout_option = below(h, 2),
		.stalled_bytes = below(h, 2) ? 0 : 20000,
		.msl_us = 30000000,
		.keepalive_us = 120000000,
		.call_timeout_us = 60000000,
		.busy_message = "Busy.\r\n",
	};
}

static void open_sessions(struct hostile *h)
{
	for (unsigned i = 0; i < PARTY_SESSIONS; i++) {
		struct session_plan plan = {
			.send_total = {0, below(h, 2) ? below(h, 100) : below(h, 60000)},
			.abort_at = {UINT64_MAX, below(h, 8) ? UINT64_MAX : below(h, 1000)},
			.tx_size = {4096, 4096u << below(h, 5)},
			.writes = 1 + below(h, 8192),
			.closes_early = {false, below(h, 3) == 0},
			.leaves_early = {false, below(h, 2)},
		};
		struct session *session = &h->party.session[i];

		party_session(&h->party, &plan, random_next(&h->random), 0);
		session->peer_total = UINT64_MAX;
		session->until_fin = true;
	}
}

static struct hostile *hostile_open(uint64_t seed)
{
	static struct hostile *h;
	struct stack_config config;
	bool v6;

	if (h == NULL)
		h = malloc(sizeof(*h));
	assert_non_null(h);
	memset(h, 0, sizeof(*h));
	h->random.state = seed;
	random_fill(&h->random, h->junk, sizeof(h->junk));
	h->now_us = random_next(&h->random) % UINT64_C(1000000000000);
	v6 = below(h, 2);
	config = draw_config(h);
	party_open(&h->party, &h->random, 1, &config, &h->now_us);
	h->party.foreign = true;
	h->party.send = on_send;
	h->party.send_arg = h;
	for (unsigned i = 0; i < 2; i++) {
		struct ip_address *address = i ? &h->party.peer : &h->party.local.address;

		address->version = v6 ? IP_V6 : IP_V4;
		address->bytes[0] = v6 ? 0xfd : 10;
		address->bytes[v6 ? 15 : 3] = (uint8_t)(1 + i);
	}
	h->party.local.port = PARTY_PORT;
	open_sessions(h);
	party_listen(&h->party);
	crash_verify_undo(10);
	return h;
}

/* Time goes on to the next thing due, but no further than MOST. */
static void pass(struct hostile *h, uint64_t most)
{
	uint64_t next = party_next(&h->party);

	if (next > h->now_us + most)
		h->now_us += most;
	else if (next > h->now_us)
		h->now_us = next;
	party_run(&h->party);
	for (unsigned i = 0; i < h->party.sessions; i++)
		if (h->party.session[i].attached && h->party.session[i].let_go) {
			h->result.connections++;
			party_recycle(&h->party, &h->party.session[i]);
		}
}

static void step(struct hostile *h)
{
	static const uint64_t waits[] = {0, 0, 0, 100, 10000, 300000, 5000000};

	switch (below(h, 40)) {
	case 0:
		send_icmp(h);
		break;
	case 1:
		madden(h);
		break;
	case 2:
		party_die(&h->party);
		break;
	default:
		send_segment(h);
		break;
	}
	pass(h, below(h, 300) ? waits[below(h, 7)] : UINT64_C(200000000));
	if (below(h, 100) == 0)
		crash_plan(1 + below(h, 500));
}

/* Nobody sends any more, and the workers end: all is freed in time. */
static void drain(struct hostile *h)
{
	uint64_t end = h->now_us + DRAIN_US;
	struct stack_usage usage;

	for (unsigned i = 0; i < h->party.sessions; i++) {
		h->party.session[i].abort_at = 0;
		h->party.session[i].wake_us = h->now_us;
	}
	for (uint32_t i = 0; i < 100000 && h->now_us < end; i++) {
		if (party_next(&h->party) == UINT64_MAX)
			break;
		pass(h, UINT64_MAX / 2);
	}
	stack_usage(h->party.stack, &usage);
	assert_int_equal(usage.open, 0);
	assert_int_equal(usage.queued, 0);
	assert_int_equal(usage.half_open, 0);
	assert_int_equal(usage.time_wait, 0);
	assert_int_equal(h->party.stack->workers_busy, 0);
	assert_int_equal(h->party.stack->busy_messages, 0);
	assert_int_equal(source_count(h->party.stack->sources, &h->party.peer), 0);
}

struct hostile_result hostile_run(uint64_t seed)
{
	struct hostile *h = hostile_open(seed);

	for (unsigned i = 0; i < STEPS; i++)
		step(h);
	crash_plan(0);
	drain(h);
	h->result.deaths = h->party.deaths;
	party_close(&h->party);
	return h->result;
}
