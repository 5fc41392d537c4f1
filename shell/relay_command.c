/*
 * Telnet commands (RFC 854, and EOF, SUSP and ABORT of RFC 1184) done to the
 * session: most of them are a control character of its terminal, typed for the
 * client. A terminal that has the character switched off ignores the command.
 *
 * BRK is the interrupt character like IP: that is what a break is on a terminal
 * line with BRKINT. Without a session all but AYT are ignored.
 */
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "shell/telnet.h"
#include "shell/worker.h"

#define NO_CHARACTER -1

/* The place in c_cc of the character that stands for CODE. */
static int character_of(uint8_t code)
{
	switch (code) {
	case TELNET_IP:
	case TELNET_BRK:
		return VINTR;
	case TELNET_ABORT:
		return VQUIT;
	case TELNET_SUSP:
		return VSUSP;
	case TELNET_EOF:
		return VEOF;
	case TELNET_EC:
		return VERASE;
	case TELNET_EL:
		return VKILL;
	default:
		return NO_CHARACTER;
	}
}

static int signal_of(int character)
{
	switch (character) {
	case VINTR:
		return SIGINT;
	case VQUIT:
		return SIGQUIT;
	case VSUSP:
		return SIGTSTP;
	default:
		return 0;
	}
}

/*
 * Sends the signal itself where its character would be stuck behind input that
 * nobody reads: in Synch, which has just thrown away what the network held, and
 * when the pty is full. Returns true when the character need not be typed; behind
 * a full pty it is, too: once there is room it makes the terminal throw away the
 * rest of its input, which cannot be done from this side.
 */
static bool signal_session(struct worker *worker, const struct termios *terminal, int signal)
{
	bool full = worker->pty_full;

	if (signal == 0 || !(worker->synch || full) || (terminal->c_lflag & (tcflag_t)ISIG) == 0)
		return false;
	ioctl(worker->pty, TCFLSH, TCOFLUSH); /* what has not reached the line discipline */
	worker->pty_full = false;
	relay_drop_input(worker);
	return ioctl(worker->pty, TIOCSIG, signal) == 0 && !full;
}

void relay_signal(struct worker *worker, int signal)
{
	if ((worker->terminal.c_lflag & (tcflag_t)NOFLSH) == 0) {
		ioctl(worker->pty, TCFLSH, TCOFLUSH);
		worker->pty_full = false;
		relay_drop_input(worker);
		relay_drop_output(worker);
		relay_synch(worker);
	}
	ioctl(worker->pty, TIOCSIG, signal);
}

static void type_character(struct worker *worker, int character)
{
	struct termios terminal;

	if (worker->pty < 0 || worker->ended || tcgetattr(worker->pty, &terminal) < 0)
		return;
	worker->typed = true;
	if (worker->external) {
		if (signal_of(character) != 0 && (terminal.c_lflag & (tcflag_t)ISIG) != 0)
			relay_signal(worker, signal_of(character));
		else
			cooked_command(worker, character);
		return;
	}
	if (signal_session(worker, &terminal, signal_of(character)))
		return;
	if (terminal.c_cc[character] != _POSIX_VDISABLE)
		relay_type(worker, terminal.c_cc[character]);
}

/*
 * Synch (RFC 854): IAC DM as urgent data, whose urgent octet is DM. The pointer names
 * the octet behind it, as BSD's and Linux's sockets have it. RFC 1122 (4.2.2.4) has it
 * name the urgent octet itself. A client that reads that octet out of line would then
 * miss what stands behind DM: so a NUL stands there, which is nothing in itself, and
 * nothing as a command where it is DM that is missing.
 */
static const uint8_t data_mark[] = {TELNET_IAC, TELNET_DM, 0};

void relay_data_mark(struct worker *worker)
{
	if (ring_room(worker) < sizeof(data_mark) + 1) {
		worker->need_space = true;
		return;
	}
	if (telnet_output_settle(&worker->output) != 0)
		ring_append(worker, "", 1);
	ring_append(worker, data_mark, sizeof(data_mark));
	worker->tx_urgent = worker->tx_head - 1;
	worker->mark_owed = false;
}

/*
 * What the pty gave last may have been written already after the output was thrown away:
 * the mark goes before it.
 */
void relay_synch(struct worker *worker)
{
	uint64_t at =
		worker->tx_read > worker->tx_published ? worker->tx_read : worker->tx_published;
	size_t behind = (size_t)(worker->tx_head - at);

	/* Nothing is under way when all has arrived; and one mark there is enough. */
	if (worker->view.tx_tail == at || worker->tx_urgent > at)
		return;
	if (ring_room(worker) < sizeof(data_mark)) {
		worker->mark_owed = true;
		return;
	}
	uint8_t *place = ring_tx_at(&worker->ring, at);
	memmove(place + sizeof(data_mark), place, behind);
	memcpy(place, data_mark, sizeof(data_mark));
	worker->tx_head += sizeof(data_mark);
	worker->tx_urgent = at + sizeof(data_mark) - 1;
}

/* AO: what the pty holds is thrown away, and the client told to do the same. */
static void abort_output(struct worker *worker)
{
	if (worker->pty < 0)
		return;
	relay_drop_output(worker);
	worker->mark_owed = true;
	relay_data_mark(worker);
}

/* However many AYT come, one answer is under way and at most one owed. */
void relay_are_you_there(struct worker *worker)
{
	static const char text[] = "\r\n[calmd: yes]\r\n";

	if (!worker->ayt_owed)
		return;
	if (worker->view.tx_tail < worker->ayt_end || ring_room(worker) < sizeof(text)) {
		worker->need_space = true;
		return;
	}
	if (telnet_output_settle(&worker->output) != 0)
		ring_append(worker, "", 1);
	ring_append(worker, text, sizeof(text) - 1);
	worker->ayt_end = worker->tx_head;
	worker->ayt_owed = false;
}

void relay_command(struct worker *worker, uint8_t code)
{
	int character = character_of(code);

	if (character != NO_CHARACTER) {
		type_character(worker, character);
	} else if (code == TELNET_AO) {
		abort_output(worker);
	} else if (code == TELNET_AYT) {
		worker->ayt_owed = true;
		relay_are_you_there(worker);
	}
}
