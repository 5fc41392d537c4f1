/*
 * The TCP engine's public face: what daemon, simulator and tests call.
 *
 * Packets, time and application events go in; packets, the next deadline and
 * notifications come out. The engine knows no sockets, no clock, no event loop
 * and no processes; it never blocks. Beside stack_create() and stack_listen() it allocates
 * memory only for what is in flight, and does without when there is none.
 *
 * Order of use, once for every batch of work:
 *
 *     stack_input(), stack_icmp(), stack_timers(), stack_ring_changed(), ...
 *     stack_output()      hands over packets; call until it returns 0
 *     stack_deadline()    says when stack_timers() must be called next
 *
 * Every call that changes a connection is one event: it is committed to the
 * table (table.h) before anything is published to a ring, told to a hook or
 * handed over by stack_output() ("commit before you speak"). All times are
 * microseconds of one monotonic clock that also runs while a new master starts.
 */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "ip.h"
#include "quiet.h"
#include "ring.h"
#include "state.h"
#include "stats.h"

/* What a client over a limit gets (configuration key `busy`). */
enum stack_busy {
	STACK_BUSY_DROP,    /* nothing: its own SYN retransmission gets in later */
	STACK_BUSY_RESET,   /* RST */
	STACK_BUSY_MESSAGE, /* a connection, one line of text, FIN */
};

/* When a SYN is answered with a cookie instead of an entry (configuration key `syn-cookies`). */
enum stack_syn_cookies {
	STACK_COOKIES_AUTO,   /* when the half-open entries have run out */
	STACK_COOKIES_ALWAYS, /* every SYN: for tests, and for who wants no half-open entries */
	STACK_COOKIES_OFF,    /* never: the oldest half-open entry makes room */
};

/* What a source must not do: it is banned when it has done too much of it. */
enum stack_offence {
	STACK_OFFENCE_REFUSED,   /* it completes handshakes over its limits */
	STACK_OFFENCE_SIGNATURE, /* a connection of it has sent what only an attack sends */
	STACK_OFFENCE_LOGIN,     /* a login failed */
	STACK_OFFENCES
};

/* How many entries of each kind the connection table has: fixed when it is made. */
struct table_shape {
	uint32_t conns;
	uint32_t half_opens;
	uint32_t time_waits;
};

#define STACK_BUSY_MESSAGE_MAX 255
#define STACK_PREFIXES_MAX     32u

struct stack_config {
	struct table_shape shape;                   /* all 0: as large as the limits below need */
	uint32_t max_connections;                   /* 1 to 60000; until their worker has ended */
	uint32_t max_connections_per_source;        /* 0: no limit */
	uint32_t connections_per_minute_per_source; /* 0: no limit */
	uint32_t ban_after;   /* points that a source is banned for; 0: never */
	uint64_t ban_time_us; /* the first time */
	uint32_t ban_exempts;
	struct ip_prefix ban_exempt[STACK_PREFIXES_MAX]; /* banned by hand only */
	uint32_t proxy_froms;
	struct ip_prefix proxy_from[STACK_PREFIXES_MAX]; /* whose headers are believed */
	uint32_t backlog;        /* established and waiting for a worker, 1 to 60000 */
	uint32_t half_open;      /* half-open entries, 1 to 1000000 */
	uint32_t time_wait;      /* TIME-WAIT entries, 1 to 1000000 */
	uint32_t receive_buffer; /* of the rings to come: decides the window scale */
	uint8_t dscp;            /* of all segments (RFC 2474): 0 to 63 */
	uint8_t ttl;             /* hop limit of all segments; 0: 64 */
	enum stack_busy busy;
	enum stack_syn_cookies syn_cookies;
	uint32_t congestion; /* enum congestion_algorithm */
	bool ecn;            /* negotiate RFC 3168 */
	uint64_t msl_us;
	uint64_t keepalive_us;    /* idle time before the first probe; 0: off */
	uint64_t user_timeout_us; /* 0: RFC 9293's R2 by retransmissions */
	bool user_timeout_option; /* send and heed RFC 5482's option */
	uint64_t stalled_bytes;   /* output that peers who take none may hold in all; 0: no limit */
	uint64_t call_timeout_us; /* SYN-SENT gives up after this */
	char busy_message[STACK_BUSY_MESSAGE_MAX + 1];
	/*
	 * When a table is taken up: so many engines in a row, the last one among them, died of
	 * their own fault; 0: the last one did not (see poison.c).
	 */
	uint32_t crashed;
};

/* Secrets for a fresh table, from the kernel's random source. */
struct stack_secrets {
	uint8_t sequence[16];
	uint8_t timestamp[16];
	uint8_t cookie[16];
	uint8_t hash[16];
};

/* A connection as its owner names it. The slot finds it, the id proves it. */
struct conn_handle {
	uint32_t slot;
	uint64_t id;
};

/* What has gone over a connection. */
struct stack_totals {
	uint64_t bytes_in, bytes_out; /* payload, each byte once */
	uint64_t duration_us;         /* since it was established */
};

/* Told after the commit. Hooks must not call the stack. NULL hooks are left out. */
struct stack_hooks {
	void *arg;
	/* The worker of this connection sleeps and has something new in its ring. */
	void (*doorbell)(void *arg, struct conn_handle conn, uint32_t worker);
	/*
	 * The connection needs its worker and ring no more: it is CLOSED or in
	 * TIME-WAIT, everything that could be delivered has been. The ring is
	 * not touched again.
	 */
	void (*detached)(void *arg, struct conn_handle conn, uint32_t worker);
	/*
	 * Every move of every connection, half-open and TIME-WAIT entries too. FLOW's peer is
	 * zero while a proxy has not said whose connection it is.
	 */
	void (*moved)(void *arg, uint64_t id, const struct flow *flow, enum tcp_state from,
	              enum tcp_state to, const char *why);
	/* An entry is gone for good: its id names nothing any more. */
	void (*ended)(void *arg, uint64_t id, const struct flow *flow, const char *why);
	/* A client was not let in, although its handshake was complete. */
	void (*refused)(void *arg, const struct flow *flow, const char *why);
	/* A source is banned for its offences. */
	void (*banned)(void *arg, const struct ip_address *source, uint64_t until_us,
	               const char *why);
	/*
	 * From stack_create() alone: an entry that a former engine left did not hold. Its ID may
	 * be anything; FLOW is NULL when it is not certain either.
	 */
	void (*dropped)(void *arg, uint64_t id, const struct flow *flow, const char *why);
	/*
	 * A connection that was established is over: it is in TIME-WAIT or CLOSED, as `moved`
	 * has just said.
	 */
	void (*finished)(void *arg, uint64_t id, const struct flow *flow,
	                 const struct stack_totals *totals, enum tcp_state to, const char *why);
};

struct stack;

/*
 * The shape in CONFIG; where it has none, the one with just enough room for its
 * limits. What makes the table keeps it: the limits may change, the table cannot.
 */
struct table_shape stack_shape(const struct stack_config *config);

/* True when a table of the shape in CONFIG has room for its limits. */
bool stack_fits(const struct stack_config *config);

/* Bytes of the connection table for this configuration. */
size_t stack_table_bytes(const struct stack_config *config);

/* The version of the table's layout: another one cannot be taken up. */
uint32_t stack_table_version(void);

/*
 * An engine on the table in TABLE (stack_table_bytes(), aligned to a page). With
 * SECRETS the memory, all zero, becomes a new table; without, a table that a
 * former engine left is taken up: a half-done event is undone, entries that do
 * not hold or have made three engines die are dropped, and their peers reset by the
 * first output. Returns
 * NULL when memory is short or the table does not fit the configuration.
 */
struct stack *stack_create(const struct stack_config *config, const struct stack_hooks *hooks,
                           void *table, size_t table_bytes, const struct stack_secrets *secrets);
void stack_destroy(struct stack *stack);

/*
 * Another configuration from now on; the shape stays that of the table, whatever CONFIG
 * says. Connections that are there follow where they can: keepalive and user timeout, and
 * what all segments have in common; what was agreed on with a peer stays. False, and
 * nothing has changed, when a value is impossible or the table is too small for a limit.
 */
bool stack_configure(struct stack *stack, const struct stack_config *config, uint64_t now_us);

/*
 * Passive OPEN (RFC 9293, 3.10.1) on LOCAL; its address may be 0.0.0.0 or ::. A
 * listener that was closed is open again. Returns false when there are too many
 * (STACK_LISTEN_MAX) or it is open already.
 */
#define STACK_LISTEN_MAX 32
bool stack_listen(struct stack *stack, const struct endpoint *local);

/*
 * Whether connections that come by the listener on exactly LOCAL begin with a header that
 * says whose they are, from one of the configuration's proxies. They wait for it, for a few
 * seconds, and have no worker before. Those that are there keep what they have.
 */
void stack_listen_proxied(struct stack *stack, const struct endpoint *local, bool proxied);

/*
 * The next connection that waits for its header and from which something has come since it
 * was last asked for: what there is of its stream, valid until the next call, and whether
 * there will be no more. False: none.
 */
bool stack_header_next(struct stack *stack, struct conn_handle *conn, const uint8_t **bytes,
                       size_t *length, bool *ended);

/*
 * BYTES of that were the header. CLIENT: whom the proxy brings; NULL: it speaks for itself.
 * The client's limits are applied, and the connection waits for a worker, or is over. False when the
 * handle is stale, or the values are impossible.
 */
bool stack_header_done(struct stack *stack, struct conn_handle conn, size_t bytes,
                       const struct endpoint *client, uint64_t now_us);

/* It is none: the connection is reset for the reason WHY (a literal). */
void stack_header_bad(struct stack *stack, struct conn_handle conn, const char *why,
                      uint64_t now_us);

/*
 * CLOSE of a listener: connections that have come by it go on, new ones get RST, as
 * does what belongs to no connection (RFC 9293, 3.10.7.1). False when there is none.
 */
bool stack_unlisten(struct stack *stack, const struct endpoint *local);

/* True while connections live at LOCAL, half-open ones and TIME-WAIT too, and no open listener is there. */
bool stack_listen_used(const struct stack *stack, const struct endpoint *local);

/* Forgets a closed listener: what comes there from now on is not ours. */
void stack_listen_forget(struct stack *stack, const struct endpoint *local);

/*
 * ACCEPTING false: no new connections from now on. SYNs to the listeners are ignored,
 * so that a client's own retransmission gets in once they are taken again; handshakes
 * that have begun are completed.
 */
void stack_accepting(struct stack *stack, bool accepting);

/*
 * Quiet time until UNTIL_US (RFC 9293, 3.4.3), of a new table: until then nothing is sent,
 * whatever comes. 0: none. REASON (enum quiet_reason) is kept with it, for people. See quiet.h.
 */
void stack_keep_quiet(struct stack *stack, uint64_t until_us, uint32_t reason, uint64_t now_us);
/* How long it still lasts; 0: it is over, or there was none. */
uint64_t stack_quiet_left(const struct stack *stack, uint64_t now_us);
uint32_t stack_quiet_reason(const struct stack *stack);

/*
 * The pairs in TIME-WAIT of the table in MEMORY, whose master has ended, with the engine's
 * times: writes those that hold to PAIRS, SIZE at most, and returns their number; 0 when it
 * is no table for this configuration.
 */
size_t stack_barred_pairs(const struct stack_config *config, const void *memory, size_t bytes,
                          uint64_t now_us, struct quiet_pair *pairs, size_t size);
/*
 * Puts such a pair into TIME-WAIT here, until its time is over, and 2 MSL at most. False
 * when it does not hold, its time is over, it is in use already, or there is no room.
 */
bool stack_bar_pair(struct stack *stack, const struct quiet_pair *pair, uint64_t now_us);

/* PEER has done it. False for no such offence or address. */
bool stack_offence(struct stack *stack, const struct ip_address *peer, enum stack_offence offence,
                   uint64_t now_us);

/*
 * Nobody from PREFIX is let in until UNTIL_US (UINT64_MAX: until it is lifted), as long as
 * the table lives; connections that are there go on. False when there are too many bans,
 * or PREFIX is none.
 */
bool stack_ban(struct stack *stack, const struct ip_prefix *prefix, uint64_t until_us,
               uint64_t now_us);
/* Lifts the ban of just this prefix and those of sources within it; returns how many. */
uint32_t stack_unban(struct stack *stack, const struct ip_prefix *prefix, uint64_t now_us);

/* A source, or a ban that somebody has made. */
struct source_info {
	struct ip_prefix prefix;
	bool made; /* the latter: there are no counts but `dropped` */
	uint32_t connections;
	uint32_t recent; /* handshakes of the last minute */
	uint32_t points, bans;
	uint64_t ban_until_us; /* 0: not banned; UINT64_MAX: until it is lifted */
	uint64_t last_us;      /* when it last did something; when the ban was made */
	uint64_t refused;      /* completed handshakes */
	uint64_t dropped;      /* SYNs, while it was banned; since the engine was made */
	uint64_t signatures, failures;
};

/* Walks the sources that matter, then the bans: start with *CURSOR 0; false at the end. */
bool stack_next_source(const struct stack *stack, uint32_t *cursor, struct source_info *info,
                       uint64_t now_us);

/* A segment has arrived; any content. Packets for other endpoints are ignored. */
void stack_input(struct stack *stack, const struct packet_in *packet, uint64_t now_us);

/* An ICMP error has arrived. Believed only when it quotes data in flight (RFC 5927). */
void stack_icmp(struct stack *stack, const struct icmp_error *error, uint64_t now_us);

/* Runs every timer that is due, and output that waited for room. */
void stack_timers(struct stack *stack, uint64_t now_us);

/* When stack_timers() must be called; UINT64_MAX: not at all; may be in the past. */
uint64_t stack_deadline(const struct stack *stack);

/* One packet to send: IP header, TCP header with options, payload. */
struct packet_out {
	struct ip_address src;
	struct ip_address dst;
	uint32_t ifindex;       /* interface to prefer; 0: the routing table's */
	uint32_t header_length; /* in header[], IP header included */
	uint32_t data_length;
	const uint8_t *data; /* in a ring: valid until the next call of the stack */
	uint8_t header[IP_HEADER_MAX + 60];
};

#define STACK_BATCH 128

/*
 * Does the sending that earlier calls made due and hands over a batch of packets,
 * to be sent before the next call: sets *PACKETS and returns their number, at
 * most STACK_BATCH. Call until it returns 0.
 */
size_t stack_output(struct stack *stack, const struct packet_out **packets, uint64_t now_us);

/* True when a batch is nearly full: hand over before more input. */
bool stack_output_pressing(const struct stack *stack);

/* The connection that has waited longest for a worker. False when none waits. */
bool stack_accept_next(const struct stack *stack, struct conn_handle *conn);

/*
 * Gives the connection its worker and ring: commits WORKER, moves early data
 * into the ring, writes the master page (conn_id last). The ring must be fresh
 * and stays valid until the `detached` hook. False when the handle is stale, or
 * when the connection, taken up from a former engine, does not fit the ring: then
 * it is aborted, and `detached` called first if it had a worker.
 */
bool stack_attach(struct stack *stack, struct conn_handle conn, uint32_t worker,
                  const struct ring *ring, uint64_t now_us);

/* The doorbell rang, or the worker's page may have changed otherwise. */
void stack_ring_changed(struct stack *stack, struct conn_handle conn, uint64_t now_us);

/*
 * After a table was taken up, walks the connections that have a worker, by the number given
 * to stack_attach(), and no ring: start with *CURSOR 0; false at the end. Each gets its
 * ring by stack_attach(), or is reset by stack_worker_lost() for the reason WHY (a literal).
 */
bool stack_next_served(const struct stack *stack, uint32_t *cursor, struct conn_handle *conn,
                       uint32_t *worker);
void stack_worker_lost(struct stack *stack, struct conn_handle conn, const char *why,
                       uint64_t now_us);

/*
 * Then, for each worker whose connection has ended and that has not: it counts for
 * max_connections until stack_worker_gone(), with any stale handle.
 */
void stack_worker_left(struct stack *stack);

/*
 * The worker's process is gone. If it ended before it took the connection up,
 * that waits for another one (the `detached` hook is called first). If it left
 * without tx_fin the connection is aborted (RST). From now on the connection counts no more for max_connections
 * and input is discarded; what stands in the send ring is still delivered.
 */
void stack_worker_gone(struct stack *stack, struct conn_handle conn, uint64_t now_us);

/*
 * Active OPEN (RFC 9293, 3.10.1) from LOCAL to PEER over an interface with this
 * MTU (0: 1500 for IPv4, 1280 for IPv6). With FROM_LISTEN the entry begins in
 * LISTEN and moves to SYN-SENT, as for a SEND on a listening connection. Returns
 * its id, 0 with *ERROR set to a reason when it cannot be. Once ESTABLISHED it
 * waits in the accept queue like any other.
 */
uint64_t stack_call(struct stack *stack, const struct endpoint *local, const struct endpoint *peer,
                    uint32_t ifindex, uint32_t mtu, bool from_listen, uint64_t now_us,
                    const char **error);

/*
 * CLOSE and ABORT (RFC 9293, 3.10.4, 3.10.5) by id, in any state. False when
 * there is no such entry (listeners cannot be closed).
 */
bool stack_close(struct stack *stack, uint64_t id, uint64_t now_us);
bool stack_abort(struct stack *stack, uint64_t id, uint64_t now_us);

#define STACK_HISTORY 12

/* Everything about one entry, for people. Times as passed in; 0 where none. */
struct conn_info {
	uint64_t id;
	struct flow flow; /* peer is zero for a listener, and the client where there is a proxy */
	struct endpoint proxy; /* by which it has come; zero: none */
	enum tcp_state state;
	uint32_t ifindex;
	bool passive;
	bool has_worker;
	bool waiting; /* in the accept queue */
	uint32_t worker;
	uint64_t created_us;
	uint64_t established_us;
	uint32_t history_count;
	struct {
		enum tcp_state state;
		uint64_t time_us;
	} history[STACK_HISTORY];
	/* sequence variables (RFC 9293, section 3.3.1) */
	uint32_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, snd_up;
	uint32_t irs, rcv_nxt, rcv_wnd, rcv_up;
	uint32_t snd_queue; /* bytes written by the session, not yet acknowledged */
	uint32_t rcv_queue; /* bytes received, not yet taken by the session */
	uint32_t send_mss, receive_mss;
	uint32_t path_mtu;        /* the largest packet that is sent but for probes */
	uint32_t path_mtu_proven; /* the largest that has arrived; 0: none yet */
	uint32_t path_mtu_search; /* larger ones are tried up to this; 0: none are */
	uint32_t path_mtu_black_holes;
	bool timestamps, sack, window_scaling, ecn;
	uint8_t snd_wscale, rcv_wscale;
	uint32_t cwnd, ssthresh, in_flight;
	const char *congestion; /* the algorithm's name */
	uint64_t pacing_rate;   /* bytes a second; 0: not paced */
	bool in_recovery;
	uint32_t sacked_bytes, out_of_order_ranges;
	uint64_t srtt_us, rttvar_us, min_rtt_us, rto_us;
	uint32_t backoff;
	/* deadlines; UINT64_MAX: not running */
	uint64_t timer_retransmit_us, timer_persist_us, timer_delayed_ack_us, timer_keepalive_us,
		timer_user_us, timer_end_us;
	uint64_t user_timeout_us; /* in effect; 0: none */
	uint64_t
		stalled_since_us; /* since when the peer has taken nothing of snd_queue; 0: empty */
	struct conn_counters counters;
};

/* Everything about entry ID. False when there is none. */
bool stack_info(const struct stack *stack, uint64_t id, struct conn_info *info);

/*
 * Walks all entries (listeners, half-open, connections, TIME-WAIT): start with
 * *CURSOR 0; false at the end.
 */
bool stack_next(const struct stack *stack, uint32_t *cursor, struct conn_info *info);

/* The id of the entry with this pair of sockets; 0: there is none. */
uint64_t stack_find(const struct stack *stack, const struct flow *flow);

/*
 * The flow of a connection, for its owner, with its client for the peer; NULL when the handle
 * is stale. Valid until the next call.
 */
const struct flow *stack_flow(struct stack *stack, struct conn_handle conn);

/* How full everything is. */
struct stack_usage {
	uint32_t connections; /* counted against max_connections */
	uint32_t queued;      /* accept queue */
	uint32_t half_open;
	uint32_t time_wait;
	uint32_t open; /* connection slots in use, whatever they count as */
};
void stack_usage(const struct stack *stack, struct stack_usage *usage);

const struct stack_stats *stack_stats(const struct stack *stack);

/* One more segment with a bad IP header, counted where the link finds it. */
void stack_count_bad_ip(struct stack *stack);

#endif
