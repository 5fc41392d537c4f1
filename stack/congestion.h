/*
 * The interface of congestion control (RFC 5681) that Reno, and later CUBIC and
 * BBR, stand behind. The loss recovery in recovery.c decides what is lost and
 * calls these; an algorithm only keeps cwnd and ssthresh.
 */
#ifndef STACK_CONGESTION_H
#define STACK_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

struct rtt;

#define CONGESTION_PRIVATE_WORDS     8
#define CONGESTION_SSTHRESH_INFINITE UINT32_MAX

/* In the connection table: no pointers. */
struct congestion {
	uint32_t cwnd;                                    /* bytes */
	uint32_t ssthresh;                                /* bytes */
	uint32_t mss;                                     /* bytes of payload a segment */
	uint32_t algorithm;                               /* enum congestion_algorithm */
	uint64_t private_words[CONGESTION_PRIVATE_WORDS]; /* the algorithm's own */
};

enum congestion_algorithm {
	CONGESTION_RENO = 0,
	CONGESTION_ALGORITHMS
};

/* What an ACK of new data brought. */
struct congestion_ack {
	uint64_t now_us;
	uint32_t acked_bytes; /* cumulatively acknowledged by this ACK */
	uint32_t in_flight;   /* before this ACK */
	bool cwnd_limited;    /* cwnd, not the application or the peer, was the limit */
	bool in_recovery;     /* fast recovery is going on */
	const struct rtt *rtt;
};

struct congestion_ops {
	const char *name; /* as in the configuration */
	/* A connection is established (or its path changed): MSS is set. */
	void (*init)(struct congestion *cc, uint64_t now_us);
	void (*on_ack)(struct congestion *cc, const struct congestion_ack *ack);
	/* Fast recovery begins with FLIGHT bytes outstanding (RFC 5681, equation 4). */
	void (*on_loss)(struct congestion *cc, uint32_t flight, uint64_t now_us);
	/* Everything that was lost has been acknowledged. */
	void (*on_recovered)(struct congestion *cc, uint64_t now_us);
	/* The retransmission timer expired; FIRST on the first expiry for this data. */
	void (*on_timeout)(struct congestion *cc, uint32_t flight, bool first, uint64_t now_us);
	/* Nothing was sent for longer than the time-out (RFC 5681, 4.1). */
	void (*on_idle)(struct congestion *cc, uint64_t now_us);
};

/* The operations of cc->algorithm; Reno's when the number is out of range. */
const struct congestion_ops *congestion_ops(const struct congestion *cc);

/* The number of the algorithm called NAME; -1 when there is none. */
int congestion_find(const char *name);

/* The initial window of RFC 6928: min(10 * MSS, max(2 * MSS, 14600)). */
uint32_t congestion_initial_window(uint32_t mss);

/* Sets mss and algorithm and calls init. */
void congestion_init(struct congestion *cc, uint32_t algorithm, uint32_t mss, uint64_t now_us);

extern const struct congestion_ops congestion_reno;

#endif
