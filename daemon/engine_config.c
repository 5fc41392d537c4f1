/*
 * The engine's part of what the master is told: see engine_config.h.
 */
#include "daemon/engine_config.h"

#include <string.h>

void engine_config(const struct message_master_config *from, struct stack_config *to)
{
	memset(to, 0, sizeof(*to));
	to->shape.conns = from->table_conns;
	to->shape.half_opens = from->table_half_opens;
	to->shape.time_waits = from->table_time_waits;
	to->max_connections = from->max_connections;
	to->max_connections_per_source = from->max_connections_per_source;
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
