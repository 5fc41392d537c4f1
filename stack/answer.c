/*
 * How often segments that nobody asked for are answered: challenge ACKs (RFC 5961, section
 * 7), ACKs of TIME-WAIT pairs, RSTs for segments that belong to no connection, checks of
 * SYN cookies.
 *
 * Theory of operation. A limit that all share is a side channel: who sees how much of it is
 * left on a connection of his own learns whether segments that he forged in somebody's name
 * were answered, and so whether that connection exists and which numbers it uses
 * (CVE-2016-5696, where challenge ACKs had one count for the host). Drawing the limit at
 * random only makes the attacker ask more often. So nothing is shared here:
 *
 * An entry has an allowance of its own, which nothing but segments for that very entry
 * use up. What bounds all of them together is that the allowance refills slower the more
 * entries there are: the rate depends on their number, and forged segments do not change
 * that. The first answers of an entry always go, a rebooted peer's challenge among them.
 *
 * Segments that belong to no entry are counted by their source's group. Who belongs
 * together, and what a group may have (half to one and a half times the rate), is drawn
 * again every second by a keyed hash, so that nobody knows whose group he is in, or by
 * asking the group for long finds out what is left.
 */
#include <string.h>

#include "engine.h"
#include "siphash.h"

#define SECOND_US 1000000ULL
#define NOT_DRAWN UINT16_MAX

/* The time that one answer uses up. */
static uint64_t answer_interval(const struct stack *s)
{
	uint64_t entries = (uint64_t)s->open_conns + s->open_time_waits;
	uint64_t share = entries * (SECOND_US / ANSWERS_ALL_PER_SECOND);

	return share > SECOND_US / ANSWERS_PER_SECOND ? share : SECOND_US / ANSWERS_PER_SECOND;
}

bool answer_allowed(const struct stack *s, uint64_t *until_us)
{
	uint64_t now = s->event.now_us, interval = answer_interval(s);
	uint64_t used = *until_us > now ? *until_us - now : 0;

	if (used > SECOND_US + interval)
		used = 0; /* there were more entries then; or the value is damaged */
	if (used > 0 && used + interval > SECOND_US)
		return false;
	*until_us = now + used + interval;
	return true;
}

/* A hash that is another one each second. */
static uint64_t limit_hash(const struct stack *s, const struct ip_address *source, uint64_t second)
{
	struct {
		struct ip_address source;
		uint32_t reserved;
		uint64_t second;
	} input = {*source, 0, second};

	return siphash(s->table.header->secrets.hash, &input, sizeof(input));
}

/* What GROUP may have this second: from half of RATE to one and a half. */
static uint16_t limit_draw(const struct stack *s, uint32_t group, uint32_t rate, uint64_t second)
{
	struct ip_address nobody = {.bytes = {(uint8_t)group}};

	return (uint16_t)(rate / 2 + limit_hash(s, &nobody, second) % (rate + 1));
}

bool answer_source_allowed(const struct stack *s, struct source_limit *limit,
                           const struct ip_address *address, uint32_t rate, uint64_t now_us)
{
	struct ip_address source = address_source(address);
	uint64_t second = now_us / SECOND_US;
	uint32_t group = (uint32_t)(limit_hash(s, &source, second) % SOURCE_GROUPS);

	if (limit->second != second) {
		memset(limit->left, 0xff, sizeof(limit->left));
		limit->second = second;
	}
	if (limit->left[group] == NOT_DRAWN)
		limit->left[group] = limit_draw(s, group, rate, second);
	if (limit->left[group] == 0)
		return false;
	limit->left[group]--;
	return true;
}
