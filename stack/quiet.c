/*
 * How long to keep quiet after a start, and which pairs stay barred: see quiet.h.
 */
#include "quiet.h"

#include <assert.h>
#include <string.h>

#include "ring.h"
#include "segment.h"

/* Sums with it do not overflow. */
#define QUIET_TIME_LAST (UINT64_C(1) << 62)

static_assert(sizeof(struct quiet_pair) == 88, "a pair is the same in every state file");

static const struct {
	const char *name;
	const char *text;
} reasons[QUIET_REASON_COUNT] = {
#define QUIET_REASON_ROW(NAME, name, text) {name, text},
	QUIET_REASONS(QUIET_REASON_ROW)
#undef QUIET_REASON_ROW
};

const char *quiet_reason_name(uint32_t reason)
{
	return reason < QUIET_REASON_COUNT ? reasons[reason].name : "unknown";
}

const char *quiet_reason_text(uint32_t reason)
{
	return reason < QUIET_REASON_COUNT ? reasons[reason].text : "unknown";
}

const char *quiet_reason_explain(const char *name)
{
	for (size_t i = 0; i < QUIET_REASON_COUNT; i++)
		if (strcmp(reasons[i].name, name) == 0)
			return reasons[i].text;
	return NULL;
}

bool quiet_pair_holds(const struct quiet_pair *pair)
{
	return flow_valid(&pair->flow) && pair->rcv_wnd <= RING_SIZE_MAX &&
	       pair->rcv_wscale <= WINDOW_SCALE_MAX && pair->timestamps <= 1 &&
	       pair->passive <= 1 && pair->reserved == 0 && pair->until_us <= QUIET_TIME_LAST;
}

/* A stamp of the future is nobody's. */
static bool file_believed(const struct quiet_facts *facts)
{
	return facts->file == QUIET_FILE_VALID &&
	       (!facts->same_boot || facts->stamp_us <= facts->now_us);
}

/*
 * The run before had been in quiet time when it ended, and so had sent nothing. After an
 * orderly end that is certain; otherwise its last stamp may be an MSL old.
 */
static bool quiet_was_interrupted(const struct quiet_facts *facts)
{
	uint64_t slack_us = facts->clean ? 0 : facts->msl_us;

	return facts->quiet_until_us > facts->stamp_us &&
	       facts->quiet_until_us - facts->stamp_us > slack_us;
}

/* By the rules, and as if time stood still: the end may be over. */
static struct quiet_decision decide_by_rules(const struct quiet_facts *facts, size_t pairs)
{
	uint64_t wait_us = 2 * facts->msl_us;

	if (!facts->writable)
		return (struct quiet_decision){facts->now_us + wait_us,
		                               QUIET_REASON_STATE_NOT_WRITABLE};
	if (facts->file == QUIET_FILE_ABSENT)
		return (struct quiet_decision){0, QUIET_REASON_FIRST_START};
	if (!file_believed(facts))
		return (struct quiet_decision){facts->now_us + wait_us,
		                               QUIET_REASON_STATE_UNREADABLE};
	if (!facts->same_boot)
		return (struct quiet_decision){wait_us, QUIET_REASON_OTHER_BOOT};
	if (quiet_was_interrupted(facts))
		return (struct quiet_decision){facts->quiet_until_us, QUIET_REASON_INTERRUPTED};
	if (!facts->clean)
		return (struct quiet_decision){facts->stamp_us + wait_us, QUIET_REASON_CRASH};
	return (struct quiet_decision){0, pairs > 0 ? QUIET_REASON_PAIRS_BARRED
	                                            : QUIET_REASON_CLEAN_END};
}

/* Keeps those pairs whose time is not over; none when they are another run's business. */
static size_t pairs_left(const struct quiet_facts *facts, struct quiet_pair *pairs, size_t count)
{
	uint64_t latest_us = facts->now_us + 2 * facts->msl_us;
	size_t kept = 0;

	if (facts->table_survived || !file_believed(facts) || !facts->same_boot || !facts->clean)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (pairs[i].until_us <= facts->now_us)
			continue;
		pairs[kept] = pairs[i];
		if (pairs[kept].until_us > latest_us)
			pairs[kept].until_us = latest_us;
		kept++;
	}
	return kept;
}

struct quiet_decision quiet_decide(const struct quiet_facts *facts, struct quiet_pair *pairs,
                                   size_t *count)
{
	uint64_t longest_us = 2 * facts->msl_us;
	struct quiet_decision decision;

	*count = pairs_left(facts, pairs, *count);
	if (facts->table_survived) {
		decision = (struct quiet_decision){facts->table_until_us, QUIET_REASON_TABLE_KEPT};
		longest_us = QUIET_MAX_US;
	} else if (facts->override == QUIET_OFF) {
		decision = (struct quiet_decision){0, QUIET_REASON_OFF};
	} else if (facts->override == QUIET_FIXED) {
		decision = (struct quiet_decision){facts->now_us + facts->override_us,
		                                   QUIET_REASON_FIXED};
		longest_us = QUIET_MAX_US;
	} else {
		decision = decide_by_rules(facts, *count);
	}
	if (decision.until_us <= facts->now_us)
		decision.until_us = 0;
	else if (decision.until_us - facts->now_us > longest_us)
		decision.until_us = facts->now_us + longest_us;
	return decision;
}
