/*
 * Addresses, endpoints and flows as the stack keeps them: IPv4 and IPv6 alike,
 * without any socket header. Reading and printing them is the daemon's job.
 */
#ifndef STACK_ADDRESS_H
#define STACK_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum ip_version {
	IP_NONE = 0, /* no address: matches any local address in a listener */
	IP_V4 = 4,
	IP_V6 = 6,
};

/* An IPv4 address uses the first four bytes; the rest are zero. */
struct ip_address {
	uint8_t bytes[16];   /* network byte order */
	uint8_t version;     /* enum ip_version */
	uint8_t reserved[3]; /* zero, so that memcmp compares addresses */
};

struct endpoint {
	struct ip_address address;
	uint16_t port; /* host byte order */
	uint16_t reserved;
};

/* The pair of sockets that names a connection (RFC 9293, section 3.4). */
struct flow {
	struct endpoint local;
	struct endpoint peer;
};

/* All addresses that begin with the same bits. */
struct ip_prefix {
	struct ip_address address; /* zero behind these */
	uint32_t bits;             /* 0 to 32 or 128 */
};

static inline bool address_equal(const struct ip_address *a, const struct ip_address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool flow_equal(const struct flow *a, const struct flow *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Bytes of an IP header without options. */
static inline uint16_t address_ip_header(const struct ip_address *a)
{
	return a->version == IP_V6 ? 40 : 20;
}

/*
 * True for 0.0.0.0 and ::, which stand for "any local address" in a listener
 * and never appear in a flow.
 */
bool address_is_any(const struct ip_address *a);

/*
 * True for an address that can be the source of a connection: not any, not
 * multicast, not the IPv4 broadcast (RFC 9293, MUST-63; RFC 1122, 3.2.1.3).
 */
bool address_is_unicast(const struct ip_address *a);

/* True for a unicast address and a port that is not zero; zero wherever nothing is used. */
bool endpoint_valid(const struct endpoint *endpoint);

/*
 * True for a flow that a connection can have: unicast addresses of one IP version, ports
 * that are not zero, and zero wherever nothing is used, so that memcmp compares flows.
 */
bool flow_valid(const struct flow *flow);

/* Zeroes what is behind the prefix's bits; false when these are more than an address has. */
bool prefix_fold(struct ip_prefix *prefix);

/* True for a prefix of an address of either version, folded. */
bool prefix_valid(const struct ip_prefix *prefix);

bool prefix_covers(const struct ip_prefix *prefix, const struct ip_address *a);

static inline bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

#define SOURCE_BITS_V6 64u

/*
 * The key that limits per source count by: the whole IPv4 address, the /64 of
 * an IPv6 address (RFC 4291, 2.5.4: every host may choose its own within that, as often as
 * it likes, RFC 8981; a smaller part would be evaded by anybody, a larger one is several
 * customers of some providers).
 */
struct ip_address address_source(const struct ip_address *a);

#endif
