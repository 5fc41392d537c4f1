/* stack/siphash.c against vectors that another implementation gave. */
#include "tests/unit/random.h"

#include "stack/siphash.h"

/* Key 00 01 .. 0f over the bytes 00 01 .. (length - 1). */
static void known_inputs_give_known_hashes(void **state)
{
	static const struct {
		size_t length;
		uint64_t hash;
	} vectors[] = {
		{0, 0x726fdb47dd0e0e31},  {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
		{8, 0x93f5f5799a932462},  {15, 0xa129ca6149be45e5}, {16, 0x3f2acc7f57c29bdb},
		{48, 0xe612a3cb9ecba951}, {63, 0x958a324ceb064572},
	};
	uint8_t key[SIPHASH_KEY_BYTES], bytes[64];

	(void)state;
	for (uint8_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	memcpy(key, bytes, sizeof(key));
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint8_t *exact = exact_copy(bytes, vectors[i].length);

		assert_int_equal(siphash(key, exact, vectors[i].length), vectors[i].hash);
		free(exact);
	}
}

static void every_bit_of_key_and_data_changes_the_hash(void **state)
{
	struct random random = random_start();
	uint8_t key[SIPHASH_KEY_BYTES], bytes[21];
	uint64_t hash;

	(void)state;
	random_fill(&random, key, sizeof(key));
	random_fill(&random, bytes, sizeof(bytes));
	hash = siphash(key, bytes, sizeof(bytes));
	for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
		key[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(siphash(key, bytes, sizeof(bytes)), hash);
		key[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(siphash(key, bytes, sizeof(bytes)), hash);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(siphash(key, bytes, sizeof(bytes)), hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_inputs_give_known_hashes),
		cmocka_unit_test(every_bit_of_key_and_data_changes_the_hash),
	};

	return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
