/* stack/rate.c against draft-ietf-ccwg-bbr, section 4.1, on a path played by hand. */
#include "tests/unit/random.h"

#include "stack/rate.h"

#define MSS 1000u
#define MS  UINT64_C(1000)

struct path {
	struct rate rate;
	uint32_t in_flight;
	uint32_t next;
	uint64_t now_us;
};

static struct sent_record send_one(struct path *p)
{
	struct sent_record record = {.start = p->next, .end = p->next + MSS};

	rate_sent(&p->rate, &record, p->in_flight, p->now_us);
	p->next += MSS;
	p->in_flight += MSS;
	return record;
}

static struct rate_sample deliver(struct path *p, const struct sent_record *records, unsigned count,
                                  uint64_t min_rtt_us)
{
	struct rate_gather gather = {0};

	for (unsigned i = 0; i < count; i++) {
		rate_delivered(&p->rate, &gather, &records[i], p->now_us);
		p->in_flight -= MSS;
	}
	return rate_take(&p->rate, &gather, min_rtt_us, p->now_us);
}

static void a_steady_stream_gives_the_rate_of_the_path(void **state)
{
	struct path p = {.now_us = 1000 * MS};
	struct sent_record record[40];
	struct rate_sample sample = {0};

	(void)state;
	/* a segment each 2 ms, delivered 20 ms later */
	for (unsigned i = 0; i < 40; i++) {
		record[i] = send_one(&p);
		if (i >= 10)
			sample = deliver(&p, &record[i - 10], 1, 20 * MS);
		p.now_us += 2 * MS;
	}
	assert_int_equal(sample.delivery_rate, 500000);
	assert_int_equal(sample.delivered, 11 * MSS);
	assert_int_equal(sample.interval_us, 22 * MS); /* from the delivery before it was sent */
	assert_int_equal(sample.tx_in_flight, 11 * MSS);
	assert_int_equal(sample.total_delivered, 30 * MSS);
	assert_int_equal(sample.prior_delivered, 19 * MSS);
}

static void acks_that_come_compressed_do_not_raise_it(void **state)
{
	struct path p = {.now_us = 1000 * MS};
	struct sent_record record[30];
	struct rate_sample sample;

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		if (i == 20)
			(void)deliver(&p, record, 10, 1);
		record[i] = send_one(&p);
		p.now_us += 2 * MS;
	}
	/* the rest at once, 20 ms after: sending it took 40 ms, and that is the longer */
	sample = deliver(&p, record + 10, 20, 1);
	assert_int_equal(sample.interval_us, 40 * MS);
	assert_int_equal(sample.delivered, 20 * MSS);
}

static void what_spans_less_than_a_round_trip_is_no_sample(void **state)
{
	struct path p = {.now_us = 1000 * MS};
	struct sent_record record = send_one(&p);
	struct rate_sample sample;

	(void)state;
	p.now_us += 5 * MS;
	sample = deliver(&p, &record, 1, 20 * MS);
	assert_int_equal(sample.delivery_rate, 0);
	assert_int_equal(sample.total_delivered, MSS);
}

static void the_application_is_the_limit_until_that_is_delivered(void **state)
{
	struct path p = {.now_us = 1000 * MS};
	struct sent_record record[4];

	(void)state;
	record[0] = send_one(&p);
	rate_app_limited(&p.rate, p.in_flight);
	record[1] = send_one(&p);
	p.now_us += 10 * MS;
	assert_false(deliver(&p, &record[0], 1, 1).is_app_limited);
	assert_true(deliver(&p, &record[1], 1, 1).is_app_limited);
	record[2] = send_one(&p);
	p.now_us += 10 * MS;
	assert_false(deliver(&p, &record[2], 1, 1).is_app_limited);
}

static void losses_since_it_was_sent_are_counted(void **state)
{
	struct path p = {.now_us = 1000 * MS};
	struct sent_record record;

	(void)state;
	p.rate.lost = UINT64_C(0x1ffffff00); /* its low bits come around */
	record = send_one(&p);
	p.rate.lost += 3 * MSS;
	p.now_us += 10 * MS;
	assert_int_equal(deliver(&p, &record, 1, 1).lost, 3 * MSS);
}

static void of_what_a_former_master_sent_nothing_is_known(void **state)
{
	struct path p = {.now_us = 1000 * MS, .in_flight = MSS};
	struct sent_record record = {.start = 0, .end = MSS, .sent_us = 5 * MS};
	struct rate_sample sample;

	(void)state;
	sample = deliver(&p, &record, 1, 1);
	assert_int_equal(sample.delivery_rate, 0);
	assert_int_equal(sample.total_delivered, MSS);
}

static void any_totals_are_valid(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct path p = {.now_us = random_next(&random)};
		struct sent_record record;

		random_fill(&random, &p.rate, sizeof(p.rate));
		record = send_one(&p);
		p.now_us += random_below(&random, 1000000);
		random_fill(&random, &p.rate, sizeof(p.rate));
		(void)deliver(&p, &record, 1, 1);
		rate_app_limited(&p.rate, MSS);
		assert_true(p.rate.app_limited != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_stream_gives_the_rate_of_the_path),
		cmocka_unit_test(acks_that_come_compressed_do_not_raise_it),
		cmocka_unit_test(what_spans_less_than_a_round_trip_is_no_sample),
		cmocka_unit_test(the_application_is_the_limit_until_that_is_delivered),
		cmocka_unit_test(losses_since_it_was_sent_are_counted),
		cmocka_unit_test(of_what_a_former_master_sent_nothing_is_known),
		cmocka_unit_test(any_totals_are_valid),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
