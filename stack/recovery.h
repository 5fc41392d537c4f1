/*
 * Loss recovery: what it remembers of a connection beside its entry in the table, all
 * of which a new master does without; and what its files share, under the name of the
 * file that defines it. See recovery.c for how it works together. Where there is a stack,
 * it is in an event; slots are those of connections.
 */
#ifndef STACK_RECOVERY_H
#define STACK_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "rate.h"
#include "segment.h"
#include "sent.h"

struct conn;
struct stack;

/* RACK (RFC 8985, section 5.3): rack.c. */
struct rack {
	uint64_t sent_us;     /* RACK.xmit_ts: of the segment sent last that was delivered */
	uint32_t sent_end;    /* RACK.end_seq */
	uint32_t fack;        /* RACK.fack: the highest sequence number delivered */
	uint64_t rtt_us;      /* RACK.rtt; 0: nothing delivered yet */
	uint32_t scanned;     /* what was sent once only and lies below is SACKED or LOST */
	uint32_t high_resent; /* nothing at or above was sent again */
	uint64_t walked_us;   /* when many below it were last looked at */
	uint32_t dsack_round; /* RACK.dsack_round: no DSACK counts again before this */
	uint8_t window_mult;  /* RACK.reo_wnd_mult, less 1 */
	uint8_t window_persist;
	bool in_dsack_round;
	bool reordering_seen;
	bool fack_valid;
};

/* Tail loss probes (RFC 8985, section 7): probe.c. */
struct probe {
	uint32_t end;       /* TLP.end_seq */
	bool outstanding;   /* ... is valid */
	bool retransmitted; /* TLP.is_retrans */
	bool due;           /* the timer has expired: output sends one */
	uint8_t needless;   /* how many probes a DSACK called needless */
};

/* Proportional rate reduction (RFC 9937): prr.c. */
struct prr {
	uint32_t recover_fs; /* RecoverFS */
	uint64_t delivered;  /* prr_delivered */
	uint64_t out;        /* prr_out */
};

/* Whether the last recovery was needless: undo.c. */
enum frto {
	FRTO_OFF,
	FRTO_RESENT, /* the first segment was sent again (RFC 5682, 2.1, step 1) */
	FRTO_NEW,    /* ... and acknowledged: new data goes out (step 2b) */
};

struct undo {
	bool possible;   /* cwnd from before is remembered, and nothing says it was right */
	bool stamped;    /* the first segment sent again had the timestamp below */
	bool resent_any; /* `resent` has been above zero */
	uint8_t frto;    /* enum frto */
	uint32_t stamp;
	uint32_t start;  /* snd_una when recovery began ... */
	uint32_t end;    /* ... and snd_nxt */
	uint32_t resent; /* bytes sent again since, less those that came back as DSACK */
};

/* Congestion window validation (RFC 7661): validation.c. */
struct validation {
	bool measuring;
	uint32_t round_end;       /* snd_nxt when the round trip began that is measured */
	uint64_t round_delivered; /* C.delivered then */
	uint32_t pipe_ack[2]; /* the most of a round trip: in this sampling period, in the last */
	uint64_t period_us;   /* when this sampling period began; 0: no sample yet */
	uint64_t unused_us;   /* since when cwnd is not used; 0: it is */
};

struct recovery {
	struct sent sent;
	struct rack rack;
	struct probe probe;
	struct prr prr;
	struct undo undo;
	struct validation validation;
	uint32_t reno_sacked; /* bytes that duplicate ACKs without SACK say have left the network */
};

/* One acceptable ACK, as recovery.c takes it in. */
struct ack_news {
	struct stack *stack;
	uint32_t slot;
	const struct segment *seg;
	uint32_t acked;     /* sequence space that is cumulatively acknowledged */
	uint32_t before;    /* bytes in flight before it */
	uint32_t delivered; /* bytes newly delivered, by SACK or cumulatively */
	uint32_t lost;      /* bytes marked as lost because of it */
	bool duplicate;     /* by RFC 5681, section 2 */
	bool original;      /* delivers what was sent once only, before `recover` */
	bool dsack;
	struct seq_range dsack_block;
	uint64_t oldest_us; /* when the oldest and the newest that was sent once only was sent; */
	uint64_t newest_us; /* 0: none was delivered */
	uint64_t resent_us; /* the same of the newest that was sent more than once */
	struct rate_gather gather;
};

/* recovery.c: what is in flight, and what to send again */

void recovery_init(struct conn *c);
/*
 * The handshake is over, and gave no round trip: its SYN or SYN-ACK was sent again TIMES
 * times, as far as is known (RFC 6298, 5.7; RFC 6928, section 2). The window is set.
 */
void recovery_syn_lost(struct conn *c, uint32_t times);
/* The entry was taken up from a former master: all that is in flight was sent, nobody knows how. */
void recovery_take_over(struct stack *stack, uint32_t slot);
/* Bytes thought to be in the network (RFC 6675's pipe). */
uint32_t recovery_pipe(const struct stack *stack, uint32_t slot);
/* Duplicate ACKs cannot be for more than is in flight. */
void recovery_cap_reno(struct recovery *recovery);
/* One more segment of new data can be sent: there is room for its record. */
bool recovery_room(struct stack *stack, uint32_t slot);
/* New data in [start, end), FIN included, has been sent: before snd_nxt moves to END. */
void recovery_sent(struct stack *stack, uint32_t slot, uint32_t start, uint32_t end);
/* The next range to send again, at most a segment; false when there is none. */
bool recovery_next(struct stack *stack, uint32_t slot, struct seq_range *range);
/* RANGE, from recovery_next() or probe_last(), has been sent again. */
void recovery_resent(struct stack *stack, uint32_t slot, struct seq_range range);
/* The first octet in flight has been sent as a window probe: an ACK of it may be of either copy. */
void recovery_probed(struct stack *stack, uint32_t slot);
/*
 * All segments in flight of more than MOST bytes must be sent again, soon, but not for
 * congestion (path MTU, an opened window).
 */
void recovery_resend(struct stack *stack, uint32_t slot, uint32_t most);

/* recovery_ack.c */

/* An acceptable ACK that covers ACKED new bytes of sequence space (0: none); DUPLICATE by RFC 5681. */
void recovery_ack(struct stack *stack, uint32_t slot, const struct segment *seg, uint32_t acked,
                  bool duplicate);

/* recovery_loss.c: fast recovery and time-out */

/*
 * Record I is lost: marks, counts and tells the congestion control. Returns its bytes; 0 when
 * they tell nothing about congestion.
 */
uint32_t recovery_mark_lost(struct stack *stack, uint32_t slot, uint32_t i);
/* What is lost by now, by RACK or by duplicate ACKs; begins fast recovery if need be. */
void recovery_detect(struct ack_news *news);
/* Fast recovery begins; IN_FLIGHT bytes were before anything was marked. */
void recovery_enter(struct stack *stack, uint32_t slot, uint32_t in_flight);
/* snd_una has reached `recover`. */
void recovery_leave(struct stack *stack, uint32_t slot);
/* Fast recovery is over: the window is what the congestion control set (RFC 9937, section 6). */
void recovery_window_end(struct conn *c);
/* The window in fast recovery, where the congestion control leaves it to PRR. */
void recovery_reduce(struct stack *stack, uint32_t slot, uint32_t delivered, bool safe);
/* The retransmission timer has expired. */
void recovery_timeout(struct stack *stack, uint32_t slot);
/* The reordering timer has. */
void recovery_reordered(struct stack *stack, uint32_t slot);

/* rack.c */

/* RECORD is newly delivered by SEG; in ascending order for all of one segment. */
void rack_delivered(struct stack *stack, uint32_t slot, const struct segment *seg,
                    const struct sent_record *record);
/* The ACK has a DSACK that is not about a probe. */
void rack_dsack(struct stack *stack, uint32_t slot);
/* A recovery ends. */
void rack_recovered(struct rack *rack);
/* Marks what is lost; returns how many bytes, and when to look again (TIMER_NEVER: not). */
uint32_t rack_detect(struct stack *stack, uint32_t slot, uint64_t *deadline_us);
/* RECORD was sent so long ago that it should have been acknowledged (RFC 8985, 6.3). */
bool rack_overdue(const struct stack *stack, uint32_t slot, const struct sent_record *record);
/* What counted as lost does so no more: look at all again. */
void rack_rescan(struct stack *stack, uint32_t slot);

/* prr.c */

void prr_start(struct prr *prr, uint32_t in_flight, uint32_t mss);
/* Sets cwnd to what may be in flight; SAFE: snd_una has moved and nothing more is lost. */
void prr_ack(struct prr *prr, struct congestion *cc, uint32_t in_flight, uint32_t delivered,
             bool safe);

/* probe.c: tail loss probes */

/* Starts the probe timer anew, or stops it: after new data was sent, or acknowledged. */
void probe_schedule(struct stack *stack, uint32_t slot);
void probe_timeout(struct stack *stack, uint32_t slot);
/* A probe is to be sent now. */
bool probe_due(const struct stack *stack, uint32_t slot);
/* The last segment sent; false when there is none in flight. */
bool probe_last(struct stack *stack, uint32_t slot, struct seq_range *range);
/* The probe has been sent, as new data or RETRANSMITTED; or it is not wanted any more: cancel. */
void probe_sent(struct stack *stack, uint32_t slot, bool retransmitted);
void probe_cancel(struct stack *stack, uint32_t slot);
void probe_ack(struct stack *stack, uint32_t slot, const struct ack_news *news);
/* The ACK's DSACK says that the probe was needless. */
bool probe_is_dsack(const struct probe *probe, const struct ack_news *news);

/* undo.c: needless recoveries */

/* A recovery begins: by a time-out or not. */
void undo_start(struct stack *stack, uint32_t slot, bool timeout);
/* The one that goes on cannot be judged. */
void undo_impossible(struct stack *stack, uint32_t slot);
void undo_resent(struct stack *stack, uint32_t slot, struct seq_range range);
/* Nothing is sent again until F-RTO knows. */
bool undo_holds_back(const struct stack *stack, uint32_t slot);
void undo_ack(struct stack *stack, uint32_t slot, const struct ack_news *news);

/* validation.c: RFC 7661 */

/* An ACK that newly delivers so much has been taken in. */
void validation_acked(struct stack *stack, uint32_t slot, uint32_t delivered);
/* At least half of cwnd is in use, IN_FLIGHT bytes being in flight: it may grow. */
bool validation_used(const struct stack *stack, uint32_t slot, uint32_t in_flight);
/* Before sending: a cwnd that was not used for long shrinks. */
void validation_look(struct stack *stack, uint32_t slot);
/* The bytes in flight that a loss is answered from (4.4.1). */
uint32_t validation_flight(const struct stack *stack, uint32_t slot, uint32_t flight);
/* A recovery is over: cwnd is another one now, and not measured yet. */
void validation_recovered(struct recovery *recovery);

#endif
