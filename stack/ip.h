/*
 * IP headers around TCP, and the ICMP errors that quote them (RFC 791, 8200,
 * 792, 4443). The only place that knows their wire format.
 */
#ifndef STACK_IP_H
#define STACK_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

#define IP_HEADER_MAX 40

/* The last two bits of type of service and traffic class (RFC 3168, section 5). */
enum ip_ecn {
	IP_ECN_NOT = 0,
	IP_ECN_ECT1 = 1,
	IP_ECN_ECT0 = 2,
	IP_ECN_CE = 3,
};
#define IP_ECN_MASK 3u

/* A TCP segment that has arrived, with what its IP header said. */
struct packet_in {
	struct ip_address src;
	struct ip_address dst;
	uint32_t ifindex; /* interface it came in by; 0 unknown */
	uint32_t mtu;     /* that interface's MTU; 0 unknown */
	uint8_t tos;      /* type of service or traffic class */
	uint8_t ttl;
	const uint8_t *tcp;
	size_t tcp_length;
};

enum ip_error {
	IP_OK = 0,
	IP_SHORT,   /* fewer bytes than the header says */
	IP_NOT_TCP, /* another protocol, another version or a fragment */
};

/*
 * Reads an IPv4 packet of LENGTH bytes (header included, as a raw socket gives
 * it) and sets src, dst, tos, ttl, tcp and tcp_length; bytes past the header's
 * total length are left out. A total length of 0 stands for LENGTH (GRO of more
 * than 64 KiB).
 */
enum ip_error ip4_parse(const uint8_t *bytes, size_t length, struct packet_in *packet);

/*
 * Writes an IPv4 or IPv6 header for TCP_LENGTH bytes of TCP from SRC to DST to
 * BYTES (at least IP_HEADER_MAX) and returns its length. TOS is the type of service
 * or traffic class, TTL the hop limit. Sets DF (RFC 1191); the IPv4 identification and checksum are zero: the kernel fills
 * them under IP_HDRINCL.
 */
size_t ip_build(uint8_t *bytes, const struct ip_address *src, const struct ip_address *dst,
                uint8_t tos, uint8_t ttl, size_t tcp_length);

enum icmp_kind {
	ICMP_TOO_BIG, /* fragmentation needed, packet too big */
	ICMP_SOFT,    /* network, host unreachable, time exceeded: may pass (RFC 5461) */
	ICMP_HARD,    /* protocol, port unreachable, prohibited */
};

/* An ICMP error that quotes a TCP segment of ours. */
struct icmp_error {
	enum icmp_kind kind;
	uint32_t mtu;     /* for ICMP_TOO_BIG; 0 when the router did not say */
	uint32_t seq;     /* of the quoted segment */
	struct flow flow; /* as we know it: local is the quoted source */
};

/*
 * Reads an ICMP message as a raw socket gives it (IPv4: with its IP header;
 * IPv6: from the ICMP header on). Returns false for anything that is not an
 * error about a TCP segment with at least 8 quoted bytes of TCP header, and for
 * an IPv4 message that is cut off or whose checksum is wrong: a raw socket gets
 * those before the kernel has looked (an ICMPv6 one does not). In icmp.c.
 */
bool icmp4_parse(const uint8_t *bytes, size_t length, struct icmp_error *error);
bool icmp6_parse(const uint8_t *bytes, size_t length, struct icmp_error *error);

#endif
