/*
 * TCP segments between wire and fields (RFC 9293, sections 3.1 and 3.2; RFC
 * 7323, sections 2.2 and 3.2; RFC 2018, sections 2 and 3; RFC 5482, section 3.3).
 *
 * segment_parse reads what strangers send: whatever the bytes are, it reads
 * only inside them, and a segment that it accepts has options of legal length.
 * RFC 9293 (MUST-7) asks to survive illegal ones; here the segment is dropped.
 */
#include "segment.h"

#include <string.h>

#include "bytes.h"

#define OPTION_END            0
#define OPTION_NOP            1
#define OPTION_MSS            2
#define OPTION_WINDOW_SCALE   3
#define OPTION_SACK_PERMITTED 4
#define OPTION_SACK           5
#define OPTION_TIMESTAMPS     8
#define OPTION_USER_TIMEOUT   28

#define LENGTH_MSS            4
#define LENGTH_WINDOW_SCALE   3
#define LENGTH_SACK_PERMITTED 2
#define LENGTH_TIMESTAMPS     10
#define LENGTH_USER_TIMEOUT   4
#define LENGTH_SACK(blocks)   (2 + 8 * (blocks))

/* Lengths as written, with the NOPs that align what follows to 32 bits. */
#define ALIGNED_WINDOW_SCALE   4
#define ALIGNED_SACK_PERMITTED 4
#define ALIGNED_TIMESTAMPS     12
#define ALIGNED_SACK(blocks)   (2 + LENGTH_SACK(blocks))

#define USER_TIMEOUT_MINUTES 0x8000u /* the option counts minutes, not seconds */

/* What a segment is about; ECE and CWR alone make none. */
#define FLAGS_CONTROL (TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG)

static bool flags_are_possible(uint8_t flags)
{
	if ((flags & FLAGS_CONTROL) == 0)
		return false;
	return !((flags & TCP_SYN) && (flags & (TCP_FIN | TCP_RST)));
}

/* LENGTH is that of the whole option; its bytes are all there. */
static bool sack_parse(const uint8_t *option, size_t length, struct segment *s)
{
	size_t blocks = (length - 2) / 8;

	if (blocks < 1 || blocks > TCP_SACK_BLOCKS_MAX || length != LENGTH_SACK(blocks))
		return false;
	s->sack_count = (uint8_t)blocks;
	for (size_t i = 0; i < blocks; i++) {
		s->sack[i].start = bytes_get32(option + 2 + 8 * i);
		s->sack[i].end = bytes_get32(option + 6 + 8 * i);
	}
	return true;
}

/* RFC 5482, 3.4: a time of zero is reserved, and ignored. */
static void user_timeout_parse(const uint8_t *option, struct segment *s)
{
	uint16_t value = bytes_get16(option + 2);
	uint32_t time = value & ~USER_TIMEOUT_MINUTES & 0xffffu;

	s->has_user_timeout = time != 0;
	s->user_timeout_s = (value & USER_TIMEOUT_MINUTES) ? time * 60 : time;
}

/*
 * Takes in one option of LENGTH bytes, at least 2 and all there; false when the
 * length is not legal for its kind. What belongs on a SYN only is checked
 * elsewhere, too, but not taken.
 */
static bool option_parse(const uint8_t *option, size_t length, struct segment *s)
{
	bool syn = s->flags & TCP_SYN;

	switch (option[0]) {
	case OPTION_MSS:
		if (length != LENGTH_MSS)
			return false;
		s->has_mss = syn;
		s->mss = syn ? bytes_get16(option + 2) : 0;
		return true;
	case OPTION_WINDOW_SCALE:
		if (length != LENGTH_WINDOW_SCALE)
			return false;
		s->has_window_scale = syn;
		s->window_scale = syn ? option[2] : 0;
		return true;
	case OPTION_SACK_PERMITTED:
		if (length != LENGTH_SACK_PERMITTED)
			return false;
		s->sack_permitted = syn;
		return true;
	case OPTION_TIMESTAMPS:
		if (length != LENGTH_TIMESTAMPS)
			return false;
		s->has_timestamps = true;
		s->ts_value = bytes_get32(option + 2);
		s->ts_echo = bytes_get32(option + 6);
		return true;
	case OPTION_USER_TIMEOUT:
		if (length != LENGTH_USER_TIMEOUT)
			return false;
		user_timeout_parse(option, s);
		return true;
	case OPTION_SACK:
		return sack_parse(option, length, s);
	default:
		return true; /* RFC 9293, MUST-6 */
	}
}

static bool options_parse(const uint8_t *options, size_t length, struct segment *s)
{
	size_t at = 0;

	while (at < length) {
		size_t option_length;

		if (options[at] == OPTION_END)
			return true;
		if (options[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (length - at < 2)
			return false;
		option_length = options[at + 1];
		if (option_length < 2 || option_length > length - at)
			return false;
		if (!option_parse(options + at, option_length, s))
			return false;
		at += option_length;
	}
	return true;
}

enum segment_error segment_parse(const uint8_t *bytes, size_t length, struct segment *segment)
{
	size_t header_length;

	memset(segment, 0, sizeof(*segment));
	if (length < TCP_HEADER_MIN)
		return SEGMENT_SHORT;
	header_length = (size_t)(bytes[12] >> 4) * 4;
	if (header_length < TCP_HEADER_MIN)
		return SEGMENT_OFFSET;
	if (header_length > length)
		return SEGMENT_SHORT;

	segment->src_port = bytes_get16(bytes);
	segment->dst_port = bytes_get16(bytes + 2);
	segment->seq = bytes_get32(bytes + 4);
	segment->ack = bytes_get32(bytes + 8);
	segment->flags = bytes[13];
	segment->window = bytes_get16(bytes + 14);
	segment->urgent = bytes_get16(bytes + 18);
	segment->data = bytes + header_length;
	/* An IP packet is far shorter than 4 GiB; cut off, it would still be inside. */
	segment->data_length = (uint32_t)(length - header_length);

	if (segment->src_port == 0 || segment->dst_port == 0)
		return SEGMENT_PORT;
	if (!flags_are_possible(segment->flags))
		return SEGMENT_FLAGS;
	if (!options_parse(bytes + TCP_HEADER_MIN, header_length - TCP_HEADER_MIN, segment))
		return SEGMENT_OPTION;
	return SEGMENT_OK;
}

/* Length of everything but SACK blocks: at most 40, always a multiple of 4. */
static size_t fixed_length(const struct segment *s)
{
	size_t length = TCP_HEADER_MIN;

	if (s->has_mss)
		length += LENGTH_MSS;
	if (s->has_timestamps)
		length += ALIGNED_TIMESTAMPS; /* SACK-permitted takes the NOPs' place */
	else if (s->sack_permitted)
		length += ALIGNED_SACK_PERMITTED;
	if (s->has_window_scale)
		length += ALIGNED_WINDOW_SCALE;
	if (s->has_user_timeout)
		length += LENGTH_USER_TIMEOUT;
	return length;
}

/* How many SACK blocks fit behind the other options. */
static size_t sack_blocks(const struct segment *s)
{
	size_t room = TCP_HEADER_MAX - fixed_length(s);
	size_t blocks = s->sack_count;

	if (blocks > TCP_SACK_BLOCKS_MAX)
		blocks = TCP_SACK_BLOCKS_MAX;
	while (blocks > 0 && ALIGNED_SACK(blocks) > room)
		blocks--;
	return blocks;
}

size_t segment_header_length(const struct segment *segment)
{
	size_t blocks = sack_blocks(segment);

	return fixed_length(segment) + (blocks > 0 ? ALIGNED_SACK(blocks) : 0);
}

static uint8_t *put_option(uint8_t *at, uint8_t kind, uint8_t length)
{
	at[0] = kind;
	at[1] = length;
	return at + 2;
}

static uint8_t *put_nops(uint8_t *at, size_t count)
{
	memset(at, OPTION_NOP, count);
	return at + count;
}

static uint8_t *put_sack(uint8_t *at, const struct segment *s)
{
	size_t blocks = sack_blocks(s);

	if (blocks == 0)
		return at;
	at = put_option(put_nops(at, 2), OPTION_SACK, (uint8_t)LENGTH_SACK(blocks));
	for (size_t i = 0; i < blocks; i++, at += 8) {
		bytes_put32(at, s->sack[i].start);
		bytes_put32(at + 4, s->sack[i].end);
	}
	return at;
}

/* In seconds as long as these fit, then in minutes, rounded up. */
static uint8_t *put_user_timeout(uint8_t *at, const struct segment *s)
{
	uint32_t time = s->user_timeout_s;

	if (!s->has_user_timeout)
		return at;
	at = put_option(at, OPTION_USER_TIMEOUT, LENGTH_USER_TIMEOUT);
	if (time < USER_TIMEOUT_MINUTES)
		bytes_put16(at, (uint16_t)time);
	else
		bytes_put16(at, (uint16_t)(USER_TIMEOUT_MINUTES | (time + 59) / 60));
	return at + 2;
}

static uint8_t *put_options(uint8_t *at, const struct segment *s)
{
	if (s->has_mss) {
		at = put_option(at, OPTION_MSS, LENGTH_MSS);
		bytes_put16(at, s->mss);
		at += 2;
	}
	if (s->sack_permitted && s->has_timestamps)
		at = put_option(at, OPTION_SACK_PERMITTED, LENGTH_SACK_PERMITTED);
	else if (s->sack_permitted)
		at = put_option(put_nops(at, 2), OPTION_SACK_PERMITTED, LENGTH_SACK_PERMITTED);
	else if (s->has_timestamps)
		at = put_nops(at, 2);
	if (s->has_timestamps) {
		at = put_option(at, OPTION_TIMESTAMPS, LENGTH_TIMESTAMPS);
		bytes_put32(at, s->ts_value);
		bytes_put32(at + 4, s->ts_echo);
		at += 8;
	}
	if (s->has_window_scale) {
		at = put_option(put_nops(at, 1), OPTION_WINDOW_SCALE, LENGTH_WINDOW_SCALE);
		*at++ = s->window_scale;
	}
	at = put_user_timeout(at, s);
	return put_sack(at, s);
}

size_t segment_build(uint8_t *bytes, const struct segment *segment)
{
	size_t length = (size_t)(put_options(bytes + TCP_HEADER_MIN, segment) - bytes);

	bytes_put16(bytes, segment->src_port);
	bytes_put16(bytes + 2, segment->dst_port);
	bytes_put32(bytes + 4, segment->seq);
	bytes_put32(bytes + 8, segment->ack);
	bytes[12] = (uint8_t)(length / 4 << 4);
	bytes[13] = segment->flags;
	bytes_put16(bytes + 14, segment->window);
	bytes_put16(bytes + 16, 0);
	bytes_put16(bytes + 18, segment->urgent);
	return length;
}
