/*
 * Connections that proxies bring: their headers are read as they come, before a worker is
 * taken (stack/proxied.c keeps them meanwhile, with the deadline).
 */
#include <string.h>

#include "daemon/address_text.h"
#include "daemon/log.h"
#include "daemon/master_audit.h"
#include "daemon/master_state.h"
#include "daemon/proxy.h"

/* The listener that LOCAL belongs to wants headers. */
static bool proxied(const struct message_master_config *config, const struct endpoint *local)
{
	for (uint32_t i = 0; i < config->listens; i++) {
		const struct endpoint *listen = &config->listen[i];

		if (listen->port == local->port &&
		    listen->address.version == local->address.version &&
		    (address_is_any(&listen->address) ||
		     address_equal(&listen->address, &local->address)))
			return (config->listen_proxied & (1u << i)) != 0;
	}
	return false;
}

bool master_proxied(const struct master *m, const struct flow *flow)
{
	return proxied(&m->config, &flow->local);
}

/* The header is whole: CLIENT, or NULL, is what it says. */
static void settle_good(struct master *m, struct conn_handle conn, size_t length,
                        const struct endpoint *client, uint64_t now_us)
{
	const struct flow *of = stack_flow(m->stack, conn);
	struct flow flow;

	if (of == NULL)
		return;
	flow = *of;
	/* in version 1 this is how a proxy says that it looks for itself */
	if (client != NULL && memcmp(client, &of->peer, sizeof(*client)) == 0)
		client = NULL;
	if (client != NULL)
		flow.peer = *client;
	audit_connected(m, conn.id, &flow, client != NULL ? &of->peer : NULL);
	if (!stack_header_done(m->stack, conn, length, client, now_us))
		stack_header_bad(m->stack, conn, "its PROXY header is impossible", now_us);
}

/* True when the engine knows what the connection is now; false: its header is not whole. */
static bool settle_one(struct master *m, struct conn_handle conn, const uint8_t *bytes,
                       size_t length, bool ended, uint64_t now_us)
{
	struct proxy_header header;

	switch (proxy_parse(bytes, length, &header)) {
	case PROXY_CLIENT:
		settle_good(m, conn, header.length, &header.client, now_us);
		return true;
	case PROXY_ITSELF:
		settle_good(m, conn, header.length, NULL, now_us);
		return true;
	case PROXY_BAD:
		stack_header_bad(m->stack, conn, header.why, now_us);
		return true;
	case PROXY_MORE:
		break;
	}
	if (ended)
		stack_header_bad(m->stack, conn, "its PROXY header has no end", now_us);
	return ended;
}

bool master_proxy_settle(struct master *m, uint64_t now_us)
{
	struct conn_handle conn;
	const uint8_t *bytes;
	size_t length;
	bool ended, called = false;

	while (!stack_output_pressing(m->stack) &&
	       stack_header_next(m->stack, &conn, &bytes, &length, &ended))
		called |= settle_one(m, conn, bytes, length, ended, now_us);
	return called;
}
