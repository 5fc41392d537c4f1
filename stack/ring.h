/*
 * The ring: the memory that one worker and the master share for one connection.
 *
 * Theory of operation
 *
 * A memfd of ring_bytes() bytes, made and sealed by the supervisor:
 *
 *   page 0   master page: only the master writes it
 *   page 1   worker page: only the worker writes it
 *   then     the receive buffer (network to session), rx_size bytes
 *   then     the send buffer (session to network), tx_size bytes
 *
 * Whoever maps it maps each buffer twice, one copy right behind the other, so
 * that any run of up to the buffer's size is contiguous (daemon/ring_map.c).
 * Positions are 64-bit stream offsets that never wrap; the byte at offset o
 * stands at data[o % size]; sizes are powers of two.
 *
 * The send buffer is the retransmission queue: bytes from tx_tail to tx_head
 * stay until the peer has acknowledged them. The receive buffer is the
 * reassembly buffer: out-of-order payload is put at its final place beyond
 * rx_head, which only in-order data moves.
 *
 * Events are state in these pages, never messages. Neither side believes the
 * other: each reads a value once, checks it against what it knows, and uses the
 * copy. The master never reads back its own page; what it believes is in the
 * connection table. The sizes come from messages, never from the ring.
 *
 * The send buffer is as large as the longest path needs; what stands in it unsent
 * only waits, and delays what comes behind it, such as the echo of an interrupt
 * character. So the master says in tx_limit how far the worker may usefully write:
 * some way beyond what has been sent, as far as the path takes in part of a round
 * trip. It is advice, and may move back.
 *
 * Sleeping. Either side, before it sleeps: sets its `asleep`, then a
 * sequentially consistent fence, then looks once more for work; awake, it clears
 * it. After publishing, either side fences and rings the doorbell only when the
 * other's `asleep` is set. Doorbells (daemon/bell.h) carry nothing and may be lost
 * or spurious.
 *
 * This header is all that the worker needs of stack/.
 */
#ifndef STACK_RING_H
#define STACK_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changes with the layout of the two pages, and with what a value in them means. */
#define RING_VERSION 1u

#define RING_PAGE          4096u
#define RING_SIZE_MIN      4096u
#define RING_SIZE_MAX      (64u << 20)
#define RING_MASTER_OFFSET 0u
#define RING_WORKER_OFFSET RING_PAGE
#define RING_DATA_OFFSET   (2 * RING_PAGE)

/* No urgent data (in rx_urgent and tx_urgent, where real values are above 0). */
#define RING_NO_URGENT 0u

/* The least and, by shares of cwnd, the usual distance of tx_limit from what has been sent. */
#define RING_UNSENT_MIN  32768u
#define RING_UNSENT_CWND 2u

/* A worker that sleeps waits for news, and moreover for room in the send buffer or not. */
#define RING_ASLEEP      1u
#define RING_ASLEEP_ROOM 2u

/* Why the connection ended without a FIN, in reset_reason. */
enum ring_reset {
	RING_RESET_NONE = 0,
	RING_RESET_PEER,    /* a genuine RST */
	RING_RESET_TIMEOUT, /* the peer is gone: user time-out or keepalive */
	RING_RESET_ABORT,   /* calmctl abort, or the worker's own */
	RING_RESET_ERROR,   /* the worker wrote what it must not */
	RING_RESET_CLOSE,   /* calmctl close: nothing more is sent */
};

struct ring_master_page {
	_Atomic uint64_t conn_id;      /* 0 until a connection is attached; written last */
	_Atomic uint64_t rx_head;      /* bytes received in order */
	_Atomic uint64_t tx_tail;      /* bytes acknowledged: the space below is free */
	_Atomic uint64_t tx_sent;      /* bytes sent at least once */
	_Atomic uint64_t tx_limit;     /* session output beyond this would only wait unsent */
	_Atomic uint64_t rx_urgent;    /* offset just behind the urgent octet; only grows */
	_Atomic uint32_t rx_fin;       /* 1: the peer has sent FIN, rx_head is final */
	_Atomic uint32_t reset_reason; /* enum ring_reset; not 0: the connection is gone */
	_Atomic uint32_t asleep;       /* 1: the master wants a doorbell for this ring */
};

struct ring_worker_page {
	_Atomic uint64_t conn_id; /* copied from the master page once the worker has taken it up */
	_Atomic uint64_t rx_tail; /* bytes taken: the space below is free */
	_Atomic uint64_t tx_head; /* bytes written */
	_Atomic uint64_t tx_urgent; /* offset just behind the urgent octet; only grows */
	_Atomic uint32_t tx_fin;    /* 1: tx_head is final, send FIN behind it */
	_Atomic uint32_t abort;     /* 1: send RST */
	_Atomic uint32_t asleep;    /* a set of RING_ASLEEP... */
};

/* A ring as one process has it mapped. */
struct ring {
	struct ring_master_page *master;
	struct ring_worker_page *worker;
	uint8_t *rx; /* rx_size bytes, mapped twice */
	uint8_t *tx; /* tx_size bytes, mapped twice */
	uint32_t rx_size;
	uint32_t tx_size;
};

/* Bytes of the memfd for these buffer sizes. */
static inline size_t ring_bytes(uint32_t rx_size, uint32_t tx_size)
{
	return (size_t)RING_DATA_OFFSET + rx_size + tx_size;
}

/* True for a size that a buffer can have: a power of two between the bounds. */
static inline bool ring_size_valid(uint32_t size)
{
	return size >= RING_SIZE_MIN && size <= RING_SIZE_MAX && (size & (size - 1)) == 0;
}

static inline uint8_t *ring_rx_at(const struct ring *ring, uint64_t offset)
{
	return ring->rx + (offset & (ring->rx_size - 1));
}

static inline uint8_t *ring_tx_at(const struct ring *ring, uint64_t offset)
{
	return ring->tx + (offset & (ring->tx_size - 1));
}

/* The worker's `asleep`, to be looked at after publishing to the master page. */
static inline uint32_t ring_worker_asleep(const struct ring *ring)
{
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&ring->worker->asleep, memory_order_relaxed);
}

/* True when the master must be told: after publishing to the worker page. */
static inline bool ring_master_asleep(const struct ring *ring)
{
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&ring->master->asleep, memory_order_relaxed) != 0;
}

#endif
