/*
 * What calmd knows, as JSON: the reports behind the control socket's commands.
 * Keys are snake_case and stay as they are, for scripts rely on them; times are
 * ISO 8601 in UTC, durations in microseconds (_us) or seconds (_s), states as RFC
 * 9293 spells them, and what does not exist is null.
 *
 * Each function returns a new reference, NULL when memory is short.
 */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "daemon/link.h"
#include "daemon/message.h"
#include "stack/stack.h"

/* What turns the engine's times into dates. */
struct report_clock {
	uint64_t now_us;      /* of the engine's clock */
	uint64_t now_real_us; /* at the same moment, since 1970 */
};

/* Reads the wall clock for NOW_US of the engine's. */
void report_clock_read(struct report_clock *clock, uint64_t now_us);

struct report_status {
	const struct message_master_config *config;
	pid_t master_pid;
	uint64_t uptime_s; /* the daemon's */
	uint64_t master_uptime_s;
	uint32_t workers_idle;
	uint32_t workers_busy;
	bool ending;
	uint64_t quiet_left_us;
	uint32_t quiet_reason; /* enum quiet_reason */
	struct stack_usage usage;
};

/*
 * version, supervisor_pid, master_pid, uptime_s, master_uptime_s, takeovers, quiet {left_s, reason}, ending,
 * draining, sessions (those that are left to wait for then),
 * workers {idle, busy}, queue, connections, half_open, time_wait, limits {...}.
 */
json_t *report_status(const struct report_status *status);

/*
 * id, state, peer, local, user, since, rtt_us, cwnd, snd_queue, rcv_queue. NOTE is what is known
 * of the session, NULL: nothing.
 */
json_t *report_list_row(const struct conn_info *info, const struct message_session_note *note,
                        const struct report_clock *clock);

/*
 * The row above and all else of struct conn_info under its own names; `ending` says why the
 * session was ended, or null while it was not; `history`
 * is an array of {state, time, after_us}, `timers` has what is left of each in
 * microseconds or null, `counters` the connection's own.
 */
json_t *report_show(const struct conn_info *info, const struct message_session_note *note,
                    const struct report_clock *clock);

/*
 * address, connections, per_minute, refused, dropped, signatures, failed_logins, points, last,
 * banned, banned_by ("calmd", "operator" or null), banned_until (null: not banned, or until
 * somebody lifts it). Of a ban by hand the counts of the source are null.
 */
json_t *report_source_row(const struct source_info *info, const struct report_clock *clock);

/* address, banned_until, connections (that go on). */
json_t *report_ban(const struct ip_prefix *prefix, uint64_t until_us, uint32_t connections,
                   const struct report_clock *clock);

/* Every counter under the name of STACK_STATS and LINK_STATS, in their order. */
json_t *report_stats(const struct stack_stats *stack, const struct link_stats *link);

#endif
