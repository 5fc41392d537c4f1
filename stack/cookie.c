/*
 * SYN cookies (RFC 4987, section 3.6; "SYN cookies", D. J. Bernstein): when the half-open
 * entries run out, a SYN is answered without keeping anything. What must be known when the
 * third segment comes is in the numbers that it brings back.
 *
 * Theory of operation. The SYN-ACK's sequence number is
 *
 *     mask(flow, peer's ISN) + period * 2^24 + (code(flow, peer's ISN, options, period) + m) mod 2^24
 *
 * where mask and code are SipHash under a secret of the table's header, period counts
 * COOKIE_PERIOD_US and m is the index of the peer's MSS, rounded down, in a small table.
 * A third segment is believed when its period is this one or the one before and m is an
 * index: of 2^32 numbers 16 are good at any time, and the limit on checks (answer.c) makes
 * guessing one by the way a matter of hours. Secret and clock outlive a master, so the next
 * one accepts the cookies of this one.
 *
 * Window scale, SACK and ECN need the peer's timestamps: they are the lowest six bits of
 * ours in the SYN-ACK, which the peer echoes. The value is lowered to fit, by up to 64 ms,
 * never raised, so that it does not run ahead of what follows. A peer without timestamps
 * gets a connection without these. The options are part of the code, too, so a mangled
 * echo makes no connection instead of a wrong one.
 *
 * What a cookie costs: the SYN-ACK is never sent again, and the round trip of the handshake
 * is not known. The peer's MSS may come out up to a step of the table smaller.
 */
#include "engine.h"

#include <string.h>

#include "siphash.h"

#define COOKIE_PERIOD_US 64000000ULL
#define COOKIE_PERIODS   2u /* accepted: this one and the one before */
#define COOKIE_CODE_BITS 24u
#define COOKIE_CODE_MASK ((1u << COOKIE_CODE_BITS) - 1)

/* Bits of the options: those in our timestamp, and whether there is one at all. */
#define OPTION_SCALE      0x0fu /* the peer's window scale; OPTION_NO_SCALE: no such option */
#define OPTION_NO_SCALE   0x0fu
#define OPTION_SACK       0x10u
#define OPTION_ECN        0x20u
#define OPTION_ECHOED     0x3fu
#define OPTION_TIMESTAMPS 0x40u

/*
 * What peers really offer, rounded down: a host without the option, tunnels of several
 * kinds, PPPoE, Ethernet; and something small for the odd one.
 */
#define COOKIE_SIZES 8u
static const uint16_t cookie_mss_v4[COOKIE_SIZES] = {64, 256, 536, 1220, 1340, 1400, 1440, 1460};
static const uint16_t cookie_mss_v6[COOKIE_SIZES] = {64, 536, 1024, 1220, 1340, 1380, 1420, 1440};

static const uint16_t *cookie_sizes(const struct flow *flow)
{
	return flow->peer.address.version == IP_V6 ? cookie_mss_v6 : cookie_mss_v4;
}

/* The index of the largest size that is not above MSS; the first when all are. */
static uint32_t cookie_size(const struct flow *flow, uint16_t mss)
{
	const uint16_t *sizes = cookie_sizes(flow);
	uint32_t index = COOKIE_SIZES - 1;

	while (index > 0 && sizes[index] > mss)
		index--;
	return index;
}

/* ---- the number ---- */

static uint32_t cookie_mask(const struct stack *s, const struct flow *flow, uint32_t irs)
{
	struct {
		struct flow flow;
		uint32_t irs;
	} input = {*flow, irs};

	return (uint32_t)siphash(s->table.header->secrets.cookie, &input, sizeof(input));
}

/*
 * Our window scale is part of it, though it comes from the configuration: should that
 * change, a cookie that promised another one is good no more.
 */
static uint32_t cookie_code(const struct stack *s, const struct flow *flow, uint32_t irs,
                            uint32_t options, uint64_t period)
{
	struct {
		struct flow flow;
		uint32_t irs;
		uint32_t options;
		uint64_t period;
		uint64_t scale;
	} input;

	memset(&input, 0, sizeof(input)); /* whatever padding there is */
	input.flow = *flow;
	input.irs = irs;
	input.options = options;
	input.period = period;
	input.scale = window_scale_for(s->config.receive_buffer);
	return (uint32_t)siphash(s->table.header->secrets.cookie, &input, sizeof(input)) &
	       COOKIE_CODE_MASK;
}

static uint32_t cookie_number(const struct stack *s, const struct half_open *half, uint32_t options,
                              uint64_t now_us)
{
	const struct flow *flow = &half->identity.flow;
	uint64_t period = now_us / COOKIE_PERIOD_US;
	uint32_t code = cookie_code(s, flow, half->irs, options, period) +
	                cookie_size(flow, half->peer_mss);

	return cookie_mask(s, flow, half->irs) + ((uint32_t)period << COOKIE_CODE_BITS) +
	       (code & COOKIE_CODE_MASK);
}

/* ---- options ---- */

/* What a cookie cannot keep is not agreed on. */
static uint32_t cookie_options(struct half_open *half)
{
	uint32_t options = OPTION_TIMESTAMPS;

	if (!(half->flags & CONN_TIMESTAMPS)) {
		half->flags &= ~(CONN_SACK | CONN_SCALING | CONN_ECN | CONN_ECT);
		return 0;
	}
	options |= (half->flags & CONN_SCALING) ? half->snd_wscale : OPTION_NO_SCALE;
	if (half->flags & CONN_SACK)
		options |= OPTION_SACK;
	if (half->flags & CONN_ECT)
		options |= OPTION_ECN;
	return options;
}

/* Our timestamp with the options in its lowest bits, at or shortly before NOW. */
static uint32_t cookie_timestamp(uint32_t now, uint32_t options)
{
	uint32_t value = (now & ~OPTION_ECHOED) | (options & OPTION_ECHOED);

	return seq_gt(value, now) ? value - (OPTION_ECHOED + 1) : value;
}

static void cookie_restore_options(const struct stack *s, struct half_open *half, uint32_t options)
{
	if (!(options & OPTION_TIMESTAMPS))
		return;
	half->flags |= CONN_TIMESTAMPS;
	if (options & OPTION_SACK)
		half->flags |= CONN_SACK;
	if (options & OPTION_ECN)
		half->flags |= CONN_ECN | CONN_ECT;
	if ((options & OPTION_SCALE) != OPTION_NO_SCALE) {
		half->flags |= CONN_SCALING;
		half->snd_wscale = options & OPTION_SCALE;
		half->rcv_wscale = window_scale_for(s->config.receive_buffer);
	}
}

/* ---- a SYN is answered ---- */

bool cookie_wanted(const struct stack *s, const struct syn *syn)
{
	/* its number must lie beyond those of the pair's last connection: an entry can choose it */
	if (syn->after != NULL || s->config.syn_cookies == STACK_COOKIES_OFF)
		return false;
	return s->config.syn_cookies == STACK_COOKIES_ALWAYS || half_open_full(s);
}

/* That cookies are out is kept for a new master, by the second: not a change for each. */
static void cookie_remember(struct stack *s, uint64_t now_us)
{
	uint64_t *last = &s->table.header->cookie_us;

	if (*last <= now_us && now_us - *last < 1000000)
		return;
	table_touch(&s->table, last, sizeof(*last));
	*last = now_us;
}

/* True when a cookie that is out may still be accepted. */
static bool cookie_recent(const struct stack *s, uint64_t now_us)
{
	uint64_t last = s->table.header->cookie_us;

	/* the second is what cookie_remember() leaves out */
	return last != 0 && last <= now_us &&
	       now_us - last < COOKIE_PERIODS * COOKIE_PERIOD_US + 1000000;
}

void cookie_answer(struct stack *s, const struct syn *syn, uint64_t now_us)
{
	struct half_open half = {0};
	uint32_t options, clock = 0;

	event_begin(s, now_us);
	half.identity.flow = *syn->flow;
	half.identity.ifindex = syn->packet->ifindex;
	half.identity.mtu = syn->packet->mtu;
	half_open_fill(s, &half, syn->seg);
	options = cookie_options(&half);
	half.iss = cookie_number(s, &half, options, now_us);
	if (options & OPTION_TIMESTAMPS)
		clock = timestamp_now(timestamp_offset(s, syn->flow), now_us);
	cookie_remember(s, now_us);
	if (emit_syn_ack(s, &half, cookie_timestamp(clock, options)))
		s->stats.cookies_sent++;
	event_end(s);
}

/* ---- the third segment ---- */

/* The options that the segment brings back, as cookie_options() had them. */
static uint32_t cookie_echoed(const struct segment *seg)
{
	return seg->has_timestamps ? OPTION_TIMESTAMPS | (seg->ts_echo & OPTION_ECHOED) : 0;
}

/* The index of the MSS in a good cookie; COOKIE_SIZES when it is none. */
static uint32_t cookie_read(const struct stack *s, const struct flow *flow, uint32_t irs,
                            uint32_t number, uint32_t options, uint64_t now_us)
{
	uint32_t rest = number - cookie_mask(s, flow, irs);
	uint64_t period = now_us / COOKIE_PERIOD_US;
	uint32_t age = ((uint32_t)period - (rest >> COOKIE_CODE_BITS)) & 0xff;
	uint32_t index;

	if (age >= COOKIE_PERIODS || age > period)
		return COOKIE_SIZES;
	index = (rest - cookie_code(s, flow, irs, options, period - age)) & COOKIE_CODE_MASK;
	return index < COOKIE_SIZES ? index : COOKIE_SIZES;
}

enum cookie_verdict cookie_check(struct stack *s, const struct packet_in *packet,
                                 const struct segment *seg, const struct flow *flow,
                                 struct half_open *half, uint64_t now_us)
{
	uint32_t irs = seg->seq - 1, iss = seg->ack - 1, options, index;

	if ((seg->flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK ||
	    s->config.syn_cookies == STACK_COOKIES_OFF || !cookie_recent(s, now_us))
		return COOKIE_NONE;
	if (!answer_source_allowed(s, &s->cookie_checks, &flow->peer.address,
	                           COOKIE_CHECKS_PER_SECOND, now_us)) {
		s->stats.cookies_limited++;
		return COOKIE_LIMITED;
	}
	options = cookie_echoed(seg);
	index = cookie_read(s, flow, irs, iss, options, now_us);
	if (index == COOKIE_SIZES) {
		s->stats.cookies_failed++;
		return COOKIE_NONE;
	}
	s->stats.cookies_accepted++;
	memset(half, 0, sizeof(*half));
	half->identity.flow = *flow;
	half->identity.ifindex = packet->ifindex;
	half->identity.mtu = packet->mtu;
	half->iss = iss;
	half->irs = irs;
	half->ts_recent = seg->ts_value;
	half->window = seg->window;
	half->peer_mss = cookie_sizes(flow)[index];
	half->flags = CONN_COOKIE;
	cookie_restore_options(s, half, options);
	return COOKIE_GOOD;
}
