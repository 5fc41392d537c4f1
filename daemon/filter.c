/*
 * Classic BPF programs for guards, lanes and ICMP sockets.
 *
 * An AF_INET raw socket's filter sees the packet from its IP header, which has a
 * length of its own; an AF_INET6 one's from the TCP or ICMPv6 header. Loading
 * what is behind the packet's end drops it.
 */
#include "daemon/filter.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

/* In the TCP header (RFC 9293, section 3.1). */
#define TCP_SOURCE_PORT      0
#define TCP_DESTINATION_PORT 2
#define TCP_FLAGS            13
#define TCP_FLAGS_END        14
#define TCP_FIN_SYN_RST_ACK  0x17
#define TCP_SYN              0x02

/* In the IP headers that an ICMP error quotes, 8 bytes behind its beginning. */
#define ICMP_QUOTE       8
#define IPV4_PROTOCOL    9
#define IPV6_NEXT_HEADER 6

#define PASS 0x40000 /* whole packets */
#define DROP 0

static void add(struct filter *filter, unsigned code, uint32_t k)
{
	filter->program[filter->length++] = (struct sock_filter){.code = (uint16_t)code, .k = k};
}

static void add_jump(struct filter *filter, unsigned code, uint32_t k, unsigned yes, unsigned no)
{
	filter->program[filter->length++] = (struct sock_filter){
		.code = (uint16_t)code,
		.jt = (uint8_t)yes,
		.jf = (uint8_t)no,
		.k = k,
	};
}

/* X is the length of the IPv4 header; what follows loads from behind it. */
static void add_header_length(struct filter *filter)
{
	add(filter, BPF_LDX | BPF_B | BPF_MSH, 0);
}

/* Drops the packet unless A is one of COUNT values. */
static void add_one_of(struct filter *filter, const uint16_t *values, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		add_jump(filter, BPF_JMP | BPF_JEQ | BPF_K, values[i], count - i, 0);
	add(filter, BPF_RET | BPF_K, DROP);
}

void filter_drop_all(struct filter *filter)
{
	filter->length = 0;
	add(filter, BPF_RET | BPF_K, DROP);
}

void filter_lane(struct filter *filter, enum ip_version version, enum filter_lane lane,
                 const struct filter_ports *ports)
{
	unsigned mode = version == IP_V4 ? BPF_IND : BPF_ABS;
	uint32_t bare_syn = lane == FILTER_SYN_LANE ? PASS : DROP;
	uint32_t other = lane == FILTER_SYN_LANE ? DROP : PASS;

	filter->length = 0;
	if (version == IP_V4)
		add_header_length(filter);
	add(filter, BPF_LD | BPF_H | mode, TCP_DESTINATION_PORT);
	add_one_of(filter, ports->local, ports->count);
	if (ports->peer != 0) {
		add(filter, BPF_LD | BPF_H | mode, TCP_SOURCE_PORT);
		add_one_of(filter, &ports->peer, 1);
	}
	add(filter, BPF_LD | BPF_W | BPF_LEN, 0);
	if (version == IP_V4)
		add(filter, BPF_ALU | BPF_SUB | BPF_X, 0);
	add_jump(filter, BPF_JMP | BPF_JGE | BPF_K, TCP_FLAGS_END, 1, 0);
	add(filter, BPF_RET | BPF_K, other);
	add(filter, BPF_LD | BPF_B | mode, TCP_FLAGS);
	add(filter, BPF_ALU | BPF_AND | BPF_K, TCP_FIN_SYN_RST_ACK);
	add_jump(filter, BPF_JMP | BPF_JEQ | BPF_K, TCP_SYN, 0, 1);
	add(filter, BPF_RET | BPF_K, bare_syn);
	add(filter, BPF_RET | BPF_K, other);
}

void filter_icmp(struct filter *filter, enum ip_version version)
{
	static const uint16_t v4_types[] = {ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED,
	                                    ICMP_PARAMETERPROB};
	static const uint16_t v6_types[] = {ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG,
	                                    ICMP6_TIME_EXCEEDED, ICMP6_PARAM_PROB};
	static const uint16_t tcp = IPPROTO_TCP;

	filter->length = 0;
	if (version == IP_V4) {
		add_header_length(filter);
		add(filter, BPF_LD | BPF_B | BPF_IND, 0);
		add_one_of(filter, v4_types, 3);
		add(filter, BPF_LD | BPF_B | BPF_IND, ICMP_QUOTE + IPV4_PROTOCOL);
	} else {
		add(filter, BPF_LD | BPF_B | BPF_ABS, 0);
		add_one_of(filter, v6_types, 4);
		add(filter, BPF_LD | BPF_B | BPF_ABS, ICMP_QUOTE + IPV6_NEXT_HEADER);
	}
	add_one_of(filter, &tcp, 1);
	add(filter, BPF_RET | BPF_K, PASS);
}

int filter_attach(int fd, const struct filter *filter)
{
	struct sock_fprog program = {
		.len = (unsigned short)filter->length,
		.filter = (struct sock_filter *)(uintptr_t)filter->program,
	};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int filter_lock(int fd)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on));
}
