/*
 * Another configuration while the engine runs. Most of it is looked at when it is
 * needed and just takes effect; what connections carry along of the old one is
 * brought up to date here, each in an event of its own, so that a master that dies
 * in between leaves connections of which some have followed: the next engine is
 * made with the new configuration, and brings up the rest.
 *
 * What was agreed on with a peer (window scale, ECN, congestion control's state)
 * belongs to the connection and stays.
 */
#include "engine.h"

#define COUNT_MAX           60000u
#define ENTRIES_MAX         1000000u
#define MSL_MAX_US          (600ULL * 1000000)
#define DSCP_MAX            63u
#define CALL_TIMEOUT_MAX_US (3600ULL * 1000000)

static bool between(uint64_t value, uint64_t least, uint64_t most)
{
	return value >= least && value <= most;
}

/* Each value as struct stack_config says. */
static bool configure_possible(const struct stack_config *config)
{
	return between(config->max_connections, 1, COUNT_MAX) &&
	       config->max_connections_per_source <= COUNT_MAX && config->ban_after <= COUNT_MAX &&
	       config->ban_time_us <= SOURCE_BAN_MAX_US &&
	       config->ban_exempts <= STACK_PREFIXES_MAX &&
	       config->proxy_froms <= STACK_PREFIXES_MAX &&
	       between(config->backlog, 1, COUNT_MAX) &&
	       between(config->half_open, 1, ENTRIES_MAX) &&
	       between(config->time_wait, 1, ENTRIES_MAX) &&
	       config->receive_buffer <= RING_SIZE_MAX && config->dscp <= DSCP_MAX &&
	       config->busy <= STACK_BUSY_MESSAGE && config->syn_cookies <= STACK_COOKIES_OFF &&
	       config->congestion < CONGESTION_ALGORITHMS &&
	       between(config->msl_us, 1, MSL_MAX_US) &&
	       config->keepalive_us <= USER_TIMEOUT_MAX_US &&
	       config->user_timeout_us <= USER_TIMEOUT_MAX_US &&
	       between(config->call_timeout_us, 1, CALL_TIMEOUT_MAX_US);
}

void configure_complete(struct stack_config *config)
{
	config->busy_message[STACK_BUSY_MESSAGE_MAX] = '\0';
	if (config->ttl == 0)
		config->ttl = 64; /* RFC 1700 */
}

/* Half-open entries beyond the limit end, the oldest first. */
static void configure_half_opens(struct stack *s, uint64_t now_us)
{
	while (s->open_half_opens > s->config.half_open) {
		event_begin(s, now_us);
		half_open_destroy(s, slot_list_oldest(&s->used_half_opens),
		                  "the limit of half-open entries was lowered");
		event_end(s);
	}
}

static void configure_connections(struct stack *s, const struct stack_config *before,
                                  uint64_t now_us)
{
	for (uint32_t slot = 0; slot < s->free_conns.fresh; slot++) {
		if (slot_conn(s, slot)->identity.id == 0)
			continue;
		event_begin(s, now_us);
		if (s->config.keepalive_us != before->keepalive_us)
			keepalive_configured(s, slot);
		if (s->config.user_timeout_us != before->user_timeout_us)
			user_timeout_configured(s, slot, before->user_timeout_us);
		event_end(s);
	}
}

bool stack_configure(struct stack *s, const struct stack_config *config, uint64_t now_us)
{
	struct stack_config before = s->config, after = *config;

	after.shape = s->shape;
	configure_complete(&after);
	if (!configure_possible(&after) || !stack_fits(&after))
		return false;
	s->config = after;
	configure_half_opens(s, now_us);
	if (after.keepalive_us != before.keepalive_us ||
	    after.user_timeout_us != before.user_timeout_us)
		configure_connections(s, &before, now_us);
	return true;
}
