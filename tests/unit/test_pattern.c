/*
 * The streams of the crash tests (tests/crash/pattern.h): whatever happens to one is noticed,
 * and called by its name.
 */
#include "tests/unit/random.h"

#include "tests/crash/pattern.h"

#define SEED  7u
#define BYTES (8 * BLOCK_BYTES)

static uint8_t stream[BYTES];

/* What is said of the stream that arrives in these two pieces. */
static const char *taken(const uint8_t *first, size_t first_length, const uint8_t *second,
                         size_t second_length)
{
	static struct pattern_check check;

	check = (struct pattern_check){.seed = SEED};
	pattern_take(&check, first, first_length);
	pattern_take(&check, second, second_length);
	return check.wrong ? check.why : NULL;
}

static int setup(void **state)
{
	(void)state;
	pattern_fill(SEED, 0, stream, sizeof(stream));
	return 0;
}

static void a_whole_stream_is_whole_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= BYTES; cut += 37)
		assert_null(taken(stream, cut, stream + cut, BYTES - cut));
}

static void lost_bytes_are_counted(void **state)
{
	(void)state;
	assert_string_equal(taken(stream, 3000, stream + 3001, BYTES - 3001),
	                    "at offset 3000 1 bytes are lost");
	assert_string_equal(taken(stream, 2048, stream + 3072, BYTES - 3072),
	                    "at offset 2049 1024 bytes are lost");
}

static void bytes_that_come_again_are_counted(void **state)
{
	(void)state;
	assert_string_equal(taken(stream, 3000, stream + 2900, BYTES - 2900),
	                    "at offset 3000 the last 100 bytes come again");
}

static void changed_bytes_are_shown(void **state)
{
	uint8_t other[BYTES];

	(void)state;
	memcpy(other, stream, sizeof(other));
	other[5000] ^= 1;
	assert_non_null(strstr(taken(other, BYTES, other, 0), "at offset 5000 bytes are changed"));
	assert_non_null(strstr(taken(other, BYTES, other, 0), "it is the stream again"));
}

static void a_last_block_says_something(void **state)
{
	struct pattern_check check = {.seed = SEED};
	uint8_t other[BYTES];

	(void)state;
	memcpy(other, stream, sizeof(other));
	pattern_end(other + BYTES - BLOCK_BYTES, "whole 7168");
	for (size_t i = 0; i < BYTES; i++)
		pattern_take(&check, other + i, 1);
	assert_false(check.wrong);
	assert_true(check.ended);
	assert_string_equal(check.said, "whole 7168");
	pattern_take(&check, stream, 1);
	assert_true(check.wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_stream_is_whole_however_it_is_cut),
		cmocka_unit_test(lost_bytes_are_counted),
		cmocka_unit_test(bytes_that_come_again_are_counted),
		cmocka_unit_test(changed_bytes_are_shown),
		cmocka_unit_test(a_last_block_says_something),
	};

	return cmocka_run_group_tests_name("pattern", tests, setup, NULL);
}
