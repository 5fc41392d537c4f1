/*
 * Addresses and endpoints (stack/address.h) as people write them, and as the
 * socket calls want them.
 */
#ifndef DAEMON_ADDRESS_TEXT_H
#define DAEMON_ADDRESS_TEXT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "stack/address.h"

#define ADDRESS_TEXT_MAX  48 /* with NUL */
#define ENDPOINT_TEXT_MAX 56 /* "[address]:port" with NUL */

/* Numeric address without brackets to *ADDRESS; false when TEXT is none. */
bool address_parse(const char *text, struct ip_address *address);

/*
 * "1.2.3.4:23", "[::1]:23", "1.2.3.4", "::1", "[::1]"; without a port
 * DEFAULT_PORT. False for anything else, port 0 included.
 */
bool endpoint_parse(const char *text, uint16_t default_port, struct endpoint *endpoint);

/* 0 to 65535 in digits and nothing else. */
bool port_parse(const char *text, uint16_t *port);

/*
 * "192.0.2.0/24", "2001:db8::/32", or an address alone. What stands behind the prefix is
 * zeroed. False for anything else.
 */
bool prefix_parse(const char *text, struct ip_prefix *prefix);

/* The same; a single address has no length. */
#define PREFIX_TEXT_MAX (ADDRESS_TEXT_MAX + 4)
const char *prefix_format(const struct ip_prefix *prefix, char buffer[PREFIX_TEXT_MAX]);
/* The same for a source (address_source()): an IPv4 address, or an IPv6 /64. */
const char *source_format(const struct ip_address *source, char buffer[PREFIX_TEXT_MAX]);

/* Writes the text to BUFFER and returns it; "*" for no address. */
const char *address_format(const struct ip_address *address, char buffer[ADDRESS_TEXT_MAX]);
const char *endpoint_format(const struct endpoint *endpoint, char buffer[ENDPOINT_TEXT_MAX]);

/* To and from a socket address; from: false for a family other than IPv4 and IPv6. */
socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *sa);
bool endpoint_from_sockaddr(const struct sockaddr_storage *sa, struct endpoint *endpoint);

#endif
