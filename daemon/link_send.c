/*
 * Sending: what stack_output() hands over goes out by sendmmsg, one call a batch
 * and IP version, the payload straight from the ring.
 *
 * Every packet names its source address in IP_PKTINFO or IPV6_PKTINFO, because a
 * socket that writes IP headers itself otherwise bypasses routing rules by
 * source. The interface is named only for link-local peers, where nothing else
 * decides it: forcing it for others would break asymmetric routes.
 *
 * A packet that cannot be sent is lost, as on any network; the rest of the batch
 * goes on. TCP recovers. System call: sendmmsg.
 */
#include <errno.h>
#include <string.h>

#include "daemon/link_lanes.h"
#include "daemon/master_state.h"

void link_sender_init(struct link_sender *sender, uint32_t version)
{
	memset(sender, 0, sizeof(*sender));
	for (unsigned i = 0; i < STACK_BATCH; i++) {
		struct msghdr *header = &sender->message[i].msg_hdr;
		struct cmsghdr *c = &sender->control[i].align;

		header->msg_iov = sender->iov[i];
		header->msg_name = &sender->to[i];
		header->msg_control = &sender->control[i];
		if (version == IP_V4) {
			sender->to[i].v4.sin_family = AF_INET;
			header->msg_namelen = sizeof(sender->to[i].v4);
			header->msg_controllen = sizeof(sender->control[i].v4);
			c->cmsg_level = IPPROTO_IP;
			c->cmsg_type = IP_PKTINFO;
			c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
		} else {
			sender->to[i].v6.sin6_family = AF_INET6;
			header->msg_namelen = sizeof(sender->to[i].v6);
			header->msg_controllen = sizeof(sender->control[i].v6);
			c->cmsg_level = IPPROTO_IPV6;
			c->cmsg_type = IPV6_PKTINFO;
			c->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
		}
	}
}

static void address_v4(struct link_sender *sender, unsigned i, const struct packet_out *packet)
{
	struct in_pktinfo info = {0};

	memcpy(&sender->to[i].v4.sin_addr, packet->dst.bytes, 4);
	memcpy(&info.ipi_spec_dst, packet->src.bytes, 4);
	if (packet->dst.bytes[0] == 169 && packet->dst.bytes[1] == 254)
		info.ipi_ifindex = (int)packet->ifindex;
	memcpy(CMSG_DATA(&sender->control[i].align), &info, sizeof(info));
}

static void address_v6(struct link_sender *sender, unsigned i, const struct packet_out *packet)
{
	struct in6_pktinfo info = {0};
	struct sockaddr_in6 *to = &sender->to[i].v6;

	memcpy(&to->sin6_addr, packet->dst.bytes, 16);
	memcpy(&info.ipi6_addr, packet->src.bytes, 16);
	to->sin6_scope_id = 0;
	if (IN6_IS_ADDR_LINKLOCAL(&to->sin6_addr)) {
		to->sin6_scope_id = packet->ifindex;
		info.ipi6_ifindex = packet->ifindex;
	}
	memcpy(CMSG_DATA(&sender->control[i].align), &info, sizeof(info));
}

static void sender_add(struct link_sender *sender, const struct packet_out *packet)
{
	unsigned i = sender->count++;
	struct iovec *iov = sender->iov[i];

	/* iovecs have no const; the kernel only reads these. */
	iov[0].iov_base = (void *)(uintptr_t)packet->header;
	iov[0].iov_len = packet->header_length;
	iov[1].iov_base = (void *)(uintptr_t)packet->data;
	iov[1].iov_len = packet->data_length;
	sender->message[i].msg_hdr.msg_iovlen = packet->data_length > 0 ? 2 : 1;
	if (packet->dst.version == IP_V4)
		address_v4(sender, i, packet);
	else
		address_v6(sender, i, packet);
}

static void count_error(struct link_stats *stats, int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		stats->send_full++;
		break;
	case EMSGSIZE:
		stats->send_size++;
		break;
	case EPERM:
	case EACCES:
		stats->send_refused++;
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		stats->send_unreachable++;
		break;
	default:
		stats->send_errors++;
	}
}

static void sender_flush(struct link *link, struct link_sender *sender, int fd)
{
	unsigned sent = 0;

	if (fd < 0) {
		link->stats.send_no_lane += sender->count;
		sender->count = 0;
		return;
	}
	while (sent < sender->count) {
		int n = sendmmsg(fd, sender->message + sent, sender->count - sent, MSG_DONTWAIT);

		link->stats.send_calls++;
		if (n > 0) {
			link->stats.sent += (unsigned)n;
			sent += (unsigned)n;
		} else if (errno != EINTR) {
			/* The error is the first packet's: only that one is lost. */
			count_error(&link->stats, errno);
			sent++;
		}
	}
	sender->count = 0;
}

void link_flush(struct link *link, uint64_t now_us)
{
	const struct packet_out *packets;
	size_t count;

	while ((count = stack_output(link->master->stack, &packets, now_us)) > 0) {
		for (size_t i = 0; i < count && i < STACK_BATCH; i++) {
			if (packets[i].dst.version == IP_V4)
				sender_add(&link->sender_v4, &packets[i]);
			else
				sender_add(&link->sender_v6, &packets[i]);
		}
		if (link->sender_v4.count > 0)
			sender_flush(link, &link->sender_v4, link->send_fd_v4);
		if (link->sender_v6.count > 0)
			sender_flush(link, &link->sender_v6, link->send_fd_v6);
	}
}
