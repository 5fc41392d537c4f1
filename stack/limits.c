/*
 * Who may come in: bans, max-connections, max-connections-per-source, and
 * connections-per-minute-per-source. What a client over a limit gets is decided in listen.c
 * and half_open.c.
 *
 * Theory of operation. A SYN may come from anybody, whatever its source address says. So
 * it is only refused for what others have been seen to do: bans, and connections that are
 * there. What counts for or against a source is the third segment of a handshake, which
 * proves that the address is the peer's: there the limit a minute is applied, and being
 * refused there is an offence. Only when the source is banned for those is it refused by its
 * SYN, which then costs a look-up and no answer. Not every limit is the client's own doing:
 * where all together are too many (max-connections, backlog), nobody is blamed.
 */
#include "limits.h"
#include "engine.h"

#include <string.h>

/* Attached until their worker has ended, and those that wait for one, or for a proxy's header. */
uint32_t limits_connections(const struct stack *stack)
{
	return stack->workers_busy + stack->accept_queue.count + stack->headers_awaited;
}

static bool over_source(const struct stack *s, const struct ip_address *peer)
{
	uint32_t most = s->config.max_connections_per_source;

	return most > 0 && source_count(s->sources, peer) >= most;
}

const char *limits_refuse(struct stack *stack, const struct ip_address *peer, bool count)
{
	if (limits_connections(stack) >= stack->config.max_connections) {
		stack->stats.limit_connections += count;
		return "max-connections";
	}
	if (peer != NULL && over_source(stack, peer)) {
		stack->stats.limit_source += count;
		return "max-connections-per-source";
	}
	return NULL;
}

bool limits_banned(struct stack *stack, const struct ip_address *peer, uint64_t now_us)
{
	if (!source_banned(stack->sources, peer, now_us))
		return false;
	stack->stats.banned++;
	return true;
}

static bool over_rate(const struct stack *s, const struct ip_address *peer)
{
	uint32_t at = source_find(s->sources, peer);
	uint32_t most = s->config.connections_per_minute_per_source;

	return most > 0 && at != SOURCE_NONE &&
	       source_recent(&s->table.source[at], s->event.now_us) >= most;
}

const char *limits_refuse_proven(struct stack *stack, const struct ip_address *peer)
{
	const char *why = limits_refuse(stack, peer, true);

	if (why == NULL && over_rate(stack, peer)) {
		stack->stats.limit_rate++;
		why = "connections-per-minute-per-source";
	}
	return why;
}

bool limits_own(const struct stack *stack, const struct ip_address *peer)
{
	return over_source(stack, peer) || over_rate(stack, peer);
}

void limits_admit(struct stack *stack, const struct ip_address *peer)
{
	source_handshake(stack->sources, peer, stack->event.now_us);
}

/* ---- offences ---- */

static const struct {
	uint32_t points;
	const char *why;
} offences[STACK_OFFENCES] = {
	[STACK_OFFENCE_REFUSED] = {1, "it goes on over its limits"},
	[STACK_OFFENCE_SIGNATURE] = {2, "it sends what only an attack sends"},
	[STACK_OFFENCE_LOGIN] = {1, "its logins fail"},
};

static bool exempt(const struct stack *s, const struct ip_address *peer)
{
	for (uint32_t i = 0; i < s->config.ban_exempts; i++)
		if (prefix_covers(&s->config.ban_exempt[i], peer))
			return true;
	return false;
}

static void note_banned(struct stack *s, const struct source_entry *entry, const char *why)
{
	struct conn_identity identity = {0};
	struct event_note *note;

	identity.flow.peer.address = entry->address;
	note = event_note(s, NOTE_BANNED, &identity);
	note->until_us = entry->ban_until_us;
	note->why = why;
	s->stats.bans++;
}

void limits_offence(struct stack *stack, const struct ip_address *peer, enum stack_offence offence)
{
	const struct stack_config *config = &stack->config;
	uint32_t at = source_entry_for(stack->sources, peer, stack->event.now_us);
	uint32_t after = exempt(stack, peer) ? 0 : config->ban_after;
	struct source_entry *entry;

	if (at == SOURCE_NONE || offence >= STACK_OFFENCES)
		return;
	entry = source_touch(stack->sources, at);
	entry->refused += offence == STACK_OFFENCE_REFUSED;
	entry->signatures += offence == STACK_OFFENCE_SIGNATURE;
	entry->failures += offence == STACK_OFFENCE_LOGIN;
	if (source_offend(entry, offences[offence].points, after, config->ban_time_us,
	                  stack->event.now_us))
		note_banned(stack, entry, offences[offence].why);
}

void limits_note_refused(struct stack *stack, const struct conn_identity *identity, const char *why)
{
	event_note(stack, NOTE_REFUSED, identity)->why = why;
}

/* ---- asked for by the engine's owner ---- */

bool stack_offence(struct stack *stack, const struct ip_address *peer, enum stack_offence offence,
                   uint64_t now_us)
{
	if (offence >= STACK_OFFENCES || !address_is_unicast(peer))
		return false;
	event_begin(stack, now_us);
	limits_offence(stack, peer, offence);
	event_end(stack);
	return true;
}

bool stack_ban(struct stack *stack, const struct ip_prefix *prefix, uint64_t until_us,
               uint64_t now_us)
{
	bool done;

	if (!prefix_valid(prefix))
		return false;
	event_begin(stack, now_us);
	done = source_ban(stack->sources, prefix, until_us, now_us);
	event_end(stack);
	return done;
}

uint32_t stack_unban(struct stack *stack, const struct ip_prefix *prefix, uint64_t now_us)
{
	uint32_t cursor = 0, lifted = 0;
	bool more = prefix_valid(prefix);

	while (more) {
		event_begin(stack, now_us);
		more = source_unban(stack->sources, prefix, &cursor, now_us);
		event_end(stack);
		lifted += more;
	}
	return lifted;
}

static void info_of_ban(const struct stack *s, uint32_t at, struct source_info *info)
{
	const struct source_ban *ban = &s->table.ban[at];

	*info = (struct source_info){
		.prefix = ban->prefix,
		.made = true,
		.ban_until_us = ban->until_us,
		.last_us = ban->since_us,
		.dropped = s->sources->ban_dropped[at],
	};
}

static void info_of_source(const struct stack *s, uint32_t at, struct source_info *info,
                           uint64_t now_us)
{
	const struct source_entry *entry = &s->table.source[at];

	*info = (struct source_info){
		.prefix = source_prefix(entry),
		.connections = s->sources->private_data[at].connections,
		.recent = source_recent(entry, now_us),
		.points = source_points(entry, now_us) / SOURCE_POINT,
		.bans = entry->bans,
		.ban_until_us = entry->ban_until_us > now_us ? entry->ban_until_us : 0,
		.last_us = entry->last_us,
		.refused = entry->refused,
		.dropped = s->sources->private_data[at].dropped,
		.signatures = entry->signatures,
		.failures = entry->failures,
	};
}

bool stack_next_source(const struct stack *stack, uint32_t *cursor, struct source_info *info,
                       uint64_t now_us)
{
	const struct sources *sources = stack->sources;

	/* bans from the end of the numbers on: those in use may become more meanwhile */
	for (; *cursor < sources->free.fresh; (*cursor)++) {
		if (stack->table.source[*cursor].address.version == IP_NONE ||
		    !source_matters(sources, *cursor, now_us))
			continue;
		info_of_source(stack, (*cursor)++, info, now_us);
		return true;
	}
	if (*cursor < SOURCE_CURSOR_BANS)
		*cursor = SOURCE_CURSOR_BANS;
	while (*cursor - SOURCE_CURSOR_BANS < sources->bans) {
		uint32_t at = (*cursor)++ - SOURCE_CURSOR_BANS;

		if (stack->table.ban[at].prefix.address.version == IP_NONE ||
		    now_us >= stack->table.ban[at].until_us)
			continue;
		info_of_ban(stack, at, info);
		return true;
	}
	return false;
}
