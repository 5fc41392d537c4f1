/*
 * Who may come in, and what is held against whom: see limits.c. For the engine's own files.
 */
#ifndef STACK_LIMITS_H
#define STACK_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

/*
 * Why a new client from this address cannot be served now; NULL: it can. Counted if COUNT.
 * PEER NULL: a proxy, whose client is not known yet.
 */
const char *limits_refuse(struct stack *stack, const struct ip_address *peer, bool count);
/* True, and counted, when the peer is banned: nothing is answered. */
bool limits_banned(struct stack *stack, const struct ip_address *peer, uint64_t now_us);
/*
 * The same as limits_refuse() for a client that has completed its handshake, whose address
 * is its own: the limit of handshakes a minute, too. In an event.
 */
const char *limits_refuse_proven(struct stack *stack, const struct ip_address *peer);
/* True when what refuses it is the source's own doing. In an event. */
bool limits_own(const struct stack *stack, const struct ip_address *peer);
/* It has completed its handshake and is let in. In an event. */
void limits_admit(struct stack *stack, const struct ip_address *peer);
/*
 * An offence of the peer, counted for its source, which may be banned for it: WHY is for
 * people then. In an event.
 */
void limits_offence(struct stack *stack, const struct ip_address *peer, enum stack_offence offence);
/* FLOW's client was refused, as the hook is told after the commit. In an event. */
void limits_note_refused(struct stack *stack, const struct conn_identity *identity,
                         const char *why);
uint32_t limits_connections(const struct stack *stack);

#endif
