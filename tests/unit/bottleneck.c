/* A bottleneck and flows over it: see bottleneck.h. */
#include "tests/unit/bottleneck.h"

#define REORDER_PACKETS 3u
#define NEVER           UINT64_MAX

void bottleneck_open(struct bottleneck *path, uint64_t seed, uint32_t mbit, uint64_t rtt_us,
                     uint64_t queue, uint32_t loss)
{
	memset(path, 0, sizeof(*path));
	path->random.state = seed;
	path->now_us = 1000000;
	path->rate = (uint64_t)mbit * 125000;
	path->rtt_us = rtt_us;
	path->queue_limit = queue;
	path->loss = loss;
}

void bottleneck_close(struct bottleneck *path)
{
	for (uint32_t i = 0; i < path->flows; i++)
		free(path->flow[i]);
	path->flows = 0;
}

struct flow *bottleneck_flow(struct bottleneck *path, enum congestion_algorithm algorithm)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	assert_non_null(flow);
	assert_true(path->flows < BOTTLENECK_FLOWS);
	path->flow[path->flows++] = flow;
	flow->has_data = true;
	flow->start_us = path->now_us;
	flow->timeout_us = NEVER;
	rtt_init(&flow->rtt);
	rtt_sample(&flow->rtt, path->rtt_us + 100);
	congestion_init(&flow->cc, algorithm, BOTTLENECK_MSS, &flow->rtt, path->now_us);
	assert_int_equal(flow->cc.algorithm, algorithm);
	return flow;
}

static struct bottleneck_packet *packet_of(struct flow *flow, uint64_t number)
{
	return &flow->packet[number % BOTTLENECK_PACKETS];
}

/* ---- the link ---- */

/* Serialization takes sixteenths of microseconds, so that rounding loses no rate. */
static uint64_t link_send(struct bottleneck *path, uint32_t bytes)
{
	uint64_t now = path->now_us * 16;
	uint64_t queued_us, at;

	if (random_below(&path->random, 1000000) < path->loss)
		return NEVER;
	if (path->busy_until_us < now)
		path->busy_until_us = now;
	queued_us = (path->busy_until_us - now) / 16;
	if (queued_us * path->rate / 1000000 + bytes > path->queue_limit) {
		path->dropped++;
		return NEVER;
	}
	path->queue_us_sum += queued_us;
	path->queue_samples++;
	path->busy_until_us += (uint64_t)bytes * 16000000 / path->rate;
	at = path->busy_until_us / 16 + path->rtt_us;
	if (path->ack_every_us > 0)
		at = (at + path->ack_every_us - 1) / path->ack_every_us * path->ack_every_us;
	return at;
}

/* ---- sending ---- */

static bool flow_may_send(const struct flow *flow)
{
	return flow->has_data && flow->next - flow->first < BOTTLENECK_PACKETS &&
	       flow->in_flight + flow->cc.mss <= flow->cc.cwnd;
}

static void flow_send_one(struct bottleneck *path, struct flow *flow)
{
	struct bottleneck_packet *packet = packet_of(flow, flow->next);
	const struct congestion_ops *ops = congestion_ops(&flow->cc);

	if (ops->on_transmit != NULL)
		ops->on_transmit(&flow->cc, flow->in_flight, flow->app_limited != 0, path->now_us);
	if (flow->in_flight == 0) {
		flow->first_sent_us = path->now_us;
		flow->delivered_us = path->now_us;
	}
	flow->in_flight += flow->cc.mss;
	*packet = (struct bottleneck_packet){
		.ack_us = link_send(path, flow->cc.mss + BOTTLENECK_HEADERS),
		.sent_us = path->now_us,
		.delivered = flow->delivered,
		.delivered_us = flow->delivered_us,
		.first_sent_us = flow->first_sent_us,
		.lost = flow->lost,
		.tx_in_flight = flow->in_flight,
		.app_limited = flow->app_limited != 0,
	};
	flow->next++;
	flow->sent++;
	flow->timeout_us = path->now_us + rtt_timeout(&flow->rtt);
}

/* A quantum, then as long a pause as the pacing rate asks for. */
static void flow_send(struct bottleneck *path, struct flow *flow)
{
	uint32_t quantum =
		flow->cc.send_quantum > flow->cc.mss ? flow->cc.send_quantum : flow->cc.mss;
	uint32_t sent = 0;

	while (flow_may_send(flow) && (flow->cc.pacing_rate == 0 || sent < quantum)) {
		flow_send_one(path, flow);
		sent += flow->cc.mss;
	}
	if (!flow->has_data && flow->in_flight < flow->cc.cwnd)
		flow->app_limited = flow->delivered + flow->in_flight > 0
		                            ? flow->delivered + flow->in_flight
		                            : 1;
	if (flow->cc.pacing_rate > 0 && sent > 0)
		flow->next_send_us = path->now_us + (uint64_t)sent * 1000000 / flow->cc.pacing_rate;
}

/* ---- receiving ---- */

static void flow_lost(struct bottleneck *path, struct flow *flow, uint64_t number)
{
	struct bottleneck_packet *packet = packet_of(flow, number);
	const struct congestion_ops *ops = congestion_ops(&flow->cc);

	packet->done = true;
	flow->in_flight -= flow->cc.mss;
	flow->lost += flow->cc.mss;
	if (ops->on_segment_lost != NULL)
		ops->on_segment_lost(&flow->cc,
		                     &(struct congestion_lost){
					     .now_us = path->now_us,
					     .bytes = flow->cc.mss,
					     .tx_in_flight = packet->tx_in_flight,
					     .lost = (uint32_t)(flow->lost - packet->lost),
					     .is_app_limited = packet->app_limited,
					     .total_delivered = flow->delivered,
					     .total_lost = flow->lost,
				     });
}

static uint64_t flow_next_ack(struct flow *flow)
{
	for (uint64_t n = flow->first; n < flow->next; n++) {
		const struct bottleneck_packet *packet = packet_of(flow, n);

		if (!packet->done && packet->ack_us != NEVER)
			return packet->ack_us;
	}
	return NEVER;
}

static void rate_of(struct flow *flow, const struct bottleneck_packet *newest, uint64_t now_us,
                    struct rate_sample *rate)
{
	uint64_t send = newest->sent_us - newest->first_sent_us;
	uint64_t ack = now_us - newest->delivered_us;

	*rate = (struct rate_sample){
		.delivered = flow->delivered - newest->delivered,
		.prior_delivered = newest->delivered,
		.total_delivered = flow->delivered,
		.interval_us = send > ack ? send : ack,
		.tx_in_flight = newest->tx_in_flight,
		.lost = (uint32_t)(flow->lost - newest->lost),
		.is_app_limited = newest->app_limited,
	};
	if (rate->interval_us >= flow->rtt.min_us && rate->interval_us > 0)
		rate->delivery_rate = rate->delivered * 1000000 / rate->interval_us;
	flow->first_sent_us = newest->sent_us;
}

static void recovery(struct bottleneck *path, struct flow *flow, uint64_t acked, bool loss)
{
	const struct congestion_ops *ops = congestion_ops(&flow->cc);

	if (flow->in_recovery && acked >= flow->recover) {
		flow->in_recovery = false;
		ops->on_recovered(&flow->cc, path->now_us);
	}
	if (loss && !flow->in_recovery) {
		flow->in_recovery = true;
		flow->recover = flow->next;
		ops->on_loss(&flow->cc, flow->in_flight, path->now_us);
	}
}

/* All ACKs of this moment, as one. */
static void flow_ack(struct bottleneck *path, struct flow *flow)
{
	struct congestion_ack ack = {
		.now_us = path->now_us,
		.in_flight_before = flow->in_flight,
		.cwnd_limited = flow->in_flight + flow->cc.mss > flow->cc.cwnd,
		.rtt = &flow->rtt,
	};
	uint64_t newest = 0, lost_before = flow->lost;

	for (uint64_t n = flow->first; n < flow->next; n++) {
		struct bottleneck_packet *packet = packet_of(flow, n);

		if (packet->done || packet->ack_us == NEVER)
			continue;
		if (packet->ack_us > path->now_us)
			break;
		packet->done = true;
		newest = n;
		flow->in_flight -= flow->cc.mss;
		ack.delivered_bytes += flow->cc.mss;
		ack.rtt_us = path->now_us - packet->sent_us;
	}
	flow->delivered += ack.delivered_bytes;
	flow->delivered_us = path->now_us;
	if (flow->delivered > flow->app_limited)
		flow->app_limited = 0;
	rtt_sample(&flow->rtt, ack.rtt_us);
	for (uint64_t n = flow->first; n + REORDER_PACKETS <= newest; n++)
		if (!packet_of(flow, n)->done && packet_of(flow, n)->ack_us == NEVER)
			flow_lost(path, flow, n);
	recovery(path, flow, 0, flow->lost > lost_before);
	rate_of(flow, packet_of(flow, newest), path->now_us, &ack.rate);
	ack.acked_bytes = ack.delivered_bytes;
	ack.lost_bytes = (uint32_t)(flow->lost - lost_before);
	ack.in_flight = flow->in_flight;
	ack.in_recovery = flow->in_recovery;
	congestion_ops(&flow->cc)->on_ack(&flow->cc, &ack);
	recovery(path, flow, newest, false);
	while (flow->first < flow->next && packet_of(flow, flow->first)->done)
		flow->first++;
	flow->timeout_us = flow->in_flight > 0 ? path->now_us + rtt_timeout(&flow->rtt) : NEVER;
}

static void flow_timeout(struct bottleneck *path, struct flow *flow)
{
	uint32_t flight = flow->in_flight;

	flow->timeouts++;
	for (uint64_t n = flow->first; n < flow->next; n++)
		if (!packet_of(flow, n)->done)
			flow_lost(path, flow, n);
	flow->first = flow->next;
	rtt_backoff(&flow->rtt);
	flow->in_recovery = true;
	flow->recover = flow->next;
	flow->timeout_us = NEVER;
	congestion_ops(&flow->cc)->on_timeout(&flow->cc, flight, true, path->now_us);
}

/* ---- time ---- */

static uint64_t flow_next_event(const struct bottleneck *path, struct flow *flow)
{
	uint64_t at = flow_next_ack(flow);

	if (flow->timeout_us < at)
		at = flow->timeout_us;
	if (flow_may_send(flow) && flow->next_send_us < at)
		at = flow->next_send_us;
	return at > path->now_us ? at : path->now_us;
}

static void flow_step(struct bottleneck *path, struct flow *flow)
{
	if (flow_next_ack(flow) <= path->now_us)
		flow_ack(path, flow);
	if (flow->timeout_us <= path->now_us)
		flow_timeout(path, flow);
	if (flow->next_send_us <= path->now_us)
		flow_send(path, flow);
}

void bottleneck_run(struct bottleneck *path, uint64_t us)
{
	uint64_t end = path->now_us + us;

	for (;;) {
		uint64_t at = NEVER;
		struct flow *next = NULL;

		for (uint32_t i = 0; i < path->flows; i++) {
			uint64_t one = flow_next_event(path, path->flow[i]);

			if (one < at) {
				at = one;
				next = path->flow[i];
			}
		}
		if (at > end || next == NULL)
			break;
		path->now_us = at;
		flow_step(path, next);
	}
	path->now_us = end;
}

uint32_t bottleneck_share(struct bottleneck *path, const struct flow *flow, uint64_t us)
{
	uint64_t before = flow->delivered;
	uint64_t wire;

	bottleneck_run(path, us);
	wire = (flow->delivered - before) / BOTTLENECK_MSS * (BOTTLENECK_MSS + BOTTLENECK_HEADERS);
	return (uint32_t)(wire * 100 / (path->rate * us / 1000000));
}
