/*
 * The configuration: /etc/calmd.conf and the command line's -o, read by
 * libconfuse, checked, and as a plain struct. calmd.conf(5) describes the keys.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/log.h"
#include "daemon/message.h"

#define CONFIG_NAME_MAX    33  /* of a user or group, with NUL */
#define CONFIG_PATH_MAX    256 /* with NUL */
#define CONFIG_SOCKET_MAX  108 /* struct sockaddr_un, with NUL */
#define CONFIG_MESSAGE_MAX 200 /* of busy-message, with NUL */
#define CONFIG_ERROR_MAX   512

/* Times in microseconds, 0: off. Names that are not set are empty. */
struct config {
	struct endpoint listen[MESSAGE_LISTEN_MAX];
	uint32_t listens;
	uint32_t listen_proxied; /* a bit each: its clients come by way of a proxy */
	struct message_prefixes proxy_from;
	char user[CONFIG_NAME_MAX];
	char worker_user[CONFIG_NAME_MAX];
	uint32_t max_connections;
	uint32_t max_connections_per_source;        /* 0: no limit */
	uint32_t connections_per_minute_per_source; /* 0: no limit */
	uint32_t ban_after;                         /* 0: never */
	uint64_t ban_time_us;
	struct message_prefixes ban_exempt;
	uint32_t backlog;
	uint32_t half_open;
	uint32_t syn_cookies; /* enum stack_syn_cookies */
	uint32_t busy;        /* enum stack_busy */
	char busy_message[CONFIG_MESSAGE_MAX];
	uint32_t min_spare_workers;
	uint32_t max_spare_workers;
	struct message_strings login;
	struct message_strings accept_env;
	char banner[CONFIG_PATH_MAX];
	uint64_t keepalive_us;
	uint64_t user_timeout_us;
	uint32_t user_timeout_option; /* 0: off */
	uint32_t stalled_memory;
	uint64_t call_timeout_us;
	uint64_t login_timeout_us;
	uint64_t idle_timeout_us;
	uint64_t probe_us;
	uint64_t msl_us;
	uint32_t quiet; /* enum quiet_override */
	uint64_t quiet_us;
	uint32_t congestion; /* enum congestion_algorithm */
	uint32_t dscp;
	uint32_t ttl;
	uint32_t ecn; /* 0: off */
	uint32_t send_buffer;
	uint32_t receive_buffer;
	char control_socket[CONFIG_SOCKET_MAX];
	char control_group[CONFIG_NAME_MAX];
	char control_read_group[CONFIG_NAME_MAX];
	char state_dir[CONFIG_PATH_MAX];
	char opener_socket[CONFIG_SOCKET_MAX]; /* empty: the supervisor starts an opener */
	uint32_t log_level;                    /* enum log_level */
	uint32_t log_to;                       /* enum log_output */
};

/* Where a configuration comes from. */
struct config_source {
	const char *file;             /* NULL: the defaults only */
	const char *text;             /* not NULL: as config_print() writes it, before the file */
	bool optional;                /* a file that is not there is as good as empty */
	const char *const *overrides; /* KEY=VALUE each */
	unsigned override_count;
};

/*
 * Reads and checks everything into *CONFIG. Returns 0, or -1 with one line in
 * ERROR that names the file, the line and the key ("-o KEY" for an override).
 */
int config_load(const struct config_source *source, struct config *config,
                char error[CONFIG_ERROR_MAX]);

/* Writes CONFIG in the syntax of the file: reading that gives the same again. */
void config_print(const struct config *config, FILE *out);

#endif
