/*
 * One direction of the wire: packets go in with the time, come out when they are
 * due, and are lost, delayed, held back, doubled or damaged on the way.
 *
 * No clock and no descriptor in here: time is passed in, in nanoseconds. Every
 * packet draws the same number of random numbers whatever is switched on, so
 * what happens to the n-th packet depends on the seed, the direction and n alone
 * (a full queue excepted, which depends on time).
 */
#ifndef WIRE_PATH_H
#define WIRE_PATH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "tests/wire/prng.h"

#define PATH_NEVER    UINT64_MAX
#define PATH_HELD_MAX 64
/* The most that one direction keeps, packets and their bookkeeping; what exceeds it is dropped. */
#define PATH_MEMORY_MAX ((size_t)64 << 20)

struct path_settings {
	uint64_t delay_ns;        /* one way, for every packet */
	uint64_t jitter_ns;       /* up to this much more, evenly spread; never changes the order */
	uint64_t largest;         /* larger packets are lost without a word; 0: none is */
	double loss;              /* fractions from 0 to 1, here and below */
	double reorder;           /* how many are held back for later ones to overtake */
	double duplicate;         /* how many are delivered twice */
	double corrupt;           /* how many get one bit of their IP payload flipped */
	unsigned reorder_gap;     /* a held packet goes on after this many have overtaken it, */
	uint64_t reorder_hold_ns; /* or after this time */
	double rate_bits;         /* bits a second; 0: no limit */
	uint64_t queue_bytes;     /* the most that waits for the rate limiter */
};

struct path_counters {
	uint64_t in, bytes_in;   /* read from the sending side */
	uint64_t out, bytes_out; /* given to the receiving side, copies included */
	uint64_t lost;
	uint64_t oversized; /* larger than `largest` */
	uint64_t held;      /* picked to be held back */
	uint64_t reordered; /* of those, really overtaken */
	uint64_t duplicated;
	uint64_t corrupted;
	uint64_t queue_dropped;  /* did not fit into the queue of the rate limiter */
	uint64_t memory_dropped; /* did not fit under PATH_MEMORY_MAX, or memory was short */
	uint64_t write_failed;   /* refused by the receiving side; counted by the caller */
};

struct packet {
	STAILQ_ENTRY(packet) next;
	uint64_t due_ns;
	size_t length;
	unsigned gap;  /* how many have yet to overtake it; only while held */
	int hold_back; /* picked for holding back */
	int overtaken;
	uint8_t bytes[];
};

struct path {
	struct path_settings settings;
	struct path_counters counters;
	struct prng prng;
	STAILQ_HEAD(, packet) queue;        /* in the order of due_ns */
	struct packet *held[PATH_HELD_MAX]; /* oldest first */
	size_t held_count;
	size_t memory_used;
	uint64_t last_due_ns;  /* of the last packet queued: keeps the order under jitter */
	uint64_t line_free_ns; /* when the rate limiter has sent all it has */
};

/* An empty path; DIRECTION (0 or 1) picks its random stream under SEED. */
void path_init(struct path *path, const struct path_settings *settings, uint64_t seed,
               unsigned direction);

/* Frees every packet inside. */
void path_clear(struct path *path);

/* Takes a copy of the IP packet of LENGTH bytes, which arrives at NOW_NS, and decides its fate. */
void path_submit(struct path *path, uint64_t now_ns, const uint8_t *bytes, size_t length);

/*
 * Takes out the next packet that is due at NOW_NS, which the caller gives back
 * with path_release; NULL when none is.
 */
struct packet *path_take(struct path *path, uint64_t now_ns);
void path_release(struct path *path, struct packet *packet);

/* When path_take will next have a packet; PATH_NEVER when the path is empty. */
uint64_t path_next(const struct path *path);

/* How many packets are inside. */
size_t path_in_flight(const struct path *path);

#endif
