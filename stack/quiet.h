/*
 * Quiet time (RFC 9293, 3.4.3): what must be waited for after a start, decided from
 * what is known of the run before. Pure: no engine, no file, no clock.
 *
 * Theory of operation
 *
 * A TCP that has lost its memory may give a connection sequence numbers that old
 * segments of the former run still have, somewhere in the network. It has to keep
 * quiet until none of these can be left. How long that is depends on what is known:
 *
 *   the table survived        nothing is lost: what the table says goes on
 *   an orderly end            every connection was ended, and the pairs in TIME-WAIT
 *                             were saved: only they stay barred, for the time they had left
 *   no orderly end            2 MSL from the last stamp, a sign of life given each second
 *   another boot              2 MSL of uptime: nothing was sent since the boot before
 *   nothing can be believed   2 MSL from now
 *   never ran here            nothing was ever sent
 *
 * RFC 9293 asks for one MSL after the last segment. Two leave room for a stamp that was
 * late, by an MSL at most.
 *
 * All times here are microseconds of one clock that begins with the boot and counts
 * while the machine sleeps (CLOCK_BOOTTIME), unless something else is said.
 */
#ifndef STACK_QUIET_H
#define STACK_QUIET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

/* Configuration key `quiet-time`: by the rules, never, or this long. */
enum quiet_override {
	QUIET_AUTO,
	QUIET_OFF,
	QUIET_FIXED,
};

/* No quiet time is longer, neither a fixed one (an hour) nor 2 MSL (20 minutes). */
#define QUIET_MAX_US UINT64_C(3600000000)

/*
 * Which rule applied: QUIET_REASONS(X) lists X(NAME, "name in JSON, as it stays",
 * "what it says to people"). Kept in the connection table: new ones go to the end.
 */
#define QUIET_REASONS(X)                                                                           \
	X(FIRST_START, "first_start", "calmd never ran here")                                      \
	X(CLEAN_END, "clean_end", "calmd had ended in order")                                      \
	X(PAIRS_BARRED, "pairs_barred",                                                            \
	  "calmd had ended in order; pairs in TIME-WAIT stay barred for the rest of their time")   \
	X(TABLE_KEPT, "table_kept", "the connections were kept")                                   \
	X(CRASH, "crash", "calmd had ended without order: 2 MSL from its last sign of life")       \
	X(INTERRUPTED, "interrupted", "calmd had ended in its quiet time, which goes on")          \
	X(OTHER_BOOT, "other_boot", "calmd had run before this boot: 2 MSL of uptime")             \
	X(STATE_UNREADABLE, "state_unreadable",                                                    \
	  "the state file cannot be believed: 2 MSL from the start")                               \
	X(STATE_NOT_WRITABLE, "state_not_writable",                                                \
	  "the state directory cannot be written to: 2 MSL from the start")                        \
	X(OFF, "off", "switched off by quiet-time")                                                \
	X(FIXED, "fixed", "as long as quiet-time says")

enum quiet_reason {
#define QUIET_REASON_ENUM(NAME, name, text) QUIET_REASON_##NAME,
	QUIET_REASONS(QUIET_REASON_ENUM)
#undef QUIET_REASON_ENUM
	QUIET_REASON_COUNT
};

/* Of a reason: its name, and a sentence without a full stop. Others than these: "unknown". */
const char *quiet_reason_name(uint32_t reason);
const char *quiet_reason_text(uint32_t reason);
/* The sentence for a name; NULL for one that is not known. */
const char *quiet_reason_explain(const char *name);

/*
 * A pair of sockets in TIME-WAIT as it outlives the engine: all that the entry needs to
 * go on as before. Same layout in the state file, so fixed sizes only.
 */
struct quiet_pair {
	struct flow flow;
	uint32_t ifindex;
	uint32_t mtu;
	uint32_t snd_nxt;
	uint32_t rcv_nxt;
	uint32_t rcv_wnd;
	uint32_t ts_recent; /* RFC 7323 */
	uint32_t ts_offset;
	uint8_t rcv_wscale;
	uint8_t timestamps; /* 1: the connection had them; else 0 */
	uint8_t passive;    /* 1: it had come from LISTEN; else 0 */
	uint8_t reserved;   /* 0 */
	uint64_t until_us;  /* when TIME-WAIT is over, by the clock of who passes it on */
};

/* True when it can have been in TIME-WAIT: every value within its bounds. */
bool quiet_pair_holds(const struct quiet_pair *pair);

/* What became of the file that the run before has left. */
enum quiet_file {
	QUIET_FILE_ABSENT,
	QUIET_FILE_VALID,
	QUIET_FILE_UNREADABLE, /* truncated, foreign, hostile, of another version, ... */
};

struct quiet_facts {
	enum quiet_override override;
	uint64_t override_us; /* QUIET_FIXED */
	uint64_t msl_us;
	uint64_t now_us;

	/* The table outlived whoever worked with it, and says this of quiet time (0: none). */
	bool table_survived;
	uint64_t table_until_us;

	bool writable; /* stamps can be left for the next start */
	enum quiet_file file;
	/* of a valid file: */
	bool same_boot;
	bool clean;              /* an orderly end: no connection was left */
	uint64_t stamp_us;       /* the last sign of life */
	uint64_t quiet_until_us; /* of that run's own quiet time; 0: it had none */
};

struct quiet_decision {
	uint64_t until_us; /* 0: nothing to wait for, or not any more */
	enum quiet_reason reason;
};

/*
 * What holds from now on. PAIRS are the *COUNT saved ones with their times; those that
 * stay barred are moved to the front, with none longer than 2 MSL from now, and counted.
 */
struct quiet_decision quiet_decide(const struct quiet_facts *facts, struct quiet_pair *pairs,
                                   size_t *count);

#endif
