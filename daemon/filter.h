/*
 * Classic BPF programs (bpf(4)) for guards, lanes and ICMP sockets: what a socket
 * gets to see is decided before any process reads it, and locked, so that not
 * even root can widen it.
 */
#ifndef DAEMON_FILTER_H
#define DAEMON_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/message.h"

#define FILTER_PORTS_MAX 64
#define FILTER_MAX       (FILTER_PORTS_MAX + 24) /* instructions */

struct filter {
	unsigned length;
	struct sock_filter program[FILTER_MAX];
};

/* The ports that a pair of lanes serves. */
struct filter_ports {
	unsigned count;
	uint16_t local[FILTER_PORTS_MAX];
	uint16_t peer; /* 0: any */
};

enum filter_lane {
	FILTER_SYN_LANE,  /* SYN without ACK, RST and FIN */
	FILTER_DATA_LANE, /* everything else */
};

/* Lets nothing through. */
void filter_drop_all(struct filter *filter);

/*
 * For an AF_INET or AF_INET6 (VERSION) raw TCP socket. A header that ends before
 * its flags belongs to the data lane, so that it is counted there.
 */
void filter_lane(struct filter *filter, enum ip_version version, enum filter_lane lane,
                 const struct filter_ports *ports);

/* For a raw ICMP socket: errors about TCP segments. */
void filter_icmp(struct filter *filter, enum ip_version version);

/* Attaches to socket FD, replacing what is there. 0, or -1 with errno. */
int filter_attach(int fd, const struct filter *filter);

/* No filter of FD can be changed or removed from now on. 0, or -1 with errno. */
int filter_lock(int fd);

#endif
