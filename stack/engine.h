/*
 * The engine's inside: what its files share and nobody else includes (but tests).
 *
 * Everything here beside the table is derived from it or may be forgotten.
 * Prototypes stand under the name of the file that defines them; each says what
 * it needs. "In an event" means between event_begin() and event_end().
 *
 * Slots are numbered through all kinds of entries: connections first, then
 * half-open, then TIME-WAIT; lookup and timers know nothing but slots.
 */
#ifndef STACK_ENGINE_H
#define STACK_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "lookup.h"
#include "quiet.h"
#include "recovery.h"
#include "segment.h"
#include "seq.h"
#include "slots.h"
#include "source.h"
#include "stack.h"
#include "table.h"
#include "takeover.h"
#include "timer.h"

#define MSS_DEFAULT_V4 536u /* RFC 9293, MUST-15 */
#define MSS_DEFAULT_V6 1220u

#define DELAYED_ACK_US      40000ULL     /* RFC 9293, MUST-58: below 0.5 s */
#define FIN_WAIT_2_US       60000000ULL  /* a closed user waits so long for the peer's FIN ... */
#define FIN_WAIT_2_MAX_US   600000000ULL /* ... and so long if it goes on sending */
#define CLOSING_US          120000000ULL /* and so long for the ACK of all it had written ... */
#define CLOSING_BYTE_US     1000ULL      /* ... and for each byte of that: a kilobyte a second */
#define USER_TIMEOUT_MAX_US (30ULL * 86400 * 1000000)
#define RETRANSMITS_MAX     15u /* R2 of RFC 9293, 3.8.3: well over 100 s */
#define SYN_ACK_RETRANSMITS 5u
#define PERSIST_SHIFT_MAX   16u                       /* RTO_MAX_US is reached before */
#define PAWS_EXPIRY_US      (24ULL * 86400 * 1000000) /* RFC 7323, 5.5 */
/* See answer.c, which says why no limit is shared. */
#define ANSWERS_PER_SECOND       10u /* unsolicited ACKs of one connection or TIME-WAIT pair ... */
#define ANSWERS_ALL_PER_SECOND   1000u /* ... and, on the long run, of all together */
#define RESETS_PER_SECOND        100u  /* for a group of sources, about */
#define COOKIE_CHECKS_PER_SECOND 200u  /* the same */
#define SOURCE_GROUPS            256u
#define BUSY_MESSAGES_MAX        16u /* clients that get the message at once; more are reset */
#define ABORTED_MAX              32u /* aborted connections that are remembered */

#define EVENT_NOTES 10u
#define EVENT_CONNS 2u

/* Something to tell after the commit. */
struct event_note {
	enum {
		NOTE_MOVED,
		NOTE_ENDED,
		NOTE_DETACHED,
		NOTE_REFUSED,
		NOTE_BANNED
	} kind;
	enum tcp_state from, to;
	uint64_t id;
	struct flow flow;
	const char *why;
	struct conn_handle handle;
	uint32_t worker;
	uint64_t tx_una;   /* of what is detached */
	uint64_t until_us; /* of a ban, whose source is flow's peer */
	bool finished;     /* by this move */
	struct stack_totals totals;
};

/* The event under way: see event.c. */
struct event {
	uint64_t now_us;
	uint32_t notes;
	uint32_t conns;
	uint32_t conn[EVENT_CONNS]; /* slots to publish */
	struct event_note note[EVENT_NOTES];
};

/* How far ahead of its rate a connection has sent: see pacing.c. */
struct pacing {
	int64_t debt;        /* millionths of bytes; below zero: credit */
	uint64_t updated_us; /* when the debt was so much */
	bool waiting;        /* the rate alone kept a segment back */
};

/* What the engine keeps of a connection beside its entry. */
struct conn_private {
	struct ring ring; /* ring.master NULL: none attached */
	struct recovery recovery;
	struct seq_range dsack; /* to be told to the peer as received twice; empty: nothing */
	struct pacing pacing;
	bool header_news; /* in the list of those whose header may have come */
	bool dirty;       /* in the list of those that may have something to send */
	uint32_t reset_reason;
	/* what the master page holds, so that unchanged fields are not written again */
	uint64_t published_rx_head, published_tx_tail, published_tx_sent, published_rx_urgent,
		published_tx_limit;
	bool published_fin;
	bool published_close;
	uint64_t answers_until_us; /* see answer.c */
	uint32_t stalled_bytes;    /* counted in stack.stalled_bytes */
};

/* A connection that was aborted: see aborted.c. */
struct aborted {
	struct flow flow;
	uint32_t ifindex;
	uint32_t snd_una, snd_nxt;
	uint64_t until_us; /* 0: unused */
};

/* What is left of the allowance of each group of sources in this second. */
struct source_limit {
	uint64_t second;
	uint16_t left[SOURCE_GROUPS];
};

struct stack {
	struct stack_config config;
	struct stack_hooks hooks;
	struct table table;
	struct table_shape shape;
	struct timer_heap *timers;
	struct lookup *lookup;
	struct sources *sources;
	struct conn_private *private_data; /* one a connection slot */
	struct slot_pool free_conns, free_half_opens, free_time_waits;
	struct slot_list used_half_opens, used_time_waits; /* oldest first */
	struct slot_list orphans;                          /* see orphan.c */
	struct slot_queue accept_queue;
	struct slot_queue dirty;
	struct slot_queue header_news; /* see proxied.c */
	struct endpoint listen[STACK_LISTEN_MAX];
	uint64_t listen_id[STACK_LISTEN_MAX];
	bool listen_closed[STACK_LISTEN_MAX];
	bool listen_proxied[STACK_LISTEN_MAX];
	uint32_t listens;
	bool accepting;
	uint32_t headers_awaited; /* connections with CONN_HEADER */
	struct flow shown;        /* see stack_flow() */
	uint32_t workers_busy;    /* attached workers that have not ended */
	uint32_t busy_messages;   /* connections with CONN_BUSY */
	uint32_t open_conns, open_half_opens, open_time_waits;
	uint64_t stalled_bytes; /* what stalled connections hold of their send rings */
	uint32_t aborted_next;
	struct aborted aborted[ABORTED_MAX];
	uint32_t condemned_count;
	struct condemned condemned[CONDEMNED_MAX];
	struct source_limit resets, cookie_checks;
	struct event event;
	struct stack_stats stats;
	bool batch_taken; /* handed over: the next stack_output() begins a new one */
	size_t batch_count;
	struct packet_out batch[STACK_BATCH];
};

/* slots.c: entries by their slots */

bool slot_is_conn(const struct stack *stack, uint32_t slot);
bool slot_is_half_open(const struct stack *stack, uint32_t slot);
struct conn *slot_conn(const struct stack *stack, uint32_t slot);
struct half_open *slot_half_open(const struct stack *stack, uint32_t slot);
struct time_wait *slot_time_wait(const struct stack *stack, uint32_t slot);
struct conn_identity *slot_identity(const struct stack *stack, uint32_t slot);
static inline struct conn_private *slot_private(const struct stack *stack, uint32_t slot)
{
	return &stack->private_data[slot];
}
static inline struct recovery *slot_recovery(const struct stack *stack, uint32_t slot)
{
	return &stack->private_data[slot].recovery;
}
/* The slot of the entry with this id, of any kind; LOOKUP_NONE. O(entries): for people's requests. */
uint32_t slot_by_id(const struct stack *stack, uint64_t id);

/* The first slot from *CURSOR on that may be in use, which *CURSOR then is behind; false: none. */
bool slot_next(const struct stack *stack, uint32_t *cursor, uint32_t *slot);

/* configure.c */

/* Puts in what may be left out. */
void configure_complete(struct stack_config *config);

/* event.c: one event, its commit, and what is said after it */

void event_begin(struct stack *stack, uint64_t now_us);
/* Saves the connection for undo and returns it; it is published after the commit. In an event. */
struct conn *event_conn(struct stack *stack, uint32_t slot);
/* The same for its reassembly ranges. */
struct reassembly *event_reassembly(struct stack *stack, uint32_t slot);
struct event_note *event_note(struct stack *stack, int kind, const struct conn_identity *identity);
/* Commits, writes ring pages, calls hooks. */
void event_end(struct stack *stack);

/* conn.c: the life of connection entries */

/*
 * The one function that changes a connection's state. Checks the move, keeps the
 * history, counts, notes it for the hook. In an event.
 */
void conn_move(struct stack *stack, uint32_t slot, enum tcp_state to, const char *why);
/* The same for an entry that is no connection. HISTORY: NULL when it keeps none. Returns its note. */
struct event_note *identity_move(struct stack *stack, const struct conn_identity *identity,
                                 struct conn_history *history, enum tcp_state from,
                                 enum tcp_state to, const char *why);
void identity_init(struct stack *stack, struct conn_identity *identity, const struct flow *flow,
                   uint32_t ifindex, uint32_t mtu);
/* A free connection slot, saved for undo, zeroed, with the flow's identity; LOOKUP_NONE when full. */
uint32_t conn_create(struct stack *stack, const struct conn_identity *identity);
/*
 * Moves to CLOSED, tells the worker REASON if it has one, frees the slot. The
 * entry must not be used afterwards. In an event.
 */
void conn_destroy(struct stack *stack, uint32_t slot, enum ring_reset reason, const char *why);
/* Frees the slot of a connection that lives on as a TIME-WAIT entry. In an event. */
void conn_release(struct stack *stack, uint32_t slot);
/* Sends RST if the state calls for it (RFC 9293, 3.10.5), then conn_destroy. In an event. */
void conn_abort(struct stack *stack, uint32_t slot, enum ring_reset reason, const char *why);
/* The user has closed (RFC 9293, 3.10.4): queues the FIN. In an event. */
void conn_close(struct stack *stack, uint32_t slot, const char *why);
/* Sets snd_mss from the peer's option and the path's MTU. */
void conn_set_mss(struct conn *c);
/* Puts the connection into the accept queue. In an event. */
void conn_enqueue(struct stack *stack, uint32_t slot);
/* Writes the busy message and closes (CONN_BUSY is set). In an event. */
void conn_busy_message(struct stack *stack, uint32_t slot);
void conn_timer(struct stack *stack, uint32_t slot, enum conn_timer timer, uint64_t at_us);
void conn_timer_stop(struct stack *stack, uint32_t slot, enum conn_timer timer);
/* Our timestamp clock now: milliseconds and this connection's offset (RFC 7323, 5.4). */
uint32_t timestamp_now(uint32_t offset, uint64_t now_us);
void conn_private_reset(struct conn_private *p);
/* Remembers that the connection may have something to send. */
void conn_dirty(struct stack *stack, uint32_t slot);

/* answer.c: how often segments that nobody asked for are answered */

/*
 * True when an entry may answer once more; *UNTIL_US is its own memory of that, zero at
 * first. In an event.
 */
bool answer_allowed(const struct stack *stack, uint64_t *until_us);
/* True, and counted, when SOURCE's group may have one more of LIMIT, about RATE a second. */
bool answer_source_allowed(const struct stack *stack, struct source_limit *limit,
                           const struct ip_address *source, uint32_t rate, uint64_t now_us);

/* orphan.c: connections that no session will ever speak for again */

/* Looks whether the connection has become one. */
void orphan_notice(struct stack *stack, uint32_t slot);
/* When no connection slot is free, resets an orphan to have one. An event of its own. */
void orphan_make_room(struct stack *stack, uint64_t now_us);

/* iss.c: secrets at work (RFC 6528; RFC 7323, 5.4) */

uint32_t iss_generate(const struct stack *stack, const struct flow *flow, uint64_t now_us);
uint32_t timestamp_offset(const struct stack *stack, const struct flow *flow);

/* listen.c: listeners, and segments to them */

/* AFTER: snd_nxt of the connection whose TIME-WAIT a SYN has ended; NULL otherwise. */
void listen_input(struct stack *stack, const struct packet_in *packet, const struct segment *seg,
                  const struct flow *flow, const uint32_t *after, uint64_t now_us);
/* The open listener that takes connections to LOCAL; -1 when there is none. */
int listen_match(const struct stack *stack, const struct endpoint *local);

/* half_open.c: half-open entries */

/* A SYN that a listener takes. */
struct syn {
	const struct packet_in *packet;
	const struct segment *seg;
	const struct flow *flow;
	const uint32_t *after; /* snd_nxt of the connection that had this pair before; or NULL */
	bool busy;             /* gets the busy message */
};

/* No more entries may be in use. */
bool half_open_full(const struct stack *stack);
/* Makes an entry of it and answers. An event of its own. */
void half_open_create(struct stack *stack, const struct syn *syn, uint64_t now_us);
/* What the SYN says of the peer; *HALF is all zero but for its identity. */
void half_open_fill(const struct stack *stack, struct half_open *half, const struct segment *seg);
/*
 * Makes an entry of what a SYN cookie has brought back, and returns its slot. Whoever
 * brings a cookie is where it says it is, so the oldest entry makes room for it. An event
 * of its own.
 */
uint32_t half_open_restore(struct stack *stack, const struct half_open *from, uint64_t now_us);
void half_open_input(struct stack *stack, uint32_t slot, const struct packet_in *packet,
                     const struct segment *seg, uint64_t now_us);
void half_open_timer(struct stack *stack, uint32_t slot, uint64_t now_us);
/* Frees the entry; in an event. */
void half_open_destroy(struct stack *stack, uint32_t slot, const char *why);
/* ABORT (RFC 9293, 3.10.5): sends RST and frees the entry. In an event. */
void half_open_abort(struct stack *stack, uint32_t slot, const char *why);
/* The states it has been in. */
struct conn_history half_open_history(const struct half_open *half);
/* Makes it a connection in SYN-RECEIVED and returns its slot; LOOKUP_NONE when full. In an event. */
uint32_t half_open_promote(struct stack *stack, uint32_t slot);

/* cookie.c: SYN cookies (RFC 4987) */

enum cookie_verdict {
	COOKIE_NONE,    /* not a good cookie */
	COOKIE_LIMITED, /* not looked at: the segment is dropped */
	COOKIE_GOOD,    /* *HALF is what the entry would have been, without an id */
};

/* True when this SYN is to be answered with a cookie. */
bool cookie_wanted(const struct stack *stack, const struct syn *syn);
/* Answers it. An event of its own. */
void cookie_answer(struct stack *stack, const struct syn *syn, uint64_t now_us);
/* Whether a segment to a listener brings back a cookie. */
enum cookie_verdict cookie_check(struct stack *stack, const struct packet_in *packet,
                                 const struct segment *seg, const struct flow *flow,
                                 struct half_open *half, uint64_t now_us);

/* timewait.c */

/* Turns the connection into a TIME-WAIT entry and frees its slot. In an event. */
void time_wait_enter(struct stack *stack, uint32_t slot, const char *why);
void time_wait_input(struct stack *stack, uint32_t slot, const struct packet_in *packet,
                     const struct segment *seg, const struct flow *flow, uint64_t now_us);
void time_wait_destroy(struct stack *stack, uint32_t slot, const char *why);
void time_wait_timer(struct stack *stack, uint32_t slot, uint64_t now_us);

/* quiet_time.c */

/* In quiet time: nothing may be sent, and nothing that comes is looked at. */
bool quiet_holds(const struct stack *stack, uint64_t now_us);

/* input.c: RFC 9293, 3.10.7.3 and 3.10.7.4. False: the segment is done with, or the entry gone. */

void conn_input(struct stack *stack, uint32_t slot, const struct segment *seg, uint64_t now_us);
bool input_syn_sent(struct stack *stack, uint32_t slot, const struct segment *seg);

/* input_checks.c: steps one to four */

bool input_check_sequence(struct stack *stack, uint32_t slot, const struct segment *seg);
bool input_check_rst(struct stack *stack, uint32_t slot, const struct segment *seg);
bool input_check_syn(struct stack *stack, uint32_t slot, const struct segment *seg);
uint32_t receive_window(const struct conn *c);
void challenge_ack(struct stack *stack, uint32_t slot);

/* input_ack.c: step five */

bool input_check_ack(struct stack *stack, uint32_t slot, const struct segment *seg);

/* input_data.c: steps six to eight */

void input_check_urgent(struct stack *stack, uint32_t slot, const struct segment *seg);
void input_process_data(struct stack *stack, uint32_t slot, const struct segment *seg);
bool input_check_fin(struct stack *stack, uint32_t slot);
/* What of [start, end) has arrived before is told to the peer with the next ACK (RFC 2883). */
void input_duplicate(struct stack *stack, uint32_t slot, uint32_t start, uint32_t end);

/* ecn.c: explicit congestion notification (RFC 3168) */

/* True for a SYN or SYN-ACK that offers it. */
bool ecn_setup(const struct segment *seg);
/* A SYN or SYN-ACK of the peer has come: out of FLAGS what it does not offer. */
void ecn_peer_syn(uint32_t *flags, const struct segment *seg);
/* What our SYN or SYN-ACK offers; one that is sent again offers nothing. In an event. */
uint8_t ecn_syn_flags(struct conn *c);
/* Takes in CE and CWR of an acceptable segment. In an event. */
void ecn_received(struct stack *stack, uint32_t slot, const struct segment *seg);
/* The segment says that our data was marked. */
bool ecn_echoed(const struct conn *c, const struct segment *seg);
/* An acceptable ACK has been taken in, with FLIGHT bytes outstanding before it. In an event. */
void ecn_acked(struct stack *stack, uint32_t slot, const struct segment *seg, uint32_t flight);
/* cwnd has been reduced, for whatever reason: the peer is told. In an event. */
void ecn_reduced(struct conn *c);
/* The reduction was taken back: what is in flight tells of marks again. In an event. */
void ecn_undone(struct conn *c);
/* New data goes out: marks it. In an event. */
void ecn_mark(struct conn *c, struct segment *seg);

/* output.c: what to send now */

/* Runs the sending side of one connection, as an event of its own. */
void conn_output(struct stack *stack, uint32_t slot, uint64_t now_us);
/* The window to advertise now; never moves the right edge back, avoids silly windows. */
uint32_t output_window(const struct stack *stack, uint32_t slot);

/* pacing.c: not before its time; for connections whose congestion control sets no rate, always */

/* Before and after the sending side of a connection runs; the end sets or stops the timer. */
void pacing_begin(struct stack *stack, uint32_t slot);
void pacing_end(struct stack *stack, uint32_t slot);
/*
 * True when a segment of LENGTH bytes may go now, with PIPE bytes in the network. Once it
 * was false it is so until pacing_end(), that no shorter segment overtakes a longer one.
 */
bool pacing_allows(struct stack *stack, uint32_t slot, uint32_t length, uint32_t pipe);
/* It has gone. */
void pacing_sent(struct stack *stack, uint32_t slot, uint32_t length);

/* emit.c: building packets into the batch */

/* One segment of the connection: false when the batch is full. In an event. */
bool emit_segment(struct stack *stack, uint32_t slot, uint32_t seq, uint32_t length, uint8_t flags);
/* The same with LENGTH bytes of new data at snd_nxt, which alone may be marked (RFC 3168). */
bool emit_new(struct stack *stack, uint32_t slot, uint32_t length, uint8_t flags);
void emit_ack(struct stack *stack, uint32_t slot);
/* The segment that was put into the batch last had been sent before (RFC 4022). */
void emit_count_again(struct stack *stack);
/* SYN-ACK of a half-open entry with this timestamp; false when the batch is full. */
bool emit_syn_ack(struct stack *stack, const struct half_open *half, uint32_t ts_value);
/* RST of a half-open entry, with ACK. */
void emit_half_open_reset(struct stack *stack, const struct half_open *half);
/* ACK of a TIME-WAIT entry. */
void emit_time_wait_ack(struct stack *stack, const struct time_wait *wait);
/* RST for a segment that belongs to no connection (RFC 9293, 3.10.7.1), limited in rate. */
void emit_reset_for(struct stack *stack, const struct flow *flow, uint32_t ifindex,
                    const struct segment *seg, uint64_t now_us);
/* RST of a connection: at snd_nxt, with ACK. */
void emit_reset(struct stack *stack, uint32_t slot);
/*
 * RST of an entry whose numbers may be wrong, and an ACK that makes the peer say its own, which
 * is then answered with RST like any segment for nobody. False when the batch is full.
 */
bool emit_condemned(struct stack *stack, const struct condemned *condemned, uint64_t now_us);
uint8_t window_scale_for(uint32_t buffer);
uint32_t mss_for_mtu(const struct ip_address *address, uint32_t mtu);

/* timeout.c: timers that have expired */

void conn_timers_run(struct stack *stack, uint32_t slot, uint64_t now_us);
/* The peer is not there any more: counts it, and aborts. In an event. */
void timeout_gone(struct stack *stack, uint32_t slot, const char *why);

/* persist.c: a shut window; peers that take nothing */

/* Data waits and nothing is on its way that would bring an ACK: probe later. In an event. */
void persist_start(struct stack *stack, uint32_t slot);
void persist_timer(struct stack *stack, uint32_t slot);
/* Counts what the connection holds, if its peer has taken nothing for a while. In an event. */
void stalled_look(struct stack *stack, uint32_t slot);
/* The peer has taken something, or the connection ends. */
void stalled_forget(struct stack *stack, uint32_t slot);
/* Ends the longest stalled while they hold more than is allowed: events of their own. */
void stalled_limit(struct stack *stack, uint64_t now_us);

/* keepalive.c */

/* The connection is established. In an event. */
void keepalive_start(struct stack *stack, uint32_t slot);
/* The configuration has changed: the timer follows. In an event. */
void keepalive_configured(struct stack *stack, uint32_t slot);
void keepalive_timer(struct stack *stack, uint32_t slot);

/* user_timeout.c: RFC 5482 */

/* What the option of a SYN says, in seconds; 0: there is none. */
uint32_t user_timeout_offer(const struct stack *stack);
/* Sets what a new connection begins with. In an event. */
void user_timeout_init(struct stack *stack, uint32_t slot);
/* Something is unacknowledged from now on, or was before. In an event. */
void user_timeout_start(struct stack *stack, uint32_t slot);
/* The configuration has changed, and had BEFORE_US: the connection follows. In an event. */
void user_timeout_configured(struct stack *stack, uint32_t slot, uint64_t before_us);
void user_timeout_timer(struct stack *stack, uint32_t slot);
/* The peer's option says REMOTE_S seconds; 0: it has sent none. In an event. */
void user_timeout_heard(struct stack *stack, uint32_t slot, uint32_t remote_s);
/* Adds the option to a segment, complete otherwise, when it is owed and fits. In an event. */
void user_timeout_tell(struct stack *stack, uint32_t slot, struct segment *seg);

/* aborted.c: connections that were aborted a while ago */

/* Remembers a connection, to which RST has just been sent; the time until when is set here. */
void aborted_remember(struct stack *stack, const struct aborted *aborted, uint64_t now_us);
/* A segment for nobody: true when it was for such a one, and has been answered. */
bool aborted_input(struct stack *stack, const struct flow *flow, const struct segment *seg,
                   uint64_t now_us);

/* user.c: what the worker's page says, checked */

/* Takes in the worker page. False when the connection was ended for it. In an event. */
bool user_read_ring(struct stack *stack, uint32_t slot);
/* Input is not wanted any more: taken, acknowledged and thrown away. */
bool user_discards(const struct conn *c);
/* False after a take-over until the ring is attached again: its data cannot be sent. */
bool user_has_data(const struct stack *stack, uint32_t slot);
/* LENGTH contiguous bytes to send at stream offset. */
const uint8_t *user_data(const struct stack *stack, uint32_t slot, uint64_t offset);

#endif
