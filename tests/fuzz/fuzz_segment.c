/*
 * Bytes as a TCP header with options: what is read lies inside them, and what is
 * written from it is read again as the same.
 */
#include "tests/fuzz/fuzz.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void same(const struct segment *a, const struct segment *b)
{
	must(a->src_port == b->src_port && a->dst_port == b->dst_port);
	must(a->seq == b->seq && a->ack == b->ack && a->window == b->window);
	must(a->flags == b->flags && a->urgent == b->urgent);
	must(a->has_mss == b->has_mss && (!a->has_mss || a->mss == b->mss));
	must(a->has_timestamps == b->has_timestamps);
	must(!a->has_timestamps || (a->ts_value == b->ts_value && a->ts_echo == b->ts_echo));
	must(a->sack_permitted == b->sack_permitted);
	must(b->sack_count <= a->sack_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	uint8_t *exact = malloc(length > 0 ? length : 1); /* so that nothing lies behind it */
	uint8_t header[TCP_HEADER_MAX];
	struct segment seg, again;

	must(exact != NULL);
	if (length > 0)
		memcpy(exact, bytes, length);
	if (segment_parse(exact, length, &seg) == SEGMENT_OK) {
		size_t built;

		must(seg.data_length <= length - TCP_HEADER_MIN);
		must(seg.data_length == 0 ||
		     (seg.data >= exact && seg.data + seg.data_length == exact + length));
		must(seg.sack_count <= TCP_SACK_BLOCKS_MAX);
		built = segment_build(header, &seg);
		must(built == segment_header_length(&seg) && built <= TCP_HEADER_MAX &&
		     built % 4 == 0);
		must(segment_parse(header, built, &again) == SEGMENT_OK);
		same(&seg, &again);
	}
	free(exact);
	return 0;
}
