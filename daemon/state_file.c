/*
 * Reading and writing the state file: see state_file.h.
 *
 * A whole file is written beside the old one and renamed over it. A stamp is written in
 * place: only time and hash change, so half of it is unreadable and nothing worse. When
 * a stamp fails, as on a full disk, the old one would tell of an end too early, so the
 * file is emptied.
 */
#include "daemon/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME     "state"
#define NEW_NAME "state.new"
#define BOOT_ID  "/proc/sys/kernel/random/boot_id"

void state_file_init(struct state_file *file, const char *directory)
{
	*file = (struct state_file){.directory = directory, .fd = -1};
}

static int fail(struct state_file *file, const char *name, const char *why)
{
	snprintf(file->error, sizeof(file->error), "%s%s%s: %s", file->directory,
	         name[0] != '\0' ? "/" : "", name, why);
	return -1;
}

static int fail_errno(struct state_file *file, const char *name)
{
	return fail(file, name, strerror(errno));
}

/* Nobody but us and root could have written to it. */
static bool is_ours(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) &&
	       (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The directory; -1, with errno ENOENT when it is not there. */
static int open_directory(struct state_file *file)
{
	int fd = open(file->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		int cause = errno;
		fail_errno(file, "");
		errno = cause;
		return -1;
	}
	if (fstat(fd, &st) == 0 && is_ours(&st))
		return fd;
	close(fd);
	fail(file, "", "others may write to it");
	errno = EPERM;
	return -1;
}

/* ---- reading ---- */

/* All of FD, which is to be freed; NULL with file->error. */
static uint8_t *read_whole(struct state_file *file, int fd, size_t *length)
{
	struct stat st;
	uint8_t *bytes;
	ssize_t got;

	if (fstat(fd, &st) < 0) {
		fail_errno(file, NAME);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || !is_ours(&st)) {
		fail(file, NAME, "is no file that only root may write to");
		return NULL;
	}
	if (st.st_size < (off_t)STATE_HEAD_BYTES || st.st_size > (off_t)STATE_BYTES_MAX) {
		fail(file, NAME, "is too short, or too long");
		return NULL;
	}
	*length = (size_t)st.st_size;
	bytes = malloc(*length);
	got = bytes != NULL ? pread(fd, bytes, *length, 0) : -1;
	if (got == st.st_size)
		return bytes;
	if (got < 0)
		fail_errno(file, NAME);
	else
		fail(file, NAME, "changes while it is read");
	free(bytes);
	return NULL;
}

static bool take_pairs(struct state_file *file, const struct state *state, const uint8_t *from,
                       struct quiet_pair **pairs)
{
	if (state->pairs == 0)
		return true;
	*pairs = calloc(state->pairs, sizeof(**pairs));
	if (*pairs == NULL) {
		fail_errno(file, NAME);
		return false;
	}
	for (uint32_t i = 0; i < state->pairs; i++)
		(*pairs)[i] = state_pair(from, i);
	return true;
}

enum quiet_file state_file_read(struct state_file *file, struct state *state,
                                struct quiet_pair **pairs)
{
	enum quiet_file found = QUIET_FILE_UNREADABLE;
	int directory = open_directory(file), fd;
	const uint8_t *from;
	uint8_t *bytes;
	size_t length;

	*pairs = NULL;
	if (directory < 0)
		return errno == ENOENT ? QUIET_FILE_ABSENT : QUIET_FILE_UNREADABLE;
	fd = openat(directory, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		found = QUIET_FILE_ABSENT;
	else if (fd < 0)
		fail_errno(file, NAME);
	close(directory);
	if (fd < 0)
		return found;
	bytes = read_whole(file, fd, &length);
	close(fd);
	if (bytes != NULL && !state_parse(bytes, length, state, &from))
		fail(file, NAME, "is damaged, or not calmd's");
	else if (bytes != NULL && take_pairs(file, state, from, pairs))
		found = QUIET_FILE_VALID;
	free(bytes);
	return found;
}

/* ---- writing ---- */

static bool write_all(int fd, const void *bytes, size_t length, off_t at)
{
	while (length > 0) {
		ssize_t written = pwrite(fd, bytes, length, at);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		bytes = (const uint8_t *)bytes + written;
		length -= (size_t)written;
		at += written;
	}
	return true;
}

/* Writes the file beside the old one and renames it; its descriptor, or -1 with errno. */
static int replace(int directory, const struct state *state, const struct quiet_pair *pairs)
{
	uint8_t head[STATE_HEAD_BYTES];
	int fd, cause;

	state_format(state, pairs, head);
	if (unlinkat(directory, NEW_NAME, 0) < 0 && errno != ENOENT)
		return -1;
	fd = openat(directory, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	            0600);
	if (fd < 0)
		return -1;
	if (write_all(fd, head, sizeof(head), 0) &&
	    write_all(fd, pairs, state->pairs * sizeof(*pairs), sizeof(head)) && fsync(fd) == 0 &&
	    renameat(directory, NEW_NAME, directory, NAME) == 0 && fsync(directory) == 0)
		return fd;
	cause = errno;
	unlinkat(directory, NEW_NAME, 0);
	close(fd);
	errno = cause;
	return -1;
}

int state_file_write(struct state_file *file, const struct state *state,
                     const struct quiet_pair *pairs)
{
	int directory;

	state_file_close(file);
	if (mkdir(file->directory, 0700) < 0 && errno != EEXIST)
		return fail_errno(file, "");
	directory = open_directory(file);
	if (directory < 0)
		return -1;
	file->fd = replace(directory, state, pairs);
	if (file->fd < 0)
		fail_errno(file, NAME);
	close(directory);
	return file->fd < 0 ? -1 : 0;
}

int state_file_stamp(struct state_file *file, const struct state *state)
{
	uint8_t head[STATE_HEAD_BYTES];
	struct stat st;

	if (file->fd < 0 || fstat(file->fd, &st) < 0 || st.st_nlink == 0)
		return state_file_write(file, state, NULL);
	state_format(state, NULL, head);
	if (write_all(file->fd, head, sizeof(head), 0))
		return 0;
	fail_errno(file, NAME);
	if (ftruncate(file->fd, 0) < 0)
		fail_errno(file, NAME); /* nothing is left to try: the next start is told by that */
	state_file_close(file);
	return -1;
}

void state_file_close(struct state_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* ---- the boot ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool state_boot_id(const char *path, uint8_t id[STATE_BOOT_BYTES])
{
	int fd = open(path != NULL ? path : BOOT_ID, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t length = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	size_t digits = 0;

	memset(id, 0, STATE_BOOT_BYTES);
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < length && digits < 2 * STATE_BOOT_BYTES; i++) {
		int digit = hex_digit(text[i]);

		if (digit >= 0) {
			id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
			digits++;
		}
	}
	if (digits == 2 * STATE_BOOT_BYTES)
		return true;
	memset(id, 0, STATE_BOOT_BYTES);
	return false;
}
