/*
 * Addresses and endpoints as text and as socket addresses.
 */
#include "daemon/address_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool address_parse(const char *text, struct ip_address *address)
{
	struct ip_address parsed = {0};

	if (inet_pton(AF_INET, text, parsed.bytes) == 1)
		parsed.version = IP_V4;
	else if (inet_pton(AF_INET6, text, parsed.bytes) == 1)
		parsed.version = IP_V6;
	else
		return false;
	*address = parsed;
	return true;
}

bool port_parse(const char *text, uint16_t *port)
{
	unsigned value = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > UINT16_MAX)
			return false;
	}
	*port = (uint16_t)value;
	return true;
}

/* One that a connection can have: not 0. */
static bool endpoint_port_parse(const char *text, uint16_t *port)
{
	return port_parse(text, port) && *port != 0;
}

/* The LENGTH characters at TEXT as an address. */
static bool address_parse_part(const char *text, size_t length, struct ip_address *address)
{
	char part[ADDRESS_TEXT_MAX];

	if (length >= sizeof(part))
		return false;
	memcpy(part, text, length);
	part[length] = '\0';
	return address_parse(part, address);
}

bool endpoint_parse(const char *text, uint16_t default_port, struct endpoint *endpoint)
{
	struct endpoint parsed = {.port = default_port};
	const char *colon = strchr(text, ':');

	if (text[0] == '[') {
		const char *end = strchr(text, ']');
		if (end == NULL ||
		    !address_parse_part(text + 1, (size_t)(end - text - 1), &parsed.address) ||
		    parsed.address.version != IP_V6)
			return false;
		if (end[1] != '\0' &&
		    (end[1] != ':' || !endpoint_port_parse(end + 2, &parsed.port)))
			return false;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		if (!address_parse_part(text, (size_t)(colon - text), &parsed.address) ||
		    !endpoint_port_parse(colon + 1, &parsed.port))
			return false;
	} else if (!address_parse(text, &parsed.address)) {
		return false;
	}
	*endpoint = parsed;
	return true;
}

const char *address_format(const struct ip_address *address, char buffer[ADDRESS_TEXT_MAX])
{
	int family = address->version == IP_V4 ? AF_INET : AF_INET6;

	if ((address->version != IP_V4 && address->version != IP_V6) ||
	    inet_ntop(family, address->bytes, buffer, ADDRESS_TEXT_MAX) == NULL)
		snprintf(buffer, ADDRESS_TEXT_MAX, "*");
	return buffer;
}

const char *endpoint_format(const struct endpoint *endpoint, char buffer[ENDPOINT_TEXT_MAX])
{
	char address[ADDRESS_TEXT_MAX];
	bool brackets = endpoint->address.version == IP_V6;

	address_format(&endpoint->address, address);
	snprintf(buffer, ENDPOINT_TEXT_MAX, brackets ? "[%.45s]:%u" : "%.45s:%u", address,
	         endpoint->port);
	return buffer;
}

/* 0 to 128 in digits and nothing else. */
static bool bits_parse(const char *text, uint32_t *bits)
{
	size_t length = strlen(text);

	*bits = 0;
	if (length == 0 || length > 3)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		*bits = *bits * 10 + (uint32_t)(*text - '0');
	}
	return true;
}

bool prefix_parse(const char *text, struct ip_prefix *prefix)
{
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct ip_prefix parsed = {0};

	if (!address_parse_part(text, length, &parsed.address))
		return false;
	parsed.bits = parsed.address.version == IP_V4 ? 32 : 128;
	if (slash != NULL && !bits_parse(slash + 1, &parsed.bits))
		return false;
	if (!prefix_fold(&parsed))
		return false;
	*prefix = parsed;
	return true;
}

const char *prefix_format(const struct ip_prefix *prefix, char buffer[PREFIX_TEXT_MAX])
{
	bool whole = prefix->bits == (prefix->address.version == IP_V4 ? 32 : 128);
	char address[ADDRESS_TEXT_MAX];

	address_format(&prefix->address, address);
	if (whole)
		snprintf(buffer, PREFIX_TEXT_MAX, "%.45s", address);
	else
		snprintf(buffer, PREFIX_TEXT_MAX, "%.45s/%u", address, prefix->bits % 1000);
	return buffer;
}

const char *source_format(const struct ip_address *source, char buffer[PREFIX_TEXT_MAX])
{
	const struct ip_prefix prefix = {*source, source->version == IP_V6 ? SOURCE_BITS_V6 : 32};

	return prefix_format(&prefix, buffer);
}

socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *sa)
{
	memset(sa, 0, sizeof(*sa));
	if (endpoint->address.version == IP_V4) {
		struct sockaddr_in *in = (struct sockaddr_in *)sa;
		in->sin_family = AF_INET;
		in->sin_port = htons(endpoint->port);
		memcpy(&in->sin_addr, endpoint->address.bytes, sizeof(in->sin_addr));
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(endpoint->port);
	memcpy(&in6->sin6_addr, endpoint->address.bytes, sizeof(in6->sin6_addr));
	return sizeof(*in6);
}

bool endpoint_from_sockaddr(const struct sockaddr_storage *sa, struct endpoint *endpoint)
{
	struct endpoint result = {0};

	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		result.address.version = IP_V4;
		result.port = ntohs(in->sin_port);
		memcpy(result.address.bytes, &in->sin_addr, sizeof(in->sin_addr));
	} else if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
		result.address.version = IP_V6;
		result.port = ntohs(in6->sin6_port);
		memcpy(result.address.bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
	} else {
		return false;
	}
	*endpoint = result;
	return true;
}
