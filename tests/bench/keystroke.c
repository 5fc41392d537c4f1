/*
 * Measures the round trip of a keystroke: what a user feels while typing.
 *
 * The echo comes from the tty itself (canonical mode, `cat` reading), not from a program, so that no
 * scheduling of a shell is measured, only the way there and back. Keystrokes do not overlap: each is
 * sent when the echo of the one before was read.
 */
#include "tests/bench/measure.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#define WARM_UP_KEYSTROKES 300
/* The tty takes no more than 4095 bytes a line in canonical mode; a line ends well before. */
#define KEYSTROKES_PER_LINE 60

static int compare_samples(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a;
	uint64_t second = *(const uint64_t *)b;

	return (first > second) - (first < second);
}

static uint64_t strike_key(struct session *session, uint8_t key)
{
	uint64_t start = measure_now();

	session_send(session, &key, 1);
	if (session_read(session) == 0)
		errx(1, "the session ended while a keystroke was on its way");
	uint64_t end = measure_now();

	if (session->length != 1 || session->buffer[0] != key)
		errx(1, "keystroke %#x came back as %zu bytes beginning with %#x", key,
		     session->length, session->buffer[0]);
	session_consume(session, 1);
	return end - start;
}

static void strike_keys(struct session *session, uint64_t *took, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i % KEYSTROKES_PER_LINE == KEYSTROKES_PER_LINE - 1) {
			session_type(session, "");
			session_expect(session, "\r\n");
		}
		took[i] = strike_key(session, (uint8_t)('a' + i % 26));
	}
}

static void report(uint64_t *took, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += took[i];
	qsort(took, count, sizeof(*took), compare_samples);
	printf("p50_us=%.2f p99_us=%.2f mean_us=%.2f\n", (double)took[count / 2] / 1e3,
	       (double)took[count * 99 / 100] / 1e3, (double)sum / 1e3 / (double)count);
}

void measure_keystroke(const struct target *target, size_t samples)
{
	struct session *session = malloc(sizeof(*session));
	size_t room = samples > WARM_UP_KEYSTROKES ? samples : WARM_UP_KEYSTROKES;
	uint64_t *took = calloc(room, sizeof(*took));

	if (!session || !took)
		err(1, "making room for %zu samples", samples);
	watchdog_set(300, "measuring keystrokes");
	session_open(session, target);
	session_expect(session, SESSION_PROMPT);
	session_type(session, "stty sane; echo REA\"\"DY; exec cat >/dev/null");
	session_expect(session, "READY\r\n");
	strike_keys(session, took, WARM_UP_KEYSTROKES);
	strike_keys(session, took, samples);
	report(took, samples);
	/* End-of-file on an empty line ends cat, and with it the session. */
	session_type(session, "");
	session_send(session, "\004", 1);
	session_await_end(session);
	session_close(session);
	free(took);
	free(session);
}
