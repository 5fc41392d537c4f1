/*
 * The table of configuration keys. etc/calmd.conf shows the same defaults to
 * people; a test compares the two.
 */
#include "daemon/config_keys.h"

#include <string.h>

#include "daemon/log_output.h"
#include "stack/congestion.h"
#include "stack/ring.h"
#include "stack/stack.h"

#define DAY (24u * 60 * 60)

static const char *switch_choice(uint32_t index)
{
	static const char *const words[] = {"off", "on"};

	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const char *busy_choice(uint32_t index)
{
	static const char *const words[] = {
		[STACK_BUSY_DROP] = "drop",
		[STACK_BUSY_RESET] = "reset",
		[STACK_BUSY_MESSAGE] = "message",
	};

	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const char *syn_cookies_choice(uint32_t index)
{
	static const char *const words[] = {
		[STACK_COOKIES_AUTO] = "auto",
		[STACK_COOKIES_ALWAYS] = "always",
		[STACK_COOKIES_OFF] = "off",
	};

	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const char *congestion_choice(uint32_t index)
{
	const struct congestion congestion = {.algorithm = index};

	return index < CONGESTION_ALGORITHMS ? congestion_ops(&congestion)->name : NULL;
}

static const char *log_level_choice(uint32_t index)
{
	return log_level_name(index);
}

static const char *log_to_choice(uint32_t index)
{
	static const char *const words[LOG_OUTPUTS] = {
		[LOG_OUTPUT_AUTO] = "auto",     [LOG_OUTPUT_STDERR] = "stderr",
		[LOG_OUTPUT_JSON] = "json",     [LOG_OUTPUT_JOURNAL] = "journal",
		[LOG_OUTPUT_SYSLOG] = "syslog",
	};

	return index < LOG_OUTPUTS ? words[index] : NULL;
}

#define AT(member)    .offset = offsetof(struct config, member)
#define SIZED(member) AT(member), .size = sizeof(((struct config *)NULL)->member)

/* Both members that quiet-time has, one behind the other. */
#define QUIET_SIZE                                                                                 \
	(offsetof(struct config, quiet_us) + sizeof(uint64_t) - offsetof(struct config, quiet))

const struct config_key config_keys[] = {
	{"listen", "{\"127.0.0.1:23\", \"[::1]:23\"}", &config_endpoints, AT(listen)},
	{"proxy-from", "{\"127.0.0.1\", \"::1\"}", &config_prefixes, AT(proxy_from)},
	{"user", "_calmd", &config_name, SIZED(user), .min = 1, .restart = true},
	{"worker-user", "_calmd-worker", &config_name, SIZED(worker_user), .min = 1,
         .restart = true},
	{"max-connections", "250", &config_number, SIZED(max_connections), .min = 1, .max = 60000},
	{"max-connections-per-source", "100", &config_number, AT(max_connections_per_source),
         .max = 60000},
	{"connections-per-minute-per-source", "0", &config_number,
         AT(connections_per_minute_per_source), .max = 60000},
	{"ban-after", "20", &config_number, AT(ban_after), .max = 60000},
	{"ban-time", "1m", &config_time, AT(ban_time_us), .min = 1, .max = DAY},
	{"ban-exempt", "{\"127.0.0.0/8\", \"::1\"}", &config_prefixes, AT(ban_exempt)},
	{"backlog", "64", &config_number, SIZED(backlog), .min = 1, .max = 60000},
	{"half-open", "1024", &config_number, SIZED(half_open), .min = 1, .max = 1000000},
	{"syn-cookies", "auto", &config_choice, AT(syn_cookies), .choice = syn_cookies_choice},
	{"busy", "drop", &config_choice, AT(busy), .choice = busy_choice},
	{"busy-message", "\"Too many connections. Please try again later.\"", &config_text,
         SIZED(busy_message)},
	{"min-spare-workers", "8", &config_number, AT(min_spare_workers), .min = 1, .max = 1000},
	{"max-spare-workers", "24", &config_number, AT(max_spare_workers), .min = 1, .max = 1000},
	{"login", "{\"login\", \"-p\", \"-h\", \"%h\", \"%u\"}", &config_arguments, AT(login)},
	{"accept-env", "{\"LANG\", \"LC_*\", \"COLORTERM\"}", &config_patterns, AT(accept_env)},
	{"banner", "\"\"", &config_path, SIZED(banner)},
	{"login-timeout", "off", &config_time, AT(login_timeout_us), .min = 1, .max = DAY,
         .zero = "off"},
	{"idle-timeout", "off", &config_time, AT(idle_timeout_us), .min = 1, .max = 7 * DAY,
         .zero = "off"},
	{"probe", "off", &config_time, AT(probe_us), .min = 1, .max = DAY, .zero = "off"},
	{"keepalive", "2h", &config_time, AT(keepalive_us), .min = 1, .max = 30 * DAY,
         .zero = "off"},
	{"user-timeout", "none", &config_time, AT(user_timeout_us), .min = 1, .max = 30 * DAY,
         .zero = "none"},
	{"user-timeout-option", "off", &config_choice, AT(user_timeout_option),
         .choice = switch_choice},
	{"stalled-memory", "64m", &config_bytes, AT(stalled_memory), .min = 64 << 10,
         .max = 2048u << 20},
	{"call-timeout", "3m", &config_time, AT(call_timeout_us), .min = 1, .max = 3600},
	{"msl", "30s", &config_time, AT(msl_us), .min = 1, .max = 600},
	{"quiet-time", "auto", &config_quiet, AT(quiet), .size = QUIET_SIZE, .min = 1, .max = 3600,
         .restart = true},
	{"congestion-control", "bbr", &config_choice, AT(congestion), .choice = congestion_choice},
	{"dscp", "0", &config_number, AT(dscp), .max = 63},
	{"ttl", "64", &config_number, AT(ttl), .min = 1, .max = 255},
	{"ecn", "on", &config_choice, AT(ecn), .choice = switch_choice},
	{"send-buffer", "4m", &config_size, AT(send_buffer), .min = RING_SIZE_MIN,
         .max = RING_SIZE_MAX},
	{"receive-buffer", "256k", &config_size, AT(receive_buffer), .min = RING_SIZE_MIN,
         .max = RING_SIZE_MAX},
	{"control-socket", "/run/calmd/control", &config_path, SIZED(control_socket), .min = 1,
         .restart = true},
	{"control-group", "\"\"", &config_name, SIZED(control_group)},
	{"control-read-group", "\"\"", &config_name, SIZED(control_read_group)},
	{"state-dir", "/var/lib/calmd", &config_path, SIZED(state_dir), .min = 1, .restart = true},
	{"opener-socket", "\"\"", &config_path, SIZED(opener_socket), .restart = true},
	{"log-level", "info", &config_choice, AT(log_level), .choice = log_level_choice},
	{"log-to", "auto", &config_choice, AT(log_to), .choice = log_to_choice},
};

const unsigned config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

const struct config_key *config_key_find(const char *name)
{
	for (unsigned i = 0; i < config_key_count; i++) {
		if (strcmp(config_keys[i].name, name) == 0)
			return &config_keys[i];
	}
	return NULL;
}
