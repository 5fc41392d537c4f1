/* The test bed: engine, time and what comes out. See harness.h; the peer is in peer.c. */
#include "tests/tcp/harness.h"

#include "stack/bytes.h"
#include "stack/checksum.h"
#include "stack/seal.h"
#include "tests/tcp/invariants.h"

/* ---- hooks ---- */

/* Nothing is told before the event is committed. */
static void heard(const struct bed *bed)
{
	assert_false(bed->stack != NULL && bed->stack->table.header->busy);
}

static void on_doorbell(void *arg, struct conn_handle conn, uint32_t worker)
{
	struct bed *bed = arg;

	heard(bed);
	assert_true(conn.id == bed->handle.id || bed->handle.id == BED_ANY);
	assert_int_equal(worker, BED_WORKER);
	bed->doorbells++;
}

static void on_detached(void *arg, struct conn_handle conn, uint32_t worker)
{
	struct bed *bed = arg;

	heard(bed);
	assert_true(conn.id == bed->handle.id || bed->handle.id == BED_ANY);
	assert_int_equal(worker, BED_WORKER);
	bed->detached++;
}

static void on_moved(void *arg, uint64_t id, const struct flow *flow, enum tcp_state from,
                     enum tcp_state to, const char *why)
{
	struct bed *bed = arg;

	heard(bed);
	assert_non_null(why);
	assert_true(flow->local.port != 0);
	assert_true(state_move_legal(from, to));
	if (bed->moves == BED_MOVES)
		bed->moves = 0;
	bed->move[bed->moves++] = (struct bed_move){id, from, to, why};
}

static void on_ended(void *arg, uint64_t id, const struct flow *flow, const char *why)
{
	struct bed *bed = arg;

	(void)flow;
	heard(bed);
	assert_true(id != 0);
	assert_non_null(why);
	bed->ended++;
}

static void on_refused(void *arg, const struct flow *flow, const char *why)
{
	struct bed *bed = arg;

	assert_false(bed->stack != NULL && bed->stack->table.header->busy);
	assert_true(address_is_unicast(&flow->peer.address));
	assert_non_null(why);
	bed->refused++;
}

static void on_banned(void *arg, const struct ip_address *source, uint64_t until_us,
                      const char *why)
{
	struct bed *bed = arg;

	assert_false(bed->stack->table.header->busy);
	assert_true(address_is_unicast(source));
	assert_true(until_us > bed->now_us);
	assert_non_null(why);
	bed->banned++;
}

static void on_dropped(void *arg, uint64_t id, const struct flow *flow, const char *why)
{
	struct bed *bed = arg;

	(void)id;
	assert_null(bed->stack); /* it is being made */
	assert_non_null(why);
	bed->dropped++;
	bed->dropped_known = flow != NULL;
}

const struct bed_move *bed_moved(const struct bed *bed, enum tcp_state from, enum tcp_state to)
{
	for (unsigned i = bed->moves; i-- > 0;)
		if (bed->move[i].from == from && bed->move[i].to == to)
			return &bed->move[i];
	return NULL;
}

/* ---- making ---- */

struct stack_config bed_config(void)
{
	return (struct stack_config){
		.max_connections = 4,
		.backlog = 3,
		.half_open = 4,
		.time_wait = 4,
		.receive_buffer = 65536,
		.busy = STACK_BUSY_DROP,
		.msl_us = 30 * S,
		.call_timeout_us = 75 * S,
		.busy_message = "All lines are busy.\r\n",
	};
}

static void set_endpoint(struct endpoint *endpoint, enum ip_version version, uint8_t last,
                         uint16_t port)
{
	memset(endpoint, 0, sizeof(*endpoint));
	endpoint->address.version = (uint8_t)version;
	endpoint->address.bytes[0] = version == IP_V6 ? 0xfd : 192;
	endpoint->address.bytes[7] = version == IP_V6 ? last : 0; /* a /64 of its own */
	endpoint->address.bytes[version == IP_V6 ? 15 : 3] = last;
	endpoint->port = port;
}

void bed_peer(struct bed *bed, uint8_t address, uint16_t port)
{
	set_endpoint(&bed->flow.peer, bed->flow.local.address.version, address ? address : 99,
	             port);
	bed->seq = PEER_ISS;
	bed->ack = 0;
	bed->iss = 0;
	bed->timestamps = false;
}

static void bed_listen(struct bed *bed)
{
	struct endpoint any = {.port = LOCAL_PORT};

	any.address.version = bed->flow.local.address.version;
	assert_true(stack_listen(bed->stack, &any));
}

void bed_open(struct bed *bed, enum ip_version version, const struct stack_config *config)
{
	static const struct stack_secrets secrets = {{1}, {2}, {3}, {4}};

	memset(bed, 0, sizeof(*bed));
	bed->config = *config;
	bed->hooks = (struct stack_hooks){
		.arg = bed,
		.doorbell = on_doorbell,
		.detached = on_detached,
		.moved = on_moved,
		.ended = on_ended,
		.refused = on_refused,
		.banned = on_banned,
		.dropped = on_dropped,
	};
	bed->bytes = stack_table_bytes(config);
	bed->memory = aligned_alloc(4096, bed->bytes);
	bed->out = calloc(BED_OUTS, sizeof(*bed->out));
	assert_true(bed->memory != NULL && bed->out != NULL);
	memset(bed->memory, 0, bed->bytes);
	bed->stack = stack_create(config, &bed->hooks, bed->memory, bed->bytes, &secrets);
	assert_non_null(bed->stack);
	bed->now_us = 1000 * S;
	bed->mtu = 1500;
	bed->offer = (struct offer){.mss = 1460, .scale = 7, .timestamps = false, .sack = true};
	bed->window = 65535;
	bed->ts_value = 5000;
	set_endpoint(&bed->flow.local, version, 1, LOCAL_PORT);
	bed_peer(bed, 0, PEER_PORT);
	bed_listen(bed);
}

void bed_close(struct bed *bed)
{
	stack_destroy(bed->stack);
	free(bed->memory);
	free(bed->out);
	if (bed->attached)
		worker_close(&bed->worker);
}

static int setup(void **state, enum ip_version version)
{
	struct stack_config config = bed_config();
	struct bed *bed = malloc(sizeof(*bed));

	if (bed == NULL)
		return -1;
	bed_open(bed, version, &config);
	*state = bed;
	return 0;
}

int bed_setup(void **state)
{
	return setup(state, IP_V4);
}

int bed_setup_v6(void **state)
{
	return setup(state, IP_V6);
}

int bed_teardown(void **state)
{
	bed_close(*state);
	free(*state);
	return 0;
}

void bed_take_over(struct bed *bed)
{
	struct conn_info info;

	stack_destroy(bed->stack);
	bed->stack = NULL;
	bed->stack = stack_create(&bed->config, &bed->hooks, bed->memory, bed->bytes, NULL);
	assert_non_null(bed->stack);
	bed_listen(bed);
	if (bed->attached && stack_info(bed->stack, bed->handle.id, &info) &&
	    info.state != TCP_TIME_WAIT)
		assert_true(stack_attach(bed->stack, bed->handle, BED_WORKER, &bed->worker.ring,
		                         bed->now_us));
	bed_settle(bed);
}

/* ---- what comes out ---- */

/* The byte at OFFSET of either stream. */
static uint8_t stream_byte(uint64_t offset)
{
	return (uint8_t)(offset * 7 + (offset >> 8) * 13 + (offset >> 16));
}

static void check_data(const struct out *out)
{
	for (uint32_t i = 0; i < out->seg.data_length; i++)
		assert_int_equal(out->seg.data[i], stream_byte(out->seq - 1 + i));
}

static void capture(struct bed *bed, const struct packet_out *packet)
{
	size_t ip = address_ip_header(&packet->dst);
	size_t header = packet->header_length - ip;
	size_t length = header + packet->data_length;
	struct out *out = &bed->out[bed->outs];

	assert_true(bed->outs < BED_OUTS);
	bed->outs++;
	assert_true(ip + length <= sizeof(out->bytes));
	assert_int_equal(packet->header[0] >> 4, packet->dst.version);
	out->src = packet->src;
	out->dst = packet->dst;
	out->at_us = bed->now_us;
	out->tos = packet->header[1];
	out->ttl = packet->header[8];
	if (packet->dst.version == IP_V6) {
		out->tos = (uint8_t)(packet->header[0] << 4 | packet->header[1] >> 4);
		out->ttl = packet->header[7];
	}
	memcpy(out->bytes, packet->header + ip, header);
	if (packet->data_length > 0)
		memcpy(out->bytes + header, packet->data, packet->data_length);
	/* a whole checksum: the field alone would satisfy checksum_tcp_ok() as well */
	assert_int_equal(checksum_fold(checksum_add(checksum_pseudo(&out->src, &out->dst, length),
	                                            out->bytes, length)),
	                 0xffff);
	assert_int_equal(segment_parse(out->bytes, length, &out->seg), SEGMENT_OK);
	out->seg.ecn = IP_ECN_MASK &
	               (packet->dst.version == IP_V6 ? packet->header[1] >> 4 : packet->header[1]);
	assert_memory_equal(&out->src, &bed->flow.local.address, sizeof(out->src));
	if (out->seg.flags & TCP_SYN)
		bed->iss = out->seg.seq;
	out->seq = out->seg.seq - bed->iss;
	out->ack = out->seg.ack - PEER_ISS;
	if (bed->timestamps && out->seg.has_timestamps)
		bed->ts_echo = out->seg.ts_value;
	if (bed->attached)
		check_data(out);
}

void bed_settle(struct bed *bed)
{
	const struct packet_out *packets;
	const char *broken;
	size_t count;

	if (bed->held)
		return;
	while ((count = stack_output(bed->stack, &packets, bed->now_us)) > 0)
		for (size_t i = 0; i < count; i++)
			capture(bed, &packets[i]);
	broken = invariants_broken(bed->stack);
	if (broken != NULL)
		fail_msg("%s", broken);
}

const struct out *bed_next(struct bed *bed, const char *file, int line)
{
	if (bed->expected == bed->outs) {
		print_error("%s:%d: nothing came out\n", file, line);
		_fail(file, line);
	}
	return &bed->out[bed->expected++];
}

static void describe(const struct bed *bed)
{
	for (unsigned i = bed->expected > 0 ? bed->expected - 1 : 0; i < bed->outs; i++) {
		const struct out *out = &bed->out[i];

		print_error("came out: flags %02x seq %u ack %u length %u window %u\n",
		            out->seg.flags, out->seq, out->ack, out->seg.data_length,
		            out->seg.window);
	}
}

const struct out *bed_expect(struct bed *bed, uint8_t flags, uint32_t seq, uint32_t ack,
                             uint32_t length, const char *file, int line)
{
	const struct out *out = bed_next(bed, file, line);

	if ((out->seg.flags & ~TCP_PSH) != (flags & ~TCP_PSH) || out->seq != seq ||
	    ((out->seg.flags & TCP_ACK) && out->ack != ack) || out->seg.data_length != length) {
		print_error("expected: flags %02x seq %u ack %u length %u\n", flags, seq, ack,
		            length);
		describe(bed);
		_fail(file, line);
	}
	return out;
}

void bed_expect_nothing(struct bed *bed, const char *file, int line)
{
	if (bed->expected == bed->outs)
		return;
	print_error("expected nothing\n");
	bed->expected++;
	describe(bed);
	_fail(file, line);
}

/* ---- time ---- */

static void run_timers(struct bed *bed)
{
	stack_timers(bed->stack, bed->now_us);
	bed_settle(bed);
}

void bed_pass(struct bed *bed, uint64_t us)
{
	uint64_t end = bed->now_us + us;
	uint64_t next;

	while ((next = stack_deadline(bed->stack)) <= end) {
		if (next > bed->now_us)
			bed->now_us = next;
		run_timers(bed);
	}
	bed->now_us = end;
	run_timers(bed);
}

uint64_t bed_pass_until_out(struct bed *bed, uint64_t most_us)
{
	uint64_t start = bed->now_us, next;
	unsigned outs = bed->outs;

	while (bed->outs == outs && (next = stack_deadline(bed->stack)) <= start + most_us) {
		if (next > bed->now_us)
			bed->now_us = next;
		run_timers(bed);
	}
	assert_true(bed->outs > outs);
	return bed->now_us - start;
}

/* ---- entries ---- */

bool bed_info(const struct bed *bed, struct conn_info *info)
{
	uint64_t id = stack_find(bed->stack, &bed->flow);

	return id != 0 && stack_info(bed->stack, id, info);
}

struct conn_info info_of(const struct bed *bed)
{
	struct conn_info info;

	assert_true(bed_info(bed, &info));
	return info;
}

enum tcp_state bed_state(const struct bed *bed)
{
	struct conn_info info;

	return bed_info(bed, &info) ? info.state : TCP_CLOSED;
}

struct conn *bed_conn(const struct bed *bed)
{
	uint32_t slot = lookup_find(bed->stack->lookup, &bed->flow);

	assert_true(slot != LOOKUP_NONE && slot_is_conn(bed->stack, slot));
	return slot_conn(bed->stack, slot);
}

void bed_seal(struct conn *c)
{
	seal_set(&c->identity, sizeof(c->identity));
	seal_set(c, sizeof(*c));
}

void ask_close(struct bed *bed)
{
	assert_true(stack_close(bed->stack, info_of(bed).id, bed->now_us));
	bed_settle(bed);
}

void ask_abort(struct bed *bed)
{
	assert_true(stack_abort(bed->stack, info_of(bed).id, bed->now_us));
	bed_settle(bed);
}

/* ---- the worker ---- */

void attach(struct bed *bed, uint32_t rx, uint32_t tx)
{
	assert_true(stack_accept_next(bed->stack, &bed->handle));
	worker_open(&bed->worker, rx, tx);
	bed->attached = true;
	assert_true(
		stack_attach(bed->stack, bed->handle, BED_WORKER, &bed->worker.ring, bed->now_us));
	bed_settle(bed);
}

void user_ring(struct bed *bed)
{
	stack_ring_changed(bed->stack, bed->handle, bed->now_us);
	bed_settle(bed);
}

void user_write(struct bed *bed, uint32_t length)
{
	uint8_t *bytes = malloc(length);

	assert_non_null(bytes);
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = stream_byte(bed->worker.tx_head + i);
	assert_int_equal(worker_write(&bed->worker, bytes, length), length);
	free(bytes);
	user_ring(bed);
}

void user_take(struct bed *bed, uint32_t length)
{
	uint8_t *bytes = malloc(length);
	uint64_t offset = bed->worker.rx_tail;

	assert_non_null(bytes);
	assert_int_equal(worker_take(&bed->worker, bytes, length), length);
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(bytes[i], stream_byte(offset + i));
	free(bytes);
	user_ring(bed);
}

void user_close(struct bed *bed)
{
	worker_fin(&bed->worker);
	user_ring(bed);
}
