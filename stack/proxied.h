/*
 * Connections that come by way of a proxy: see proxied.c. For the engine's own files.
 */
#ifndef STACK_PROXIED_H
#define STACK_PROXIED_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

#define HEADER_US 5000000ULL /* an established connection must have its header after */

/* True when the listener that takes connections to LOCAL wants headers. */
bool proxied_listener(const struct stack *stack, const struct endpoint *local);

/* True when PEER is a proxy that may send them. */
bool proxied_from(const struct stack *stack, const struct ip_address *peer);

/* The connection is established and waits for its header. In an event. */
void proxied_wait(struct stack *stack, uint32_t slot);

/* It waits no more, for whatever reason; nothing when it does not. In an event. */
void proxied_forget(struct stack *stack, uint32_t slot);

/* Something has come from its peer: if it waits, there may be more of its header. */
void proxied_news(struct stack *stack, uint32_t slot);

/* It has waited long enough. In an event. */
void proxied_timeout(struct stack *stack, uint32_t slot);

#endif
