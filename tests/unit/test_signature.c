/* shell/signature.c: what is an attack, and what only looks odd. */
#include "tests/unit/random.h"

#include "shell/signature.h"

#define ENVIRON  39
#define LINEMODE 34
#define ENCRYPT  38

/* The signature in LENGTH bytes, which end where the sanitizer looks. */
static enum signature in_bytes(uint8_t option, const void *bytes, size_t length)
{
	uint8_t *exact = exact_copy(bytes, length);
	enum signature found = signature_of(option, exact, length);

	free(exact);
	return found;
}

#define IN(option, text) in_bytes((option), (text), sizeof(text) - 1)

static void a_user_that_is_an_option_of_login_is_one(void **state)
{
	(void)state;
	assert_int_equal(IN(ENVIRON, "\0\0USER\1-f root"), SIGNATURE_USER);
	assert_int_equal(IN(ENVIRON, "\0\0USER\1-froot"), SIGNATURE_USER);
	assert_int_equal(IN(ENVIRON, "\2\3USER\1-p"), SIGNATURE_USER);
	assert_int_equal(IN(ENVIRON, "\0\0LANG\1C\0USER\1-e"), SIGNATURE_USER);
	assert_int_equal(IN(ENVIRON, "\0\0U\2SER\1\2-h"), SIGNATURE_USER);
	assert_int_equal(IN(ENVIRON, "\0\0USER\1root"), SIGNATURE_NONE);
	assert_int_equal(IN(ENVIRON, "\0\0USER\1a b"), SIGNATURE_NONE);
	assert_int_equal(IN(ENVIRON, "\0\0USER\1"), SIGNATURE_NONE);
	assert_int_equal(IN(ENVIRON, "\0\0USER"), SIGNATURE_NONE);
	assert_int_equal(IN(ENVIRON, "\1\0USER\1-f root"), SIGNATURE_NONE); /* SEND */
}

static void a_variable_that_makes_programs_load_something_is_one(void **state)
{
	(void)state;
	assert_int_equal(IN(ENVIRON, "\0\0LD_PRELOAD\1/tmp/x.so"), SIGNATURE_ENVIRONMENT);
	assert_int_equal(IN(ENVIRON, "\0\3LD_LIBRARY_PATH\1/tmp"), SIGNATURE_ENVIRONMENT);
	assert_int_equal(IN(ENVIRON, "\0\3CREDENTIALS_DIRECTORY\1/tmp"), SIGNATURE_ENVIRONMENT);
	assert_int_equal(IN(ENVIRON, "\0\3IFS"), SIGNATURE_ENVIRONMENT);
	assert_int_equal(IN(ENVIRON, "\0\3IFSX\1a"), SIGNATURE_NONE);
	assert_int_equal(IN(ENVIRON, "\0\3LANG\1LD_PRELOAD"), SIGNATURE_NONE);
	assert_int_equal(IN(ENVIRON, "\0\3PATH\1/bin\3EDITOR\1vi\0DISPLAY\1:0"), SIGNATURE_NONE);
}

static void lists_longer_than_any_that_can_be_meant_are(void **state)
{
	uint8_t body[256] = {3};

	(void)state;
	assert_int_equal(in_bytes(LINEMODE, body, 1 + 3 * 30), SIGNATURE_NONE);
	assert_int_equal(in_bytes(LINEMODE, body, 1 + 3 * 34), SIGNATURE_SLC);
	body[0] = 1;
	assert_int_equal(in_bytes(LINEMODE, body, 1 + 3 * 34), SIGNATURE_NONE);
	body[0] = 7;
	assert_int_equal(in_bytes(ENCRYPT, body, 65), SIGNATURE_NONE);
	assert_int_equal(in_bytes(ENCRYPT, body, 66), SIGNATURE_ENCRYPT);
	body[0] = 8;
	assert_int_equal(in_bytes(ENCRYPT, body, 201), SIGNATURE_ENCRYPT);
	body[0] = 1;
	assert_int_equal(in_bytes(ENCRYPT, body, 201), SIGNATURE_NONE);
	assert_int_equal(in_bytes(24, body, 201), SIGNATURE_NONE);
}

static void any_bytes_are_read_within_their_bounds(void **state)
{
	struct random random = random_start();
	uint8_t body[300];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		size_t length = random_below(&random, sizeof(body));

		for (size_t at = 0; at < length; at++)
			body[at] = (uint8_t)random_below(&random, 8);
		assert_true(in_bytes(ENVIRON, body, length) < SIGNATURES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_that_is_an_option_of_login_is_one),
		cmocka_unit_test(a_variable_that_makes_programs_load_something_is_one),
		cmocka_unit_test(lists_longer_than_any_that_can_be_meant_are),
		cmocka_unit_test(any_bytes_are_read_within_their_bounds),
	};

	return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
