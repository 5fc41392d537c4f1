/*
 * What runs in a session that moves data: sends one stream to its terminal, which must be raw,
 * and checks another one that comes from there, until that has ended. Then it ends its own, and says
 * in its last block what it has received.
 *
 *   crash-far SEED RATE     RATE: bytes a second; what could not be sent in time is sent later
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/near.h"
#include "tests/crash/pattern.h"

#define TICK_MS 10
/* More than that it does not owe: the time in which nobody reads is not made up for. */
#define OWED_MAX (256u * 1024)

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct far {
	uint64_t seed, rate;
	struct pattern_check in;
	uint64_t out;   /* bytes written */
	uint64_t owed;  /* bytes that may be written now */
	uint64_t since; /* when they were counted */
	uint8_t last[BLOCK_BYTES];
	uint64_t end; /* where the stream ends; UINT64_MAX: not known yet */
};

static void finish(struct far *far)
{
	char text[PATTERN_WHY + 64];

	snprintf(text, sizeof(text), "%s %" PRIu64 " %s", far->in.wrong ? "WRONG" : "whole",
	         far->in.offset, far->in.wrong ? far->in.why : "");
	pattern_end(far->last, text);
	far->end = (far->out + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES + BLOCK_BYTES;
}

static void receive(struct far *far)
{
	uint8_t bytes[16384];
	ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		exit(1);
	if (got > 0 && far->end == UINT64_MAX)
		pattern_take(&far->in, bytes, (size_t)got);
	if ((far->in.ended || far->in.wrong) && far->end == UINT64_MAX)
		finish(far);
}

/* False when nothing more is to be sent, ever. */
static bool transmit(struct far *far)
{
	uint8_t bytes[16384];
	size_t length = far->owed < sizeof(bytes) ? (size_t)far->owed : sizeof(bytes);
	uint64_t last = far->end - BLOCK_BYTES;
	ssize_t sent;

	if (far->end != UINT64_MAX && length > far->end - far->out)
		length = (size_t)(far->end - far->out);
	if (far->end != UINT64_MAX && far->out < last && length > last - far->out)
		length = (size_t)(last - far->out);
	if (far->end != UINT64_MAX && far->out >= last)
		memcpy(bytes, far->last + (far->out - last), length);
	else
		pattern_fill(far->seed + 1, far->out, bytes, length);
	sent = write(STDOUT_FILENO, bytes, length);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		exit(1);
	if (sent > 0) {
		far->out += (uint64_t)sent;
		far->owed -= (uint64_t)sent;
	}
	return far->out < far->end;
}

int main(int argc, char **argv)
{
	static struct far far = {.end = UINT64_MAX};
	struct pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};

	if (argc != 3)
		return 2;
	far.seed = far.in.seed = strtoull(argv[1], NULL, 10);
	far.rate = strtoull(argv[2], NULL, 10);
	if (write(STDOUT_FILENO, NEAR_GO, strlen(NEAR_GO)) != (ssize_t)strlen(NEAR_GO))
		return 1;
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
	for (far.since = now_us();;) {
		uint64_t now = now_us(), more = (now - far.since) * far.rate / 1000000;

		if (more > 0) {
			far.since = now;
			far.owed = far.owed + more < OWED_MAX ? far.owed + more : OWED_MAX;
		}
		fds[1].events = far.owed > 0 || far.end != UINT64_MAX ? POLLOUT : 0;
		if (far.end != UINT64_MAX)
			far.owed = BLOCK_BYTES * 2;
		if (poll(fds, 2, TICK_MS) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents != 0)
			receive(&far);
		if (fds[1].revents != 0 && !transmit(&far))
			return 0;
	}
}
