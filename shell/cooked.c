/*
 * What the kernel's line discipline leaves to us in `external` (terminal.c): CR and
 * LF, signal characters, putting lines together, and for as long as the client does
 * not edit lines, editing and echo (termios(3)). That is the moment between a change of
 * the pty's settings and the client's agreement, and all the time for a client that
 * echoes but has no LINEMODE.
 *
 * A line that has no end yet is the last pending_line bytes of the pending input,
 * which are not flushed: in canonical mode nobody can read them anyway.
 *
 * One line at a time: in this mode the kernel does not keep lines apart, and a program
 * that reads one would get the next ones, too, which may be another program's. So a
 * line is given to the pty when the one before has been read. The pty's other side has
 * to be opened to see that; it is, for a moment, when there is a second line.
 * End-of-file likewise: the kernel takes the character for one when nothing else stands
 * in its buffer.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shell/option.h"
#include "shell/worker.h"

#define DELETE 0x7f

static bool flag(const struct worker *worker, tcflag_t which)
{
	return (worker->terminal.c_lflag & which) != 0;
}

static bool is_character(const struct worker *worker, int place, uint8_t byte)
{
	cc_t character = worker->terminal.c_cc[place];

	return character != _POSIX_VDISABLE && character == byte;
}

static bool ends_line(const struct worker *worker, uint8_t byte)
{
	return byte == '\n' || is_character(worker, VEOL, byte) ||
	       is_character(worker, VEOL2, byte);
}

/* True while the client edits: what comes is the outcome. */
static bool client_edits(const struct worker *worker)
{
	return option_linemode_edits(&worker->negotiation);
}

/* True while the client still counts on our echo. */
static bool echoes_here(const struct worker *worker)
{
	uint8_t state = worker->negotiation.us[NEGOTIATE_ECHO];

	return flag(worker, ECHO) &&
	       (state == OPTION_YES || state == OPTION_WANTNO || state == OPTION_WANTNO_OPPOSITE);
}

static bool is_control(uint8_t byte)
{
	return byte < 0x20 || byte == DELETE;
}

/* Bytes of UTF-8 behind a character's first. */
static bool is_continuation(const struct worker *worker, uint8_t byte)
{
	return (worker->terminal.c_iflag & (tcflag_t)IUTF8) != 0 && (byte & 0xc0) == 0x80;
}

static void echo(struct worker *worker, uint8_t byte)
{
	const char control[] = {'^', (char)(byte ^ 0x40)};

	if (!echoes_here(worker))
		return;
	if (byte == '\n')
		relay_echo(worker, "\r\n", 2);
	else if (is_control(byte) && byte != '\t' && flag(worker, ECHOCTL))
		relay_echo(worker, control, 2);
	else
		relay_echo(worker, &byte, 1);
}

/* Takes the last character of the line back. */
static void erase(struct worker *worker)
{
	uint8_t byte;

	if (worker->pending_line == 0)
		return;
	do {
		byte = relay_pending_take_back(worker);
		worker->pending_line--;
	} while (is_continuation(worker, byte) && worker->pending_line > 0);
	if (!echoes_here(worker))
		return;
	if (is_control(byte) && flag(worker, ECHOCTL))
		relay_echo(worker, "\b \b", 3);
	relay_echo(worker, "\b \b", 3);
}

static void erase_word(struct worker *worker)
{
	bool word = false;

	while (worker->pending_line > 0) {
		uint8_t last = worker->pending_bytes[worker->pending_end - 1];
		bool blank = last == ' ' || last == '\t';
		if (blank && word)
			return;
		word = word || !blank;
		erase(worker);
	}
}

static void erase_line(struct worker *worker)
{
	while (worker->pending_line > 0)
		erase(worker);
}

static void hand_over(struct worker *worker)
{
	worker->pending_line = 0;
}

/* The byte that the session has been given last, or will have been. */
static uint8_t last_byte(const struct worker *worker)
{
	return worker->pending_end > worker->pending_start
	               ? worker->pending_bytes[worker->pending_end - 1]
	               : worker->last_byte;
}

static void end_of_file(struct worker *worker)
{
	uint8_t last = last_byte(worker);
	bool line_open = last != 0 && last != '\n' && !is_character(worker, VEOF, last) &&
	                 !worker->line_pushed;

	hand_over(worker);
	/* Behind a line that is not finished it only hands that over (termios(3), VEOF). */
	worker->line_pushed = line_open;
	worker->eof_owed = !line_open;
}

/*
 * True when the session has read all that the pty was given. poll(2) also waits until the
 * kernel has passed on what was written a moment ago.
 */
static bool all_is_read(const struct worker *worker)
{
	struct pollfd terminal = {.events = POLLIN};

	terminal.fd = ioctl(worker->pty, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (terminal.fd < 0)
		return true;
	bool unread = poll(&terminal, 1, 0) > 0 && (terminal.revents & POLLIN) != 0;
	close(terminal.fd);
	return !unread || (terminal.revents & POLLHUP) != 0;
}

/* True when the last line has been read; if not, TIMER_LINE is on. */
static bool line_is_read(struct worker *worker)
{
	if (!worker->line_given)
		return true;
	if (worker->timers[TIMER_LINE] != 0)
		return false;
	if (all_is_read(worker)) {
		worker->line_given = false;
		worker->line_retry = 0;
		return true;
	}
	worker->line_retry = worker->line_retry == 0 ? WORKER_LINE_MIN_MS
	                     : worker->line_retry < WORKER_LINE_MAX_MS
	                             ? (uint16_t)(2 * worker->line_retry)
	                             : WORKER_LINE_MAX_MS;
	worker_timer_arm(worker, TIMER_LINE, worker->line_retry);
	return false;
}

size_t cooked_line(struct worker *worker, const uint8_t *bytes, size_t length)
{
	size_t line = 0;

	if (!flag(worker, ICANON))
		return length;
	if (!line_is_read(worker))
		return 0;
	while (line < length && !ends_line(worker, bytes[line]))
		line++;
	worker->line_given = true;
	return line < length ? line + 1 : length;
}

bool cooked_end_of_file(struct worker *worker)
{
	uint8_t byte = worker->terminal.c_cc[VEOF];

	relay_pending_flush(worker);
	if (worker->pending_end > 0 || !line_is_read(worker))
		return true;
	worker->eof_owed = false;
	relay_pending_append(worker, &byte, 1);
	relay_pending_flush(worker);
	return false;
}

/* CR and LF as ICRNL and its like have it; false when nothing is left. */
static bool map_line_end(const struct worker *worker, uint8_t *byte)
{
	tcflag_t input = worker->terminal.c_iflag;

	if (*byte == '\r') {
		if ((input & (tcflag_t)IGNCR) != 0)
			return false;
		if ((input & (tcflag_t)ICRNL) != 0)
			*byte = '\n';
	} else if (*byte == '\n' && (input & (tcflag_t)INLCR) != 0) {
		*byte = '\r';
	}
	return true;
}

/* True when BYTE was a signal's character. */
static bool take_signal(struct worker *worker, uint8_t byte)
{
	static const struct {
		int place, signal;
	} signals[] = {{VINTR, SIGINT}, {VQUIT, SIGQUIT}, {VSUSP, SIGTSTP}};

	if (!flag(worker, ISIG))
		return false;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (!is_character(worker, signals[i].place, byte))
			continue;
		relay_signal(worker, signals[i].signal);
		echo(worker, byte);
		return true;
	}
	return false;
}

/* True when BYTE edits the line. */
static bool take_edit(struct worker *worker, uint8_t byte)
{
	if (is_character(worker, VERASE, byte))
		erase(worker);
	else if (is_character(worker, VWERASE, byte) && flag(worker, IEXTEN))
		erase_word(worker);
	else if (is_character(worker, VKILL, byte))
		erase_line(worker);
	else if (is_character(worker, VEOF, byte))
		end_of_file(worker);
	else
		return false;
	return true;
}

static void take_byte(struct worker *worker, uint8_t byte)
{
	bool flow = (worker->terminal.c_iflag & (tcflag_t)IXON) != 0;
	bool lines = flag(worker, ICANON);

	if (!map_line_end(worker, &byte))
		return;
	/* From a client that sees to it itself, these are bytes that are meant literally. */
	if (!option_linemode_traps(&worker->negotiation) && take_signal(worker, byte))
		return;
	/* Too late to stop what is under way: a client that can, does so itself (RFC 1372). */
	if (flow && (is_character(worker, VSTART, byte) || is_character(worker, VSTOP, byte)))
		return;
	if (lines && !client_edits(worker) && take_edit(worker, byte))
		return;
	relay_pending_append(worker, &byte, 1);
	worker->line_pushed = false;
	if (lines)
		worker->pending_line++;
	echo(worker, byte);
	if (lines && ends_line(worker, byte))
		hand_over(worker);
}

void cooked_command(struct worker *worker, int place)
{
	uint8_t byte = worker->terminal.c_cc[place];

	if (!flag(worker, ICANON)) {
		if (byte != _POSIX_VDISABLE && relay_pending_room(worker) > 0)
			relay_pending_append(worker, &byte, 1);
	} else if (place == VERASE) {
		erase(worker);
	} else if (place == VKILL) {
		erase_line(worker);
	} else if (place == VEOF && byte != _POSIX_VDISABLE) {
		end_of_file(worker);
	}
}

size_t cooked_take(struct worker *worker, const uint8_t *bytes, size_t length)
{
	size_t taken = 0;

	while (taken < length && !worker->eof_owed) {
		if (relay_pending_room(worker) == 0)
			relay_pending_flush(worker);
		if (relay_pending_room(worker) == 0)
			break;
		take_byte(worker, bytes[taken++]);
	}
	return taken;
}

/* What was typed ahead, before there was anything to be done with it here. */
static void adopt(struct worker *worker)
{
	uint8_t typed[WORKER_PENDING_SIZE];
	size_t length = (size_t)(worker->pending_end - worker->pending_start);

	memcpy(typed, worker->pending_bytes + worker->pending_start, length);
	worker->pending_start = worker->pending_end = 0;
	size_t taken = cooked_take(worker, typed, length);
	relay_pending_append(worker, typed + taken, length - taken);
}

void cooked_settings(struct worker *worker, bool was_external)
{
	if (worker->external && !was_external)
		adopt(worker);
	if (!worker->external || !flag(worker, ICANON))
		hand_over(worker);
	if (!worker->external || !flag(worker, ICANON)) {
		worker->line_given = false;
		worker_timer_stop(worker, TIMER_LINE);
	}
	if (worker->pending_end > worker->pending_start)
		worker->again = true;
}
