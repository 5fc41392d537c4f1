/*
 * Waiting awake for a client that answers at once.
 *
 * When the master has sent an echo and sleeps, nothing is left to do and the CPU
 * halts. The next segment has to wake it, which on a virtual machine, or out of
 * a deep sleep, takes as long as the master's own work for a keystroke. Where a
 * program types (a script that waits for each prompt, a screen that is filled in
 * by another machine, a paste) that comes with every step. So in a dialogue the master looks
 * for the next segment for a moment before it sleeps; it looks at everything else
 * as well, and none of it waits.
 *
 * A dialogue is: the worker that was rung last, and no other, has answered with
 * little data, and the last waits for the client were short. A stream of output, several
 * clients at once, and people, whose keystrokes are a tenth of a second apart, are
 * none, and cost nothing. A wait ends when it has lasted as long as those did that the
 * master slept through: then it is in vain, since the client needs the very CPU on which the
 * master looks. That bars the next for a while, twice as long each time in a row.
 *
 * No system calls and no clock: times, in microseconds, are passed in.
 */
#ifndef DAEMON_DIALOGUE_H
#define DAEMON_DIALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#define DIALOGUE_US          100u  /* a wait that is longer is no part of one */
#define DIALOGUE_SHORT_WAITS 3u    /* so many in a row are a dialogue */
#define DIALOGUE_BYTES       256u  /* an answer with more is no part of one */
#define DIALOGUE_BAR_MIN_US  1000u /* after a wait in vain */
#define DIALOGUE_BAR_MAX_US  1000000u

/* All zero at the start. */
struct dialogue {
	uint64_t answered_us; /* the client's turn since then; 0: nothing is awaited of it */
	uint64_t barred_us;   /* no waiting awake before */
	uint64_t bar_us;      /* how long the last bar was; 0: the last wait was not in vain */
	uint32_t asked;       /* the worker that was rung last */
	uint32_t short_waits; /* in a row */
	uint64_t usual_us;    /* how long those are that are slept through */
	bool awake;           /* this wait has been one, so far */
};

/* Worker number WORKER was rung. */
void dialogue_asked(struct dialogue *d, uint32_t worker);

/* Worker number WORKER has rung, having written so many BYTES since it did last. */
void dialogue_answered(struct dialogue *d, uint32_t worker, uint64_t bytes, uint64_t now_us);

/* Something came from the network. */
void dialogue_heard(struct dialogue *d, uint64_t now_us);

/* True when the loop is to look for events without sleeping. */
bool dialogue_waits(struct dialogue *d, uint64_t now_us);

#endif
