/*
 * A TCP segment as fields (RFC 9293, section 3.1; options of RFC 7323 and 2018)
 * and its reading and writing. The only place that knows the wire format of TCP.
 */
#ifndef STACK_SEGMENT_H
#define STACK_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40 /* RFC 3168, section 6.1 */
#define TCP_CWR 0x80

#define TCP_HEADER_MIN      20
#define TCP_HEADER_MAX      60
#define TCP_SACK_BLOCKS_MAX 4
#define WINDOW_SCALE_MAX    14u /* RFC 7323, 2.3 */

/* The longest time that the user timeout option can say: 15 bits of minutes (RFC 5482, 3.3). */
#define SEGMENT_USER_TIMEOUT_MAX (32767u * 60)

struct seq_range {
	uint32_t start; /* first sequence number */
	uint32_t end;   /* the one after the last */
};

struct segment {
	uint16_t src_port; /* host byte order, as all here */
	uint16_t dst_port;
	uint32_t seq;
	uint32_t ack;
	uint16_t window; /* as on the wire, not scaled */
	uint16_t urgent;
	uint8_t flags;
	uint8_t ecn; /* enum ip_ecn of the packet around it; not in the bytes */

	bool has_mss;
	bool has_window_scale;
	bool has_timestamps;
	bool sack_permitted;
	bool has_user_timeout;
	uint8_t window_scale; /* as on the wire; RFC 7323 caps its use at 14 */
	uint8_t sack_count;
	uint16_t mss;
	uint32_t ts_value;
	uint32_t ts_echo;
	uint32_t user_timeout_s; /* RFC 5482; of what is sent, at most SEGMENT_USER_TIMEOUT_MAX */
	struct seq_range sack[TCP_SACK_BLOCKS_MAX];

	const uint8_t *data; /* payload; inside the buffer that was parsed */
	uint32_t data_length;
};

enum segment_error {
	SEGMENT_OK = 0,
	SEGMENT_SHORT,  /* fewer bytes than a header, or than its data offset says */
	SEGMENT_OFFSET, /* data offset below 5 */
	SEGMENT_OPTION, /* an option with an illegal length, or past the header's end */
	SEGMENT_FLAGS,  /* a set of flags that no TCP sends: none at all, SYN with FIN or RST */
	SEGMENT_PORT,   /* source or destination port zero */
};

/*
 * Reads the segment in LENGTH bytes at BYTES (any length, any content) into
 * *SEGMENT. Unknown options are skipped by their length (RFC 9293, MUST-6).
 * MSS, window scale and SACK-permitted are taken only from segments with SYN
 * (RFC 9293, MUST-14 context; RFC 7323, 2.2). The checksum is not looked at.
 */
enum segment_error segment_parse(const uint8_t *bytes, size_t length, struct segment *segment);

/*
 * Writes the header of *SEGMENT, options and padding included, to BYTES, which
 * holds at least TCP_HEADER_MAX, with a checksum field of zero; payload is not
 * copied. Returns the header's length. Options, in this order and only when
 * set: MSS, SACK-permitted with timestamps, window scale, user timeout, SACK
 * blocks (as many as fit).
 */
size_t segment_build(uint8_t *bytes, const struct segment *segment);

/* The length that segment_build would return. */
size_t segment_header_length(const struct segment *segment);

/* Sequence space that the segment takes: data, SYN and FIN. */
static inline uint32_t segment_length(const struct segment *s)
{
	return s->data_length + ((s->flags & TCP_SYN) ? 1 : 0) + ((s->flags & TCP_FIN) ? 1 : 0);
}

#endif
