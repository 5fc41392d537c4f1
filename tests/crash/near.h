/*
 * The near end of a session: a telnet client over the kernel's TCP that moves data both ways
 * at once; or sits in a shell and asks it now and then whether it still is the same; or
 * only visits: connects, asks a shell once, logs out.
 */
#ifndef CRASH_NEAR_H
#define CRASH_NEAR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/telnet.h"
#include "tests/crash/pattern.h"

/* What the far end says before its stream; no shell echoes it. */
#define NEAR_GO "\001\002GO\n"

#define NEAR_SEND_ROOM 65536u
#define NEAR_TEXT_ROOM 131072u

enum near_kind {
	NEAR_MOVES,
	NEAR_SITS,
	NEAR_VISITS
};

enum near_stage {
	NEAR_PROMPT, /* waits for the shell's first prompt */
	NEAR_START,  /* has started the far end */
	NEAR_MOVE,   /* data: both ways */
	NEAR_IDLE,   /* idle: nothing is asked */
	NEAR_ASKED,  /* idle: an answer is due */
	NEAR_END,    /* its last block is on its way, or the shell's exit */
	NEAR_OVER,   /* the server has closed, as it should */
	NEAR_FAILED
};

struct near {
	unsigned number;
	enum near_kind kind;
	int fd;
	uint64_t seed, rate;
	enum near_stage stage;
	struct telnet telnet;
	char why[PATTERN_WHY + 128]; /* NEAR_FAILED */
	struct pattern_check in;
	uint64_t out; /* of the stream: made so far */
	uint64_t owed, since_us;
	bool ending;
	uint8_t send[NEAR_SEND_ROOM]; /* bytes for the socket */
	size_t send_at, send_end;
	char text[NEAR_TEXT_ROOM]; /* what a shell has said */
	size_t text_length;
	unsigned asked;
	char shell[16];  /* its pid */
	uint64_t due_us; /* when the answer must be there, or the next question is asked */
	/* how long it takes until bytes come again: see near_mark() */
	uint64_t marked_us, last_us, longest_us;
	uint64_t received;
};

/* The time, of CLOCK_MONOTONIC. */
uint64_t near_now_us(void);

/* Connects; then whatever happens goes through near_work(). */
void near_open(struct near *near, const struct sockaddr_storage *to, socklen_t length);

/* Reads and writes what can be. FAR: the command line of the far end, without its arguments. */
void near_work(struct near *near, const char *far, uint64_t now_us);

/* Something waits to be written. */
bool near_wants_write(const struct near *near);

/* The master died at AT_US: what arrives from now on has come from the next one. */
void near_mark(struct near *near, uint64_t at_us);

/* Ends its session. */
void near_end(struct near *near);

/* Says once and for all what is wrong with it. */
void near_fail(struct near *near, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
