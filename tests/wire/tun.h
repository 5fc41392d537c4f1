/* One end of the wire: a TUN device inside a network namespace, configured and up. */
#ifndef WIRE_TUN_H
#define WIRE_TUN_H

#include <netinet/in.h>

struct tun_settings {
	const char *namespace; /* as `ip netns` names it */
	const char *name;      /* of the device */
	unsigned mtu;
	struct in_addr ipv4;
	unsigned ipv4_prefix;
	struct in6_addr ipv6; /* not given to a device whose MTU is below IPv6's minimum */
	unsigned ipv6_prefix;
};

/*
 * Makes the device, gives it its addresses and brings it up. Returns a non-blocking
 * descriptor on which every read and write is one IP packet. Moves the calling process
 * into the namespace. Ends the program with a message when anything fails.
 */
int tun_open(const struct tun_settings *settings);

#endif
