/*
 * The pty's settings and what follows from them: which side echoes and edits, the
 * special characters, flow control; and the other way round what the client has
 * settled for the pty.
 *
 * Usually there is nothing to follow. The client sends each character, the kernel's
 * line discipline echoes or does not, and edits or does not.
 *
 * A client in LINEMODE (RFC 1184), or one that has refused our echo, does part of
 * that by itself, and must be told when a program changes the settings: no echo for
 * a password, no editing for a full screen. The kernel tells of changes while the
 * flag EXTPROC is set (`external`), and then leaves out all that its line discipline
 * does with input; what of that the client does not do, cooked.c does.
 *
 * That the client is no longer to edit or echo it is told at once. That it is to,
 * only when the pty has wanted it for a moment: a shell changes the settings for
 * each command, however short. Meanwhile cooked.c does both.
 *
 * The client's characters (SLC) become the pty's; a change of the pty's afterwards
 * is told to the client.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "shell/option.h"
#include "shell/worker.h"

/* True when the client does what otherwise the pty would. */
static bool wants_external(const struct negotiation *negotiation)
{
	return negotiate_they_do(negotiation, NEGOTIATE_LINEMODE) || negotiation->local_echo;
}

/* True when somebody is to be told of, or has something to say about, the settings. */
static bool concerned(const struct worker *worker)
{
	const struct negotiation *negotiation = &worker->negotiation;

	return worker->external || wants_external(negotiation) ||
	       negotiate_they_do(negotiation, NEGOTIATE_LFLOW) ||
	       (negotiation->utf8 && !worker->utf8_set);
}

void terminal_begin(struct worker *worker)
{
	int on = 1;

	ioctl(worker->pty, TIOCPKT, &on);
	terminal_follow(worker); /* before anything is typed */
}

void terminal_again(struct worker *worker)
{
	worker->terminal_stale = true;
	worker->utf8_set = false;
	worker->negotiation.linemode.slc.changed =
		negotiate_they_do(&worker->negotiation, NEGOTIATE_LINEMODE);
}

/* Makes the pty's settings what the client has settled. */
static void apply(struct worker *worker)
{
	struct negotiation *negotiation = &worker->negotiation;
	struct termios *terminal = &worker->terminal;
	tcflag_t before = terminal->c_lflag;
	bool changed = false;

	if (wants_external(negotiation))
		terminal->c_lflag |= (tcflag_t)EXTPROC;
	else
		terminal->c_lflag &= ~(tcflag_t)EXTPROC;
	changed = terminal->c_lflag != before;
	if (negotiation->linemode.slc.changed)
		changed = option_slc_apply(negotiation, terminal) || changed;
	if (negotiation->utf8 && !worker->utf8_set) {
		changed = changed || (terminal->c_iflag & (tcflag_t)IUTF8) == 0;
		terminal->c_iflag |= (tcflag_t)IUTF8;
		worker->utf8_set = true;
	}
	if (changed && tcsetattr(worker->pty, TCSANOW, terminal) < 0)
		return;
	worker->external = wants_external(negotiation);
}

/* What we have asked for: that we echo. */
static bool we_echo(const struct negotiation *negotiation)
{
	uint8_t state = negotiation->us[NEGOTIATE_ECHO];

	return state == OPTION_YES || state == OPTION_WANTYES || state == OPTION_WANTNO_OPPOSITE;
}

/*
 * Who edits and who echoes. Without `external` we do: the kernel. The client is told
 * what is no longer its part at once, what is to be when LOCAL_NOW.
 */
static void divide(struct worker *worker, struct telnet_reply *reply)
{
	struct negotiation *negotiation = &worker->negotiation;
	const struct linemode *linemode = &negotiation->linemode;
	bool lines = negotiate_they_do(negotiation, NEGOTIATE_LINEMODE);
	bool edits = lines && linemode->sent && (linemode->mode & LINEMODE_EDIT) != 0;
	bool echo = worker->external && (worker->terminal.c_lflag & (tcflag_t)ECHO) != 0;
	uint8_t mode = option_linemode_of(&worker->terminal);
	bool more =
		(lines && (mode & LINEMODE_EDIT) != 0 && !edits) || (echo && we_echo(negotiation));

	if (!more) {
		worker_timer_stop(worker, TIMER_LOCAL);
	} else if (!worker->local_now) {
		if (worker->timers[TIMER_LOCAL] == 0)
			worker_timer_arm(worker, TIMER_LOCAL, WORKER_LOCAL_MS);
		echo = echo && !we_echo(negotiation);
		if (!edits)
			mode &= (uint8_t)~LINEMODE_EDIT;
	}
	worker->local_now = false;
	/* A refusal holds until there is something else to ask (RFC 854): else there is no end of it. */
	if (echo)
		negotiation->echo_refused = false;
	if (we_echo(negotiation) == echo && !negotiation->echo_refused)
		negotiate_want(negotiation, NEGOTIATE_ECHO, !echo, reply);
	if (lines)
		option_linemode_tell(negotiation, mode, reply);
}

/* A terminal that is stopped by something else than XOFF and XON is not the client's to stop. */
static void tell_flow(struct worker *worker, struct telnet_reply *reply)
{
	const struct termios *terminal = &worker->terminal;
	bool usual = terminal->c_cc[VSTOP] == 0x13 && terminal->c_cc[VSTART] == 0x11;

	option_lflow_tell(&worker->negotiation, usual && (terminal->c_iflag & (tcflag_t)IXON) != 0,
	                  (terminal->c_iflag & (tcflag_t)IXANY) != 0, reply);
}

void terminal_follow(struct worker *worker)
{
	struct negotiation *negotiation = &worker->negotiation;
	struct telnet_reply reply = {.length = 0};
	bool was_external = worker->external;

	worker->terminal_stale = true;
	if (worker->pty < 0 || worker->pty_hung || worker->ended)
		return;
	if (ring_room(worker) <= TELNET_REPLY_MAX) {
		worker->need_space = true;
		return;
	}
	worker->terminal_stale = negotiation->changed = false;
	if (!concerned(worker) || tcgetattr(worker->pty, &worker->terminal) < 0)
		return;
	apply(worker);
	divide(worker, &reply);
	if (negotiate_they_do(negotiation, NEGOTIATE_LINEMODE)) {
		const cc_t *characters = worker->terminal.c_cc;
		option_slc_tell(negotiation, &worker->terminal, &reply);
		option_linemode_forward(negotiation, characters[VEOL], characters[VEOL2], &reply);
	}
	tell_flow(worker, &reply);
	ring_append(worker, reply.bytes, reply.length);
	cooked_settings(worker, was_external);
}

void terminal_status(struct worker *worker, uint8_t status)
{
	if ((status & TIOCPKT_FLUSHWRITE) != 0)
		relay_synch(worker);
	if ((status & (TIOCPKT_IOCTL | TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)) != 0)
		terminal_follow(worker);
}

void terminal_turn(struct worker *worker)
{
	if (worker_timer_due(worker, TIMER_LOCAL))
		worker->local_now = worker->terminal_stale = true;
	if (worker_timer_due(worker, TIMER_LINE))
		worker->again = true;
	if (worker->terminal_stale && !worker->pty_hung)
		terminal_follow(worker);
}
