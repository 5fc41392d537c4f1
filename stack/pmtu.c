/*
 * The path MTU: segments as large as the path carries (RFC 1191, 8201), whether it says
 * so or not (RFC 4821, 8899), and whoever else may say so (RFC 5927).
 *
 * Theory of operation
 *
 * A connection begins with the interface's MTU; nothing is ever fragmented. What was
 * delivered is proof (`proven`): a segment that was sent once and is acknowledged. Three
 * things change the size in use:
 *
 * ICMP "too big", which anybody can forge. It is believed at once while the size in use is
 * not proven, or when it is about a probe. Against proof it waits until a time-out confirms
 * it, and progress refutes it (RFC 5927, 7.2). It never makes segments larger, nor smaller
 * than a floor.
 *
 * A black hole: time-outs in a row of segments above BASE mean that nothing large arrives
 * any more, and that nobody says so. The size falls to BASE, then, for IPv4, to the floor.
 *
 * The search: when there is enough to send, one segment larger than the others, of real
 * data. Delivered, it is the new size. Lost, it is sent again in small ones, but no
 * congestion; a size that is lost PROBES_LOST_MAX times is above the path's. The first try
 * is the largest size, which undoes a wrong belief at once; then Ethernet's; then halves.
 * A search ends when little can be won; after RAISE_US there may be another path.
 */
#include "engine.h"

/* Below, a "path MTU" is an attack (RFC 8201, section 4; for IPv4 as Linux's min_pmtu). */
#define FLOOR_V4 552u
#define FLOOR_V6 1280u
#define BASE_V4  1024u /* RFC 4821, 7.2 */

#define ETHERNET          1500u
#define SEARCH_ENOUGH     16u /* a search ends when it could win less than this */
#define PROBES_LOST_MAX   2u
#define RAISE_US          600000000ULL /* RFC 8201, section 4; RFC 8899, 5.1.1 */
#define TIMEOUTS_UNPROVEN 2u           /* in a row, that mean a black hole; */
#define TIMEOUTS_PROVEN   3u           /* ... where the size had arrived before */
#define MORE_SEGMENTS     2u /* behind a probe, so that its loss is seen without a time-out */

/* ---- sizes ---- */

static bool pmtu_v6(const struct conn *c)
{
	return c->identity.flow.peer.address.version == IP_V6;
}

static uint32_t pmtu_floor(const struct conn *c)
{
	return pmtu_v6(c) ? FLOOR_V6 : FLOOR_V4;
}

/* Header bytes of a data segment's packet. */
static uint32_t pmtu_headers(const struct conn *c)
{
	return (uint32_t)address_ip_header(&c->identity.flow.peer.address) + TCP_HEADER_MIN +
	       ((c->flags & CONN_TIMESTAMPS) ? 12 : 0);
}

static uint32_t pmtu_payload(const struct conn *c, uint32_t mtu)
{
	return mtu - pmtu_headers(c);
}

static uint32_t pmtu_least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The largest packet that the interface and the peer's MSS option allow. */
static uint32_t pmtu_limit(const struct conn *c)
{
	const struct ip_address *peer = &c->identity.flow.peer.address;
	uint32_t headers = (uint32_t)address_ip_header(peer) + TCP_HEADER_MIN;

	return headers + pmtu_least(mss_for_mtu(peer, c->identity.mtu), c->peer_mss);
}

/* The packet size of a full segment: below mtu when the peer's MSS option is smaller. */
static uint32_t pmtu_full(const struct conn *c)
{
	return c->snd_mss + pmtu_headers(c);
}

void pmtu_init(struct conn *c)
{
	const struct ip_address *peer = &c->identity.flow.peer.address;
	uint32_t headers = (uint32_t)address_ip_header(peer) + TCP_HEADER_MIN;
	uint32_t mtu = headers + mss_for_mtu(peer, c->identity.mtu);

	c->pmtu = (struct pmtu){.mtu = mtu, .high = mtu, .raise_us = TIMER_NEVER};
}

bool pmtu_valid(const struct conn *c)
{
	const struct pmtu *p = &c->pmtu;

	return p->mtu > pmtu_headers(c) && p->mtu <= PMTU_MOST && p->high <= PMTU_MOST &&
	       p->proven <= PMTU_MOST && p->probe <= PMTU_MOST && p->state <= PMTU_SEARCHING &&
	       c->snd_mss + pmtu_headers(c) <= PMTU_MOST;
}

void pmtu_take_over(struct conn *c)
{
	c->pmtu.probe = 0; /* its record is gone: nobody will say what became of it */
}

/* The size in use is MTU from now on. */
static void pmtu_use(struct conn *c, uint32_t mtu)
{
	struct congestion *cc = &c->congestion;

	c->pmtu.mtu = mtu;
	conn_set_mss(c);
	cc->mss = c->snd_mss;
	if (cc->cwnd < cc->mss)
		cc->cwnd = cc->mss;
}

static void pmtu_complete(struct stack *s, struct conn *c)
{
	struct pmtu *p = &c->pmtu;

	p->state = PMTU_COMPLETE;
	p->failed = 0;
	p->raise_us = p->mtu < pmtu_limit(c) ? s->event.now_us + RAISE_US : TIMER_NEVER;
}

/* ---- the search ---- */

/* The size to try next; 0 when there is nothing to try, and the search may be over. */
static uint32_t pmtu_next(struct stack *s, struct conn *c)
{
	struct pmtu *p = &c->pmtu;

	if (p->state == PMTU_COMPLETE && s->event.now_us >= p->raise_us) {
		p->state = PMTU_SEARCHING;
		p->high = pmtu_limit(c);
		p->try_high = 1;
	}
	if (p->state == PMTU_COMPLETE || p->probe != 0 || p->proven < pmtu_full(c))
		return 0;
	if (p->high <= p->mtu || (!p->try_high && p->high - p->mtu < SEARCH_ENOUGH)) {
		pmtu_complete(s, c);
		return 0;
	}
	if (p->try_high)
		return p->high;
	if (p->mtu < ETHERNET && ETHERNET < p->high)
		return ETHERNET;
	return p->mtu + (p->high - p->mtu + 1) / 2;
}

uint32_t pmtu_segment(struct stack *s, uint32_t slot, uint64_t available, int32_t window)
{
	struct conn *c = event_conn(s, slot);
	uint32_t next = pmtu_next(s, c);
	uint32_t length, more;

	if (next == 0 || c->recovery != RECOVERY_OPEN || slot_recovery(s, slot)->sent.lost > 0)
		return c->snd_mss;
	/* without SACK, the duplicates that the last one brought must be over */
	if (!(c->flags & CONN_SACK) && c->dup_acks > 0)
		return c->snd_mss;
	length = pmtu_payload(c, next);
	more = length + MORE_SEGMENTS * c->snd_mss;
	if (available < more || window < (int32_t)more || c->congestion.cwnd < more)
		return c->snd_mss;
	return length;
}

void pmtu_sent(struct stack *s, uint32_t slot, uint32_t seq, uint32_t length)
{
	struct conn *c = event_conn(s, slot);

	if (length <= c->snd_mss)
		return;
	c->pmtu.probe = length + pmtu_headers(c);
	c->pmtu.probe_at = seq;
	s->stats.pmtu_probes++;
}

void pmtu_delivered(struct stack *s, uint32_t slot, uint32_t length)
{
	struct conn *c = event_conn(s, slot);
	struct pmtu *p = &c->pmtu;
	uint32_t size = length + pmtu_headers(c);

	if (size <= p->proven || size > pmtu_limit(c))
		return;
	p->proven = size;
	if (p->probe != 0 && size >= p->probe)
		p->probe = p->failed = 0;
	if (size > p->mtu)
		pmtu_use(c, size);
}

bool pmtu_is_probe(const struct conn *c, uint32_t seq)
{
	return c->pmtu.probe != 0 && seq == c->pmtu.probe_at;
}

bool pmtu_lost(struct stack *s, uint32_t slot, uint32_t seq)
{
	struct conn *c = event_conn(s, slot);
	struct pmtu *p = &c->pmtu;

	if (!pmtu_is_probe(c, seq))
		return false;
	s->stats.pmtu_probes_lost++;
	if (++p->failed >= PROBES_LOST_MAX) {
		p->high = p->probe - 1;
		p->try_high = 0;
		p->failed = 0;
	}
	p->probe = 0;
	return true;
}

void pmtu_acked(struct stack *s, uint32_t slot)
{
	struct pmtu *p = &event_conn(s, slot)->pmtu;
	uint32_t una = slot_conn(s, slot)->snd_una;

	if (p->probe != 0 && seq_gt(una, p->probe_at))
		p->probe = 0; /* nobody knows by which copy */
	if (p->claim != 0 && seq_gt(una, p->claim_at))
		p->claim = 0; /* what it quoted has arrived */
}

/* ---- smaller ---- */

/* The path is said to carry no more than MTU. */
static void pmtu_lower(struct stack *s, uint32_t slot, uint32_t mtu)
{
	struct conn *c = event_conn(s, slot);
	struct pmtu *p = &c->pmtu;

	p->claim = p->probe = 0;
	p->high = mtu;
	p->proven = pmtu_least(p->proven, mtu);
	pmtu_use(c, mtu);
	pmtu_complete(s, c);
	recovery_resend(s, slot, c->snd_mss);
}

/* RFC 1191, section 7.1: what an old router, which names no MTU, may have meant. */
static uint32_t pmtu_plateau(uint32_t size)
{
	static const uint32_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006};

	for (size_t i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
		if (plateaus[i] < size)
			return plateaus[i];
	return FLOOR_V4;
}

/* About the probe: that is what it was sent for. */
static void pmtu_probe_too_big(struct stack *s, uint32_t slot, uint32_t mtu)
{
	struct conn *c = event_conn(s, slot);
	struct pmtu *p = &c->pmtu;

	s->stats.pmtu_probes_lost++;
	p->probe = p->failed = 0;
	p->high = mtu;
	p->try_high = 1;
	recovery_resend(s, slot, c->snd_mss);
}

void pmtu_too_big(struct stack *s, uint32_t slot, uint32_t seq, uint32_t mtu)
{
	struct conn *c = event_conn(s, slot);
	struct pmtu *p = &c->pmtu;
	bool probe = pmtu_is_probe(c, seq);

	if (pmtu_v6(c) && mtu < FLOOR_V6)
		return; /* RFC 8201, section 4 */
	if (mtu == 0)
		mtu = pmtu_plateau(probe ? p->probe : pmtu_full(c));
	if (mtu < pmtu_floor(c))
		mtu = pmtu_floor(c);
	if (probe && mtu >= p->mtu && mtu < p->probe) {
		pmtu_probe_too_big(s, slot, mtu);
	} else if (mtu < pmtu_full(c) && mtu >= p->proven) {
		pmtu_lower(s, slot, mtu);
	} else if (mtu < pmtu_full(c) && mtu > p->claim) {
		/* of several, the one that harms least: the next is believed at once */
		p->claim = mtu;
		p->claim_at = seq;
		s->stats.icmp_held++;
	}
}

/* Packets of SIZE do not arrive any more: as small as they surely do, and search from there. */
static void pmtu_black_hole(struct stack *s, uint32_t slot, uint32_t size)
{
	struct conn *c = event_conn(s, slot);
	struct pmtu *p = &c->pmtu;
	uint32_t base = pmtu_v6(c) ? FLOOR_V6 : BASE_V4;

	if (p->high < p->mtu)
		p->high = p->mtu;
	p->high = pmtu_least(p->high, pmtu_limit(c));
	p->state = PMTU_SEARCHING;
	p->try_high = 1;
	p->failed = PROBES_LOST_MAX - 1; /* all that was lost by now was one */
	p->proven = p->probe = 0;
	p->black_holes++;
	s->stats.pmtu_black_holes++;
	pmtu_use(c, size > base ? base : pmtu_floor(c));
	recovery_resend(s, slot, c->snd_mss);
}

void pmtu_timeout(struct stack *s, uint32_t slot)
{
	const struct conn *c = event_conn(s, slot);
	const struct pmtu *p = &c->pmtu;
	/* what is sent again in one packet */
	uint32_t size = pmtu_headers(c) + pmtu_least(c->snd_nxt - c->snd_una, c->snd_mss);
	uint32_t enough = p->proven < size ? TIMEOUTS_UNPROVEN : TIMEOUTS_PROVEN;

	if (!(c->flags & CONN_SYN_ACKED))
		return;
	if (p->claim != 0)
		pmtu_lower(s, slot, p->claim);
	else if (c->retransmits >= enough && size > pmtu_floor(c))
		pmtu_black_hole(s, slot, size);
}
