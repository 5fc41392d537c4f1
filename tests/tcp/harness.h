/*
 * A test bed for the rules of TCP: an engine on its own table, a peer that sends
 * exactly the segments that the test names, a worker on a ring, and time that
 * passes by hand. Every segment that the engine sends is parsed, its checksum is
 * verified, and it waits in `out` until the test expects it. After every call the
 * engine's invariants are checked.
 *
 * Sequence numbers in expectations are relative: 0 is a side's SYN, 1 its first
 * byte. The peer's real ones begin shortly before the circle closes.
 */
#ifndef TESTS_TCP_HARNESS_H
#define TESTS_TCP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stack/engine.h"
#include "tests/tcp/worker.h"

#define MS UINT64_C(1000)
#define S  UINT64_C(1000000)

#define PEER_ISS   0xffffff00u
#define PEER_PORT  40000
#define LOCAL_PORT 23
#define BED_WORKER 3u

#define SYN    TCP_SYN
#define ACK    TCP_ACK
#define PSH    TCP_PSH
#define FIN    TCP_FIN
#define RST    TCP_RST
#define URG    TCP_URG
#define ECE    TCP_ECE
#define CWR    TCP_CWR
#define SYNACK (TCP_SYN | TCP_ACK)
#define FINACK (TCP_FIN | TCP_ACK)
#define RSTACK (TCP_RST | TCP_ACK)

/* As handle.id: whichever connection the hooks are told of. */
#define BED_ANY UINT64_MAX

#define BED_OUTS  1024
#define BED_MOVES 64

/* One segment that came out. */
struct out {
	struct segment seg; /* its data point into bytes; ecn as in the IP header */
	struct ip_address src;
	struct ip_address dst;
	uint32_t seq; /* relative */
	uint32_t ack; /* relative */
	uint64_t at_us;
	uint8_t tos; /* or traffic class */
	uint8_t ttl; /* or hop limit */
	uint8_t bytes[1500];
};

struct bed_move {
	uint64_t id;
	enum tcp_state from;
	enum tcp_state to;
	const char *why;
};

/* What the peer puts into its SYN. */
struct offer {
	uint16_t mss; /* 0: no such option */
	int scale;    /* -1: no such option */
	bool timestamps;
	bool sack;
	bool ecn;
};

struct bed {
	struct stack_config config;
	struct stack_hooks hooks;
	struct stack *stack;
	void *memory;
	size_t bytes;
	uint64_t now_us;
	uint32_t mtu;
	bool listens;

	struct flow flow; /* as the stack sees it */
	struct offer offer;
	uint32_t iss;    /* the stack's */
	uint32_t seq;    /* the peer's next */
	uint32_t ack;    /* what the peer acknowledges */
	uint16_t window; /* as the peer writes it */
	uint8_t ecn;     /* in the IP headers around the peer's segments */
	bool timestamps; /* the peer's segments have them */
	uint32_t ts_value;
	uint32_t ts_echo;

	struct worker worker;
	bool attached;
	struct conn_handle handle;

	struct out *out;
	unsigned outs;
	unsigned expected; /* outs that were expected so far */
	struct bed_move move[BED_MOVES];
	unsigned moves;
	unsigned doorbells;
	unsigned detached;
	unsigned ended;
	unsigned dropped;   /* entries that did not hold */
	unsigned refused;   /* clients with a complete handshake */
	unsigned banned;    /* sources */
	bool dropped_known; /* ... and whether it was said whose the last one was */
	bool held; /* nothing is taken from the engine: what comes in is one batch of work */
};

/* The configuration that tests begin with: everything small, no keepalive. */
struct stack_config bed_config(void);

/* A bed with an engine that listens on LOCAL_PORT. VERSION: IP_V4 or IP_V6. */
void bed_open(struct bed *bed, enum ip_version version, const struct stack_config *config);
void bed_close(struct bed *bed);

/* cmocka's setup and teardown around them; *state is a struct bed. */
int bed_setup(void **state);
int bed_setup_v6(void **state);
int bed_teardown(void **state);

/* The engine is gone without a word; another one takes up table and ring. */
void bed_take_over(struct bed *bed);

/* Another client: another port, and an address of its own when ADDRESS is not 0. */
void bed_peer(struct bed *bed, uint8_t address, uint16_t port);

/* Takes what the engine has to send, unless held, and checks the invariants. */
void bed_settle(struct bed *bed);

/* Time passes; every timer runs when it is due. */
void bed_pass(struct bed *bed, uint64_t us);
/* The same up to the next segment that comes out, which must be within MOST. Returns how long. */
uint64_t bed_pass_until_out(struct bed *bed, uint64_t most_us);

/* ---- the peer ---- */

/* A segment from the peer at its seq, with its ack and window; RST and SYN without ACK have no ack. */
struct segment peer_segment(const struct bed *bed, uint8_t flags);
/* Sends exactly this segment. */
void peer_send(struct bed *bed, const struct segment *seg);
/* The same with these LENGTH bytes, a multiple of 4, in place of its options. */
void peer_send_options(struct bed *bed, const struct segment *seg, const uint8_t *options,
                       size_t length);
/* Sends these LENGTH bytes as TCP, whatever they are. */
void peer_send_raw(struct bed *bed, const uint8_t *tcp, size_t length);
/* Writes the segment with its checksum to BYTES and returns its length. */
size_t peer_write(const struct bed *bed, const struct segment *seg, uint8_t *bytes);
/* A segment without data. */
void peer_flags(struct bed *bed, uint8_t flags);
/* The byte at this offset of the stream that the peer sends. */
uint8_t peer_byte(uint64_t offset);
/* LENGTH bytes of the peer's stream in order; its seq moves. */
void peer_data(struct bed *bed, uint32_t length);
/* LENGTH bytes of the stream from relative sequence number FROM; its seq stays. */
void peer_data_at(struct bed *bed, uint32_t from, uint32_t length);
/* LENGTH octets of 0 with URG and this pointer; its seq moves. */
void peer_urgent(struct bed *bed, uint32_t length, uint16_t pointer);
/* An ICMP error about the segment with relative sequence number SEQ. */
void peer_icmp(struct bed *bed, enum icmp_kind kind, uint32_t seq, uint32_t mtu);
/* Takes all that has come out as received: the ack moves. Returns how many segments there were. */
unsigned peer_take(struct bed *bed);
/* peer_take(), then an ACK of it all. */
void peer_ack(struct bed *bed);
/* An ACK of relative sequence number ACK, with SACK blocks from there on, as pairs that 0 ends. */
void peer_sack(struct bed *bed, uint32_t ack, ...);

/* ---- what came out ---- */

const struct out *bed_expect(struct bed *bed, uint8_t flags, uint32_t seq, uint32_t ack,
                             uint32_t length, const char *file, int line);
void bed_expect_nothing(struct bed *bed, const char *file, int line);
/* The next segment, whatever it is. */
const struct out *bed_next(struct bed *bed, const char *file, int line);

#define next_out(bed) bed_next((bed), __FILE__, __LINE__)
/* The next segment has these flags (PSH aside), numbers and length of data. */
#define expect(bed, flags, seq, ack, length)                                                       \
	bed_expect((bed), (flags), (seq), (ack), (length), __FILE__, __LINE__)
#define expect_nothing(bed) bed_expect_nothing((bed), __FILE__, __LINE__)

/* ---- connections ---- */

/* The entry of the bed's flow; false when there is none. */
bool bed_info(const struct bed *bed, struct conn_info *info);
/* The same where there is one. */
struct conn_info info_of(const struct bed *bed);
/* Its state; CLOSED when there is none. */
enum tcp_state bed_state(const struct bed *bed);
#define expect_state(bed, state) assert_string_equal(state_name(bed_state(bed)), state_name(state))

/* The connection's entry itself. */
struct conn *bed_conn(const struct bed *bed);
/* A test has written into the entry: as if the engine itself had left it so. */
void bed_seal(struct conn *c);

/* The peer's SYN and what it learns from the answer, without checks beyond the flags. */
void peer_syn(struct bed *bed);
/* The whole passive handshake. */
void establish(struct bed *bed);
/* The same, and a worker with a ring of RX and TX bytes, and no window update left over. */
void establish_with_worker(struct bed *bed, uint32_t rx, uint32_t tx);
/* An active open towards the peer: the SYN has come out. Returns the id. */
uint64_t call_peer(struct bed *bed);
/* ... and the peer has answered. */
void establish_by_call(struct bed *bed);
/* Gives the connection that has waited longest its worker. */
void attach(struct bed *bed, uint32_t rx, uint32_t tx);
/* The bed's connection reaches the state by real segments; LISTEN and CLOSED mean no entry. */
void reach(struct bed *bed, enum tcp_state state);
/* Runs TEST in COUNT states, each on a bed of its own where the connection has reached it. */
void in_each_state(const enum tcp_state *states, unsigned count,
                   void (*test)(struct bed *bed, enum tcp_state state));
/* CLOSE and ABORT by the id of the bed's entry. */
void ask_close(struct bed *bed);
void ask_abort(struct bed *bed);

/* ---- the worker ---- */

/* Writes LENGTH bytes of its stream, which must fit, and rings. */
void user_write(struct bed *bed, uint32_t length);
/* Takes LENGTH bytes, which must be there and right, and rings. */
void user_take(struct bed *bed, uint32_t length);
/* tx_fin. */
void user_close(struct bed *bed);
void user_ring(struct bed *bed);

/* True when the hooks were told of this move; the last one to that state when several. */
const struct bed_move *bed_moved(const struct bed *bed, enum tcp_state from, enum tcp_state to);

/* One of the engine's counters. */
#define counter(bed, field) ((unsigned)stack_stats((bed)->stack)->field)

#define with_bed(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)
#define with_bed_v6(test)                                                                          \
	{                                                                                          \
		.name = #test " (IPv6)", .test_func = test, .setup_func = bed_setup_v6,            \
		.teardown_func = bed_teardown                                                      \
	}

#endif
