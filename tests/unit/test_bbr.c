/*
 * stack/bbr*.c: what BBR makes of a bottleneck (bottleneck.h), of single events, and
 * of private words that were damaged. $CALMD_SEED seeds what is random.
 */
#include "tests/unit/bottleneck.h"

#include "stack/bbr.h"

#define MBIT     100
#define QUEUE    262144
#define MS       UINT64_C(1000)
#define SECOND   UINT64_C(1000000)
#define MSS      BOTTLENECK_MSS
#define PERCENT  10000 /* of a million */
#define SEED     7
#define TRANSFER 20000000u

static struct bbr *bbr_in(struct flow *flow)
{
	return (struct bbr *)flow->cc.private_words;
}

/* Runs until the flow is in STATE, at most MOST_US; fails when it never is. */
static void run_until(struct bottleneck *path, struct flow *flow, enum bbr_state state,
                      uint64_t most_us)
{
	uint64_t end = path->now_us + most_us;

	while (bbr_in(flow)->state != state) {
		if (path->now_us > end)
			fail_msg("not in state %d within %llu us", state,
			         (unsigned long long)most_us);
		bottleneck_run(path, 100);
	}
}

/* ---- over a bottleneck ---- */

/* Fills the path, with a small queue, whatever is lost at random. */
static void fill(uint64_t rtt_us, uint32_t loss, uint32_t least, uint64_t most_transfer_us)
{
	struct bottleneck path;
	struct flow *flow;
	uint64_t begin, took, queue;
	uint32_t share;

	bottleneck_open(&path, SEED, MBIT, rtt_us, QUEUE, loss);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	begin = path.now_us;
	while (flow->delivered < TRANSFER && path.now_us < begin + 60 * SECOND)
		bottleneck_run(&path, MS);
	took = path.now_us - begin;
	path.queue_us_sum = path.queue_samples = 0;
	share = bottleneck_share(&path, flow, 20 * SECOND);
	queue = path.queue_us_sum / path.queue_samples;
	printf("# rtt %llu ms, loss %u.%u %%: 20 MB in %llu ms, then %u %%, queue %llu us\n",
	       (unsigned long long)(rtt_us / MS), loss / PERCENT, loss % PERCENT / 1000,
	       (unsigned long long)(took / MS), share, (unsigned long long)queue);
	assert_in_range(share, least, 100);
	assert_in_range(took, 1, most_transfer_us);
	assert_in_range(queue, 0, 8 * MS); /* of the 21 ms that it holds */
	assert_int_equal(flow->timeouts, 0);
	bottleneck_close(&path);
}

static void a_path_of_1_ms_is_filled_at_any_loss(void **state)
{
	(void)state;
	fill(1 * MS, 0, 95, 1800 * MS);
	fill(1 * MS, PERCENT, 95, 1800 * MS);
	fill(1 * MS, 5 * PERCENT, 94, 1850 * MS);
}

static void a_path_of_20_ms_is_filled_at_any_loss(void **state)
{
	(void)state;
	fill(20 * MS, 0, 95, 1900 * MS);
	fill(20 * MS, PERCENT, 94, 1900 * MS);
	fill(20 * MS, 5 * PERCENT, 93, 1950 * MS);
}

static void a_path_of_100_ms_is_filled_at_any_loss(void **state)
{
	(void)state;
	fill(100 * MS, 0, 93, 2600 * MS);
	fill(100 * MS, PERCENT, 92, 2600 * MS);
	fill(100 * MS, 5 * PERCENT, 90, 2700 * MS);
}

/* The queue holds a fourteenth of what is in flight, and the draft leaves headroom. */
static void a_path_of_300_ms_is_nearly_filled_at_any_loss(void **state)
{
	(void)state;
	fill(300 * MS, 0, 82, 4800 * MS);
	fill(300 * MS, PERCENT, 80, 4800 * MS);
	fill(300 * MS, 5 * PERCENT, 80, 4900 * MS);
}

static void startup_doubles_each_round_and_ends_when_the_pipe_is_full(void **state)
{
	struct bottleneck path;
	struct flow *flow;
	uint64_t begin;

	(void)state;
	bottleneck_open(&path, SEED, MBIT, 40 * MS, 4 * QUEUE, 0);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	begin = path.now_us;
	assert_int_equal(bbr_in(flow)->state, BBR_STARTUP);
	run_until(&path, flow, BBR_DRAIN, 20 * SECOND);
	/* 345 segments a round from 10: six rounds, and three to see that it is enough */
	assert_in_range((path.now_us - begin) / (40 * MS), 7, 12);
	assert_in_range(bbr_max_bw(bbr_in(flow)), MBIT * 125000 * 9 / 10, MBIT * 125000);
	assert_int_equal(bbr_in(flow)->min_rtt_us / MS, 40);
	run_until(&path, flow, BBR_PROBE_BW_CRUISE, 200 * MS);
	assert_in_range(flow->in_flight, 0, 40 * MS * MBIT / 8);
	bottleneck_close(&path);
}

static void startup_ends_on_loss_when_the_buffer_is_small(void **state)
{
	struct bottleneck path;
	struct flow *flow;

	(void)state;
	bottleneck_open(&path, SEED, MBIT, 40 * MS, 16384, 0);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	run_until(&path, flow, BBR_DRAIN, SECOND);
	assert_int_not_equal(bbr_in(flow)->inflight_longterm, BBR_UNBOUNDED);
	assert_in_range(bottleneck_share(&path, flow, 20 * SECOND), 80, 100);
	bottleneck_close(&path);
}

static void two_flows_share_the_link(void **state)
{
	static const uint64_t rtts[] = {5 * MS, 20 * MS, 100 * MS};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct bottleneck path;
		struct flow *first, *second;
		uint64_t delivered;
		uint32_t share, other;

		bottleneck_open(&path, SEED, MBIT, rtts[i], QUEUE, 0);
		first = bottleneck_flow(&path, CONGESTION_BBR);
		bottleneck_run(&path, 3 * SECOND); /* the link is the first one's */
		second = bottleneck_flow(&path, CONGESTION_BBR);
		delivered = first->delivered;
		share = bottleneck_share(&path, second, 60 * SECOND);
		other = (uint32_t)((first->delivered - delivered) * 100 / (60 * MBIT * 125000));
		printf("# rtt %llu ms: %u and %u %%\n", (unsigned long long)(rtts[i] / MS), other,
		       share);
		assert_in_range(share, 30, 67);
		assert_in_range(other, 30, 67);
		assert_in_range(share + other, 85, 100);
		bottleneck_close(&path);
	}
}

static void acks_that_come_in_bunches_do_not_slow_it_down(void **state)
{
	struct bottleneck path;
	struct flow *flow;

	(void)state;
	bottleneck_open(&path, SEED, MBIT, 20 * MS, QUEUE, 0);
	path.ack_every_us = 8 * MS;
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	bottleneck_run(&path, 2 * SECOND);
	assert_in_range(bottleneck_share(&path, flow, 20 * SECOND), 90, 100);
	assert_in_range(bbr_extra_acked(bbr_in(flow)), 20000, QUEUE);
	bottleneck_close(&path);
}

static void after_idle_it_goes_on_at_once_and_without_a_burst(void **state)
{
	struct bottleneck path;
	struct flow *flow;

	(void)state;
	bottleneck_open(&path, SEED, MBIT, 50 * MS, QUEUE, 0);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	bottleneck_run(&path, 3 * SECOND);
	flow->has_data = false;
	bottleneck_run(&path, 20 * SECOND);
	assert_int_equal(flow->in_flight, 0);
	path.dropped = path.queue_us_sum = path.queue_samples = 0;
	flow->has_data = true;
	/* idle time is as good as ProbeRTT */
	bottleneck_run(&path, 60 * MS);
	assert_int_not_equal(bbr_in(flow)->state, BBR_PROBE_RTT);
	assert_in_range(path.queue_us_sum / path.queue_samples, 0, 2 * MS);
	assert_int_equal(path.dropped, 0);
	assert_in_range(bottleneck_share(&path, flow, SECOND), 93, 100);
	bottleneck_close(&path);
}

static void samples_that_the_application_limited_do_not_lower_the_rate(void **state)
{
	struct bottleneck path;
	struct flow *flow;
	uint64_t before;

	(void)state;
	bottleneck_open(&path, SEED, MBIT, 20 * MS, QUEUE, 0);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	bottleneck_run(&path, 3 * SECOND);
	before = bbr_max_bw(bbr_in(flow));
	for (int i = 0; i < 200; i++) { /* a keystroke's echo now and then */
		flow->has_data = true;
		bottleneck_run(&path, 1);
		flow->has_data = false;
		bottleneck_run(&path, 100 * MS);
	}
	assert_true(bbr_max_bw(bbr_in(flow)) >= before * 95 / 100);
	bottleneck_close(&path);
}

static void max_bw_takes_in_limited_samples_only_when_they_are_higher(void **state)
{
	struct bbr b = {.max_bw = {1000, 0}};
	struct bbr_sample rs = {.delivery_rate = 900, .is_app_limited = true};

	(void)state;
	bbr_update_max_bw(&b, &rs);
	assert_int_equal(b.max_bw[1], 0);
	rs.delivery_rate = 1100;
	bbr_update_max_bw(&b, &rs);
	assert_int_equal(bbr_max_bw(&b), 1100);
	bbr_advance_max_bw(&b); /* a cycle without samples is none */
	bbr_advance_max_bw(&b);
	assert_int_equal(bbr_max_bw(&b), 1100);
	rs = (struct bbr_sample){.delivery_rate = 900};
	bbr_update_max_bw(&b, &rs);
	assert_int_equal(bbr_max_bw(&b), 1100);
	bbr_advance_max_bw(&b);
	assert_int_equal(bbr_max_bw(&b), 900);
}

static void probe_rtt_comes_every_five_seconds_and_finds_the_round_trip(void **state)
{
	struct bottleneck path;
	struct flow *flow, *other;
	uint64_t begin;

	(void)state;
	bottleneck_open(&path, SEED, MBIT, 20 * MS, QUEUE, 0);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	other = bottleneck_flow(&path, CONGESTION_BBR);
	run_until(&path, flow, BBR_PROBE_RTT, 6 * SECOND);
	begin = path.now_us;
	bottleneck_run(&path, 100 * MS);
	bbr_in(flow)->max_bw[1] = 0; /* what was sent before has been acknowledged */
	bottleneck_run(&path, 50 * MS);
	assert_int_equal(bbr_in(flow)->max_bw[1], 0); /* such low rates count for nothing */
	assert_in_range(flow->cc.cwnd, 4 * MSS,
	                bbr_bdp(&flow->cc, bbr_in(flow), bbr_in(flow)->bw, 50));
	run_until(&path, flow, BBR_PROBE_BW_CRUISE, SECOND);
	assert_in_range(path.now_us - begin, 200 * MS, 300 * MS);
	assert_in_range(bbr_in(flow)->min_rtt_us, 20 * MS, 21 * MS);
	assert_in_range(bbr_in(other)->min_rtt_us, 20 * MS, 21 * MS);
	run_until(&path, flow, BBR_PROBE_RTT, 6 * SECOND);
	assert_in_range(path.now_us - begin, 5200 * MS, 6 * SECOND);
	bottleneck_close(&path);
}

static void a_longer_path_is_learnt_and_filled(void **state)
{
	struct bottleneck path;
	struct flow *flow;

	(void)state;
	bottleneck_open(&path, SEED, MBIT, 20 * MS, QUEUE, 0);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	bottleneck_run(&path, 3 * SECOND);
	path.rtt_us = 80 * MS;
	bottleneck_run(&path, 25 * SECOND);
	assert_in_range(bbr_in(flow)->min_rtt_us, 80 * MS, 85 * MS);
	assert_in_range(bottleneck_share(&path, flow, 10 * SECOND), 90, 100);
	bottleneck_close(&path);
}

static void a_slower_link_is_not_flooded_and_a_faster_one_is_found(void **state)
{
	struct bottleneck path;
	struct flow *flow;

	(void)state;
	bottleneck_open(&path, SEED, MBIT, 20 * MS, QUEUE, 0);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	bottleneck_run(&path, 3 * SECOND);
	path.rate = 20 * 125000;
	bottleneck_run(&path, 8 * SECOND);
	path.dropped = path.queue_us_sum = path.queue_samples = 0;
	assert_in_range(bottleneck_share(&path, flow, 10 * SECOND), 90, 100);
	assert_in_range(path.queue_us_sum / path.queue_samples, 0, 20 * MS);
	path.rate = MBIT * 125000;
	bottleneck_run(&path, 12 * SECOND);
	assert_in_range(bottleneck_share(&path, flow, 10 * SECOND), 85, 100);
	bottleneck_close(&path);
}

static void the_same_seed_gives_the_same_run(void **state)
{
	struct bottleneck path[2];
	struct flow *flow[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		bottleneck_open(&path[i], SEED, MBIT, 30 * MS, QUEUE, PERCENT);
		flow[i] = bottleneck_flow(&path[i], CONGESTION_BBR);
		bottleneck_run(&path[i], 15 * SECOND);
	}
	assert_memory_equal(&flow[0]->cc, &flow[1]->cc, sizeof(flow[0]->cc));
	assert_int_equal(flow[0]->sent, flow[1]->sent);
	bottleneck_close(&path[0]);
	bottleneck_close(&path[1]);
}

/* ---- single events ---- */

/* A flow that cruises over a path of 20 ms. */
static struct flow *cruising(struct bottleneck *path)
{
	struct flow *flow;

	bottleneck_open(path, SEED, MBIT, 20 * MS, 2 * QUEUE, 0);
	flow = bottleneck_flow(path, CONGESTION_BBR);
	run_until(path, flow, BBR_PROBE_BW_CRUISE, 2 * SECOND);
	bottleneck_run(path, 100 * MS);
	assert_int_equal(bbr_in(flow)->state, BBR_PROBE_BW_CRUISE);
	return flow;
}

static void lose(struct bottleneck *path, struct flow *flow, uint32_t segments)
{
	struct congestion_lost lost = {
		.now_us = path->now_us,
		.bytes = MSS,
		.tx_in_flight = flow->in_flight,
		.total_delivered = flow->delivered,
	};

	for (uint32_t i = 0; i < segments; i++) {
		lost.lost += MSS;
		lost.total_lost = flow->lost += MSS;
		congestion_ops(&flow->cc)->on_segment_lost(&flow->cc, &lost);
	}
	congestion_ops(&flow->cc)->on_loss(&flow->cc, flow->in_flight, path->now_us);
	flow->in_recovery = true;
	flow->recover = flow->next;
}

static void a_loss_beside_a_queue_lowers_the_rate_until_the_next_probe(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	struct bbr *b = bbr_in(flow);

	(void)state;
	b->latest_rtt_us = 40 * MS;
	lose(&path, flow, 1);
	b->latest_rtt_us = 20 * MS;
	bottleneck_run(&path, 100 * MS);
	assert_in_range(b->bw_shortterm, bbr_max_bw(b) * 7 / 10, bbr_max_bw(b));
	assert_in_range(b->inflight_shortterm, 4 * MSS, flow->cc.cwnd);
	assert_int_equal(b->bw, b->bw_shortterm);
	run_until(&path, flow, BBR_PROBE_BW_REFILL, 4 * SECOND);
	assert_true(b->bw_shortterm == BBR_RATE_UNBOUNDED);
	assert_int_equal(b->inflight_shortterm, BBR_UNBOUNDED);
	bottleneck_close(&path);
}

static void a_loss_without_a_queue_is_the_paths_own(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	struct bbr *b = bbr_in(flow);

	(void)state;
	lose(&path, flow, 2);
	bottleneck_run(&path, 100 * MS);
	assert_true(b->bw_shortterm == BBR_RATE_UNBOUNDED);
	assert_in_range(b->quiet_lost, MSS, 2 * MSS);
	lose(&path, flow, flow->in_flight / MSS / 4); /* but not a quarter of a flight */
	bottleneck_run(&path, 100 * MS);
	assert_true(b->bw_shortterm <= bbr_max_bw(b));
	bottleneck_close(&path);
}

static void the_paths_own_loss_rate_is_measured_and_bounded(void **state)
{
	static const struct {
		uint32_t loss, least, most;
	} cases[] = {{0, 0, 0}, {PERCENT, 4, 18}, {5 * PERCENT, 35, 70}, {30 * PERCENT, 80, 90}};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct bottleneck path;
		struct flow *flow;

		bottleneck_open(&path, SEED, MBIT, 10 * MS, QUEUE, cases[i].loss);
		flow = bottleneck_flow(&path, CONGESTION_BBR);
		bottleneck_run(&path, 4 * SECOND);
		assert_in_range(bbr_quiet_loss(&flow->cc, bbr_in(flow)), cases[i].least,
		                cases[i].most);
		bottleneck_close(&path);
	}
}

static void a_probe_that_loses_too_much_bounds_what_is_in_flight(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	struct bbr *b = bbr_in(flow);
	uint32_t flight;

	(void)state;
	run_until(&path, flow, BBR_PROBE_BW_UP, 4 * SECOND);
	bottleneck_run(&path, 30 * MS);
	assert_int_equal(b->state, BBR_PROBE_BW_UP);
	flight = flow->in_flight;
	lose(&path, flow, flight / MSS / 10);
	assert_int_equal(b->state, BBR_PROBE_BW_DOWN);
	assert_in_range(b->inflight_longterm, flight * 7 / 10, flight);
	assert_int_equal(b->quiet_lost, 0); /* our doing, not the path's */
	/* it was no loss after all (section 5.5.11): on with the probe, without the bound */
	congestion_ops(&flow->cc)->on_undo(&flow->cc, path.now_us);
	flow->in_recovery = false;
	assert_int_equal(b->state, BBR_PROBE_BW_REFILL);
	assert_int_equal(b->inflight_longterm, BBR_UNBOUNDED);
	bottleneck_close(&path);
}

static void a_probe_beside_a_queue_ends_with_its_first_loss(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	struct bbr *b = bbr_in(flow);
	uint32_t flight;

	(void)state;
	run_until(&path, flow, BBR_PROBE_BW_UP, 4 * SECOND);
	bottleneck_run(&path, 10 * MS);
	flight = flow->in_flight;
	b->latest_rtt_us = 21 * MS; /* nobody has filled a queue: 2 % may get lost */
	lose(&path, flow, 2);
	assert_int_equal(b->state, BBR_PROBE_BW_UP);
	assert_int_equal(b->inflight_longterm, BBR_UNBOUNDED);
	b->latest_rtt_us = 30 * MS;
	lose(&path, flow, 1);
	assert_int_equal(b->state, BBR_PROBE_BW_DOWN);
	assert_in_range(b->inflight_longterm, flight * 8 / 10, flight);
	bottleneck_close(&path);
}

static void after_a_probe_beside_a_queue_room_is_left_in_it(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	struct bbr *b = bbr_in(flow);
	uint32_t bdp;

	(void)state;
	run_until(&path, flow, BBR_PROBE_BW_UP, 4 * SECOND);
	bottleneck_run(&path, 10 * MS);
	bdp = bbr_bdp(&flow->cc, b, b->bw, 100);
	b->latest_rtt_us = 40 * MS;
	bbr_inflight_too_high(&flow->cc, b, 2 * bdp, false, path.now_us);
	assert_in_range(b->inflight_longterm, 2 * bdp / 100 * 84, 2 * bdp / 100 * 86);
	/* with its headroom it is what the path needs: of that nothing is given away */
	bbr_inflight_too_high(&flow->cc, b, bdp / 100 * 115, false, path.now_us);
	assert_int_equal(b->inflight_longterm, bdp / 100 * 115);
	/* no queue, nothing that could belong to others */
	b->latest_rtt_us = 21 * MS;
	bbr_inflight_too_high(&flow->cc, b, 2 * bdp, false, path.now_us);
	assert_int_equal(b->inflight_longterm, 2 * bdp);
	bottleneck_close(&path);
}

static void a_probe_beside_a_queue_forgives_what_the_path_loses(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	struct bbr *b = bbr_in(flow);

	(void)state;
	run_until(&path, flow, BBR_PROBE_BW_UP, 4 * SECOND);
	bottleneck_run(&path, 10 * MS);
	b->latest_rtt_us = 30 * MS;
	b->quiet_delivered = 990 * MSS;
	b->quiet_lost = 10 * MSS;
	lose(&path, flow, 4); /* of 180, 2 are usual: twice that, and 2 for luck */
	assert_int_equal(b->state, BBR_PROBE_BW_UP);
	lose(&path, flow, 8);
	assert_int_equal(b->state, BBR_PROBE_BW_DOWN);
	bottleneck_close(&path);
}

static void after_a_probe_that_went_too_far_the_next_one_is_careful(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	struct bbr *b = bbr_in(flow);
	uint32_t bound;

	(void)state;
	run_until(&path, flow, BBR_PROBE_BW_UP, 4 * SECOND);
	bottleneck_run(&path, 30 * MS);
	lose(&path, flow, flow->in_flight / MSS / 10);
	bottleneck_run(&path, 50 * MS); /* what was sent before that has been acknowledged */
	bound = b->inflight_longterm;
	run_until(&path, flow, BBR_PROBE_BW_CRUISE, SECOND);
	bottleneck_run(&path, 100 * MS);
	assert_in_range(flow->cc.cwnd, bound / 2, bound * UINT64_C(85) / 100 + 1);
	run_until(&path, flow, BBR_PROBE_BW_UP, 4 * SECOND);
	run_until(&path, flow, BBR_PROBE_BW_DOWN, SECOND);
	assert_true(b->prev_probe_precautionary);
	assert_in_range(flow->in_flight, bound * UINT64_C(95) / 100, bound + 8 * MSS);
	/* nothing was lost: at once a longer one, which raises the bound */
	run_until(&path, flow, BBR_PROBE_BW_UP, 200 * MS);
	run_until(&path, flow, BBR_PROBE_BW_DOWN, SECOND);
	assert_false(b->prev_probe_precautionary);
	assert_true(b->inflight_longterm > bound);
	bottleneck_close(&path);
}

static void a_spurious_loss_takes_it_back_to_startup(void **state)
{
	struct bottleneck path;
	struct flow *flow;
	struct bbr *b;

	(void)state;
	bottleneck_open(&path, SEED, MBIT, 40 * MS, 16384, 0);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	b = bbr_in(flow);
	run_until(&path, flow, BBR_DRAIN, SECOND);
	assert_int_equal(b->undo_state, BBR_UNDO_STARTUP);
	assert_true(b->full_bw_reached);
	congestion_ops(&flow->cc)->on_undo(&flow->cc, path.now_us);
	assert_int_equal(b->state, BBR_STARTUP);
	assert_false(b->full_bw_reached);
	assert_int_equal(b->inflight_longterm, BBR_UNBOUNDED);
	bottleneck_close(&path);
}

static void a_time_out_leaves_one_segment_and_the_window_comes_back(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	uint32_t before = flow->cc.cwnd;

	(void)state;
	path.loss = 1000000; /* the path is dead for a second */
	bottleneck_run(&path, SECOND);
	assert_true(flow->timeouts > 0);
	assert_int_equal(flow->cc.cwnd, MSS);
	path.loss = 0;
	bottleneck_run(&path, 2 * SECOND);
	assert_false(bbr_in(flow)->in_recovery);
	assert_true(flow->cc.cwnd >= before * 8 / 10);
	assert_in_range(bottleneck_share(&path, flow, 10 * SECOND), 93, 100);
	bottleneck_close(&path);
}

static void an_undone_time_out_gives_the_window_back_at_once(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	uint32_t before = flow->cc.cwnd;
	const struct congestion_ops *ops = congestion_ops(&flow->cc);

	(void)state;
	ops->on_timeout(&flow->cc, flow->in_flight, true, path.now_us);
	assert_int_equal(flow->cc.cwnd, MSS);
	ops->on_timeout(&flow->cc, flow->in_flight, false, path.now_us);
	ops->on_undo(&flow->cc, path.now_us);
	assert_int_equal(flow->cc.cwnd, before);
	bottleneck_close(&path);
}

static void ecn_echo_counts_as_too_much_loss(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	struct bbr *b = bbr_in(flow);
	const struct congestion_ops *ops = congestion_ops(&flow->cc);

	(void)state;
	ops->on_ecn(&flow->cc, flow->in_flight, path.now_us);
	bottleneck_run(&path, 100 * MS);
	assert_true(b->bw_shortterm <= bbr_max_bw(b));
	run_until(&path, flow, BBR_PROBE_BW_UP, 4 * SECOND);
	bottleneck_run(&path, 30 * MS);
	ops->on_ecn(&flow->cc, flow->in_flight, path.now_us);
	assert_int_equal(b->state, BBR_PROBE_BW_DOWN);
	assert_int_not_equal(b->inflight_longterm, BBR_UNBOUNDED);
	bottleneck_close(&path);

	bottleneck_open(&path, SEED, MBIT, 40 * MS, QUEUE, 0);
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	bottleneck_run(&path, 150 * MS);
	ops->on_ecn(&flow->cc, flow->in_flight, path.now_us);
	assert_int_equal(bbr_in(flow)->state, BBR_DRAIN);
	bottleneck_close(&path);
}

static void four_segments_may_always_be_in_flight(void **state)
{
	struct bottleneck path;
	struct flow *flow;

	(void)state;
	bottleneck_open(&path, SEED, 1, 2 * MS, QUEUE, 0); /* a BDP of 250 bytes */
	flow = bottleneck_flow(&path, CONGESTION_BBR);
	bottleneck_run(&path, 5 * SECOND);
	for (int i = 0; i < 200; i++) {
		bottleneck_run(&path, 100 * MS);
		assert_in_range(flow->cc.cwnd, 4 * MSS, 16 * MSS);
	}
	assert_in_range(bottleneck_share(&path, flow, 20 * SECOND), 93, 100);
	bottleneck_close(&path);
}

static void a_connection_begins_with_the_initial_window_paced_by_its_round_trip(void **state)
{
	struct congestion cc;
	struct rtt rtt;

	(void)state;
	rtt_init(&rtt);
	congestion_init(&cc, CONGESTION_BBR, MSS, &rtt, SECOND);
	assert_int_equal(cc.cwnd, 10 * MSS);
	assert_int_equal(cc.ssthresh, CONGESTION_SSTHRESH_INFINITE);
	/* no sample: as if a round trip took a millisecond */
	assert_int_equal(cc.pacing_rate, 10 * MSS * UINT64_C(2770));
	rtt_sample(&rtt, 100 * MS);
	congestion_init(&cc, CONGESTION_BBR, MSS, &rtt, SECOND);
	assert_int_equal(cc.pacing_rate, 10 * MSS * UINT64_C(2770) / 100);
	assert_true(cc.send_quantum >= 2 * MSS);
}

static void the_rate_is_bw_and_the_quantum_a_milliseconds_worth(void **state)
{
	static const struct {
		uint32_t mbit, quantum;
	} cases[] = {{1, 2 * MSS}, {100, 12500}, {10000, 65536}};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct congestion cc;
		struct congestion_ack ack = {
			.now_us = SECOND,
			.delivered_bytes = MSS,
			.rtt_us = MS,
			.rate = {.delivery_rate = cases[i].mbit * UINT64_C(125000),
		                 .delivered = MSS,
		                 .total_delivered = MSS},
		};

		congestion_init(&cc, CONGESTION_BBR, MSS, NULL, SECOND);
		((struct bbr *)cc.private_words)->full_bw_reached = 1;
		((struct bbr *)cc.private_words)->state = BBR_PROBE_BW_CRUISE;
		congestion_ops(&cc)->on_ack(&cc, &ack);
		assert_int_equal(cc.pacing_rate, ack.rate.delivery_rate);
		assert_int_equal(cc.send_quantum, cases[i].quantum);
		/* a queue of two milliseconds stands */
		ack.rtt_us = 3 * MS;
		congestion_ops(&cc)->on_ack(&cc, &ack);
		assert_int_equal(cc.pacing_rate, ack.rate.delivery_rate * 99 / 100);
	}
}

/* ---- what stands in the table ---- */

/* As a new master does when the count was not in the table. */
static void delivered_bytes_may_be_counted_anew(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	uint64_t rounds;

	(void)state;
	flow->has_data = false;
	bottleneck_run(&path, SECOND);
	flow->delivered = flow->lost = flow->app_limited = 0;
	flow->has_data = true;
	rounds = bbr_in(flow)->round_count;
	bottleneck_run(&path, 100 * MS);
	assert_in_range(bbr_in(flow)->round_count - rounds, 3, 5);
	assert_in_range(bottleneck_share(&path, flow, 20 * SECOND), 93, 100);
	assert_int_equal(bbr_in(flow)->full_bw_reached, 1);
	bottleneck_close(&path);
}

static void check(const struct congestion *cc)
{
	assert_in_range(cc->cwnd, 1, BBR_VOLUME_MAX);
	assert_in_range(cc->pacing_rate, 1, BBR_RATE_MAX);
	assert_in_range(cc->send_quantum, 1, BBR_VOLUME_MAX);
}

/* A number of any magnitude. */
static uint64_t any(struct random *random)
{
	return random_next(random) >> random_below(random, 64);
}

static void any_event(struct congestion *cc, struct random *random, uint64_t now_us)
{
	const struct congestion_ops *ops = congestion_ops(cc);
	struct congestion_ack ack = {
		.now_us = now_us,
		.acked_bytes = (uint32_t)any(random),
		.delivered_bytes = (uint32_t)any(random),
		.lost_bytes = (uint32_t)any(random),
		.in_flight = (uint32_t)any(random),
		.rtt_us = any(random),
		.cwnd_limited = random_below(random, 2),
		.rate = {.delivery_rate = any(random),
	                 .delivered = any(random),
	                 .prior_delivered = any(random),
	                 .total_delivered = any(random),
	                 .interval_us = any(random),
	                 .tx_in_flight = (uint32_t)any(random),
	                 .lost = (uint32_t)any(random),
	                 .is_app_limited = random_below(random, 2)},
	};
	struct congestion_lost lost = {
		.now_us = now_us,
		.bytes = (uint32_t)any(random),
		.tx_in_flight = (uint32_t)any(random),
		.lost = (uint32_t)any(random),
		.total_delivered = any(random),
	};

	switch (random_below(random, 16)) {
	case 0:
		ops->on_transmit(cc, random_below(random, 2), random_below(random, 2), now_us);
		break;
	case 1:
		ops->on_segment_lost(cc, &lost);
		break;
	case 2:
		ops->on_loss(cc, (uint32_t)any(random), now_us);
		break;
	case 3:
		ops->on_ecn(cc, (uint32_t)any(random), now_us);
		break;
	case 4:
		ops->on_recovered(cc, now_us);
		break;
	case 5:
		ops->on_timeout(cc, (uint32_t)any(random), random_below(random, 2), now_us);
		break;
	case 6:
		ops->on_undo(cc, now_us);
		break;
	case 7:
		ops->on_transmit(cc, 0, true, now_us);
		break;
	default:
		ops->on_ack(cc, &ack);
	}
}

/* Random words, or a sound state of which a few words were hit. */
static void damage(struct congestion *cc, struct random *random)
{
	if (random_below(random, 4) == 0)
		random_fill(random, cc->private_words, sizeof(cc->private_words));
	for (uint32_t i = random_below(random, 4); i > 0; i--)
		cc->private_words[random_below(random, CONGESTION_PRIVATE_WORDS)] = any(random);
	for (uint32_t i = random_below(random, 4); i > 0; i--)
		((uint8_t *)cc->private_words)[random_below(random, sizeof(struct bbr))] =
			(uint8_t)any(random);
	cc->cwnd = (uint32_t)bbr_max(any(random) % BBR_VOLUME_MAX, 1);
}

/* Words that BBR never writes: the next event begins anew. */
static void what_cannot_be_so_is_begun_anew(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	const struct congestion sound = flow->cc;
	struct bbr *b = bbr_in(flow);
	uint64_t late = path.now_us + SECOND;
	struct {
		void *at;
		size_t bytes;
		uint64_t value;
	} cases[] = {
		{&b->state, 1, BBR_STATES},
		{&b->ack_phase, 1, 255},
		{&b->undo_state, 1, BBR_UNDOS},
		{&b->max_bw[0], 8, BBR_RATE_MAX + 1},
		{&b->max_bw[1], 8, UINT64_MAX},
		{&b->bw, 8, UINT64_MAX},
		{&b->bw_latest, 8, UINT64_MAX},
		{&b->full_bw, 8, UINT64_MAX},
		{&b->bw_shortterm, 8, UINT64_MAX - 1},
		{&b->undo_bw_shortterm, 8, UINT64_MAX - 1},
		{&b->min_rtt_us, 8, 0},
		{&b->min_rtt_us, 8, UINT64_MAX},
		{&b->probe_rtt_min_delay, 8, 0},
		{&b->min_rtt_stamp, 8, late},
		{&b->probe_rtt_min_stamp, 8, late},
		{&b->cycle_stamp, 8, late},
		{&b->extra_acked_interval_start, 8, late},
		{&b->probe_rtt_done_stamp, 8, late},
		{&b->bw_probe_wait, 8, 4 * SECOND},
		{&b->inflight_longterm, 4, BBR_UNBOUNDED - 1},
		{&b->inflight_shortterm, 4, BBR_UNBOUNDED - 1},
		{&b->undo_inflight_longterm, 4, BBR_UNBOUNDED - 1},
		{&b->undo_inflight_shortterm, 4, BBR_UNBOUNDED - 1},
		{&b->quiet_lost, 4, UINT32_MAX},
		{&b->quiet_delivered, 4, UINT32_MAX},
		{&b->extra_acked_delivered, 8, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		flow->cc = sound;
		congestion_ops(&flow->cc)->on_recovered(&flow->cc, path.now_us);
		assert_int_equal(b->state, BBR_PROBE_BW_CRUISE);
		memcpy(cases[i].at, &cases[i].value, cases[i].bytes);
		congestion_ops(&flow->cc)->on_recovered(&flow->cc, path.now_us);
		assert_int_equal(b->state, BBR_STARTUP);
	}
	bottleneck_close(&path);
}

static void a_step_of_nothing_is_not_divided_by(void **state)
{
	struct bottleneck path;
	struct flow *flow = cruising(&path);
	struct bbr *b = bbr_in(flow);
	struct bbr_sample rs = {.now_us = path.now_us, .newly_acked = MSS, .cwnd_limited = true};

	(void)state;
	b->state = BBR_PROBE_BW_UP;
	b->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
	b->inflight_longterm = 4 * MSS;
	b->probe_up_acked_per_inc = 0;
	bbr_update_probe_bw(&flow->cc, b, &rs);
	assert_in_range(b->inflight_longterm, 5 * MSS, BBR_VOLUME_MAX);
	bottleneck_close(&path);
}

static void damaged_words_do_no_harm(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int run = 0; run < 20000; run++) {
		struct congestion cc;
		uint64_t now_us = any(&random) % (UINT64_C(1) << 60);

		congestion_init(&cc, CONGESTION_BBR, 1 + random_below(&random, 9000), NULL, now_us);
		damage(&cc, &random);
		for (int i = 0; i < 30; i++) {
			any_event(&cc, &random, now_us);
			check(&cc);
			now_us += any(&random) % SECOND;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_of_1_ms_is_filled_at_any_loss),
		cmocka_unit_test(a_path_of_20_ms_is_filled_at_any_loss),
		cmocka_unit_test(a_path_of_100_ms_is_filled_at_any_loss),
		cmocka_unit_test(a_path_of_300_ms_is_nearly_filled_at_any_loss),
		cmocka_unit_test(startup_doubles_each_round_and_ends_when_the_pipe_is_full),
		cmocka_unit_test(startup_ends_on_loss_when_the_buffer_is_small),
		cmocka_unit_test(two_flows_share_the_link),
		cmocka_unit_test(acks_that_come_in_bunches_do_not_slow_it_down),
		cmocka_unit_test(after_idle_it_goes_on_at_once_and_without_a_burst),
		cmocka_unit_test(samples_that_the_application_limited_do_not_lower_the_rate),
		cmocka_unit_test(max_bw_takes_in_limited_samples_only_when_they_are_higher),
		cmocka_unit_test(probe_rtt_comes_every_five_seconds_and_finds_the_round_trip),
		cmocka_unit_test(a_longer_path_is_learnt_and_filled),
		cmocka_unit_test(a_slower_link_is_not_flooded_and_a_faster_one_is_found),
		cmocka_unit_test(the_same_seed_gives_the_same_run),
		cmocka_unit_test(a_loss_beside_a_queue_lowers_the_rate_until_the_next_probe),
		cmocka_unit_test(a_loss_without_a_queue_is_the_paths_own),
		cmocka_unit_test(the_paths_own_loss_rate_is_measured_and_bounded),
		cmocka_unit_test(a_probe_that_loses_too_much_bounds_what_is_in_flight),
		cmocka_unit_test(a_probe_beside_a_queue_ends_with_its_first_loss),
		cmocka_unit_test(after_a_probe_beside_a_queue_room_is_left_in_it),
		cmocka_unit_test(a_probe_beside_a_queue_forgives_what_the_path_loses),
		cmocka_unit_test(after_a_probe_that_went_too_far_the_next_one_is_careful),
		cmocka_unit_test(a_spurious_loss_takes_it_back_to_startup),
		cmocka_unit_test(a_time_out_leaves_one_segment_and_the_window_comes_back),
		cmocka_unit_test(an_undone_time_out_gives_the_window_back_at_once),
		cmocka_unit_test(ecn_echo_counts_as_too_much_loss),
		cmocka_unit_test(four_segments_may_always_be_in_flight),
		cmocka_unit_test(
			a_connection_begins_with_the_initial_window_paced_by_its_round_trip),
		cmocka_unit_test(the_rate_is_bw_and_the_quantum_a_milliseconds_worth),
		cmocka_unit_test(delivered_bytes_may_be_counted_anew),
		cmocka_unit_test(what_cannot_be_so_is_begun_anew),
		cmocka_unit_test(a_step_of_nothing_is_not_divided_by),
		cmocka_unit_test(damaged_words_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
