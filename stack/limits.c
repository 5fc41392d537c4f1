/*
 * Who may come in: max-connections and max-connections-per-source. What a client
 * over a limit gets is decided in listen.c.
 */
#include "engine.h"

/* Attached until their worker has ended, and those that wait for one. */
uint32_t limits_connections(const struct stack *stack)
{
	return stack->workers_busy + stack->accept_queue.count;
}

const char *limits_refuse(struct stack *stack, const struct ip_address *peer, bool count)
{
	uint32_t per_source = stack->config.max_connections_per_source;

	if (limits_connections(stack) >= stack->config.max_connections) {
		stack->stats.limit_connections += count;
		return "max-connections";
	}
	if (per_source > 0 && source_count(stack->sources, peer) >= per_source) {
		stack->stats.limit_source += count;
		return "max-connections-per-source";
	}
	return NULL;
}
