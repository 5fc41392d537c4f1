/*
 * The configuration as the master has it: at its start, and another one while it
 * runs (MESSAGE_CONFIGURE). Listeners are opened and closed as it says; a closed one
 * whose last connection is gone is told to the supervisor, which then gives up its
 * guard and says so with yet another configuration.
 */
#include <event2/event.h>
#include <string.h>

#include "daemon/engine_config.h"
#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"

/* How often closed listeners are looked at: each looks at every entry there is. */
#define CLOSED_LOOK_S 2

static bool names(const struct endpoint *list, uint32_t count, const struct endpoint *local)
{
	for (uint32_t i = 0; i < count; i++) {
		if (memcmp(&list[i], local, sizeof(*local)) == 0)
			return true;
	}
	return false;
}

bool master_config_bound(struct message_master_config *config)
{
	config->busy_message[sizeof(config->busy_message) - 1] = '\0';
	config->version[sizeof(config->version) - 1] = '\0';
	return config->listens <= MESSAGE_LISTEN_MAX &&
	       config->closed_listens <= MESSAGE_LISTEN_MAX &&
	       config->proxy_from.count <= MESSAGE_PREFIXES_MAX &&
	       config->ban_exempt.count <= MESSAGE_PREFIXES_MAX &&
	       config->log_level <= LOG_LEVEL_DEBUG;
}

/* Asks that the guard of a closed listener go: nobody is left there. */
static void priv_listen_end(struct master *m, const struct endpoint *local)
{
	const struct message_listen ended = {.local = *local};

	master_tell(m, MESSAGE_PRIV_LISTEN_END, &ended, sizeof(ended));
}

static void on_closed_timer(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	for (uint32_t i = 0; m->phase == PHASE_RUN && i < m->config.closed_listens; i++) {
		if (!stack_listen_used(m->stack, &m->config.closed_listen[i]))
			priv_listen_end(m, &m->config.closed_listen[i]);
	}
}

static bool watch_closed(struct master *m)
{
	static const struct timeval look = {.tv_sec = CLOSED_LOOK_S};

	if (m->closed_timer == NULL)
		m->closed_timer = event_new(m->base, -1, EV_PERSIST, on_closed_timer, m);
	if (m->closed_timer == NULL)
		return false;
	if (m->config.closed_listens == 0)
		return event_del(m->closed_timer) == 0;
	return event_add(m->closed_timer, &look) == 0;
}

/* Those that there were and that CONFIG does not name are closed and forgotten. */
static void leave(struct master *m, const struct endpoint *before, uint32_t count,
                  const struct message_master_config *config)
{
	for (uint32_t i = 0; i < count; i++) {
		if (names(config->listen, config->listens, &before[i]))
			continue;
		(void)stack_unlisten(m->stack, &before[i]);
		if (!names(config->closed_listen, config->closed_listens, &before[i]))
			stack_listen_forget(m->stack, &before[i]);
	}
}

bool master_listen(struct master *m, const struct message_master_config *before)
{
	const struct message_master_config *config = &m->config;
	bool all = true;

	if (before != NULL) {
		leave(m, before->listen, before->listens, config);
		leave(m, before->closed_listen, before->closed_listens, config);
	}
	for (uint32_t i = 0; before == NULL && i < config->closed_listens; i++) {
		all = stack_listen(m->stack, &config->closed_listen[i]) && all;
		(void)stack_unlisten(m->stack, &config->closed_listen[i]);
	}
	for (uint32_t i = 0; i < config->listens; i++) {
		if (before == NULL || !names(before->listen, before->listens, &config->listen[i]))
			all = stack_listen(m->stack, &config->listen[i]) && all;
	}
	for (uint32_t i = 0; i < config->listens; i++)
		stack_listen_proxied(m->stack, &config->listen[i],
		                     (config->listen_proxied & (1u << i)) != 0);
	stack_accepting(m->stack, m->phase != PHASE_END && config->draining == 0);
	return watch_closed(m) && all;
}

void master_configure(struct master *m, const struct message_master_config *given, uint64_t now_us)
{
	const struct message_master_config before = m->config;
	struct message_master_config config = *given;
	struct stack_config engine;

	engine_config(&config, &engine);
	if (!master_config_bound(&config) || !stack_configure(m->stack, &engine, now_us)) {
		log_error("the supervisor sent an impossible configuration; nothing is changed");
		return;
	}
	m->config = config;
	log_set_level((enum log_level)config.log_level);
	pool_limit(m->pool);
	if (!master_listen(m, &before))
		log_error("not every listener could be opened or watched");
}
