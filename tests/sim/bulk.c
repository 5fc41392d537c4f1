/*
 * Bulk transfers over a bottleneck: see bulk.h. The bytes are whatever stands in the
 * rings: that they arrive unchanged is shown elsewhere.
 */
#include "tests/sim/bulk.h"

#include "tests/sim/link.h"
#include "tests/sim/rings.h"
#include "tests/tcp/invariants.h"

#define START_US    UINT64_C(1000000)
#define RING        (8u << 20)
#define CHECK_EVERY 5000u /* calls: looking at thousands of records each time takes long */
#define ENDS        (2 * BULK_FLOWS)

struct end {
	struct stack *stack;
	void *memory;
	struct endpoint local;
	struct conn_handle handle;
	struct worker worker;
	bool called;
	bool attached;
};

struct run {
	const struct bulk *setup;
	struct random random;
	struct link link;
	struct end end[ENDS]; /* flow n: [2n] listens and sends, [2n + 1] calls and receives */
	unsigned ends;
	uint64_t now_us;
	uint64_t segments;
	uint64_t calls;
};

/* ---- making ---- */

static void end_open(struct end *end, unsigned number, const struct bulk *setup)
{
	static const struct stack_secrets secrets = {{1}, {2}, {3}, {4}};
	struct stack_config config = {
		.max_connections = 1,
		.backlog = 1,
		.half_open = 1,
		.time_wait = 1,
		.receive_buffer = RING,
		.syn_cookies = STACK_COOKIES_OFF,
		.congestion = setup->algorithm[number / 2],
		.msl_us = 30000000,
		.call_timeout_us = setup->duration_us,
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
	end->local.port = number % 2 ? 40000 : 23;
}

static struct run *run_open(const struct bulk *setup)
{
	static struct run *run;
	struct link_config config = {
		.delay_us = (uint64_t)setup->rtt_ms * 500,
		.jitter_us = setup->jitter_us,
		.loss = setup->loss,
		.loss_to_one = true,
		.rate = BULK_RATE,
		.queue = BULK_QUEUE,
	};

	if (run == NULL)
		run = malloc(sizeof(*run));
	assert_non_null(run);
	memset(run, 0, sizeof(*run));
	run->setup = setup;
	run->ends = 2 * setup->flows;
	run->random.state = setup->seed;
	run->now_us = START_US;
	link_open(&run->link, &config, &run->random);
	for (unsigned i = 0; i < run->ends; i++)
		end_open(&run->end[i], i, setup);
	for (unsigned i = 0; i < run->ends; i += 2)
		assert_true(stack_listen(run->end[i].stack, &run->end[i].local));
	return run;
}

static void run_close(struct run *run)
{
	link_close(&run->link);
	for (unsigned i = 0; i < run->ends; i++) {
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
			link_send(&run->link, &packets[i], number ^ 1, run->now_us);
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
	bool sends = number % 2 == 0;

	if (end->attached || !stack_accept_next(end->stack, &end->handle))
		return;
	rings_get(&end->worker, sends ? RING_SIZE_MIN : RING, sends ? RING : RING_SIZE_MIN);
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
	room = number % 2 == 0 ? worker_room(w) : 0;
	waiting = number % 2 == 1 ? worker_waiting(w) : 0;
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

/* When flow NUMBER / 2 is to be called by its end NUMBER; UINT64_MAX: it has been. */
static uint64_t call_time(const struct run *run, unsigned number)
{
	if (number % 2 == 0 || run->end[number].called)
		return UINT64_MAX;
	return START_US + run->setup->start_us[number / 2];
}

static void call(struct run *run, unsigned number)
{
	struct end *end = &run->end[number];
	const char *error;

	if (call_time(run, number) > run->now_us)
		return;
	end->called = true;
	assert_true(stack_call(end->stack, &end->local, &run->end[number - 1].local, 1, 1500, false,
	                       run->now_us, &error) != 0);
	settle(run, number);
}

static void step(struct run *run)
{
	while (link_next(&run->link) <= run->now_us) {
		struct link_packet *packet = link_take(&run->link);
		unsigned to = packet->to;
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
	for (unsigned i = 0; i < run->ends; i++) {
		call(run, i);
		expire(run, i);
	}
}

static uint64_t next_event(const struct run *run)
{
	uint64_t next = link_next(&run->link);

	for (unsigned i = 0; i < run->ends; i++) {
		uint64_t deadline = stack_deadline(run->end[i].stack);

		if (call_time(run, i) < deadline)
			deadline = call_time(run, i);
		if (deadline < next)
			next = deadline;
	}
	return next;
}

struct bulk_result bulk_run(const struct bulk *setup)
{
	struct run *run = run_open(setup);
	uint64_t end_us = START_US + setup->duration_us;
	struct bulk_result result;

	step(run);
	for (;;) {
		uint64_t next = next_event(run);

		if (next >= end_us)
			break;
		if (next > run->now_us)
			run->now_us = next;
		step(run);
	}
	result = (struct bulk_result){.segments = run->segments};
	for (unsigned i = 1; i < run->ends; i += 2)
		if (run->end[i].attached)
			result.bytes[i / 2] = atomic_load(&run->end[i].worker.ring.master->rx_head);
	run_close(run);
	return result;
}
