/*
 * For tests of the real calmd-worker and calmd-opener: starts both and plays the
 * supervisor and the master for them, through channels and a ring. Needs root.
 */
#ifndef TESTS_UNIT_SHELL_SESSION_H
#define TESTS_UNIT_SHELL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stack/ring.h"

#define SHELL_DEADLINE_MS 20000
#define SHELL_CONN_ID     7u

struct shell_session {
	pid_t worker, opener;
	int worker_channel; /* the supervisor's ends */
	int opener_channel;
	int master_channel;    /* the master's end */
	int bell_in, bell_out; /* the worker rings, the worker waits for */
	struct ring ring;
	uint64_t rx_head, tx_tail;
	uint32_t idle_timeout_ms; /* of the connection that is opened next; 0: none */
	uint32_t probe_ms;
	bool reading; /* false: nothing is acknowledged, as by a client that does not read */
	char *output; /* all that the worker has sent, with a NUL behind it */
	size_t length, room;
	char log[4096]; /* what worker and opener have logged */
	unsigned doorbells;
};

/* Starts worker and opener with LOGIN (NULL-terminated), up to READY of both. */
void shell_start(struct shell_session *s, const char *const login[], uint32_t ring_size);

/* The master hands the connection over. */
void shell_open(struct shell_session *s);

/* The client sends; waits while the ring is full. */
void shell_send(struct shell_session *s, const void *bytes, size_t length);
void shell_type(struct shell_session *s, const char *text);

/* The client's next byte is at this offset. */
uint64_t shell_offset(const struct shell_session *s);

/* The client's urgent mark: OFFSET is just behind the urgent octet. */
void shell_urgent(struct shell_session *s, uint64_t offset);

void shell_fin(struct shell_session *s);

/* Rings the worker if it sleeps. */
void shell_ring(struct shell_session *s);

/* Moves things along once, waiting at most TIMEOUT milliseconds for something to happen. */
void shell_step(struct shell_session *s, int timeout);

/* True when TEXT is in the output; waits for it until the deadline. */
bool shell_wait_output(struct shell_session *s, const char *text);
/* The same, behind OFFSET bytes of output. */
bool shell_wait_output_from(struct shell_session *s, size_t offset, const char *text);

/* True when the worker has written all its output and FIN, and has exited with status 0. */
bool shell_wait_end(struct shell_session *s);

/* True when CONDITION(ARGUMENT) holds before the deadline. */
bool shell_wait(struct shell_session *s, bool (*condition)(struct shell_session *, void *),
                void *argument);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t shell_now(void);

/* Ends what still runs and gives everything back. */
void shell_stop(struct shell_session *s);

/* True when PID is gone. */
bool shell_process_gone(pid_t pid);

#endif
