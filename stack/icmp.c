/*
 * ICMP errors about TCP segments of ours (RFC 792, 1191, 4443): reads the quoted
 * segment and sorts the error by what TCP may do about it (RFC 1122, section
 * 4.2.3.9; RFC 5461, section 3). Whether to believe it is the engine's decision
 * (RFC 5927): anyone can forge these.
 */
#include "ip.h"

#include <string.h>

#include "bytes.h"
#include "checksum.h"

#define IP4_HEADER      20
#define IP6_HEADER      40
#define ICMP_HEADER     8
#define TCP_QUOTED      8 /* ports and sequence number: all that routers must quote */
#define PROTOCOL_ICMP   1
#define PROTOCOL_TCP    6
#define IP4_OFFSET_MASK 0x1fff

#define ICMP4_UNREACHABLE          3
#define ICMP4_TIME_EXCEEDED        11
#define ICMP4_PARAMETER_PROBLEM    12
#define ICMP4_FRAGMENTATION_NEEDED 4 /* code */

#define ICMP6_UNREACHABLE       1
#define ICMP6_PACKET_TOO_BIG    2
#define ICMP6_TIME_EXCEEDED     3
#define ICMP6_PARAMETER_PROBLEM 4

/* Sets ports, sequence number and addresses from the quoted segment. */
static void take_quote(struct icmp_error *error, uint8_t version, const uint8_t *src,
                       const uint8_t *dst, const uint8_t *tcp)
{
	size_t address_length = version == IP_V6 ? 16 : 4;

	error->flow.local.address.version = version;
	error->flow.peer.address.version = version;
	memcpy(error->flow.local.address.bytes, src, address_length);
	memcpy(error->flow.peer.address.bytes, dst, address_length);
	error->flow.local.port = bytes_get16(tcp);
	error->flow.peer.port = bytes_get16(tcp + 2);
	error->seq = bytes_get32(tcp + 4);
}

/*
 * The header length of the IPv4 packet at BYTES when it is whole; 0 otherwise.
 * The rest of the packet may be cut off.
 */
static size_t ip4_header(const uint8_t *bytes, size_t length, uint8_t protocol)
{
	size_t header_length;

	if (length < IP4_HEADER || bytes[0] >> 4 != 4)
		return 0;
	header_length = (size_t)(bytes[0] & 0x0f) * 4;
	if (header_length < IP4_HEADER || header_length > length || bytes[9] != protocol)
		return 0;
	/* Only a first fragment has the header of the layer above. */
	if ((bytes_get16(bytes + 6) & IP4_OFFSET_MASK) != 0)
		return 0;
	return header_length;
}

static bool icmp4_quote(const uint8_t *quote, size_t length, struct icmp_error *error)
{
	size_t header_length = ip4_header(quote, length, PROTOCOL_TCP);

	if (header_length == 0 || length - header_length < TCP_QUOTED)
		return false;
	take_quote(error, IP_V4, quote + 12, quote + 16, quote + header_length);
	return true;
}

/* Codes of "destination unreachable": RFC 792, RFC 1122 (3.2.2.1), RFC 1812 (5.2.7.1). */
static bool unreachable4_kind(uint8_t code, enum icmp_kind *kind)
{
	switch (code) {
	case 0:  /* network */
	case 1:  /* host */
	case 5:  /* source route failed */
	case 6:  /* network unknown */
	case 7:  /* host unknown */
	case 8:  /* source host isolated */
	case 11: /* network, for this type of service */
	case 12: /* host, for this type of service */
		*kind = ICMP_SOFT;
		return true;
	case 2:  /* protocol */
	case 3:  /* port */
	case 9:  /* network prohibited */
	case 10: /* host prohibited */
	case 13: /* communication prohibited */
	case 14: /* host precedence violation */
	case 15: /* precedence cut-off */
		*kind = ICMP_HARD;
		return true;
	case ICMP4_FRAGMENTATION_NEEDED:
		*kind = ICMP_TOO_BIG;
		return true;
	default:
		return false;
	}
}

/* Source quench is no error any more (RFC 6633), nor is a redirect one to TCP. */
static bool icmp4_kind(const uint8_t *icmp, enum icmp_kind *kind)
{
	switch (icmp[0]) {
	case ICMP4_UNREACHABLE:
		return unreachable4_kind(icmp[1], kind);
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAMETER_PROBLEM:
		*kind = ICMP_SOFT;
		return true;
	default:
		return false;
	}
}

bool icmp4_parse(const uint8_t *bytes, size_t length, struct icmp_error *error)
{
	size_t header_length = ip4_header(bytes, length, PROTOCOL_ICMP), total_length;
	const uint8_t *icmp;

	memset(error, 0, sizeof(*error));
	if (header_length == 0)
		return false;
	total_length = bytes_get16(bytes + 2);
	if (total_length > length || total_length < header_length + ICMP_HEADER)
		return false;
	icmp = bytes + header_length;
	length = total_length - header_length;
	/* A raw socket is handed ICMP before the kernel looks at this. */
	if (checksum_fold(checksum_add(0, icmp, length)) != 0xffff)
		return false;
	if (!icmp4_kind(icmp, &error->kind))
		return false;
	if (error->kind == ICMP_TOO_BIG)
		error->mtu = bytes_get16(icmp + 6); /* RFC 1191, section 4 */
	return icmp4_quote(icmp + ICMP_HEADER, length - ICMP_HEADER, error);
}

static bool icmp6_quote(const uint8_t *quote, size_t length, struct icmp_error *error)
{
	if (length < IP6_HEADER + TCP_QUOTED || quote[0] >> 4 != 6)
		return false;
	/* Ours have no extension headers. */
	if (quote[6] != PROTOCOL_TCP)
		return false;
	take_quote(error, IP_V6, quote + 8, quote + 24, quote + IP6_HEADER);
	return true;
}

/* Codes of "destination unreachable": RFC 4443, section 3.1; 7: RFC 6550, section 20.17. */
static bool unreachable6_kind(uint8_t code, enum icmp_kind *kind)
{
	switch (code) {
	case 0: /* no route */
	case 2: /* beyond the scope of the source address */
	case 3: /* address */
	case 7: /* error in source routing header */
		*kind = ICMP_SOFT;
		return true;
	case 1: /* prohibited */
	case 4: /* port */
	case 5: /* source address failed policy */
	case 6: /* reject route */
		*kind = ICMP_HARD;
		return true;
	default:
		return false;
	}
}

static bool icmp6_kind(const uint8_t *icmp, enum icmp_kind *kind)
{
	switch (icmp[0]) {
	case ICMP6_UNREACHABLE:
		return unreachable6_kind(icmp[1], kind);
	case ICMP6_PACKET_TOO_BIG:
		*kind = ICMP_TOO_BIG; /* whatever the code: RFC 4443, section 3.2 */
		return true;
	case ICMP6_TIME_EXCEEDED:
		*kind = ICMP_SOFT;
		return true;
	case ICMP6_PARAMETER_PROBLEM:
		/* Code 1, unknown next header, is IPv6's "protocol unreachable". */
		*kind = icmp[1] == 1 ? ICMP_HARD : ICMP_SOFT;
		return true;
	default:
		return false;
	}
}

bool icmp6_parse(const uint8_t *bytes, size_t length, struct icmp_error *error)
{
	memset(error, 0, sizeof(*error));
	if (length < ICMP_HEADER)
		return false;
	if (!icmp6_kind(bytes, &error->kind))
		return false;
	if (error->kind == ICMP_TOO_BIG)
		error->mtu = bytes_get32(bytes + 4);
	return icmp6_quote(bytes + ICMP_HEADER, length - ICMP_HEADER, error);
}
