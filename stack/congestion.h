/*
 * The interface of congestion control (RFC 5681) that Reno, CUBIC and BBR stand
 * behind. The loss recovery in recovery.c decides what is lost and calls these;
 * an algorithm keeps cwnd, ssthresh and, if it paces, the rate at which output.c
 * lets segments go. What it must remember is in the connection table and so
 * outlives a master; it holds no pointers.
 */
#ifndef STACK_CONGESTION_H
#define STACK_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

struct rtt;

#define CONGESTION_PRIVATE_WORDS     48
#define CONGESTION_SSTHRESH_INFINITE UINT32_MAX
/* No window of TCP is larger (RFC 7323, section 2.3), so no cwnd need be. */
#define CONGESTION_CWND_MAX (UINT32_C(1) << 30)

/* In the connection table: no pointers. */
struct congestion {
	uint32_t cwnd;         /* bytes */
	uint32_t ssthresh;     /* bytes */
	uint32_t mss;          /* bytes of payload a segment */
	uint32_t algorithm;    /* enum congestion_algorithm */
	uint64_t pacing_rate;  /* bytes a second; 0: not paced */
	uint32_t send_quantum; /* bytes that may go at once when paced; 0: one segment */
	uint32_t reserved;
	uint64_t private_words[CONGESTION_PRIVATE_WORDS]; /* the algorithm's own */
};

enum congestion_algorithm {
	CONGESTION_RENO = 0,
	CONGESTION_CUBIC,
	CONGESTION_BBR,
	CONGESTION_ALGORITHMS
};

/*
 * A delivery-rate sample (draft-ietf-ccwg-bbr, section 4.1), taken from the
 * segment sent last among those that an ACK newly delivers.
 */
struct rate_sample {
	uint64_t delivery_rate;   /* bytes a second; 0: no sample */
	uint64_t delivered;       /* bytes delivered between that segment's send time and now */
	uint64_t prior_delivered; /* total_delivered when that segment was sent */
	uint64_t total_delivered; /* C.delivered: of the connection, now */
	uint64_t interval_us;     /* that the sample spans */
	uint32_t tx_in_flight;    /* bytes in flight when that segment was sent, it included */
	uint32_t lost;            /* bytes declared lost between its send time and now */
	bool is_app_limited;
};

/* What an acceptable ACK brought: new data acknowledged, selectively or not, or losses. */
struct congestion_ack {
	uint64_t now_us;
	uint32_t acked_bytes;      /* cumulatively acknowledged by this ACK */
	uint32_t delivered_bytes;  /* newly acknowledged, by SACK or cumulatively, each byte once */
	uint32_t lost_bytes;       /* newly marked as lost */
	uint32_t in_flight_before; /* bytes thought to be in the network before this ACK */
	uint32_t in_flight;        /* ... and after it */
	uint64_t rtt_us;           /* round trip of the newest segment acknowledged; 0: none */
	bool cwnd_limited;         /* at least half of cwnd is in use (RFC 7661): it may grow */
	bool in_recovery;          /* fast recovery is going on */
	bool ece;                  /* carries ECN-Echo on an ECN connection (RFC 3168) */
	const struct rtt *rtt;
	struct rate_sample rate;
};

/* A segment that has just been marked as lost. */
struct congestion_lost {
	uint64_t now_us;
	uint32_t bytes;        /* of that segment */
	uint32_t tx_in_flight; /* in flight when it was sent, it included */
	uint32_t lost;         /* bytes declared lost between its send time and now, it included */
	bool is_app_limited;   /* when it was sent */
	uint64_t total_delivered; /* C.delivered now */
	uint64_t total_lost;      /* C.lost now, it included */
};

/* The order on an ACK: on_segment_lost for each, on_loss where recovery begins, on_ack, on_recovered. */
struct congestion_ops {
	const char *name; /* as in the configuration */
	/* It keeps cwnd in fast recovery itself; otherwise recovery does by PRR, down to ssthresh. */
	bool controls_recovery;
	/* A connection is established (or its path changed): MSS is set. RTT may have no sample. */
	void (*init)(struct congestion *cc, const struct rtt *rtt, uint64_t now_us);
	/* New data is about to go out on IN_FLIGHT bytes; the application was the limit before. */
	void (*on_transmit)(struct congestion *cc, uint32_t in_flight, bool app_limited,
	                    uint64_t now_us);
	void (*on_ack)(struct congestion *cc, const struct congestion_ack *ack);
	/* A segment has been marked as lost; NULL when the algorithm does not care. */
	void (*on_segment_lost)(struct congestion *cc, const struct congestion_lost *lost);
	/* Fast recovery begins with FLIGHT bytes outstanding (RFC 5681, equation 4). */
	void (*on_loss)(struct congestion *cc, uint32_t flight, uint64_t now_us);
	/* ECN-Echo, at most once a round trip: like a loss, but nothing was lost (RFC 3168, 6.1.2). */
	void (*on_ecn)(struct congestion *cc, uint32_t flight, uint64_t now_us);
	/* Everything that was lost has been acknowledged. */
	void (*on_recovered)(struct congestion *cc, uint64_t now_us);
	/* The retransmission timer expired; FIRST on the first expiry for this data. */
	void (*on_timeout)(struct congestion *cc, uint32_t flight, bool first, uint64_t now_us);
	/* What on_loss or on_timeout last believed was wrong (RFC 4015): cwnd and ssthresh as before. */
	void (*on_undo)(struct congestion *cc, uint64_t now_us);
};

/* The operations of cc->algorithm; Reno's when the number is out of range. */
const struct congestion_ops *congestion_ops(const struct congestion *cc);

/* The number of the algorithm called NAME; -1 when there is none. */
int congestion_find(const char *name);

/* The initial window of RFC 6928: min(10 * MSS, max(2 * MSS, 14600)). */
uint32_t congestion_initial_window(uint32_t mss);

/* Sets mss and algorithm and calls init. */
void congestion_init(struct congestion *cc, uint32_t algorithm, uint32_t mss, const struct rtt *rtt,
                     uint64_t now_us);

/* True when WINDOWS and MSS can have come from an algorithm: for a table that is taken up. */
bool congestion_valid(const struct congestion *cc);

/* ---- what algorithms share ---- */

/* cwnd BYTES larger, up to CONGESTION_CWND_MAX. */
void congestion_grow(struct congestion *cc, uint32_t bytes);

/* Slow start: BYTES larger, up to ssthresh. Returns the bytes left over (RFC 3465, 2.2). */
uint32_t congestion_slow_start(struct congestion *cc, uint32_t bytes);

/* NUM / DEN of FLIGHT bytes, but at least two segments (RFC 5681, equation 4). NUM <= DEN. */
uint32_t congestion_fraction(const struct congestion *cc, uint32_t flight, uint32_t num,
                             uint32_t den);

/*
 * NUM / DEN of FLIGHT bytes at most, for a mark: down to one segment, so that marks that
 * go on are heeded (RFC 3168, section 6.1.2; RFC 9438, section 4.6).
 */
void congestion_marked(struct congestion *cc, uint32_t flight, uint32_t num, uint32_t den);

/* A reduction was wrong: back to these windows; a cwnd that is larger stays (RFC 4015, section 4). */
void congestion_restore(struct congestion *cc, uint32_t cwnd, uint32_t ssthresh);

extern const struct congestion_ops congestion_reno;
extern const struct congestion_ops congestion_cubic;
extern const struct congestion_ops congestion_bbr;

#endif
