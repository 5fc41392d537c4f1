/* One end of the simulator: see party.h. */
#include "tests/sim/party.h"

#define WORKER 7u

/* ---- streams ---- */

/* The byte at OFFSET of the stream with KEY. */
static uint8_t stream_byte(uint64_t key, uint64_t offset)
{
	uint64_t z = (key + offset / 8) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	return (uint8_t)((z ^ z >> 27) >> (offset % 8 * 8));
}

static void check_stream(const struct party *p, const uint8_t *bytes, uint64_t offset,
                         uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		if (bytes[i] != stream_byte(p->peer_key, offset + i))
			fail_msg("party %u received a wrong byte at %llu", p->number,
			         (unsigned long long)(offset + i));
}

/* ---- hooks ---- */

static void on_doorbell(void *arg, struct conn_handle conn, uint32_t worker)
{
	struct party *p = arg;

	assert_int_equal(worker, WORKER);
	assert_int_equal(conn.id, p->handle.id);
	if (p->wake_us > *p->now_us)
		p->wake_us = *p->now_us;
}

static void on_detached(void *arg, struct conn_handle conn, uint32_t worker)
{
	struct party *p = arg;

	assert_int_equal(worker, WORKER);
	assert_int_equal(conn.id, p->handle.id);
	assert_false(p->let_go);
	p->let_go = true;
}

/* For a look at one seed. */
static void on_moved(void *arg, uint64_t id, const struct flow *flow, enum tcp_state from,
                     enum tcp_state to, const char *why)
{
	const struct party *p = arg;

	(void)flow;
	fprintf(stderr, "%.6f party %u, %llu: %s to %s: %s\n", (double)*p->now_us / 1e6, p->number,
	        (unsigned long long)id, state_name(from), state_name(to), why);
}

/* ---- making ---- */

static const struct stack_secrets secrets = {{1}, {2}, {3}, {4}};

void party_open(struct party *p, struct random *random, unsigned number,
                const struct stack_config *config, uint64_t *now_us)
{
	memset(p, 0, sizeof(*p));
	p->number = number;
	p->random = random;
	p->config = *config;
	p->hooks = (struct stack_hooks){.arg = p, .doorbell = on_doorbell, .detached = on_detached};
	if (getenv("CALMD_SIM_VERBOSE"))
		p->hooks.moved = on_moved;
	p->bytes = stack_table_bytes(config);
	p->memory = aligned_alloc(4096, p->bytes);
	assert_non_null(p->memory);
	memset(p->memory, 0, p->bytes);
	p->stack = stack_create(config, &p->hooks, p->memory, p->bytes, &secrets);
	assert_non_null(p->stack);
	p->wake_us = UINT64_MAX;
	p->attach_us = UINT64_MAX;
	p->now_us = now_us;
}

void party_close(struct party *p)
{
	stack_destroy(p->stack);
	free(p->memory);
	if (p->attached)
		worker_close(&p->worker);
}

void party_accept(struct party *p)
{
	struct conn_handle handle;

	if (!stack_accept_next(p->stack, &handle)) {
		p->attach_us = UINT64_MAX;
		return;
	}
	if (p->attach_us == UINT64_MAX)
		p->attach_us =
			*p->now_us + random_below(p->random, 2) * random_below(p->random, 300000);
	if (*p->now_us < p->attach_us)
		return;
	assert_false(p->attached);
	p->handle = handle;
	p->attached = true;
	worker_open(&p->worker, p->config.receive_buffer, 4096u << random_below(p->random, 6));
	assert_true(stack_attach(p->stack, handle, WORKER, &p->worker.ring, *p->now_us));
	assert_int_equal(worker_conn_id(&p->worker), handle.id);
	p->wake_us = *p->now_us;
}

/* ---- the worker ---- */

static bool work_write(struct party *p)
{
	uint8_t bytes[8192];
	uint64_t left = p->send_total - p->worker.tx_head;
	uint32_t length = 1 + random_below(p->random, random_below(p->random, 4) ? 100 : 8192);

	if (length > left)
		length = (uint32_t)left;
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = stream_byte(p->key, p->worker.tx_head + i);
	if (worker_write(&p->worker, bytes, length) == 0)
		return false;
	if (random_below(p->random, 50) == 0) {
		worker_urgent(&p->worker);
		p->last_mark = p->worker.tx_head;
	}
	return true;
}

static bool work_take(struct party *p)
{
	uint8_t bytes[8192];
	uint64_t offset = p->worker.rx_tail;
	uint32_t length = worker_take(&p->worker, bytes, 1 + random_below(p->random, 8192));

	check_stream(p, bytes, offset, length);
	assert_true(p->worker.rx_tail <= p->peer_total);
	return length > 0;
}

static bool work_done(const struct party *p)
{
	if (p->worker.tx_head < p->send_total)
		return false;
	return p->closes_early || p->worker.rx_tail == p->peer_total;
}

static bool work_once(struct party *p)
{
	bool did = false;

	if (random_below(p->random, 3))
		did |= work_take(p);
	if (random_below(p->random, 3))
		did |= work_write(p);
	return did;
}

static void work_end(struct party *p)
{
	if (p->worker.tx_head >= p->abort_at) {
		worker_abort(&p->worker);
		p->aborted = true;
	} else if (work_done(p)) {
		worker_fin(&p->worker);
		p->fin = true;
	}
	stack_ring_changed(p->stack, p->handle, *p->now_us);
	if (p->fin && p->leaves_early && !p->gone) {
		p->gone = true;
		stack_worker_gone(p->stack, p->handle, *p->now_us);
	}
}

void party_work(struct party *p)
{
	bool did;

	p->wake_us = UINT64_MAX;
	if (p->let_go || p->fin || p->aborted)
		return;
	worker_sleep(&p->worker, false);
	did = work_once(p);
	work_end(p);
	if (did) {
		p->wake_us = *p->now_us + random_below(p->random, 5000);
		return;
	}
	/* sleep only when there is nothing to do: a doorbell must come */
	worker_sleep(&p->worker, true);
	if (worker_waiting(&p->worker) > 0 ||
	    (worker_room(&p->worker) > 0 && p->worker.tx_head < p->send_total))
		p->wake_us = *p->now_us + random_below(p->random, 100000);
}

/* ---- another engine ---- */

void party_take_over(struct party *p, const void *page)
{
	struct conn_info info;

	stack_destroy(p->stack);
	p->stack = stack_create(&p->config, &p->hooks, p->memory, p->bytes, NULL);
	assert_non_null(p->stack);
	if (p->listens)
		assert_true(stack_listen(p->stack, &p->local));
	if (!p->attached)
		return;
	if (page != NULL)
		memcpy(p->worker.ring.master, page, RING_PAGE);
	if (!stack_info(p->stack, p->handle.id, &info) || info.state == TCP_TIME_WAIT) {
		p->let_go = true;
		return;
	}
	p->let_go = false;
	assert_true(stack_attach(p->stack, p->handle, WORKER, &p->worker.ring, *p->now_us));
	p->wake_us = *p->now_us;
}

bool party_finished(const struct party *p)
{
	struct conn_info info;

	return p->handle.id != 0 && !stack_info(p->stack, p->handle.id, &info);
}
