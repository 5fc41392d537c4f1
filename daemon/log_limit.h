/*
 * How much a stranger can make us log. Everything that the network causes is
 * counted against the source it comes from, and all of it together; what is
 * beyond the limit is left out, and said to have been after a while. Pure: times
 * are passed in, microseconds.
 */
#ifndef DAEMON_LOG_LIMIT_H
#define DAEMON_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/address.h"

/* So many at once, and on the long run one in so much time. */
struct log_rate {
	uint32_t burst;
	uint64_t each_us;
};

/* A token bucket, kept as the time up to which it has been used; all zero: full. */
struct log_bucket {
	uint64_t used_us;
};

/* Takes one token; false when there is none. */
bool log_bucket_take(struct log_bucket *bucket, const struct log_rate *rate, uint64_t now_us);

/* Sources that are known at a time. One that is forgotten for another begins anew. */
#define LOG_LIMIT_SETS 64u
#define LOG_LIMIT_WAYS 4u

/* What was left out is said so long after it began. */
#define LOG_LIMIT_REPORT_US 10000000u

/* Records that were not written, and since when; 0: none. */
struct log_left_out {
	uint64_t count, since_us;
};

struct log_limit_source {
	struct ip_address source; /* address_source(); IP_NONE: unused */
	struct log_bucket bucket;
	struct log_left_out left_out;
};

struct log_limit {
	struct log_rate each; /* of one source */
	struct log_rate all;
	struct log_bucket bucket;
	struct log_left_out left_out; /* of nobody in particular */
	struct log_limit_source source[LOG_LIMIT_SETS][LOG_LIMIT_WAYS];
};

/*
 * True when a record that PEER has caused may be written. PEER NULL, or of no version:
 * nobody's in particular, for which the limit of all holds alone.
 */
bool log_limit_take(struct log_limit *limit, const struct ip_address *peer, uint64_t now_us);

/* What is to be said of records that were left out. */
struct log_limit_report {
	struct ip_address source; /* IP_NONE: of many */
	uint64_t count;
};

/*
 * The next report that is due at NOW_US, or with ALL any that will be; false: there is
 * none. What is reported is forgotten.
 */
bool log_limit_report(struct log_limit *limit, uint64_t now_us, bool all,
                      struct log_limit_report *report);

/* When the next report will be due; UINT64_MAX: there is none. */
uint64_t log_limit_due(const struct log_limit *limit);

#endif
