/*
 * TUN devices by ioctl. Offloads stay off, so that every packet read is one that
 * a real wire could carry, with its checksum filled in. Address checks of IPv6
 * (DAD) don't happen on a TUN device, since it has no link addresses.
 */
#include "tests/wire/tun.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define IPV6_MTU_MIN 1280
/* The kernel's default of 500 packets would drop bursts where no counter of ours sees it. */
#define QUEUE_PACKETS 20000

/* The kernel's struct of this name is in linux/ipv6.h, which does not go with netinet/in.h. */
struct in6_ifreq_kernel {
	struct in6_addr address;
	uint32_t prefix;
	int interface;
};

static void enter_namespace(const char *name)
{
	char path[256];
	int fd;

	if (snprintf(path, sizeof(path), "/run/netns/%s", name) >= (int)sizeof(path))
		errx(EXIT_FAILURE, "namespace %s: name too long", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "opening %s", path);
	if (setns(fd, CLONE_NEWNET) < 0)
		err(EXIT_FAILURE, "entering network namespace %s", name);
	close(fd);
}

static int create_device(const struct tun_settings *settings)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		err(EXIT_FAILURE, "opening /dev/net/tun");
	memcpy(request.ifr_name, settings->name, strnlen(settings->name, IFNAMSIZ - 1));
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		err(EXIT_FAILURE, "creating %s in namespace %s", settings->name,
		    settings->namespace);
	if (ioctl(fd, TUNSETOFFLOAD, 0UL) < 0)
		err(EXIT_FAILURE, "turning off the offloads of %s", settings->name);
	return fd;
}

/* One SIOC request on the device; the caller has set the request's value. */
static void set_device(int control, const struct tun_settings *settings, unsigned long command,
                       struct ifreq *request, const char *what)
{
	memcpy(request->ifr_name, settings->name, strnlen(settings->name, IFNAMSIZ - 1));
	if (ioctl(control, command, request) < 0)
		err(EXIT_FAILURE, "setting %s of %s in namespace %s", what, settings->name,
		    settings->namespace);
}

static void set_ipv4(int control, const struct tun_settings *settings)
{
	struct ifreq request = {0};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = settings->ipv4};

	memcpy(&request.ifr_addr, &address, sizeof(address));
	set_device(control, settings, SIOCSIFADDR, &request, "the IPv4 address");
	address.sin_addr.s_addr = htonl(UINT32_MAX << (32 - settings->ipv4_prefix));
	memcpy(&request.ifr_netmask, &address, sizeof(address));
	set_device(control, settings, SIOCSIFNETMASK, &request, "the IPv4 prefix");
}

static void set_ipv6(const struct tun_settings *settings)
{
	struct in6_ifreq_kernel request = {
		.address = settings->ipv6,
		.prefix = settings->ipv6_prefix,
		.interface = (int)if_nametoindex(settings->name),
	};
	int control = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (control < 0) {
		if (errno == EAFNOSUPPORT) /* a kernel without IPv6 still carries IPv4 */
			return;
		err(EXIT_FAILURE, "opening a socket to set IPv6 addresses");
	}
	if (ioctl(control, SIOCSIFADDR, &request) < 0)
		err(EXIT_FAILURE, "setting the IPv6 address of %s in namespace %s", settings->name,
		    settings->namespace);
	close(control);
}

int tun_open(const struct tun_settings *settings)
{
	struct ifreq request = {0};
	int fd, control;

	enter_namespace(settings->namespace);
	fd = create_device(settings);
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (control < 0)
		err(EXIT_FAILURE, "opening a socket to configure %s", settings->name);
	request.ifr_mtu = (int)settings->mtu;
	set_device(control, settings, SIOCSIFMTU, &request, "the MTU");
	request.ifr_qlen = QUEUE_PACKETS;
	set_device(control, settings, SIOCSIFTXQLEN, &request, "the queue length");
	request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_NOARP | IFF_POINTOPOINT;
	set_device(control, settings, SIOCSIFFLAGS, &request, "the flags");
	set_ipv4(control, settings);
	if (settings->mtu >= IPV6_MTU_MIN)
		set_ipv6(settings);
	close(control);
	return fd;
}
