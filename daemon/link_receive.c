/*
 * Reading the lanes: batches of packets by recvmmsg, each handed to the engine.
 *
 * IPv4 raw sockets give the IP header, IPv6 ones begin at the TCP header and
 * bring destination, traffic class and hop limit as control messages. The kernel
 * has checked IP headers and reassembled fragments; lengths are checked again.
 * A turn reads a bounded number of packets, so that no lane starves the other,
 * the workers or the control socket; what is left makes the lane readable again.
 *
 * System calls: recvmmsg (and sendmmsg by link_send.c).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/link_lanes.h"
#include "daemon/master_state.h"
#include "daemon/route.h"

/* No more batches than this are read dry, should packets come faster than they go. */
#define DRY_ROUNDS 2048
/* Batches a turn: 64 SYNs, 128 of everything else. */
#define SYN_ROUNDS  2
#define DATA_ROUNDS 4

bool link_receiver_init(struct link_receiver *receiver)
{
	void *memory =
		mmap(NULL, (size_t)LINK_RECEIVE_BATCH * LINK_PACKET_MAX, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	receiver->memory = memory;
	for (unsigned i = 0; i < LINK_RECEIVE_BATCH; i++) {
		struct msghdr *header = &receiver->message[i].msg_hdr;

		receiver->iov[i].iov_base = receiver->memory + (size_t)i * LINK_PACKET_MAX;
		receiver->iov[i].iov_len = LINK_PACKET_MAX;
		header->msg_iov = &receiver->iov[i];
		header->msg_iovlen = 1;
		header->msg_name = &receiver->from[i];
		header->msg_control = receiver->control[i];
		header->msg_namelen = sizeof(receiver->from[i]);
		header->msg_controllen = LINK_CONTROL_BYTES;
	}
	return true;
}

void link_receiver_free(struct link_receiver *receiver)
{
	if (receiver->memory != NULL)
		munmap(receiver->memory, (size_t)LINK_RECEIVE_BATCH * LINK_PACKET_MAX);
}

/* The interface that an IPv4 packet came in by; 0 unknown. */
static uint32_t read_ip4_interface(struct msghdr *header)
{
	struct in_pktinfo info;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO ||
		    c->cmsg_len < CMSG_LEN(sizeof(info)))
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		return (uint32_t)info.ipi_ifindex;
	}
	return 0;
}

/* Fills PACKET from what came with an IPv6 segment; false when the destination is missing. */
static bool read_ip6(struct msghdr *header, size_t length, struct packet_in *packet)
{
	const struct sockaddr_in6 *from = header->msg_name;
	struct in6_pktinfo info;
	bool have_destination = false;
	int value;

	if (header->msg_namelen < sizeof(*from) || from->sin6_family != AF_INET6)
		return false;
	packet->src.version = packet->dst.version = IP_V6;
	memcpy(packet->src.bytes, &from->sin6_addr, 16);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_PKTINFO && c->cmsg_len >= CMSG_LEN(sizeof(info))) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(packet->dst.bytes, &info.ipi6_addr, 16);
			packet->ifindex = info.ipi6_ifindex;
			have_destination = true;
		} else if (c->cmsg_len >= CMSG_LEN(sizeof(value))) {
			memcpy(&value, CMSG_DATA(c), sizeof(value));
			if (c->cmsg_type == IPV6_TCLASS)
				packet->tos = (uint8_t)value;
			else if (c->cmsg_type == IPV6_HOPLIMIT)
				packet->ttl = (uint8_t)value;
		}
	}
	packet->tcp = header->msg_iov->iov_base;
	packet->tcp_length = length;
	return have_destination;
}

static void take_packet(struct lane *lane, struct mmsghdr *message, uint64_t now_us)
{
	struct link *link = lane->link;
	struct master *m = link->master;
	struct msghdr *header = &message->msg_hdr;
	struct packet_in packet = {0};
	bool usable;

	link->stats.received++;
	if (header->msg_flags & MSG_TRUNC) {
		link->stats.receive_truncated++;
		return;
	}
	if (lane->version == IP_V4) {
		usable = ip4_parse(header->msg_iov->iov_base, message->msg_len, &packet) == IP_OK;
		packet.ifindex = read_ip4_interface(header);
	} else {
		usable = read_ip6(header, message->msg_len, &packet);
	}
	if (!usable) {
		link->stats.receive_malformed++;
		stack_count_bad_ip(m->stack);
		return;
	}
	packet.mtu = route_mtu(m->route, packet.ifindex);
	stack_input(m->stack, &packet, now_us);
	if (stack_output_pressing(m->stack))
		link_flush(link, now_us);
}

/* Reads one batch and takes it in. Returns the number of packets. */
static unsigned receive_batch(struct lane *lane, uint64_t now_us)
{
	struct link *link = lane->link;
	struct link_receiver *receiver = &link->receiver;
	int got = recvmmsg(lane->fd, receiver->message, LINK_RECEIVE_BATCH, MSG_DONTWAIT, NULL);

	link->stats.receive_calls++;
	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			link->stats.receive_errors++;
		return 0;
	}
	for (int i = 0; i < got; i++) {
		struct msghdr *header = &receiver->message[i].msg_hdr;

		take_packet(lane, &receiver->message[i], now_us);
		header->msg_namelen = sizeof(receiver->from[i]);
		header->msg_controllen = LINK_CONTROL_BYTES;
	}
	return (unsigned)got;
}

void link_read_dry(struct lane *lane)
{
	uint64_t now_us = master_now_us();

	for (unsigned i = 0; i < DRY_ROUNDS && receive_batch(lane, now_us) > 0; i++)
		;
}

void link_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct lane *lane = arg;
	struct master *m = lane->link->master;
	unsigned rounds = lane->syn ? SYN_ROUNDS : DATA_ROUNDS;
	uint64_t now_us = master_now_us();

	(void)fd;
	(void)what;
	dialogue_heard(&m->dialogue, now_us);
	/* A batch that is not full has emptied the queue: no second call to find that out. */
	while (rounds-- > 0 && receive_batch(lane, now_us) == LINK_RECEIVE_BATCH)
		;
	master_settle(m, now_us);
}
