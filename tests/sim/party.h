/*
 * One of the two ends of the simulator: an engine on its table, a worker on its
 * ring, and the byte streams that they must carry unchanged.
 */
#ifndef TESTS_SIM_PARTY_H
#define TESTS_SIM_PARTY_H

#include "tests/sim/link.h"
#include "tests/tcp/worker.h"

struct party {
	unsigned number;
	struct random *random;
	struct stack_config config;
	struct stack_hooks hooks;
	struct stack *stack;
	void *memory;
	size_t bytes;
	struct endpoint local;
	bool listens;

	struct conn_handle handle;
	struct worker worker;
	bool attached; /* has been given its ring */
	bool let_go;   /* ... and is without it again */
	bool gone;     /* the worker's process has ended */
	uint64_t attach_us;
	uint64_t wake_us;

	uint64_t key;        /* of the stream that we send */
	uint64_t peer_key;   /* of the stream that we receive */
	uint64_t send_total; /* bytes to send */
	uint64_t peer_total; /* bytes to receive, when we wait for them */
	uint64_t last_mark;  /* the urgent mark that we set last; 0: none */
	uint64_t abort_at;   /* bytes sent; UINT64_MAX: never */
	bool closes_early;   /* closes without waiting for the peer's bytes */
	bool leaves_early;   /* the worker's process ends as soon as it has closed */
	bool fin;
	bool aborted;
	uint64_t *now_us;
};

void party_open(struct party *party, struct random *random, unsigned number,
                const struct stack_config *config, uint64_t *now_us);
void party_close(struct party *party);

/* Gives a waiting connection its worker, when the time has come. */
void party_accept(struct party *party);

/* The worker does a bit of its work. */
void party_work(struct party *party);

/*
 * The engine is gone, at once and without a word; another one takes up table and
 * ring. PAGE, when not NULL, is put in the place of the master page: what was
 * published last has not been.
 */
void party_take_over(struct party *party, const void *page);

/* The connection exists no more. */
bool party_finished(const struct party *party);

#endif
