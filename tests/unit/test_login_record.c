/* What stands in utmp for a session: its id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shell/opener.h"

#define PTYS (1u << 20) /* Linux has no more */

static int compare(const void *one, const void *other)
{
	return memcmp(one, other, LOGIN_ID_SIZE);
}

static void sessions_on_different_terminals_have_different_ids(void **test)
{
	char(*ids)[LOGIN_ID_SIZE] = calloc(PTYS, sizeof(*ids));

	(void)test;
	assert_non_null(ids);
	for (unsigned i = 0; i < PTYS; i++)
		login_record_id(i, ids[i]);
	qsort(ids, PTYS, sizeof(*ids), compare);
	for (unsigned i = 1; i < PTYS; i++)
		assert_memory_not_equal(ids[i - 1], ids[i], LOGIN_ID_SIZE);
	free(ids);
}

static void an_id_is_what_others_give_or_cannot_be_mistaken_for_one(void **test)
{
	static const unsigned numbers[] = {0, 9, 10, 99, 100, 999};
	char id[LOGIN_ID_SIZE], expected[LOGIN_ID_SIZE + 1];

	(void)test;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		memset(expected, 0, sizeof(expected));
		snprintf(expected, sizeof(expected), "/%u", numbers[i]);
		login_record_id(numbers[i], id);
		assert_memory_equal(id, expected, LOGIN_ID_SIZE);
	}
	for (unsigned i = 1000; i < PTYS; i++) {
		login_record_id(i, id);
		assert_in_range(id[0], 'A', 'E');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_on_different_terminals_have_different_ids),
		cmocka_unit_test(an_id_is_what_others_give_or_cannot_be_mistaken_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
