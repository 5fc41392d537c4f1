/*
 * States' names and the table of legal moves: RFC 9293, figure 5 with its notes,
 * and the moves to CLOSED that an abort, a reset or a time-out makes.
 */
#include "state.h"

#define TO(state) (1u << (state))

static const char *const state_names[TCP_STATES] = {
	[TCP_CLOSED] = "CLOSED",           [TCP_LISTEN] = "LISTEN",
	[TCP_SYN_SENT] = "SYN-SENT",       [TCP_SYN_RECEIVED] = "SYN-RECEIVED",
	[TCP_ESTABLISHED] = "ESTABLISHED", [TCP_FIN_WAIT_1] = "FIN-WAIT-1",
	[TCP_FIN_WAIT_2] = "FIN-WAIT-2",   [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCP_CLOSING] = "CLOSING",         [TCP_LAST_ACK] = "LAST-ACK",
	[TCP_TIME_WAIT] = "TIME-WAIT",
};

static const unsigned state_moves[TCP_STATES] = {
	[TCP_CLOSED] = TO(TCP_LISTEN) | TO(TCP_SYN_SENT),
	[TCP_LISTEN] = TO(TCP_SYN_RECEIVED) | TO(TCP_SYN_SENT) | TO(TCP_CLOSED),
	[TCP_SYN_SENT] = TO(TCP_SYN_RECEIVED) | TO(TCP_ESTABLISHED) | TO(TCP_CLOSED),
	/* back to LISTEN when a passive one is reset (figure 5, note 1) */
	[TCP_SYN_RECEIVED] = TO(TCP_ESTABLISHED) | TO(TCP_FIN_WAIT_1) | TO(TCP_LISTEN) |
                             TO(TCP_CLOSE_WAIT) | TO(TCP_CLOSED),
	[TCP_ESTABLISHED] = TO(TCP_FIN_WAIT_1) | TO(TCP_CLOSE_WAIT) | TO(TCP_CLOSED),
	/* straight to TIME-WAIT when one segment brings FIN and the ACK of ours (note 2) */
	[TCP_FIN_WAIT_1] =
		TO(TCP_FIN_WAIT_2) | TO(TCP_CLOSING) | TO(TCP_TIME_WAIT) | TO(TCP_CLOSED),
	[TCP_FIN_WAIT_2] = TO(TCP_TIME_WAIT) | TO(TCP_CLOSED),
	[TCP_CLOSE_WAIT] = TO(TCP_LAST_ACK) | TO(TCP_CLOSED),
	[TCP_CLOSING] = TO(TCP_TIME_WAIT) | TO(TCP_CLOSED),
	[TCP_LAST_ACK] = TO(TCP_CLOSED),
	[TCP_TIME_WAIT] = TO(TCP_CLOSED),
};

const char *state_name(enum tcp_state state)
{
	return (unsigned)state < TCP_STATES ? state_names[state] : "?";
}

bool state_move_legal(enum tcp_state from, enum tcp_state to)
{
	if ((unsigned)from >= TCP_STATES || (unsigned)to >= TCP_STATES)
		return false;
	return (state_moves[from] & TO(to)) != 0;
}
