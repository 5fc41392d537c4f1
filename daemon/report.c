/*
 * Reports in JSON; see report.h. Nothing here decides anything: every value is
 * the engine's or the configuration's.
 */
#include "daemon/report.h"

#include <stdio.h>
#include <time.h>

#include "daemon/address_text.h"
#include "stack/congestion.h"

void report_clock_read(struct report_clock *clock, uint64_t now_us)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	clock->now_us = now_us;
	clock->now_real_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, number(value));
}

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, text != NULL ? json_string(text) : json_null());
}

static void set_bool(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}

/* A time of the engine as "2026-01-31T12:34:56.789Z"; null for 0, none. */
static json_t *time_text(const struct report_clock *clock, uint64_t time_us)
{
	uint64_t ago_us = clock->now_us > time_us ? clock->now_us - time_us : 0;
	uint64_t real_us = clock->now_real_us > ago_us ? clock->now_real_us - ago_us : 0;
	time_t seconds = (time_t)(real_us / 1000000u);
	char date[32], text[48];
	struct tm tm;

	if (time_us == 0 || gmtime_r(&seconds, &tm) == NULL ||
	    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return json_null();
	snprintf(text, sizeof(text), "%s.%03uZ", date, (unsigned)(real_us / 1000u % 1000u));
	return json_string(text);
}

static json_t *endpoint_text(const struct endpoint *endpoint)
{
	char text[ENDPOINT_TEXT_MAX];

	if (endpoint->address.version == IP_NONE)
		return json_null();
	return json_string(endpoint_format(endpoint, text));
}

static json_t *limits(const struct message_master_config *config)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "max_connections",
	                 (json_int_t)config->max_connections, "max_connections_per_source",
	                 (json_int_t)config->max_connections_per_source, "backlog",
	                 (json_int_t)config->backlog, "half_open", (json_int_t)config->half_open,
	                 "time_wait", (json_int_t)config->time_wait);
}

json_t *report_status(const struct report_status *status)
{
	json_t *o = json_object();

	set_text(o, "version", status->config->version);
	set_number(o, "supervisor_pid", status->config->supervisor_pid);
	set_number(o, "master_pid", (uint64_t)status->master_pid);
	set_number(o, "uptime_s", status->uptime_s);
	set_number(o, "master_uptime_s", status->master_uptime_s);
	set_number(o, "takeovers", status->config->takeovers);
	set_number(o, "upgrades", status->config->upgrades);
	/* rounded up: 0 only when it is over */
	json_object_set_new(o, "quiet",
	                    json_pack("{s:I, s:s}", "left_s",
	                              (json_int_t)((status->quiet_left_us + 999999) / 1000000),
	                              "reason", quiet_reason_name(status->quiet_reason)));
	set_bool(o, "ending", status->ending);
	set_bool(o, "draining", status->config->draining != 0);
	set_number(o, "sessions", status->usage.connections);
	json_object_set_new(o, "workers",
	                    json_pack("{s:I, s:I}", "idle", (json_int_t)status->workers_idle,
	                              "busy", (json_int_t)status->workers_busy));
	set_number(o, "queue", status->usage.queued);
	set_number(o, "connections", status->usage.connections);
	set_number(o, "half_open", status->usage.half_open);
	set_number(o, "time_wait", status->usage.time_wait);
	json_object_set_new(o, "limits", limits(status->config));
	return o;
}

json_t *report_list_row(const struct conn_info *info, const struct message_session_note *note,
                        const struct report_clock *clock)
{
	uint64_t since = info->established_us != 0 ? info->established_us : info->created_us;
	json_t *o = json_object();

	set_number(o, "id", info->id);
	set_text(o, "state", state_name(info->state));
	json_object_set_new(o, "peer", endpoint_text(&info->flow.peer));
	json_object_set_new(o, "local", endpoint_text(&info->flow.local));
	json_object_set_new(o, "user",
	                    note != NULL && note->user[0] != '\0' ? json_string(note->user)
	                                                          : json_null());
	json_object_set_new(o, "since", time_text(clock, since));
	set_number(o, "rtt_us", info->srtt_us);
	set_number(o, "cwnd", info->cwnd);
	set_number(o, "snd_queue", info->snd_queue);
	set_number(o, "rcv_queue", info->rcv_queue);
	return o;
}

/* The states so far, oldest first, each with its date and the time since the first. */
static json_t *history(const struct conn_info *info, const struct report_clock *clock)
{
	uint32_t count = info->history_count < STACK_HISTORY ? info->history_count : STACK_HISTORY;
	json_t *array = json_array();

	for (uint32_t i = 0; i < count; i++) {
		uint64_t time_us = info->history[i].time_us;
		json_t *o = json_object();

		set_text(o, "state", state_name(info->history[i].state));
		json_object_set_new(o, "time", time_text(clock, time_us));
		set_number(o, "after_us", time_us - info->history[0].time_us);
		json_array_append_new(array, o);
	}
	return array;
}

/* What is left of a timer; 0 when it is due, null when it does not run. */
static json_t *time_left(const struct report_clock *clock, uint64_t deadline_us)
{
	if (deadline_us == UINT64_MAX)
		return json_null();
	return number(deadline_us > clock->now_us ? deadline_us - clock->now_us : 0);
}

static json_t *timers(const struct conn_info *info, const struct report_clock *clock)
{
	json_t *o = json_object();

	json_object_set_new(o, "retransmit_us", time_left(clock, info->timer_retransmit_us));
	json_object_set_new(o, "persist_us", time_left(clock, info->timer_persist_us));
	json_object_set_new(o, "delayed_ack_us", time_left(clock, info->timer_delayed_ack_us));
	json_object_set_new(o, "keepalive_us", time_left(clock, info->timer_keepalive_us));
	json_object_set_new(o, "user_us", time_left(clock, info->timer_user_us));
	json_object_set_new(o, "end_us", time_left(clock, info->timer_end_us));
	return o;
}

static json_t *counters(const struct conn_counters *c)
{
	json_t *o = json_object();

	set_number(o, "segs_in", c->segs_in);
	set_number(o, "segs_out", c->segs_out);
	set_number(o, "bytes_in", c->bytes_in);
	set_number(o, "bytes_out", c->bytes_out);
	set_number(o, "bytes_retransmitted", c->bytes_retransmitted);
	set_number(o, "segs_retransmitted", c->segs_retransmitted);
	set_number(o, "timeouts", c->timeouts);
	set_number(o, "fast_recoveries", c->fast_recoveries);
	set_number(o, "dup_acks_in", c->dup_acks_in);
	set_number(o, "out_of_order_in", c->out_of_order_in);
	set_number(o, "zero_window_probes", c->zero_window_probes);
	set_number(o, "keepalive_probes", c->keepalive_probes);
	set_number(o, "soft_errors", c->soft_errors);
	set_number(o, "ce_in", c->ce_in);
	set_number(o, "ecn_reductions", c->ecn_reductions);
	return o;
}

static void add_origin(json_t *o, const struct conn_info *info, const struct report_clock *clock)
{
	json_object_set_new(o, "proxy", endpoint_text(&info->proxy));
	set_bool(o, "passive", info->passive);
	set_bool(o, "waiting", info->waiting);
	json_object_set_new(o, "worker", info->has_worker ? number(info->worker) : json_null());
	set_number(o, "ifindex", info->ifindex);
	json_object_set_new(o, "created", time_text(clock, info->created_us));
	json_object_set_new(o, "established", time_text(clock, info->established_us));
	json_object_set_new(o, "history", history(info, clock));
}

/* RFC 9293, section 3.3.1. */
static void add_sequence(json_t *o, const struct conn_info *info)
{
	set_number(o, "iss", info->iss);
	set_number(o, "snd_una", info->snd_una);
	set_number(o, "snd_nxt", info->snd_nxt);
	set_number(o, "snd_wnd", info->snd_wnd);
	set_number(o, "snd_wl1", info->snd_wl1);
	set_number(o, "snd_wl2", info->snd_wl2);
	set_number(o, "snd_up", info->snd_up);
	set_number(o, "irs", info->irs);
	set_number(o, "rcv_nxt", info->rcv_nxt);
	set_number(o, "rcv_wnd", info->rcv_wnd);
	set_number(o, "rcv_up", info->rcv_up);
}

static void add_options(json_t *o, const struct conn_info *info)
{
	set_number(o, "send_mss", info->send_mss);
	set_number(o, "receive_mss", info->receive_mss);
	set_number(o, "path_mtu", info->path_mtu);
	set_number(o, "path_mtu_proven", info->path_mtu_proven);
	set_number(o, "path_mtu_search", info->path_mtu_search);
	set_number(o, "path_mtu_black_holes", info->path_mtu_black_holes);
	set_bool(o, "timestamps", info->timestamps);
	set_bool(o, "sack", info->sack);
	set_bool(o, "ecn", info->ecn);
	set_bool(o, "window_scaling", info->window_scaling);
	set_number(o, "snd_wscale", info->snd_wscale);
	set_number(o, "rcv_wscale", info->rcv_wscale);
}

static void add_congestion(json_t *o, const struct conn_info *info)
{
	set_text(o, "congestion", info->congestion);
	json_object_set_new(o, "ssthresh",
	                    info->ssthresh == CONGESTION_SSTHRESH_INFINITE
	                            ? json_null()
	                            : number(info->ssthresh));
	json_object_set_new(o, "pacing_rate",
	                    info->pacing_rate != 0 ? number(info->pacing_rate) : json_null());
	set_number(o, "in_flight", info->in_flight);
	set_bool(o, "in_recovery", info->in_recovery);
	set_number(o, "sacked_bytes", info->sacked_bytes);
	set_number(o, "out_of_order_ranges", info->out_of_order_ranges);
	set_number(o, "srtt_us", info->srtt_us);
	set_number(o, "rttvar_us", info->rttvar_us);
	set_number(o, "min_rtt_us", info->min_rtt_us);
	set_number(o, "rto_us", info->rto_us);
	set_number(o, "backoff", info->backoff);
}

json_t *report_show(const struct conn_info *info, const struct message_session_note *note,
                    const struct report_clock *clock)
{
	json_t *o = report_list_row(info, note, clock);
	bool ended = note != NULL && note->ending != SESSION_GOES_ON;

	json_object_set_new(o, "ending",
	                    ended ? json_string(session_ending_text(note->ending)) : json_null());
	add_origin(o, info, clock);
	add_sequence(o, info);
	add_options(o, info);
	add_congestion(o, info);
	json_object_set_new(o, "timers", timers(info, clock));
	json_object_set_new(o, "counters", counters(&info->counters));
	return o;
}

static json_t *prefix_text(const struct ip_prefix *prefix)
{
	char text[PREFIX_TEXT_MAX];

	return json_string(prefix_format(prefix, text));
}

/* A time to come; null for never. */
static json_t *until_text(const struct report_clock *clock, uint64_t until_us)
{
	const struct report_clock then = {
		.now_us = until_us,
		.now_real_us = clock->now_real_us + (until_us - clock->now_us),
	};

	if (until_us == UINT64_MAX || until_us < clock->now_us)
		return json_null();
	return time_text(&then, until_us);
}

/* What a source has done; a ban by hand has none of it. */
static void add_deeds(json_t *o, const struct source_info *info)
{
	const struct {
		const char *key;
		uint64_t value;
	} deeds[] = {
		{"connections", info->connections}, {"per_minute", info->recent},
		{"refused", info->refused},         {"signatures", info->signatures},
		{"failed_logins", info->failures},  {"points", info->points},
	};

	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		json_object_set_new(o, deeds[i].key,
		                    info->made ? json_null() : number(deeds[i].value));
}

json_t *report_source_row(const struct source_info *info, const struct report_clock *clock)
{
	bool banned = info->ban_until_us != 0;
	json_t *o = json_object();

	json_object_set_new(o, "address", prefix_text(&info->prefix));
	add_deeds(o, info);
	set_number(o, "dropped", info->dropped);
	json_object_set_new(o, "last", time_text(clock, info->last_us));
	set_bool(o, "banned", banned);
	set_text(o, "banned_by", !banned ? NULL : info->made ? "operator" : "calmd");
	json_object_set_new(o, "banned_until",
	                    banned ? until_text(clock, info->ban_until_us) : json_null());
	return o;
}

json_t *report_ban(const struct ip_prefix *prefix, uint64_t until_us, uint32_t connections,
                   const struct report_clock *clock)
{
	json_t *o = json_object();

	json_object_set_new(o, "address", prefix_text(prefix));
	json_object_set_new(o, "banned_until", until_text(clock, until_us));
	set_number(o, "connections", connections);
	return o;
}

json_t *report_stats(const struct stack_stats *stack, const struct link_stats *link)
{
	json_t *o = json_object();

#define REPORT_STACK(field, name, what) set_number(o, name, stack->field);
	STACK_STATS(REPORT_STACK)
#undef REPORT_STACK
#define REPORT_LINK(field, name, what) set_number(o, name, link->field);
	LINK_STATS(REPORT_LINK)
#undef REPORT_LINK
	return o;
}
