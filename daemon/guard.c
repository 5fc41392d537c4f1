/*
 * Guards. The filter that drops everything is there before the socket listens,
 * so that the kernel never completes a handshake of its own, and a dropped
 * segment is not answered. SO_REUSEADDR lets the port be taken although old
 * connections of a former program linger.
 *
 * SO_REUSEPORT would let others in. Only where a guard is wanted for an endpoint that
 * another guard of ours has a part of (0.0.0.0:23 beside 10.0.0.1:23) all of these have
 * it for the moment: there is no other way to have both without a gap, in which the
 * kernel would reset connections. Afterwards the kernel still remembers the port as one
 * that is shared; a socket that takes it by force (TCP_REPAIR) and without
 * SO_REUSEPORT makes it forget that, and is closed.
 */
#include "daemon/guard.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/address_text.h"
#include "daemon/filter.h"
#include "daemon/log.h"

static int prepare(int fd, enum ip_version version)
{
	struct filter filter;
	int on = 1;

	filter_drop_all(&filter);
	if (filter_attach(fd, &filter) < 0 || filter_lock(fd) < 0)
		return -1;
	if (version == IP_V6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -1;
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

static int take_port(int fd, struct endpoint *local)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(local, &address);

	if (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 1) < 0)
		return -1;
	length = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -1;
	return endpoint_from_sockaddr(&address, local) ? 0 : -1;
}

static int new_socket(const struct endpoint *local)
{
	int family = local->address.version == IP_V4 ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

	if (fd >= 0 && prepare(fd, local->address.version) < 0) {
		int cause = errno;
		close(fd);
		errno = cause;
		return -1;
	}
	return fd;
}

static int share(int fd, int on)
{
	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

/* The kernel forgets that LOCAL's port was shared. */
static void unshare_port(const struct endpoint *local)
{
	struct sockaddr_storage address;
	socklen_t length = endpoint_to_sockaddr(local, &address);
	int on = 1, fd = new_socket(local);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, length) < 0)
		log_warning("port %u: programs of root's could share it: %s", local->port,
		            strerror(errno));
	if (fd >= 0)
		close(fd);
}

int guard_open(struct endpoint *local, const int *beside, unsigned count)
{
	int fd = new_socket(local), taken = -1, cause;

	if (fd < 0)
		return -1;
	for (unsigned i = 0; i < count; i++)
		share(beside[i], 1);
	if (count == 0 || share(fd, 1) == 0)
		taken = take_port(fd, local);
	cause = errno;
	for (unsigned i = 0; i < count; i++)
		share(beside[i], 0);
	if (count > 0 && taken == 0) {
		share(fd, 0);
		unshare_port(local);
	}
	if (taken < 0) {
		close(fd);
		errno = cause;
		return -1;
	}
	return fd;
}

#define STATE_ESTABLISHED 1 /* in /proc/net/tcp (proc(5)) */

static bool served(const struct endpoint *listens, unsigned count, unsigned port)
{
	for (unsigned i = 0; i < count; i++) {
		if (listens[i].port == port)
			return true;
	}
	return false;
}

static void warn_from(const char *file, const struct endpoint *listens, unsigned count)
{
	char line[512];
	unsigned port, state, found = 0, last = 0;
	FILE *in = fopen(file, "re");

	if (in == NULL)
		return;
	while (fgets(line, sizeof(line), in) != NULL) {
		if (sscanf(line, "%*s %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &state) == 2 &&
		    state == STATE_ESTABLISHED && served(listens, count, port)) {
			found++;
			last = port;
		}
	}
	fclose(in);
	if (found > 0)
		log_warning("%u connections of other programs are established on port %u; they are "
		            "left alone",
		            found, last);
}

void guard_warn_established(const struct endpoint *listens, unsigned count)
{
	warn_from("/proc/net/tcp", listens, count);
	warn_from("/proc/net/tcp6", listens, count);
}
