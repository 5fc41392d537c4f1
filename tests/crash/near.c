/* The near end of a session: see near.h. */
#include "tests/crash/near.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_US UINT64_C(30000000)
#define PAUSE_US  UINT64_C(300000)
#define OWED_MAX  (64u * 1024)

uint64_t near_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void near_fail(struct near *near, const char *format, ...)
{
	va_list arguments;

	if (near->stage == NEAR_FAILED || near->stage == NEAR_OVER)
		return;
	va_start(arguments, format);
	vsnprintf(near->why, sizeof(near->why), format, arguments);
	va_end(arguments);
	near->stage = NEAR_FAILED;
	close(near->fd);
	near->fd = -1;
}

void near_open(struct near *near, const struct sockaddr_storage *to, socklen_t length)
{
	int on = 1;

	telnet_begin(&near->telnet, TELNET_PLAIN);
	near->in.seed = near->seed + 1;
	near->fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (near->fd < 0 ||
	    (connect(near->fd, (const struct sockaddr *)to, length) < 0 && errno != EINPROGRESS)) {
		near_fail(near, "cannot connect: %s", strerror(errno));
		return;
	}
	setsockopt(near->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	near->last_us = near->since_us = near_now_us();
}

/* ---- out ---- */

static size_t send_room(struct near *near)
{
	if (near->send_at > 0) {
		memmove(near->send, near->send + near->send_at, near->send_end - near->send_at);
		near->send_end -= near->send_at;
		near->send_at = 0;
	}
	return sizeof(near->send) - near->send_end;
}

static void put_raw(struct near *near, const void *bytes, size_t length)
{
	if (send_room(near) < length) {
		near_fail(near, "has more to say than it has room for");
		return;
	}
	memcpy(near->send + near->send_end, bytes, length);
	near->send_end += length;
}

/* As data: IAC is doubled. */
static void put_data(struct near *near, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		put_raw(near, bytes[i] == TELNET_IAC ? "\xff\xff" : (const char *)&bytes[i],
		        1 + (bytes[i] == TELNET_IAC));
}

/* More of the stream, a block at a time. */
static void make_stream(struct near *near, uint64_t now_us)
{
	uint64_t passed_us = now_us > near->since_us ? now_us - near->since_us : 0;
	uint64_t more = passed_us * near->rate / 1000000;
	uint8_t block[BLOCK_BYTES];

	if (more > 0) {
		near->since_us = now_us;
		near->owed = near->owed + more < OWED_MAX ? near->owed + more : OWED_MAX;
	}
	while (near->stage == NEAR_MOVE && (near->owed >= BLOCK_BYTES || near->ending) &&
	       send_room(near) >= 2 * sizeof(block)) {
		pattern_fill(near->seed, near->out, block, sizeof(block));
		if (near->ending) {
			pattern_end(block, "that is all");
			near->stage = NEAR_END;
		} else {
			near->owed -= sizeof(block);
		}
		near->out += sizeof(block);
		put_data(near, block, sizeof(block));
	}
}

static void transmit(struct near *near)
{
	ssize_t sent;

	if (near->fd < 0 || near->send_at == near->send_end)
		return;
	sent = send(near->fd, near->send + near->send_at, near->send_end - near->send_at,
	            MSG_NOSIGNAL);
	if (sent > 0)
		near->send_at += (size_t)sent;
	else if (errno != EAGAIN && errno != EINTR)
		near_fail(near, "cannot send: %s", strerror(errno));
}

bool near_wants_write(const struct near *near)
{
	return near->send_at < near->send_end;
}

/* ---- in ---- */

static void take_stream(struct near *near, const uint8_t *bytes, size_t length)
{
	pattern_take(&near->in, bytes, length);
	if (near->in.wrong)
		near_fail(near, "what it received: %s", near->in.why);
	else if (near->in.ended && strncmp(near->in.said, "whole ", 6) != 0)
		near_fail(near, "what it sent: %s", near->in.said);
	else if (near->in.ended && strtoull(near->in.said + 6, NULL, 10) != near->out)
		near_fail(near, "%" PRIu64 " bytes were sent: %s", near->out, near->in.said);
}

/* The first prompt is there: the shell is used, or replaced by the far end. */
static void begin(struct near *near, const char *far)
{
	char line[512];

	near->text_length = 0;
	if (near->kind == NEAR_MOVES) {
		snprintf(line, sizeof(line), "stty raw -echo; exec %s %" PRIu64 " %" PRIu64 "\r",
		         far, near->seed, near->rate);
		near->stage = NEAR_START;
		put_raw(near, line, strlen(line));
	} else {
		near->stage = NEAR_IDLE;
	}
}

/* The shell has answered: <PID NUMBER>. Its echo of the question has no digits there. */
static void look_at_answer(struct near *near)
{
	const char *at = near->text;
	char pid[16];
	unsigned number;

	while ((at = strchr(at, '<')) != NULL) {
		if (sscanf(at++, "<%15[0-9] %u>", pid, &number) != 2 || number != near->asked)
			continue;
		if (near->shell[0] == '\0')
			snprintf(near->shell, sizeof(near->shell), "%s", pid);
		if (strcmp(near->shell, pid) != 0) {
			near_fail(near, "its shell was %s and is %s", near->shell, pid);
			return;
		}
		near->stage = NEAR_IDLE;
		near->ending = near->ending || near->kind == NEAR_VISITS;
		near->text_length = 0;
		near->due_us = near_now_us() + PAUSE_US;
		return;
	}
}

static void take_text(struct near *near, const char *far, const uint8_t *bytes, size_t length)
{
	const char *go;

	if (near->text_length + length >= sizeof(near->text)) {
		near_fail(near, "its shell says too much");
		return;
	}
	memcpy(near->text + near->text_length, bytes, length);
	near->text_length += length;
	near->text[near->text_length] = '\0';
	if (near->stage == NEAR_PROMPT && strstr(near->text, "# ") != NULL) {
		begin(near, far);
	} else if (near->stage == NEAR_START && (go = strstr(near->text, NEAR_GO)) != NULL) {
		go += strlen(NEAR_GO);
		near->stage = NEAR_MOVE;
		near->owed = 0;
		near->since_us = near_now_us();
		take_stream(near, (const uint8_t *)go,
		            near->text_length - (size_t)(go - near->text));
	} else if (near->stage == NEAR_ASKED) {
		look_at_answer(near);
	} else if (near->stage == NEAR_END) {
		near->text_length = 0;
	}
}

static void take(struct near *near, const char *far, uint8_t *bytes, size_t length)
{
	size_t data = telnet_decode(&near->telnet, bytes, length);

	put_raw(near, near->telnet.answer, near->telnet.answer_length);
	near->telnet.answer_length = 0;
	if (near->kind == NEAR_MOVES && (near->stage == NEAR_MOVE || near->stage == NEAR_END))
		take_stream(near, bytes, data);
	else
		take_text(near, far, bytes, data);
}

static void note_arrival(struct near *near, size_t length)
{
	uint64_t now_us = near_now_us();

	near->received += length;
	if (near->kind == NEAR_MOVES && near->stage == NEAR_MOVE &&
	    now_us - near->last_us > near->longest_us)
		near->longest_us = now_us - near->last_us;
	near->last_us = now_us;
}

static void receive(struct near *near, const char *far)
{
	uint8_t bytes[65536];
	ssize_t got = -1;

	while (near->fd >= 0 && (got = recv(near->fd, bytes, sizeof(bytes), 0)) > 0) {
		note_arrival(near, (size_t)got);
		take(near, far, bytes, (size_t)got);
	}
	if (near->fd < 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (got < 0) {
		near_fail(near, "its connection broke: %s", strerror(errno));
	} else if (near->stage != NEAR_END || (near->kind == NEAR_MOVES && !near->in.ended)) {
		near_fail(near, "its session was ended");
	} else {
		near->stage = NEAR_OVER;
		close(near->fd);
		near->fd = -1;
	}
}

/* ---- all ---- */

static void ask(struct near *near, uint64_t now_us)
{
	char line[64];

	if (near->stage == NEAR_ASKED && now_us > near->due_us) {
		near_fail(near, "its shell does not answer");
	} else if (near->stage == NEAR_IDLE && near->ending) {
		near->stage = NEAR_END;
		put_raw(near, "exit\r", 5);
	} else if (near->stage == NEAR_IDLE && now_us > near->due_us) {
		snprintf(line, sizeof(line), "echo \"<$$ %u>\"\r", ++near->asked);
		put_raw(near, line, strlen(line));
		near->stage = NEAR_ASKED;
		near->due_us = now_us + ANSWER_US;
	}
}

void near_work(struct near *near, const char *far, uint64_t now_us)
{
	if (near->fd < 0)
		return;
	receive(near, far);
	if (near->kind == NEAR_MOVES)
		make_stream(near, now_us);
	else
		ask(near, now_us);
	transmit(near);
}

void near_mark(struct near *near, uint64_t at_us)
{
	near->marked_us = at_us;
}

void near_end(struct near *near)
{
	near->ending = true;
}
