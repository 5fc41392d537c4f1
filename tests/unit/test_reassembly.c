/* stack/reassembly.c against one flag for each sequence number. */
#include "tests/unit/random.h"

#include "stack/reassembly.h"
#include "stack/seq.h"

static void assert_range(const struct seq_range *range, uint32_t start, uint32_t end)
{
	assert_int_equal(range->start, start);
	assert_int_equal(range->end, end);
}

static void segments_apart_stay_apart_and_in_order(void **state)
{
	struct reassembly r = {0};

	(void)state;
	assert_true(reassembly_add(&r, 300, 400));
	assert_true(reassembly_add(&r, 100, 200));
	assert_true(reassembly_add(&r, 500, 600));
	assert_int_equal(r.count, 3);
	assert_range(&r.range[0], 100, 200);
	assert_range(&r.range[1], 300, 400);
	assert_range(&r.range[2], 500, 600);
	assert_true(reassembly_valid(&r, 50));
}

static void segments_that_overlap_or_touch_become_one(void **state)
{
	struct reassembly r = {0};

	(void)state;
	reassembly_add(&r, 100, 200);
	reassembly_add(&r, 300, 400);
	reassembly_add(&r, 500, 600);
	assert_true(reassembly_add(&r, 200, 250));
	assert_range(&r.range[0], 100, 250);
	assert_true(reassembly_add(&r, 280, 300));
	assert_range(&r.range[1], 280, 400);
	assert_true(reassembly_add(&r, 150, 550));
	assert_int_equal(r.count, 1);
	assert_range(&r.range[0], 100, 600);
	assert_true(reassembly_add(&r, 120, 130));
	assert_int_equal(r.count, 1);
	assert_range(&r.range[0], 100, 600);
}

static void ranges_may_cross_the_wrap_of_sequence_numbers(void **state)
{
	struct reassembly r = {0};

	(void)state;
	reassembly_add(&r, 10, 20);
	reassembly_add(&r, 0xffffff00, 0xffffff80);
	reassembly_add(&r, 0xfffffff0, 5);
	assert_int_equal(r.count, 3);
	assert_range(&r.range[1], 0xfffffff0, 5);
	assert_true(reassembly_valid(&r, 0xfffffe00));
	assert_int_equal(reassembly_advance(&r, 0xfffffff8), 5);
	assert_int_equal(r.count, 1);
	assert_range(&r.range[0], 10, 20);
}

static void an_empty_segment_changes_nothing(void **state)
{
	struct reassembly r = {0};

	(void)state;
	assert_true(reassembly_has_room(&r, 7, 7));
	assert_true(reassembly_add(&r, 7, 7));
	assert_int_equal(r.count, 0);
}

static void segments_backwards_or_half_the_circle_away_are_refused(void **state)
{
	struct reassembly r = {0};

	(void)state;
	assert_false(reassembly_add(&r, 200, 100));
	assert_true(reassembly_add(&r, 100, 200));
	assert_true(reassembly_has_room(&r, 0x80000000, 0x80000063));
	assert_false(reassembly_has_room(&r, 0x80000000, 0x80000064));
	assert_false(reassembly_add(&r, 0x80000000, 0x80000064));
	assert_false(reassembly_add(&r, 200 + 0x80000000, 300 + 0x80000000));
	assert_true(reassembly_has_room(&r, 201 + 0x80000000, 300 + 0x80000000));
	assert_int_equal(r.count, 1);
}

static void fill(struct reassembly *r)
{
	for (uint32_t i = 0; i < REASSEMBLY_RANGES; i++)
		assert_true(reassembly_add(r, 1000 + 10 * i, 1005 + 10 * i));
}

static void with_all_ranges_used_only_what_touches_one_is_taken(void **state)
{
	struct reassembly r = {0}, before;
	uint32_t end = 1000 + 10 * REASSEMBLY_RANGES;

	(void)state;
	fill(&r);
	assert_true(reassembly_valid(&r, 900));
	before = r;
	assert_false(reassembly_has_room(&r, 500, 600));
	assert_false(reassembly_add(&r, 500, 600));
	assert_false(reassembly_add(&r, 1006, 1009));
	assert_false(reassembly_add(&r, end, end + 5));
	assert_memory_equal(&r, &before, sizeof(r));
	assert_true(reassembly_has_room(&r, 1005, 1006));
	assert_true(reassembly_add(&r, 1005, 1006));
	assert_true(reassembly_add(&r, 500, end + 100));
	assert_int_equal(r.count, 1);
	assert_range(&r.range[0], 500, end + 100);
}

static void advancing_takes_out_what_is_reached_and_tells_how_far_data_goes(void **state)
{
	struct reassembly r = {0};

	(void)state;
	reassembly_add(&r, 100, 200);
	reassembly_add(&r, 300, 400);
	assert_int_equal(reassembly_advance(&r, 50), 50);
	assert_int_equal(r.count, 2);
	assert_int_equal(reassembly_advance(&r, 100), 200);
	assert_int_equal(r.count, 1);
	assert_int_equal(reassembly_advance(&r, 500), 500);
	assert_int_equal(r.count, 0);
}

static void the_first_sack_block_has_the_last_segment(void **state)
{
	struct reassembly r = {0};
	struct seq_range blocks[4];

	(void)state;
	reassembly_add(&r, 100, 200);
	reassembly_add(&r, 500, 600);
	reassembly_add(&r, 300, 400);
	assert_int_equal(reassembly_sack(&r, blocks, 3), 3);
	assert_range(&blocks[0], 300, 400);
	assert_range(&blocks[1], 500, 600);
	assert_range(&blocks[2], 100, 200);
	/* A duplicate is a segment, too (RFC 2018, section 4). */
	reassembly_add(&r, 120, 140);
	assert_int_equal(reassembly_sack(&r, blocks, 2), 2);
	assert_range(&blocks[0], 100, 200);
	assert_range(&blocks[1], 300, 400);
}

static void a_merged_range_is_reported_once(void **state)
{
	struct reassembly r = {0};
	struct seq_range blocks[4];

	(void)state;
	reassembly_add(&r, 100, 200);
	reassembly_add(&r, 300, 400);
	reassembly_add(&r, 500, 600);
	reassembly_add(&r, 200, 300);
	assert_int_equal(reassembly_sack(&r, blocks, 4), 2);
	assert_range(&blocks[0], 100, 400);
	assert_range(&blocks[1], 500, 600);
}

static void blocks_beyond_the_recent_ones_come_in_order(void **state)
{
	struct reassembly r = {0};
	struct seq_range blocks[4];

	(void)state;
	for (uint32_t i = 1; i <= 6; i++)
		reassembly_add(&r, 100 * i, 100 * i + 50);
	reassembly_add(&r, 500, 700); /* four to six are one now, and the newest */
	assert_int_equal(reassembly_sack(&r, blocks, 4), 4);
	assert_range(&blocks[0], 500, 700);
	assert_range(&blocks[1], 400, 450);
	assert_range(&blocks[2], 300, 350);
	assert_range(&blocks[3], 100, 150);
	assert_int_equal(reassembly_sack(&r, blocks, 0), 0);
}

static void ranges_that_were_reached_are_not_reported(void **state)
{
	struct reassembly r = {0};
	struct seq_range blocks[4];

	(void)state;
	reassembly_add(&r, 300, 400);
	reassembly_add(&r, 100, 200);
	reassembly_advance(&r, 150);
	assert_int_equal(reassembly_sack(&r, blocks, 4), 1);
	assert_range(&blocks[0], 300, 400);
	reassembly_advance(&r, 400);
	assert_int_equal(reassembly_sack(&r, blocks, 4), 0);
}

static void what_remains_is_still_reported_by_age(void **state)
{
	struct reassembly r = {0};
	struct seq_range blocks[4];

	(void)state;
	reassembly_add(&r, 300, 400);
	reassembly_add(&r, 700, 800);
	reassembly_add(&r, 500, 600);
	reassembly_add(&r, 100, 200);
	reassembly_advance(&r, 200);
	assert_int_equal(reassembly_sack(&r, blocks, 4), 3);
	assert_range(&blocks[0], 500, 600);
	assert_range(&blocks[1], 700, 800);
	assert_range(&blocks[2], 300, 400);
}

static void what_breaks_the_promises_is_not_valid(void **state)
{
	struct reassembly good = {.count = 2, .range = {{100, 200}, {300, 400}}}, bad;

	(void)state;
	assert_true(reassembly_valid(&good, 99));
	assert_false(reassembly_valid(&good, 100)); /* it should have been advanced */
	assert_false(reassembly_valid(&good, 150));
	assert_false(reassembly_valid(&good, 400 + 0x80000000));
	bad = good;
	bad.count = REASSEMBLY_RANGES + 1;
	assert_false(reassembly_valid(&bad, 0));
	bad = good;
	bad.recent_count = TCP_SACK_BLOCKS_MAX + 1;
	assert_false(reassembly_valid(&bad, 0));
	bad = good;
	bad.range[0].end = 300; /* touches */
	assert_false(reassembly_valid(&bad, 0));
	bad = good;
	bad.range[1].end = 300; /* empty */
	assert_false(reassembly_valid(&bad, 0));
	bad = good;
	bad.range[1] = (struct seq_range){50, 60}; /* out of order */
	assert_false(reassembly_valid(&bad, 0));
	bad.range[0] = (struct seq_range){0x70000000, 0x70000001}; /* around the circle */
	bad.range[1] = (struct seq_range){0xe0000000, 0xe0000001};
	assert_false(reassembly_valid(&bad, 0));
}

#define SPACE 600

/* How many runs of set flags there are from AT on. */
static uint32_t runs(const bool *flags, size_t at)
{
	uint32_t runs = 0;

	for (bool before = false; at < SPACE; before = flags[at++])
		runs += flags[at] && !before;
	return runs;
}

/* The ranges say of every sequence number from AT on what the flags say. */
static void assert_agrees(const struct reassembly *r, const bool *flags, uint32_t base, uint32_t at)
{
	bool covered[SPACE] = {false};

	assert_true(reassembly_valid(r, base + at));
	assert_int_equal(r->count, runs(flags, at));
	for (uint32_t i = 0; i < r->count; i++) {
		for (uint32_t seq = r->range[i].start; seq != r->range[i].end; seq++)
			covered[seq - base] = true;
	}
	assert_memory_equal(covered + at, flags + at, SPACE - at);
}

static void one_random_transfer(struct random *random, uint32_t base)
{
	struct reassembly r = {0};
	bool flags[SPACE + 1] = {false};
	uint32_t rcv_nxt = 0;

	while (rcv_nxt < SPACE) {
		uint32_t start = rcv_nxt + 1 + random_below(random, SPACE - rcv_nxt);
		uint32_t end = start + random_below(random, SPACE + 1 - start) / 20;
		bool after[SPACE + 1], fits, merges = false, taken;

		memcpy(after, flags, sizeof(after));
		for (uint32_t i = start; i < end; i++)
			after[i] = true;
		for (uint32_t i = start - 1; i <= end && start < end; i++)
			merges = merges || (i > rcv_nxt && flags[i]);
		fits = start == end || merges || runs(flags, rcv_nxt) < REASSEMBLY_RANGES;
		assert_int_equal(reassembly_has_room(&r, base + start, base + end), fits);
		taken = reassembly_add(&r, base + start, base + end);
		assert_int_equal(taken, fits);
		if (taken)
			memcpy(flags, after, sizeof(flags));
		if (random_below(random, 50) == 0) {
			uint32_t to = rcv_nxt + random_below(random, 30), expected;

			to = to < SPACE ? to : SPACE;
			for (expected = to; expected < SPACE && flags[expected];)
				expected++;
			assert_int_equal(reassembly_advance(&r, base + to), base + expected);
			rcv_nxt = expected;
		}
		assert_agrees(&r, flags, base, rcv_nxt);
	}
}

static void any_sequence_of_segments_agrees_with_one_flag_a_byte(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 100; i++)
		one_random_transfer(&random, i % 2 ? (uint32_t)random_next(&random)
		                                   : 0 - random_below(&random, SPACE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_apart_stay_apart_and_in_order),
		cmocka_unit_test(segments_that_overlap_or_touch_become_one),
		cmocka_unit_test(ranges_may_cross_the_wrap_of_sequence_numbers),
		cmocka_unit_test(an_empty_segment_changes_nothing),
		cmocka_unit_test(segments_backwards_or_half_the_circle_away_are_refused),
		cmocka_unit_test(with_all_ranges_used_only_what_touches_one_is_taken),
		cmocka_unit_test(advancing_takes_out_what_is_reached_and_tells_how_far_data_goes),
		cmocka_unit_test(the_first_sack_block_has_the_last_segment),
		cmocka_unit_test(a_merged_range_is_reported_once),
		cmocka_unit_test(blocks_beyond_the_recent_ones_come_in_order),
		cmocka_unit_test(ranges_that_were_reached_are_not_reported),
		cmocka_unit_test(what_remains_is_still_reported_by_age),
		cmocka_unit_test(what_breaks_the_promises_is_not_valid),
		cmocka_unit_test(any_sequence_of_segments_agrees_with_one_flag_a_byte),
	};

	return cmocka_run_group_tests_name("reassembly", tests, NULL, NULL);
}
