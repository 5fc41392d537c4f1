/*
 * The registry: everything that a supervisor must know to go on where another one
 * stopped, with the numbers of the descriptors and processes that it keeps. It is
 * written into a memfd right before the supervisor becomes another program
 * (supervisor_upgrade.c), and read by that program (supervisor_adopt.c).
 *
 * The image begins with a magic number and REGISTRY_VERSION; a reader takes the
 * version that it knows and refuses every other. Everything is host-order structs
 * of fixed-size types. A reader believes nothing: lengths, counts, numbers and
 * texts are checked here; that the descriptors are open and the processes are our
 * children, when they are adopted.
 */
#ifndef DAEMON_REGISTRY_H
#define DAEMON_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/message.h"
#include "daemon/raw_socket.h"
#include "daemon/version.h"

#define REGISTRY_VERSION 2u

#define REGISTRY_DESCRIPTORS_MAX 64u
#define REGISTRY_INDEX_MAX       MESSAGE_LISTEN_MAX
#define REGISTRY_CALLS_MAX       64u
#define REGISTRY_WORKERS_MAX     (1u << 18)
#define REGISTRY_TEXT_MAX        65536u /* of a text, with NUL */
#define REGISTRY_ERROR_MAX       192

/* A descriptor that is not a worker's. Its index tells several of a kind apart. */
enum registry_kind {
	REGISTRY_CHROOT,
	REGISTRY_TABLE,
	REGISTRY_ROUTE,
	REGISTRY_CONTROL,
	REGISTRY_ICMP,         /* 0: ICMPv4, 1: ICMPv6 */
	REGISTRY_GUARD,        /* as `listen` of the configuration */
	REGISTRY_LANE_V4,      /* enum lane */
	REGISTRY_LANE_V6,      /* the same */
	REGISTRY_LOBBY,        /* 0: where records go in, 1: where they come out (lobby.h) */
	REGISTRY_CLOSED_GUARD, /* of a listener that is not in the configuration any more */
	REGISTRY_KINDS
};

struct registry_descriptor {
	uint32_t kind; /* enum registry_kind */
	uint32_t index;
	int32_t fd;
	uint32_t reserved;
};

/* What a call has been given (supervisor_calls.c). */
struct registry_call {
	struct message_call_port port;
	int32_t guard;
	int32_t lanes[LANES]; /* both -1: the listeners' hear it */
	uint32_t reserved;
};

/* A process and our end of its channel. */
struct registry_child {
	int32_t pid;     /* 0: it has ended */
	int32_t channel; /* -1: closed */
	uint32_t phase;  /* enum phase */
	int32_t pidfd;   /* of one that is no child of ours; -1: it is */
};

#define REGISTRY_WORKER_TAKEN      1u
#define REGISTRY_WORKER_TERMINATED 2u
#define REGISTRY_WORKER_RELEASED   4u
#define REGISTRY_WORKER_FLAGS      7u

struct registry_worker {
	uint64_t number;
	struct registry_child child;
	int32_t master_end;
	int32_t ring;
	int32_t bell_to_master;
	int32_t bell_to_worker;
	uint32_t rx_size;
	uint32_t tx_size;
	uint32_t flags;
	int32_t status; /* its process's end, as waitpid() gave it */
};

/* What there is one of. */
struct registry_facts {
	uint64_t table_bytes;
	uint32_t table_conns, table_half_opens, table_time_waits; /* struct table_shape */
	uint32_t draining;   /* 1: no new connections are taken */
	uint64_t started_us; /* when the daemon began, CLOCK_MONOTONIC */
	uint64_t last_worker;
	uint64_t files_soft, files_hard; /* RLIMIT_NOFILE as it was found at the very start */
	uint64_t control_device, control_inode;
	struct registry_child master;
	struct registry_child opener;
	uint32_t upgrades;  /* so many there have been, this one too */
	uint32_t takeovers; /* masters that others have followed */
};

struct registry {
	struct version_formats formats; /* of the program that wrote it */
	struct registry_facts facts;
	struct registry_descriptor *descriptors;
	struct registry_call *calls;
	struct registry_worker *workers;
	uint32_t descriptor_count;
	uint32_t call_count;
	uint32_t worker_count;
	char *program;       /* where calmd's executable is found */
	char *configuration; /* in effect, as config_print() writes it */
};

/*
 * The image of REGISTRY, to be freed, with its length in *BYTES. NULL with errno:
 * EOVERFLOW when something is above its bound, or ENOMEM.
 */
uint8_t *registry_encode(const struct registry *registry, size_t *bytes);

/*
 * Reads an image into *REGISTRY, for registry_free(). Returns 0, or -1 with the
 * reason in ERROR and nothing to free.
 */
int registry_decode(const uint8_t *image, size_t bytes, struct registry *registry,
                    char error[REGISTRY_ERROR_MAX]);

void registry_free(struct registry *registry);

/* A memfd with the image, close-on-exec. Returns it, or -1 with errno. */
int registry_write(const struct registry *registry);

/* Reads the whole of FD, which stays open: as registry_decode(). */
int registry_read(int fd, struct registry *registry, char error[REGISTRY_ERROR_MAX]);

/* Lets every descriptor named in REGISTRY live through an exec. 0, or -1 with errno. */
int registry_release(const struct registry *registry);

/* Closes every descriptor named in REGISTRY. */
void registry_close(const struct registry *registry);

/* After an exec that failed, and a failed registry_release(): they close on exec again. */
void registry_hold(const struct registry *registry);

/*
 * After an exec: the same. Returns 0, or -1
 * with the reason in ERROR when one is not open, or is named twice.
 */
int registry_claim(const struct registry *registry, char error[REGISTRY_ERROR_MAX]);

#endif
