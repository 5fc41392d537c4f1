/*
 * What is watched over a session beside its bytes: who has logged in, the deadlines,
 * whether the client is still there, and what is told of all that: to the master
 * (for calmctl) and to the client; audit.c tells the log.
 *
 * Who has logged in, the keeper finds in utmp. It is asked a moment after the session
 * has written something, since login(1) writes its entry before the shell's prompt;
 * less and less often where nobody logs in at all, as with a program of the
 * administrator's that is no login.
 *
 * Input is what is typed: data, and commands that stand for a character. What a
 * client sends to keep the connection open (NOP, AYT, a TIMING-MARK) is none.
 *
 * A client that has been silent for long is sent DO TIMING-MARK (RFC 860), which any
 * client answers, with WILL or WONT; one that has never sent a telnet command is not
 * asked. While it takes no output the question has not reached it, and the silence does
 * not count: how long that may last is TCP's matter (user-timeout, stalled-memory).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "shell/telnet.h"
#include "shell/worker.h"

#define USER_FIRST_MS   250  /* the keeper is asked so long after output */
#define USER_LAST_MS    4000 /* and at last only so often */
#define NOTE_RETRY_MS   1000
#define WARNING_MS      60000 /* before the end for want of input */
#define ANSWER_LEAST_MS 3000  /* a client has as long to answer a probe, and more where */
#define ANSWER_MOST_MS  60000 /* it is probed less often */

/* ---- what is told ---- */

/* One line for the client, if there is room for it. */
static void tell_client(struct worker *worker, const char *text)
{
	char line[200];
	int n = snprintf(line, sizeof(line), "\r\n[calmd: %s]\r\n", text);

	if (n <= 0 || (size_t)n >= sizeof(line) || ring_room(worker) <= (size_t)n + 1)
		return;
	if (telnet_output_settle(&worker->output) != 0)
		ring_append(worker, "", 1);
	ring_append(worker, line, (size_t)n);
}

/* Tells the master all that is known; tried again later when its channel is full. */
static void note_send(struct worker *worker)
{
	struct message_session_note note = {
		.conn_id = worker->conn_id,
		.ending = worker->ending,
	};

	memcpy(note.user, worker->user, sizeof(note.user));
	worker->note_owed = message_send(WORKER_FD_MASTER, MESSAGE_SESSION_NOTE, &note,
	                                 sizeof(note), NULL, 0, MSG_DONTWAIT) < 0 &&
	                    errno == EAGAIN;
	if (worker->note_owed)
		worker_timer_arm(worker, TIMER_USER, NOTE_RETRY_MS);
}

void session_watch_new_master(struct worker *worker)
{
	if (worker->user[0] != '\0' || worker->ending != SESSION_GOES_ON)
		note_send(worker);
}

/* A duration as people say it. */
static const char *period(uint32_t ms, char text[32])
{
	uint32_t seconds = ms / 1000;

	if (seconds >= 120 || seconds == 60)
		snprintf(text, 32, "%u minute%s", seconds / 60, seconds == 60 ? "" : "s");
	else
		snprintf(text, 32, "%u second%s", seconds, seconds == 1 ? "" : "s");
	return text;
}

static void say_goodbye(struct worker *worker)
{
	char text[100], time[32];

	switch (worker->ending) {
	case SESSION_LOGIN_TIMEOUT:
		snprintf(text, sizeof(text), "nobody has logged in within %s; goodbye",
		         period(worker->login_timeout_ms, time));
		break;
	case SESSION_IDLE_TIMEOUT:
		snprintf(text, sizeof(text), "no input for %s; goodbye",
		         period(worker->idle_timeout_ms, time));
		break;
	case SESSION_SILENT:
	case SESSION_SHUTDOWN:
		snprintf(text, sizeof(text), "%s; goodbye", session_ending_text(worker->ending));
		break;
	default:
		return;
	}
	tell_client(worker, text);
}

void session_watch_ending(struct worker *worker, enum session_ending ending)
{
	if (worker->ending != SESSION_GOES_ON)
		return;
	worker->ending = ending;
	say_goodbye(worker);
	note_send(worker);
}

static void end(struct worker *worker, enum session_ending ending)
{
	session_watch_ending(worker, ending);
	session_hang_up(worker);
}

/* ---- who has logged in ---- */

/* Asks the keeper; root_find_user is its answer. */
static void priv_find_user(struct worker *worker)
{
	if (worker->user_asked || worker->hung_up || worker->ended)
		return;
	worker->user_asked = message_send(worker->keeper, MESSAGE_PRIV_FIND_USER, NULL, 0, NULL, 0,
	                                  MSG_DONTWAIT) == 0;
}

void session_watch_last(struct worker *worker, const char *user)
{
	bool before = worker->user[0] != '\0';

	if (user[0] == '\0')
		return;
	memcpy(worker->user, user, strlen(user) + 1);
	if (!before)
		audit_login(worker);
}

void session_watch_user(struct worker *worker, const char *user)
{
	worker->user_asked = false;
	session_watch_last(worker, user);
	if (worker->user[0] != '\0')
		note_send(worker);
	else if (worker->login_due)
		end(worker, SESSION_LOGIN_TIMEOUT);
}

static void user_turn(struct worker *worker)
{
	bool due = worker_timer_due(worker, TIMER_USER);

	if (due && worker->note_owed)
		note_send(worker);
	if (worker->stage != WORKER_SESSION || worker->user[0] != '\0')
		return;
	if (due && worker->user_wait > 0)
		priv_find_user(worker);
	if (worker->tx_head == worker->user_head || worker->timers[TIMER_USER] != 0)
		return;
	worker->user_head = worker->tx_head;
	worker->user_wait = worker->user_wait == 0 ? USER_FIRST_MS
	                    : worker->user_wait < USER_LAST_MS / 2
	                            ? (uint16_t)(2 * worker->user_wait)
	                            : USER_LAST_MS;
	worker_timer_arm(worker, TIMER_USER, worker->user_wait);
}

/* ---- deadlines ---- */

static void login_turn(struct worker *worker)
{
	if (!worker_timer_due(worker, TIMER_LOGIN) || worker->user[0] != '\0')
		return;
	if (worker->stage != WORKER_SESSION) {
		end(worker, SESSION_LOGIN_TIMEOUT);
		return;
	}
	/* Who has logged in just now counts. */
	worker->login_due = true;
	priv_find_user(worker);
}

static void idle_turn(struct worker *worker)
{
	uint32_t all = worker->idle_timeout_ms;
	uint32_t last = all / 2 < WARNING_MS ? all / 2 : WARNING_MS;
	char before[32], left[32], text[100];
	bool typed = worker->typed;

	worker->typed = false;
	if (all == 0 || worker->stage != WORKER_SESSION)
		return;
	if (typed || (worker->timers[TIMER_IDLE] == 0 && !worker->idle_warned)) {
		worker->idle_warned = false;
		worker_timer_arm(worker, TIMER_IDLE, (int)(all - last));
		return;
	}
	if (!worker_timer_due(worker, TIMER_IDLE))
		return;
	if (worker->idle_warned) {
		end(worker, SESSION_IDLE_TIMEOUT);
		return;
	}
	worker->idle_warned = true;
	worker_timer_arm(worker, TIMER_IDLE, (int)last);
	snprintf(text, sizeof(text), "no input for %s; this session ends in %s",
	         period(all - last, before), period(last, left));
	tell_client(worker, text);
}

/* ---- is the client there? ---- */

static void probe(struct worker *worker)
{
	struct telnet_reply reply = {0};
	uint32_t wait = worker->probe_ms;

	if (ring_room(worker) > TELNET_REPLY_MAX) {
		negotiate_timing_mark(&worker->negotiation, &reply);
		if (telnet_output_settle(&worker->output) != 0)
			ring_append(worker, "", 1);
		ring_append(worker, reply.bytes, reply.length);
		worker->probe_end = worker->tx_head;
		wait = wait < ANSWER_LEAST_MS ? ANSWER_LEAST_MS : wait;
		wait = wait > ANSWER_MOST_MS ? ANSWER_MOST_MS : wait;
	}
	worker_timer_arm(worker, TIMER_PROBE, (int)wait);
}

static void probe_turn(struct worker *worker)
{
	/*
	 * What waits here for the session may have the answer in it; and where half of the window
	 * is shut, the client may be waiting for the rest to open (RFC 1122, 4.2.3.4).
	 */
	uint64_t waiting = worker->view.rx_head - worker->rx_tail;
	bool heard =
		worker->view.rx_head != worker->probe_head || waiting >= worker->ring.rx_size / 2;

	if (worker->probe_ms == 0 || worker->stage != WORKER_SESSION || !worker->negotiation.heard)
		return;
	bool due = worker_timer_due(worker, TIMER_PROBE);
	if (heard || (!due && worker->timers[TIMER_PROBE] == 0)) {
		worker->probe_head = worker->view.rx_head;
		worker->probe_end = 0;
		worker_timer_arm(worker, TIMER_PROBE, (int)worker->probe_ms);
	} else if (due && worker->probe_end == 0) {
		probe(worker);
	} else if (due && worker->view.tx_tail < worker->probe_end) {
		worker_timer_arm(worker, TIMER_PROBE, (int)worker->probe_ms);
	} else if (due) {
		end(worker, SESSION_SILENT);
	}
}

void session_watch_begin(struct worker *worker, const struct message_open *open)
{
	worker->login_timeout_ms = open->login_timeout_ms;
	worker->idle_timeout_ms = open->idle_timeout_ms;
	worker->probe_ms = open->probe_ms;
	if (worker->login_timeout_ms != 0)
		worker_timer_arm(worker, TIMER_LOGIN, (int)worker->login_timeout_ms);
}

void session_watch_turn(struct worker *worker)
{
	user_turn(worker);
	login_turn(worker);
	if (worker->hung_up || worker->ended) {
		/* Nobody would take them off when they are due: there were no sleep any more. */
		worker_timer_stop(worker, TIMER_IDLE);
		worker_timer_stop(worker, TIMER_PROBE);
		return;
	}
	idle_turn(worker);
	probe_turn(worker);
}
