/*
 * The engine's part of what the master is told: see engine_config.h.
 */
#include "daemon/engine_config.h"

#include <assert.h>
#include <string.h>

static_assert(STACK_PREFIXES_MAX == MESSAGE_PREFIXES_MAX, "lists of addresses are as long");

/* Copies a list of addresses and returns its length. */
static uint32_t prefixes(const struct message_prefixes *from, struct ip_prefix *to)
{
	memcpy(to, from->prefix, sizeof(from->prefix));
	return from->count < MESSAGE_PREFIXES_MAX ? from->count : MESSAGE_PREFIXES_MAX;
}

void engine_config(const struct message_master_config *from, struct stack_config *to)
{
	memset(to, 0, sizeof(*to));
	to->shape.conns = from->table_conns;
	to->shape.half_opens = from->table_half_opens;
	to->shape.time_waits = from->table_time_waits;
	to->max_connections = from->max_connections;
	to->max_connections_per_source = from->max_connections_per_source;
	to->connections_per_minute_per_source = from->connections_per_minute_per_source;
	to->ban_after = from->ban_after;
	to->ban_time_us = from->ban_time_us;
	to->proxy_froms = prefixes(&from->proxy_from, to->proxy_from);
	to->ban_exempts = prefixes(&from->ban_exempt, to->ban_exempt);
	to->backlog = from->backlog;
	to->half_open = from->half_open;
	to->time_wait = from->time_wait;
	to->receive_buffer = from->receive_buffer;
	to->dscp = (uint8_t)from->dscp;
	to->ttl = (uint8_t)from->ttl;
	to->busy = (enum stack_busy)from->busy;
	to->syn_cookies = (enum stack_syn_cookies)from->syn_cookies;
	to->congestion = from->congestion;
	to->ecn = from->ecn != 0;
	to->msl_us = from->msl_us;
	to->keepalive_us = from->keepalive_us;
	to->user_timeout_us = from->user_timeout_us;
	to->user_timeout_option = from->user_timeout_option != 0;
	to->stalled_bytes = from->stalled_memory;
	to->crashed = from->crashed;
	to->call_timeout_us = from->call_timeout_us;
	memcpy(to->busy_message, from->busy_message, sizeof(to->busy_message));
	to->busy_message[sizeof(to->busy_message) - 1] = '\0';
}
