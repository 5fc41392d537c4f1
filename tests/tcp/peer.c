/* The peer of the test bed, and the ways to each state: see harness.h. */
#include "tests/tcp/harness.h"

#include "stack/checksum.h"

/* ---- segments ---- */

struct segment peer_segment(const struct bed *bed, uint8_t flags)
{
	struct segment seg = {
		.src_port = bed->flow.peer.port,
		.dst_port = bed->flow.local.port,
		.seq = bed->seq,
		.flags = flags,
		.window = bed->window,
	};

	if (flags & TCP_ACK)
		seg.ack = bed->ack;
	if (bed->timestamps) {
		seg.has_timestamps = true;
		seg.ts_value = bed->ts_value;
		seg.ts_echo = bed->ts_echo;
	}
	return seg;
}

size_t peer_write(const struct bed *bed, const struct segment *seg, uint8_t *bytes)
{
	size_t header = segment_build(bytes, seg);
	uint16_t sum = checksum_tcp(&bed->flow.peer.address, &bed->flow.local.address, bytes,
	                            header, seg->data, seg->data_length);

	memcpy(bytes + 16, &sum, sizeof(sum));
	if (seg->data_length > 0)
		memcpy(bytes + header, seg->data, seg->data_length);
	return header + seg->data_length;
}

void peer_send_raw(struct bed *bed, const uint8_t *tcp, size_t length)
{
	uint8_t *exact = malloc(length > 0 ? length : 1); /* so that nothing lies behind it */
	struct packet_in packet = {
		.src = bed->flow.peer.address,
		.dst = bed->flow.local.address,
		.ifindex = 2,
		.mtu = bed->mtu,
		.tos = bed->ecn,
		.ttl = 64,
		.tcp = exact,
		.tcp_length = length,
	};

	assert_non_null(exact);
	memcpy(exact, tcp, length);
	stack_input(bed->stack, &packet, bed->now_us);
	free(exact);
	bed_settle(bed);
}

void peer_send(struct bed *bed, const struct segment *seg)
{
	uint8_t *bytes = malloc(TCP_HEADER_MAX + seg->data_length);

	assert_non_null(bytes);
	peer_send_raw(bed, bytes, peer_write(bed, seg, bytes));
	free(bytes);
}

void peer_send_options(struct bed *bed, const struct segment *seg, const uint8_t *options,
                       size_t length)
{
	uint8_t bytes[TCP_HEADER_MAX + 16] = {0};
	size_t header = TCP_HEADER_MIN + length;
	uint16_t sum;

	assert_true(length <= TCP_HEADER_MAX - TCP_HEADER_MIN && seg->data_length <= 16);
	(void)segment_build(bytes, seg);
	bytes[12] = (uint8_t)(header / 4 << 4);
	memcpy(bytes + TCP_HEADER_MIN, options, length);
	sum = checksum_tcp(&bed->flow.peer.address, &bed->flow.local.address, bytes, header,
	                   seg->data, seg->data_length);
	memcpy(bytes + 16, &sum, sizeof(sum));
	if (seg->data_length > 0)
		memcpy(bytes + header, seg->data, seg->data_length);
	peer_send_raw(bed, bytes, header + seg->data_length);
}

void peer_flags(struct bed *bed, uint8_t flags)
{
	struct segment seg = peer_segment(bed, flags);

	peer_send(bed, &seg);
	if (flags & (TCP_FIN | TCP_SYN))
		bed->seq++;
}

uint8_t peer_byte(uint64_t offset)
{
	return (uint8_t)(offset * 7 + (offset >> 8) * 13 + (offset >> 16));
}

void peer_data_at(struct bed *bed, uint32_t from, uint32_t length)
{
	struct segment seg = peer_segment(bed, TCP_ACK | TCP_PSH);
	uint8_t *data = malloc(length);

	assert_non_null(data);
	for (uint32_t i = 0; i < length; i++)
		data[i] = peer_byte(from - 1 + i);
	seg.seq = PEER_ISS + from;
	seg.data = data;
	seg.data_length = length;
	peer_send(bed, &seg);
	free(data);
}

void peer_data(struct bed *bed, uint32_t length)
{
	peer_data_at(bed, bed->seq - PEER_ISS, length);
	bed->seq += length;
}

void peer_urgent(struct bed *bed, uint32_t length, uint16_t pointer)
{
	struct segment seg = peer_segment(bed, ACK | URG);
	uint8_t *data = calloc(1, length + 1);

	assert_non_null(data);
	seg.data = data;
	seg.data_length = length;
	seg.urgent = pointer;
	peer_send(bed, &seg);
	bed->seq += length;
	free(data);
}

void peer_icmp(struct bed *bed, enum icmp_kind kind, uint32_t seq, uint32_t mtu)
{
	struct icmp_error error = {
		.kind = kind, .mtu = mtu, .seq = bed->iss + seq, .flow = bed->flow};

	stack_icmp(bed->stack, &error, bed->now_us);
	bed_settle(bed);
}

unsigned peer_take(struct bed *bed)
{
	unsigned count = bed->outs - bed->expected;
	bool moved = true;

	/* in any order: go on until nothing fits behind what is there */
	while (moved) {
		moved = false;
		for (unsigned i = 0; i < bed->outs; i++) {
			const struct segment *seg = &bed->out[i].seg;
			uint32_t end = seg->seq + segment_length(seg);

			if (seq_leq(seg->seq, bed->ack) && seq_gt(end, bed->ack)) {
				bed->ack = end;
				moved = true;
			}
		}
	}
	bed->expected = bed->outs;
	return count;
}

void peer_ack(struct bed *bed)
{
	(void)peer_take(bed);
	peer_flags(bed, ACK);
}

void peer_sack(struct bed *bed, uint32_t ack, ...)
{
	struct segment seg = peer_segment(bed, ACK);
	va_list blocks;
	uint32_t start;

	seg.ack = bed->iss + ack;
	va_start(blocks, ack);
	while ((start = va_arg(blocks, uint32_t)) != 0) {
		seg.sack[seg.sack_count].start = bed->iss + start;
		seg.sack[seg.sack_count].end = bed->iss + va_arg(blocks, uint32_t);
		seg.sack_count++;
	}
	va_end(blocks);
	peer_send(bed, &seg);
}

/* ---- handshakes ---- */

static void put_offer(const struct bed *bed, struct segment *seg)
{
	seg->has_mss = bed->offer.mss != 0;
	seg->mss = bed->offer.mss;
	seg->has_window_scale = bed->offer.scale >= 0;
	seg->window_scale = (uint8_t)bed->offer.scale;
	seg->sack_permitted = bed->offer.sack;
	seg->has_timestamps = bed->offer.timestamps;
	seg->ts_value = bed->ts_value;
}

/* What the peer learns from the stack's SYN. */
static void learn(struct bed *bed, const struct out *out)
{
	bed->iss = out->seg.seq;
	bed->ack = out->seg.seq + 1;
	bed->timestamps = bed->offer.timestamps && out->seg.has_timestamps;
	if (bed->timestamps)
		bed->ts_echo = out->seg.ts_value;
}

void peer_syn(struct bed *bed)
{
	struct segment seg;

	bed->seq = PEER_ISS;
	seg = peer_segment(bed, bed->offer.ecn ? SYN | ECE | CWR : SYN);
	put_offer(bed, &seg);
	peer_send(bed, &seg);
	bed->seq++;
	learn(bed, expect(bed, bed->offer.ecn && bed->config.ecn ? SYNACK | ECE : SYNACK, 0, 1, 0));
}

void establish(struct bed *bed)
{
	peer_syn(bed);
	peer_flags(bed, ACK);
	expect_nothing(bed);
	expect_state(bed, TCP_ESTABLISHED);
}

void establish_with_worker(struct bed *bed, uint32_t rx, uint32_t tx)
{
	establish(bed);
	attach(bed, rx, tx);
	bed_pass(bed, 100 * MS); /* the window that the ring brings is told */
	(void)peer_take(bed);
}

uint64_t call_peer(struct bed *bed)
{
	const char *error = NULL;
	uint64_t id = stack_call(bed->stack, &bed->flow.local, &bed->flow.peer, 2, bed->mtu, false,
	                         bed->now_us, &error);

	assert_null(error);
	assert_true(id != 0);
	bed_settle(bed);
	learn(bed, expect(bed, bed->config.ecn ? SYN | ECE | CWR : SYN, 0, 0, 0));
	return id;
}

void establish_by_call(struct bed *bed)
{
	struct segment seg;

	(void)call_peer(bed);
	seg = peer_segment(bed, bed->offer.ecn ? SYNACK | ECE : SYNACK);
	put_offer(bed, &seg);
	peer_send(bed, &seg);
	bed->seq++;
	expect(bed, ACK, 1, 1, 0);
	expect_state(bed, TCP_ESTABLISHED);
}

/* ---- states ---- */

static void reach_closing_states(struct bed *bed, enum tcp_state state)
{
	establish_with_worker(bed, 65536, 65536);
	if (state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK) {
		peer_flags(bed, FINACK);
		expect(bed, ACK, 1, 2, 0);
		if (state == TCP_LAST_ACK) {
			user_close(bed);
			expect(bed, FINACK, 1, 2, 0);
		}
		return;
	}
	user_close(bed);
	expect(bed, FINACK, 1, 1, 0);
	if (state == TCP_FIN_WAIT_2 || state == TCP_TIME_WAIT) {
		bed->ack++;
		peer_flags(bed, ACK);
	}
	if (state == TCP_CLOSING || state == TCP_TIME_WAIT) {
		peer_flags(bed, FINACK);
		expect(bed, ACK, 2, 2, 0);
	}
}

void reach(struct bed *bed, enum tcp_state state)
{
	switch (state) {
	case TCP_CLOSED:
	case TCP_LISTEN:
		return;
	case TCP_SYN_SENT:
		(void)call_peer(bed);
		break;
	case TCP_SYN_RECEIVED:
		peer_syn(bed);
		break;
	case TCP_ESTABLISHED:
		establish_with_worker(bed, 65536, 65536);
		break;
	default:
		reach_closing_states(bed, state);
		break;
	}
	expect_nothing(bed);
	expect_state(bed, state);
}

void in_each_state(const enum tcp_state *states, unsigned count,
                   void (*test)(struct bed *bed, enum tcp_state state))
{
	struct stack_config config = bed_config();

	for (unsigned i = 0; i < count; i++) {
		struct bed bed;

		bed_open(&bed, IP_V4, &config);
		reach(&bed, states[i]);
		test(&bed, states[i]);
		bed_close(&bed);
	}
}
