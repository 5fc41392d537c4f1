/*
 * What kind of address this is: any, unicast, and whose it counts as.
 */
#include "address.h"

#define SOURCE_PREFIX_BYTES 8 /* a /64 */

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

bool flow_valid(const struct flow *flow)
{
	const struct endpoint *local = &flow->local, *peer = &flow->peer;

	return address_valid(&local->address) && address_valid(&peer->address) &&
	       local->address.version == peer->address.version && local->port != 0 &&
	       peer->port != 0 && local->reserved == 0 && peer->reserved == 0;
}

struct ip_address address_source(const struct ip_address *a)
{
	struct ip_address source = *a;

	if (a->version == IP_V6)
		memset(source.bytes + SOURCE_PREFIX_BYTES, 0,
		       sizeof(source.bytes) - SOURCE_PREFIX_BYTES);
	return source;
}
