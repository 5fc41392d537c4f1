/*
 * Opening the raw sockets with everything set that the master has no right to
 * set itself.
 *
 * IP_PMTUDISC_INTERFACE keeps the kernel from believing ICMP errors about our
 * segments (they would change the host's own route MTU) and from refusing or
 * fragmenting what we send; for the same reason IP_RECVERR is never set: errors
 * come over the ICMP sockets. A raw socket hears everything from its first moment
 * on, so it first gets a filter that drops all and is emptied, then its own one.
 */
#include "daemon/raw_socket.h"

#include <errno.h>
#include <linux/icmp.h>
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYN_LANE_BYTES  (2 << 20)
#define DATA_LANE_BYTES (8 << 20)

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int close_keeping_errno(int fd)
{
	int cause = errno;

	close(fd);
	errno = cause;
	return -1;
}

/* Lets only what FILTER passes in, from the first packet that is read on. */
static int narrow(int fd, const struct filter *filter)
{
	struct filter nothing;
	char byte;

	filter_drop_all(&nothing);
	if (filter_attach(fd, &nothing) < 0)
		return -1;
	while (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) >= 0)
		; /* heard before the filter was there */
	return filter_attach(fd, filter) < 0 || filter_lock(fd) < 0 ? -1 : 0;
}

static int set_v4_options(int fd)
{
	if (set(fd, IPPROTO_IP, IP_HDRINCL, 1) < 0 || set(fd, IPPROTO_IP, IP_PKTINFO, 1) < 0)
		return -1;
	return set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE);
}

static int set_v6_options(int fd)
{
	if (set(fd, IPPROTO_IPV6, IPV6_HDRINCL, 1) < 0 ||
	    set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) < 0 ||
	    set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) < 0 ||
	    set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) < 0)
		return -1;
	return set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_INTERFACE);
}

static int open_lane(enum ip_version version, enum filter_lane lane,
                     const struct filter_ports *ports, const char **what)
{
	int family = version == IP_V4 ? AF_INET : AF_INET6;
	int bytes = lane == FILTER_SYN_LANE ? SYN_LANE_BYTES : DATA_LANE_BYTES;
	struct filter filter;
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

	*what = "raw socket";
	if (fd < 0)
		return -1;
	filter_lane(&filter, version, lane, ports);
	*what = "packet filter";
	if (narrow(fd, &filter) < 0)
		return close_keeping_errno(fd);
	*what = "options of the raw socket";
	if ((version == IP_V4 ? set_v4_options(fd) : set_v6_options(fd)) < 0)
		return close_keeping_errno(fd);
	*what = "buffers of the raw socket";
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) < 0 ||
	    set(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes) < 0)
		return close_keeping_errno(fd);
	return fd;
}

int raw_lanes_open(enum ip_version version, const struct filter_ports *ports, int lanes[LANES],
                   const char **what)
{
	lanes[LANE_SYN] = open_lane(version, FILTER_SYN_LANE, ports, what);
	if (lanes[LANE_SYN] < 0)
		return -1;
	lanes[LANE_DATA] = open_lane(version, FILTER_DATA_LANE, ports, what);
	if (lanes[LANE_DATA] < 0)
		return close_keeping_errno(lanes[LANE_SYN]);
	return 0;
}

/* The kernel's own choice of types, which is made before packets are copied. */
static int set_icmp_types(int fd, enum ip_version version)
{
	if (version == IP_V4) {
		struct icmp_filter types = {
			.data = ~((1u << ICMP_DEST_UNREACH) | (1u << ICMP_TIME_EXCEEDED) |
		                  (1u << ICMP_PARAMETERPROB)),
		};
		return setsockopt(fd, SOL_RAW, ICMP_FILTER, &types, sizeof(types));
	}
	struct icmp6_filter types;
	ICMP6_FILTER_SETBLOCKALL(&types);
	ICMP6_FILTER_SETPASS(ICMP6_DST_UNREACH, &types);
	ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &types);
	ICMP6_FILTER_SETPASS(ICMP6_TIME_EXCEEDED, &types);
	ICMP6_FILTER_SETPASS(ICMP6_PARAM_PROB, &types);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &types, sizeof(types));
}

int raw_icmp_open(enum ip_version version)
{
	int type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int fd = version == IP_V4 ? socket(AF_INET, type, IPPROTO_ICMP)
	                          : socket(AF_INET6, type, IPPROTO_ICMPV6);
	struct filter filter;

	if (fd < 0)
		return -1;
	filter_icmp(&filter, version);
	if (narrow(fd, &filter) < 0 || set_icmp_types(fd, version) < 0)
		return close_keeping_errno(fd);
	return fd;
}

int raw_route_open(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return close_keeping_errno(fd);
	return fd;
}
