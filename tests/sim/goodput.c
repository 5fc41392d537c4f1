/*
 * Goodput over a bottleneck: see goodput.h. The bytes are whatever stands in the rings:
 * that they arrive unchanged is shown elsewhere.
 */
#include "tests/sim/goodput.h"

#include "tests/sim/link.h"
#include "tests/sim/rings.h"
#include "tests/tcp/invariants.h"

#define DURATION_US UINT64_C(10000000)
#define RATE        12500000u /* bytes a second */
#define QUEUE       262144u
#define RING        (8u << 20)
#define SEGMENTS    150000u
#define RUNS_LEAST  4u
#define RUNS_MOST   24u
#define CHECK_EVERY 5000u /* calls: looking at thousands of records each time takes long */

struct end {
	struct stack *stack;
	void *memory;
	struct endpoint local;
	struct conn_handle handle;
	struct worker worker;
	bool attached;
};

struct run {
	struct random random;
	struct link link;
	struct end end[2]; /* [0] listens and sends, [1] calls and receives */
	uint64_t now_us;
	uint64_t segments;
	uint64_t calls;
};

/* ---- making ---- */

static void end_open(struct end *end, unsigned number, const struct goodput_cell *cell)
{
	static const struct stack_secrets secrets = {{1}, {2}, {3}, {4}};
	struct stack_config config = {
		.max_connections = 1,
		.backlog = 1,
		.half_open = 1,
		.time_wait = 1,
		.receive_buffer = RING,
		.syn_cookies = STACK_COOKIES_OFF,
		.congestion = cell->algorithm,
		.msl_us = 30000000,
		.call_timeout_us = DURATION_US,
	};
	struct stack_hooks hooks = {0};
	size_t bytes = stack_table_bytes(&config);

	memset(end, 0, sizeof(*end));
	end->memory = aligned_alloc(4096, bytes);
	assert_non_null(end->memory);
	memset(end->memory, 0, bytes);
	end->stack = stack_create(&config, &hooks, end->memory, bytes, &secrets);
	assert_non_null(end->stack);
	end->local.address.version = IP_V4;
	end->local.address.bytes[0] = 10;
	end->local.address.bytes[3] = (uint8_t)(number + 1);
	end->local.port = number ? 40000 : 23;
}

static struct run *run_open(const struct goodput_cell *cell, uint64_t seed)
{
	static struct run *run;
	struct link_config config = {
		.delay_us = (uint64_t)cell->rtt_ms * 500,
		.loss = cell->loss,
		.loss_to_one = true,
		.rate = RATE,
		.queue = QUEUE,
	};
	const char *error;

	if (run == NULL)
		run = malloc(sizeof(*run));
	assert_non_null(run);
	memset(run, 0, sizeof(*run));
	run->random.state = seed;
	run->now_us = 1000000;
	link_open(&run->link, &config, &run->random);
	end_open(&run->end[0], 0, cell);
	end_open(&run->end[1], 1, cell);
	assert_true(stack_listen(run->end[0].stack, &run->end[0].local));
	assert_true(stack_call(run->end[1].stack, &run->end[1].local, &run->end[0].local, 1, 1500,
	                       false, run->now_us, &error) != 0);
	return run;
}

static void run_close(struct run *run)
{
	link_close(&run->link);
	for (unsigned i = 0; i < 2; i++) {
		stack_destroy(run->end[i].stack);
		free(run->end[i].memory);
		if (run->end[i].attached)
			rings_put(&run->end[i].worker);
	}
}

/* ---- running ---- */

static void flush(struct run *run, unsigned number)
{
	const struct packet_out *packets;
	size_t count;

	while ((count = stack_output(run->end[number].stack, &packets, run->now_us)) > 0)
		for (size_t i = 0; i < count; i++) {
			run->segments += packets[i].data_length > 0;
			link_send(&run->link, &packets[i], !number, run->now_us);
		}
	if (++run->calls % CHECK_EVERY == 0) {
		const char *broken = invariants_broken(run->end[number].stack);

		if (broken != NULL)
			fail_msg("%s", broken);
	}
}

static void attach(struct run *run, unsigned number)
{
	struct end *end = &run->end[number];

	if (end->attached || !stack_accept_next(end->stack, &end->handle))
		return;
	rings_get(&end->worker, number == 1 ? RING : RING_SIZE_MIN,
	          number == 0 ? RING : RING_SIZE_MIN);
	end->attached = true;
	assert_true(stack_attach(end->stack, end->handle, 1, &end->worker.ring, run->now_us));
}

/* The sender's ring is always full, the receiver's always empty. */
static void work(struct run *run, unsigned number)
{
	struct end *end = &run->end[number];
	struct worker *w = &end->worker;
	uint32_t room, waiting;

	if (!end->attached)
		return;
	room = number == 0 ? worker_room(w) : 0;
	waiting = number == 1 ? worker_waiting(w) : 0;
	if (room < w->ring.tx_size / 16 && waiting == 0)
		return;
	w->tx_head += room;
	atomic_store(&w->ring.worker->tx_head, w->tx_head);
	w->rx_tail += waiting;
	atomic_store(&w->ring.worker->rx_tail, w->rx_tail);
	stack_ring_changed(end->stack, end->handle, run->now_us);
}

static void settle(struct run *run, unsigned number)
{
	attach(run, number);
	flush(run, number);
	work(run, number);
	flush(run, number);
}

static void expire(struct run *run, unsigned number)
{
	if (stack_deadline(run->end[number].stack) > run->now_us)
		return;
	stack_timers(run->end[number].stack, run->now_us);
	settle(run, number);
}

static void step(struct run *run)
{
	while (link_next(&run->link) <= run->now_us) {
		struct link_packet *packet = link_take(&run->link);
		unsigned to = packet->to != 0;
		struct packet_in in = {
			.src = packet->src,
			.dst = packet->dst,
			.ifindex = 1,
			.mtu = 1500,
			.tos = packet->tos,
			.tcp = packet->tcp,
			.tcp_length = packet->length,
		};

		stack_input(run->end[to].stack, &in, run->now_us);
		settle(run, to);
		free(packet);
	}
	expire(run, 0);
	expire(run, 1);
}

static uint64_t next_event(const struct run *run)
{
	uint64_t next = link_next(&run->link);

	for (unsigned i = 0; i < 2; i++)
		if (stack_deadline(run->end[i].stack) < next)
			next = stack_deadline(run->end[i].stack);
	return next;
}

/* Bytes delivered in one run. */
static uint64_t run_once(const struct goodput_cell *cell, uint64_t seed, uint64_t *segments)
{
	struct run *run = run_open(cell, seed);
	uint64_t end_us = run->now_us + DURATION_US, bytes = 0;

	settle(run, 1);
	for (;;) {
		uint64_t next = next_event(run);

		if (next >= end_us)
			break;
		if (next > run->now_us)
			run->now_us = next;
		step(run);
	}
	if (run->end[1].attached)
		bytes = atomic_load(&run->end[1].worker.ring.master->rx_head);
	*segments += run->segments;
	run_close(run);
	return bytes;
}

double goodput_measure(const struct goodput_cell *cell)
{
	uint64_t bytes = 0, segments = 0;
	uint32_t runs = 0;

	do
		bytes += run_once(cell, ++runs, &segments);
	while (cell->loss > 0 && runs < RUNS_MOST && (runs < RUNS_LEAST || segments < SEGMENTS));
	return (double)bytes * 8 / (double)(runs * DURATION_US);
}
