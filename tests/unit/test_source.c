/* stack/source.c and source_ban.c: entries in a table, counts, rates, offences, bans. */
#include "tests/unit/random.h"

#include "stack/seal.h"
#include "stack/source.h"
#include "stack/table.h"

#define MINUTE SOURCE_MINUTE_US
#define HOUR   SOURCE_HOUR_US
#define AFTER  4u

static const uint8_t key[SIPHASH_KEY_BYTES] = {9, 8, 7};
static const struct table_shape shape = {.conns = 4, .half_opens = 3, .time_waits = 1};

struct bed {
	struct table table;
	uint8_t *memory;
	struct sources *sources;
	uint64_t now_us;
};

static struct bed bed_open(void)
{
	static const struct stack_secrets secrets = {{1}, {2}, {3}, {4}};
	struct bed bed = {.now_us = 1000 * MINUTE};

	bed.memory = aligned_alloc(4096, table_bytes(&shape));
	assert_non_null(bed.memory);
	memset(bed.memory, 0, table_bytes(&shape));
	table_create(&bed.table, bed.memory, &shape, &secrets);
	return bed;
}

/* What points to the table does so in BED itself. */
static void bed_start(struct bed *bed)
{
	bed->sources = source_create(&bed->table, &shape, key);
	assert_non_null(bed->sources);
}

static void bed_close(struct bed *bed)
{
	source_destroy(bed->sources);
	free(bed->memory);
}

/* Another master on the same table. */
static void bed_take_over(struct bed *bed)
{
	source_destroy(bed->sources);
	bed_start(bed);
	source_rebuild(bed->sources, &shape);
}

static void add(struct bed *bed, const struct ip_address *address)
{
	table_begin(&bed->table);
	source_add(bed->sources, address, bed->now_us);
	table_commit(&bed->table);
}

static void handshake(struct bed *bed, const struct ip_address *address)
{
	table_begin(&bed->table);
	source_handshake(bed->sources, address, bed->now_us);
	table_commit(&bed->table);
}

static const struct source_entry *entry_of(struct bed *bed, const struct ip_address *address)
{
	uint32_t at = source_find(bed->sources, address);

	return at != SOURCE_NONE ? &bed->table.source[at] : NULL;
}

/* An offence of POINTS; true when it leads to a ban. */
static bool offend(struct bed *bed, const struct ip_address *address, uint32_t points)
{
	bool banned;

	table_begin(&bed->table);
	banned = source_offend(
		source_touch(bed->sources, source_entry_for(bed->sources, address, bed->now_us)),
		points, AFTER, 10 * MINUTE, bed->now_us);
	table_commit(&bed->table);
	return banned;
}

static bool banned(struct bed *bed, const struct ip_address *address)
{
	return source_banned(bed->sources, address, bed->now_us);
}

static bool ban(struct bed *bed, struct ip_address address, uint32_t bits, uint64_t until_us)
{
	const struct ip_prefix prefix = {address, bits};
	bool done;

	table_begin(&bed->table);
	done = source_ban(bed->sources, &prefix, until_us, bed->now_us);
	table_commit(&bed->table);
	return done;
}

static unsigned unban(struct bed *bed, struct ip_address address, uint32_t bits)
{
	const struct ip_prefix prefix = {address, bits};
	uint32_t cursor = 0;
	unsigned count = 0;
	bool more = true;

	while (more) {
		table_begin(&bed->table);
		more = source_unban(bed->sources, &prefix, &cursor, bed->now_us);
		table_commit(&bed->table);
		count += more;
	}
	return count;
}

static struct ip_address v4(uint32_t number)
{
	return (struct ip_address){.bytes = {10, 0, (uint8_t)(number >> 8), (uint8_t)number},
	                           .version = IP_V4};
}

static struct ip_address v6(uint8_t network, uint8_t host)
{
	return (struct ip_address){.bytes = {0x20, 1, [7] = network, [15] = host},
	                           .version = IP_V6};
}

/* ---- counting ---- */

static void connections_of_a_source_are_counted(void **state)
{
	struct bed bed = bed_open();
	struct ip_address a = v4(1), b = v4(2);

	(void)state;
	bed_start(&bed);
	add(&bed, &a);
	add(&bed, &a);
	add(&bed, &b);
	assert_int_equal(source_count(bed.sources, &a), 2);
	assert_int_equal(source_count(bed.sources, &b), 1);
	source_remove(bed.sources, &a);
	assert_int_equal(source_count(bed.sources, &a), 1);
	source_remove(bed.sources, &a);
	source_remove(bed.sources, &a);
	assert_int_equal(source_count(bed.sources, &a), 0);
	assert_int_equal(source_count(bed.sources, &b), 1);
	bed_close(&bed);
}

static void hosts_of_one_ipv6_64_count_together(void **state)
{
	struct bed bed = bed_open();
	struct ip_address a = v6(1, 1), b = v6(1, 2), other = v6(2, 1);

	(void)state;
	bed_start(&bed);
	add(&bed, &a);
	add(&bed, &b);
	add(&bed, &other);
	assert_int_equal(source_count(bed.sources, &a), 2);
	source_remove(bed.sources, &b);
	source_remove(bed.sources, &b);
	assert_int_equal(source_count(bed.sources, &a), 0);
	assert_int_equal(source_count(bed.sources, &other), 1);
	bed_close(&bed);
}

/* A minute that has passed counts by as much of it as lies within the last sixty seconds. */
static void handshakes_of_the_last_minute_are_counted(void **state)
{
	struct bed bed = bed_open();
	struct ip_address a = v4(1);

	(void)state;
	bed_start(&bed);
	for (int i = 0; i < 8; i++)
		handshake(&bed, &a);
	assert_int_equal(source_recent(entry_of(&bed, &a), bed.now_us), 8);
	assert_int_equal(source_recent(entry_of(&bed, &a), bed.now_us + MINUTE - 1), 8);
	assert_int_equal(source_recent(entry_of(&bed, &a), bed.now_us + MINUTE + MINUTE / 4), 6);
	assert_int_equal(source_recent(entry_of(&bed, &a), bed.now_us + 2 * MINUTE), 0);
	bed.now_us += MINUTE + MINUTE / 2;
	handshake(&bed, &a);
	assert_int_equal(source_recent(entry_of(&bed, &a), bed.now_us), 5);
	bed.now_us += 10 * MINUTE;
	handshake(&bed, &a);
	assert_int_equal(source_recent(entry_of(&bed, &a), bed.now_us), 1);
	bed_close(&bed);
}

/* ---- a full table ---- */

static void the_source_that_was_idle_longest_makes_room(void **state)
{
	struct bed bed = bed_open();
	uint32_t entries = source_entries(&shape);
	struct ip_address first = v4(0), second = v4(1), third = v4(2), newer = v4(1000),
			  newest = v4(1001);

	(void)state;
	bed_start(&bed);
	for (uint32_t i = 0; i < entries; i++, bed.now_us++) {
		struct ip_address address = v4(i);

		handshake(&bed, &address);
	}
	add(&bed, &first);                         /* has a connection */
	assert_true(offend(&bed, &second, AFTER)); /* is banned */
	handshake(&bed, &newer);
	assert_non_null(entry_of(&bed, &first));
	assert_non_null(entry_of(&bed, &second));
	assert_null(entry_of(&bed, &third));
	assert_non_null(entry_of(&bed, &newer));
	source_remove(bed.sources, &first);
	bed.now_us += 3 * HOUR; /* the ban is over and forgotten */
	handshake(&bed, &newest);
	assert_null(entry_of(&bed, &second));
	bed_close(&bed);
}

static void every_connection_has_an_entry_even_among_bans(void **state)
{
	struct bed bed = bed_open();
	struct ip_address newer = v4(1000);

	(void)state;
	bed_start(&bed);
	for (uint32_t i = 0; i < source_entries(&shape); i++) {
		struct ip_address address = v4(i);

		assert_true(offend(&bed, &address, AFTER));
	}
	add(&bed, &newer);
	assert_int_equal(source_count(bed.sources, &newer), 1);
	bed_close(&bed);
}

static void any_sequence_of_calls_agrees_with_plain_counters(void **state)
{
	struct random random = random_start();
	uint32_t model[64] = {0}, used = 0;
	struct bed bed = bed_open();

	(void)state;
	bed_start(&bed);
	for (int i = 0; i < 100000; i++) {
		uint32_t number = random_below(&random, 64);
		struct ip_address address = v4(number);

		bed.now_us += random_below(&random, (uint32_t)MINUTE);
		if (random_below(&random, 2) && used < shape.conns) {
			add(&bed, &address);
			model[number]++;
			used++;
		} else if (random_below(&random, 2)) {
			handshake(&bed, &address);
		} else {
			source_remove(bed.sources, &address);
			used -= model[number] > 0;
			model[number] -= model[number] > 0;
		}
		number = random_below(&random, 64);
		address = v4(number);
		assert_int_equal(source_count(bed.sources, &address), model[number]);
	}
	bed_close(&bed);
}

/* ---- offences and bans ---- */

static void half_of_the_points_is_forgotten_each_minute(void **state)
{
	struct bed bed = bed_open();
	struct ip_address a = v4(1);

	(void)state;
	bed_start(&bed);
	assert_false(offend(&bed, &a, 2));
	assert_int_equal(source_points(entry_of(&bed, &a), bed.now_us), 2000);
	assert_int_equal(source_points(entry_of(&bed, &a), bed.now_us + MINUTE / 2), 1500);
	assert_int_equal(source_points(entry_of(&bed, &a), bed.now_us + MINUTE), 1000);
	assert_int_equal(source_points(entry_of(&bed, &a), bed.now_us + 40 * MINUTE), 0);
	bed.now_us += MINUTE;
	assert_false(offend(&bed, &a, 2));
	assert_true(offend(&bed, &a, 1));
	bed_close(&bed);
}

static void each_ban_is_twice_as_long_until_hours_have_made_up_for_it(void **state)
{
	struct bed bed = bed_open();
	struct ip_address a = v4(1), b = v4(2);

	(void)state;
	bed_start(&bed);
	for (uint64_t minutes = 10; minutes <= 40; minutes *= 2) {
		assert_true(offend(&bed, &a, AFTER));
		bed.now_us += minutes * MINUTE - 1;
		assert_true(banned(&bed, &a));
		assert_false(banned(&bed, &b));
		bed.now_us++;
		assert_false(banned(&bed, &a));
	}
	bed.now_us += 2 * HOUR;
	assert_true(offend(&bed, &a, AFTER));
	assert_int_equal(entry_of(&bed, &a)->ban_until_us, bed.now_us + 20 * MINUTE);
	for (int i = 0; i < 100; i++) {
		bed.now_us = entry_of(&bed, &a)->ban_until_us;
		assert_true(offend(&bed, &a, AFTER));
	}
	assert_int_equal(entry_of(&bed, &a)->ban_until_us, bed.now_us + SOURCE_BAN_MAX_US);
	bed_close(&bed);
}

static void who_is_banned_is_not_banned_again_for_what_still_comes(void **state)
{
	struct bed bed = bed_open();
	struct ip_address a = v4(1);
	uint64_t until_us;

	(void)state;
	bed_start(&bed);
	assert_true(offend(&bed, &a, AFTER));
	until_us = entry_of(&bed, &a)->ban_until_us;
	assert_false(offend(&bed, &a, 100));
	assert_int_equal(entry_of(&bed, &a)->ban_until_us, until_us);
	bed_close(&bed);
}

static void somebody_bans_prefixes_of_any_length(void **state)
{
	struct bed bed = bed_open();
	struct ip_address a = v4(0x100), b = v4(0x1ff), c = v4(0x200), d = v6(1, 1), e = v6(1, 2);

	(void)state;
	bed_start(&bed);
	assert_true(ban(&bed, a, 24, bed.now_us + MINUTE));
	assert_true(ban(&bed, d, 128, UINT64_MAX));
	assert_true(banned(&bed, &a) && banned(&bed, &b) && banned(&bed, &d));
	assert_false(banned(&bed, &c));
	assert_false(banned(&bed, &e));
	bed.now_us += MINUTE;
	assert_false(banned(&bed, &a));
	assert_true(banned(&bed, &d));
	assert_true(ban(&bed, (struct ip_address){.version = IP_V4}, 0, UINT64_MAX));
	assert_true(banned(&bed, &c));
	bed_close(&bed);
}

static void bans_by_hand_are_so_many_and_old_ones_make_room(void **state)
{
	struct bed bed = bed_open();
	uint32_t most = source_bans(&shape);
	struct ip_address one = v4(5);

	(void)state;
	bed_start(&bed);
	for (uint32_t i = 0; i < most; i++)
		assert_true(ban(&bed, v4(i), 32, bed.now_us + (i + 1) * MINUTE));
	assert_false(ban(&bed, v4(500), 32, UINT64_MAX));
	assert_true(ban(&bed, one, 32, UINT64_MAX)); /* the same once more */
	bed.now_us += MINUTE;
	assert_true(ban(&bed, v4(500), 32, UINT64_MAX));
	assert_int_equal(unban(&bed, one, 32), 1);
	assert_false(banned(&bed, &one));
	assert_true(ban(&bed, v4(501), 32, UINT64_MAX));
	bed_close(&bed);
}

static void a_ban_is_lifted_with_all_that_led_to_it(void **state)
{
	struct bed bed = bed_open();
	struct ip_address a = v4(1), b = v4(2), c = v6(1, 9);

	(void)state;
	bed_start(&bed);
	assert_true(offend(&bed, &a, AFTER));
	assert_true(offend(&bed, &b, AFTER));
	assert_true(offend(&bed, &c, AFTER));
	assert_int_equal(unban(&bed, v4(3), 32), 0);
	assert_int_equal(unban(&bed, v4(0), 24), 2);
	assert_false(banned(&bed, &a) || banned(&bed, &b));
	assert_int_equal(unban(&bed, v6(1, 77), 128), 1); /* an address of that source */
	assert_false(banned(&bed, &c));
	assert_true(offend(&bed, &a, AFTER));
	assert_int_equal(entry_of(&bed, &a)->ban_until_us, bed.now_us + 10 * MINUTE);
	bed_close(&bed);
}

/* ---- another master ---- */

static void what_is_known_outlives_a_master(void **state)
{
	struct bed bed = bed_open();
	struct ip_address a = v4(1), b = v4(2), c = v4(3);

	(void)state;
	bed_start(&bed);
	assert_true(offend(&bed, &a, AFTER));
	handshake(&bed, &b);
	add(&bed, &b);
	assert_true(ban(&bed, c, 32, UINT64_MAX));
	bed_take_over(&bed);
	assert_true(banned(&bed, &a) && banned(&bed, &c));
	assert_int_equal(source_recent(entry_of(&bed, &b), bed.now_us), 1);
	assert_int_equal(source_count(bed.sources, &b), 0); /* counted anew, from connections */
	bed_close(&bed);
}

static void a_damaged_entry_is_forgotten_and_no_other(void **state)
{
	struct random random = random_start();
	struct ip_address a = v4(1), b = v4(2);

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct bed bed = bed_open();
		uint64_t *words = (uint64_t *)(void *)bed.table.source;

		bed_start(&bed);
		assert_true(offend(&bed, &a, AFTER));
		assert_true(offend(&bed, &b, AFTER));
		assert_true(ban(&bed, v4(3), 32, UINT64_MAX));
		assert_true(address_equal(&bed.table.source[0].address, &a));
		words[random_below(&random, sizeof(struct source_entry) / 8)] ^=
			UINT64_C(1) << random_below(&random, 64);
		((uint64_t *)(void *)
		         bed.table.ban)[random_below(&random, sizeof(struct source_ban) / 8)] ^=
			UINT64_C(1) << random_below(&random, 64);
		bed_take_over(&bed);
		assert_null(entry_of(&bed, &a));
		assert_true(banned(&bed, &b));
		a = v4(3);
		assert_false(banned(&bed, &a));
		a = v4(1);
		handshake(&bed, &a);
		assert_non_null(entry_of(&bed, &a));
		bed_close(&bed);
	}
}

/* Sealed, but nothing that the engine could have written. */
static void an_entry_that_makes_no_sense_is_forgotten(void **state)
{
	struct ip_address a = v4(1);

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct bed bed = bed_open();
		struct source_entry *entry = &bed.table.source[0];

		bed_start(&bed);
		handshake(&bed, &a);
		if (i == 0)
			entry->points = UINT32_MAX;
		if (i == 1)
			entry->bans = UINT32_MAX;
		if (i == 2)
			entry->ban_until_us = UINT64_MAX;
		if (i == 3)
			entry->address.reserved[1] = 7;
		if (i == 4)
			bed.table.source[1] = *entry; /* twice */
		seal_set(entry, sizeof(*entry));
		bed_take_over(&bed);
		assert_int_equal(entry_of(&bed, &a) != NULL, i == 4);
		assert_int_equal(bed.sources->idle.count, i == 4);
		bed_close(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_of_a_source_are_counted),
		cmocka_unit_test(hosts_of_one_ipv6_64_count_together),
		cmocka_unit_test(handshakes_of_the_last_minute_are_counted),
		cmocka_unit_test(the_source_that_was_idle_longest_makes_room),
		cmocka_unit_test(every_connection_has_an_entry_even_among_bans),
		cmocka_unit_test(any_sequence_of_calls_agrees_with_plain_counters),
		cmocka_unit_test(half_of_the_points_is_forgotten_each_minute),
		cmocka_unit_test(each_ban_is_twice_as_long_until_hours_have_made_up_for_it),
		cmocka_unit_test(who_is_banned_is_not_banned_again_for_what_still_comes),
		cmocka_unit_test(somebody_bans_prefixes_of_any_length),
		cmocka_unit_test(bans_by_hand_are_so_many_and_old_ones_make_room),
		cmocka_unit_test(a_ban_is_lifted_with_all_that_led_to_it),
		cmocka_unit_test(what_is_known_outlives_a_master),
		cmocka_unit_test(a_damaged_entry_is_forgotten_and_no_other),
		cmocka_unit_test(an_entry_that_makes_no_sense_is_forgotten),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
