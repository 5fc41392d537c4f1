/* What the ends of a connection may say: see tap.h. */
#include "tests/sim/tap.h"

#include <string.h>

#include "stack/segment.h"
#include "stack/seq.h"
#include "tests/sim/stream.h"

/*
 * A SYN begins anew, unless it is one of the same again, or of a handshake that has been
 * completed with another number. False: it is over with that.
 */
static bool hear_syn(struct tap_side *side, const struct segment *seg)
{
	struct tap_side before = *side;

	if (side->syn && side->iss == seg->seq)
		return true;
	if (side->settled && (seg->flags & TCP_ACK))
		return false;
	*side = (struct tap_side){
		.key = before.key,
		.total = before.total,
		.segments = before.segments,
		.syn = true,
		.iss = seg->seq,
		.scaling = seg->has_window_scale,
		.scale = seg->window_scale,
		.offers = before.offers + 1,
	};
	memcpy(side->offer, before.offer, sizeof(side->offer));
	side->offer[before.offers % TAP_OFFERS] = seg->seq;
	return true;
}

/* The first ACK of a SYN says which one: the last, or one before it. */
static void hear_choice(struct tap_side *other, const struct segment *seg)
{
	if (other->settled || !other->syn)
		return;
	for (unsigned i = 0; i < TAP_OFFERS && i < other->offers; i++)
		if (other->offer[i] + 1 == seg->ack) {
			other->iss = other->offer[i];
			other->settled = true;
		}
}

static const char *hear_data(const struct tap_side *side, const struct tap_side *other,
                             const struct segment *seg)
{
	uint32_t end = seg->seq + seg->data_length;
	uint32_t offset = seg->seq - side->iss - 1;

	if (offset + (uint64_t)seg->data_length > side->total)
		return "data beyond the end of its stream";
	if (stream_compare(side->key, offset, seg->data, seg->data_length) != seg->data_length)
		return "a byte that is not its stream's";
	if (side->fin && seq_gt(end, side->fin_seq))
		return "data beyond its FIN";
	if (other->acked && seq_gt(end, other->edge + 1))
		return "data beyond the window offered";
	return NULL;
}

static const char *hear_fin(struct tap_side *side, const struct segment *seg)
{
	uint32_t at = seg->seq + seg->data_length;

	if (side->fin && side->fin_seq != at)
		return "a FIN at another place than before";
	if (at != side->iss + 1 + (uint32_t)side->total)
		return "a FIN that is not at the end of its stream";
	side->fin = true;
	side->fin_seq = at;
	return NULL;
}

static const char *hear_ack(const struct tap *tap, struct tap_side *side,
                            const struct tap_side *other, const struct segment *seg)
{
	bool scaled = side->scaling && other->scaling && !tap->unscaled;
	uint8_t scale = (seg->flags & TCP_SYN) || !scaled ? 0 : side->scale;
	uint32_t edge = seg->ack + ((uint32_t)seg->window << scale);
	/* what does not fill a unit of the scale can't be said */
	uint32_t blur = scaled ? 1u << side->scale : 0;

	if (side->acked && seq_lt(seg->ack, side->ack))
		return "an ACK number lower than before";
	if (side->acked && seq_lt(edge + blur, side->edge))
		return "a window that takes back what it had offered";
	side->ack = seg->ack;
	side->edge = side->acked ? seq_max(side->edge, edge) : edge;
	side->acked = true;
	return NULL;
}

const char *tap_hear(struct tap *tap, unsigned number, const struct packet_out *packet)
{
	struct tap_side *side = &tap->side[number], *other = &tap->side[!number];
	size_t ip = address_ip_header(&packet->dst);
	const char *wrong = NULL;
	struct segment seg;

	if (segment_parse(packet->header + ip, packet->header_length - ip, &seg) != SEGMENT_OK)
		return "a segment that cannot be read";
	seg.data = packet->data;
	seg.data_length = packet->data_length;
	side->segments++;
	if (seg.flags & TCP_RST)
		return NULL;
	if ((seg.flags & TCP_SYN) && !hear_syn(side, &seg))
		return NULL;
	if (seg.flags & TCP_ACK)
		hear_choice(other, &seg);
	if (!side->syn)
		return "a segment before its SYN";
	if (seg.flags & TCP_ACK)
		wrong = hear_ack(tap, side, other, &seg);
	if (wrong == NULL && seg.data_length > 0)
		wrong = hear_data(side, other, &seg);
	if (wrong == NULL && (seg.flags & TCP_FIN))
		wrong = hear_fin(side, &seg);
	if (wrong == NULL && seg.has_timestamps) {
		if (side->stamped && seq_lt(seg.ts_value, side->stamp))
			wrong = "a timestamp lower than before";
		side->stamp = seg.ts_value;
		side->stamped = true;
	}
	return wrong;
}
