/*
 * Which congestion control a connection uses, and what all of them share: the
 * initial window (RFC 6928, section 2).
 */
#include "congestion.h"

#include <stddef.h>
#include <string.h>

#define INITIAL_WINDOW_BYTES 14600

static const struct congestion_ops *const algorithms[CONGESTION_ALGORITHMS] = {
	[CONGESTION_RENO] = &congestion_reno,
};

const struct congestion_ops *congestion_ops(const struct congestion *cc)
{
	/* The number comes from the connection table, which may be damaged. */
	if (cc->algorithm < CONGESTION_ALGORITHMS && algorithms[cc->algorithm] != NULL)
		return algorithms[cc->algorithm];
	return &congestion_reno;
}

int congestion_find(const char *name)
{
	for (int i = 0; i < CONGESTION_ALGORITHMS; i++) {
		if (algorithms[i] != NULL && strcmp(algorithms[i]->name, name) == 0)
			return i;
	}
	return -1;
}

uint32_t congestion_initial_window(uint32_t mss)
{
	uint64_t ten = 10 * (uint64_t)mss, two = 2 * (uint64_t)mss;
	uint64_t least = two > INITIAL_WINDOW_BYTES ? two : INITIAL_WINDOW_BYTES;
	uint64_t window = ten < least ? ten : least;

	return window < UINT32_MAX ? (uint32_t)window : UINT32_MAX;
}

void congestion_init(struct congestion *cc, uint32_t algorithm, uint32_t mss, const struct rtt *rtt,
                     uint64_t now_us)
{
	memset(cc, 0, sizeof(*cc));
	cc->algorithm = algorithm < CONGESTION_ALGORITHMS ? algorithm : CONGESTION_RENO;
	cc->mss = mss > 0 ? mss : 1;
	congestion_ops(cc)->init(cc, rtt, now_us);
}
