/*
 * What the engine tells the master: doorbells, detached rings, moves and ends.
 * Hooks run in the middle of the engine's work and must not call it; they note
 * and log (master_audit.c).
 */
#include "daemon/call.h"
#include "daemon/master_audit.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"
#include "daemon/session_notes.h"

static void on_doorbell(void *arg, struct conn_handle conn, uint32_t worker)
{
	struct master *m = arg;

	(void)conn;
	pool_doorbell(m->pool, worker);
}

static void on_detached(void *arg, struct conn_handle conn, uint32_t worker)
{
	struct master *m = arg;

	pool_detached(m->pool, conn, worker);
}

static void on_moved(void *arg, uint64_t id, const struct flow *flow, enum tcp_state from,
                     enum tcp_state to, const char *why)
{
	struct master *m = arg;

	audit_moved(m, id, flow, from, to, why);
	call_moved(m->calls, id, to);
	if (to == TCP_CLOSED)
		session_notes_forget(m->notes, id);
}

static void on_ended(void *arg, uint64_t id, const struct flow *flow, const char *why)
{
	struct master *m = arg;

	(void)flow;
	call_ended(m->calls, id, why);
}

static void on_refused(void *arg, const struct flow *flow, const char *why)
{
	audit_refused(arg, &flow->peer, &flow->local, why);
}

static void on_banned(void *arg, const struct ip_address *source, uint64_t until_us,
                      const char *why)
{
	audit_banned(arg, source, until_us, why);
}

static void on_finished(void *arg, uint64_t id, const struct flow *flow,
                        const struct stack_totals *totals, enum tcp_state to, const char *why)
{
	audit_finished(arg, id, flow, totals, to, why);
}

static void on_dropped(void *arg, uint64_t id, const struct flow *flow, const char *why)
{
	audit_dropped(arg, id, flow, why);
}

void master_hooks(struct master *m, struct stack_hooks *hooks)
{
	hooks->arg = m;
	hooks->doorbell = on_doorbell;
	hooks->detached = on_detached;
	hooks->moved = on_moved;
	hooks->ended = on_ended;
	hooks->refused = on_refused;
	hooks->banned = on_banned;
	hooks->dropped = on_dropped;
	hooks->finished = on_finished;
}
