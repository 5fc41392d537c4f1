/*
 * The simulator: two engines over a bad network on virtual time. After each call of an
 * engine its invariants are checked; every byte, and what is said on the wire and on
 * the pages of the rings, is checked as it comes.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "tests/sim/link.h"
#include "tests/sim/party.h"

/* All that a run depends on. */
struct sim_setup {
	uint64_t seed; /* of what is drawn on the way */
	bool v6;
	uint32_t mtu;
	uint64_t start_us;
	struct link_config link;
	struct stack_config config[2];
	unsigned sessions;
	struct session_plan plan[PARTY_SESSIONS];
	uint32_t deaths;    /* an engine dies at one crash point in so many; 0: never */
	uint64_t death_at;  /* or at this one; 0: never */
	uint32_t darkness;  /* the network goes away for a while at one event in so many */
	uint32_t strangers; /* somebody off the path sends something at one event in so many */
	uint32_t verify;    /* one event in so many has its undo record verified */
	bool unreliable;    /* the network may be too bad for a connection */
	bool resets;        /* a connection may be reset for a good reason */
};

struct sim_result {
	unsigned connected; /* sessions */
	unsigned aborted;
	uint64_t virtual_us; /* to the end of everything, TIME-WAIT too */
	uint64_t done_us;    /* until the last session was over */
	uint64_t events;
	uint64_t bytes;
	uint64_t deaths;
	uint64_t points; /* crash points passed */
	uint64_t attacks;
	uint64_t ghosts;   /* connections that a SYN cookie brought twice */
	uint64_t resets;   /* RSTs between the two while there was something to reset */
	uint64_t bad_acks; /* ACKs of what was never sent */
};

/* A setup drawn from SEED. */
void sim_setup_random(struct sim_setup *setup, uint64_t seed);

/* Runs it to its end; fails the cmocka test that it runs in when something is wrong. */
struct sim_result sim_run(const struct sim_setup *setup);

#endif
