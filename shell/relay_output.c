/*
 * Session to network: reads the pty straight into the free part of the send ring
 * and escapes it there before it is published (published bytes are never
 * rewritten). Each read leaves room for all its bytes to need escaping and for
 * the reserve.
 *
 * The pty is in packet mode (ioctl_tty(2), TIOCPKT): each read has a byte in front
 * that is 0 before output, or, alone, tells what has happened to the terminal. It
 * comes before any output that was written afterwards. So a client knows that it
 * must not echo before it sees the prompt for a password. Only a read that is going on
 * meanwhile can give such output first: while much is under way, which is when that
 * matters (relay_synch), the pty is read until it has nothing, before what it gave is
 * published.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shell/telnet.h"
#include "shell/worker.h"

#define READ_MAX    16384u
#define TURN_MAX    (32u << 10) /* then it is published, and input has its turn */
#define BACKLOG_MIN 4096u       /* so much that is not acknowledged is much */
#define MORE_MIN    1024u       /* a read that gave less has most likely emptied the pty */

/* A read gave nothing: what does it mean? */
static void pty_empty(struct worker *worker, ssize_t n)
{
	worker->pty_ready = false;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		if (worker->ended)
			ring_finish(worker);
		else
			session_pty_hung(worker);
		return;
	}
	worker->pty_hung = false;
	if (worker->ended && worker->timers[TIMER_DRAIN] == 0)
		worker_timer_arm(worker, TIMER_DRAIN, WORKER_DRAIN_MS);
}

/* Output has come, so some process has the pty open. */
static void pty_alive(struct worker *worker)
{
	if (worker->pty_hung)
		terminal_again(worker);
	worker->pty_hung = false;
}

/* Reads once, at most LENGTH bytes of output; true when anything came, *GOT gets how much output. */
static bool pty_read(struct worker *worker, size_t length, size_t *got)
{
	uint8_t status = 0;
	uint8_t *to = ring_tx_at(&worker->ring, worker->tx_head);
	const struct iovec parts[] = {{&status, sizeof(status)}, {to, length}};
	ssize_t n = readv(worker->pty, parts, 2);

	*got = 0;
	if (n <= 0) {
		pty_empty(worker, n);
		return false;
	}
	pty_alive(worker);
	if (n == 1) {
		terminal_status(worker, status);
		return true;
	}
	*got = (size_t)n - 1;
	worker->tx_read = worker->tx_head;
	worker->tx_head += telnet_output_expand(&worker->output, to, *got);
	return true;
}

/* There is no room for output, but the pty has something to tell. */
static void read_status(struct worker *worker)
{
	uint8_t status;

	worker->pty_status = false;
	if (read(worker->pty, &status, 1) == 1)
		terminal_status(worker, status);
}

/*
 * The pty has nothing more for now. END OF RECORD (RFC 885) and, for a client that does
 * not want it suppressed, GO AHEAD (RFC 854) say so.
 */
static void end_burst(struct worker *worker)
{
	static const uint8_t record[] = {TELNET_IAC, TELNET_EOR}, ahead[] = {TELNET_IAC, TELNET_GA};

	if (ring_room(worker) < sizeof(record) + sizeof(ahead))
		return;
	if (negotiate_we_do(&worker->negotiation, NEGOTIATE_EOR))
		ring_append(worker, record, sizeof(record));
	if (worker->negotiation.us[NEGOTIATE_SGA] == OPTION_NO)
		ring_append(worker, ahead, sizeof(ahead));
}

/* What reading something means for a connection on its way to the end. */
static void note_progress(struct worker *worker, size_t bytes)
{
	if (worker->eof_sent)
		worker_timer_arm(worker, TIMER_FIN, WORKER_FIN_MS);
	if (!worker->ended)
		return;
	worker->drained += (uint32_t)bytes;
	if (worker->drained >= WORKER_DRAIN_MAX)
		ring_finish(worker);
}

/* Moves the banner to the send ring; false: there is no room for all of it yet. */
static bool put_banner(struct worker *worker)
{
	while (worker->banner_start < worker->banner_end) {
		size_t length = (size_t)(worker->banner_end - worker->banner_start);
		uint32_t room = ring_output_room(worker);
		if (room < WORKER_ROOM_MIN) {
			worker->need_space = true;
			return false;
		}
		if (length > (room - WORKER_RESERVE - 1) / 2)
			length = (room - WORKER_RESERVE - 1) / 2;
		uint8_t *to = ring_tx_at(&worker->ring, worker->tx_head);
		memcpy(to, worker->banner + worker->banner_start, length);
		worker->tx_head += telnet_output_expand(&worker->output, to, length);
		worker->banner_start = (uint16_t)(worker->banner_start + length);
	}
	return true;
}

void relay_output(struct worker *worker)
{
	size_t total = 0, n;

	if (worker->pty_status)
		read_status(worker);
	/* A change that there was no room to tell of comes before the output behind it. */
	if (worker->terminal_stale)
		terminal_follow(worker);
	if (!put_banner(worker))
		return;
	while (worker->pty_ready && worker->stage == WORKER_SESSION) {
		uint32_t room = ring_output_room(worker);
		if (room < WORKER_ROOM_MIN) {
			worker->need_space = true;
			break;
		}
		if (total >= TURN_MAX) {
			worker->again = true;
			break;
		}
		size_t length = (room - WORKER_RESERVE - 1) / 2;
		if (length > READ_MAX)
			length = READ_MAX;
		if (!pty_read(worker, length, &n))
			break;
		total += n;
		/* At the end every byte counts: there it is read until it says EIO. */
		if (n > 0 && n < MORE_MIN && n < length && !worker->ended &&
		    worker->tx_head - worker->view.tx_tail < BACKLOG_MIN)
			worker->pty_ready = false;
	}
	if (total > 0 && !worker->pty_ready && worker->stage == WORKER_SESSION)
		end_burst(worker);
	if (total > 0)
		note_progress(worker, total);
}

void relay_echo(struct worker *worker, const void *text, size_t length)
{
	uint8_t bytes[32];

	if (length > sizeof(bytes) / 2 || ring_room(worker) < sizeof(bytes) + TELNET_REPLY_MAX)
		return;
	memcpy(bytes, text, length);
	length = telnet_output_expand(&worker->output, bytes, length);
	ring_append(worker, bytes, length);
}

void relay_drop_output(struct worker *worker)
{
	uint8_t bytes[1024];

	/* Bounded: more than the pty's buffers hold is new output. */
	for (size_t total = 0; total < WORKER_DRAIN_MAX;) {
		ssize_t n = read(worker->pty, bytes, sizeof(bytes));
		if (n <= 0)
			return;
		/* That output is gone is known here. */
		if (n == 1)
			terminal_status(worker, bytes[0] & (uint8_t)~TIOCPKT_FLUSHWRITE);
		total += (size_t)n;
	}
}
