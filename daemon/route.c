/*
 * rtnetlink: see route.h. Links are learnt from one dump at the start and the
 * kernel's notifications afterwards; routes are asked for one by one. Messages
 * are believed only when the kernel sent them (netlink port 0), and every length
 * in them is checked before use.
 */
#include "daemon/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/clock.h"
#include "daemon/log.h"

/* Interfaces remembered: a hash table with short probes. What does not fit has MTU 0, unknown. */
#define LINKS_MAX  1024u
#define LINK_PROBE 16u

#define REPLY_BYTES    32768u
#define LOOKUP_WAIT_MS 200
#define DUMP_WAIT_MS   1000
#define TURN_READS     16

struct route {
	int fd;
	struct event *event;
	uint32_t sequence; /* of the last request */
	bool answered;     /* the request SEQUENCE has its answer or its end */
	int error;
	struct route_answer answer;
	struct {
		uint32_t ifindex;
		uint32_t mtu; /* 0: the slot is free */
	} link[LINKS_MAX];
	_Alignas(NLMSG_ALIGNTO) uint8_t reply[REPLY_BYTES];
};

uint32_t route_mtu(const struct route *route, uint32_t ifindex)
{
	for (uint32_t i = 0; i < LINK_PROBE; i++) {
		uint32_t slot = (ifindex + i) % LINKS_MAX;

		if (route->link[slot].ifindex == ifindex)
			return route->link[slot].mtu;
	}
	return 0;
}

static void set_link(struct route *route, uint32_t ifindex, uint32_t mtu)
{
	uint32_t found = LINKS_MAX;

	for (uint32_t i = 0; i < LINK_PROBE; i++) {
		uint32_t slot = (ifindex + i) % LINKS_MAX;

		if (route->link[slot].ifindex == ifindex) {
			found = slot;
			break;
		}
		if (found == LINKS_MAX && route->link[slot].mtu == 0)
			found = slot;
	}
	if (found == LINKS_MAX)
		return;
	route->link[found].ifindex = ifindex;
	route->link[found].mtu = mtu;
}

/* An attribute's value as a number; 0 when it is too short for one. */
static uint32_t attribute_u32(const struct rtattr *attribute)
{
	uint32_t value = 0;

	if (RTA_PAYLOAD(attribute) >= sizeof(value))
		memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

static void take_link(struct route *route, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);
	int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*link));

	if (left < 0 || link->ifi_index <= 0)
		return;
	if (message->nlmsg_type == RTM_DELLINK) {
		set_link(route, (uint32_t)link->ifi_index, 0);
		return;
	}
	for (const struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_MTU)
			set_link(route, (uint32_t)link->ifi_index, attribute_u32(a));
	}
}

static uint32_t metrics_mtu(const struct rtattr *metrics)
{
	int left = (int)RTA_PAYLOAD(metrics);

	for (const struct rtattr *a = RTA_DATA(metrics); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == RTAX_MTU)
			return attribute_u32(a);
	}
	return 0;
}

static void take_route(struct route *route, const struct nlmsghdr *message)
{
	const struct rtmsg *entry = NLMSG_DATA(message);
	int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*entry));
	struct route_answer *answer = &route->answer;
	size_t size;

	if (left < 0)
		return;
	memset(answer, 0, sizeof(*answer));
	size = entry->rtm_family == AF_INET6 ? 16 : 4;
	for (const struct rtattr *a = RTM_RTA(entry); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == RTA_PREFSRC && RTA_PAYLOAD(a) == size) {
			answer->source.version = entry->rtm_family == AF_INET6 ? IP_V6 : IP_V4;
			memcpy(answer->source.bytes, RTA_DATA(a), size);
		} else if (a->rta_type == RTA_OIF) {
			answer->ifindex = attribute_u32(a);
		} else if (a->rta_type == RTA_METRICS) {
			answer->mtu = metrics_mtu(a);
		}
	}
	route->answered = true;
	route->error = answer->source.version == IP_NONE ? EADDRNOTAVAIL : 0;
}

static void take_message(struct route *route, const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = NLMSG_DATA(message);

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		take_link(route, message);
		return;
	case RTM_NEWROUTE:
		if (message->nlmsg_seq == route->sequence)
			take_route(route, message);
		return;
	case NLMSG_ERROR:
		if (message->nlmsg_seq != route->sequence ||
		    message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
			return;
		route->error = error->error < 0 ? -error->error : EPROTO;
		route->answered = true;
		return;
	case NLMSG_DONE:
		if (message->nlmsg_seq == route->sequence)
			route->answered = true;
		return;
	default:
		return;
	}
}

static bool send_request(struct route *route, struct nlmsghdr *request)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	request->nlmsg_seq = ++route->sequence;
	route->answered = false;
	route->error = 0;
	return sendto(route->fd, request, request->nlmsg_len, MSG_DONTWAIT,
	              (struct sockaddr *)&kernel, sizeof(kernel)) == (ssize_t)request->nlmsg_len;
}

static bool request_links(struct route *route)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} request = {
		.header.nlmsg_len = sizeof(request),
		.header.nlmsg_type = RTM_GETLINK,
		.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};

	return send_request(route, &request.header);
}

/* Reads what is there, at most one datagram. False when there was none. */
static bool read_some(struct route *route)
{
	struct sockaddr_nl from = {0};
	socklen_t from_length = sizeof(from);
	ssize_t got = recvfrom(route->fd, route->reply, sizeof(route->reply),
	                       MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &from_length);
	int left;

	if (got < 0 && errno == ENOBUFS) {
		/* Notifications were lost: learn all links again. */
		request_links(route);
		return true;
	}
	if (got < 0)
		return false;
	if (from_length != sizeof(from) || from.nl_pid != 0 || (size_t)got > sizeof(route->reply))
		return true;
	left = (int)got;
	for (const struct nlmsghdr *message = (const struct nlmsghdr *)route->reply;
	     NLMSG_OK(message, left); message = NLMSG_NEXT(message, left))
		take_message(route, message);
	return true;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Reads until the last request has been answered. */
static bool wait_answer(struct route *route, int wait_ms)
{
	int64_t end = now_ms() + wait_ms;

	while (!route->answered) {
		struct pollfd p = {.fd = route->fd, .events = POLLIN};
		int64_t left;

		if (read_some(route))
			continue;
		left = end - now_ms();
		if (left <= 0) {
			route->error = ETIMEDOUT;
			break;
		}
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR) {
			route->error = errno;
			break;
		}
	}
	errno = route->error;
	return route->answered && route->error == 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	for (int i = 0; i < TURN_READS && read_some(arg); i++)
		;
}

struct route *route_create(struct event_base *base, int fd)
{
	struct route *route = calloc(1, sizeof(*route));
	int group = RTNLGRP_LINK;

	if (route == NULL) {
		log_error("cannot keep the interfaces' MTUs: out of memory");
		close(fd);
		return NULL;
	}
	route->fd = fd;
	/* a former master's answers may still come: they are none of ours */
	route->sequence = (uint32_t)clock_now_us();
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
		log_warning("cannot watch the interfaces: %s", strerror(errno));
	if (!request_links(route) || !wait_answer(route, DUMP_WAIT_MS))
		log_warning("cannot learn the interfaces' MTUs: %s", strerror(errno));
	if (base == NULL)
		return route;
	route->event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, route);
	if (route->event == NULL || event_add(route->event, NULL) != 0) {
		log_error("cannot watch the route socket");
		route_destroy(route);
		return NULL;
	}
	return route;
}

void route_destroy(struct route *route)
{
	if (route == NULL)
		return;
	if (route->event != NULL)
		event_free(route->event);
	close(route->fd);
	free(route);
}

/* A question about a route, with room for its attributes. */
struct route_request {
	struct nlmsghdr header;
	struct rtmsg entry;
	uint8_t attributes[64];
};

static void add_attribute(struct route_request *request, uint16_t type, const void *data,
                          uint16_t size)
{
	uint8_t *bytes = (uint8_t *)request;
	struct rtattr a = {.rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(size)};
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len);

	memcpy(bytes + at, &a, sizeof(a));
	memcpy(bytes + at + RTA_LENGTH(0), data, size);
	request->header.nlmsg_len = (uint32_t)(at + RTA_ALIGN(a.rta_len));
}

bool route_lookup(struct route *route, const struct ip_address *destination, uint32_t ifindex,
                  struct route_answer *answer)
{
	struct route_request request = {
		.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
		.header.nlmsg_type = RTM_GETROUTE,
		.header.nlmsg_flags = NLM_F_REQUEST,
	};
	uint16_t size = destination->version == IP_V6 ? 16 : 4;

	request.entry.rtm_family = destination->version == IP_V6 ? AF_INET6 : AF_INET;
	request.entry.rtm_dst_len = (uint8_t)(size * 8);
	add_attribute(&request, RTA_DST, destination->bytes, size);
	if (ifindex != 0)
		add_attribute(&request, RTA_OIF, &ifindex, sizeof(ifindex));
	memset(&route->answer, 0, sizeof(route->answer)); /* never a former one's */
	if (!send_request(route, &request.header) || !wait_answer(route, LOOKUP_WAIT_MS) ||
	    route->answer.source.version == IP_NONE)
		return false;
	*answer = route->answer;
	if (answer->mtu == 0)
		answer->mtu = route_mtu(route, answer->ifindex);
	return true;
}
