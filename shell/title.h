/* The process's title, as ps(1) shows it. Links libc only. */
#ifndef SHELL_TITLE_H
#define SHELL_TITLE_H

/*
 * Remembers where the arguments and the environment lie, which title_set()
 * writes over: call it first in main, and use neither afterwards.
 */
void title_init(int argc, char **argv);

/*
 * Sets the short name, of 15 bytes at most, that the kernel has for the process. Not in the
 * sandbox, where prctl(2) is not allowed.
 */
void title_name(const char *name);

/* Sets the title; what does not fit the space of the old one is cut. Before title_init: nothing. */
void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
