/*
 * A connection's session: when it is asked for, its window size, the client's
 * end of input, and its end.
 *
 * The session is over when its keeper says so; then the pty is read until it has
 * nothing left, which is EIO, or, when a background process keeps it open, no
 * more output for a moment. EIO before that is not the end: login's vhangup(2)
 * gives it too, and the pty comes back when login opens it again; it is looked at
 * from time to time, since epoll would report the hang-up without pause.
 *
 * The client's FIN becomes the terminal's end-of-file character. Behind a line
 * that is not finished it is typed twice: the first hands the line to its reader
 * (termios(3), VEOF). Typed ahead while the terminal was in canonical mode it is
 * lost to a program that then leaves that mode, so it is typed again from time
 * to time until the session ends or is hung up.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "daemon/log.h"
#include "shell/title.h"
#include "shell/worker.h"

void session_begin(struct worker *worker, const struct message_open *open)
{
	struct telnet_reply reply;

	audit_begin(worker);
	negotiate_start(&worker->negotiation, &reply);
	ring_append(worker, reply.bytes, reply.length);
	worker->stage = WORKER_NEGOTIATING;
	worker->again = true;
	worker_timer_arm(worker, TIMER_QUIET, WORKER_QUIET_MS);
	worker_timer_arm(worker, TIMER_NEGOTIATE, WORKER_NEGOTIATE_MS);
	session_watch_begin(worker, open);
	title_set("calmd-worker: connection %llu", (unsigned long long)worker->conn_id);
}

/* Asks the opener for a session; root_open_session is its answer. */
static void priv_open_session(struct worker *worker)
{
	const struct negotiation *negotiation = &worker->negotiation;
	struct message_open_session request = {
		.peer = worker->peer,
		.rows = negotiation->rows,
		.columns = negotiation->columns,
		.speed_in = negotiation->speed_in,
		.speed_out = negotiation->speed_out,
		.environment = negotiation->environment,
	};
	const char *terminal = negotiation->terminal[0] != '\0' ? negotiation->terminal : "dumb";

	audit_options(worker);
	memcpy(request.terminal, terminal, strlen(terminal) + 1);
	memcpy(request.user, negotiation->user, sizeof(request.user));
	memcpy(request.display, negotiation->display, sizeof(request.display));
	if (negotiation->user_refused)
		log_at(LOG_LEVEL_INFO,
		       LOG_FIELDS(.event = LOG_EVENT_ATTACK, .connection = worker->conn_id,
		                  .peer = &worker->peer, .reason = "user"),
		       "connection %llu: the client's user name is none, and is ignored",
		       (unsigned long long)worker->conn_id);
	worker->negotiation.window_changed = false;
	worker->stage = WORKER_OPENING;
	worker_timer_stop(worker, TIMER_QUIET);
	worker_timer_stop(worker, TIMER_NEGOTIATE);
	if (message_send(WORKER_FD_OPENER, MESSAGE_PRIV_OPEN_SESSION, &request, sizeof(request),
	                 NULL, 0, 0) < 0 ||
	    wait_watch(&worker->wait, WAIT_OPENER, WORKER_FD_OPENER, EPOLLIN) < 0)
		session_failed(worker, errno);
}

/* True when there is no reason to wait any longer for what login needs. */
static bool negotiated(struct worker *worker)
{
	bool all_read = worker->rx_tail == worker->view.rx_head && !worker->held;
	if (!worker->details_awaited && negotiate_terminal_settled(&worker->negotiation)) {
		worker->details_awaited = true;
		worker_timer_arm(worker, TIMER_NEGOTIATE, WORKER_DETAILS_MS);
	}
	bool quiet = worker_timer_due(worker, TIMER_QUIET) && !worker->negotiation.heard;
	bool late = worker_timer_due(worker, TIMER_NEGOTIATE);

	return quiet || late || negotiate_complete(&worker->negotiation) ||
	       (worker->view.rx_fin && all_read);
}

/* The opener has nothing more to say: its channel goes. */
static void opener_close(struct worker *worker)
{
	wait_watch(&worker->wait, WAIT_OPENER, WORKER_FD_OPENER, 0);
	close(WORKER_FD_OPENER);
}

void session_opened(struct worker *worker, const struct message_session *answer, int pty,
                    int keeper)
{
	if (worker->stage != WORKER_OPENING)
		return;
	opener_close(worker);
	worker->pty = pty;
	worker->keeper = keeper;
	worker->stage = WORKER_SESSION;
	audit_session_start(worker);
	worker->pty_ready = false;
	worker->again = true;
	if (wait_watch(&worker->wait, WAIT_KEEPER, keeper, EPOLLIN) < 0) {
		log_error("cannot watch keeper %u: %s", answer->pid, strerror(errno));
		worker_exit(1);
	}
	terminal_begin(worker);
}

void session_banner(struct worker *worker, const char *banner, size_t length)
{
	if (length > sizeof(worker->banner))
		return;
	memcpy(worker->banner, banner, length);
	worker->banner_start = 0;
	worker->banner_end = (uint16_t)length;
}

void session_failed(struct worker *worker, int error)
{
	char text[128];

	log_error("no session for connection %llu: %s", (unsigned long long)worker->conn_id,
	          strerror(error));
	int n = snprintf(text, sizeof(text), "calmd: no session: %s\r\n", strerror(error));
	if (n > 0 && (size_t)n < sizeof(text) && ring_room(worker) > (size_t)n)
		ring_append(worker, text, (size_t)n);
	session_watch_ending(worker, SESSION_FAILED);
	ring_finish(worker);
}

void session_ended(struct worker *worker)
{
	if (worker->ended)
		return;
	wait_watch(&worker->wait, WAIT_KEEPER, worker->keeper, 0);
	session_watch_ending(worker, worker->eof_sent ? SESSION_CLIENT : SESSION_LOGOUT);
	worker->ended = true;
	worker->pty_hung = false;
	worker->pty_full = false;
	worker->pty_ready = true;
	worker->again = true;
	relay_drop_input(worker);
}

void session_hang_up(struct worker *worker)
{
	if (worker->stage != WORKER_SESSION) {
		ring_finish(worker);
		return;
	}
	if (worker->hung_up || worker->ended)
		return;
	worker->hung_up = true;
	/* The keeper sees the end of its channel, and can still answer. */
	shutdown(worker->keeper, SHUT_WR);
	worker_timer_arm(worker, TIMER_HANGUP, WORKER_HANGUP_MS);
}

void session_pty_hung(struct worker *worker)
{
	uint16_t wait = worker->pty_retry;

	wait = wait == 0                        ? 1
	       : wait < WORKER_PTY_RETRY_MS / 2 ? (uint16_t)(wait * 2)
	                                        : WORKER_PTY_RETRY_MS;
	worker->pty_retry = wait;
	worker->pty_hung = true;
	worker->pty_ready = false;
	worker_timer_arm(worker, TIMER_PTY, wait);
}

/* Types the end-of-file character; true when it was. */
static bool type_end_of_file(struct worker *worker)
{
	struct termios terminal;

	if (tcgetattr(worker->pty, &terminal) < 0)
		return false;
	uint8_t end_of_file = terminal.c_cc[VEOF];
	bool canonical = (terminal.c_lflag & (tcflag_t)ICANON) != 0;
	bool line_open = worker->last_byte != 0 && worker->last_byte != '\n' &&
	                 worker->last_byte != '\r' && worker->last_byte != end_of_file;
	if (end_of_file == _POSIX_VDISABLE)
		return false;
	if (worker->external) {
		cooked_command(worker, VEOF);
		return true;
	}
	relay_type(worker, end_of_file);
	if (canonical && line_open)
		relay_type(worker, end_of_file);
	return true;
}

/* The client has sent FIN and the pty has taken all its input. */
static void end_of_input(struct worker *worker)
{
	if (worker->eof_sent && worker->timers[TIMER_EOF] != 0)
		return;
	if (!worker->eof_sent) {
		worker->eof_sent = true;
		worker->eof_retry = WORKER_EOF_RETRY_MS;
		worker_timer_arm(worker, TIMER_FIN, WORKER_FIN_MS);
	}
	type_end_of_file(worker);
	worker_timer_arm(worker, TIMER_EOF, worker->eof_retry);
	if (worker->eof_retry < WORKER_FIN_MS / 4)
		worker->eof_retry = (uint16_t)(worker->eof_retry * 2);
	worker->again = true;
}

void session_window(struct worker *worker)
{
	const struct negotiation *negotiation = &worker->negotiation;

	if (!negotiation->window_changed || worker->pty < 0)
		return;
	struct winsize size = {.ws_row = negotiation->rows, .ws_col = negotiation->columns};

	worker->negotiation.window_changed = false;
	ioctl(worker->pty, TIOCSWINSZ, &size);
}

static void relaying_turn(struct worker *worker)
{
	session_window(worker);
	terminal_turn(worker);
	if (worker_timer_due(worker, TIMER_PTY)) {
		worker->pty_full = false;
		worker->pty_ready = true;
		worker->again = true;
	}
	if (!worker->pty_hung)
		worker->pty_retry = 0;
	if (worker->pty_full && !worker->pty_hung && worker->timers[TIMER_PTY] == 0)
		worker_timer_arm(worker, TIMER_PTY, WORKER_PTY_FULL_MS);
	/* A timer that is due must be taken off, or there is no sleep any more. */
	worker_timer_due(worker, TIMER_EOF);
	bool all_read = worker->view.rx_fin && worker->rx_tail == worker->view.rx_head;
	if (all_read && worker->pending_line > 0) {
		worker->pending_line = 0;
		worker->again = true;
	}
	if (all_read && !worker->held && !worker->eof_owed && worker->pending_end == 0 &&
	    !worker->pty_hung && !worker->ended)
		end_of_input(worker);
	if (worker_timer_due(worker, TIMER_FIN)) {
		session_watch_ending(worker, SESSION_CLIENT);
		session_hang_up(worker);
	}
	if (worker_timer_due(worker, TIMER_HANGUP)) {
		log_warning("the session of connection %llu does not end",
		            (unsigned long long)worker->conn_id);
		ring_finish(worker);
	}
	if (worker_timer_due(worker, TIMER_DRAIN))
		ring_finish(worker);
}

void session_turn(struct worker *worker)
{
	if (worker->ayt_owed)
		relay_are_you_there(worker);
	if (worker->mark_owed)
		relay_data_mark(worker);
	if (worker->negotiation.logout) {
		worker->negotiation.logout = false;
		session_watch_ending(worker, SESSION_CLIENT);
		session_hang_up(worker);
	}
	if (worker->stage == WORKER_NEGOTIATING && negotiated(worker))
		priv_open_session(worker);
	else if (worker->stage == WORKER_SESSION)
		relaying_turn(worker);
	session_watch_turn(worker);
}
