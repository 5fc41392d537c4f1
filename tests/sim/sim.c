/*
 * One run of the simulator: everything about it comes from the seed. After each
 * event the engines' invariants are checked, and that what the event has saved
 * for undo would take the table back to what it was before.
 */
#include "tests/sim/party.h"

#include "tests/sim/sim.h"
#include "tests/tcp/invariants.h"

#define HOURS_US   UINT64_C(3600000000)
#define VIRTUAL_US (6 * HOURS_US)
#define EVENTS     3000000u

struct sim {
	struct random random;
	uint64_t seed;
	uint64_t now_us;
	struct link link;
	struct party party[2];
	uint8_t *before; /* a copy of a table */
	uint32_t mtu;
	bool both_call;
	uint32_t take_over; /* one event in so many; 0: never */
	uint32_t darkness;  /* the same for a network that goes away for a while */
	uint64_t call_us;   /* when the second call is made, when both call */
	uint64_t events;
	uint64_t take_overs;
};

/* ---- a run's settings ---- */

static uint32_t pick(struct sim *sim, const uint32_t *values, uint32_t count)
{
	return values[random_below(&sim->random, count)];
}

static struct link_config random_link(struct sim *sim)
{
	static const uint32_t losses[] = {0, 0, 5, 20, 50, 150};
	static const uint32_t rare[] = {0, 0, 0, 10, 50};
	static const uint32_t delays[] = {50, 1000, 10000, 50000, 200000};
	static const unsigned strips[] = {0, 0, 0, 1, 2, 3, 4, 8, 15};
	struct link_config config = {
		.delay_us = pick(sim, delays, 5),
		.loss = pick(sim, losses, 6),
		.late = pick(sim, rare, 5),
		.duplicate = pick(sim, rare, 5),
		.corrupt = pick(sim, rare, 5),
		.strip = strips[random_below(&sim->random, 9)],
	};

	config.jitter_us = random_below(&sim->random, 3) ? 0 : config.delay_us / 2;
	return config;
}

static struct stack_config random_config(struct sim *sim)
{
	static const uint32_t sizes[] = {4096, 16384, 65536, 262144};

	return (struct stack_config){
		.max_connections = 2,
		.backlog = 2,
		.half_open = 4,
		.time_wait = 2,
		.receive_buffer = pick(sim, sizes, 4),
		.busy = STACK_BUSY_DROP,
		.msl_us = 30000000,
		.keepalive_us = 120000000,
		.call_timeout_us = 600000000,
	};
}

static void set_local(struct party *p, bool v6, uint8_t last, uint16_t port)
{
	p->local.address.version = v6 ? IP_V6 : IP_V4;
	p->local.address.bytes[0] = v6 ? 0xfd : 10;
	p->local.address.bytes[v6 ? 15 : 3] = last;
	p->local.port = port;
}

static void set_streams(struct sim *sim)
{
	static const uint32_t totals[] = {0, 1, 500, 5000, 60000, 300000};
	struct party *a = &sim->party[0], *b = &sim->party[1];

	for (int i = 0; i < 2; i++) {
		struct party *p = &sim->party[i];

		p->key = random_next(&sim->random);
		p->send_total = pick(sim, totals, 6);
		p->abort_at = UINT64_MAX;
		p->leaves_early = random_below(&sim->random, 2);
		if (random_below(&sim->random, 12) == 0)
			p->abort_at = random_below(&sim->random, (uint32_t)p->send_total + 1);
	}
	a->peer_key = b->key;
	b->peer_key = a->key;
	a->peer_total = b->send_total;
	b->peer_total = a->send_total;
	if (random_below(&sim->random, 4) == 0)
		sim->party[random_below(&sim->random, 2)].closes_early = true;
}

static void call(struct sim *sim, unsigned number)
{
	struct party *p = &sim->party[number];
	const char *error;
	uint64_t id = stack_call(p->stack, &p->local, &sim->party[!number].local, 1, sim->mtu,
	                         false, sim->now_us, &error);

	if (id == 0)
		fail_msg("the call is refused: %s", error);
	p->handle.id = id;
}

static void sim_open(struct sim *sim, uint64_t seed)
{
	static const uint32_t mtus[] = {576, 1280, 1500, 9000};
	struct link_config link;
	bool v6;

	memset(sim, 0, sizeof(*sim));
	sim->seed = seed;
	sim->random.state = seed;
	v6 = random_below(&sim->random, 2);
	link = random_link(sim);
	link_open(&sim->link, &link, &sim->random);
	sim->mtu = pick(sim, mtus, 4);
	sim->now_us = random_next(&sim->random) % (1000 * HOURS_US);
	for (unsigned i = 0; i < 2; i++) {
		struct stack_config config = random_config(sim);

		party_open(&sim->party[i], &sim->random, i, &config, &sim->now_us);
		set_local(&sim->party[i], v6, (uint8_t)(i + 1), i == 0 ? 40000 : 23);
	}
	sim->before = malloc(sim->party[0].bytes);
	assert_non_null(sim->before);
	set_streams(sim);
	sim->both_call = random_below(&sim->random, 8) == 0;
	sim->call_us = UINT64_MAX;
	if (random_below(&sim->random, 2))
		sim->take_over = 20 + random_below(&sim->random, 500);
	if (random_below(&sim->random, 3) == 0)
		sim->darkness = 200 + random_below(&sim->random, 2000);
	call(sim, 0);
	if (sim->both_call) {
		sim->call_us = sim->now_us + random_below(&sim->random, (uint32_t)link.delay_us);
	} else {
		sim->party[1].listens = true;
		assert_true(stack_listen(sim->party[1].stack, &sim->party[1].local));
	}
}

static void sim_close(struct sim *sim)
{
	link_close(&sim->link);
	party_close(&sim->party[0]);
	party_close(&sim->party[1]);
	free(sim->before);
}

/* ---- checks ---- */

static void check(const struct party *p)
{
	const char *broken = invariants_broken(p->stack);

	if (broken != NULL)
		fail_msg("party %u: %s", p->number, broken);
}

/* True when a packet for FLOW is one event: the entry is a connection already. */
static bool is_one_event(const struct party *p, const struct link_packet *packet)
{
	struct flow flow = {{packet->dst, 0, 0}, {packet->src, 0, 0}};
	uint32_t slot;

	flow.local.port = (uint16_t)(packet->tcp[2] << 8 | packet->tcp[3]);
	flow.peer.port = (uint16_t)(packet->tcp[0] << 8 | packet->tcp[1]);
	slot = lookup_find(p->stack->lookup, &flow);
	return slot != LOOKUP_NONE && slot_is_conn(p->stack, slot);
}

/*
 * A master that dies just before the commit leaves the table as it is now, but
 * with `busy` set: undoing that must give what was before the event.
 */
static void check_undo(struct sim *sim, struct party *p)
{
	const size_t undo = offsetof(struct table_header, undo);
	const size_t busy = offsetof(struct table_header, busy);
	uint8_t *now = malloc(p->bytes), *before = sim->before;
	struct table table;

	assert_non_null(now);
	memcpy(now, p->memory, p->bytes);
	((struct table_header *)now)->busy = 1;
	assert_true(table_recover(&table, now, p->bytes, &p->stack->shape));
	memcpy(now + undo, before + undo, sizeof(struct table_undo));
	memcpy(now + busy, before + busy, sizeof(uint32_t));
	/* bytes of early data beyond early_bytes mean nothing */
	assert_memory_equal(now, before, (size_t)(table.early - now));
	free(now);
}

/* ---- events ---- */

/* For a look at one seed: every packet when CALMD_SIM_VERBOSE is 2. */
static void trace(const struct sim *sim, unsigned number, const struct packet_out *out)
{
	const char *verbose = getenv("CALMD_SIM_VERBOSE");
	size_t ip = address_ip_header(&out->dst);
	struct segment seg;

	if (verbose == NULL || verbose[0] != '2' ||
	    segment_parse(out->header + ip, out->header_length - ip, &seg) != SEGMENT_OK)
		return;
	fprintf(stderr, "%.6f %u: flags %02x seq %u ack %u length %u window %u sack %u\n",
	        (double)sim->now_us / 1e6, number, seg.flags, seg.seq, seg.ack, out->data_length,
	        seg.window, seg.sack_count);
}

static void flush(struct sim *sim, unsigned number)
{
	struct party *p = &sim->party[number];
	const struct packet_out *packets;
	size_t count;

	while ((count = stack_output(p->stack, &packets, sim->now_us)) > 0) {
		assert_false(p->stack->table.header->busy);
		for (size_t i = 0; i < count; i++) {
			trace(sim, number, &packets[i]);
			link_send(&sim->link, &packets[i], !number, sim->now_us);
		}
	}
}

static void settle(struct sim *sim, unsigned number)
{
	struct party *p = &sim->party[number];

	flush(sim, number);
	check(p);
	party_accept(p);
	flush(sim, number);
	check(p);
}

/* A packet arrives; sometimes the engine dies after the event, before it can speak of it. */
static void arrive(struct sim *sim)
{
	struct link_packet packet = link_take(&sim->link);
	struct party *p = &sim->party[packet.to];
	struct packet_in in = {
		.src = packet.src,
		.dst = packet.dst,
		.ifindex = 1,
		.mtu = sim->mtu,
		.tcp = packet.tcp,
		.tcp_length = packet.length,
	};
	bool undo = packet.length >= 20 && random_below(&sim->random, 20) == 0 &&
	            is_one_event(p, &packet);
	bool dies = sim->take_over && random_below(&sim->random, sim->take_over * 4) == 0;
	uint64_t errors = stack_stats(p->stack)->in_errs;
	uint8_t page[RING_PAGE];

	if (undo)
		memcpy(sim->before, p->memory, p->bytes);
	if (dies && p->attached)
		memcpy(page, p->worker.ring.master, RING_PAGE);
	stack_input(p->stack, &in, sim->now_us);
	free(packet.tcp);
	if (undo && stack_stats(p->stack)->in_errs == errors)
		check_undo(sim, p);
	if (dies) {
		sim->take_overs++;
		party_take_over(p, page);
	}
	settle(sim, packet.to);
}

static void fate(struct sim *sim)
{
	if (sim->take_over && random_below(&sim->random, sim->take_over) == 0) {
		unsigned number = random_below(&sim->random, 2);

		sim->take_overs++;
		party_take_over(&sim->party[number], NULL);
		settle(sim, number);
	}
	if (sim->darkness && random_below(&sim->random, sim->darkness) == 0)
		sim->link.dark_until_us = sim->now_us + random_below(&sim->random, 20000000);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t party_next(const struct party *p)
{
	return earliest(stack_deadline(p->stack), earliest(p->wake_us, p->attach_us));
}

static void party_run(struct sim *sim, unsigned number)
{
	struct party *p = &sim->party[number];

	if (stack_deadline(p->stack) <= sim->now_us)
		stack_timers(p->stack, sim->now_us);
	if (p->wake_us <= sim->now_us)
		party_work(p);
	settle(sim, number);
}

/* False when nothing will ever happen again. */
static bool step(struct sim *sim)
{
	uint64_t next = earliest(link_next(&sim->link), sim->call_us);

	next = earliest(next, earliest(party_next(&sim->party[0]), party_next(&sim->party[1])));
	if (next == UINT64_MAX)
		return false;
	if (next > sim->now_us)
		sim->now_us = next;
	sim->events++;
	if (sim->call_us <= sim->now_us) {
		sim->call_us = UINT64_MAX;
		call(sim, 1);
		settle(sim, 1);
	}
	if (link_next(&sim->link) <= sim->now_us)
		arrive(sim);
	for (unsigned i = 0; i < 2; i++)
		if (party_next(&sim->party[i]) <= sim->now_us)
			party_run(sim, i);
	fate(sim);
	return true;
}

/* ---- the end ---- */

static void check_end(const struct sim *sim)
{
	const struct party *a = &sim->party[0], *b = &sim->party[1];
	bool aborted = a->aborted || b->aborted;

	for (int i = 0; i < 2; i++) {
		struct stack_usage usage;

		stack_usage(sim->party[i].stack, &usage);
		assert_int_equal(usage.open, 0);
		assert_int_equal(usage.queued, 0);
		assert_int_equal(usage.half_open, 0);
		assert_int_equal(usage.time_wait, 0);
	}
	if (!a->attached || !b->attached) {
		/* only a very bad network, or an abort that comes first, keeps them apart */
		assert_true(sim->link.config.loss >= 50 || sim->darkness || aborted);
		return;
	}
	/* who closes early waits a minute for the peer, and then resets */
	if (aborted || ((a->closes_early || b->closes_early) &&
	                worker_reset_reason(&a->worker) + worker_reset_reason(&b->worker) > 0))
		return;
	for (int i = 0; i < 2; i++) {
		const struct party *p = &sim->party[i], *peer = &sim->party[!i];

		assert_true(p->let_go);
		assert_int_equal(worker_reset_reason(&p->worker), RING_RESET_NONE);
		assert_true(p->fin);
		assert_true(p->closes_early || p->worker.rx_tail == peer->send_total);
		if (!p->closes_early)
			assert_int_equal(worker_rx_urgent(&p->worker), peer->last_mark);
	}
}

struct sim_result sim_run(uint64_t seed)
{
	struct sim *sim = malloc(sizeof(*sim));
	struct sim_result result = {0};
	uint64_t started;

	assert_non_null(sim);
	sim_open(sim, seed);
	started = sim->now_us;
	flush(sim, 0);
	while (step(sim) && sim->now_us - started < VIRTUAL_US && sim->events < EVENTS)
		;
	if (sim->now_us - started >= VIRTUAL_US || sim->events >= EVENTS)
		fail_msg("no end: %llu events, %llu s", (unsigned long long)sim->events,
		         (unsigned long long)(sim->now_us - started) / 1000000);
	check_end(sim);
	result.connected = sim->party[0].attached;
	result.reset = sim->party[0].aborted || sim->party[1].aborted;
	result.virtual_us = sim->now_us - started;
	result.events = sim->events;
	result.take_overs = sim->take_overs;
	for (int i = 0; i < 2; i++)
		result.bytes += sim->party[i].worker.rx_tail;
	sim_close(sim);
	free(sim);
	return result;
}
