/*
 * Which congestion control a connection uses, and what several of them share: the
 * initial window (RFC 6928, section 2) and steps of RFC 5681, section 3.1.
 */
#include "congestion.h"

#include <stddef.h>
#include <string.h>

#define INITIAL_WINDOW_BYTES 14600

static const struct congestion_ops *const algorithms[CONGESTION_ALGORITHMS] = {
	[CONGESTION_RENO] = &congestion_reno,
	[CONGESTION_CUBIC] = &congestion_cubic,
	[CONGESTION_BBR] = &congestion_bbr,
};

const struct congestion_ops *congestion_ops(const struct congestion *cc)
{
	/* The number comes from the connection table, which may be damaged. */
	if (cc->algorithm < CONGESTION_ALGORITHMS)
		return algorithms[cc->algorithm];
	return &congestion_reno;
}

int congestion_find(const char *name)
{
	for (int i = 0; i < CONGESTION_ALGORITHMS; i++) {
		if (strcmp(algorithms[i]->name, name) == 0)
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

bool congestion_valid(const struct congestion *cc)
{
	return cc->mss > 0 && cc->mss <= UINT16_MAX && cc->cwnd >= cc->mss &&
	       cc->cwnd <= CONGESTION_CWND_MAX;
}

void congestion_grow(struct congestion *cc, uint32_t bytes)
{
	uint64_t cwnd = (uint64_t)cc->cwnd + bytes;

	cc->cwnd = cwnd < CONGESTION_CWND_MAX ? (uint32_t)cwnd : CONGESTION_CWND_MAX;
}

uint32_t congestion_slow_start(struct congestion *cc, uint32_t bytes)
{
	uint32_t room = cc->ssthresh > cc->cwnd ? cc->ssthresh - cc->cwnd : 0;
	uint32_t growth = bytes < room ? bytes : room;

	congestion_grow(cc, growth);
	return bytes - growth;
}

uint32_t congestion_fraction(const struct congestion *cc, uint32_t flight, uint32_t num,
                             uint32_t den)
{
	uint32_t bytes = (uint32_t)((uint64_t)flight * num / den);

	if (bytes > CONGESTION_CWND_MAX)
		bytes = CONGESTION_CWND_MAX;
	return bytes > 2 * cc->mss ? bytes : 2 * cc->mss;
}

void congestion_marked(struct congestion *cc, uint32_t flight, uint32_t num, uint32_t den)
{
	uint32_t cwnd = (uint32_t)((uint64_t)flight * num / den);

	if (cwnd < cc->mss)
		cwnd = cc->mss;
	if (cwnd < cc->cwnd)
		cc->cwnd = cwnd;
}

void congestion_restore(struct congestion *cc, uint32_t cwnd, uint32_t ssthresh)
{
	if (cwnd > CONGESTION_CWND_MAX)
		cwnd = CONGESTION_CWND_MAX;
	if (cwnd > cc->cwnd)
		cc->cwnd = cwnd;
	cc->ssthresh = ssthresh;
}
