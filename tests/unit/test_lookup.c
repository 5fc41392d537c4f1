/* stack/lookup.c against a walk over all slots. */
#include "tests/unit/random.h"

#include "stack/lookup.h"

#define SLOTS 40

static const uint8_t key[SIPHASH_KEY_BYTES] = {1, 2, 3};

static const struct flow *flow_of(const void *owner, uint32_t slot)
{
	return &((const struct flow *)owner)[slot];
}

static struct flow flow(uint32_t number)
{
	struct flow flow = {.local.address.version = IP_V4, .peer.address.version = IP_V4};

	flow.local.port = 23;
	flow.peer.address.bytes[3] = (uint8_t)(number & 1);
	flow.peer.port = (uint16_t)(4000 + number / 2);
	return flow;
}

static void what_was_added_is_found_and_nothing_else(void **state)
{
	struct flow flows[2] = {flow(1), flow(2)}, other = flow(3);
	struct lookup *lookup = lookup_create(2, key, flow_of, flows);

	(void)state;
	assert_int_equal(lookup_find(lookup, &flows[0]), LOOKUP_NONE);
	lookup_add(lookup, 0);
	lookup_add(lookup, 1);
	assert_int_equal(lookup_find(lookup, &flows[0]), 0);
	assert_int_equal(lookup_find(lookup, &flows[1]), 1);
	assert_int_equal(lookup_find(lookup, &other), LOOKUP_NONE);
	lookup_destroy(lookup);
}

static void removing_takes_out_one_slot_and_only_once(void **state)
{
	struct flow flows[3] = {flow(1), flow(2), flow(3)};
	struct lookup *lookup = lookup_create(3, key, flow_of, flows);

	(void)state;
	for (uint32_t slot = 0; slot < 3; slot++)
		lookup_add(lookup, slot);
	lookup_remove(lookup, 1);
	lookup_remove(lookup, 1);
	assert_int_equal(lookup_find(lookup, &flows[0]), 0);
	assert_int_equal(lookup_find(lookup, &flows[1]), LOOKUP_NONE);
	assert_int_equal(lookup_find(lookup, &flows[2]), 2);
	lookup_destroy(lookup);
}

static void removing_works_after_the_flow_is_gone(void **state)
{
	struct flow flows[1] = {flow(1)}, before = flow(1);
	struct lookup *lookup = lookup_create(1, key, flow_of, flows);

	(void)state;
	lookup_add(lookup, 0);
	memset(&flows[0], 0, sizeof(flows[0]));
	lookup_remove(lookup, 0);
	assert_int_equal(lookup_find(lookup, &before), LOOKUP_NONE);
	assert_int_equal(lookup_find(lookup, &flows[0]), LOOKUP_NONE);
	lookup_destroy(lookup);
}

static void adding_twice_moves_the_slot_to_its_flow_of_now(void **state)
{
	struct flow flows[1] = {flow(1)}, before = flow(1);
	struct lookup *lookup = lookup_create(1, key, flow_of, flows);

	(void)state;
	lookup_add(lookup, 0);
	flows[0] = flow(2);
	lookup_add(lookup, 0);
	assert_int_equal(lookup_find(lookup, &before), LOOKUP_NONE);
	assert_int_equal(lookup_find(lookup, &flows[0]), 0);
	lookup_remove(lookup, 0);
	assert_int_equal(lookup_find(lookup, &flows[0]), LOOKUP_NONE);
	lookup_destroy(lookup);
}

static void slots_out_of_range_are_ignored(void **state)
{
	struct flow flows[1] = {flow(1)};
	struct lookup *lookup = lookup_create(1, key, flow_of, flows);
	struct lookup *none = lookup_create(0, key, flow_of, NULL);

	(void)state;
	lookup_add(lookup, 1);
	lookup_remove(lookup, 1);
	lookup_remove(lookup, LOOKUP_NONE);
	lookup_add(none, 0);
	assert_int_equal(lookup_find(none, &flows[0]), LOOKUP_NONE);
	assert_null(lookup_create(UINT32_MAX, key, flow_of, NULL));
	lookup_destroy(lookup);
	lookup_destroy(none);
	lookup_destroy(NULL);
}

static void any_sequence_of_calls_agrees_with_a_walk(void **state)
{
	struct random random = random_start();
	struct flow flows[SLOTS];
	bool in[SLOTS] = {false};
	struct lookup *lookup = lookup_create(SLOTS, key, flow_of, flows);

	(void)state;
	memset(flows, 0, sizeof(flows));
	for (int i = 0; i < 100000; i++) {
		uint32_t slot = random_below(&random, SLOTS), expected = LOOKUP_NONE;
		struct flow sought = flow(random_below(&random, 200));

		if (in[slot]) {
			lookup_remove(lookup, slot);
			in[slot] = false;
		} else {
			flows[slot] = flow(slot + SLOTS * random_below(&random, 5));
			lookup_add(lookup, slot);
			in[slot] = true;
		}
		for (slot = 0; slot < SLOTS; slot++) {
			if (in[slot] && flow_equal(&flows[slot], &sought))
				expected = slot;
		}
		assert_int_equal(lookup_find(lookup, &sought), expected);
	}
	lookup_destroy(lookup);
}

struct hashed {
	uint32_t hash;
	uint32_t number;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *one = a, *other = b;

	return one->hash < other->hash ? -1 : one->hash > other->hash;
}

/* Among so many flows some have the same hash, by chance. */
#define MANY 200000u

static void flows_of_one_hash_are_told_apart(void **state)
{
	struct hashed *hashed = calloc(MANY, sizeof(*hashed));
	unsigned pairs = 0;

	(void)state;
	assert_non_null(hashed);
	for (uint32_t i = 0; i < MANY; i++) {
		struct flow one = flow(0);

		memcpy(one.peer.address.bytes, &i, sizeof(i));
		hashed[i].number = i;
		hashed[i].hash = (uint32_t)siphash(key, &one, sizeof(one));
	}
	qsort(hashed, MANY, sizeof(*hashed), by_hash);
	for (uint32_t i = 1; i < MANY; i++) {
		struct flow flows[2] = {flow(0), flow(0)};
		struct lookup *lookup;

		if (hashed[i].hash != hashed[i - 1].hash)
			continue;
		memcpy(flows[0].peer.address.bytes, &hashed[i - 1].number, sizeof(uint32_t));
		memcpy(flows[1].peer.address.bytes, &hashed[i].number, sizeof(uint32_t));
		lookup = lookup_create(2, key, flow_of, flows);
		lookup_add(lookup, 0);
		assert_int_equal(lookup_find(lookup, &flows[1]), LOOKUP_NONE);
		lookup_add(lookup, 1);
		assert_int_equal(lookup_find(lookup, &flows[0]), 0);
		assert_int_equal(lookup_find(lookup, &flows[1]), 1);
		lookup_destroy(lookup);
		pairs++;
	}
	assert_true(pairs > 0);
	free(hashed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found_and_nothing_else),
		cmocka_unit_test(removing_takes_out_one_slot_and_only_once),
		cmocka_unit_test(removing_works_after_the_flow_is_gone),
		cmocka_unit_test(adding_twice_moves_the_slot_to_its_flow_of_now),
		cmocka_unit_test(slots_out_of_range_are_ignored),
		cmocka_unit_test(any_sequence_of_calls_agrees_with_a_walk),
		cmocka_unit_test(flows_of_one_hash_are_told_apart),
	};

	return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
