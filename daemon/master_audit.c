/*
 * The master's records. Hooks call this in the middle of the engine's work, so it
 * calls the engine never.
 *
 * Half-open connections have no record but at debug level: whoever sends SYNs may
 * be anybody, and often is.
 */
#include "daemon/master_audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "daemon/address_text.h"
#include "daemon/log.h"
#include "daemon/log_limit.h"
#include "daemon/master_state.h"

/*
 * A connection has two records here. One source may come back after a power cut with all the
 * clients that it may have, and goes on with more than one connection a second.
 */
static const struct log_rate of_one = {300, 300000};
static const struct log_rate of_all = {2000, 10000};

struct audit {
	struct log_limit limit;
	struct event *report; /* set while something is left out */
	bool reporting;
};

static void report(struct audit *audit, bool all)
{
	struct log_limit_report left_out;
	char source[PREFIX_TEXT_MAX];
	struct endpoint peer = {0};

	while (log_limit_report(&audit->limit, master_now_us(), all, &left_out)) {
		bool known = left_out.source.version != IP_NONE;
		peer.address = left_out.source;
		log_at(LOG_LEVEL_WARNING,
		       LOG_FIELDS(.event = LOG_EVENT_LEFT_OUT, .peer = &peer,
		                  .left_out = left_out.count),
		       "%" PRIu64 " records about connections from %s were left out",
		       left_out.count,
		       known ? source_format(&left_out.source, source) : "everywhere");
	}
}

/* Sets the timer for what has been left out, unless it is set. */
static void report_later(struct audit *audit)
{
	uint64_t now_us, due;
	struct timeval wait;

	if (audit->reporting)
		return;
	now_us = master_now_us();
	due = log_limit_due(&audit->limit);
	if (due == UINT64_MAX)
		return;
	due = due > now_us ? due - now_us : 0;
	wait.tv_sec = (time_t)(due / 1000000u);
	wait.tv_usec = (suseconds_t)(due % 1000000u);
	audit->reporting = evtimer_add(audit->report, &wait) == 0;
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct audit *audit = arg;

	(void)fd;
	(void)what;
	audit->reporting = false;
	report(audit, false);
	report_later(audit);
}

struct audit *audit_create(struct event_base *base)
{
	struct audit *audit = calloc(1, sizeof(*audit));

	if (audit == NULL)
		return NULL;
	audit->limit.each = of_one;
	audit->limit.all = of_all;
	audit->report = evtimer_new(base, on_report, audit);
	if (audit->report == NULL) {
		free(audit);
		return NULL;
	}
	return audit;
}

void audit_destroy(struct audit *audit)
{
	if (audit == NULL)
		return;
	report(audit, true);
	event_free(audit->report);
	free(audit);
}

/* True when a record of LEVEL about PEER is to be made. */
static bool may_log(struct audit *audit, enum log_level level, const struct endpoint *peer)
{
	if (!log_wanted(level))
		return false;
	if (log_limit_take(&audit->limit, &peer->address, master_now_us()))
		return true;
	report_later(audit);
	return false;
}

void audit_connected(struct master *m, uint64_t id, const struct flow *flow,
                     const struct endpoint *proxy)
{
	char peer[ENDPOINT_TEXT_MAX], local[ENDPOINT_TEXT_MAX], by[ENDPOINT_TEXT_MAX] = "";

	if (!may_log(m->audit, LOG_LEVEL_INFO, &flow->peer))
		return;
	if (proxy != NULL)
		endpoint_format(proxy, by);
	log_at(LOG_LEVEL_INFO,
	       LOG_FIELDS(.event = LOG_EVENT_CONNECT, .connection = id, .peer = &flow->peer,
	                  .local = &flow->local, .state = state_name(TCP_ESTABLISHED),
	                  .detail = proxy != NULL ? by : NULL),
	       "connection %" PRIu64 ": %s to %s established%s%s", id,
	       endpoint_format(&flow->peer, peer), endpoint_format(&flow->local, local),
	       proxy != NULL ? ", by way of " : "", by);
}

void audit_moved(struct master *m, uint64_t id, const struct flow *flow, enum tcp_state from,
                 enum tcp_state to, const char *why)
{
	char peer[ENDPOINT_TEXT_MAX];

	if (log_wanted(LOG_LEVEL_DEBUG))
		log_at(LOG_LEVEL_DEBUG,
		       LOG_FIELDS(.event = LOG_EVENT_STATE, .connection = id, .peer = &flow->peer,
		                  .local = &flow->local, .state = state_name(to), .reason = why),
		       "connection %" PRIu64 ": %s to %s (%s), peer %s", id, state_name(from),
		       state_name(to), why, endpoint_format(&flow->peer, peer));
	if (to == TCP_ESTABLISHED && !master_proxied(m, flow)) /* else its client is to come */
		audit_connected(m, id, flow, NULL);
}

void audit_finished(struct master *m, uint64_t id, const struct flow *flow,
                    const struct stack_totals *totals, enum tcp_state to, const char *why)
{
	char peer[ENDPOINT_TEXT_MAX];

	if (flow->peer.address.version == IP_NONE) /* it was nobody's */
		return;
	if (!may_log(m->audit, LOG_LEVEL_INFO, &flow->peer))
		return;
	if (to == TCP_TIME_WAIT)
		why = "closed by both sides";
	log_at(LOG_LEVEL_INFO,
	       LOG_FIELDS(.event = LOG_EVENT_DISCONNECT, .connection = id, .peer = &flow->peer,
	                  .local = &flow->local, .state = state_name(to), .reason = why,
	                  .measured = true, .bytes_in = totals->bytes_in,
	                  .bytes_out = totals->bytes_out, .duration_us = totals->duration_us),
	       "connection %" PRIu64 ": %s ended: %s; %" PRIu64 " bytes in, %" PRIu64
	       " out, %.1f s",
	       id, endpoint_format(&flow->peer, peer), why, totals->bytes_in, totals->bytes_out,
	       (double)totals->duration_us / 1e6);
}

void audit_dropped(struct master *m, uint64_t id, const struct flow *flow, const char *why)
{
	static const struct endpoint nobody;
	const struct endpoint *whom = flow != NULL ? &flow->peer : &nobody;
	char peer[ENDPOINT_TEXT_MAX];

	if (!may_log(m->audit, LOG_LEVEL_WARNING, whom))
		return;
	log_at(LOG_LEVEL_WARNING,
	       LOG_FIELDS(.event = LOG_EVENT_DISCONNECT, .connection = id <= INT64_MAX ? id : 0,
	                  .peer = whom, .reason = why),
	       "connection %" PRIu64 " with %s is dropped: %s", id,
	       flow != NULL ? endpoint_format(whom, peer) : "nobody knows whom", why);
}

void audit_refused(struct master *m, const struct endpoint *peer, const struct endpoint *local,
                   const char *why)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!may_log(m->audit, LOG_LEVEL_INFO, peer))
		return;
	log_at(LOG_LEVEL_INFO,
	       LOG_FIELDS(.event = LOG_EVENT_REFUSAL, .peer = peer, .local = local, .reason = why),
	       "%s is refused: %s", endpoint_format(peer, text), why);
}

void audit_attack(struct master *m, uint64_t id, const struct endpoint *peer, const char *signature)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!may_log(m->audit, LOG_LEVEL_WARNING, peer))
		return;
	log_at(LOG_LEVEL_WARNING,
	       LOG_FIELDS(.event = LOG_EVENT_ATTACK, .connection = id, .peer = peer,
	                  .reason = signature),
	       "connection %" PRIu64 ": %s has sent %s", id, endpoint_format(peer, text),
	       signature);
}

void audit_banned(struct master *m, const struct ip_address *source, uint64_t until_us,
                  const char *why)
{
	const struct endpoint peer = {.address = *source};
	char text[PREFIX_TEXT_MAX];

	if (!may_log(m->audit, LOG_LEVEL_WARNING, &peer))
		return;
	log_at(LOG_LEVEL_WARNING,
	       LOG_FIELDS(.event = LOG_EVENT_REFUSAL, .peer = &peer, .reason = why,
	                  .detail = "banned"),
	       "%s is banned for %" PRIu64 " s: %s", source_format(source, text),
	       (until_us - master_now_us() + 999999u) / 1000000u, why);
}

void audit_worker_killed(struct master *m, const struct conn_info *info, int signal)
{
	uint64_t now_us = master_now_us();
	char reason[64];

	if (!may_log(m->audit, LOG_LEVEL_INFO, &info->flow.peer))
		return;
	snprintf(reason, sizeof(reason), "the worker died of signal %d", signal);
	log_at(LOG_LEVEL_INFO,
	       LOG_FIELDS(.event = LOG_EVENT_SESSION_END, .connection = info->id,
	                  .peer = &info->flow.peer, .local = &info->flow.local, .reason = reason,
	                  .measured = true, .bytes_in = info->counters.bytes_in,
	                  .bytes_out = info->counters.bytes_out,
	                  .duration_us = now_us - info->established_us),
	       "connection %" PRIu64 ": session ended: %s", info->id, reason);
}
