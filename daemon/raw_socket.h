/*
 * The raw sockets: a pair of lanes for each address family and call, one for ICMP
 * errors of each family, and the netlink socket for routes. All are non-blocking
 * and close-on-exec, their filters locked.
 */
#ifndef DAEMON_RAW_SOCKET_H
#define DAEMON_RAW_SOCKET_H

#include "daemon/filter.h"

enum {
	LANE_SYN,
	LANE_DATA,
	LANES
};

/*
 * Opens the SYN lane and the data lane for PORTS. Returns 0, or -1 with errno and
 * *WHAT naming what failed; then nothing is left open.
 */
int raw_lanes_open(enum ip_version version, const struct filter_ports *ports, int lanes[LANES],
                   const char **what);

/* A socket for ICMP errors about TCP. -1 with errno: EAFNOSUPPORT without that family. */
int raw_icmp_open(enum ip_version version);

/* A route socket that hears of links and addresses. -1 with errno. */
int raw_route_open(void);

#endif
