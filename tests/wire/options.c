/*
 * Reads the wire's command line. Every number is checked for its range here, so
 * that the paths and the TUN ends need not doubt them.
 */
#include "tests/wire/options.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MTU_MIN     68
#define MTU_MAX     65535
#define MILLISECOND UINT64_C(1000000)
#define EXIT_USAGE  2

enum option_id {
	OPTION_DELAY = 256,
	OPTION_JITTER,
	OPTION_LOSS,
	OPTION_LARGEST,
	OPTION_REORDER,
	OPTION_REORDER_GAP,
	OPTION_REORDER_HOLD,
	OPTION_DUPLICATE,
	OPTION_CORRUPT,
	OPTION_RATE,
	OPTION_QUEUE,
	OPTION_DIRECTION,
	OPTION_SEED,
	OPTION_MTU,
	OPTION_NAME,
	OPTION_A_IPV4,
	OPTION_B_IPV4,
	OPTION_A_IPV6,
	OPTION_B_IPV6,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"delay", required_argument, NULL, OPTION_DELAY},
	{"jitter", required_argument, NULL, OPTION_JITTER},
	{"loss", required_argument, NULL, OPTION_LOSS},
	{"largest", required_argument, NULL, OPTION_LARGEST},
	{"reorder", required_argument, NULL, OPTION_REORDER},
	{"reorder-gap", required_argument, NULL, OPTION_REORDER_GAP},
	{"reorder-hold", required_argument, NULL, OPTION_REORDER_HOLD},
	{"duplicate", required_argument, NULL, OPTION_DUPLICATE},
	{"corrupt", required_argument, NULL, OPTION_CORRUPT},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"queue", required_argument, NULL, OPTION_QUEUE},
	{"direction", required_argument, NULL, OPTION_DIRECTION},
	{"seed", required_argument, NULL, OPTION_SEED},
	{"mtu", required_argument, NULL, OPTION_MTU},
	{"name", required_argument, NULL, OPTION_NAME},
	{"a-ipv4", required_argument, NULL, OPTION_A_IPV4},
	{"b-ipv4", required_argument, NULL, OPTION_B_IPV4},
	{"a-ipv6", required_argument, NULL, OPTION_A_IPV6},
	{"b-ipv6", required_argument, NULL, OPTION_B_IPV6},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: wire [OPTION]... NAMESPACE_A NAMESPACE_B\n"
	"Joins two network namespaces (of `ip netns`) through TUN devices and impairs what passes.\n"
	"\n"
	"What happens to packets, in both directions or in the one that --direction names:\n"
	"  --delay MS          one-way delay (0)\n"
	"  --jitter MS         up to this much more for each packet; keeps the order (0)\n"
	"  --loss PERCENT      lose packets (0)\n"
	"  --largest BYTES     lose larger packets without a word: a path with a smaller MTU (any)\n"
	"  --reorder PERCENT   hold packets back so that later ones overtake them (0)\n"
	"  --reorder-gap N       until N packets have overtaken (3),\n"
	"  --reorder-hold MS     or until this time has passed (20)\n"
	"  --duplicate PERCENT deliver packets twice (0)\n"
	"  --corrupt PERCENT   flip one random bit of the IP payload (0)\n"
	"  --rate MBIT         megabits a second (0: no limit)\n"
	"  --queue BYTES       what may wait for --rate; more is dropped (262144)\n"
	"  --direction WHICH   the options after this one are for a-to-b, b-to-a, or both (both)\n"
	"\n"
	"The rest:\n"
	"  --seed N            replays a run's decisions; printed at the start (random)\n"
	"  --mtu BYTES         of both ends; below 1280 there is no IPv6 (1500)\n"
	"  --name NAME         of both devices (wire0)\n"
	"  --a-ipv4 ADDRESS/PREFIX, --b-ipv4   (10.77.0.1/24, 10.77.0.2/24)\n"
	"  --a-ipv6 ADDRESS/PREFIX, --b-ipv6   (fd77::1/64, fd77::2/64)\n"
	"  --help              this text\n"
	"\n"
	"Prints \"wire ready seed=N\" when both ends are up. SIGUSR1 prints the counters as one\n"
	"line of JSON; SIGTERM and SIGINT print them and end the wire.\n";

static double parse_number(const char *option, const char *text, double most)
{
	char *end;
	double number;

	errno = 0;
	number = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || !(number >= 0 && number <= most))
		errx(EXIT_USAGE, "--%s %s: not a number from 0 to %.0f", option, text, most);
	return number;
}

static uint64_t parse_whole(const char *option, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || number < least ||
	    number > most)
		errx(EXIT_USAGE, "--%s %s: not a whole number from %llu to %llu", option, text,
		     (unsigned long long)least, (unsigned long long)most);
	return number;
}

static uint64_t parse_milliseconds(const char *option, const char *text)
{
	return (uint64_t)(parse_number(option, text, 60000) * (double)MILLISECOND);
}

static double parse_percent(const char *option, const char *text)
{
	return parse_number(option, text, 100) / 100;
}

/* Splits ADDRESS/PREFIX; the whole of it must be right. */
static void parse_address(const char *option, const char *text, int family, void *address,
                          unsigned *prefix)
{
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN];

	if (slash == NULL || (size_t)(slash - text) >= sizeof(host))
		errx(EXIT_USAGE, "--%s %s: not ADDRESS/PREFIX", option, text);
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	if (inet_pton(family, host, address) != 1)
		errx(EXIT_USAGE, "--%s %s: not an address of that family", option, text);
	*prefix = (unsigned)parse_whole(option, slash + 1, 1, family == AF_INET ? 32 : 128);
}

/* Which directions the following options are for: a bit each. */
static unsigned parse_direction(const char *text)
{
	if (strcmp(text, "a-to-b") == 0)
		return 1u << WIRE_A_TO_B;
	if (strcmp(text, "b-to-a") == 0)
		return 1u << WIRE_B_TO_A;
	if (strcmp(text, "both") == 0)
		return 1u << WIRE_A_TO_B | 1u << WIRE_B_TO_A;
	errx(EXIT_USAGE, "--direction %s: not a-to-b, b-to-a or both", text);
}

static void set_path_option(struct path_settings *path, int id, const char *name, const char *text)
{
	switch (id) {
	case OPTION_DELAY:
		path->delay_ns = parse_milliseconds(name, text);
		break;
	case OPTION_JITTER:
		path->jitter_ns = parse_milliseconds(name, text);
		break;
	case OPTION_LOSS:
		path->loss = parse_percent(name, text);
		break;
	case OPTION_LARGEST:
		path->largest = parse_whole(name, text, MTU_MIN, MTU_MAX);
		break;
	case OPTION_REORDER:
		path->reorder = parse_percent(name, text);
		break;
	case OPTION_REORDER_GAP:
		path->reorder_gap = (unsigned)parse_whole(name, text, 1, 1000);
		break;
	case OPTION_REORDER_HOLD:
		path->reorder_hold_ns = parse_milliseconds(name, text);
		break;
	case OPTION_DUPLICATE:
		path->duplicate = parse_percent(name, text);
		break;
	case OPTION_CORRUPT:
		path->corrupt = parse_percent(name, text);
		break;
	case OPTION_RATE:
		path->rate_bits = parse_number(name, text, 100000) * 1e6;
		break;
	case OPTION_QUEUE:
		path->queue_bytes = parse_whole(name, text, 1, PATH_MEMORY_MAX);
		break;
	default:
		break;
	}
}

/* The options that are not for one direction; 0 when ID is none of them. */
static int set_common_option(struct wire_options *options, int id, const char *name,
                             const char *text)
{
	struct tun_settings *a = &options->ends[0], *b = &options->ends[1];

	switch (id) {
	case OPTION_SEED:
		options->seed = parse_whole(name, text, 0, UINT64_MAX);
		break;
	case OPTION_MTU:
		a->mtu = b->mtu = (unsigned)parse_whole(name, text, MTU_MIN, MTU_MAX);
		break;
	case OPTION_NAME:
		if (*text == '\0' || strlen(text) >= IFNAMSIZ)
			errx(EXIT_USAGE, "--name %s: not a device name", text);
		a->name = b->name = text;
		break;
	case OPTION_A_IPV4:
		parse_address(name, text, AF_INET, &a->ipv4, &a->ipv4_prefix);
		break;
	case OPTION_B_IPV4:
		parse_address(name, text, AF_INET, &b->ipv4, &b->ipv4_prefix);
		break;
	case OPTION_A_IPV6:
		parse_address(name, text, AF_INET6, &a->ipv6, &a->ipv6_prefix);
		break;
	case OPTION_B_IPV6:
		parse_address(name, text, AF_INET6, &b->ipv6, &b->ipv6_prefix);
		break;
	default:
		return 0;
	}
	return 1;
}

static void set_defaults(struct wire_options *options)
{
	static const char *const defaults[][2] = {
		{"10.77.0.1/24", "fd77::1/64"},
		{"10.77.0.2/24", "fd77::2/64"},
	};

	memset(options, 0, sizeof(*options));
	for (int i = 0; i < 2; i++) {
		struct tun_settings *end = &options->ends[i];

		end->name = "wire0";
		end->mtu = 1500;
		parse_address("ipv4", defaults[i][0], AF_INET, &end->ipv4, &end->ipv4_prefix);
		parse_address("ipv6", defaults[i][1], AF_INET6, &end->ipv6, &end->ipv6_prefix);
		options->paths[i].reorder_gap = 3;
		options->paths[i].reorder_hold_ns = 20 * MILLISECOND;
		options->paths[i].queue_bytes = 262144;
	}
	if (getrandom(&options->seed, sizeof(options->seed), 0) != sizeof(options->seed))
		err(EXIT_FAILURE, "getting a random seed");
	options->seed &= UINT32_MAX; /* short enough to type again */
}

void options_parse(struct wire_options *options, int argc, char **argv)
{
	unsigned directions = parse_direction("both");
	int id, index = 0;

	set_defaults(options);
	while ((id = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		const char *name = long_options[index].name;

		if (id == OPTION_HELP) {
			fputs(help_text, stdout);
			exit(EXIT_SUCCESS);
		}
		if (id == '?')
			errx(EXIT_USAGE, "try --help");
		if (id == OPTION_DIRECTION)
			directions = parse_direction(optarg);
		else if (!set_common_option(options, id, name, optarg))
			for (int i = 0; i < WIRE_DIRECTIONS; i++)
				if (directions & 1u << i)
					set_path_option(&options->paths[i], id, name, optarg);
	}
	if (argc - optind != 2)
		errx(EXIT_USAGE, "two namespaces are needed: wire [OPTION]... A B");
	options->ends[0].namespace = argv[optind];
	options->ends[1].namespace = argv[optind + 1];
}
