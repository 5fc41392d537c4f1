/*
 * The state file: what calmd leaves for its next start, in the folder `state-dir`.
 *
 * The supervisor writes it whole when it starts and ends, and a stamp into it once a
 * second. Whatever moment it is killed in, the file is then the older one, the newer one,
 * or unreadable; never does it tell of an orderly end that was none.
 */
#ifndef DAEMON_STATE_FILE_H
#define DAEMON_STATE_FILE_H

#include "daemon/state_format.h"
#include "stack/quiet.h"

#define STATE_FILE_ERROR_MAX 320

struct state_file {
	const char *directory;            /* stays the caller's */
	int fd;                           /* to write stamps into; -1: none */
	char error[STATE_FILE_ERROR_MAX]; /* why something failed: a line for the log */
};

/* Touches nothing yet. */
void state_file_init(struct state_file *file, const char *directory);

/*
 * What the run before has left, without following links, and only when nobody but root can
 * have written it. For a valid one *PAIRS are state->pairs pairs, to be freed; else NULL.
 * When it is unreadable, file->error says why.
 */
enum quiet_file state_file_read(struct state_file *file, struct state *state,
                                struct quiet_pair **pairs);

/*
 * Puts a whole new file in place of the old one, on the disk before it returns; makes the
 * directory, for root alone, where there is none. 0, or -1 with file->error.
 */
int state_file_write(struct state_file *file, const struct state *state,
                     const struct quiet_pair *pairs);

/*
 * Puts STATE, which has no pairs, in place of what was written last: one small write. Does
 * state_file_write() instead when there is nothing to write into, because that failed or
 * somebody has removed it. 0, or -1 with file->error: the file then is unreadable, if
 * that could be had.
 */
int state_file_stamp(struct state_file *file, const struct state *state);

void state_file_close(struct state_file *file);

/* This boot's id from PATH (NULL: the kernel's). All zero, and false, when it cannot be read. */
bool state_boot_id(const char *path, uint8_t id[STATE_BOOT_BYTES]);

#endif
