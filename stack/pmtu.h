/*
 * The path MTU of a connection: what is known of it. In the connection table; pmtu.c says
 * how it is found out. Sizes are those of whole IP packets, in bytes.
 */
#ifndef STACK_PMTU_H
#define STACK_PMTU_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct stack;

#define PMTU_MOST 65535u /* the largest packet there is */

/* struct pmtu, state */
enum pmtu_state {
	PMTU_COMPLETE,  /* nothing larger is tried before raise_us */
	PMTU_SEARCHING, /* larger packets up to `high` are tried */
};

struct pmtu {
	uint32_t state;    /* enum pmtu_state */
	uint32_t mtu;      /* in use: no packet but a probe is larger */
	uint32_t proven;   /* the largest packet that arrived, since the last black hole; 0: none */
	uint32_t high;     /* nothing larger is tried in this search */
	uint32_t try_high; /* 1: `high` itself has not been found too large yet */
	uint32_t failed;   /* how many probes of the size that is tried were lost */
	uint32_t probe;    /* size of the probe in flight; 0: none */
	uint32_t probe_at; /* its sequence number */
	uint32_t claim;    /* what an ICMP error said that is not believed yet; 0: none */
	uint32_t claim_at; /* the sequence number that it quoted */
	uint32_t black_holes; /* how often packets of the size in use stopped arriving */
	uint64_t raise_us;    /* when to search again */
};

/* Begins with the interface's. */
void pmtu_init(struct conn *c);
bool pmtu_valid(const struct conn *c);
/* The entry was taken up from a former master. */
void pmtu_take_over(struct conn *c);
/*
 * How long the next segment of new data should be: snd_mss, or more for a probe, when AVAILABLE
 * bytes and the peer's WINDOW have room for it and what follows it. In an event.
 */
uint32_t pmtu_segment(struct stack *stack, uint32_t slot, uint64_t available, int32_t window);
/* A segment of new data has been sent. In an event. */
void pmtu_sent(struct stack *stack, uint32_t slot, uint32_t seq, uint32_t length);
/* A segment that was sent once, of LENGTH bytes, has arrived at the peer. In an event. */
void pmtu_delivered(struct stack *stack, uint32_t slot, uint32_t length);
/* The segment that begins at SEQ is lost; true when it was a probe. In an event. */
bool pmtu_lost(struct stack *stack, uint32_t slot, uint32_t seq);
bool pmtu_is_probe(const struct conn *c, uint32_t seq);
/* snd_una may have moved, and what it covers was reported. In an event. */
void pmtu_acked(struct stack *stack, uint32_t slot);
/* ICMP says that the segment with sequence number SEQ is larger than MTU (0: it does not say). */
void pmtu_too_big(struct stack *stack, uint32_t slot, uint32_t seq, uint32_t mtu);
/* The retransmission timer has expired, and `retransmits` counts it. In an event. */
void pmtu_timeout(struct stack *stack, uint32_t slot);

#endif
