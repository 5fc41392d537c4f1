/* stack/scoreboard.c against RFC 6675 read octet by octet. */
#include "tests/unit/random.h"

#include "stack/scoreboard.h"
#include "stack/seq.h"

#define MSS 10
#define UPDATE(board, una, max, ...)                                                               \
	scoreboard_update(board, (const struct seq_range[]){__VA_ARGS__},                          \
	                  sizeof((struct seq_range[]){__VA_ARGS__}) / sizeof(struct seq_range),    \
	                  una, max)

static void blocks_are_merged_and_their_new_bytes_counted(void **state)
{
	struct scoreboard b = {0};

	(void)state;
	assert_int_equal(UPDATE(&b, 100, 1000, {200, 300}, {400, 500}), 200);
	assert_int_equal(UPDATE(&b, 100, 1000, {200, 300}), 0);
	assert_int_equal(UPDATE(&b, 100, 1000, {250, 420}), 100);
	assert_int_equal(b.count, 1);
	assert_int_equal(scoreboard_bytes(&b), 300);
	assert_int_equal(scoreboard_highest(&b, 100), 500);
	assert_int_equal(UPDATE(&b, 100, 1000, {500, 510}), 10); /* touching */
	assert_int_equal(b.count, 1);
}

static void blocks_outside_what_is_outstanding_are_ignored(void **state)
{
	struct scoreboard b = {0};

	(void)state;
	assert_int_equal(UPDATE(&b, 100, 1000, {50, 80}, {50, 150}, {100, 200}, {900, 1001},
	                        {1000, 1100}, {300, 300}, {400, 300}),
	                 0);
	assert_int_equal(UPDATE(&b, 100, 1000, {100 + 0x80000000, 200 + 0x80000000}), 0);
	assert_int_equal(UPDATE(&b, 100, 1000, {101 + 0x80000000, 200}), 0);
	assert_int_equal(b.count, 0);
	assert_int_equal(scoreboard_highest(&b, 100), 100);
	assert_int_equal(UPDATE(&b, 100, 1000, {101, 102}, {999, 1000}), 2);
}

static void when_ranges_run_out_the_highest_is_forgotten(void **state)
{
	struct scoreboard b = {0};

	(void)state;
	for (uint32_t i = 0; i < SCOREBOARD_RANGES; i++)
		assert_int_equal(UPDATE(&b, 0, 100000, {1000 + 10 * i, 1005 + 10 * i}), 5);
	assert_int_equal(UPDATE(&b, 0, 100000, {50000, 50100}), 0);
	assert_int_equal(b.count, SCOREBOARD_RANGES);
	assert_int_equal(UPDATE(&b, 0, 100000, {500, 600}), 100);
	assert_int_equal(b.count, SCOREBOARD_RANGES);
	assert_int_equal(b.range[0].start, 500);
	assert_int_equal(scoreboard_highest(&b, 0), 1005 + 10 * (SCOREBOARD_RANGES - 2));
	/* What touches a range needs no new one. */
	assert_int_equal(UPDATE(&b, 0, 100000, {600, 50000}), 49400 - 5 * (SCOREBOARD_RANGES - 1));
	assert_int_equal(b.count, 1);
}

static void what_is_below_snd_una_is_forgotten(void **state)
{
	struct scoreboard b = {0};

	(void)state;
	UPDATE(&b, 100, 1000, {200, 300}, {400, 500}, {600, 700});
	scoreboard_advance(&b, 150);
	assert_int_equal(b.count, 3);
	scoreboard_advance(&b, 300);
	assert_int_equal(b.count, 2);
	scoreboard_advance(&b, 450);
	assert_int_equal(b.range[0].start, 450);
	assert_int_equal(scoreboard_bytes(&b), 150);
	scoreboard_advance(&b, 900);
	assert_int_equal(b.count, 0);
	UPDATE(&b, 900, 1000, {950, 960});
	scoreboard_clear(&b);
	assert_int_equal(scoreboard_bytes(&b), 0);
}

static void three_ranges_above_make_a_segment_lost(void **state)
{
	struct scoreboard b = {0};

	(void)state;
	UPDATE(&b, 100, 1000, {200, 201}, {300, 301});
	assert_false(scoreboard_is_lost(&b, 100, MSS));
	UPDATE(&b, 100, 1000, {400, 401});
	assert_true(scoreboard_is_lost(&b, 100, MSS));
	assert_true(scoreboard_is_lost(&b, 199, MSS));
	assert_false(scoreboard_is_lost(&b, 201, MSS));
}

static void more_than_two_segments_of_bytes_above_make_a_segment_lost(void **state)
{
	struct scoreboard b = {0};

	(void)state;
	UPDATE(&b, 100, 1000, {200, 200 + 2 * MSS});
	assert_false(scoreboard_is_lost(&b, 100, MSS));
	UPDATE(&b, 100, 1000, {200, 201 + 2 * MSS});
	assert_true(scoreboard_is_lost(&b, 100, MSS));
	assert_false(scoreboard_is_lost(&b, 201 + 2 * MSS, MSS));
}

static void holes_lie_between_ranges_and_end_at_the_limit(void **state)
{
	struct scoreboard b = {0};
	struct seq_range hole;

	(void)state;
	assert_true(scoreboard_hole(&b, 100, 200, &hole));
	assert_int_equal(hole.end, 200);
	UPDATE(&b, 100, 1000, {200, 300}, {400, 500});
	assert_true(scoreboard_hole(&b, 100, 1000, &hole));
	assert_int_equal(hole.start, 100);
	assert_int_equal(hole.end, 200);
	assert_true(scoreboard_hole(&b, 200, 1000, &hole));
	assert_int_equal(hole.start, 300);
	assert_int_equal(hole.end, 400);
	assert_true(scoreboard_hole(&b, 350, 380, &hole));
	assert_int_equal(hole.start, 350);
	assert_int_equal(hole.end, 380);
	assert_false(scoreboard_hole(&b, 250, 300, &hole));
	assert_false(scoreboard_hole(&b, 250, 270, &hole));
	assert_false(scoreboard_hole(&b, 350, 350, &hole));
	assert_true(scoreboard_hole(&b, 499, 501, &hole));
	assert_int_equal(hole.start, 500);
}

static void with_nothing_lost_the_pipe_is_what_is_not_covered(void **state)
{
	struct scoreboard b = {0};

	(void)state;
	assert_int_equal(scoreboard_pipe(&b, 100, 1000, 100, 100, MSS), 900);
	UPDATE(&b, 100, 1000, {200, 210});
	assert_int_equal(scoreboard_pipe(&b, 100, 1000, 100, 100, MSS), 890);
}

static void lost_holes_leave_the_pipe_until_they_are_sent_again(void **state)
{
	struct scoreboard b = {0};

	(void)state;
	UPDATE(&b, 100, 1000, {200, 300});
	assert_int_equal(scoreboard_pipe(&b, 100, 1000, 100, 100, MSS), 700);
	assert_int_equal(scoreboard_pipe(&b, 100, 1000, 140, 100, MSS), 740);
	/* After a time-out everything counts as lost. */
	assert_int_equal(scoreboard_pipe(&b, 100, 1000, 140, 1000, MSS), 40);
	assert_int_equal(scoreboard_pipe(&b, 100, 1000, 100, 400, MSS), 600);
}

#define SPACE 500

struct model {
	bool sacked[SPACE];
	uint32_t una;
	uint32_t max;
};

/* RFC 6675, section 4, IsLost(), read literally. */
static bool model_lost(const struct model *m, uint32_t seq)
{
	uint32_t ranges = 0, bytes = 0;

	for (uint32_t i = seq + 1; i < m->max; i++) {
		bytes += m->sacked[i];
		ranges += m->sacked[i] && !m->sacked[i - 1];
	}
	return ranges >= 3 || bytes > 2 * MSS;
}

/* RFC 6675, section 4, SetPipe(), read literally. */
static uint32_t model_pipe(const struct model *m, uint32_t high_rxt, uint32_t lost_below)
{
	uint32_t pipe = 0;

	for (uint32_t i = m->una; i < m->max; i++) {
		if (m->sacked[i])
			continue;
		if (!model_lost(m, i) && i >= lost_below)
			pipe++;
		if (i < high_rxt)
			pipe++;
	}
	return pipe;
}

static void update_both(struct random *random, struct scoreboard *b, struct model *m, uint32_t base)
{
	struct seq_range blocks[4];
	unsigned count = random_below(random, 5);
	uint32_t newly = 0;

	for (unsigned i = 0; i < count; i++) {
		uint32_t start = random_below(random, SPACE), end = start + random_below(random, 9);

		blocks[i] = (struct seq_range){base + start, base + end};
		if (start <= m->una || end > m->max)
			continue;
		for (uint32_t at = start; at < end; at++) {
			newly += !m->sacked[at];
			m->sacked[at] = true;
		}
	}
	assert_int_equal(scoreboard_update(b, blocks, count, base + m->una, base + m->max), newly);
}

static void compare_hole(struct random *random, const struct scoreboard *b, const struct model *m,
                         uint32_t base)
{
	uint32_t from = m->una + random_below(random, m->max - m->una + 1);
	uint32_t limit = from + random_below(random, m->max - from + 1), start = from, end;
	struct seq_range hole;
	bool found;

	while (start < limit && m->sacked[start])
		start++;
	for (end = start; end < limit && !m->sacked[end];)
		end++;
	found = scoreboard_hole(b, base + from, base + limit, &hole);
	assert_int_equal(found, start < limit);
	if (found) {
		assert_int_equal(hole.start, base + start);
		assert_int_equal(hole.end, base + end);
	}
}

static void compare(struct random *random, const struct scoreboard *b, const struct model *m,
                    uint32_t base)
{
	uint32_t bytes = 0, highest = m->una;
	uint32_t seq = m->una + random_below(random, m->max - m->una + 1);
	uint32_t high_rxt = m->una + random_below(random, m->max - m->una + 1);
	uint32_t lost_below = m->una + random_below(random, m->max - m->una + 1);

	for (uint32_t i = m->una; i < m->max; i++) {
		bytes += m->sacked[i];
		if (m->sacked[i])
			highest = i + 1;
	}
	assert_int_equal(scoreboard_bytes(b), bytes);
	assert_int_equal(scoreboard_highest(b, base + m->una), base + highest);
	compare_hole(random, b, m, base);
	if (seq < m->max && !m->sacked[seq])
		assert_int_equal(scoreboard_is_lost(b, base + seq, MSS), model_lost(m, seq));
	assert_int_equal(scoreboard_pipe(b, base + m->una, base + m->max, base + high_rxt,
	                                 base + lost_below, MSS),
	                 model_pipe(m, high_rxt, lost_below));
}

static void one_random_transfer(struct random *random, uint32_t base)
{
	struct scoreboard b = {0};
	struct model m = {.una = 0, .max = 0};

	while (m.una < SPACE) {
		uint32_t left = SPACE - m.max, what = random_below(random, 6);

		if (what == 0)
			m.max += random_below(random, (left < 80 ? left : 80) + 1);
		if (what == 1) {
			uint32_t by = random_below(random, 40);

			m.una += by < m.max - m.una ? by : m.max - m.una;
			scoreboard_advance(&b, base + m.una);
		}
		update_both(random, &b, &m, base);
		compare(random, &b, &m, base);
	}
}

static void any_sequence_of_blocks_agrees_with_one_flag_a_byte(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 60; i++)
		one_random_transfer(&random, i % 2 ? (uint32_t)random_next(&random)
		                                   : 0 - random_below(&random, SPACE));
}

static void hostile_blocks_never_break_the_order_of_ranges(void **state)
{
	struct random random = random_start();
	struct scoreboard *b = calloc(1, sizeof(*b));
	uint32_t una = (uint32_t)random_next(&random), max = una + 0x7fffffff;

	(void)state;
	assert_non_null(b);
	for (int i = 0; i < 20000; i++) {
		struct seq_range blocks[4];

		random_fill(&random, blocks, sizeof(blocks));
		if (i % 2) {
			blocks[0].start = una + random_below(&random, 3000);
			blocks[0].end = blocks[0].start + random_below(&random, 4);
		}
		if (i % 500 == 0)
			scoreboard_clear(b);
		scoreboard_update(b, blocks, i % 2 ? 1 : 4, una, max);
		assert_true(b->count <= SCOREBOARD_RANGES);
		for (uint32_t at = 0, before = una; at < b->count; at++) {
			assert_true(seq_gt(b->range[at].start, before));
			assert_true(seq_gt(b->range[at].end, b->range[at].start));
			before = b->range[at].end;
		}
		assert_true(seq_leq(scoreboard_highest(b, una), max));
	}
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_merged_and_their_new_bytes_counted),
		cmocka_unit_test(blocks_outside_what_is_outstanding_are_ignored),
		cmocka_unit_test(when_ranges_run_out_the_highest_is_forgotten),
		cmocka_unit_test(what_is_below_snd_una_is_forgotten),
		cmocka_unit_test(three_ranges_above_make_a_segment_lost),
		cmocka_unit_test(more_than_two_segments_of_bytes_above_make_a_segment_lost),
		cmocka_unit_test(holes_lie_between_ranges_and_end_at_the_limit),
		cmocka_unit_test(with_nothing_lost_the_pipe_is_what_is_not_covered),
		cmocka_unit_test(lost_holes_leave_the_pipe_until_they_are_sent_again),
		cmocka_unit_test(any_sequence_of_blocks_agrees_with_one_flag_a_byte),
		cmocka_unit_test(hostile_blocks_never_break_the_order_of_ranges),
	};

	return cmocka_run_group_tests_name("scoreboard", tests, NULL, NULL);
}
