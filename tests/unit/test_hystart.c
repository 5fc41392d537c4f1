/* stack/hystart.c: the end of slow start by RFC 9406, on rounds of ACKs as tests name them. */
#include "tests/unit/random.h"

#include "stack/hystart.h"
#include "stack/rtt.h"

#define MSS 1000u
#define MS  UINT64_C(1000)

/* A sender in slow start, cwnd by cwnd. */
struct sender {
	struct hystart hystart;
	uint64_t delivered;
	uint32_t cwnd;
	bool paced;
	bool done;
};

static struct sender sender_open(uint32_t segments)
{
	struct sender sender = {.cwnd = segments * MSS, .delivered = 1};

	hystart_init(&sender.hystart);
	return sender;
}

/* An ACK of a segment that was sent when PRIOR bytes had been delivered. */
static uint32_t ack_since(struct sender *sender, uint32_t bytes, uint64_t rtt_us, uint64_t prior)
{
	struct congestion_ack ack = {.acked_bytes = bytes, .rtt_us = rtt_us};
	uint32_t growth;

	sender->delivered += bytes;
	ack.rate.prior_delivered = prior;
	ack.rate.total_delivered = sender->delivered;
	growth = hystart_ack(&sender->hystart, &ack, MSS, sender->paced, &sender->done);
	sender->cwnd += growth;
	return growth;
}

/* A window of ACKs whose round trips last RTT_US; ends early when slow start does. */
static void round_of(struct sender *sender, uint64_t rtt_us)
{
	uint64_t prior = sender->delivered;

	for (uint32_t segments = sender->cwnd / MSS; segments > 0 && !sender->done; segments--)
		ack_since(sender, MSS, rtt_us, prior);
}

static bool conservative(const struct sender *sender)
{
	return sender->hystart.css_rounds > 0;
}

static void round_trips_that_stay_the_same_double_the_window(void **state)
{
	struct sender sender = sender_open(10);

	(void)state;
	for (int i = 1; i <= 6; i++) {
		round_of(&sender, 100 * MS + (uint64_t)i % 3);
		assert_int_equal(sender.cwnd, (10u << i) * MSS);
	}
	assert_false(sender.done);
}

static void an_ack_grows_the_window_by_eight_segments_at_most(void **state)
{
	struct sender sender = sender_open(10);

	(void)state;
	assert_int_equal(ack_since(&sender, 300, 100 * MS, 1), 300);
	assert_int_equal(ack_since(&sender, 50 * MSS, 100 * MS, 1), 8 * MSS);
}

static void pacing_spreads_what_an_ack_releases(void **state)
{
	struct sender sender = sender_open(10);

	(void)state;
	sender.paced = true;
	assert_int_equal(ack_since(&sender, 50 * MSS, 100 * MS, 1), 50 * MSS);
}

static void a_longer_round_trip_makes_slow_start_conservative(void **state)
{
	struct sender sender = sender_open(20);

	(void)state;
	round_of(&sender, 100 * MS);
	round_of(&sender, 112 * MS); /* an eighth is 12.5 ms */
	assert_false(conservative(&sender));
	round_of(&sender, 126 * MS); /* an eighth of 112 ms is 14 */
	assert_true(conservative(&sender));
	assert_int_equal(ack_since(&sender, 4 * MSS, 126 * MS, sender.delivered), MSS);
}

static void the_threshold_is_four_milliseconds_at_least(void **state)
{
	struct sender sender = sender_open(20);

	(void)state;
	round_of(&sender, 1 * MS);
	round_of(&sender, 4999);
	assert_false(conservative(&sender));
	round_of(&sender, 9000);
	assert_true(conservative(&sender));
}

static void the_threshold_is_sixteen_milliseconds_at_most(void **state)
{
	struct sender sender = sender_open(20);

	(void)state;
	round_of(&sender, 500 * MS);
	round_of(&sender, 515 * MS);
	assert_false(conservative(&sender));
	round_of(&sender, 531 * MS);
	assert_true(conservative(&sender));
}

static void one_long_round_trip_among_short_ones_is_nothing(void **state)
{
	struct sender sender = sender_open(20);
	uint64_t prior;

	(void)state;
	round_of(&sender, 100 * MS);
	prior = sender.delivered;
	ack_since(&sender, MSS, 101 * MS, prior);
	for (int i = 0; i < 19; i++)
		ack_since(&sender, MSS, 300 * MS, prior);
	assert_false(conservative(&sender));
}

static void fewer_than_eight_samples_say_nothing(void **state)
{
	struct sender sender = sender_open(20);
	uint64_t prior;

	(void)state;
	round_of(&sender, 100 * MS);
	prior = sender.delivered;
	for (int i = 0; i < 7; i++)
		ack_since(&sender, MSS, 300 * MS, prior);
	assert_false(conservative(&sender));
	ack_since(&sender, MSS, 0, prior); /* without a sample */
	assert_false(conservative(&sender));
	ack_since(&sender, MSS, 300 * MS, prior);
	assert_true(conservative(&sender));
}

static void five_conservative_rounds_end_slow_start(void **state)
{
	struct sender sender = sender_open(20);
	uint32_t begun;
	int rounds = 0;

	(void)state;
	round_of(&sender, 100 * MS);
	round_of(&sender, 150 * MS);
	assert_true(conservative(&sender));
	begun = sender.cwnd;
	for (; !sender.done; rounds++)
		round_of(&sender, 150 * MS);
	/* the rest of the round that it began in counts; the fifth ends with the next one's ACK */
	assert_int_equal(rounds, 5);
	/* five fourths, four times: 2.4 */
	assert_in_range(sender.cwnd, begun * 23 / 10, begun * 25 / 10);
}

static void shorter_round_trips_again_mean_that_it_was_jitter(void **state)
{
	struct sender sender = sender_open(20);

	(void)state;
	round_of(&sender, 100 * MS);
	round_of(&sender, 150 * MS);
	round_of(&sender, 150 * MS);
	assert_true(conservative(&sender));
	round_of(&sender, 149 * MS);
	assert_false(conservative(&sender));
	assert_int_equal(ack_since(&sender, MSS, 149 * MS, sender.delivered), MSS);
	for (int i = 0; i < 10 && sender.cwnd < 100000 * MSS; i++)
		round_of(&sender, 149 * MS);
	assert_false(sender.done);
}

/* After a take-over, or where segments have no records. */
static void without_rate_samples_it_is_plain_slow_start(void **state)
{
	struct sender sender = sender_open(10);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		const struct congestion_ack ack = {.acked_bytes = MSS,
		                                   .rtt_us = 100 * MS + (uint64_t)i * MS};

		assert_int_equal(hystart_ack(&sender.hystart, &ack, MSS, false, &sender.done), MSS);
		assert_false(sender.done);
	}
}

static void ends_in_the_congestion_control(void **state)
{
	struct congestion cc;
	struct rtt rtt;
	struct congestion_ack ack = {.acked_bytes = MSS, .cwnd_limited = true, .rtt = &rtt};

	(void)state;
	rtt_init(&rtt);
	congestion_init(&cc, CONGESTION_CUBIC, MSS, &rtt, 0);
	for (int i = 0; i < 20 && cc.ssthresh == CONGESTION_SSTHRESH_INFINITE; i++) {
		uint64_t prior = ack.rate.total_delivered;

		for (uint32_t n = cc.cwnd / MSS; n > 0; n--) {
			ack.now_us += MS;
			ack.rate.prior_delivered = prior;
			ack.rate.total_delivered += MSS;
			ack.rtt_us = (i < 2 ? 100 : 150) * MS;
			congestion_ops(&cc)->on_ack(&cc, &ack);
		}
	}
	/* 40 after two rounds; 8 more, and then by five fourths */
	assert_in_range(cc.ssthresh, 100 * MSS, 150 * MSS);
	assert_true(cc.cwnd >= cc.ssthresh && cc.cwnd < cc.ssthresh + 2 * MSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips_that_stay_the_same_double_the_window),
		cmocka_unit_test(an_ack_grows_the_window_by_eight_segments_at_most),
		cmocka_unit_test(pacing_spreads_what_an_ack_releases),
		cmocka_unit_test(a_longer_round_trip_makes_slow_start_conservative),
		cmocka_unit_test(the_threshold_is_four_milliseconds_at_least),
		cmocka_unit_test(the_threshold_is_sixteen_milliseconds_at_most),
		cmocka_unit_test(one_long_round_trip_among_short_ones_is_nothing),
		cmocka_unit_test(fewer_than_eight_samples_say_nothing),
		cmocka_unit_test(five_conservative_rounds_end_slow_start),
		cmocka_unit_test(shorter_round_trips_again_mean_that_it_was_jitter),
		cmocka_unit_test(without_rate_samples_it_is_plain_slow_start),
		cmocka_unit_test(ends_in_the_congestion_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
