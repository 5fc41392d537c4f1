/*
 * HyStart++ (RFC 9406, section 4).
 *
 * Theory of operation: slow start doubles the rate each round trip and learns only by
 * losing up to half a window that it was too fast. Before that a queue grows, and with it
 * the round trip. So each round's shortest round trip is compared with that of the round
 * before; when it has grown by an eighth (but 4 to 16 ms) slow start becomes
 * conservative: a fourth of the growth. If the round trips get shorter again, jitter it
 * was, and slow start goes on; after five rounds it is over.
 *
 * A round ends with the ACK of a segment that was sent after it began: by the counts of
 * delivered bytes that each segment's record keeps (draft-ietf-ccwg-bbr, 4.1).
 */
#include "hystart.h"

#define SAMPLES_LEAST    8u /* N_RTT_SAMPLE */
#define RTT_DIVISOR      8u /* MIN_RTT_DIVISOR */
#define THRESHOLD_MIN_US 4000u
#define THRESHOLD_MAX_US 16000u
#define GROWTH_DIVISOR   4u /* CSS_GROWTH_DIVISOR */
#define CSS_ROUNDS       5u
#define LIMIT            8u /* L, in segments, where nothing spreads them */

void hystart_init(struct hystart *h)
{
	*h = (struct hystart){0};
}

/* The ACK begins a new round when the segment it brings was sent in the last one. */
static void hystart_round(struct hystart *h, const struct rate_sample *rate)
{
	if (rate->total_delivered == 0 || rate->prior_delivered < h->round_end)
		return;
	h->round_end = rate->total_delivered;
	h->last_us = h->current_us;
	h->current_us = 0;
	h->samples = 0;
	if (h->css_rounds > 0)
		h->css_rounds++;
}

static void hystart_sample(struct hystart *h, uint64_t rtt_us)
{
	if (rtt_us == 0)
		return;
	if (h->current_us == 0 || rtt_us < h->current_us)
		h->current_us = rtt_us;
	if (h->samples < SAMPLES_LEAST)
		h->samples++;
}

/* This round's shortest is longer than the last one's, by more than chance. */
static bool hystart_grown(const struct hystart *h)
{
	uint64_t threshold = h->last_us / RTT_DIVISOR;

	if (threshold < THRESHOLD_MIN_US)
		threshold = THRESHOLD_MIN_US;
	if (threshold > THRESHOLD_MAX_US)
		threshold = THRESHOLD_MAX_US;
	return h->last_us != 0 && h->current_us >= h->last_us &&
	       h->current_us - h->last_us >= threshold;
}

static void hystart_judge(struct hystart *h)
{
	if (h->samples < SAMPLES_LEAST)
		return;
	if (h->css_rounds == 0 && hystart_grown(h)) {
		h->baseline_us = h->current_us;
		h->css_rounds = 1; /* the round under way counts as one */
	} else if (h->css_rounds > 0 && h->current_us < h->baseline_us) {
		h->css_rounds = 0;
	}
}

uint32_t hystart_ack(struct hystart *h, const struct congestion_ack *ack, uint32_t mss, bool paced,
                     bool *done)
{
	uint64_t limit = paced ? UINT32_MAX : (uint64_t)LIMIT * mss;
	uint32_t growth = ack->acked_bytes < limit ? ack->acked_bytes : (uint32_t)limit;

	hystart_round(h, &ack->rate);
	hystart_sample(h, ack->rtt_us);
	hystart_judge(h);
	*done = h->css_rounds > CSS_ROUNDS;
	return h->css_rounds > 0 ? growth / GROWTH_DIVISOR : growth;
}
