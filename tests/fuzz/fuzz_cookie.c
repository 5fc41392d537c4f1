/*
 * SYN cookies (RFC 4987): SYNs of any kind are answered without an entry, and the
 * segments that come back are nearly right, wrong, or too late.
 */
#include "tests/fuzz/fuzz.h"

/* What the last SYN-ACK said. */
static bool take_answer(struct bed *bed)
{
	const struct packet_out *packets;
	bool answered = false;
	size_t count;

	while ((count = stack_output(bed->stack, &packets, bed->now_us)) > 0) {
		for (size_t i = 0; i < count; i++) {
			size_t ip = address_ip_header(&packets[i].dst);
			struct segment seg;

			if (segment_parse(packets[i].header + ip, packets[i].header_length - ip,
			                  &seg) != SEGMENT_OK ||
			    (seg.flags & SYNACK) != SYNACK)
				continue;
			bed->ack = seg.seq + 1;
			bed->ts_echo = seg.ts_value;
			answered = true;
		}
	}
	return answered;
}

static void syn(struct fuzz *fuzz, struct bed *bed)
{
	uint8_t what = fuzz_byte(fuzz);
	struct segment seg;

	bed->seq = fuzz_u32(fuzz);
	seg = peer_segment(bed, what & 1 ? SYN | ECE | CWR : SYN);
	seg.has_mss = what & 2;
	seg.mss = what & 2 ? fuzz_u16(fuzz) : 0;
	seg.has_window_scale = what & 4;
	seg.window_scale = what & 4 ? fuzz_byte(fuzz) : 0;
	seg.sack_permitted = what & 8;
	seg.has_timestamps = what & 16;
	seg.ts_value = bed->ts_value;
	bed->timestamps = what & 16;
	peer_send(bed, &seg);
	bed->seq++;
}

static void answer(struct fuzz *fuzz, struct bed *bed)
{
	static const uint8_t data[64];
	struct segment seg = peer_segment(bed, ACK);
	uint8_t what = fuzz_byte(fuzz);

	seg.ack = fuzz_near(fuzz, bed->ack);
	seg.seq = fuzz_near(fuzz, bed->seq);
	seg.ts_echo = fuzz_near(fuzz, bed->ts_echo);
	if (what & 1)
		bed->flow.peer.port++;
	if (what & 2) {
		seg.data = data;
		seg.data_length = what / 4;
	}
	peer_send(bed, &seg);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct fuzz fuzz = {bytes, length};
	struct stack_config config = bed_config();
	struct bed bed;

	config.syn_cookies = STACK_COOKIES_ALWAYS;
	config.ecn = length > 0 && (bytes[0] & 2);
	bed_open(&bed, fuzz_byte(&fuzz) & 1 ? IP_V6 : IP_V4, &config);
	bed.handle.id = BED_ANY;
	bed.held = true;
	for (unsigned i = 0; i < 20 && fuzz.left > 0; i++) {
		syn(&fuzz, &bed);
		if (!take_answer(&bed))
			continue;
		if (fuzz_byte(&fuzz) & 1)
			bed.now_us += (uint64_t)fuzz_u16(&fuzz) * 10 * MS;
		answer(&fuzz, &bed);
		fuzz_settle(&bed);
	}
	fuzz_run(&fuzz, &bed);
	return 0;
}
