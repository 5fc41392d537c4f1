/* stack/quiet.c: every case of what a start can find, and what holds then. */
#include "tests/unit/random.h"

#include "stack/quiet.h"

#define S    UINT64_C(1000000)
#define MSL  (30 * S)
#define NOW  (1000 * S)
#define HOUR (3600 * S)

/* A file of this boot whose last stamp was 20 s ago, and a directory that can be written to. */
#define FOUND(here, stamp)                                                                         \
	.writable = true, .file = QUIET_FILE_VALID, .same_boot = (here), .stamp_us = (stamp)
#define CRASHED      FOUND(true, NOW - 20 * S)
#define CLEAN        CRASHED, .clean = true
#define NO_DIRECTORY .writable = false
#define NEVER_RAN    .writable = true, .file = QUIET_FILE_ABSENT
#define UNREADABLE   .writable = true, .file = QUIET_FILE_UNREADABLE

/* Pairs saved: one that had 25 s left 20 s ago, one 10, one 90. With 60 s each they stay so long. */
static const uint64_t saved_until[] = {NOW + 5 * S, NOW - 10 * S, NOW + 70 * S};
#define SAVED      (sizeof(saved_until) / sizeof(saved_until[0]))
#define TWO_STAY   2
#define NONE_STAYS 0

static const struct {
	const char *name;
	struct quiet_facts facts;
	bool no_pairs; /* the file has none */
	uint64_t until_us;
	enum quiet_reason reason;
	size_t pairs;
} cases[] = {
	{"never ran", {NEVER_RAN}, true, 0, QUIET_REASON_FIRST_START, NONE_STAYS},
	{"a clean end without pairs", {CLEAN}, true, 0, QUIET_REASON_CLEAN_END, NONE_STAYS},
	{"a clean end with pairs", {CLEAN}, false, 0, QUIET_REASON_PAIRS_BARRED, TWO_STAY},
	{"a crash with the table",
         {CRASHED, .table_survived = true},
         true,
         0,
         QUIET_REASON_TABLE_KEPT,
         NONE_STAYS},
	{"a crash with the table in quiet time",
         {CRASHED, .table_survived = true, .table_until_us = NOW + 7 * S},
         true,
         NOW + 7 * S,
         QUIET_REASON_TABLE_KEPT,
         NONE_STAYS},
	{"the table without any file",
         {NO_DIRECTORY, .table_survived = true, .override = QUIET_FIXED, .override_us = HOUR},
         true,
         0,
         QUIET_REASON_TABLE_KEPT,
         NONE_STAYS},
	{"the table, and pairs that are in it",
         {CLEAN, .table_survived = true},
         false,
         0,
         QUIET_REASON_TABLE_KEPT,
         NONE_STAYS},
	{"a table that would be silent for ever",
         {CRASHED, .table_survived = true, .table_until_us = UINT64_MAX},
         true,
         NOW + HOUR,
         QUIET_REASON_TABLE_KEPT,
         NONE_STAYS},
	{"a crash without the table",
         {CRASHED},
         true,
         NOW + 40 * S,
         QUIET_REASON_CRASH,
         NONE_STAYS},
	{"a crash without the table, pairs that cannot be",
         {CRASHED},
         false,
         NOW + 40 * S,
         QUIET_REASON_CRASH,
         NONE_STAYS},
	{"a crash just now",
         {FOUND(true, NOW)},
         true,
         NOW + 60 * S,
         QUIET_REASON_CRASH,
         NONE_STAYS},
	{"a crash 2 MSL ago", {FOUND(true, NOW - 60 * S)}, true, 0, QUIET_REASON_CRASH, NONE_STAYS},
	{"a crash nearly 2 MSL ago",
         {FOUND(true, NOW - 60 * S + 1)},
         true,
         NOW + 1,
         QUIET_REASON_CRASH,
         NONE_STAYS},
	{"another boot, long ago",
         {FOUND(false, NOW - 20 * S)},
         true,
         0,
         QUIET_REASON_OTHER_BOOT,
         NONE_STAYS},
	{"another boot, the stamp of a longer uptime",
         {FOUND(false, HOUR), .now_us = 10 * S},
         true,
         60 * S,
         QUIET_REASON_OTHER_BOOT,
         NONE_STAYS},
	{"another boot after a clean end",
         {FOUND(false, NOW), .clean = true, .now_us = 10 * S},
         false,
         60 * S,
         QUIET_REASON_OTHER_BOOT,
         NONE_STAYS},
	{"another boot, 2 MSL of uptime",
         {FOUND(false, NOW - 20 * S), .now_us = 60 * S},
         true,
         0,
         QUIET_REASON_OTHER_BOOT,
         NONE_STAYS},
	{"an unreadable file",
         {UNREADABLE},
         true,
         NOW + 60 * S,
         QUIET_REASON_STATE_UNREADABLE,
         NONE_STAYS},
	{"a stamp of the future",
         {FOUND(true, NOW + 1), .clean = true},
         false,
         NOW + 60 * S,
         QUIET_REASON_STATE_UNREADABLE,
         NONE_STAYS},
	{"a stamp of the far future",
         {FOUND(true, UINT64_MAX)},
         true,
         NOW + 60 * S,
         QUIET_REASON_STATE_UNREADABLE,
         NONE_STAYS},
	{"no directory",
         {NO_DIRECTORY},
         true,
         NOW + 60 * S,
         QUIET_REASON_STATE_NOT_WRITABLE,
         NONE_STAYS},
	{"a clean end in a directory that is now read-only",
         {.file = QUIET_FILE_VALID, .same_boot = true, .stamp_us = NOW - 20 * S, .clean = true},
         false,
         NOW + 60 * S,
         QUIET_REASON_STATE_NOT_WRITABLE,
         TWO_STAY},
	{"off after a crash",
         {CRASHED, .override = QUIET_OFF},
         true,
         0,
         QUIET_REASON_OFF,
         NONE_STAYS},
	{"off without a directory",
         {NO_DIRECTORY, .override = QUIET_OFF},
         true,
         0,
         QUIET_REASON_OFF,
         NONE_STAYS},
	{"off does not open pairs again",
         {CLEAN, .override = QUIET_OFF},
         false,
         0,
         QUIET_REASON_OFF,
         TWO_STAY},
	{"seconds after a crash",
         {CRASHED, .override = QUIET_FIXED, .override_us = 5 * S},
         true,
         NOW + 5 * S,
         QUIET_REASON_FIXED,
         NONE_STAYS},
	{"seconds where none are needed",
         {NEVER_RAN, .override = QUIET_FIXED, .override_us = HOUR},
         true,
         NOW + HOUR,
         QUIET_REASON_FIXED,
         NONE_STAYS},
	{"seconds, and pairs",
         {CLEAN, .override = QUIET_FIXED, .override_us = 90 * S},
         false,
         NOW + 90 * S,
         QUIET_REASON_FIXED,
         TWO_STAY},
	{"a clean end in quiet time",
         {CLEAN, .quiet_until_us = NOW + 12 * S},
         true,
         NOW + 12 * S,
         QUIET_REASON_INTERRUPTED,
         NONE_STAYS},
	{"a clean end in quiet time, which would be over by now",
         {CLEAN, .quiet_until_us = NOW - 1},
         true,
         0,
         QUIET_REASON_INTERRUPTED,
         NONE_STAYS},
	{"a clean end after quiet time",
         {CLEAN, .quiet_until_us = NOW - 21 * S},
         true,
         0,
         QUIET_REASON_CLEAN_END,
         NONE_STAYS},
	{"a crash early in quiet time",
         {CRASHED, .quiet_until_us = NOW + 11 * S},
         true,
         NOW + 11 * S,
         QUIET_REASON_INTERRUPTED,
         NONE_STAYS},
	{"a crash so late in quiet time that it may have been over",
         {CRASHED, .quiet_until_us = NOW + 10 * S},
         true,
         NOW + 40 * S,
         QUIET_REASON_CRASH,
         NONE_STAYS},
	{"a crash after quiet time",
         {CRASHED, .quiet_until_us = NOW - 30 * S},
         true,
         NOW + 40 * S,
         QUIET_REASON_CRASH,
         NONE_STAYS},
	{"a quiet time that would not end",
         {CRASHED, .quiet_until_us = UINT64_MAX},
         true,
         NOW + 60 * S,
         QUIET_REASON_INTERRUPTED,
         NONE_STAYS},
};

static void each_start_waits_for_what_it_must_and_no_longer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct quiet_facts facts = cases[i].facts;
		struct quiet_pair pairs[SAVED] = {0};
		size_t count = cases[i].no_pairs ? 0 : SAVED;
		struct quiet_decision decision;

		facts.msl_us = MSL;
		if (facts.now_us == 0)
			facts.now_us = NOW;
		for (size_t j = 0; j < SAVED; j++)
			pairs[j].until_us = saved_until[j];
		print_message("# %s\n", cases[i].name);
		decision = quiet_decide(&facts, pairs, &count);
		assert_int_equal(decision.until_us, cases[i].until_us);
		assert_string_equal(quiet_reason_name(decision.reason),
		                    quiet_reason_name(cases[i].reason));
		assert_int_equal(count, cases[i].pairs);
		if (count == TWO_STAY) { /* their own time, and 2 MSL at most */
			assert_int_equal(pairs[0].until_us, NOW + 5 * S);
			assert_int_equal(pairs[1].until_us, NOW + 60 * S);
		}
	}
}

/* Whatever a file says: no wait is longer than the rules can give, and none is in the past. */
static void no_file_makes_it_wait_for_longer(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 200000; i++) {
		static const uint64_t far[] = {0, UINT64_MAX, UINT64_MAX / 2, NOW, NOW + 1};
		struct quiet_facts facts = {
			.msl_us = (1 + random_below(&random, 600)) * S,
			.now_us = random_below(&random, 2000) * S,
			.writable = random_below(&random, 8) != 0,
			.file = (enum quiet_file)random_below(&random, 3),
			.same_boot = random_below(&random, 2) != 0,
			.clean = random_below(&random, 2) != 0,
			.stamp_us = random_below(&random, 2) ? random_below(&random, 3000) * S
		                                             : far[random_below(&random, 5)],
			.quiet_until_us = random_below(&random, 2) ? random_below(&random, 3000) * S
		                                                   : far[random_below(&random, 5)],
		};
		struct quiet_pair pairs[2] = {{.until_us = random_next(&random)},
		                              {.until_us = random_below(&random, 3000) * S}};
		size_t count = random_below(&random, 3);
		struct quiet_decision decision = quiet_decide(&facts, pairs, &count);
		uint64_t latest = facts.now_us + 2 * facts.msl_us;

		assert_true(decision.until_us == 0 || decision.until_us > facts.now_us);
		assert_true(decision.until_us <= latest);
		assert_true(count <= 2);
		for (size_t j = 0; j < count; j++)
			assert_true(pairs[j].until_us > facts.now_us &&
			            pairs[j].until_us <= latest);
	}
}

static void reasons_have_stable_names_and_sentences(void **state)
{
	static const char *const names[] = {
		"first_start", "clean_end",  "pairs_barred",     "table_kept",         "crash",
		"interrupted", "other_boot", "state_unreadable", "state_not_writable", "off",
		"fixed",
	};

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(names[0]), QUIET_REASON_COUNT);
	for (uint32_t i = 0; i < QUIET_REASON_COUNT; i++) {
		assert_string_equal(quiet_reason_name(i), names[i]);
		assert_string_equal(quiet_reason_explain(names[i]), quiet_reason_text(i));
	}
	assert_string_equal(quiet_reason_name(QUIET_REASON_COUNT), "unknown");
	assert_string_equal(quiet_reason_text(UINT32_MAX), "unknown");
	assert_null(quiet_reason_explain("no such reason"));
}

static struct quiet_pair good_pair(void)
{
	struct quiet_pair pair = {.rcv_wscale = 14, .rcv_wnd = 64 << 20, .timestamps = 1};

	pair.flow.local.address.version = pair.flow.peer.address.version = IP_V4;
	pair.flow.local.address.bytes[0] = pair.flow.peer.address.bytes[0] = 192;
	pair.flow.local.port = pair.flow.peer.port = 23;
	pair.until_us = NOW;
	return pair;
}

static void a_pair_holds_only_within_its_bounds(void **state)
{
	struct quiet_pair pair = good_pair();

	(void)state;
	assert_true(quiet_pair_holds(&pair));
#define FAILS_WITH(change)                                                                         \
	do {                                                                                       \
		pair = good_pair();                                                                \
		pair.change;                                                                       \
		assert_false(quiet_pair_holds(&pair));                                             \
	} while (0)
	FAILS_WITH(rcv_wscale = 15);
	FAILS_WITH(rcv_wnd = (64 << 20) + 1);
	FAILS_WITH(timestamps = 2);
	FAILS_WITH(passive = 2);
	FAILS_WITH(reserved = 1);
	FAILS_WITH(until_us = UINT64_MAX);
	FAILS_WITH(flow.local.port = 0);
	FAILS_WITH(flow.peer.port = 0);
	FAILS_WITH(flow.peer.reserved = 1);
	FAILS_WITH(flow.peer.address.version = IP_V6);
	FAILS_WITH(flow.peer.address.version = IP_NONE);
	FAILS_WITH(flow.peer.address.bytes[0] = 224);
	FAILS_WITH(flow.peer.address.bytes[4] = 1);
	FAILS_WITH(flow.local.address.bytes[0] = 0);
	FAILS_WITH(flow.local.address.reserved[2] = 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_start_waits_for_what_it_must_and_no_longer),
		cmocka_unit_test(no_file_makes_it_wait_for_longer),
		cmocka_unit_test(reasons_have_stable_names_and_sentences),
		cmocka_unit_test(a_pair_holds_only_within_its_bounds),
	};

	return cmocka_run_group_tests_name("quiet", tests, NULL, NULL);
}
