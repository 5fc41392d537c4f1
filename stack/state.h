/*
 * The eleven states of RFC 9293, section 3.3.2, the one table of legal moves
 * between them, and the names that people see.
 */
#ifndef STACK_STATE_H
#define STACK_STATE_H

#include <stdbool.h>

enum tcp_state {
	TCP_CLOSED = 0, /* zero: a table that is all zero is all closed */
	TCP_LISTEN,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
	TCP_STATES
};

/* RFC 9293's spelling, such as "SYN-RECEIVED"; "?" when out of range. */
const char *state_name(enum tcp_state state);

/* True for an arrow of RFC 9293, figure 5 (with its note 3), and for an abort to CLOSED. */
bool state_move_legal(enum tcp_state from, enum tcp_state to);

/* The peer's FIN has been taken in. */
static inline bool state_peer_closed(enum tcp_state s)
{
	return s == TCP_CLOSE_WAIT || s == TCP_CLOSING || s == TCP_LAST_ACK || s == TCP_TIME_WAIT;
}

/* Both ends' SYNs have been acknowledged. */
static inline bool state_synchronized(enum tcp_state s)
{
	return s >= TCP_ESTABLISHED;
}

/* Data from the peer is taken in: ESTABLISHED, FIN-WAIT-1 and FIN-WAIT-2. */
static inline bool state_can_receive(enum tcp_state s)
{
	return s == TCP_ESTABLISHED || s == TCP_FIN_WAIT_1 || s == TCP_FIN_WAIT_2;
}

#endif
