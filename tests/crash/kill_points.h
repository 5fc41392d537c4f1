/*
 * A master that kills itself at a chosen instant.
 *
 * Theory of operation. daemon/calmd-killed is calmd, linked with `--wrap` for the functions at
 * whose beginnings and ends the instants lie, and with the files that store into the pages of
 * rings compiled so that each store is one (page_stores.h). calmd itself knows nothing of it and has not
 * one instruction of it.
 *
 * The instants are *points*, known by number and name. Which one kills, and at the how manieth passing,
 * stands in a file that the test and every master have mapped: its path is the value of
 * CALMD_KILL_POINTS in the supervisor's environment.
 */
#ifndef CRASH_KILL_POINTS_H
#define CRASH_KILL_POINTS_H

#include <stdint.h>

/* X(name, what it is) */
#define KILL_POINTS(X)                                                                             \
	X(event_begins, "before an event")                                                         \
	X(busy, "busy is set, nothing is touched")                                                 \
	X(touching, "before an undo record is written")                                            \
	X(touched, "an undo record has been written")                                              \
	X(worked, "amid the changes")                                                              \
	X(sealed, "an entry has been sealed, busy is set")                                         \
	X(done, "all is changed, busy is set")                                                     \
	X(committed, "busy is cleared, nothing has been said")                                     \
	X(page_storing, "before a store to the page of a ring")                                    \
	X(page_stored, "after it")                                                                 \
	X(ringing, "before a doorbell is rung")                                                    \
	X(rung, "after it")                                                                        \
	X(packet_sending, "before a packet is sent")                                               \
	X(packet_sent, "after it")                                                                 \
	X(packets_received, "packets have been read, none is handled")                             \
	X(attaching, "before a connection is given its worker")                                    \
	X(attached, "after it")                                                                    \
	X(taken_up, "the table has been taken up")                                                 \
	X(mapped, "a ring has been mapped")

enum kill_point {
#define KILL_POINT(name, what) KILL_##name,
	KILL_POINTS(KILL_POINT)
#undef KILL_POINT
	KILL_SENT, /* and the type of the message */
	KILL_RECEIVED = KILL_SENT + 64,
	KILL_POINTS_ALL = KILL_RECEIVED + 64
};

struct kill_plan {
	_Atomic uint32_t point;  /* which one kills */
	_Atomic uint32_t passes; /* at the how manieth passing; 0: none does */
	_Atomic uint32_t killed; /* how many have been */
	_Atomic uint64_t passed[KILL_POINTS_ALL];
};

void kill_point(unsigned point);

#endif
