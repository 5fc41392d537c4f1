/*
 * What the master asks of the kernel's routing: interface MTUs, and by which
 * address and interface a peer is reached. Over the rtnetlink socket that the
 * supervisor opened (rtnetlink(7)); nothing is ever changed.
 */
#ifndef DAEMON_ROUTE_H
#define DAEMON_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/address.h"

struct event_base;
struct route;

/*
 * Takes over FD, a NETLINK_ROUTE socket; learns every interface's MTU and keeps
 * it up to date while BASE (NULL: without) loops. NULL with the cause logged.
 */
struct route *route_create(struct event_base *base, int fd);
void route_destroy(struct route *route);

/* The MTU of an interface; 0 unknown. */
uint32_t route_mtu(const struct route *route, uint32_t ifindex);

struct route_answer {
	struct ip_address source; /* what the kernel would send from */
	uint32_t ifindex;
	uint32_t mtu; /* the route's or the interface's; 0 unknown */
};

/*
 * How to reach DESTINATION, over interface IFINDEX when it is not 0. Waits at
 * most 200 ms. False with errno: the kernel's answer such as ENETUNREACH, or
 * ETIMEDOUT.
 */
bool route_lookup(struct route *route, const struct ip_address *destination, uint32_t ifindex,
                  struct route_answer *answer);

#endif
