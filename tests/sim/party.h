/*
 * One of the two ends of the simulator: an engine on its table, and a session for each
 * connection: a worker on its ring, and the byte streams that it must carry unchanged.
 *
 * Every call of the engine goes through crash_call(); when the engine dies in it,
 * another one takes up table and rings before the function returns.
 */
#ifndef TESTS_SIM_PARTY_H
#define TESTS_SIM_PARTY_H

#include "tests/sim/crash.h"
#include "tests/sim/tap.h"
#include "tests/tcp/worker.h"
#include "tests/unit/random.h"

#include "stack/engine.h"

#define PARTY_SESSIONS   4u
#define PARTY_PORT       23
#define PARTY_FIRST_PORT 40000 /* session n is between this + n and PARTY_PORT */
#define PARTY_VIEW       6u

/* What a session is to do. */
struct session_plan {
	uint64_t call_us;         /* when it is called, from the beginning */
	uint64_t send_total[2];   /* bytes that each end sends */
	uint64_t abort_at[2];     /* bytes written; UINT64_MAX: never */
	uint32_t tx_size[2];      /* of the send buffers */
	uint32_t writes;          /* the most that is written at once */
	bool closes_early[2];     /* does not wait for the other end's bytes */
	bool leaves_early[2];     /* the worker's process ends as soon as it has closed */
	bool both_call;           /* both open at once */
	bool first_worker_leaves; /* at the listener: before it takes the connection up */
	bool answers;             /* the caller's end writes only once it has received all */
};

struct session {
	unsigned number;
	uint64_t id; /* of the connection; 0: none yet */
	struct conn_handle handle;
	struct worker worker;
	bool called;
	bool attached;  /* has been given its ring */
	bool let_go;    /* ... and is without it again */
	bool gone;      /* the worker's process has ended */
	bool counted;   /* the engine counts the worker as busy */
	bool mad;       /* the worker has written nonsense: nothing is promised to it any more */
	bool until_fin; /* closes when the peer has */
	bool fin;
	bool aborted;
	bool slow;  /* takes nothing for a while now and then */
	bool quits; /* this worker will leave without having taken it up */
	uint64_t wake_us;

	uint64_t key;        /* of the stream that it sends */
	uint64_t peer_key;   /* of the stream that it receives */
	uint64_t send_total; /* bytes to send */
	uint64_t peer_total; /* bytes to receive, when it waits for them */
	uint64_t abort_at;
	uint64_t last_mark; /* the urgent mark set last; 0: none */
	uint32_t tx_size;
	uint32_t writes;
	bool closes_early;
	bool leaves_early;
	bool answers;
	uint64_t seen[PARTY_VIEW]; /* on the master page */
	uint8_t *shadow;           /* of the bytes received, as first published; NULL: not kept */
	uint64_t shadow_head;
};

struct party {
	unsigned number;
	struct random *random;
	struct stack_config config;
	struct stack_hooks hooks;
	struct stack *stack;
	void *memory;
	size_t bytes;
	struct endpoint local;
	struct ip_address peer;
	bool listens;
	bool foreign; /* connections may be anybody's, and their bytes anything */
	uint64_t attach_us;
	uint64_t *now_us;
	uint64_t deaths;
	uint64_t ghosts; /* connections that came a second time */
	struct session session[PARTY_SESSIONS];
	unsigned sessions;
	/* Takes each packet that the engine sends. */
	void (*send)(void *arg, unsigned number, const struct packet_out *packet);
	void *send_arg;
};

void party_open(struct party *party, struct random *random, unsigned number,
                const struct stack_config *config, uint64_t *now_us);
/* Adds a session by its plan; its keys are drawn in the same order at both ends. */
void party_session(struct party *party, const struct session_plan *plan, uint64_t key,
                   uint64_t peer_key);
void party_close(struct party *party);

/* The session is over and its worker ends: it is as if it had never been, for another one. */
void party_recycle(struct party *party, struct session *session);

/* ---- what happens to it: each sends what comes of it, and checks what must hold ---- */

void party_listen(struct party *party);
void party_call(struct party *party, struct session *session, uint32_t mtu);
void party_input(struct party *party, const struct packet_in *packet);
void party_icmp(struct party *party, const struct icmp_error *error);
/* Timers, workers and the accept queue: whatever is due now. */
void party_run(struct party *party);
/* The engine is gone, at once and without a word; another one takes up table and rings. */
void party_die(struct party *party);

/* When it must be run; UINT64_MAX: not at all. */
uint64_t party_next(const struct party *party);

/* The session whose connection has these ports; NULL: none. */
struct session *party_session_of(struct party *party, uint16_t port, uint16_t other);

#endif
