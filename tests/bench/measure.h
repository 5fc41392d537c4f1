/*
 * The measurements. Each opens its own sessions to the target, measures, and prints one line of
 * NAME=VALUE pairs for the runner to read. Any failure ends the program with a message.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "tests/bench/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of the monotonic clock. */
uint64_t measure_now(void);

/*
 * Round trip of `samples` keystrokes, one at a time: the time from sending one byte until the tty's
 * echo of it is read. Prints p50_us, p99_us, mean_us.
 */
void measure_keystroke(const struct target *target, size_t samples);

/*
 * The session shows `megabytes` million bytes of the text file `path`, which is made first if it is not
 * there yet; the session must find it by the same name. The terminal makes CR LF of each newline, or
 * with `raw` leaves the text as it is, which is faster. Every byte is counted. Prints mb_per_s, of bytes
 * as the client sees them.
 */
void measure_output(const struct target *target, size_t megabytes, const char *path, bool raw);

/* The client sends `megabytes` million bytes to a program that reads them raw. Prints mb_per_s. */
void measure_input(const struct target *target, size_t megabytes);

/*
 * Whole sessions, `clients` loops at once: connect, negotiate, prompt, exit, end of connection. Stops
 * after `seconds`. Prints sessions_per_s, sessions, resets (sessions that ended by RST).
 */
void measure_setup(const struct target *target, unsigned int clients, unsigned int seconds);

/*
 * Opens `sessions` sessions, waits for each prompt, prints "held=N", and keeps them open and idle
 * until standard input ends; then logs all out and prints "left=N".
 */
void measure_hold(const struct target *target, size_t sessions);

#endif
