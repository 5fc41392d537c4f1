/*
 * What the files of BBR (draft-ietf-ccwg-bbr-06, version 3 of the algorithm) share:
 * its state and the steps that one file does for another. Names are the draft's.
 *
 *   bbr.c          the events, Startup, Drain, ECN, undo
 *   bbr_model.c    what the path can do: rounds, max_bw, extra_acked, full pipe
 *   bbr_loss.c     what losses say about it
 *   bbr_probe_bw.c, bbr_probe_rtt.c   the states that measure it again
 *   bbr_control.c  what follows: pacing rate, send quantum, cwnd
 *
 * Rates are bytes a second, volumes bytes, gains and shares percent; integers only.
 */
#ifndef STACK_BBR_H
#define STACK_BBR_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "congestion.h"

#define BBR_UNBOUNDED      UINT32_MAX /* a volume that is not bounded */
#define BBR_RATE_UNBOUNDED UINT64_MAX
/* No rate is larger (550 Gbit/s), no time longer: their product stays below 2^62. */
#define BBR_RATE_MAX    (UINT64_C(1) << 36)
#define BBR_TIME_MAX_US (UINT64_C(1) << 26)
#define BBR_VOLUME_MAX  CONGESTION_CWND_MAX

#define BBR_MIN_PIPE_SEGMENTS       4u  /* section 5.6.4.3 */
#define BBR_LOSS_THRESHOLD          2u  /* LossThresh */
#define BBR_BETA                    70u /* Beta */
#define BBR_HEADROOM                15u /* Headroom */
#define BBR_CWND_GAIN               200u
#define BBR_CWND_GAIN_UP            225u
#define BBR_CWND_GAIN_PROBE_RTT     50u
#define BBR_PROBE_RTT_INTERVAL_US   UINT64_C(5000000)
#define BBR_PROBE_RTT_DURATION_US   UINT64_C(200000)
#define BBR_MIN_RTT_FILTER_US       UINT64_C(10000000)
#define BBR_PROBE_WAIT_US           UINT64_C(2000000) /* and up to a second more */
#define BBR_PROBE_WAIT_RANDOM_US    UINT64_C(1000000)
#define BBR_RENO_ROUNDS             63u /* section 5.3.3.8.2 */
#define BBR_EXTRA_ACKED_SLOT_ROUNDS 5u  /* two of them are ExtraAckedFilterLen */

enum bbr_state {
	BBR_STARTUP,
	BBR_DRAIN,
	BBR_PROBE_BW_DOWN,
	BBR_PROBE_BW_CRUISE,
	BBR_PROBE_BW_REFILL,
	BBR_PROBE_BW_UP,
	BBR_PROBE_RTT,
	BBR_STATES
};

/* What the ACKs that come in now tell about a probe for bandwidth (section 2.14). */
enum bbr_ack_phase {
	BBR_ACKS_INIT,
	BBR_ACKS_REFILLING,
	BBR_ACKS_PROBE_STARTING,
	BBR_ACKS_PROBE_FEEDBACK,
	BBR_ACKS_PROBE_STOPPING,
	BBR_ACK_PHASES
};

/* What a loss has made BBR leave, to be undone (section 5.5.11). */
enum bbr_undo {
	BBR_UNDO_NONE,
	BBR_UNDO_STARTUP,
	BBR_UNDO_PROBE_BW_UP,
	BBR_UNDOS
};

/*
 * The private words. No bool: these bytes may be damaged, and any value of a
 * uint8_t is one that C knows. Whatever stands here, nothing below divides by
 * zero, overflows or loops; bbr_of() begins anew when it cannot have been so.
 */
struct bbr {
	uint64_t max_bw[2]; /* best sample of the last and of this cycle (section 5.5.3) */
	uint64_t bw;        /* max_bw, bounded by bw_shortterm */
	uint64_t bw_latest; /* best sample of this loss round */
	uint64_t bw_shortterm;
	uint64_t full_bw;
	uint64_t undo_bw_shortterm;

	uint64_t min_rtt_us; /* BBR_TIME_MAX_US: none yet */
	uint64_t min_rtt_stamp;
	uint64_t probe_rtt_min_delay; /* as min_rtt_us, over ProbeRTTInterval */
	uint64_t probe_rtt_min_stamp;
	uint64_t probe_rtt_done_stamp; /* 0: not yet known */
	uint64_t cycle_stamp;
	uint64_t bw_probe_wait;
	uint64_t extra_acked_interval_start;

	/* values of C.delivered */
	uint64_t delivered;            /* as of the last ACK */
	uint64_t next_round_delivered; /* what was sent from here on ends the round */
	uint64_t loss_round_delivered;
	uint64_t limited_from; /* what was sent from here to there was limited by ProbeRTT */
	uint64_t limited_until;

	uint64_t extra_acked_delivered;
	uint64_t round_count;
	uint64_t random;

	uint32_t prior_cwnd;
	uint32_t inflight_latest; /* most delivered in a sample of this loss round */
	uint32_t inflight_longterm;
	uint32_t inflight_shortterm;
	uint32_t undo_inflight_longterm;
	uint32_t undo_inflight_shortterm;
	uint32_t max_inflight;
	uint32_t extra_acked[2]; /* most in the last and in these rounds */
	uint32_t extra_acked_rounds;
	uint32_t probe_up_acked_per_inc;
	uint32_t bw_probe_up_acked;
	uint32_t bw_probe_up_rounds;
	uint32_t rounds_since_probe_up;
	uint32_t full_bw_count;
	uint32_t drain_rounds;    /* begun in Drain */
	uint32_t recovery_rounds; /* begun in this fast recovery */
	uint32_t loss_events;     /* ACKs of this loss round that told of losses */
	uint32_t latest_rtt_us;
	uint32_t quiet_lost;      /* volume lost while no queue stood, ... */
	uint32_t quiet_delivered; /* ... and delivered (bbr_loss.c) */

	uint8_t state;     /* enum bbr_state */
	uint8_t ack_phase; /* enum bbr_ack_phase */
	uint8_t undo_state;
	uint8_t round_start;
	uint8_t loss_round_start;
	uint8_t is_loss_in_round;
	uint8_t is_congestion_in_round; /* a loss that counts (bbr_loss.c), or ECN-Echo */
	uint8_t is_bw_probe_sample;
	uint8_t prev_probe_too_high;
	uint8_t prev_probe_precautionary;
	uint8_t full_bw_now;
	uint8_t full_bw_reached;
	uint8_t idle_restart;
	uint8_t probe_rtt_expired;
	uint8_t probe_rtt_round_done;
	uint8_t in_recovery; /* fast recovery, or after a time-out */
	uint8_t undo_saved;
	uint8_t has_rtt; /* the pacing rate comes from a measured round trip */
	uint8_t reserved[6];
} __attribute__((may_alias));

static_assert(sizeof(struct bbr) <= CONGESTION_PRIVATE_WORDS * sizeof(uint64_t),
              "BBR's state must fit into the private words");

/* An ACK, with bounds put on what it says: the draft's RS, and some of its C. */
struct bbr_sample {
	uint64_t now_us;
	uint64_t rtt_us; /* 0: none */
	uint64_t delivery_rate;
	uint64_t prior_delivered;
	uint32_t delivered;
	uint32_t newly_acked;
	uint32_t newly_lost;
	uint32_t tx_in_flight;
	uint32_t lost;
	uint32_t in_flight_before; /* this ACK */
	uint32_t in_flight;
	bool has_data; /* something was delivered, and the sample tells when it was sent */
	bool is_app_limited;
	bool cwnd_limited;
};

static inline uint64_t bbr_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t bbr_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A volume that fits into 32 bits and is none of the special values. */
static inline uint32_t bbr_volume(uint64_t bytes)
{
	return bytes < BBR_VOLUME_MAX ? (uint32_t)bytes : BBR_VOLUME_MAX;
}

/* Time since STAMP, at most BBR_TIME_MAX_US. */
static inline uint64_t bbr_since(uint64_t stamp, uint64_t now_us)
{
	return now_us > stamp ? bbr_min(now_us - stamp, BBR_TIME_MAX_US) : 0;
}

static inline bool bbr_in_probe_bw(const struct bbr *b)
{
	return b->state >= BBR_PROBE_BW_DOWN && b->state <= BBR_PROBE_BW_UP;
}

/* ---- bbr.c ---- */

void bbr_enter_startup(struct bbr *b);

/* The pipe was full too soon or ECN says so: on to Drain, with what has been measured. */
void bbr_leave_startup(struct congestion *cc, struct bbr *b);

/* ---- bbr_model.c ---- */

void bbr_model_init(struct bbr *b, uint64_t srtt_us, uint64_t now_us);

/* max_bw: the best sample of two cycles. */
uint64_t bbr_max_bw(const struct bbr *b);

/* GAIN percent of RATE times min_rtt (BDPMultiple); the initial window before any RTT. */
uint32_t bbr_bdp(const struct congestion *cc, const struct bbr *b, uint64_t rate, uint32_t gain);

/* max(2 slots): recent aggregation (section 5.5.9). */
uint32_t bbr_extra_acked(const struct bbr *b);

/* A round trip begins: it ends when what is sent from now on is acknowledged. */
void bbr_start_round(struct bbr *b);

/* UpdateMaxBw with UpdateRound (5.5.1, 5.5.5), UpdateACKAggregation, CheckFullBWReached. */
void bbr_update_max_bw(struct bbr *b, const struct bbr_sample *rs);
void bbr_update_aggregation(const struct congestion *cc, struct bbr *b,
                            const struct bbr_sample *rs);
void bbr_check_full_bw(struct bbr *b, const struct bbr_sample *rs);

/* The window of the max_bw filter moves on by a cycle (section 5.5.6). */
void bbr_advance_max_bw(struct bbr *b);

/* The full pipe is looked for anew, beyond BASELINE. */
void bbr_reset_full_bw(struct bbr *b, uint64_t baseline);

/* BBR.bw = min(max_bw, bw_shortterm). */
void bbr_bound_bw(struct bbr *b);

/* A number below LIMIT, which is not 0, from the connection's own sequence. */
uint64_t bbr_random(struct bbr *b, uint64_t limit);

/* ---- bbr_loss.c ---- */

/* A round-trip sample, or delivery, that tells whether a queue stands. */
void bbr_note_queue(const struct congestion *cc, struct bbr *b, const struct bbr_sample *rs);

/* The path's own loss rate in thousandths, less than a tenth. */
uint32_t bbr_quiet_loss(const struct congestion *cc, const struct bbr *b);

/* LOST of TX_IN_FLIGHT is more than may be (IsInflightTooHigh): beside a queue, more than the path's own. */
bool bbr_too_much_lost(const struct congestion *cc, const struct bbr *b, uint32_t lost,
                       uint32_t tx_in_flight);

/* HandleLostPacket. */
void bbr_handle_lost(struct congestion *cc, struct bbr *b, const struct congestion_lost *lost);

/* HandleInflightTooHigh: TX_IN_FLIGHT was too much. */
void bbr_inflight_too_high(struct congestion *cc, struct bbr *b, uint32_t tx_in_flight,
                           bool is_app_limited, uint64_t now_us);

/* Near the start, then in the midst, then near the end of each ACK (section 5.5.10.3). */
void bbr_update_latest(struct bbr *b, const struct bbr_sample *rs);
void bbr_adapt_lower_bounds(const struct congestion *cc, struct bbr *b);
void bbr_advance_latest(struct bbr *b, const struct bbr_sample *rs);

void bbr_reset_congestion_signals(struct bbr *b);
void bbr_reset_shortterm(struct bbr *b);

/* Once an episode: what a spurious loss recovery is to be put back to. */
void bbr_save_for_undo(const struct congestion *cc, struct bbr *b);

/* ---- bbr_probe_bw.c ---- */

void bbr_start_down(struct bbr *b, uint64_t now_us);
void bbr_start_cruise(struct bbr *b);
void bbr_start_refill(struct bbr *b);
/* UpdateProbeBWCyclePhase. */
void bbr_update_probe_bw(struct congestion *cc, struct bbr *b, const struct bbr_sample *rs);

/* min(bdp, cwnd): what we want in flight, unless congestion has cut it (TargetInflight). */
uint32_t bbr_target_inflight(const struct congestion *cc, const struct bbr *b);

/* ---- bbr_probe_rtt.c ---- */

void bbr_update_min_rtt(struct bbr *b, const struct bbr_sample *rs);
void bbr_check_probe_rtt(struct congestion *cc, struct bbr *b, const struct bbr_sample *rs);
/* Leaves ProbeRTT when its time is over. */
void bbr_check_probe_rtt_done(struct congestion *cc, struct bbr *b, uint64_t now_us);

/* ---- bbr_control.c ---- */

/* Before a bandwidth is known: the initial window a round trip (InitPacingRate). */
void bbr_init_pacing(struct congestion *cc, uint64_t srtt_us);

/* In BBR.Startup only upwards. */
void bbr_set_pacing_rate(struct congestion *cc, const struct bbr *b, uint32_t gain);

/* SetPacingRate, SetSendQuantum, SetCwnd. */
void bbr_update_control(struct congestion *cc, struct bbr *b, const struct bbr_sample *rs);

/* Volume needed for GAIN percent of the BDP, with what quanta need (Inflight). */
uint32_t bbr_inflight(const struct congestion *cc, const struct bbr *b, uint64_t rate,
                      uint32_t gain);

/* What leaves headroom below inflight_longterm (InflightWithHeadroom). */
uint32_t bbr_inflight_with_headroom(const struct congestion *cc, const struct bbr *b);

uint32_t bbr_min_pipe_cwnd(const struct congestion *cc);
uint32_t bbr_probe_rtt_cwnd(const struct congestion *cc, const struct bbr *b);
void bbr_bound_cwnd(struct congestion *cc, const struct bbr *b);
void bbr_save_cwnd(const struct congestion *cc, struct bbr *b);
void bbr_restore_cwnd(struct congestion *cc, const struct bbr *b);

#endif
