/*
 * calmd's main: options, and which of its processes this one is.
 */
#include <bsd/unistd.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/log_output.h"
#include "daemon/master.h"
#include "daemon/registry.h"
#include "daemon/spawn.h"
#include "daemon/supervisor.h"
#include "daemon/version.h"

#define DEFAULT_FILE  CALMD_SYSCONFDIR "/calmd.conf"
#define OVERRIDES_MAX 64

/* What the supervisor starts this program for; nobody else names a role. */
enum role_option {
	RUN_SUPERVISOR,
	RUN_MASTER,
	RUN_CHECK,     /* of whether RUN_SUCCESSOR would do */
	RUN_SUCCESSOR, /* goes on where another version of the supervisor stopped */
};

struct options {
	struct config_source source;
	const char *overrides[OVERRIDES_MAX];
	bool check;
	bool print;
	bool verbose;
	enum role_option role;
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

static enum role_option read_role(const char *name)
{
	static const char *const names[] = {
		[RUN_MASTER] = "master",
		[RUN_CHECK] = "check",
		[RUN_SUCCESSOR] = "successor",
	};

	for (unsigned i = RUN_MASTER; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return (enum role_option)i;
	}
	fprintf(stderr, "calmd: there is no role %s\n", name);
	exit(2);
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
			options->role = read_role(optarg);
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
	if (optind < argc || argc > SUPERVISOR_ARGUMENTS_MAX) {
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

/* Our arguments without the role, which is the first where there is one. */
static char **without_role(char **argv, enum role_option role)
{
	if (role == RUN_SUPERVISOR)
		return argv;
	argv[1] = argv[0];
	return argv + 1;
}

/* Goes on as the registry says, with the configuration that was in effect. */
static int run_successor(struct supervisor_start *start)
{
	static struct registry registry;
	struct config_source running = {0};
	char error[CONFIG_ERROR_MAX];
	char why[REGISTRY_ERROR_MAX];

	prctl(PR_SET_NAME, "calmd"); /* one that is executed by its descriptor has no name */
	if (registry_read(SPAWN_FD_FIRST, &registry, why) < 0) {
		log_error("%s", why);
		return 1;
	}
	close(SPAWN_FD_FIRST);
	running.text = registry.configuration;
	if (config_load(&running, start->config, error) < 0) {
		log_error("%s", error);
		return 1;
	}
	log_set_level(start->config->log_level);
	log_output_set(start->config->log_to);
	start->registry = &registry;
	return supervisor_run(start);
}

/*
 * The configuration; where it is wrong, and an earlier supervisor has left sessions to
 * go on with, the one that it had. -1 when a line was logged.
 */
static int load(const struct options *options, struct config *config)
{
	bool serve = !options->check && !options->print;
	struct config_source last = {0};
	char error[CONFIG_ERROR_MAX];

	if (config_load(&options->source, config, error) == 0)
		return 0;
	log_error("%s", error);
	char *text = serve ? supervisor_last_configuration() : NULL;
	if (text == NULL)
		return -1;
	last.text = text;
	int result = config_load(&last, config, error);
	free(text);
	if (result < 0)
		log_error("the last configuration: %s", error);
	else
		log_warning("going on with the configuration that was in effect");
	return result;
}

int main(int argc, char **argv, char **environment)
{
	static struct options options = {.source = {.file = DEFAULT_FILE, .optional = true}};
	static struct config config;
	struct supervisor_start start = {.source = &options.source, .config = &config};

	setproctitle_init(argc, argv, environment);
	parse_options(argc, argv, &options);
	if (options.role == RUN_MASTER)
		return run_master();
	if (options.verbose)
		add_override(&options, "log-level=debug");
	options.source.overrides = options.overrides;
	start.arguments = without_role(argv, options.role);
	log_output_open("calmd", ROLE_SUPERVISOR);
	if (options.role == RUN_CHECK)
		return supervisor_check(&options.source);
	if (options.role == RUN_SUCCESSOR)
		return run_successor(&start);
	if (load(&options, &config) < 0)
		return 1;
	if (options.print)
		config_print(&config, stdout);
	else if (options.check)
		puts("configuration is valid");
	if (options.print || options.check)
		return fflush(stdout) == 0 ? 0 : 1;
	log_set_level(config.log_level);
	log_output_set(config.log_to);
	return supervisor_run(&start);
}
