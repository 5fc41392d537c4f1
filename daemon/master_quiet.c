/*
 * Quiet time in the master: what the supervisor has decided goes into the engine, and the
 * log hears when it is over.
 */
#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/master_state.h"

static void set_timer(struct master *m, uint64_t left_us)
{
	/* The loop's clock is coarse: a little later than never too early. */
	struct timeval tv = {.tv_sec = (time_t)(left_us / 1000000u),
	                     .tv_usec = (suseconds_t)(left_us % 1000000u)};

	event_add(m->quiet_timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	uint64_t left_us = stack_quiet_left(m->stack, master_now_us());

	(void)fd;
	(void)what;
	if (left_us > 0)
		set_timer(m, left_us);
	else
		log_info("quiet time is over");
}

bool master_quiet_create(struct master *m, bool new_table)
{
	const struct message_master_config *config = &m->config;
	uint64_t now_us = master_now_us();

	/*
	 * A former master may have died with a table so new that it did not have this yet.
	 * The end is the same one as long as the supervisor runs, so that twice does no harm.
	 */
	if (new_table ||
	    (config->quiet_until_us > now_us && stack_quiet_left(m->stack, now_us) == 0))
		stack_keep_quiet(m->stack, config->quiet_until_us, config->quiet_reason, now_us);
	if (stack_quiet_left(m->stack, now_us) == 0)
		return true;
	m->quiet_timer = event_new(m->base, -1, 0, on_timer, m);
	if (m->quiet_timer == NULL)
		return false;
	set_timer(m, stack_quiet_left(m->stack, now_us));
	return true;
}

void master_quiet_destroy(struct master *m)
{
	if (m->quiet_timer != NULL)
		event_free(m->quiet_timer);
}

void master_bar_pairs(struct master *m, const struct message_barred_pairs *pairs, uint64_t now_us)
{
	for (uint32_t i = 0; i < pairs->count && i < MESSAGE_PAIRS_MAX; i++)
		stack_bar_pair(m->stack, &pairs->pair[i], now_us);
}
