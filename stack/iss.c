/*
 * Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323, 5.4), both
 * from keyed hashes of the flow, so that nobody off the path can guess them.
 */
#include "engine.h"
#include "siphash.h"

/* A clock of 4 microseconds (RFC 9293, 3.4.1) plus F(flow, secret). */
uint32_t iss_generate(const struct stack *stack, const struct flow *flow, uint64_t now_us)
{
	const uint8_t *key = stack->table.header->secrets.sequence;

	return (uint32_t)siphash(key, flow, sizeof(*flow)) + (uint32_t)(now_us / 4);
}

uint32_t timestamp_offset(const struct stack *stack, const struct flow *flow)
{
	return (uint32_t)siphash(stack->table.header->secrets.timestamp, flow, sizeof(*flow));
}

uint32_t timestamp_now(uint32_t offset, uint64_t now_us)
{
	return (uint32_t)(now_us / 1000) + offset;
}
