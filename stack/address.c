/*
 * What kind of address this is: any, unicast, and whose it counts as.
 */
#include "address.h"

#define SOURCE_PREFIX_BYTES (SOURCE_BITS_V6 / 8)

static bool all_bytes_are(const uint8_t *bytes, size_t length, uint8_t value)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

bool address_is_any(const struct ip_address *a)
{
	switch (a->version) {
	case IP_V4:
		return all_bytes_are(a->bytes, 4, 0);
	case IP_V6:
		return all_bytes_are(a->bytes, 16, 0);
	default:
		return true; /* IP_NONE stands for any, too */
	}
}

bool address_is_unicast(const struct ip_address *a)
{
	switch (a->version) {
	case IP_V4:
		return !address_is_any(a) && (a->bytes[0] & 0xf0) != 0xe0 &&
		       !all_bytes_are(a->bytes, 4, 0xff);
	case IP_V6:
		return !address_is_any(a) && a->bytes[0] != 0xff;
	default:
		return false;
	}
}

/* Every byte has one meaning: what an address does not use is zero. */
static bool address_valid(const struct ip_address *a)
{
	size_t used = a->version == IP_V4 ? 4 : sizeof(a->bytes);

	return address_is_unicast(a) &&
	       all_bytes_are(a->bytes + used, sizeof(a->bytes) - used, 0) &&
	       all_bytes_are(a->reserved, sizeof(a->reserved), 0);
}

bool endpoint_valid(const struct endpoint *endpoint)
{
	return address_valid(&endpoint->address) && endpoint->port != 0 && endpoint->reserved == 0;
}

bool flow_valid(const struct flow *flow)
{
	const struct endpoint *local = &flow->local, *peer = &flow->peer;

	return endpoint_valid(local) && endpoint_valid(peer) &&
	       local->address.version == peer->address.version;
}

static uint32_t address_bits(const struct ip_address *a)
{
	return a->version == IP_V4 ? 32 : 128;
}

bool prefix_fold(struct ip_prefix *prefix)
{
	uint8_t *bytes = prefix->address.bytes;

	if (prefix->bits > address_bits(&prefix->address))
		return false;
	for (uint32_t i = prefix->bits / 8; i < sizeof(prefix->address.bytes); i++) {
		uint32_t kept = i == prefix->bits / 8 ? prefix->bits % 8 : 0;

		bytes[i] &= (uint8_t)(0xff00u >> kept);
	}
	return true;
}

bool prefix_valid(const struct ip_prefix *prefix)
{
	struct ip_prefix folded = *prefix;

	return (prefix->address.version == IP_V4 || prefix->address.version == IP_V6) &&
	       all_bytes_are(prefix->address.reserved, sizeof(prefix->address.reserved), 0) &&
	       prefix_fold(&folded) && prefix_equal(&folded, prefix);
}

bool prefix_covers(const struct ip_prefix *prefix, const struct ip_address *a)
{
	struct ip_prefix other = {*a, prefix->bits};

	return a->version == prefix->address.version && prefix_fold(&other) &&
	       address_equal(&other.address, &prefix->address);
}

struct ip_address address_source(const struct ip_address *a)
{
	struct ip_address source = *a;

	if (a->version == IP_V6)
		memset(source.bytes + SOURCE_PREFIX_BYTES, 0,
		       sizeof(source.bytes) - SOURCE_PREFIX_BYTES);
	return source;
}
