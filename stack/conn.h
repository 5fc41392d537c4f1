/*
 * The entries of the connection table: connections, half-open connections and
 * TIME-WAIT pairs. They hold no pointers, so that a new master can map the same
 * memory and go on; what can be derived from them is in engine.h instead.
 */
#ifndef STACK_CONN_H
#define STACK_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "congestion.h"
#include "pmtu.h"
#include "rate.h"
#include "reassembly.h"
#include "rtt.h"
#include "state.h"
#include "stats.h"

#define CONN_HISTORY 12
/*
 * Data that arrives before a worker takes over: also the window we offer until then. Of a
 * connection that gets the busy message, the message.
 */
#define CONN_EARLY_BYTES 4096u
#define CONN_NO_WORKER   UINT32_MAX

/* The states an entry has been in, oldest first; the last move is kept when it is full. */
struct conn_history {
	uint32_t count;
	uint8_t state[CONN_HISTORY];
	uint64_t time_us[CONN_HISTORY];
};

/* What every kind of entry begins with. */
struct conn_identity {
	uint64_t id; /* 0: the slot is free */
	struct flow flow;
	uint32_t ifindex; /* by which the peer is reached; 0 unknown */
	uint32_t mtu;     /* of that interface; what the path carries is in struct pmtu */
	uint64_t created_us;
	uint64_t seal; /* of the above, none of which changes: see seal.h */
};

/* The timers of a connection (RFC 9293, 3.8). */
enum conn_timer {
	CONN_TIMER_USER,       /* RFC 9293, 3.8.3; RFC 5482: before what would be sent again */
	CONN_TIMER_REORDER,    /* RACK: what waits for the reordering window is lost then */
	CONN_TIMER_PROBE,      /* tail loss probe; before the time-out when both are due */
	CONN_TIMER_RETRANSMIT, /* RFC 6298; SYNs and FINs too */
	CONN_TIMER_PERSIST,    /* zero-window probes */
	CONN_TIMER_DELAYED_ACK,
	CONN_TIMER_PACE, /* the next segment may go; see pacing.c */
	CONN_TIMER_KEEPALIVE,
	CONN_TIMER_END, /* SYN-SENT, and what a user has closed, give up */
	CONN_TIMERS
};

/* struct conn, flags */
#define CONN_PASSIVE      0x0001u  /* came from LISTEN */
#define CONN_TIMESTAMPS   0x0002u  /* both sides offered them (RFC 7323) */
#define CONN_SACK         0x0004u  /* both sides permitted it (RFC 2018) */
#define CONN_SCALING      0x0008u  /* both sides offered window scaling */
#define CONN_WAITING      0x0010u  /* in the accept queue */
#define CONN_BUSY         0x0020u  /* gets the busy message, never a worker */
#define CONN_WORKER_GONE  0x0040u  /* had a worker, whose process has ended */
#define CONN_FIN_QUEUED   0x0080u  /* the user has closed: FIN behind tx_head */
#define CONN_FIN_SENT     0x0100u  /* ... and it is counted in snd_nxt */
#define CONN_FIN_RECEIVED 0x0200u  /* peer_fin is valid; not yet reached by rcv_nxt */
#define CONN_SYN_ACKED    0x0400u  /* our SYN is acknowledged: snd_una is past it */
#define CONN_ACK_NOW      0x0800u  /* an ACK is owed at once */
#define CONN_ACK_DELAYED  0x1000u  /* an ACK is owed, later will do */
#define CONN_URGENT_OUT   0x2000u  /* snd_up is valid and not yet acknowledged */
#define CONN_URGENT_IN    0x4000u  /* rcv_up is valid */
#define CONN_RESTORED     0x8000u  /* in TIME-WAIT since before the start: see barred.c */
#define CONN_COUNTED      0x10000u /* counted for its source */
#define CONN_UTO_OWED     0x20000u /* the user timeout option must be sent (again) */
#define CONN_SYN_OWED     0x40000u /* SYN or SYN-ACK must be sent (again) */
#define CONN_COOKIE       0x80000u /* half-open, from a SYN cookie: when its SYN came is not known */
#define CONN_ECN          0x100000u  /* CE is heeded (RFC 3168): see ecn.c */
#define CONN_ECT          0x200000u  /* ... and new data may be marked */
#define CONN_ECE          0x400000u  /* CE has come: told until CWR comes */
#define CONN_CWR          0x800000u  /* cwnd was reduced: told in the next new data */
#define CONN_ECN_REDUCED  0x1000000u /* ecn_seq is valid */
#define CONN_HEADER       0x4000000u /* waits until its proxy's header has come */
#define CONN_REFUSED      0x2000000u /* half-open, complete, and its client told to wait or go */

/* Loss recovery, see recovery.c. */
enum recovery_phase {
	RECOVERY_OPEN,    /* nothing known to be lost */
	RECOVERY_FAST,    /* fast recovery, until snd_una reaches recover */
	RECOVERY_TIMEOUT, /* after a time-out, until snd_una reaches recover */
};

struct conn {
	struct conn_identity identity;
	struct conn_history history;
	uint32_t state;       /* enum tcp_state; changed by conn_move() alone */
	uint32_t flags;       /* CONN_... */
	uint32_t worker;      /* CONN_NO_WORKER, or as given to stack_attach() */
	uint32_t early_bytes; /* in this slot's early buffer */

	/* send sequence variables (RFC 9293, 3.3.1) */
	uint32_t iss;
	uint32_t snd_una;
	uint32_t snd_nxt; /* never moves back: what is sent again is recovery's */
	uint32_t snd_wnd; /* scaled */
	uint32_t snd_wl1;
	uint32_t snd_wl2;
	uint32_t snd_up; /* the octet after the urgent one */
	uint32_t max_snd_wnd;
	uint32_t snd_mss;  /* payload of a full segment, options taken off */
	uint32_t peer_mss; /* the peer's option, or the default */
	uint64_t tx_una;   /* stream offset of snd_una */
	uint64_t tx_head;  /* stream offset behind the last byte written, as checked */

	/* receive sequence variables */
	uint32_t irs;
	uint32_t rcv_nxt;
	uint32_t rcv_adv; /* right edge of the window advertised: never moves back */
	uint32_t rcv_up;
	uint32_t peer_fin; /* sequence number of the peer's FIN */
	uint32_t last_ack_sent;
	uint32_t rcv_mss;     /* the largest payload seen */
	uint32_t rcv_unacked; /* payload bytes since the last ACK went out */
	uint64_t rx_head;     /* stream offset of rcv_nxt */
	uint64_t rx_tail;     /* what the worker has taken, as checked */

	/* options */
	uint8_t snd_wscale;
	uint8_t rcv_wscale;
	uint16_t reserved;
	uint32_t ts_offset; /* added to our clock */
	uint32_t ts_recent;
	uint64_t ts_recent_us; /* when it was taken in */

	/* round trip */
	struct rtt rtt;
	uint32_t ecn_seq; /* snd_nxt when cwnd was last reduced */
	/* taken off the stream's beginning: that is so far from the early buffer's */
	uint32_t header_bytes;
	struct endpoint client; /* whom the peer, a proxy, brings; IP_NONE: it is the client */

	struct pmtu pmtu;

	/* loss recovery and congestion control */
	struct congestion congestion;
	struct rate rate;
	uint32_t recovery; /* enum recovery_phase */
	uint32_t recover;  /* snd_nxt when recovery began */
	uint32_t dup_acks;
	uint32_t retransmits; /* of snd_una in a row, by the timer */
	uint32_t probes;      /* keepalive probes without an answer */
	uint32_t persist_shift;
	uint64_t probing_since_us; /* when the first of them went out */

	uint64_t timer_us[CONN_TIMERS]; /* TIMER_NEVER: not running */
	uint64_t established_us;
	uint64_t last_in_us;       /* when the last acceptable segment came */
	uint64_t last_data_us;     /* when we last sent data */
	uint64_t unacked_since_us; /* when snd_una last moved or data went out on an empty pipe */
	uint64_t stalled_since_us; /* when tx_una or snd_una last moved, or the queue was empty */
	uint64_t user_timeout_us;  /* 0: none, R2 counts retransmissions */
	uint32_t uto_local_s;      /* RFC 5482, ADV_UTO; 0: the option is not used */
	uint32_t uto_remote_s;     /* RFC 5482, REMOTE_UTO; 0: none has come */

	struct conn_counters counters;
	uint64_t seal;
};

/*
 * A SYN has come and been answered: SYN-RECEIVED, passive. An entry of RFC 4987's SYN
 * cache (section 3.5), so no more than the handshake needs: strangers fill these. Its
 * history is created_us, its timestamp offset a hash of the flow.
 */
struct half_open {
	struct conn_identity identity;
	uint32_t iss;
	uint32_t irs;
	uint32_t ts_recent;
	uint32_t flags; /* CONN_TIMESTAMPS, _SACK, _SCALING, _ECN, _ECT, _BUSY, _COOKIE, _REFUSED */
	uint64_t deadline_us;
	uint16_t window; /* the peer's, from its SYN: not scaled */
	uint16_t peer_mss;
	uint8_t snd_wscale;
	uint8_t rcv_wscale;
	uint8_t retransmits;
	uint8_t reserved;
	uint32_t user_timeout_s; /* of the peer's option; 0: none */
	uint64_t seal;
};

/* The connection as logs and sessions know it: with its client. */
static inline struct flow flow_with_client(const struct flow *flow, const struct endpoint *client)
{
	return (struct flow){flow->local,
	                     client->address.version != IP_NONE ? *client : flow->peer};
}

static inline struct flow conn_flow(const struct conn *c)
{
	return flow_with_client(&c->identity.flow, &c->client);
}

/* Whose source it counts for. */
static inline const struct ip_address *conn_source(const struct conn *c)
{
	return c->client.address.version != IP_NONE ? &c->client.address
	                                            : &c->identity.flow.peer.address;
}

/* What is left of a connection for 2 MSL (RFC 9293, 3.6.1). */
struct time_wait {
	struct conn_identity identity;
	struct conn_history history;
	uint32_t snd_nxt;
	uint32_t rcv_nxt;
	uint32_t rcv_wnd;
	uint32_t ts_recent;
	uint32_t ts_offset;
	uint32_t flags; /* CONN_TIMESTAMPS, CONN_PASSIVE, CONN_RESTORED */
	uint8_t rcv_wscale;
	uint8_t reserved[7];
	uint64_t deadline_us;
	struct endpoint client;
	uint64_t answers_until_us; /* see answer.c */
	uint64_t established_us;
	struct conn_counters counters;
	uint64_t seal;
};

#endif
