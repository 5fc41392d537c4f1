/*
 * calmd's main: options, and which of its processes this one is.
 */
#include <bsd/unistd.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/master.h"
#include "daemon/supervisor.h"
#include "daemon/version.h"

#define DEFAULT_FILE  CALMD_SYSCONFDIR "/calmd.conf"
#define OVERRIDES_MAX 64

struct options {
	struct config_source source;
	const char *overrides[OVERRIDES_MAX];
	bool check;
	bool print;
	bool verbose;
	bool master; /* started by the supervisor */
};

enum {
	OPTION_HELP = 256,
	OPTION_VERSION,
	OPTION_ROLE
};

static void print_usage(FILE *out)
{
	fputs("usage: calmd [-nTv] [-f FILE] [-o KEY=VALUE]...\n"
	      "  -f FILE       read the configuration from FILE instead of " DEFAULT_FILE "\n"
	      "  -n            check the configuration and exit\n"
	      "  -T            print the effective configuration and exit\n"
	      "  -o KEY=VALUE  override one key of the configuration\n"
	      "  -v            log more\n"
	      "  --help        print this and exit\n"
	      "  --version     print the version and exit\n",
	      out);
}

static void add_override(struct options *options, const char *text)
{
	if (options->source.override_count == OVERRIDES_MAX) {
		fprintf(stderr, "calmd: at most %d times -o\n", OVERRIDES_MAX);
		exit(1);
	}
	options->overrides[options->source.override_count++] = text;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{"help", no_argument, NULL, OPTION_HELP},
		{"version", no_argument, NULL, OPTION_VERSION},
		{"role", required_argument, NULL, OPTION_ROLE},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "f:nTo:v", names, NULL)) != -1) {
		switch (option) {
		case 'f':
			options->source.file = optarg;
			options->source.optional = false;
			break;
		case 'n':
			options->check = true;
			break;
		case 'T':
			options->print = true;
			break;
		case 'o':
			add_override(options, optarg);
			break;
		case 'v':
			options->verbose = true;
			break;
		case OPTION_ROLE:
			options->master = strcmp(optarg, "master") == 0;
			break;
		case OPTION_HELP:
			print_usage(stdout);
			exit(0);
		case OPTION_VERSION:
			printf("calmd %s\n", version_text());
			exit(0);
		default:
			print_usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		print_usage(stderr);
		exit(2);
	}
}

static int run_master(void)
{
	setproctitle("master");
	prctl(PR_SET_NAME, "calmd-master");
	return master_main();
}

int main(int argc, char **argv, char **environment)
{
	static struct options options = {.source = {.file = DEFAULT_FILE, .optional = true}};
	static struct config config;
	char error[CONFIG_ERROR_MAX];

	setproctitle_init(argc, argv, environment);
	parse_options(argc, argv, &options);
	if (options.master)
		return run_master();
	if (options.verbose)
		add_override(&options, "log-level=debug");
	options.source.overrides = options.overrides;
	log_to_stderr("calmd");
	if (config_load(&options.source, &config, error) < 0) {
		log_error("%s", error);
		return 1;
	}
	if (options.print)
		config_print(&config, stdout);
	else if (options.check)
		puts("configuration is valid");
	if (options.print || options.check)
		return fflush(stdout) == 0 ? 0 : 1;
	log_set_level(config.log_level);
	return supervisor_run(&options.source, &config);
}
