/*
 * synflood: sends a bounded number of SYNs from made-up addresses, for the test
 * that a flood leaves open sessions alone. Which addresses, ports and sequence
 * numbers it makes up follows from the seed, so a run can be repeated.
 *
 * IPv4 sources are from 198.18.0.0/15, which RFC 2544 keeps for such tests, IPv6
 * sources from 2001:2::/48 (RFC 5180). It works in a network namespace that `ip
 * netns` has named and refuses in the host's, so that no flood ever leaves the machine.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <glob.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX        1000000
#define BATCH            64
#define MSS_OPTION_BYTES 4
#define TCP_BYTES        (sizeof(struct tcphdr) + MSS_OPTION_BYTES)
#define PACKET_MAX       (sizeof(struct ip6_hdr) + TCP_BYTES)

struct flood {
	int family;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} target;
	uint16_t port;
	uint64_t rate; /* packets a second; 0: as fast as it goes */
	uint64_t random;
};

/* SplitMix64. */
static uint64_t flood_random(struct flood *flood)
{
	uint64_t mixed = flood->random += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

/* The test's namespaces are those that `ip netns` names; the host's own never is one. */
static void require_named_namespace(void)
{
	struct stat ours, named;
	glob_t names;
	int found = 0;

	if (stat("/proc/self/ns/net", &ours) < 0)
		err(EXIT_FAILURE, "looking at our network namespace");
	if (glob("/run/netns/*", 0, NULL, &names) == 0) {
		for (size_t i = 0; i < names.gl_pathc; i++)
			if (stat(names.gl_pathv[i], &named) == 0 && named.st_ino == ours.st_ino &&
			    named.st_dev == ours.st_dev)
				found = 1;
		globfree(&names);
	}
	if (!found)
		errx(EXIT_FAILURE, "not in a namespace of `ip netns`: refusing to flood");
}

static uint64_t sum_words(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint64_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ADDRESSES: source and destination, as they stand in the IP header. */
static void write_syn(struct flood *flood, uint8_t *at, const uint8_t *addresses, size_t bytes)
{
	uint64_t random = flood_random(flood);
	struct tcphdr tcp = {
		.source = htons((uint16_t)(1024 + random % 60000)),
		.dest = htons(flood->port),
		.seq = htonl((uint32_t)(random >> 32)),
		.doff = TCP_BYTES / 4,
		.syn = 1,
		.window = htons(64240),
	};
	static const uint8_t mss_1460[MSS_OPTION_BYTES] = {2, 4, 1460 >> 8, 1460 & 0xff};
	uint64_t sum = sum_words(addresses, bytes) + IPPROTO_TCP + TCP_BYTES;

	memcpy(at + sizeof(tcp), mss_1460, sizeof(mss_1460));
	sum += sum_words(&tcp, sizeof(tcp)) + sum_words(mss_1460, sizeof(mss_1460));
	tcp.check = htons(fold(sum));
	memcpy(at, &tcp, sizeof(tcp));
}

static size_t write_packet_v4(struct flood *flood, uint8_t *packet)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(sizeof(ip) + TCP_BYTES),
		.ttl = 64,
		.protocol = IPPROTO_TCP,
		/* 198.18.0.0/15 */
		.saddr = htonl(0xc6120000u | (uint32_t)(flood_random(flood) & 0x1ffff)),
		.daddr = flood->target.v4.sin_addr.s_addr,
	};

	memcpy(packet, &ip, sizeof(ip)); /* the kernel fills in the header's checksum */
	write_syn(flood, packet + sizeof(ip), packet + offsetof(struct iphdr, saddr), 8);
	return sizeof(ip) + TCP_BYTES;
}

static size_t write_packet_v6(struct flood *flood, uint8_t *packet)
{
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons(TCP_BYTES),
		.ip6_nxt = IPPROTO_TCP,
		.ip6_hops = 64,
		.ip6_dst = flood->target.v6.sin6_addr,
	};
	uint64_t low = flood_random(flood);

	ip.ip6_src.s6_addr[0] = 0x20; /* 2001:2::/48 */
	ip.ip6_src.s6_addr[1] = 0x01;
	ip.ip6_src.s6_addr[3] = 0x02;
	memcpy(&ip.ip6_src.s6_addr[8], &low, sizeof(low));
	memcpy(packet, &ip, sizeof(ip));
	write_syn(flood, packet + sizeof(ip), packet + offsetof(struct ip6_hdr, ip6_src), 32);
	return sizeof(ip) + TCP_BYTES;
}

/* Sends all COUNT messages; a full queue is waited for, a refused packet is left out. */
static unsigned send_batch(int sender, struct mmsghdr *messages, unsigned count)
{
	struct pollfd polled = {.fd = sender, .events = POLLOUT};
	unsigned done = 0, refused = 0;

	while (done < count) {
		int sent = sendmmsg(sender, messages + done, count - done, 0);

		if (sent > 0) {
			done += (unsigned)sent;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			poll(&polled, 1, 100);
		} else if (errno == EPERM) {
			done++;
			refused++;
		} else if (errno != EINTR) {
			err(EXIT_FAILURE, "sending SYNs");
		}
	}
	return count - refused;
}

/* Sleeps until SENT packets may have gone since BEGIN: without, the receiving side's queue drops. */
static void keep_pace(const struct flood *flood, const struct timespec *begin, uint64_t sent)
{
	struct timespec due = *begin;
	uint64_t passed;

	if (flood->rate == 0)
		return;
	passed = sent * UINT64_C(1000000000) / flood->rate + (uint64_t)due.tv_nsec;
	due.tv_sec += (time_t)(passed / UINT64_C(1000000000));
	due.tv_nsec = (long)(passed % UINT64_C(1000000000));
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

static uint64_t flood_send(struct flood *flood, const struct timespec *begin, uint64_t count)
{
	static uint8_t packets[BATCH][PACKET_MAX];
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	int sender = socket(flood->family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	socklen_t address_bytes =
		flood->family == AF_INET ? sizeof(flood->target.v4) : sizeof(flood->target.v6);
	uint64_t sent = 0;

	if (sender < 0)
		err(EXIT_FAILURE, "opening a raw socket");
	memset(messages, 0, sizeof(messages));
	while (count > 0) {
		unsigned batch = count < BATCH ? (unsigned)count : BATCH;

		for (unsigned i = 0; i < batch; i++) {
			vectors[i].iov_base = packets[i];
			vectors[i].iov_len = flood->family == AF_INET
			                             ? write_packet_v4(flood, packets[i])
			                             : write_packet_v6(flood, packets[i]);
			messages[i].msg_hdr.msg_name = &flood->target;
			messages[i].msg_hdr.msg_namelen = address_bytes;
			messages[i].msg_hdr.msg_iov = &vectors[i];
			messages[i].msg_hdr.msg_iovlen = 1;
		}
		sent += send_batch(sender, messages, batch);
		count -= batch;
		keep_pace(flood, begin, sent);
	}
	close(sender);
	return sent;
}

static unsigned long parse_number(const char *what, const char *text, unsigned long most)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || number > most)
		errx(2, "%s %s: not a whole number up to %lu", what, text, most);
	return number;
}

static void set_target(struct flood *flood, const char *address)
{
	if (inet_pton(AF_INET, address, &flood->target.v4.sin_addr) == 1)
		flood->family = AF_INET;
	else if (inet_pton(AF_INET6, address, &flood->target.v6.sin6_addr) == 1)
		flood->family = AF_INET6;
	else
		errx(2, "%s: not an address", address);
	flood->target.any.sa_family = (sa_family_t)flood->family;
}

int main(int argc, char **argv)
{
	struct flood flood = {.rate = 25000};
	struct timespec begin, end;
	unsigned long count = 100000, seed = 1;
	uint64_t sent;
	int option;

	while ((option = getopt(argc, argv, "n:r:s:")) != -1) {
		if (option == 'n')
			count = parse_number("-n", optarg, COUNT_MAX);
		else if (option == 'r')
			flood.rate = parse_number("-r", optarg, COUNT_MAX);
		else if (option == 's')
			seed = parse_number("-s", optarg, UINT32_MAX);
		else
			argc = 0;
	}
	if (argc - optind != 2)
		errx(2, "usage: synflood [-n COUNT] [-r PER_SECOND] [-s SEED] ADDRESS PORT");
	set_target(&flood, argv[optind]);
	flood.port = (uint16_t)parse_number("port", argv[optind + 1], UINT16_MAX);
	flood.random = seed;
	require_named_namespace();
	clock_gettime(CLOCK_MONOTONIC, &begin);
	sent = flood_send(&flood, &begin, count);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("sent %llu SYNs in %.3f s, seed %lu\n", (unsigned long long)sent,
	       (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
	       seed);
	return EXIT_SUCCESS;
}
