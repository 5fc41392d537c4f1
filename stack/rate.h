/*
 * How fast the network delivers (draft-ietf-ccwg-bbr, section 4.1): totals of a
 * connection, stamps on each record in flight, and a sample for each ACK made from
 * the segment sent last among those that it newly delivers.
 */
#ifndef STACK_RATE_H
#define STACK_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "congestion.h"
#include "sent.h"

/* Of a connection, in the connection table; any values are valid. */
struct rate {
	uint64_t delivered;     /* C.delivered: bytes known to have arrived */
	uint64_t lost;          /* C.lost: bytes marked as lost, as often as they were */
	uint64_t delivered_us;  /* when `delivered` last grew, or sending began after silence */
	uint64_t first_sent_us; /* when the segment delivered last was sent */
	uint64_t app_limited;   /* until `delivered` passes this; 0: not */
};

/* What one ACK newly delivers, as far as seen; begins all zero. */
struct rate_gather {
	bool any; /* the rest is valid */
	bool app_limited;
	uint32_t end;
	uint32_t tx_in_flight;
	uint32_t lost; /* low bits of the bytes lost when it was sent */
	uint64_t sent_us;
	uint64_t send_elapsed_us;
	uint64_t prior_us;
	uint64_t prior_delivered;
};

/* RECORD goes out now, on IN_FLIGHT bytes (itself not among them): stamps it. */
void rate_sent(struct rate *rate, struct sent_record *record, uint32_t in_flight, uint64_t now_us);

/* RECORD is newly delivered: counts it and keeps what the sample needs. */
void rate_delivered(struct rate *rate, struct rate_gather *gather, const struct sent_record *record,
                    uint64_t now_us);

/*
 * The sample of an ACK; delivery_rate is 0 when there is none, as when it spans
 * less than MIN_RTT_US. Ends the time in which the application was the limit.
 */
struct rate_sample rate_take(struct rate *rate, const struct rate_gather *gather,
                             uint64_t min_rtt_us, uint64_t now_us);

/* The application has nothing more to send while IN_FLIGHT bytes are below cwnd. */
void rate_app_limited(struct rate *rate, uint32_t in_flight);

#endif
