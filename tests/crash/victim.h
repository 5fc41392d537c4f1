/*
 * The master of a daemon, and what it and its supervisor hold: found in /proc.
 */
#ifndef CRASH_VICTIM_H
#define CRASH_VICTIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct victim {
	pid_t supervisor;
	pid_t master; /* 0: none is known */
	int pidfd;    /* of the master; readable when it is dead */
};

/* Looks for the supervisor's master; true when there is one that lives. */
bool victim_find(struct victim *victim);

/* True when the master that was found is dead, waiting WAIT_MS for it at most; forgets it then. */
bool victim_dead(struct victim *victim, int wait_ms);

void victim_kill(const struct victim *victim);

/* What a process holds. */
struct holdings {
	unsigned descriptors;
	unsigned maps;
	/* memory; not that of files, whose share changes with whatever else runs here */
	unsigned long own_kb;
	unsigned long
		shared_kb; /* its share of memory that processes of the daemon have in common */
};
struct holdings holdings_of(pid_t pid);

#endif
