/*
 * Network to session: parses the receive ring and hands data to the pty.
 *
 * Long runs go to the pty straight from the ring; short ones are put together in
 * the pending buffer first, so that a line that comes as CR LF is one write, not
 * two. Before there is a session the pending buffer takes the first type-ahead,
 * so that option answers behind it are seen; the rest stays in the ring.
 *
 * Synch (RFC 854): once the master's page shows urgent data ahead, data is thrown
 * away, commands are obeyed, until a DM at or behind the urgent mark. That works
 * when the pty is full, too: what waits for it is thrown away first.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shell/signature.h"
#include "shell/telnet.h"
#include "shell/worker.h"

#define DIRECT_MIN 256u        /* a run this long is written from the ring */
#define SPAN_MAX   16384u      /* and at most this much of it at once */
#define TURN_MAX   (64u << 10) /* then the output has its turn */

/* Writes to the pty; returns the bytes that it took. */
static size_t pty_write(struct worker *worker, const uint8_t *bytes, size_t length)
{
	ssize_t n = write(worker->pty, bytes, length);

	if (n < 0 && errno != EAGAIN)
		session_pty_hung(worker);
	if (n < (ssize_t)length)
		worker->pty_full = true;
	if (n <= 0)
		return 0;
	worker->last_byte = bytes[n - 1];
	return (size_t)n;
}

size_t relay_pending_room(const struct worker *worker)
{
	return WORKER_PENDING_SIZE - worker->pending_end;
}

void relay_pending_flush(struct worker *worker)
{
	size_t length =
		(size_t)(worker->pending_end - worker->pending_line - worker->pending_start);

	if (length == 0 || worker->pty < 0 || worker->pty_full)
		return;
	if (worker->external) {
		size_t line =
			cooked_line(worker, worker->pending_bytes + worker->pending_start, length);
		if (line == 0)
			return;
		worker->again = worker->again || line < length;
		length = line;
	}
	size_t n = pty_write(worker, worker->pending_bytes + worker->pending_start, length);
	worker->pending_start = (uint16_t)(worker->pending_start + n);
	if (worker->pending_start == worker->pending_end)
		worker->pending_start = worker->pending_end = 0;
}

void relay_pending_append(struct worker *worker, const void *bytes, size_t length)
{
	memcpy(worker->pending_bytes + worker->pending_end, bytes, length);
	worker->pending_end = (uint16_t)(worker->pending_end + length);
}

uint8_t relay_pending_take_back(struct worker *worker)
{
	uint8_t byte = worker->pending_bytes[--worker->pending_end];

	if (worker->pending_start == worker->pending_end)
		worker->pending_start = worker->pending_end = 0;
	return byte;
}

void relay_type(struct worker *worker, uint8_t byte)
{
	worker->typed = true;
	if (worker->pty >= 0 && relay_pending_room(worker) > 0)
		relay_pending_append(worker, &byte, 1);
}

void relay_drop_input(struct worker *worker)
{
	worker->pending_start = worker->pending_end = worker->pending_line = 0;
	worker->eof_owed = worker->line_given = false;
}

/* Passes a run of data on. What cannot be taken goes back to the ring. */
static void take_data(struct worker *worker, const struct telnet_event *event)
{
	size_t taken;

	worker->typed = true;
	if (worker->synch || worker->ended)
		return;
	if (worker->external) {
		taken = cooked_take(worker, event->data, event->length);
	} else if (event->length >= DIRECT_MIN && worker->pty >= 0) {
		relay_pending_flush(worker);
		taken = worker->pending_end == 0 && !worker->pty_full
		                ? pty_write(worker, event->data, event->length)
		                : 0;
	} else {
		if (relay_pending_room(worker) < event->length)
			relay_pending_flush(worker);
		size_t room = relay_pending_room(worker);
		taken = event->length < room ? event->length : room;
		relay_pending_append(worker, event->data, taken);
	}
	if (taken < event->length) {
		worker->rx_tail -= event->length - taken;
		telnet_parse_back(&worker->parser, event->length - taken);
	}
}

/* Answers the negotiation that is held; there is room for the answer. */
static void answer(struct worker *worker)
{
	struct negotiation *negotiation = &worker->negotiation;
	struct telnet_reply reply;
	bool binary = negotiate_we_do(negotiation, NEGOTIATE_BINARY);

	if (worker->held_verb == TELNET_SB) {
		negotiate_subnegotiation(negotiation, worker->held_option, worker->parser.body,
		                         worker->held_length, &reply);
		/* what was typed before it has the old size, what comes behind it the new one */
		relay_pending_flush(worker);
		session_window(worker);
	} else {
		negotiate_receive(negotiation, worker->held_verb, worker->held_option, &reply);
	}
	worker->parser.binary = negotiate_they_do(negotiation, NEGOTIATE_BINARY);
	if (negotiate_we_do(negotiation, NEGOTIATE_BINARY) != binary) {
		if (telnet_output_settle(&worker->output) != 0)
			ring_append(worker, "", 1);
		telnet_output_binary(&worker->output, !binary);
	}
	ring_append(worker, reply.bytes, reply.length);
	if (negotiation->changed)
		terminal_follow(worker);
}

static bool can_answer(struct worker *worker)
{
	if (ring_room(worker) > TELNET_REPLY_MAX + 1)
		return true;
	worker->need_space = true;
	return false;
}

static void take_command(struct worker *worker, uint8_t code)
{
	worker->negotiation.heard = true;
	if (code == TELNET_DM && worker->rx_tail >= worker->view.rx_urgent)
		worker->synch = false;
	else
		relay_command(worker, code);
}

static void take_event(struct worker *worker, const struct telnet_event *event)
{
	switch (event->type) {
	case TELNET_EVENT_NONE:
		break;
	case TELNET_EVENT_DATA:
		take_data(worker, event);
		break;
	case TELNET_EVENT_COMMAND:
		take_command(worker, event->code);
		break;
	case TELNET_EVENT_NEGOTIATION:
		worker->held = true;
		worker->held_verb = event->code;
		worker->held_option = event->option;
		break;
	case TELNET_EVENT_SUBNEGOTIATION:
		report_signature(worker, signature_of(event->option, event->data, event->length));
		worker->held = true;
		worker->held_verb = TELNET_SB;
		worker->held_option = event->option;
		worker->held_length = (uint16_t)event->length;
		break;
	}
}

/* True when another event can be taken: the pty keeps up and no answer waits. */
static bool can_take(struct worker *worker)
{
	if (worker->held) {
		if (!can_answer(worker))
			return false;
		worker->held = false;
		answer(worker);
	}
	if (worker->synch || worker->ended)
		return true;
	if (worker->eof_owed && cooked_end_of_file(worker))
		return false;
	if (worker->pty_full && worker->pty >= 0)
		return false;
	if (relay_pending_room(worker) == 0)
		relay_pending_flush(worker);
	if (relay_pending_room(worker) == 0 && worker->pending_line > 0) {
		worker->pending_line = 0; /* a line that is too long is edited no more */
		relay_pending_flush(worker);
	}
	return relay_pending_room(worker) > 0;
}

void relay_input(struct worker *worker)
{
	uint64_t limit = worker->rx_tail + TURN_MAX;

	if (worker->view.rx_urgent > worker->rx_tail && !worker->synch) {
		worker->synch = true;
		relay_drop_input(worker);
	}
	while (can_take(worker) && worker->rx_tail < worker->view.rx_head) {
		struct telnet_event event;
		uint64_t ready = worker->view.rx_head - worker->rx_tail;
		size_t span = ready < SPAN_MAX ? (size_t)ready : SPAN_MAX;

		if (worker->rx_tail >= limit) {
			worker->again = true;
			break;
		}
		worker->rx_tail += telnet_parse(
			&worker->parser, ring_rx_at(&worker->ring, worker->rx_tail), span, &event);
		if (worker->parser.spoilt && worker->parser.length == TELNET_BODY_MAX)
			report_signature(worker, SIGNATURE_ENDLESS);
		take_event(worker, &event);
	}
	relay_pending_flush(worker);
}
