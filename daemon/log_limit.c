/*
 * A bounded table of sources, each with a token bucket. A source has a set of four
 * entries where it can stand; where all are taken, the one that has been quiet for
 * longest makes room, and what it had left out counts as nobody's.
 *
 * An address that is not proven by a handshake may be anybody's invention, so there
 * may be a new source for every packet: that is what the limit of all is for.
 */
#include "daemon/log_limit.h"

#include <stddef.h>

bool log_bucket_take(struct log_bucket *bucket, const struct log_rate *rate, uint64_t now_us)
{
	uint64_t room = rate->burst * rate->each_us;
	uint64_t earliest = now_us > room ? now_us - room : 0;

	if (bucket->used_us < earliest)
		bucket->used_us = earliest;
	if (bucket->used_us + rate->each_us > now_us)
		return false;
	bucket->used_us += rate->each_us;
	return true;
}

/* FNV-1a: whoever finds addresses that share a set gains nothing by it. */
static struct log_limit_source *set_of(struct log_limit *limit, const struct ip_address *source)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(source->bytes); i++)
		hash = (hash ^ source->bytes[i]) * 16777619u;
	return limit->source[(hash ^ hash >> 16) % LOG_LIMIT_SETS];
}

static void leave_out(struct log_left_out *left_out, uint64_t count, uint64_t now_us)
{
	if (left_out->count == 0)
		left_out->since_us = now_us;
	left_out->count += count;
}

/* The entry of SOURCE, which is made when there is none. */
static struct log_limit_source *entry_of(struct log_limit *limit, const struct ip_address *source,
                                         uint64_t now_us)
{
	struct log_limit_source *set = set_of(limit, source), *oldest = set;

	for (size_t i = 0; i < LOG_LIMIT_WAYS; i++) {
		if (address_equal(&set[i].source, source))
			return &set[i];
		if (set[i].bucket.used_us < oldest->bucket.used_us)
			oldest = &set[i];
	}
	if (oldest->left_out.count > 0)
		leave_out(&limit->left_out, oldest->left_out.count, now_us);
	*oldest = (struct log_limit_source){.source = *source};
	return oldest;
}

bool log_limit_take(struct log_limit *limit, const struct ip_address *peer, uint64_t now_us)
{
	struct log_limit_source *entry = NULL;

	if (peer != NULL && peer->version != IP_NONE) {
		struct ip_address source = address_source(peer);
		entry = entry_of(limit, &source, now_us);
		if (!log_bucket_take(&entry->bucket, &limit->each, now_us)) {
			leave_out(&entry->left_out, 1, now_us);
			return false;
		}
	}
	if (log_bucket_take(&limit->bucket, &limit->all, now_us))
		return true;
	leave_out(&limit->left_out, 1, now_us);
	return false;
}

/* Every place where something may have been left out; NULL behind the last. */
static struct log_left_out *place(struct log_limit *limit, size_t number,
                                  struct log_limit_source **entry)
{
	size_t sources = LOG_LIMIT_SETS * LOG_LIMIT_WAYS;

	*entry = NULL;
	if (number > sources)
		return NULL;
	if (number == sources)
		return &limit->left_out;
	*entry = &limit->source[number / LOG_LIMIT_WAYS][number % LOG_LIMIT_WAYS];
	return &(*entry)->left_out;
}

bool log_limit_report(struct log_limit *limit, uint64_t now_us, bool all,
                      struct log_limit_report *report)
{
	struct log_limit_source *entry;
	struct log_left_out *left_out;

	for (size_t i = 0; (left_out = place(limit, i, &entry)) != NULL; i++) {
		if (left_out->count == 0 ||
		    (!all && now_us < left_out->since_us + LOG_LIMIT_REPORT_US))
			continue;
		*report = (struct log_limit_report){.count = left_out->count};
		if (entry != NULL)
			report->source = entry->source;
		*left_out = (struct log_left_out){0};
		return true;
	}
	return false;
}

uint64_t log_limit_due(const struct log_limit *limit)
{
	struct log_limit_source *entry;
	const struct log_left_out *left_out;
	uint64_t due = UINT64_MAX;

	for (size_t i = 0;
	     (left_out = place((struct log_limit *)(uintptr_t)limit, i, &entry)) != NULL; i++) {
		if (left_out->count > 0 && left_out->since_us + LOG_LIMIT_REPORT_US < due)
			due = left_out->since_us + LOG_LIMIT_REPORT_US;
	}
	return due;
}
