/* Notes about sessions: kept, replaced, forgotten, bounded. */
#include "tests/unit/random.h"

#include "daemon/session_notes.h"

static struct session_notes *notes;

static int begin(void **state)
{
	(void)state;
	notes = session_notes_create();
	return notes == NULL;
}

static int end(void **state)
{
	(void)state;
	session_notes_destroy(notes);
	return 0;
}

static void set(uint64_t id, const char *user, enum session_ending ending)
{
	struct message_session_note note = {.conn_id = id, .ending = ending};

	strcpy(note.user, user);
	session_notes_set(notes, &note);
}

static void a_note_is_kept_until_its_connection_is_gone(void **state)
{
	(void)state;
	assert_null(session_notes_find(notes, 7));
	set(7, "one", SESSION_GOES_ON);
	set(7 + 4096, "two", SESSION_GOES_ON); /* the same bucket */
	set(7, "one", SESSION_LOGOUT);
	assert_string_equal(session_notes_find(notes, 7)->user, "one");
	assert_int_equal(session_notes_find(notes, 7)->ending, SESSION_LOGOUT);
	assert_string_equal(session_notes_find(notes, 7 + 4096)->user, "two");
	session_notes_forget(notes, 7);
	session_notes_forget(notes, 8);
	assert_null(session_notes_find(notes, 7));
	assert_string_equal(session_notes_find(notes, 7 + 4096)->user, "two");
}

static void when_there_are_too_many_the_oldest_goes(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= SESSION_NOTES_MAX; id++)
		set(id, "user", SESSION_GOES_ON);
	assert_non_null(session_notes_find(notes, 1));
	set(SESSION_NOTES_MAX + 1, "late", SESSION_GOES_ON);
	assert_null(session_notes_find(notes, 1));
	assert_non_null(session_notes_find(notes, 2));
	assert_string_equal(session_notes_find(notes, SESSION_NOTES_MAX + 1)->user, "late");
}

static void a_user_is_printable_and_has_an_end(void **state)
{
	char name[SESSION_LOGNAME_SIZE];

	(void)state;
	assert_true(message_user_valid("a\\b@c.d", sizeof("a\\b@c.d")));
	assert_false(message_user_valid("", 1));
	assert_false(message_user_valid("a b", 4));
	assert_false(message_user_valid("a\n", 3));
	assert_false(message_user_valid("\xc3\xa4", 3));
	memset(name, 'a', sizeof(name));
	assert_false(message_user_valid(name, sizeof(name)));
	name[sizeof(name) - 1] = '\0';
	assert_true(message_user_valid(name, sizeof(name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_note_is_kept_until_its_connection_is_gone, begin,
	                                        end),
		cmocka_unit_test_setup_teardown(when_there_are_too_many_the_oldest_goes, begin,
	                                        end),
		cmocka_unit_test(a_user_is_printable_and_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
