/*
 * daemon/log_limit.c: how much one source may make us log, and all of them; that what is left
 * out is counted to the last record.
 */
#include "tests/unit/random.h"

#include "daemon/log_limit.h"

#define SECOND 1000000u

static struct log_limit limit;

static int fresh(void **state)
{
	(void)state;
	limit = (struct log_limit){
		.each = {10, SECOND},
		.all = {100, SECOND / 10},
	};
	return 0;
}

/* 10.0.x.y */
static struct ip_address host(unsigned number)
{
	return (struct ip_address){
		.version = IP_V4,
		.bytes = {10, 0, (uint8_t)(number >> 8), (uint8_t)number},
	};
}

/* How many of COUNT records of HOST are written at NOW_US. */
static unsigned taken(unsigned number, unsigned count, uint64_t now_us)
{
	struct ip_address address = host(number);
	unsigned written = 0;

	for (unsigned i = 0; i < count; i++)
		written += log_limit_take(&limit, &address, now_us);
	return written;
}

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
	const struct log_rate rate = {3, SECOND};
	struct log_bucket bucket = {0};
	uint64_t now_us = 1000 * (uint64_t)SECOND;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(log_bucket_take(&bucket, &rate, now_us));
	assert_false(log_bucket_take(&bucket, &rate, now_us));
	assert_false(log_bucket_take(&bucket, &rate, now_us + SECOND - 1));
	assert_true(log_bucket_take(&bucket, &rate, now_us + SECOND));
	assert_false(log_bucket_take(&bucket, &rate, now_us + SECOND));
	for (int i = 0; i < 3; i++)
		assert_true(log_bucket_take(&bucket, &rate, now_us + 60 * (uint64_t)SECOND));
	assert_false(log_bucket_take(&bucket, &rate, now_us + 60 * (uint64_t)SECOND));
}

static void one_source_does_not_use_up_what_another_has(void **state)
{
	uint64_t now_us = 50 * (uint64_t)SECOND;

	(void)state;
	assert_int_equal(taken(1, 50, now_us), 10);
	assert_int_equal(taken(2, 5, now_us), 5);
	assert_int_equal(taken(1, 5, now_us + 2 * SECOND), 2);
}

static void all_of_an_ipv6_64_is_one_source(void **state)
{
	struct ip_address address = {.version = IP_V6, .bytes = {0x20, 1, 0xd, 0xb8}};
	unsigned written = 0;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		address.bytes[15] = (uint8_t)i;
		written += log_limit_take(&limit, &address, 50 * (uint64_t)SECOND);
	}
	assert_int_equal(written, 10);
}

static void all_together_have_a_limit_too(void **state)
{
	unsigned written = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		written += taken(i, 1, 50 * (uint64_t)SECOND);
	assert_int_equal(written, 100);
	assert_false(log_limit_take(&limit, NULL, 50 * (uint64_t)SECOND));
	assert_true(log_limit_take(&limit, NULL, 51 * (uint64_t)SECOND));
}

static void what_was_left_out_is_told_after_a_while_and_once(void **state)
{
	uint64_t now_us = 50 * (uint64_t)SECOND, due;
	struct ip_address address = host(1);
	struct log_limit_report report;

	(void)state;
	assert_int_equal(log_limit_due(&limit), UINT64_MAX);
	taken(1, 25, now_us);
	due = log_limit_due(&limit);
	assert_int_equal(due, now_us + LOG_LIMIT_REPORT_US);
	assert_false(log_limit_report(&limit, due - 1, false, &report));
	taken(1, 30, due - SECOND);
	assert_true(log_limit_report(&limit, due, false, &report));
	assert_true(address_equal(&report.source, &address));
	assert_int_equal(report.count, 15 + 30 - 9);
	assert_false(log_limit_report(&limit, due, true, &report));
	assert_int_equal(log_limit_due(&limit), UINT64_MAX);
}

/* Many more sources than the table holds; times and sources at random. */
static void every_record_is_written_or_counted(void **state)
{
	struct random random = random_start();
	uint64_t now_us = 1000 * (uint64_t)SECOND, written = 0, told = 0, asked = 200000;
	struct log_limit_report report;

	(void)state;
	for (uint64_t i = 0; i < asked; i++) {
		written += taken(random_below(&random, random_below(&random, 2) ? 5 : 3000), 1,
		                 now_us);
		now_us += random_below(&random, 2000);
		while (random_below(&random, 1000) == 0 &&
		       log_limit_report(&limit, now_us, false, &report))
			told += report.count;
	}
	while (log_limit_report(&limit, now_us, true, &report))
		told += report.count;
	assert_int_equal(written + told, asked);
	assert_true(written > 100 && written < asked / 10);
}

static void a_source_that_makes_room_for_another_leaves_its_count(void **state)
{
	struct log_limit_report report;
	uint64_t written = 0, told = 0;

	(void)state;
	limit.each.burst = 1;
	limit.all = (struct log_rate){1000000, 1};
	for (unsigned i = 0; i < 3000; i++)
		written += taken(i, 2, 1000 * (uint64_t)SECOND);
	assert_int_equal(written, 3000);
	while (log_limit_report(&limit, 1000 * (uint64_t)SECOND, true, &report))
		told += report.count;
	assert_int_equal(told, 3000);
}

#define LIMIT_TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIMIT_TEST(a_bucket_gives_its_burst_and_then_its_rate),
		LIMIT_TEST(one_source_does_not_use_up_what_another_has),
		LIMIT_TEST(all_of_an_ipv6_64_is_one_source),
		LIMIT_TEST(all_together_have_a_limit_too),
		LIMIT_TEST(what_was_left_out_is_told_after_a_while_and_once),
		LIMIT_TEST(a_source_that_makes_room_for_another_leaves_its_count),
		LIMIT_TEST(every_record_is_written_or_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
