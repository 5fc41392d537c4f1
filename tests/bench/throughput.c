/*
 * Measures output (a session showing a long text) and input (a session taking a long paste).
 *
 * Both run to the last byte: output is counted, and a count that differs from what the file must give
 * is an error; input ends when the program in the session says that it has read everything.
 */
#include "tests/bench/measure.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MEGABYTE 1000000
/* A line of text with its newline; the terminal makes the newline CR LF. */
#define LINE_LENGTH 80
#define INPUT_BLOCK (64 * 1024)

static const char line_text[] =
	"The quick brown fox jumps over the lazy dog, and the slow red hen looks at it.";

static void fill_line(char *line)
{
	memset(line, '.', LINE_LENGTH - 1);
	memcpy(line, line_text, sizeof(line_text) - 1);
	line[LINE_LENGTH - 1] = '\n';
}

/* Makes the file of so many lines, unless an earlier measurement has left it. */
static void make_text(const char *path, size_t lines)
{
	char line[LINE_LENGTH];
	struct stat found;

	if (stat(path, &found) == 0 && found.st_size == (off_t)(lines * sizeof(line)))
		return;
	FILE *file = fopen(path, "w");

	if (!file)
		err(1, "making %s", path);
	fill_line(line);
	for (size_t i = 0; i < lines; i++)
		if (fwrite(line, sizeof(line), 1, file) != 1)
			err(1, "writing to %s", path);
	if (fclose(file) != 0)
		err(1, "writing to %s", path);
}

static void report_rate(uint64_t bytes, uint64_t nanoseconds)
{
	printf("mb_per_s=%.2f bytes=%llu\n", (double)bytes * 1e3 / (double)nanoseconds,
	       (unsigned long long)bytes);
}

void measure_output(const struct target *target, size_t megabytes, const char *path, bool raw)
{
	const char *line_end = raw ? "\n" : "\r\n";
	struct session *session = malloc(sizeof(*session));
	size_t lines = megabytes * MEGABYTE / LINE_LENGTH;
	uint64_t expected = (uint64_t)lines * (LINE_LENGTH - 1 + strlen(line_end));
	char command[512];

	if (!session)
		err(1, "making a session");
	make_text(path, lines);
	if ((size_t)snprintf(command, sizeof(command), "echo BEG\"\"IN; cat %s; echo E\"\"ND",
	                     path) >= sizeof(command))
		errx(1, "%s is too long a name", path);
	watchdog_set(120, "measuring output");
	session_open(session, target);
	session_expect(session, SESSION_PROMPT);
	session_type(session, raw ? "stty sane -opost" : "stty sane");
	session_expect(session, SESSION_PROMPT);
	session_type(session, command);
	session_expect(session, "BEGIN");
	session_expect(session, line_end);
	uint64_t start = measure_now();
	uint64_t before = session->passed;

	session_expect(session, "END");
	uint64_t end = measure_now();
	uint64_t shown = session->passed - before - strlen("END");

	if (shown != expected)
		errx(1, "the session showed %llu bytes of %llu", (unsigned long long)shown,
		     (unsigned long long)expected);
	report_rate(shown, end - start);
	session_type(session, "exit");
	session_await_end(session);
	session_close(session);
	free(session);
}

/* Sends all that the session takes, whatever its size, and waits for room in between. */
static void pour_in(struct session *session, size_t length)
{
	char *block = malloc(INPUT_BLOCK);

	if (!block)
		err(1, "making a block to send");
	memset(block, 'x', INPUT_BLOCK);
	while (length > 0) {
		size_t next = length < INPUT_BLOCK ? length : INPUT_BLOCK;

		session_send(session, block, next);
		length -= next;
	}
	free(block);
}

void measure_input(const struct target *target, size_t megabytes)
{
	struct session *session = malloc(sizeof(*session));
	size_t length = megabytes * MEGABYTE;
	char command[256];

	if (!session)
		err(1, "making a session");
	if ((size_t)snprintf(command, sizeof(command),
	                     "stty raw -echo; echo REA\"\"DY; head -c %zu >/dev/null; stty sane; "
	                     "echo DO\"\"NE",
	                     length) >= sizeof(command))
		errx(1, "the command for %zu bytes of input is too long", length);
	watchdog_set(120, "measuring input");
	session_open(session, target);
	session_expect(session, SESSION_PROMPT);
	session_type(session, command);
	session_expect(session, "READY\n");
	uint64_t start = measure_now();

	pour_in(session, length);
	session_expect(session, "DONE\r\n");
	report_rate(length, measure_now() - start);
	session_type(session, "exit");
	session_await_end(session);
	session_close(session);
	free(session);
}
