/* stack/source.c against plain counters. */
#include "tests/unit/random.h"

#include "stack/source.h"

#define ENTRIES 16

static const uint8_t key[SIPHASH_KEY_BYTES] = {9, 8, 7};

static struct ip_address v4(uint32_t number)
{
	return (struct ip_address){.bytes = {10, 0, 0, (uint8_t)number}, .version = IP_V4};
}

static void connections_of_a_source_are_counted(void **state)
{
	struct source_counts *counts = source_create(4, key);
	struct ip_address a = v4(1), b = v4(2);

	(void)state;
	source_add(counts, &a);
	source_add(counts, &a);
	source_add(counts, &b);
	assert_int_equal(source_count(counts, &a), 2);
	assert_int_equal(source_count(counts, &b), 1);
	source_remove(counts, &a);
	assert_int_equal(source_count(counts, &a), 1);
	source_remove(counts, &a);
	source_remove(counts, &a);
	assert_int_equal(source_count(counts, &a), 0);
	assert_int_equal(source_count(counts, &b), 1);
	source_destroy(counts);
}

static void hosts_of_one_ipv6_64_count_together(void **state)
{
	struct source_counts *counts = source_create(4, key);
	struct ip_address a = {.bytes = {0x20, 1, [15] = 1}, .version = IP_V6};
	struct ip_address b = {.bytes = {0x20, 1, [15] = 2}, .version = IP_V6};

	(void)state;
	source_add(counts, &a);
	source_add(counts, &b);
	assert_int_equal(source_count(counts, &a), 2);
	source_remove(counts, &b);
	source_remove(counts, &b);
	assert_int_equal(source_count(counts, &a), 0);
	source_destroy(counts);
}

static void a_full_table_counts_known_sources_and_no_new_ones(void **state)
{
	struct source_counts *counts = source_create(2, key);
	struct ip_address a = v4(1), b = v4(2), c = v4(3);

	(void)state;
	source_add(counts, &a);
	source_add(counts, &b);
	source_add(counts, &c);
	source_add(counts, &b);
	assert_int_equal(source_count(counts, &c), 0);
	assert_int_equal(source_count(counts, &b), 2);
	source_remove(counts, &a);
	source_add(counts, &c);
	assert_int_equal(source_count(counts, &c), 1);
	source_destroy(counts);
}

static void a_table_for_none_counts_none(void **state)
{
	struct source_counts *counts = source_create(0, key);
	struct ip_address a = v4(1);

	(void)state;
	source_add(counts, &a);
	source_remove(counts, &a);
	assert_int_equal(source_count(counts, &a), 0);
	source_destroy(counts);
	source_destroy(NULL);
}

static void any_sequence_of_calls_agrees_with_plain_counters(void **state)
{
	struct random random = random_start();
	struct source_counts *counts = source_create(ENTRIES, key);
	uint32_t model[2 * ENTRIES] = {0}, used = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint32_t number = random_below(&random, 2 * ENTRIES);
		struct ip_address address = v4(number);

		if (random_below(&random, 2)) {
			source_add(counts, &address);
			if (model[number] > 0 || used < ENTRIES)
				used += model[number]++ == 0;
		} else {
			source_remove(counts, &address);
			if (model[number] > 0)
				used -= --model[number] == 0;
		}
		number = random_below(&random, 2 * ENTRIES);
		address = v4(number);
		assert_int_equal(source_count(counts, &address), model[number]);
	}
	source_destroy(counts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_of_a_source_are_counted),
		cmocka_unit_test(hosts_of_one_ipv6_64_count_together),
		cmocka_unit_test(a_full_table_counts_known_sources_and_no_new_ones),
		cmocka_unit_test(a_table_for_none_counts_none),
		cmocka_unit_test(any_sequence_of_calls_agrees_with_plain_counters),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
