/*
 * The messages between calmd's processes: one format, one place that writes and
 * reads it, one table of who may send what to whom and when.
 *
 * A channel is a SOCK_SEQPACKET Unix-domain socket pair. A message is a header
 * and a payload struct, sent whole in one record, with up to MESSAGE_FDS_MAX
 * descriptors. Payloads are host-order structs: both ends are the same build or
 * check the version. Links libc only, since the workers use it.
 *
 * A request of an unprivileged process and its privileged answer are a pair by
 * name: priv_X asks (in the asker), root_X does (in the privileged process).
 */
#ifndef DAEMON_MESSAGE_H
#define DAEMON_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/log.h"
#include "stack/address.h"
#include "stack/quiet.h"

#define MESSAGE_VERSION     3u
#define MESSAGE_PAYLOAD_MAX 8192u
#define MESSAGE_FDS_MAX     10u

/* Which process sends; each channel has exactly two of them as its ends. */
enum role {
	ROLE_SUPERVISOR,
	ROLE_MASTER,
	ROLE_WORKER,
	ROLE_OPENER,
	ROLE_KEEPER,
	ROLES
};

/* How far the sender has come; it may only send what its phase allows. */
enum phase {
	PHASE_START = 1, /* until it has its configuration and has dropped its rights */
	PHASE_RUN = 2,
	PHASE_SESSION = 4, /* a worker with a session */
	PHASE_END = 8,     /* told to terminate */
};

enum message_type {
	MESSAGE_NONE = 0,

	/* supervisor to master */
	MESSAGE_MASTER_CONFIG, /* struct message_master_config; fds: chroot directory, table, route socket,
	                           control listener, ICMPv4, ICMPv6 (not there on a host without IPv6) */
	MESSAGE_LANES,         /* struct message_lanes; fds: SYN lane, data lane */
	MESSAGE_LANES_CLOSE, /* struct message_lanes: read these dry and close them */
	MESSAGE_BARRED_PAIRS, /* struct message_barred_pairs: in TIME-WAIT since before the start; sent
	                           before MESSAGE_LANES */
	MESSAGE_WORKER_ADD, /* struct message_worker; fds: channel to the worker, ring, the bell that
	                           the worker rings, the one it waits for. To the opener too, fds:
	                           channel to the worker */
	MESSAGE_WORKER_GONE, /* struct message_worker_gone; to the opener too */
	MESSAGE_TERMINATE,   /* no payload; to every role: end in order */
	MESSAGE_CALL_PORT, /* struct message_call_port: the answer to priv_call_port, sent after its
	                           MESSAGE_LANES; before MESSAGE_TAKE_OVER: a call that is kept */
	MESSAGE_TAKE_OVER, /* no payload: all that is kept has been told; go on with it */
	MESSAGE_HAND_OVER, /* no payload: leave everything to the next master, and exit */

	/* master to supervisor */
	MESSAGE_READY,          /* no payload: rights dropped, serving; from a worker too, and from
	                           the opener, with struct message_ready */
	MESSAGE_WORKER_TAKEN,   /* struct message_worker: it has a connection */
	MESSAGE_WORKER_RELEASE, /* struct message_worker: its ring is no longer needed */
	MESSAGE_PRIV_CALL_PORT, /* struct message_call_port: a guarded port and lanes, please */
	MESSAGE_PRIV_CALL_END, /* struct message_call_port: the guard and lanes of that call can go */
	MESSAGE_DRAINED,       /* no payload: every connection has ended */
	MESSAGE_TAKEN_OVER, /* struct message_taken_over: it has gone on where the last one stopped */
	MESSAGE_LOG,        /* struct message_log, text; from every role to the supervisor */

	/* supervisor to worker; fds: chroot directory */
	MESSAGE_WORKER_CONFIG, /* struct message_worker_config, filter of the sandbox */
	/* supervisor to opener */
	MESSAGE_OPENER_CONFIG, /* struct message_opener_config */

	/* master to worker */
	MESSAGE_OPEN, /* struct message_open */

	/* worker to opener, and its answer */
	MESSAGE_PRIV_OPEN_SESSION, /* struct message_open_session */
	MESSAGE_SESSION, /* struct message_session, text; fds when status is 0: pty, channel to the keeper */

	/* keeper to worker */
	MESSAGE_SESSION_ENDED, /* struct message_session_ended */

	/* master to supervisor, for a control client that waits; each is answered once */
	MESSAGE_PRIV_RELOAD,  /* struct message_request: read the configuration again */
	MESSAGE_PRIV_UPGRADE, /* struct message_request: become the program that is on disk now */
	MESSAGE_PRIV_DRAIN,   /* struct message_request: no new connections from now on */
	MESSAGE_PRIV_RESUME,  /* struct message_request: take them again */

	/* master to supervisor */
	MESSAGE_PRIV_LISTEN_END, /* struct message_listen: no connection of that closed listener is left */

	/* supervisor to master */
	MESSAGE_ANSWER,    /* struct message_answer, text: to such a request */
	MESSAGE_CONFIGURE, /* struct message_master_config: is in effect from now on */

	/* master to supervisor */
	MESSAGE_PRIV_WORKER_END, /* struct message_worker: it is to end; the second time, to be killed */

	/* supervisor to master, which sends it back */
	MESSAGE_HEARTBEAT, /* no payload: a sign of life, please */

	/* worker to master */
	MESSAGE_SIGNATURE, /* struct message_signature: what its client has done, and should not */
	MESSAGE_SESSION_NOTE, /* struct message_session_note: who is there, and why it ends */

	/* worker to keeper, and its answer */
	MESSAGE_PRIV_FIND_USER, /* no payload: who has logged in? */
	MESSAGE_SESSION_USER,   /* struct message_session_user */

	/* master or worker to supervisor */
	MESSAGE_VIOLATION, /* struct message_violation: the sandbox has ended the sender */

	MESSAGE_TYPES
};

struct message_header {
	uint32_t version; /* MESSAGE_VERSION */
	uint32_t type;
	uint32_t length; /* of the payload */
	uint32_t fds;    /* descriptors that come with it */
};

/* A message as received. Descriptors belong to the receiver. */
struct message {
	struct message_header header;
	int fd[MESSAGE_FDS_MAX];
	/* aligned for any payload struct */
	_Alignas(16) uint8_t payload[MESSAGE_PAYLOAD_MAX];
};

#define MESSAGE_LISTEN_MAX   16u
#define MESSAGE_PREFIXES_MAX 32u

/* A list of addresses of the configuration. */
struct message_prefixes {
	uint32_t count;
	struct ip_prefix prefix[MESSAGE_PREFIXES_MAX];
};

/* What the master needs to know of the configuration. Times in microseconds. */
struct message_master_config {
	uint32_t uid, gid;
	uint32_t listens;
	struct endpoint listen[MESSAGE_LISTEN_MAX];
	uint32_t listen_proxied; /* a bit each: its clients come by way of a proxy */
	struct message_prefixes proxy_from;
	/* not wanted any more, but connections live there: new ones get RST */
	uint32_t closed_listens;
	struct endpoint closed_listen[MESSAGE_LISTEN_MAX];
	uint32_t draining; /* 1: no new connections */
	/* struct table_shape: of the connection table, whatever the limits are now */
	uint32_t table_conns, table_half_opens, table_time_waits;
	uint32_t max_connections;
	uint32_t max_connections_per_source;        /* 0: no limit */
	uint32_t connections_per_minute_per_source; /* 0: no limit */
	uint32_t ban_after;                         /* 0: never */
	struct message_prefixes ban_exempt;
	uint32_t backlog;
	uint32_t half_open;
	uint32_t time_wait;
	uint32_t busy;        /* enum stack_busy */
	uint32_t syn_cookies; /* enum stack_syn_cookies */
	uint32_t congestion;  /* enum congestion_algorithm */
	uint32_t ecn;         /* 0: off */
	uint32_t send_buffer;
	uint32_t receive_buffer;
	uint32_t dscp, ttl;
	uint32_t min_spare_workers, max_spare_workers;
	uint32_t log_level;
	uint32_t supervisor_pid;
	uint32_t takeovers; /* masters before this one */
	uint32_t upgrades;  /* of the supervisor to another version */
	uint32_t
		crashed; /* so many of these in a row died of their own fault; 0: the last did not */
	uint32_t quiet_reason;   /* enum quiet_reason */
	uint64_t quiet_until_us; /* of the engine's clock; 0: none. For a new table */
	uint64_t started_us;     /* when the daemon began, CLOCK_MONOTONIC */
	uint64_t msl_us;
	uint64_t keepalive_us;        /* 0: off */
	uint64_t user_timeout_us;     /* 0: none */
	uint32_t user_timeout_option; /* 0: off */
	uint32_t stalled_memory;      /* bytes */
	uint64_t call_timeout_us;
	uint64_t ban_time_us;
	uint64_t login_timeout_us; /* 0: none; these three are for workers */
	uint64_t idle_timeout_us;
	uint64_t probe_us;
	uint32_t control_gid;      /* UINT32_MAX: none */
	uint32_t control_read_gid; /* UINT32_MAX: none */
	char busy_message[256];
	char version[32];
};

#define MESSAGE_PAIRS_MAX 90u

struct message_barred_pairs {
	uint32_t count;
	uint32_t reserved;
	struct quiet_pair pair[MESSAGE_PAIRS_MAX]; /* times are of the engine's clock */
};

/* Raw sockets for one listening endpoint, one address family, or one call. */
struct message_lanes {
	uint64_t call;    /* 0: for the listeners; else the call they serve */
	uint32_t version; /* enum ip_version */
	uint32_t set;     /* which of them: new ones come before the old ones go */
};

struct message_listen {
	struct endpoint local;
};

struct message_worker {
	uint64_t worker; /* number, never used twice */
	uint32_t pid;
	uint32_t rx_size;
	uint32_t tx_size;
	uint32_t taken;  /* 1: it has or had a connection, as far as the supervisor was told */
	uint32_t former; /* 1: of an earlier version, about to end: not to be given a connection */
	uint32_t reserved;
};

/* What a new master went on with. */
struct message_taken_over {
	uint32_t connections; /* that have a worker */
	uint32_t lost;        /* that had to be reset */
};

struct message_worker_gone {
	uint64_t worker;
	int32_t status; /* as waitpid gives it */
	uint32_t reserved;
};

struct message_worker_config {
	uint32_t uid, gid;
	uint32_t rx_size, tx_size;
	uint64_t worker;
	uint32_t log_level;
	uint32_t
		filter_length; /* of the sandbox's filter, which follows: struct sock_filter each */
};

/* A system call that is not in the sender's list (sandbox_calls.c), and was not made. */
struct message_violation {
	uint32_t call;
	uint32_t architecture; /* AUDIT_ARCH_..., whose number that is */
};

#define MESSAGE_STRINGS_MAX  32u
#define MESSAGE_STRINGS_SIZE 2048u

/* A list: count strings, each with its NUL, one behind the other; size bytes in all. */
struct message_strings {
	uint32_t count;
	uint32_t size;
	char text[MESSAGE_STRINGS_SIZE];
};

struct message_opener_config {
	uint32_t log_level;
	struct message_strings login;      /* argv; %h and %u are not yet replaced */
	struct message_strings accept_env; /* patterns */
	char banner[256];                  /* path; "": none */
};

/* Times in milliseconds, 0: none. */
struct message_open {
	uint64_t conn_id;
	struct flow flow;
	uint32_t login_timeout_ms; /* until somebody has logged in */
	uint32_t idle_timeout_ms;  /* without input */
	uint32_t probe_ms;         /* of silence, until the client is asked whether it is there */
	uint32_t reserved;
};

/* Why calmd, the session or the client has made an end. */
enum session_ending {
	SESSION_GOES_ON,
	SESSION_LOGOUT,        /* login or the shell has ended */
	SESSION_CLIENT,        /* the client has closed its side, or asked for the end */
	SESSION_LOGIN_TIMEOUT, /* nobody logged in */
	SESSION_IDLE_TIMEOUT,  /* no input */
	SESSION_SILENT,        /* the client does not answer */
	SESSION_SHUTDOWN,      /* calmd ends */
	SESSION_FAILED,        /* there was none to be had */
	SESSION_ENDINGS
};

#define SESSION_LOGNAME_SIZE 36u

/* The whole of what is known; each replaces the one before. */
struct message_session_note {
	uint64_t conn_id;
	uint32_t ending;                 /* enum session_ending */
	char user[SESSION_LOGNAME_SIZE]; /* message_user_valid(), or "": nobody yet */
};

struct message_session_user {
	char user[SESSION_LOGNAME_SIZE]; /* the same */
};

/* What is known as an attack on a telnet daemon; shell/signature.c says how each is told. */
enum signature {
	SIGNATURE_NONE,
	SIGNATURE_USER,        /* a user name that login(1) would take for an option */
	SIGNATURE_ENVIRONMENT, /* a variable that changes what a program loads or runs */
	SIGNATURE_SLC,         /* more special characters than there are */
	SIGNATURE_ENCRYPT,     /* a key id longer than those that there are */
	SIGNATURE_ENDLESS,     /* a subnegotiation that does not end */
	SIGNATURE_LOGIN, /* no attack, but counted too: login has ended without a user, and failed */
	SIGNATURES
};

/* Each of them once a connection, at most. */
struct message_signature {
	uint64_t conn_id;
	uint32_t signature; /* enum signature */
	uint32_t reserved;
};

/* For MESSAGE_PRIV_CALL_PORT, MESSAGE_CALL_PORT and MESSAGE_PRIV_CALL_END. */
struct message_call_port {
	uint64_t call;         /* the master's number for this call, above 0 */
	struct endpoint local; /* asked: address set; port 0: any free one; answered: the port */
	struct endpoint peer;
	int32_t error; /* answered: 0 or errno */
	uint32_t reserved;
};

#define SESSION_TERMINAL_SIZE    44u
#define SESSION_USER_SIZE        33u
#define SESSION_DISPLAY_SIZE     129u
#define SESSION_ENVIRONMENT_SIZE 2048u

/* Variables as NAME=VALUE, each with its NUL, size bytes in all. */
struct message_environment {
	uint32_t size;
	char text[SESSION_ENVIRONMENT_SIZE];
};

/*
 * What a worker may ask of the opener: data about the terminal, the client and who it says it
 * is, no command. shell/session_data.h has what each may be.
 */
struct message_open_session {
	struct endpoint peer;
	uint16_t rows, columns; /* 0: not known */
	uint32_t speed_in;      /* bits a second, from the client; 0: not known */
	uint32_t speed_out;     /* to the client */
	char terminal[SESSION_TERMINAL_SIZE];
	char user[SESSION_USER_SIZE];           /* "": not told */
	char display[SESSION_DISPLAY_SIZE];     /* "": not told */
	struct message_environment environment; /* all that the client offers */
};

/* Of an opener, which is not always a child of the supervisor: who it is, for the log. */
struct message_ready {
	uint32_t pid;
};

#define SESSION_BANNER_MAX 4096u

struct message_session {
	int32_t error; /* 0 or errno */
	uint32_t pid;  /* the keeper */
		       /* then the banner, without NUL: text for the client, lines end with CR LF */
};

struct message_session_ended {
	int32_t status;                  /* as waitpid gives it */
	char user[SESSION_LOGNAME_SIZE]; /* who was logged in, as in message_session_note */
};

/*
 * What a control client asks of the supervisor (MESSAGE_PRIV_RELOAD and its like). It has no
 * arguments: what is to be done, the supervisor finds out by itself.
 */
struct message_request {
	uint64_t client; /* the master's number for whom to answer, above 0 */
};

#define MESSAGE_ANSWER_TEXT_MAX 4096u

struct message_answer {
	uint64_t client; /* as asked */
	uint32_t done;   /* 0: refused */
	uint32_t reserved;
	/* then the text, without NUL: lines about what was done, or one that says why not */
};

/* A record of the log; what its fields are for, daemon/log.h says. */
struct message_log {
	uint64_t time_us;    /* CLOCK_REALTIME */
	uint32_t level;      /* enum log_level */
	uint32_t event;      /* enum log_event */
	uint64_t connection; /* 0: none */
	uint64_t left_out;
	uint64_t bytes_in, bytes_out, duration_us;
	uint32_t measured; /* 0: these three say nothing */
	uint32_t reserved;
	struct endpoint peer, local; /* IP_NONE: none */
	/* each with its NUL */
	char user[LOG_USER_MAX];
	char state[LOG_STATE_MAX];
	char reason[LOG_REASON_MAX];
	char detail[LOG_DETAIL_MAX];
	/* then the text, without NUL */
};

/*
 * Sends one message of TYPE with LENGTH bytes of payload and COUNT descriptors,
 * which stay the caller's. Returns 0, or -1 with errno: EAGAIN when the channel
 * is full and FLAGS has MSG_DONTWAIT, EPIPE when the other end is gone (never a
 * signal), EMSGSIZE when LENGTH or COUNT is above its bound.
 */
int message_send(int channel, enum message_type type, const void *payload, size_t length,
                 const int *fds, size_t count, int flags);

/*
 * Receives one message into *MESSAGE. FLAGS may have MSG_DONTWAIT. Returns 1
 * for a message; 0 when the other end is gone; -1 with errno: EAGAIN for none
 * there, EBADMSG for one that is truncated, of another version, with a length
 * or number of descriptors that its header does not state (its descriptors are
 * closed). Descriptors are close-on-exec.
 */
int message_receive(int channel, struct message *message, int flags);

/*
 * True when FROM may send this message to TO in PHASE (a bit set of enum phase)
 * and its payload length and descriptors are as the table says. Anything else
 * ends the sender: the caller logs message_name() and closes the channel.
 */
bool message_allowed(const struct message *message, enum role from, enum role to, unsigned phase);

/* Closes the descriptors of a message that is not used. */
void message_discard(struct message *message);

/* The type's name for logs; "unknown" when out of range. */
const char *message_name(uint32_t type);

/* What the signature is, for people; "unknown" when out of range. */
const char *signature_name(uint32_t signature);
/* What an ending is, for people; "unknown" when out of range. */
const char *session_ending_text(uint32_t ending);

/* True for 1 to SESSION_LOGNAME_SIZE - 1 printable bytes without blanks, and a NUL: utmp's names. */
bool message_user_valid(const char *user, size_t size);

/* The role's name as in process titles and logs. */
const char *role_name(enum role role);

/*
 * True when root made the other end of CHANNEL: whoever connected, or listens, or made the
 * pair (SO_PEERCRED). Else false with errno, EPERM when it was somebody else.
 */
bool message_peer_is_root(int channel);

/* A connected pair of channels, close-on-exec. 0, or -1 with errno. */
int message_channel(int pair[2]);

#endif
