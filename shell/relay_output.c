/*
 * Session to network: reads the pty straight into the free part of the send ring
 * and escapes it there before it is published (published bytes are never
 * rewritten). Each read leaves room for all its bytes to need escaping and for
 * the reserve.
 */
#include <errno.h>
#include <unistd.h>

#include "shell/worker.h"

#define READ_MAX 16384u
#define TURN_MAX (32u << 10) /* then it is published, and input has its turn */
#define MORE_MIN 1024u       /* a read that gave less has most likely emptied the pty */

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

/* Reads once, at most LENGTH bytes; returns the bytes read, 0 when there is nothing. */
static size_t pty_read(struct worker *worker, size_t length)
{
	uint8_t *to = ring_tx_at(&worker->ring, worker->tx_head);
	ssize_t n = read(worker->pty, to, length);

	if (n <= 0) {
		pty_empty(worker, n);
		return 0;
	}
	worker->pty_hung = false;
	worker->tx_head += telnet_output_expand(&worker->output, to, (size_t)n);
	return (size_t)n;
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

void relay_output(struct worker *worker)
{
	size_t total = 0;

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
		size_t n = pty_read(worker, length);
		total += n;
		/* At the end every byte counts: there it is read until it says EIO. */
		if (n > 0 && n < MORE_MIN && n < length && !worker->ended)
			worker->pty_ready = false;
	}
	if (total > 0)
		note_progress(worker, total);
}

void relay_drop_output(struct worker *worker)
{
	uint8_t bytes[1024];

	/* Bounded: more than the pty's buffers hold is new output. */
	for (size_t total = 0; total < WORKER_DRAIN_MAX;) {
		ssize_t n = read(worker->pty, bytes, sizeof(bytes));
		if (n <= 0)
			return;
		total += (size_t)n;
	}
}
