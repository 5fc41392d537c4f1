/* daemon/state_file.c, state_format.c: what is left for the next start, and what is believed of it. */
#include "tests/unit/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <signal.h>

#include "daemon/state_file.h"

struct place {
	char directory[64];
	char path[96];
	struct state_file file;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	strcpy(place->directory, "/tmp/calmd-state-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	snprintf(place->path, sizeof(place->path), "%s/state", place->directory);
	state_file_init(&place->file, place->directory);
	*state = place;
	return 0;
}

static void empty(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	char path[512];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		unlink(path);
		if (entry->d_name[0] != '.')
			rmdir(path);
	}
	if (dir != NULL)
		closedir(dir);
}

static int teardown(void **state)
{
	struct place *place = *state;

	state_file_close(&place->file);
	empty(place->directory);
	rmdir(place->directory);
	free(place);
	return 0;
}

#define with_place(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static struct state running(void)
{
	return (struct state){.boot_id = {1, 2, 3}, .stamp_us = 1234567, .quiet_until_us = 99};
}

static struct quiet_pair pair(uint16_t port)
{
	struct quiet_pair pair = {.snd_nxt = port, .until_us = 77};

	pair.flow.local.address.version = pair.flow.peer.address.version = IP_V4;
	pair.flow.local.address.bytes[0] = pair.flow.peer.address.bytes[0] = 192;
	pair.flow.local.port = 23;
	pair.flow.peer.port = port;
	return pair;
}

static enum quiet_file read_back(struct place *place, struct state *state)
{
	struct quiet_pair *pairs;
	enum quiet_file found;

	place->file.error[0] = '\0';
	found = state_file_read(&place->file, state, &pairs);
	if (found == QUIET_FILE_UNREADABLE)
		assert_non_null(strstr(place->file.error, place->directory));
	free(pairs);
	return found;
}

static void assert_unreadable(struct place *place)
{
	struct state state;

	assert_int_equal(read_back(place, &state), QUIET_FILE_UNREADABLE);
}

/* Puts these bytes there, as root would. */
static void put(const struct place *place, const void *bytes, size_t length)
{
	int fd;

	unlink(place->path);
	fd = open(place->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static size_t get(const struct place *place, uint8_t *bytes, size_t size)
{
	int fd = open(place->path, O_RDONLY);
	ssize_t length = read(fd, bytes, size);

	close(fd);
	assert_true(length >= 0);
	return (size_t)length;
}

/* A clean end with two pairs, as bytes. */
static size_t good_file(struct place *place, uint8_t bytes[512])
{
	struct quiet_pair pairs[2] = {pair(1), pair(2)};
	struct state state = running();

	state.clean = true;
	state.pairs = 2;
	assert_int_equal(state_file_write(&place->file, &state, pairs), 0);
	return get(place, bytes, 512);
}

/* ---- good ones ---- */

static void where_calmd_never_ran_there_is_none(void **state)
{
	struct place *place = *state;
	struct state found;

	assert_int_equal(read_back(place, &found), QUIET_FILE_ABSENT);
	rmdir(place->directory);
	assert_int_equal(read_back(place, &found), QUIET_FILE_ABSENT);
}

static void what_is_written_is_read_back(void **state)
{
	struct place *place = *state;
	struct quiet_pair pairs[3] = {pair(1), pair(2), pair(3)}, *found_pairs;
	struct state written = running(), found;

	assert_int_equal(state_file_write(&place->file, &written, NULL), 0);
	assert_int_equal(read_back(place, &found), QUIET_FILE_VALID);
	assert_memory_equal(found.boot_id, written.boot_id, sizeof(found.boot_id));
	assert_int_equal(found.stamp_us, 1234567);
	assert_int_equal(found.quiet_until_us, 99);
	assert_false(found.clean);
	written.clean = true;
	written.pairs = 3;
	assert_int_equal(state_file_write(&place->file, &written, pairs), 0);
	assert_int_equal(state_file_read(&place->file, &found, &found_pairs), QUIET_FILE_VALID);
	assert_true(found.clean);
	assert_int_equal(found.pairs, 3);
	assert_memory_equal(found_pairs, pairs, sizeof(pairs));
	free(found_pairs);
}

static void a_stamp_is_one_small_write(void **state)
{
	struct place *place = *state;
	struct state now = running(), found;
	struct stat before, after;

	assert_int_equal(state_file_write(&place->file, &now, NULL), 0);
	assert_int_equal(stat(place->path, &before), 0);
	for (now.stamp_us = 1; now.stamp_us < 100; now.stamp_us++) {
		assert_int_equal(state_file_stamp(&place->file, &now), 0);
		assert_int_equal(read_back(place, &found), QUIET_FILE_VALID);
		assert_int_equal(found.stamp_us, now.stamp_us);
	}
	assert_int_equal(stat(place->path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_size, STATE_HEAD_BYTES);
}

static void the_directory_is_made_for_root_alone(void **state)
{
	struct place *place = *state;
	struct state now = running();
	struct stat st;

	rmdir(place->directory);
	assert_int_equal(state_file_stamp(&place->file, &now), 0);
	assert_int_equal(stat(place->directory, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_file_that_somebody_has_removed_comes_again(void **state)
{
	struct place *place = *state;
	struct state now = running(), found;

	assert_int_equal(state_file_write(&place->file, &now, NULL), 0);
	unlink(place->path);
	now.stamp_us = 5;
	assert_int_equal(state_file_stamp(&place->file, &now), 0);
	assert_int_equal(read_back(place, &found), QUIET_FILE_VALID);
	assert_int_equal(found.stamp_us, 5);
}

/* ---- bad ones ---- */

static void a_truncated_file_is_unreadable(void **state)
{
	struct place *place = *state;
	uint8_t bytes[512] = {0};
	size_t length = good_file(place, bytes);

	for (size_t cut = 0; cut < length; cut++) {
		put(place, bytes, cut);
		assert_unreadable(place);
	}
	put(place, bytes, length + 1);
	assert_unreadable(place);
}

static void one_changed_bit_makes_it_unreadable(void **state)
{
	struct place *place = *state;
	uint8_t bytes[512];
	size_t length = good_file(place, bytes);

	for (size_t bit = 0; bit < 8 * length; bit++) {
		uint8_t *copy = exact_copy(bytes, length);
		const uint8_t *pairs;
		struct state found;

		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(state_parse(copy, length, &found, &pairs));
		free(copy);
	}
}

/* A kill in the middle of a write: the first bytes are the new ones, the others the old. */
static void half_a_write_never_tells_of_an_orderly_end(void **state)
{
	uint8_t before[STATE_HEAD_BYTES], after[STATE_HEAD_BYTES], torn[STATE_HEAD_BYTES];
	struct state clean = running(), now = running(), found;
	const uint8_t *pairs;

	(void)state;
	clean.clean = true;
	now.stamp_us += 1000000;
	state_format(&clean, NULL, before);
	state_format(&now, NULL, after);
	for (size_t cut = 1; cut < STATE_HEAD_BYTES; cut++) {
		memcpy(torn, before, sizeof(torn));
		memcpy(torn, after, cut);
		if (memcmp(torn, before, sizeof(torn)) != 0 &&
		    memcmp(torn, after, sizeof(torn)) != 0)
			assert_false(state_parse(torn, sizeof(torn), &found, &pairs));
	}
}

/* Whoever could write it could have made the hashes, too: each value has its bounds. */
static void a_hostile_file_is_unreadable(void **state)
{
	struct place *place = *state;
	struct quiet_pair pairs[2] = {pair(1), pair(2)};
	struct state hostile = running(), found;

	hostile.pairs = 1; /* without an orderly end */
	assert_int_equal(state_file_write(&place->file, &hostile, pairs), 0);
	assert_unreadable(place);
	hostile.clean = true;
	hostile.pairs = 2;
	pairs[1].flow.peer.address.bytes[0] = 224;
	assert_int_equal(state_file_write(&place->file, &hostile, pairs), 0);
	assert_unreadable(place);
	pairs[1] = pair(2);
	pairs[1].rcv_wscale = 200;
	assert_int_equal(state_file_write(&place->file, &hostile, pairs), 0);
	assert_unreadable(place);
	hostile.pairs = 0;
	memset(hostile.boot_id, 0, sizeof(hostile.boot_id));
	assert_int_equal(state_file_write(&place->file, &hostile, NULL), 0);
	assert_unreadable(place);
	hostile = running();
	hostile.stamp_us = hostile.quiet_until_us = UINT64_MAX; /* quiet_decide() sees to that */
	assert_int_equal(state_file_write(&place->file, &hostile, NULL), 0);
	assert_int_equal(read_back(place, &found), QUIET_FILE_VALID);
}

static void random_bytes_are_unreadable(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t length = random_below(&random, 400);
		uint8_t *bytes = malloc(length + 1);
		const uint8_t *pairs;
		struct state found;

		random_fill(&random, bytes, length);
		if (length >= 16 && random_below(&random, 2)) /* further into it */
			memcpy(bytes, "calmd st\1\0\0\0\1\0\0", 16);
		assert_false(state_parse(bytes, length, &found, &pairs));
		free(bytes);
	}
}

static void what_is_no_file_of_ours_is_unreadable(void **state)
{
	struct place *place = *state;
	uint8_t bytes[512];
	size_t length = good_file(place, bytes);
	char other[128];

	/* a link, even to a good one */
	snprintf(other, sizeof(other), "%s/other", place->directory);
	assert_int_equal(rename(place->path, other), 0);
	assert_int_equal(symlink(other, place->path), 0);
	assert_unreadable(place);
	/* a pipe, which would make us wait */
	unlink(place->path);
	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_unreadable(place);
	unlink(place->path);
	assert_int_equal(mkdir(place->path, 0700), 0);
	assert_unreadable(place);
	rmdir(place->path);
	/* others could have written it */
	put(place, bytes, length);
	chmod(place->path, 0666);
	assert_unreadable(place);
	chmod(place->path, 0600);
	if (geteuid() == 0) {
		assert_int_equal(chown(place->path, 65534, 65534), 0);
		assert_unreadable(place);
	}
	put(place, bytes, length);
	chmod(place->directory, 0777);
	assert_unreadable(place);
}

static void a_huge_file_is_not_read(void **state)
{
	struct place *place = *state;

	put(place, "calmd", 5);
	assert_int_equal(truncate(place->path, (off_t)1 << 40), 0);
	assert_unreadable(place);
}

/* ---- what cannot be written ---- */

static void a_link_is_replaced_not_followed(void **state)
{
	struct place *place = *state;
	struct state now = running(), found;
	struct stat st;
	char other[128], link[128];

	snprintf(other, sizeof(other), "%s/other", place->directory);
	snprintf(link, sizeof(link), "%s/state.new", place->directory);
	assert_int_equal(symlink(other, place->path), 0);
	assert_int_equal(symlink(other, link), 0);
	assert_int_equal(state_file_write(&place->file, &now, NULL), 0);
	assert_int_equal(lstat(place->path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(access(other, F_OK), -1);
	assert_int_equal(read_back(place, &found), QUIET_FILE_VALID);
}

static void a_directory_that_is_none_or_open_to_others_is_refused(void **state)
{
	struct place *place = *state;
	struct state now = running();

	chmod(place->directory, 0777);
	assert_int_equal(state_file_write(&place->file, &now, NULL), -1);
	assert_non_null(strstr(place->file.error, "others may write"));
	chmod(place->directory, 0700);
	place->file.directory = place->path; /* a file */
	put(place, "x", 1);
	assert_int_equal(state_file_stamp(&place->file, &now), -1);
	assert_non_null(strstr(place->file.error, strerror(ENOTDIR)));
	place->file.directory = "/no/such/parent/directory";
	assert_int_equal(state_file_write(&place->file, &now, NULL), -1);
	assert_non_null(strstr(place->file.error, strerror(ENOENT)));
}

/* An old stamp that stays would tell of an end too early. */
static void when_a_stamp_cannot_be_written_the_old_one_is_not_left(void **state)
{
	struct place *place = *state;
	struct rlimit all, none;
	struct state now = running();

	assert_int_equal(state_file_write(&place->file, &now, NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	none = all;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(state_file_stamp(&place->file, &now), -1);
	assert_int_equal(state_file_stamp(&place->file, &now), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_unreadable(place);
	assert_int_equal(state_file_stamp(&place->file, &now), 0);
	assert_int_equal(read_back(place, &now), QUIET_FILE_VALID);
}

static void this_boot_has_an_id(void **state)
{
	struct place *place = *state;
	uint8_t id[STATE_BOOT_BYTES], again[STATE_BOOT_BYTES];
	static const uint8_t want[STATE_BOOT_BYTES] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc,
	                                               0xde, 0xf0, 0x12, 0x34, 0x56, 0x78,
	                                               0x9a, 0xbc, 0xde, 0xf0};

	assert_true(state_boot_id(NULL, id));
	assert_true(state_boot_id(NULL, again));
	assert_memory_equal(id, again, sizeof(id));
	put(place, "12345678-9abc-def0-1234-56789abcdef0\n", 37);
	assert_true(state_boot_id(place->path, id));
	assert_memory_equal(id, want, sizeof(id));
	put(place, "12345678-9abc", 13);
	assert_false(state_boot_id(place->path, id));
	assert_int_equal(id[0], 0);
	assert_false(state_boot_id("/no/such/file", id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_place(where_calmd_never_ran_there_is_none),
		with_place(what_is_written_is_read_back),
		with_place(a_stamp_is_one_small_write),
		with_place(the_directory_is_made_for_root_alone),
		with_place(a_file_that_somebody_has_removed_comes_again),
		with_place(a_truncated_file_is_unreadable),
		with_place(one_changed_bit_makes_it_unreadable),
		with_place(half_a_write_never_tells_of_an_orderly_end),
		with_place(a_hostile_file_is_unreadable),
		with_place(random_bytes_are_unreadable),
		with_place(what_is_no_file_of_ours_is_unreadable),
		with_place(a_huge_file_is_not_read),
		with_place(a_link_is_replaced_not_followed),
		with_place(a_directory_that_is_none_or_open_to_others_is_refused),
		with_place(when_a_stamp_cannot_be_written_the_old_one_is_not_left),
		with_place(this_boot_has_an_id),
	};

	return cmocka_run_group_tests_name("state_file", tests, NULL, NULL);
}
