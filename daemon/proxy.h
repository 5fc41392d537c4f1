/*
 * The header of the PROXY protocol, versions 1 and 2 ("The PROXY protocol", HAProxy
 * Technologies, 2020): how a load balancer says whom it brings. Pure: bytes in, result out.
 */
#ifndef DAEMON_PROXY_H
#define DAEMON_PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "stack/address.h"

/* A header of version 2 may say that it is longer; TLVs for that there are none. */
#define PROXY_HEADER_MAX 4096u

enum proxy_result {
	PROXY_MORE,   /* good so far, and not whole */
	PROXY_CLIENT, /* *HEADER says whom it brings */
	PROXY_ITSELF, /* it speaks for itself, or does not know: LOCAL, UNKNOWN, UNSPEC */
	PROXY_BAD,    /* HEADER->why says what is wrong */
};

struct proxy_header {
	size_t length;           /* of the header; what is behind it is the client's */
	struct endpoint client;  /* an IPv4 address in an IPv6 one is an IPv4 one */
	struct endpoint reached; /* what the client has connected to */
	const char *why;
};

/*
 * Reads the header that the LENGTH bytes at BYTES begin with, of any content. A header that
 * cannot become good is bad as soon as that shows.
 */
enum proxy_result proxy_parse(const uint8_t *bytes, size_t length, struct proxy_header *header);

#endif
