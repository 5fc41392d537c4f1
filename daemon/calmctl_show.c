/*
 * Text for people: everything about one connection, in groups, with the way it
 * has come through the states.
 */
#include <stdint.h>
#include <string.h>

#include "daemon/calmctl_text.h"

enum kind {
	PLAIN,    /* as it is */
	DURATION, /* microseconds; 0 is none */
	LEFT,     /* microseconds that a timer has left; null: it does not run */
	SENT,     /* a sequence number of ours, shown relative to iss too */
	RECEIVED, /* one of the peer's, relative to irs */
};

struct line {
	const char *label;
	const char *key;
	enum kind kind;
};

static const struct line general[] = {
	{"peer", "peer", PLAIN},
	{"local", "local", PLAIN},
	{"proxy", "proxy", PLAIN},
	{"user", "user", PLAIN},
	{"session ended", "ending", PLAIN},
	{"interface", "ifindex", PLAIN},
	{"opened by peer", "passive", PLAIN},
	{"worker", "worker", PLAIN},
	{"waits for worker", "waiting", PLAIN},
	{"created", "created", PLAIN},
	{"established", "established", PLAIN},
};

static const struct line sending[] = {
	{"iss", "iss", PLAIN},
	{"snd_una", "snd_una", SENT},
	{"snd_nxt", "snd_nxt", SENT},
	{"snd_wnd", "snd_wnd", PLAIN},
	{"snd_wl1", "snd_wl1", RECEIVED},
	{"snd_wl2", "snd_wl2", SENT},
	{"snd_up", "snd_up", SENT},
	{"queue", "snd_queue", PLAIN},
	{"MSS", "send_mss", PLAIN},
	{"path MTU", "path_mtu", PLAIN},
	{"path MTU proven", "path_mtu_proven", PLAIN},
	{"path MTU searched", "path_mtu_search", PLAIN},
	{"black holes", "path_mtu_black_holes", PLAIN},
	{"window shift", "snd_wscale", PLAIN},
};

static const struct line receiving[] = {
	{"irs", "irs", PLAIN},
	{"rcv_nxt", "rcv_nxt", RECEIVED},
	{"rcv_wnd", "rcv_wnd", PLAIN},
	{"rcv_up", "rcv_up", RECEIVED},
	{"queue", "rcv_queue", PLAIN},
	{"MSS", "receive_mss", PLAIN},
	{"window shift", "rcv_wscale", PLAIN},
	{"ranges out of order", "out_of_order_ranges", PLAIN},
};

static const struct line options[] = {
	{"timestamps", "timestamps", PLAIN},
	{"SACK", "sack", PLAIN},
	{"ECN", "ecn", PLAIN},
	{"window scaling", "window_scaling", PLAIN},
};

static const struct line congestion[] = {
	{"algorithm", "congestion", PLAIN},       {"cwnd", "cwnd", PLAIN},
	{"ssthresh", "ssthresh", PLAIN},          {"in flight", "in_flight", PLAIN},
	{"bytes a second", "pacing_rate", PLAIN}, {"in recovery", "in_recovery", PLAIN},
	{"SACKed bytes", "sacked_bytes", PLAIN},
};

static const struct line round_trip[] = {
	{"smoothed", "rtt_us", DURATION},    {"variation", "rttvar_us", DURATION},
	{"minimum", "min_rtt_us", DURATION}, {"RTO", "rto_us", DURATION},
	{"backed off", "backoff", PLAIN},
};

static const struct line timers[] = {
	{"retransmission", "retransmit_us", LEFT}, {"persist", "persist_us", LEFT},
	{"delayed ACK", "delayed_ack_us", LEFT},   {"keepalive", "keepalive_us", LEFT},
	{"user timeout", "user_us", LEFT},         {"end", "end_us", LEFT},
};

/* All that is left of a connection in TIME-WAIT. */
static const struct line time_wait[] = {
	{"snd_nxt", "snd_nxt", PLAIN},
	{"rcv_nxt", "rcv_nxt", PLAIN},
	{"rcv_wnd", "rcv_wnd", PLAIN},
	{"timestamps", "timestamps", PLAIN},
};

static const struct line time_wait_timers[] = {
	{"end", "end_us", LEFT},
};

static const struct line counters[] = {
	{"segments in", "segs_in", PLAIN},
	{"segments out", "segs_out", PLAIN},
	{"bytes in", "bytes_in", PLAIN},
	{"bytes out", "bytes_out", PLAIN},
	{"segments sent again", "segs_retransmitted", PLAIN},
	{"bytes sent again", "bytes_retransmitted", PLAIN},
	{"time-outs", "timeouts", PLAIN},
	{"fast recoveries", "fast_recoveries", PLAIN},
	{"duplicate ACKs in", "dup_acks_in", PLAIN},
	{"out of order in", "out_of_order_in", PLAIN},
	{"window probes", "zero_window_probes", PLAIN},
	{"keepalive probes", "keepalive_probes", PLAIN},
	{"unreachable (ICMP)", "soft_errors", PLAIN},
	{"congestion marks in", "ce_in", PLAIN},
	{"reductions by ECN", "ecn_reductions", PLAIN},
};

/* A sequence number with its distance from the first; mod 2**32, hence the casts. */
static void sequence(char cell[CALMCTL_CELL], const json_t *show, const char *key,
                     const char *first)
{
	uint32_t value = (uint32_t)calmctl_number(show, key);
	uint32_t distance = value - (uint32_t)calmctl_number(show, first);

	if (distance < UINT32_C(0x80000000))
		snprintf(cell, CALMCTL_CELL, "%-10u  %s + %u", value, first, distance);
	else
		snprintf(cell, CALMCTL_CELL, "%u", value);
}

static void print_line(FILE *out, const json_t *show, const json_t *from, const struct line *line)
{
	long long number = calmctl_number(from, line->key);
	char cell[CALMCTL_CELL];

	calmctl_cell(cell, from, line->key);
	switch (line->kind) {
	case DURATION:
		if (number > 0)
			calmctl_duration(cell, number);
		else
			calmctl_escape(cell, sizeof(cell), NULL);
		break;
	case LEFT:
		if (json_is_integer(json_object_get(from, line->key)))
			calmctl_duration(cell, number);
		else
			calmctl_escape(cell, sizeof(cell), "not running");
		break;
	case SENT:
		sequence(cell, show, line->key, "iss");
		break;
	case RECEIVED:
		sequence(cell, show, line->key, "irs");
		break;
	case PLAIN:
		break;
	}
	fprintf(out, "  %-20s %s\n", line->label, cell);
}

static void print_group(FILE *out, const char *title, const json_t *show, const json_t *from,
                        const struct line *lines, size_t count)
{
	fprintf(out, "\n%s\n", title);
	for (size_t i = 0; i < count; i++)
		print_line(out, show, from, &lines[i]);
}

/* One line a move: when, how long after the first, and from which state to which. */
static void print_history(FILE *out, const json_t *history)
{
	char state[CALMCTL_CELL], when[CALMCTL_CELL], before[CALMCTL_CELL] = "";
	json_t *entry;
	size_t i;

	fprintf(out, "\nHistory\n");
	json_array_foreach (history, i, entry) {
		long long after_us = calmctl_number(entry, "after_us");

		calmctl_cell(state, entry, "state");
		calmctl_cell(when, entry, "time");
		fprintf(out, "  %s  +%lld.%06lld s  %s%s%s\n", when, after_us / 1000000,
		        after_us % 1000000, before, i > 0 ? " -> " : "", state);
		memcpy(before, state, sizeof(before));
	}
}

#define GROUP(title, from, lines)                                                                  \
	print_group(out, title, show, from, lines, sizeof(lines) / sizeof((lines)[0]))

static void print_details(FILE *out, const json_t *show, const json_t *running)
{
	GROUP("Sending", show, sending);
	GROUP("Receiving", show, receiving);
	GROUP("Options", show, options);
	GROUP("Congestion control", show, congestion);
	GROUP("Round trip", show, round_trip);
	GROUP("Timers", running, timers);
}

/* What an entry does not have would look like zeros: it is left out. */
void calmctl_print_show(FILE *out, const json_t *show)
{
	const json_t *history = json_object_get(show, "history");
	const json_t *running = json_object_get(show, "timers");
	char state[CALMCTL_CELL];

	calmctl_cell(state, show, "state");
	fprintf(out, "Connection %lld: %s\n", calmctl_number(show, "id"), state);
	if (json_array_size(history) > 0)
		print_history(out, history);
	GROUP("Connection", show, general);
	if (strcmp(state, "LISTEN") == 0)
		return;
	if (strcmp(state, "TIME-WAIT") == 0) {
		GROUP("Kept", show, time_wait);
		GROUP("Timers", running, time_wait_timers);
	} else {
		print_details(out, show, running);
	}
	GROUP("Counters", json_object_get(show, "counters"), counters);
}
