/*
 * bench-load: a telnet client that measures. The command line, and the choice of the measurement.
 *
 * It runs on the kernel's TCP, whatever the server runs on, and treats every server alike; with
 * "pty" as target it puts the same shell on a pty and measures that, as the best a server could be.
 */
#include "tests/bench/measure.h"
#include "tests/bench/occupy.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct settings {
	unsigned int samples;
	unsigned int megabytes;
	unsigned int clients;
	unsigned int seconds;
	unsigned int sessions;
	const char *file;
	const char *shell;
	enum telnet_manners manners;
};

static const char usage_text[] =
	"usage: bench-load [OPTION]... MEASURE TARGET\n"
	"MEASURE is keystroke, output, output-raw, input, setup or hold; TARGET is ADDRESS:PORT or pty.\n"
	"  -n SAMPLES    keystrokes (3000)\n"
	"  -m MEGABYTES  of output or input (50)\n"
	"  -c CLIENTS    at once, for setup (1)\n"
	"  -t SECONDS    of setup (2)\n"
	"  -s SESSIONS   to hold (20)\n"
	"  -f FILE       the text to make and show, for output (bench-text)\n"
	"  -e SHELL      what a pty runs (/bin/sh)\n"
	"  -p            answer telnet options as plainly as BusyBox does, not as fully as GNU telnet\n"
	"  -b CPU        keep this CPU busy meanwhile, so that nothing else runs there\n";

uint64_t measure_now(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		err(1, "reading the clock");
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static unsigned int parse_number(const char *text)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);

	if (errno != 0 || end == text || *end != '\0' || number == 0 || number > 10000000)
		errx(2, "%s is not a number between 1 and 10000000", text);
	return (unsigned int)number;
}

static void parse_option(struct settings *settings, int option)
{
	switch (option) {
	case 'n':
		settings->samples = parse_number(optarg);
		break;
	case 'm':
		settings->megabytes = parse_number(optarg);
		break;
	case 'c':
		settings->clients = parse_number(optarg);
		break;
	case 't':
		settings->seconds = parse_number(optarg);
		break;
	case 's':
		settings->sessions = parse_number(optarg);
		break;
	case 'f':
		settings->file = optarg;
		break;
	case 'e':
		settings->shell = optarg;
		break;
	case 'p':
		settings->manners = TELNET_PLAIN;
		break;
	case 'b':
		/* 0 is a CPU too. */
		occupy_cpu(strcmp(optarg, "0") == 0 ? 0 : parse_number(optarg));
		break;
	default:
		fputs(usage_text, stderr);
		exit(2);
	}
}

static void measure(const struct settings *settings, const char *name, const struct target *target)
{
	if (strcmp(name, "keystroke") == 0)
		measure_keystroke(target, settings->samples);
	else if (strcmp(name, "output") == 0)
		measure_output(target, settings->megabytes, settings->file, false);
	else if (strcmp(name, "output-raw") == 0)
		measure_output(target, settings->megabytes, settings->file, true);
	else if (strcmp(name, "input") == 0)
		measure_input(target, settings->megabytes);
	else if (strcmp(name, "setup") == 0)
		measure_setup(target, settings->clients, settings->seconds);
	else if (strcmp(name, "hold") == 0)
		measure_hold(target, settings->sessions);
	else
		errx(2, "there is no measurement named %s", name);
}

int main(int argc, char **argv)
{
	struct settings settings = {.samples = 3000,
	                            .megabytes = 50,
	                            .clients = 1,
	                            .seconds = 2,
	                            .sessions = 20,
	                            .file = "bench-text",
	                            .shell = "/bin/sh"};
	struct target target;
	int option;

	while ((option = getopt(argc, argv, "n:m:c:t:s:f:e:pb:")) != -1)
		parse_option(&settings, option);
	if (argc - optind != 2) {
		fputs(usage_text, stderr);
		return 2;
	}
	target_parse(&target, argv[optind + 1], settings.shell);
	target.manners = settings.manners;
	measure(&settings, argv[optind], &target);
	return 0;
}
