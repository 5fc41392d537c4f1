/*
 * IP headers around TCP (RFC 791, section 3.1; RFC 8200, section 3). What
 * arrives was checked by the kernel, which reassembled it too, but nothing here
 * relies on that: every length is compared with the bytes that are there.
 */
#include "ip.h"

#include <string.h>

#include "bytes.h"

#define IP4_HEADER        20
#define IP6_HEADER        40
#define PROTOCOL_TCP      6
#define IP4_DONT_FRAGMENT 0x4000
#define IP4_FRAGMENT_MASK 0x3fff /* more fragments, and the offset */

enum ip_error ip4_parse(const uint8_t *bytes, size_t length, struct packet_in *packet)
{
	size_t header_length, total_length;

	if (length < IP4_HEADER)
		return IP_SHORT;
	if (bytes[0] >> 4 != 4)
		return IP_NOT_TCP;
	header_length = (size_t)(bytes[0] & 0x0f) * 4;
	total_length = bytes_get16(bytes + 2);
	if (total_length == 0)
		total_length = length;
	if (header_length < IP4_HEADER || header_length > total_length || total_length > length)
		return IP_SHORT;
	if (bytes[9] != PROTOCOL_TCP || (bytes_get16(bytes + 6) & IP4_FRAGMENT_MASK) != 0)
		return IP_NOT_TCP;

	memset(&packet->src, 0, sizeof(packet->src));
	memset(&packet->dst, 0, sizeof(packet->dst));
	packet->src.version = packet->dst.version = IP_V4;
	memcpy(packet->src.bytes, bytes + 12, 4);
	memcpy(packet->dst.bytes, bytes + 16, 4);
	packet->tos = bytes[1];
	packet->ttl = bytes[8];
	packet->tcp = bytes + header_length;
	packet->tcp_length = total_length - header_length;
	return IP_OK;
}

/* A length field of 16 bits; 0, as with jumbo packets, when it doesn't fit. */
static uint16_t length16(size_t length)
{
	return length <= UINT16_MAX ? (uint16_t)length : 0;
}

static size_t ip4_build(uint8_t *bytes, const struct ip_address *src, const struct ip_address *dst,
                        uint8_t tos, uint8_t ttl, size_t tcp_length)
{
	memset(bytes, 0, IP4_HEADER);
	bytes[0] = 4 << 4 | IP4_HEADER / 4;
	bytes[1] = tos;
	bytes_put16(bytes + 2, length16(IP4_HEADER + tcp_length));
	bytes_put16(bytes + 6, IP4_DONT_FRAGMENT);
	bytes[8] = ttl;
	bytes[9] = PROTOCOL_TCP;
	memcpy(bytes + 12, src->bytes, 4);
	memcpy(bytes + 16, dst->bytes, 4);
	return IP4_HEADER;
}

static size_t ip6_build(uint8_t *bytes, const struct ip_address *src, const struct ip_address *dst,
                        uint8_t tos, uint8_t ttl, size_t tcp_length)
{
	bytes_put32(bytes, UINT32_C(6) << 28 | (uint32_t)tos << 20);
	bytes_put16(bytes + 4, length16(tcp_length));
	bytes[6] = PROTOCOL_TCP;
	bytes[7] = ttl;
	memcpy(bytes + 8, src->bytes, 16);
	memcpy(bytes + 24, dst->bytes, 16);
	return IP6_HEADER;
}

size_t ip_build(uint8_t *bytes, const struct ip_address *src, const struct ip_address *dst,
                uint8_t tos, uint8_t ttl, size_t tcp_length)
{
	if (dst->version == IP_V6)
		return ip6_build(bytes, src, dst, tos, ttl, tcp_length);
	return ip4_build(bytes, src, dst, tos, ttl, tcp_length);
}
