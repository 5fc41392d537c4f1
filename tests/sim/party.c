/* One end of the simulator: see party.h. The workers' side is in session.c. */
#include "tests/sim/party.h"

#include "tests/sim/rings.h"
#include "tests/sim/session.h"
#include "tests/tcp/invariants.h"

/* ---- hooks ---- */

static struct session *session_by_id(struct party *p, uint64_t id)
{
	for (unsigned i = 0; i < p->sessions; i++)
		if (p->session[i].id == id)
			return &p->session[i];
	return NULL;
}

static void told(const struct party *p)
{
	if (p->stack == NULL)
		return;
	assert_false(p->stack->table.header->busy);
	crash_point(CRASH_TOLD);
}

static void on_doorbell(void *arg, struct conn_handle conn, uint32_t worker)
{
	struct party *p = arg;
	struct session *session = session_by_id(p, conn.id);

	told(p);
	assert_non_null(session);
	assert_int_equal(worker, session->number);
	if (session->wake_us > *p->now_us)
		session->wake_us = *p->now_us;
}

static void on_detached(void *arg, struct conn_handle conn, uint32_t worker)
{
	struct party *p = arg;
	struct session *session = session_by_id(p, conn.id);

	told(p);
	assert_non_null(session);
	assert_int_equal(worker, session->number);
	assert_true(session->attached && !session->let_go);
	session->let_go = true;
}

static void on_moved(void *arg, uint64_t id, const struct flow *flow, enum tcp_state from,
                     enum tcp_state to, const char *why)
{
	const struct party *p = arg;

	told(p);
	assert_true(state_move_legal(from, to));
	if (getenv("CALMD_SIM_VERBOSE"))
		fprintf(stderr, "%.6f party %u, %llu (%u, %u): %s to %s: %s\n",
		        (double)*p->now_us / 1e6, p->number, (unsigned long long)id,
		        flow->local.port, flow->peer.port, state_name(from), state_name(to), why);
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
	p->hooks = (struct stack_hooks){
		.arg = p, .doorbell = on_doorbell, .detached = on_detached, .moved = on_moved};
	p->bytes = stack_table_bytes(config);
	p->memory = aligned_alloc(4096, p->bytes);
	assert_non_null(p->memory);
	memset(p->memory, 0, p->bytes);
	p->stack = stack_create(config, &p->hooks, p->memory, p->bytes, &secrets);
	assert_non_null(p->stack);
	p->attach_us = UINT64_MAX;
	p->now_us = now_us;
}

void party_session(struct party *p, const struct session_plan *plan, uint64_t key,
                   uint64_t peer_key)
{
	struct session *session = &p->session[p->sessions];
	unsigned n = p->number;

	*session = (struct session){
		.number = p->sessions++,
		.wake_us = UINT64_MAX,
		.key = key,
		.peer_key = peer_key,
		.send_total = plan->send_total[n],
		.peer_total = plan->send_total[!n],
		.abort_at = plan->abort_at[n],
		.tx_size = plan->tx_size[n],
		.writes = plan->writes,
		.closes_early = plan->closes_early[n],
		.leaves_early = plan->leaves_early[n],
		.answers = n == 0 && plan->answers,
		.quits = n == 1 && plan->first_worker_leaves,
	};
}

void party_close(struct party *p)
{
	stack_destroy(p->stack);
	free(p->memory);
	for (unsigned i = 0; i < p->sessions; i++) {
		if (p->session[i].attached)
			rings_put(&p->session[i].worker);
		free(p->session[i].shadow);
	}
}

/* ---- calls of the engine ---- */

/* One call of the engine and what it is about. */
struct work {
	struct party *party;
	struct session *session;
	const struct packet_in *packet;
	const struct icmp_error *error;
	uint32_t mtu;
	uint64_t id;
};

static void party_take_over(struct party *p);

/* Calls the engine; false when it has died in it, and there is another one. */
static bool party_do(struct party *p, void (*call)(void *), struct work work)
{
	struct crash_subject subject = {
		.memory = p->memory,
		.bytes = (size_t)(p->stack->table.early - (uint8_t *)p->memory),
	};

	work.party = p;
	for (unsigned i = 0; i < p->sessions; i++)
		if (p->session[i].attached && !p->session[i].let_go)
			subject.page[subject.pages++] = p->session[i].worker.ring.master;
	if (crash_call(&subject, call, &work))
		return true;
	p->deaths++;
	party_take_over(p);
	return false;
}

static void do_output(void *arg)
{
	struct party *p = ((struct work *)arg)->party;
	const struct packet_out *packets;
	size_t count;

	while ((count = stack_output(p->stack, &packets, *p->now_us)) > 0) {
		crash_point(CRASH_RETURNED);
		assert_false(p->stack->table.header->busy);
		for (size_t i = 0; i < count; i++) {
			p->send(p->send_arg, p->number, &packets[i]);
			crash_point(CRASH_SENT);
		}
	}
}

static void check(struct party *p)
{
	uint32_t busy = 0;
	const char *broken = invariants_broken(p->stack);

	if (broken != NULL)
		fail_msg("party %u: %s", p->number, broken);
	for (unsigned i = 0; i < p->sessions; i++) {
		broken = session_watch(&p->session[i]);
		if (broken != NULL)
			fail_msg("party %u, session %u: %s", p->number, i, broken);
		busy += p->session[i].counted;
	}
	assert_int_equal(busy, p->stack->workers_busy);
}

static void party_output(struct party *p)
{
	while (!party_do(p, do_output, (struct work){0}))
		;
	check(p);
}

/* ---- the accept queue ---- */

struct session *party_session_of(struct party *p, uint16_t port, uint16_t other)
{
	unsigned number = (port >= PARTY_FIRST_PORT ? port : other) - PARTY_FIRST_PORT;

	return number < p->sessions ? &p->session[number] : NULL;
}

static void do_attach(void *arg)
{
	struct work *work = arg;
	struct party *p = work->party;

	work->session->counted = true;
	assert_true(stack_attach(p->stack, work->session->handle, work->session->number,
	                         &work->session->worker.ring, *p->now_us));
	assert_int_equal(worker_conn_id(&work->session->worker), work->session->id);
}

/* The session of the connection that waits; NULL: it is not one of ours. */
static struct session *waiting_session(struct party *p, struct conn_handle handle)
{
	const struct flow *flow = stack_flow(p->stack, handle);
	struct session *session;

	assert_non_null(flow);
	session = party_session_of(p, flow->local.port, flow->peer.port);
	if (p->foreign)
		session = session_by_id(p, 0);
	return session != NULL && !session->attached ? session : NULL;
}

static void do_abort(void *arg)
{
	const struct work *work = arg;

	(void)stack_abort(work->party->stack, work->id, *work->party->now_us);
}

/*
 * A cookie is good for a while: late copies of the client's segments bring a connection
 * that was over once more. Nobody is there to serve it.
 */
static bool party_refuse(struct party *p, struct conn_handle handle)
{
	if (p->foreign)
		return false;
	assert_true(p->config.syn_cookies != STACK_COOKIES_OFF);
	p->ghosts++;
	(void)party_do(p, do_abort, (struct work){.id = handle.id});
	return true;
}

/* Gives the connection that waits its worker, when the time has come. */
static bool party_accept(struct party *p)
{
	struct conn_handle handle;
	struct session *session;

	if (!stack_accept_next(p->stack, &handle)) {
		p->attach_us = UINT64_MAX;
		return false;
	}
	if (p->attach_us == UINT64_MAX)
		p->attach_us =
			*p->now_us + random_below(p->random, 2) * random_below(p->random, 300000);
	if (*p->now_us < p->attach_us)
		return false;
	session = waiting_session(p, handle);
	p->attach_us = UINT64_MAX;
	if (session == NULL)
		return party_refuse(p, handle);
	session->handle = handle;
	session->id = handle.id;
	session_attach(p, session);
	session->wake_us = *p->now_us;
	(void)party_do(p, do_attach, (struct work){.session = session});
	return true;
}

/* ---- what happens to it ---- */

static void party_settle(struct party *p)
{
	party_output(p);
	while (party_accept(p))
		party_output(p);
}

void party_listen(struct party *p)
{
	p->listens = true;
	assert_true(stack_listen(p->stack, &p->local));
}

static void do_call(void *arg)
{
	struct work *work = arg;
	struct party *p = work->party;
	uint16_t port = (uint16_t)(PARTY_FIRST_PORT + work->session->number);
	struct endpoint local = p->local, peer = {.address = p->peer, .port = port};
	const char *error;

	if (p->number == 0) {
		local.port = port;
		peer.port = PARTY_PORT;
	}
	work->session->id =
		stack_call(p->stack, &local, &peer, 1, work->mtu, false, *p->now_us, &error);
	if (work->session->id == 0)
		fail_msg("the call is refused: %s", error);
}

/* The id of the session's connection in the table; 0: there is none. */
static uint64_t session_find(struct party *p, const struct session *session)
{
	struct conn_info info;
	uint32_t cursor = 0;

	while (stack_next(p->stack, &cursor, &info))
		if (info.state != TCP_LISTEN &&
		    party_session_of(p, info.flow.local.port, info.flow.peer.port) == session)
			return info.id;
	return 0;
}

void party_call(struct party *p, struct session *session, uint32_t mtu)
{
	session->called = true;
	while (!party_do(p, do_call, (struct work){.session = session, .mtu = mtu})) {
		session->id = session_find(p, session);
		if (session->id != 0)
			break;
	}
	party_settle(p);
}

static void do_input(void *arg)
{
	const struct work *work = arg;

	stack_input(work->party->stack, work->packet, *work->party->now_us);
}

void party_input(struct party *p, const struct packet_in *packet)
{
	(void)party_do(p, do_input, (struct work){.packet = packet});
	party_settle(p);
}

static void do_icmp(void *arg)
{
	const struct work *work = arg;

	stack_icmp(work->party->stack, work->error, *work->party->now_us);
}

void party_icmp(struct party *p, const struct icmp_error *error)
{
	(void)party_do(p, do_icmp, (struct work){.error = error});
	party_settle(p);
}

static void do_timers(void *arg)
{
	const struct work *work = arg;

	stack_timers(work->party->stack, *work->party->now_us);
}

static void do_ring(void *arg)
{
	const struct work *work = arg;

	stack_ring_changed(work->party->stack, work->session->handle, *work->party->now_us);
}

static void do_gone(void *arg)
{
	const struct work *work = arg;

	work->session->counted = false;
	stack_worker_gone(work->party->stack, work->session->handle, *work->party->now_us);
}

/* The session's worker does a bit of its work, and says so. */
static void party_work(struct party *p, struct session *session)
{
	enum session_end end = session_work(p, session);

	if (session->let_go)
		return;
	if (end == SESSION_GOES_ON) {
		(void)party_do(p, do_ring, (struct work){.session = session});
		return;
	}
	session->gone = true;
	(void)party_do(p, do_gone, (struct work){.session = session});
	session_requeued(p, session);
}

void party_recycle(struct party *p, struct session *session)
{
	if (session->counted)
		(void)party_do(p, do_gone, (struct work){.session = session});
	session_detach(session);
	session->worker = (struct worker){0};
	session->id = 0;
	session->fin = session->aborted = session->mad = false;
	session->last_mark = 0;
}

void party_run(struct party *p)
{
	if (stack_deadline(p->stack) <= *p->now_us)
		(void)party_do(p, do_timers, (struct work){0});
	for (unsigned i = 0; i < p->sessions; i++)
		if (p->session[i].wake_us <= *p->now_us)
			party_work(p, &p->session[i]);
	party_settle(p);
}

uint64_t party_next(const struct party *p)
{
	uint64_t next = stack_deadline(p->stack);

	if (p->attach_us < next)
		next = p->attach_us;
	for (unsigned i = 0; i < p->sessions; i++)
		if (p->session[i].wake_us < next)
			next = p->session[i].wake_us;
	return next;
}

/* ---- another engine ---- */

/*
 * What the daemon does for one session once the new engine stands: the ring is given
 * back, and what may not have been heard is said again.
 */
static void do_resume(void *arg)
{
	struct work *work = arg;
	struct party *p = work->party;
	struct session *session = work->session;

	do_attach(arg);
	session->counted = !(slot_conn(p->stack, session->handle.slot)->flags & CONN_WORKER_GONE);
	if (session->gone && session->counted)
		do_gone(arg);
}

/* False: the engine has died again, and all has been done by the next one. */
static bool session_resume(struct party *p, struct session *session)
{
	struct conn_info info;

	session->wake_us = *p->now_us;
	if (!stack_info(p->stack, session->id, &info) || info.state == TCP_TIME_WAIT) {
		session->let_go = true; /* the connection is over: the daemon tells the worker */
		session->counted = false;
		return true;
	}
	if (slot_conn(p->stack, session->handle.slot)->worker == CONN_NO_WORKER) {
		session->counted = false;
		if (p->foreign)
			session->id = 0; /* another one may be given it */
		session_detach(session); /* it never was given the connection */
		return true;
	}
	return party_do(p, do_resume, (struct work){.session = session});
}

static void party_take_over(struct party *p)
{
	stack_destroy(p->stack);
	p->stack = NULL;
	p->stack = stack_create(&p->config, &p->hooks, p->memory, p->bytes, NULL);
	assert_non_null(p->stack);
	if (p->listens)
		assert_true(stack_listen(p->stack, &p->local));
	for (unsigned i = 0; i < p->sessions; i++) {
		struct session *session = &p->session[i];

		if (session->let_go)
			session->counted = false; /* only the old engine knew of it */
		if (session->attached && !session->let_go && !session_resume(p, session))
			return;
	}
}

void party_die(struct party *p)
{
	p->deaths++;
	party_take_over(p);
	party_settle(p);
}
