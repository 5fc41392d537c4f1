/*
 * What the engine tells the master: doorbells, detached rings, moves and ends.
 * Hooks run in the middle of the engine's work and must not call it; they note
 * and log.
 *
 * The log has every move at debug level. At info level it has a line when a
 * connection is established and one when it ends, but no more than LINES_BURST
 * at once and one in LINE_US on average: a stranger who connects again and again
 * must not fill the disk. Half-open connections have no line there at all.
 */
#include <inttypes.h>

#include "daemon/address_text.h"
#include "daemon/call.h"
#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"
#include "daemon/session_notes.h"

#define LINES_BURST 100u
#define LINE_US     50000u

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

/* A token bucket, kept as the time up to which it has been used. */
static bool may_log(struct master *m)
{
	uint64_t now_us = master_now_us();
	uint64_t earliest = now_us > LINES_BURST * LINE_US ? now_us - LINES_BURST * LINE_US : 0;

	if (!log_wanted(LOG_LEVEL_INFO))
		return false;
	if (m->log_tokens_us < earliest)
		m->log_tokens_us = earliest;
	if (m->log_tokens_us + LINE_US > now_us) {
		m->log_left_out++;
		return false;
	}
	m->log_tokens_us += LINE_US;
	if (m->log_left_out > 0)
		log_info("%" PRIu64 " lines about connections were left out", m->log_left_out);
	m->log_left_out = 0;
	return true;
}

static void log_state(uint64_t id, const struct flow *flow, enum tcp_state from, enum tcp_state to,
                      const char *why)
{
	char peer[ENDPOINT_TEXT_MAX];

	log_at(LOG_LEVEL_DEBUG,
	       LOG_FIELDS(.event = LOG_EVENT_STATE, .connection = id, .peer = &flow->peer,
	                  .local = &flow->local, .state = state_name(to), .reason = why),
	       "connection %" PRIu64 ": %s to %s (%s), peer %s", id, state_name(from),
	       state_name(to), why, endpoint_format(&flow->peer, peer));
}

static void log_connect(uint64_t id, const struct flow *flow)
{
	char peer[ENDPOINT_TEXT_MAX], local[ENDPOINT_TEXT_MAX];

	log_at(LOG_LEVEL_INFO,
	       LOG_FIELDS(.event = LOG_EVENT_CONNECT, .connection = id, .peer = &flow->peer,
	                  .local = &flow->local, .state = state_name(TCP_ESTABLISHED)),
	       "connection %" PRIu64 ": %s to %s established", id,
	       endpoint_format(&flow->peer, peer), endpoint_format(&flow->local, local));
}

static void log_disconnect(uint64_t id, const struct flow *flow, enum tcp_state to, const char *why)
{
	char peer[ENDPOINT_TEXT_MAX];

	log_at(LOG_LEVEL_INFO,
	       LOG_FIELDS(.event = LOG_EVENT_DISCONNECT, .connection = id, .peer = &flow->peer,
	                  .local = &flow->local, .state = state_name(to), .reason = why),
	       "connection %" PRIu64 ": %s ended: %s", id, endpoint_format(&flow->peer, peer), why);
}

static void log_move(struct master *m, uint64_t id, const struct flow *flow, enum tcp_state from,
                     enum tcp_state to, const char *why)
{
	if (log_wanted(LOG_LEVEL_DEBUG))
		log_state(id, flow, from, to, why);
	if (to == TCP_ESTABLISHED) {
		if (may_log(m))
			log_connect(id, flow);
	} else if (state_synchronized(from) && from != TCP_TIME_WAIT &&
	           (to == TCP_CLOSED || to == TCP_TIME_WAIT)) {
		if (may_log(m))
			log_disconnect(id, flow, to,
			               to == TCP_TIME_WAIT ? "closed by both sides" : why);
	}
}

static void on_moved(void *arg, uint64_t id, const struct flow *flow, enum tcp_state from,
                     enum tcp_state to, const char *why)
{
	struct master *m = arg;

	log_move(m, id, flow, from, to, why);
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
	char peer[ENDPOINT_TEXT_MAX];

	if (may_log(arg))
		log_at(LOG_LEVEL_INFO,
		       LOG_FIELDS(.event = LOG_EVENT_REFUSAL, .peer = &flow->peer,
		                  .local = &flow->local, .reason = why),
		       "%s is refused: %s", endpoint_format(&flow->peer, peer), why);
}

/* Rare: a source is not banned while it is. */
static void on_banned(void *arg, const struct ip_address *source, uint64_t until_us,
                      const char *why)
{
	const struct ip_prefix prefix = {*source, source->version == IP_V6 ? SOURCE_BITS_V6 : 32};
	const struct endpoint peer = {.address = *source};
	char text[PREFIX_TEXT_MAX];

	if (may_log(arg))
		log_at(LOG_LEVEL_WARNING,
		       LOG_FIELDS(.event = LOG_EVENT_REFUSAL, .peer = &peer, .reason = why,
		                  .detail = "banned"),
		       "%s is banned for %" PRIu64 " s: %s", prefix_format(&prefix, text),
		       (until_us - master_now_us() + 999999u) / 1000000u, why);
}

/* Called before anything of the engine runs: at most one line of the burst for each. */
static void on_dropped(void *arg, uint64_t id, const struct flow *flow, const char *why)
{
	struct master *m = arg;
	char peer[ENDPOINT_TEXT_MAX];

	if (may_log(m))
		log_warning("connection %" PRIu64 " with %s is dropped: %s", id,
		            flow != NULL ? endpoint_format(&flow->peer, peer) : "nobody knows whom",
		            why);
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
}
