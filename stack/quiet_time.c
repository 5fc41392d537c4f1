/*
 * The engine in quiet time (RFC 9293, 3.4.3): nothing that comes is looked at, so that
 * nothing is sent, and nobody is called. Until when and why stands in the table, so that
 * an engine that takes it up keeps quiet as well. Who decides: quiet.c, once, at the start.
 */
#include "engine.h"

void stack_keep_quiet(struct stack *s, uint64_t until_us, uint32_t reason, uint64_t now_us)
{
	struct table_header *header = s->table.header;

	event_begin(s, now_us);
	table_touch(&s->table, &header->quiet, sizeof(header->quiet));
	header->quiet.until_us = until_us;
	header->quiet.reason = reason;
	event_end(s);
}

/* An end beyond what there can be is damage, and no reason to be silent for ever. */
uint64_t stack_quiet_left(const struct stack *s, uint64_t now_us)
{
	uint64_t until_us = s->table.header->quiet.until_us;

	return until_us > now_us && until_us - now_us <= QUIET_MAX_US ? until_us - now_us : 0;
}

uint32_t stack_quiet_reason(const struct stack *s)
{
	return s->table.header->quiet.reason;
}

bool quiet_holds(const struct stack *s, uint64_t now_us)
{
	return stack_quiet_left(s, now_us) > 0;
}
