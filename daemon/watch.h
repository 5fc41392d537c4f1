/*
 * Whether the master still does its work: when it is asked for a sign of life, and
 * what it means that none comes. Knows no processes and no clock: supervisor_watch.c
 * looks once a second, and does what is said here.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define WATCH_PERIOD_US UINT64_C(1000000) /* from one look to the next */

/* What is seen at a look. */
struct watch_sample {
	uint64_t now_us; /* CLOCK_MONOTONIC */
	uint64_t cpu_us; /* what the master has had of the processors since its start */
	bool master;     /* there is one */
	bool runnable;   /* it works, waits for its turn on a processor, or for a disk */
};

enum watch_verdict {
	WATCH_WAIT,
	WATCH_ASK,   /* ask it for a sign of life, and call watch_asked() */
	WATCH_HANGS, /* it will never answer */
};

struct watch {
	uint64_t looked_us; /* at the last look; 0: there was none */
	uint64_t asked_cpu_us;
	bool asked;       /* and no answer yet */
	unsigned asleep;  /* looks since then that found it idle or stopped */
	unsigned unheard; /* looks since a master, whichever, has answered */
};

/* Another master runs, which has been asked nothing. */
void watch_begin(struct watch *watch);

/*
 * A look. A look that comes late says nothing: the machine has slept, or has no time
 * for us either.
 */
enum watch_verdict watch_look(struct watch *watch, const struct watch_sample *sample);

/* The master of SAMPLE has been asked. */
void watch_asked(struct watch *watch, const struct watch_sample *sample);

/* It has answered. */
void watch_heard(struct watch *watch);

/*
 * True while a master answers, or has been silent for so short a time that another may
 * just be taking over.
 */
bool watch_is_well(const struct watch *watch);

#endif
