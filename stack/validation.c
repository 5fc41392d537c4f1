/*
 * Congestion window validation (RFC 7661): what a cwnd is worth that is not used.
 *
 * A session is silent most of the time. RFC 5681 (4.1) lets cwnd fall to the initial
 * window after one time-out of silence, and lets it grow from ACKs of single
 * keystrokes as if it had been tried. Here cwnd is measured against what a round trip
 * really brings: pipeACK, the most bytes delivered in one round trip during the last
 * second or so. As long as that is half of cwnd or more, cwnd is valid and grows.
 * Otherwise it stays as it is, and halves every five minutes down to the initial window;
 * a loss is answered from what was in use, not from a cwnd that was not (4.4.1).
 *
 * An algorithm that keeps its window by a model of the path (BBR) is left alone.
 */
#include "engine.h"

#define SAMPLING_LEAST_US 1000000ULL   /* 4.2: three round trips, but at least a second */
#define NOT_VALIDATED_US  300000000ULL /* 4.4.3: five minutes */

static uint64_t sampling_period(const struct conn *c)
{
	uint64_t three = 3 * c->rtt.srtt_us;

	return three > SAMPLING_LEAST_US ? three : SAMPLING_LEAST_US;
}

/* What was measured ages: a period counts for as long as the next, and then no more. */
static void validation_age(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	struct validation *v = &slot_recovery(s, slot)->validation;
	uint64_t period = sampling_period(c);
	uint64_t age = s->event.now_us - v->period_us;

	if (v->period_us == 0 || age < period)
		return;
	v->pipe_ack[1] = age < 2 * period ? v->pipe_ack[0] : 0;
	v->pipe_ack[0] = 0;
	v->period_us = s->event.now_us;
}

static uint32_t pipe_ack(const struct validation *v)
{
	return v->pipe_ack[0] > v->pipe_ack[1] ? v->pipe_ack[0] : v->pipe_ack[1];
}

void validation_acked(struct stack *s, uint32_t slot, uint32_t delivered)
{
	const struct conn *c = slot_conn(s, slot);
	struct validation *v = &slot_recovery(s, slot)->validation;
	uint64_t bytes;

	validation_age(s, slot);
	if (!v->measuring) {
		v->measuring = true;
		v->round_end = c->snd_nxt;
		v->round_delivered = c->rate.delivered - delivered;
	}
	if (seq_lt(c->snd_una, v->round_end))
		return;
	bytes = c->rate.delivered - v->round_delivered;
	if (v->period_us == 0)
		v->period_us = s->event.now_us;
	if (bytes > v->pipe_ack[0])
		v->pipe_ack[0] =
			bytes < CONGESTION_CWND_MAX ? (uint32_t)bytes : CONGESTION_CWND_MAX;
	v->measuring = c->snd_una != c->snd_nxt;
	v->round_end = c->snd_nxt;
	v->round_delivered = c->rate.delivered;
}

bool validation_used(const struct stack *s, uint32_t slot, uint32_t in_flight)
{
	const struct conn *c = slot_conn(s, slot);
	uint32_t used = pipe_ack(&slot_recovery(s, slot)->validation);

	if (used < in_flight)
		used = in_flight;
	return used >= c->congestion.cwnd / 2;
}

void validation_look(struct stack *s, uint32_t slot)
{
	struct conn *c = event_conn(s, slot);
	struct congestion *cc = &c->congestion;
	struct validation *v = &slot_recovery(s, slot)->validation;
	uint32_t least = congestion_initial_window(cc->mss);
	uint64_t since = v->period_us + sampling_period(c);

	validation_age(s, slot);
	if (congestion_ops(cc)->controls_recovery || c->recovery != RECOVERY_OPEN)
		return;
	if (v->period_us == 0 || validation_used(s, slot, recovery_pipe(s, slot))) {
		v->unused_us = 0;
		return;
	}
	if (v->unused_us == 0)
		v->unused_us = since < s->event.now_us ? since : s->event.now_us;
	while (s->event.now_us - v->unused_us >= NOT_VALIDATED_US && cc->cwnd > least) {
		v->unused_us += NOT_VALIDATED_US;
		if (cc->ssthresh < cc->cwnd / 4 * 3)
			cc->ssthresh = cc->cwnd / 4 * 3;
		cc->cwnd = cc->cwnd / 2 > least ? cc->cwnd / 2 : least;
	}
}

uint32_t validation_flight(const struct stack *s, uint32_t slot, uint32_t flight)
{
	const struct recovery *r = slot_recovery(s, slot);
	uint32_t used = pipe_ack(&r->validation);

	return r->validation.unused_us != 0 && used > flight ? used : flight;
}

void validation_recovered(struct recovery *r)
{
	r->validation = (struct validation){0};
}
