/*
 * calmctl: shows and steers a running calmd over its control socket. See
 * calmctl(8). Exit status: 0 done, 1 refused or failed, 2 usage.
 */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "daemon/calmctl_client.h"
#include "daemon/calmctl_text.h"
#include "daemon/calmctl_upgrade.h"
#include "daemon/config_value.h"
#include "daemon/version.h"

#define DEFAULT_SOCKET "/run/calmd/control"
#define EXIT_USAGE     2

struct options {
	const char *socket_path;
	bool json;
};

static const char usage_text[] =
	"usage: calmctl [-s SOCKET] [--json] COMMAND\n"
	"\n"
	"  status                              how the daemon is\n"
	"  list                                all connections, one a line\n"
	"  list --sources                      where they come from, and who is banned\n"
	"  show ID                             everything about one\n"
	"  close ID                            end it with FIN\n"
	"  abort ID                            end it with RST\n"
	"  call [-46] [-p PORT] HOST[:PORT]    open a connection, then a session for who answers\n"
	"  ban ADDRESS[/BITS] [TIME]           let nobody in from there (TIME: 30s, 5m, 2h)\n"
	"  unban ADDRESS[/BITS]                let them in again\n"
	"  stats                               the counters\n"
	"  drain                               take no new connections; sessions go on\n"
	"  resume                              take new connections again\n"
	"  reload                              read the configuration again\n"
	"  upgrade                             go on as the version that is on disk now\n"
	"\n"
	"  -s, --socket SOCKET  the daemon's control socket (" DEFAULT_SOCKET ")\n"
	"  -j, --json           print the daemon's answer as JSON\n"
	"      --help, --version\n";

static int usage(const char *problem)
{
	fprintf(stderr, "calmctl: %s; calmctl --help says more\n", problem);
	return EXIT_USAGE;
}

static int failed(const char *error)
{
	fprintf(stderr, "calmctl: %s\n", error);
	return EXIT_FAILURE;
}

/* What is printed must have arrived, so that a full disk is not silence. */
static int finish(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return failed("cannot write the answer");
	return EXIT_SUCCESS;
}

/* Prints RESULT and gives it up; PRINT is for people, NULL where there is nothing to say. */
static int print_result(const struct options *options, json_t *result,
                        void (*print)(FILE *, const json_t *))
{
	if (options->json) {
		json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
		putchar('\n');
	} else if (print != NULL) {
		print(stdout, result);
	}
	json_decref(result);
	return finish();
}

/* Asks and prints. */
static int ask(const struct options *options, json_t *request,
               void (*print)(FILE *, const json_t *))
{
	char error[CALMCTL_ERROR_MAX];
	json_t *result = calmctl_ask(options->socket_path, request, error);

	return result != NULL ? print_result(options, result, print) : failed(error);
}

/* A whole decimal number from 1 to MAX; 0 for anything else. */
static long long read_number(const char *text, long long max)
{
	char *end;
	long long number;

	if (text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	number = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0 && number <= max ? number : 0;
}

static int ask_plain(const struct options *options, const char *command, int argc,
                     void (*print)(FILE *, const json_t *))
{
	if (argc != 1)
		return usage("too many arguments");
	return ask(options, json_pack("{s:s}", "command", command), print);
}

static int ask_id(const struct options *options, const char *command, int argc, char **argv,
                  void (*print)(FILE *, const json_t *))
{
	long long id;

	if (argc != 2)
		return usage("which connection? calmctl list shows their IDs");
	id = read_number(argv[1], INT64_MAX);
	if (id == 0)
		return usage("an ID is a number above 0");
	return ask(options, json_pack("{s:s, s:I}", "command", command, "id", (json_int_t)id),
	           print);
}

static int run_status(const struct options *options, int argc, char **argv)
{
	return ask_plain(options, argv[0], argc, calmctl_print_status);
}

static int run_list(const struct options *options, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--sources") == 0)
		return ask_plain(options, "sources", 1, calmctl_print_sources);
	return ask_plain(options, argv[0], argc, calmctl_print_list);
}

static int run_stats(const struct options *options, int argc, char **argv)
{
	return ask_plain(options, argv[0], argc, calmctl_print_stats);
}

static int run_show(const struct options *options, int argc, char **argv)
{
	return ask_id(options, argv[0], argc, argv, calmctl_print_show);
}

/* reload, drain and resume */
static int run_notes(const struct options *options, int argc, char **argv)
{
	return ask_plain(options, argv[0], argc, calmctl_print_notes);
}

static int run_upgrade(const struct options *options, int argc, char **argv)
{
	char error[CALMCTL_ERROR_MAX];
	json_t *status;

	(void)argv;
	if (argc != 1)
		return usage("too many arguments");
	status = calmctl_upgrade(options->socket_path, error);
	return status != NULL ? print_result(options, status, calmctl_print_version)
	                      : failed(error);
}

static int run_ban(const struct options *options, int argc, char **argv)
{
	json_t *request;
	uint64_t seconds;

	if (argc != 2 && argc != 3)
		return usage("ban whom, and for how long?");
	request = json_pack("{s:s, s:s}", "command", "ban", "address", argv[1]);
	if (argc == 3) {
		if (!value_time(argv[2], &seconds) || seconds == 0 || seconds > INT64_MAX)
			return usage("a time is a number above 0 with s, m or h");
		json_object_set_new(request, "time_s", json_integer((json_int_t)seconds));
	}
	return ask(options, request, calmctl_print_ban);
}

static int run_unban(const struct options *options, int argc, char **argv)
{
	if (argc != 2)
		return usage("unban whom?");
	return ask(options, json_pack("{s:s, s:s}", "command", "unban", "address", argv[1]), NULL);
}

/* close and abort */
static int run_end(const struct options *options, int argc, char **argv)
{
	return ask_id(options, argv[0], argc, argv, NULL);
}

/* The request that calls one of the host's addresses; NULL when it cannot be written. */
static json_t *call_request(const struct addrinfo *address, long long local_port)
{
	char host[NI_MAXHOST], service[NI_MAXSERV], peer[NI_MAXHOST + NI_MAXSERV + 4];
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address->ai_addr;
	json_t *request;
	char *scope;

	if (getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), service,
	                sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return NULL;
	scope = strchr(host, '%');
	if (scope != NULL)
		*scope = '\0';
	snprintf(peer, sizeof(peer), address->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
	         service);
	request = json_pack("{s:s, s:s}", "command", "call", "peer", peer);
	if (local_port != 0)
		json_object_set_new(request, "port", json_integer(local_port));
	if (address->ai_family == AF_INET6 && v6->sin6_scope_id != 0)
		json_object_set_new(request, "interface", json_integer(v6->sin6_scope_id));
	return request;
}

/* Calls the host's addresses one after the other until one answers. */
static int call_host(const struct options *options, const char *host, const char *port, int family,
                     long long local_port)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list, *address;
	char error[CALMCTL_ERROR_MAX] = "no address to call";
	json_t *result = NULL;
	int failure = getaddrinfo(host, port, &hints, &list);

	if (failure != 0) {
		snprintf(error, sizeof(error), "%s: %s", host, gai_strerror(failure));
		return failed(error);
	}
	for (address = list; address != NULL && result == NULL; address = address->ai_next) {
		json_t *request = call_request(address, local_port);

		if (request != NULL)
			result = calmctl_ask(options->socket_path, request, error);
	}
	freeaddrinfo(list);
	if (result == NULL)
		return failed(error);
	if (options->json) {
		json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
		putchar('\n');
	} else {
		printf("connection %lld is established\n", calmctl_number(result, "id"));
	}
	json_decref(result);
	return finish();
}

static int run_call(const struct options *options, int argc, char **argv)
{
	const char *host, *port;
	long long local_port = 0;
	int family = AF_UNSPEC, option;

	optind = 0; /* a second getopt, from its start */
	while ((option = getopt(argc, argv, "+46p:")) != -1) {
		switch (option) {
		case '4':
			family = AF_INET;
			break;
		case '6':
			family = AF_INET6;
			break;
		case 'p':
			local_port = read_number(optarg, 65535);
			if (local_port == 0)
				return usage("a port is a number from 1 to 65535");
			break;
		default:
			return usage("call has -4, -6 and -p PORT");
		}
	}
	if (argc - optind != 1)
		return usage("call whom?");
	if (!calmctl_split(argv[optind], &host, &port))
		return usage("a host to call is HOST, HOST:PORT or [ADDRESS]:PORT");
	/* getaddrinfo(3) would take the low 16 bits of a number; a name it looks up. */
	if (port[0] >= '0' && port[0] <= '9' && read_number(port, 65535) == 0)
		return usage("a port is a number from 1 to 65535");
	return call_host(options, host, port, family, local_port);
}

static const struct {
	const char *name;
	int (*run)(const struct options *options, int argc, char **argv);
} commands[] = {
	{"status", run_status}, {"list", run_list},       {"show", run_show},
	{"close", run_end},     {"abort", run_end},       {"call", run_call},
	{"stats", run_stats},   {"drain", run_notes},     {"resume", run_notes},
	{"reload", run_notes},  {"upgrade", run_upgrade}, {"ban", run_ban},
	{"unban", run_unban},
};

/* --json may stand behind the command, too: takes it out, returns how many words are left. */
static int take_json(int argc, char **argv, struct options *options)
{
	int left = 1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			options->json = true;
		else
			argv[left++] = argv[i];
	}
	argv[left] = NULL;
	return left;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {.socket_path = DEFAULT_SOCKET};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+s:jhV", long_options, NULL)) != -1) {
		switch (option) {
		case 's':
			options.socket_path = optarg;
			break;
		case 'j':
			options.json = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return finish();
		case 'V':
			printf("calmctl %s\n", version_text());
			return finish();
		default:
			return usage("unknown option or missing argument");
		}
	}
	if (optind == argc)
		return usage("no command");
	argc -= optind;
	argv += optind;
	argc = take_json(argc, argv, &options);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(&options, argc, argv);
	}
	return usage("unknown command");
}
