/*
 * stack/cubic.c: windows by RFC 9438, compared with its equations in floating point
 * on a path with a constant round trip where cwnd is the only limit.
 */
#include "tests/unit/random.h"

#include "stack/congestion.h"
#include "stack/rtt.h"

#define MSS 1000u
#define MS  UINT64_C(1000)

#define C     0.4
#define BETA  0.7
#define ALPHA (3 * (1 - BETA) / (1 + BETA))

struct path {
	struct congestion cc;
	struct rtt rtt;
	uint64_t now_us;
	uint64_t delivered;
};

static struct path path_open(uint64_t rtt_us, uint32_t segments, uint32_t ssthresh)
{
	struct path path = {.now_us = 1000 * MS};

	rtt_init(&path.rtt);
	rtt_sample(&path.rtt, rtt_us);
	congestion_init(&path.cc, CONGESTION_CUBIC, MSS, &path.rtt, path.now_us);
	path.cc.cwnd = segments * MSS;
	path.cc.ssthresh = ssthresh;
	return path;
}

static void ack(struct path *path, uint32_t bytes, bool limited)
{
	const struct congestion_ack ack = {
		.now_us = path->now_us,
		.acked_bytes = bytes,
		.delivered_bytes = bytes,
		.cwnd_limited = limited,
		.rtt = &path->rtt,
		.rtt_us = path->rtt.srtt_us,
	};

	path->delivered += bytes;
	congestion_ops(&path->cc)->on_ack(&path->cc, &ack);
}

/* A window of ACKs, spread over one round trip. */
static void round_trip(struct path *path)
{
	uint32_t segments = path->cc.cwnd / MSS;
	uint64_t start = path->now_us;

	for (uint32_t i = 1; i <= segments; i++) {
		path->now_us = start + path->rtt.srtt_us * i / segments;
		ack(path, MSS, true);
	}
}

static void run(struct path *path, double seconds)
{
	uint64_t end = path->now_us + (uint64_t)(seconds * 1e6);

	while (path->now_us < end)
		round_trip(path);
}

static void lose(struct path *path)
{
	congestion_ops(&path->cc)->on_loss(&path->cc, path->cc.cwnd, path->now_us);
	congestion_ops(&path->cc)->on_recovered(&path->cc, path->now_us);
}

/* ---- the equations, in segments and seconds ---- */

static double cube_root(double value)
{
	double root = value > 1 ? value : 1;

	for (int i = 0; i < 100; i++)
		root -= (root * root * root - value) / (3 * root * root);
	return root;
}

static double curve(double t, double w_max, double start)
{
	double k = w_max > start ? cube_root((w_max - start) / C) : 0;

	return C * (t - k) * (t - k) * (t - k) + w_max;
}

static double cwnd(const struct path *path)
{
	return (double)path->cc.cwnd / MSS;
}

static void assert_near(double is, double wanted, double part, const char *what, double at)
{
	double difference = is > wanted ? is - wanted : wanted - is;

	if (difference > wanted * part)
		fail_msg("%s: %.1f instead of %.1f at %.1f s", what, is, wanted, at);
}

/* From now on, the beginning of congestion avoidance, with PRIOR before the last loss. */
static void follow(struct path *path, double w_max, double prior, double seconds)
{
	uint64_t begin = path->now_us;
	double start = cwnd(path), reno = start;

	while (path->now_us < begin + (uint64_t)(seconds * 1e6)) {
		double t, wanted;

		round_trip(path);
		t = (double)(path->now_us - begin) / 1e6;
		wanted = curve(t, w_max, start);
		reno += reno < prior ? ALPHA : 1;
		assert_near(cwnd(path), wanted > reno ? wanted : reno, 0.02, "cwnd", t);
	}
}

/* ---- section 4.6 and 4.2 to 4.5 ---- */

static void a_loss_leaves_seven_tenths_of_what_was_in_flight(void **state)
{
	struct path path = path_open(100 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	lose(&path);
	assert_int_equal(path.cc.ssthresh, 700 * MSS);
	assert_int_equal(path.cc.cwnd, 700 * MSS);
	congestion_ops(&path.cc)->on_loss(&path.cc, MSS, path.now_us);
	assert_int_equal(path.cc.ssthresh, 2 * MSS);
}

static void after_a_loss_the_window_follows_the_cubic_curve(void **state)
{
	static const struct {
		uint32_t segments, rtt_ms;
	} cases[] = {{1000, 100}, {1000, 20}, {300, 100}, {5000, 200}, {200, 300}};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t segments = cases[i].segments;
		struct path path =
			path_open(cases[i].rtt_ms * MS, segments, CONGESTION_SSTHRESH_INFINITE);

		lose(&path);
		/* through K, up to 15 s, into the convex part */
		follow(&path, segments, segments, 20);
		assert_true(cwnd(&path) > segments);
	}
}

/* A target far ahead is approached by half a window a round trip. */
static void the_window_grows_by_half_a_round_trip_at_most(void **state)
{
	struct path path = path_open(10000 * MS, 100, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	lose(&path);
	round_trip(&path);
	for (int i = 0; i < 5; i++) {
		uint32_t before = path.cc.cwnd;

		round_trip(&path);
		assert_true(path.cc.cwnd > before);
		assert_true(path.cc.cwnd <= before + before / 2 + MSS);
	}
}

static void an_ack_of_more_than_a_window_counts_as_a_window(void **state)
{
	struct path path = path_open(100 * MS, 100, CONGESTION_SSTHRESH_INFINITE);
	uint32_t before;

	(void)state;
	lose(&path);
	ack(&path, MSS, true);
	path.now_us += 1000000 * MS; /* the curve is far above */
	before = path.cc.cwnd;
	ack(&path, UINT32_MAX, true);
	assert_true(path.cc.cwnd <= before + before / 2);
}

/* ---- section 4.3 ---- */

/* Where the curve is slower than Reno: alpha segments a round trip, and one from W_max on. */
static void on_a_short_path_it_grows_as_reno_would(void **state)
{
	struct path path = path_open(5 * MS, 20, CONGESTION_SSTHRESH_INFINITE);
	double window = 14;

	(void)state;
	lose(&path);
	for (int i = 0; i < 60; i++) {
		round_trip(&path);
		window += window < 20 ? ALPHA : 1;
		assert_near(cwnd(&path), window, 0.06, "cwnd", i);
	}
	assert_true(cwnd(&path) > 60);
}

/* ---- section 4.7 ---- */

static void a_flow_that_shrinks_gives_up_more(void **state)
{
	struct path path = path_open(200 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	lose(&path);
	round_trip(&path);
	path.cc.cwnd = 800 * MSS;
	lose(&path); /* 800 is less than 1000: the plateau is at 0.85 * 800 */
	assert_int_equal(path.cc.cwnd, 560 * MSS);
	follow(&path, 680, 800, 12);
}

static void a_flow_that_grows_does_not(void **state)
{
	struct path path = path_open(20 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	lose(&path);
	round_trip(&path);
	path.cc.cwnd = 1200 * MSS;
	lose(&path);
	follow(&path, 1200, 1200, 12);
}

/* ---- section 4.8 ---- */

static void after_a_timeout_it_starts_slowly_and_then_from_the_flat_part(void **state)
{
	struct path path = path_open(20 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	congestion_ops(&path.cc)->on_timeout(&path.cc, 1000 * MSS, true, path.now_us);
	assert_int_equal(path.cc.cwnd, MSS);
	assert_int_equal(path.cc.ssthresh, 700 * MSS);
	congestion_ops(&path.cc)->on_timeout(&path.cc, MSS, false, path.now_us);
	assert_int_equal(path.cc.ssthresh, 700 * MSS);
	ack(&path, 10 * MSS, true);
	assert_int_equal(path.cc.cwnd, 2 * MSS); /* RFC 3465: by one segment an ACK */
	while (path.cc.cwnd < path.cc.ssthresh)
		round_trip(&path);
	follow(&path, cwnd(&path), 1000, 6);
}

/* ---- section 4.9 ---- */

static void a_reduction_that_was_wrong_is_taken_back(void **state)
{
	struct path path = path_open(20 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);
	struct path straight;

	(void)state;
	lose(&path);
	run(&path, 2);
	straight = path;
	congestion_ops(&path.cc)->on_loss(&path.cc, path.cc.cwnd, path.now_us);
	assert_true(path.cc.cwnd < straight.cc.cwnd);
	congestion_ops(&path.cc)->on_undo(&path.cc, path.now_us);
	run(&path, 10);
	run(&straight, 10);
	assert_int_equal(path.cc.cwnd, straight.cc.cwnd);
	assert_int_equal(path.cc.ssthresh, straight.cc.ssthresh);
}

static void a_timeout_that_was_wrong_is_taken_back(void **state)
{
	struct path path = path_open(20 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);
	struct path straight;

	(void)state;
	lose(&path);
	run(&path, 2);
	straight = path;
	congestion_ops(&path.cc)->on_timeout(&path.cc, path.cc.cwnd, true, path.now_us);
	congestion_ops(&path.cc)->on_timeout(&path.cc, path.cc.cwnd, false, path.now_us);
	congestion_ops(&path.cc)->on_undo(&path.cc, path.now_us);
	run(&path, 10);
	run(&straight, 10);
	assert_int_equal(path.cc.cwnd, straight.cc.cwnd);
	/* it is taken back once */
	path.cc.cwnd = 5 * MSS;
	congestion_ops(&path.cc)->on_undo(&path.cc, path.now_us);
	assert_int_equal(path.cc.cwnd, 5 * MSS);
}

static void a_mark_reduces_like_a_loss_and_is_not_taken_back(void **state)
{
	struct path path = path_open(20 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	congestion_ops(&path.cc)->on_ecn(&path.cc, 1000 * MSS, path.now_us);
	assert_int_equal(path.cc.cwnd, 700 * MSS);
	assert_int_equal(path.cc.ssthresh, 700 * MSS);
	congestion_ops(&path.cc)->on_undo(&path.cc, path.now_us);
	assert_int_equal(path.cc.cwnd, 700 * MSS);
	follow(&path, 1000, 1000, 10);
	for (int i = 0; i < 40; i++)
		congestion_ops(&path.cc)->on_ecn(&path.cc, path.cc.cwnd, path.now_us);
	assert_int_equal(path.cc.cwnd, MSS);
	assert_int_equal(path.cc.ssthresh, 2 * MSS);
}

/* ---- section 5.8 ---- */

static void time_in_which_the_application_was_the_limit_does_not_count(void **state)
{
	struct path path = path_open(20 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);
	struct path straight;

	(void)state;
	lose(&path);
	run(&path, 12);
	straight = path;
	for (int i = 0; i < 1000; i++) {
		path.now_us += 20 * MS;
		ack(&path, MSS, false);
	}
	assert_int_equal(path.cc.cwnd, straight.cc.cwnd);
	run(&path, 3);
	run(&straight, 3);
	assert_near(cwnd(&path), cwnd(&straight), 0.005, "cwnd", 3);
}

static void idle_time_does_not_count(void **state)
{
	struct path path = path_open(20 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);
	struct path straight;

	(void)state;
	lose(&path);
	run(&path, 12);
	straight = path;
	path.now_us += 60000 * MS;
	congestion_ops(&path.cc)->on_transmit(&path.cc, 0, true, path.now_us);
	run(&path, 3);
	run(&straight, 3);
	assert_near(cwnd(&path), cwnd(&straight), 0.005, "cwnd", 3);
}

/* ---- sections 4.10 and RFC 9406 ---- */

static void slow_start_grows_by_what_is_acknowledged_and_pacing_spreads_it(void **state)
{
	struct path path = path_open(100 * MS, 10, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	ack(&path, 300, true);
	assert_int_equal(path.cc.cwnd, 10 * MSS + 300);
	ack(&path, 8 * MSS, true);
	assert_int_equal(path.cc.cwnd, 18 * MSS + 300);
	ack(&path, 50 * MSS, true);
	assert_int_equal(path.cc.cwnd, 68 * MSS + 300);
	ack(&path, MSS, false);
	assert_int_equal(path.cc.cwnd, 68 * MSS + 300);
	assert_int_equal(path.cc.pacing_rate, 2 * path.cc.cwnd * 10); /* round trips of 100 ms */
}

/* ---- pacing ---- */

static void segments_are_spread_over_a_round_trip(void **state)
{
	struct path path = path_open(100 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);
	struct congestion_ack recovery = {.acked_bytes = MSS, .in_recovery = true};

	(void)state;
	lose(&path);
	ack(&path, MSS, true);
	assert_int_equal(path.cc.pacing_rate, path.cc.cwnd * UINT64_C(125) / 10);
	assert_int_equal(path.cc.send_quantum, path.cc.pacing_rate / 1000); /* a millisecond's */
	/* in recovery cwnd may be far below ssthresh, and must come back */
	congestion_ops(&path.cc)->on_loss(&path.cc, path.cc.cwnd, path.now_us);
	path.cc.cwnd = 10 * MSS;
	recovery.rtt = &path.rtt;
	congestion_ops(&path.cc)->on_ack(&path.cc, &recovery);
	assert_int_equal(path.cc.pacing_rate, path.cc.ssthresh * UINT64_C(125) / 10);
}

static void without_a_round_trip_nothing_is_paced(void **state)
{
	struct path path = path_open(100 * MS, 10, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	rtt_init(&path.rtt);
	ack(&path, 50 * MSS, true);
	assert_int_equal(path.cc.pacing_rate, 0);
	assert_int_equal(path.cc.cwnd, 18 * MSS); /* L of RFC 9406 */
}

static void a_small_window_is_sent_two_segments_at_a_time(void **state)
{
	struct path path = path_open(100 * MS, 4, 2 * MSS);

	(void)state;
	ack(&path, MSS, true);
	assert_int_equal(path.cc.send_quantum, 2 * MSS);
	path = path_open(100, 100000, 2 * MSS);
	ack(&path, MSS, true);
	assert_int_equal(path.cc.send_quantum, 65536);
}

static void later_slow_starts_are_rfc_5681s(void **state)
{
	struct path path = path_open(100 * MS, 10, 13 * MSS);

	(void)state;
	ack(&path, 8 * MSS, true);
	assert_int_equal(path.cc.cwnd, 12 * MSS);
	ack(&path, 8 * MSS, true);
	assert_in_range(path.cc.cwnd, 13 * MSS, 14 * MSS);
}

/* No loss has said how much is too much: the curve begins at its flat part. */
static void a_slow_start_that_hystart_ended_goes_on_from_the_flat_part(void **state)
{
	struct path path = path_open(20 * MS, 500, CONGESTION_SSTHRESH_INFINITE);

	(void)state;
	path.cc.ssthresh = path.cc.cwnd;
	follow(&path, 500, 0, 10);
}

static void the_window_does_not_grow_during_recovery(void **state)
{
	struct path path = path_open(20 * MS, 1000, CONGESTION_SSTHRESH_INFINITE);
	const struct congestion_ack recovery = {
		.now_us = path.now_us + 1000 * MS,
		.acked_bytes = 100 * MSS,
		.cwnd_limited = true,
		.in_recovery = true,
		.rtt = &path.rtt,
	};

	(void)state;
	congestion_ops(&path.cc)->on_loss(&path.cc, path.cc.cwnd, path.now_us);
	congestion_ops(&path.cc)->on_ack(&path.cc, &recovery);
	assert_int_equal(path.cc.cwnd, 700 * MSS);
}

/* ---- damage ---- */

static void random_event(struct random *random, struct path *path)
{
	const struct congestion_ops *ops = congestion_ops(&path->cc);
	uint32_t bytes = (uint32_t)(random_next(random) >> (32 + random_below(random, 32)));

	path->now_us += random_next(random) >> (30 + random_below(random, 34));
	switch (random_below(random, 40)) {
	case 0:
		ops->on_loss(&path->cc, bytes, path->now_us);
		break;
	case 1:
		ops->on_timeout(&path->cc, bytes, bytes & 1, path->now_us);
		break;
	case 2:
		ops->on_transmit(&path->cc, 0, true, path->now_us);
		break;
	case 3:
		ops->on_ecn(&path->cc, bytes, path->now_us);
		break;
	case 4:
		ops->on_undo(&path->cc, path->now_us);
		break;
	case 5:
		ops->on_transmit(&path->cc, bytes & 1, true, path->now_us);
		break;
	case 6:
		ops->on_recovered(&path->cc, path->now_us);
		break;
	default:
		ack(path, bytes, bytes % 8 != 0);
	}
}

static void no_private_words_break_anything(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct path path = path_open(20 * MS, 1 + random_below(&random, 2000),
		                             (uint32_t)random_next(&random));

		path.now_us = random_next(&random) >> (1 + random_below(&random, 40));
		for (unsigned w = 0; w < CONGESTION_PRIVATE_WORDS; w++)
			path.cc.private_words[w] =
				random_next(&random) >> random_below(&random, 64);
		for (int j = 0; j < 200; j++) {
			random_event(&random, &path);
			assert_in_range(path.cc.cwnd, MSS, CONGESTION_CWND_MAX);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_leaves_seven_tenths_of_what_was_in_flight),
		cmocka_unit_test(after_a_loss_the_window_follows_the_cubic_curve),
		cmocka_unit_test(the_window_grows_by_half_a_round_trip_at_most),
		cmocka_unit_test(an_ack_of_more_than_a_window_counts_as_a_window),
		cmocka_unit_test(on_a_short_path_it_grows_as_reno_would),
		cmocka_unit_test(a_flow_that_shrinks_gives_up_more),
		cmocka_unit_test(a_flow_that_grows_does_not),
		cmocka_unit_test(after_a_timeout_it_starts_slowly_and_then_from_the_flat_part),
		cmocka_unit_test(a_reduction_that_was_wrong_is_taken_back),
		cmocka_unit_test(a_timeout_that_was_wrong_is_taken_back),
		cmocka_unit_test(a_mark_reduces_like_a_loss_and_is_not_taken_back),
		cmocka_unit_test(time_in_which_the_application_was_the_limit_does_not_count),
		cmocka_unit_test(idle_time_does_not_count),
		cmocka_unit_test(slow_start_grows_by_what_is_acknowledged_and_pacing_spreads_it),
		cmocka_unit_test(segments_are_spread_over_a_round_trip),
		cmocka_unit_test(without_a_round_trip_nothing_is_paced),
		cmocka_unit_test(a_small_window_is_sent_two_segments_at_a_time),
		cmocka_unit_test(later_slow_starts_are_rfc_5681s),
		cmocka_unit_test(a_slow_start_that_hystart_ended_goes_on_from_the_flat_part),
		cmocka_unit_test(the_window_does_not_grow_during_recovery),
		cmocka_unit_test(no_private_words_break_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
