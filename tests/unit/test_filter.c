/*
 * daemon/filter.c: the programs run in the kernel, attached to a datagram socket
 * that the test sends packets to; and daemon/guard.c and daemon/raw_socket.c with
 * them, in a network namespace of the test's own (skipped where none can be made).
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/address_text.h"
#include "daemon/guard.h"
#include "daemon/raw_socket.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20
#define ECE 0x40
#define CWR 0x80

/* True when a socket with this filter gets the packet. */
static bool passes(const struct filter *filter, const void *packet, size_t length)
{
	int pair[2];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(filter_attach(pair[1], filter), 0);
	send(pair[0], packet, length, MSG_DONTWAIT);
	ssize_t got = recv(pair[1], &byte, 1, MSG_DONTWAIT | MSG_TRUNC);
	close(pair[0]);
	close(pair[1]);
	if (got >= 0)
		assert_int_equal(got, length); /* never cut */
	return got >= 0;
}

/* A TCP segment as a raw socket of VERSION sees it, behind OPTIONS bytes of IP options. */
static size_t segment(uint8_t *packet, enum ip_version version, size_t options, uint16_t from,
                      uint16_t to, uint8_t flags)
{
	size_t ip = version == IP_V4 ? 20 + options : 0;
	uint8_t *tcp = packet + ip;

	memset(packet, 0, ip + 20);
	if (version == IP_V4) {
		packet[0] = (uint8_t)(0x40 | ip / 4);
		packet[9] = IPPROTO_TCP;
	}
	tcp[0] = (uint8_t)(from >> 8);
	tcp[1] = (uint8_t)from;
	tcp[2] = (uint8_t)(to >> 8);
	tcp[3] = (uint8_t)to;
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	return ip + 20;
}

static bool lane_passes(enum ip_version version, enum filter_lane lane,
                        const struct filter_ports *ports, uint16_t from, uint16_t to, uint8_t flags)
{
	struct filter filter;
	uint8_t packet[128];

	filter_lane(&filter, version, lane, ports);
	assert_true(filter.length <= FILTER_MAX);
	return passes(&filter, packet, segment(packet, version, 0, from, to, flags));
}

static const enum ip_version versions[] = {IP_V4, IP_V6};
static const struct filter_ports two_ports = {.count = 2, .local = {23, 2323}};

static void each_segment_is_for_exactly_one_lane(void **state)
{
	(void)state;
	for (int v = 0; v < 2; v++) {
		for (unsigned flags = 0; flags < 256; flags++) {
			bool bare = (flags & (SYN | ACK | RST | FIN)) == SYN;
			assert_int_equal(lane_passes(versions[v], FILTER_SYN_LANE, &two_ports, 5,
			                             2323, (uint8_t)flags),
			                 bare);
			assert_int_equal(lane_passes(versions[v], FILTER_DATA_LANE, &two_ports, 5,
			                             2323, (uint8_t)flags),
			                 !bare);
		}
	}
}

static void only_the_ports_of_the_set_pass(void **state)
{
	static const struct {
		uint16_t port;
		bool passes;
	} cases[] = {{23, true}, {2323, true}, {22, false}, {24, false}, {0, false}, {5888, false}};

	(void)state;
	for (int v = 0; v < 2; v++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			assert_int_equal(lane_passes(versions[v], FILTER_SYN_LANE, &two_ports, 23,
			                             cases[i].port, SYN),
			                 cases[i].passes);
			assert_int_equal(lane_passes(versions[v], FILTER_DATA_LANE, &two_ports, 23,
			                             cases[i].port, ACK),
			                 cases[i].passes);
		}
	}
}

static void a_full_set_of_ports_works_to_its_last(void **state)
{
	struct filter_ports ports = {.count = MESSAGE_LISTEN_MAX};

	(void)state;
	for (uint16_t i = 0; i < MESSAGE_LISTEN_MAX; i++)
		ports.local[i] = (uint16_t)(1000 + i);
	for (uint16_t i = 0; i < MESSAGE_LISTEN_MAX; i++)
		assert_true(lane_passes(IP_V4, FILTER_DATA_LANE, &ports, 1, 1000 + i, ACK));
	assert_false(
		lane_passes(IP_V4, FILTER_DATA_LANE, &ports, 1, 1000 + MESSAGE_LISTEN_MAX, ACK));
}

static void a_call_s_lanes_hear_its_peer_s_port_alone(void **state)
{
	const struct filter_ports ports = {.count = 1, .local = {50000}, .peer = 23};

	(void)state;
	for (int v = 0; v < 2; v++) {
		assert_true(
			lane_passes(versions[v], FILTER_DATA_LANE, &ports, 23, 50000, SYN | ACK));
		assert_true(lane_passes(versions[v], FILTER_SYN_LANE, &ports, 23, 50000, SYN));
		assert_false(lane_passes(versions[v], FILTER_DATA_LANE, &ports, 24, 50000, ACK));
		assert_false(lane_passes(versions[v], FILTER_DATA_LANE, &ports, 23, 50001, ACK));
	}
}

static void ip_options_are_stepped_over(void **state)
{
	struct filter filter;
	uint8_t packet[128];

	(void)state;
	filter_lane(&filter, IP_V4, FILTER_SYN_LANE, &two_ports);
	for (size_t options = 0; options <= 40; options += 4)
		assert_true(passes(&filter, packet, segment(packet, IP_V4, options, 9, 23, SYN)));
}

static void a_header_cut_before_its_flags_is_the_data_lane_s(void **state)
{
	struct filter syn, data;
	uint8_t packet[128];

	(void)state;
	for (int v = 0; v < 2; v++) {
		size_t whole = segment(packet, versions[v], 0, 9, 23, SYN);
		size_t tcp = whole - 20;
		filter_lane(&syn, versions[v], FILTER_SYN_LANE, &two_ports);
		filter_lane(&data, versions[v], FILTER_DATA_LANE, &two_ports);
		for (size_t length = tcp + 1; length < whole; length++) {
			bool port_there = length >= tcp + 4, flags_there = length >= tcp + 14;
			assert_int_equal(passes(&syn, packet, length), flags_there);
			assert_int_equal(passes(&data, packet, length), port_there && !flags_there);
		}
	}
}

static void an_icmp_error_must_be_about_tcp(void **state)
{
	struct filter filter;
	uint8_t packet[128];

	(void)state;
	filter_icmp(&filter, IP_V4);
	for (unsigned type = 0; type < 256; type++) {
		memset(packet, 0, sizeof(packet));
		packet[0] = 0x46; /* with options */
		packet[24] = (uint8_t)type;
		packet[24 + 8 + 9] = IPPROTO_TCP;
		bool error = type == 3 || type == 11 || type == 12;
		assert_int_equal(passes(&filter, packet, 24 + 8 + 28), error);
		packet[24 + 8 + 9] = IPPROTO_UDP;
		assert_false(passes(&filter, packet, 24 + 8 + 28));
	}
	filter_icmp(&filter, IP_V6);
	for (unsigned type = 0; type < 256; type++) {
		memset(packet, 0, sizeof(packet));
		packet[0] = (uint8_t)type;
		packet[8 + 6] = IPPROTO_TCP;
		assert_int_equal(passes(&filter, packet, 8 + 48), type >= 1 && type <= 4);
		packet[8 + 6] = IPPROTO_UDP;
		assert_false(passes(&filter, packet, 8 + 48));
	}
}

static void random_packets_reach_at_most_one_lane(void **state)
{
	struct random random = random_start();
	struct filter syn, data;
	uint8_t packet[64];

	(void)state;
	filter_lane(&syn, IP_V4, FILTER_SYN_LANE, &two_ports);
	filter_lane(&data, IP_V4, FILTER_DATA_LANE, &two_ports);
	for (int round = 0; round < 500; round++) {
		size_t length = 1 + random_below(&random, sizeof(packet));
		random_fill(&random, packet, length);
		if (random_below(&random, 2) == 0 && length >= 40)
			segment(packet, IP_V4, 0, 7, 23, packet[33]);
		assert_false(passes(&syn, packet, length) && passes(&data, packet, length));
	}
}

/* A namespace of our own with loopback up, once; skips where it cannot be. */
static void need_namespace(void)
{
	static bool there;

	if (there)
		return;
	if (unshare(CLONE_NEWNET) != 0 || system("ip link set lo up") != 0)
		skip();
	there = true;
}

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	assert_true(endpoint_parse(text, 0, &endpoint));
	return endpoint;
}

/* Begins a connection from the kernel's TCP; it stays SYN-SENT. */
static int begin_connection(const struct endpoint *to)
{
	struct sockaddr_storage sa;
	socklen_t length = endpoint_to_sockaddr(to, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, length), -1);
	assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static bool readable(int fd, int milliseconds)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, milliseconds) == 1;
}

static void a_guard_keeps_the_kernel_silent_and_the_lanes_hear(void **state)
{
	static const char *const endpoints[] = {"127.0.0.1:2323", "[::1]:2323"};

	(void)state;
	need_namespace();
	for (int v = 0; v < 2; v++) {
		struct endpoint local = at(endpoints[v]), same = local;
		const struct filter_ports ports = {.count = 1, .local = {2323}};
		const char *what = "";
		uint8_t packet[2048];
		int lanes[LANES], guard = guard_open(&local, NULL, 0);

		assert_true(guard >= 0);
		assert_int_equal(guard_open(&same, NULL, 0), -1);
		assert_int_equal(errno, EADDRINUSE);
		assert_int_equal(raw_lanes_open(versions[v], &ports, lanes, &what), 0);
		int client = begin_connection(&local);
		assert_true(readable(lanes[LANE_SYN], 2000));
		ssize_t length = recv(lanes[LANE_SYN], packet, sizeof(packet), 0);
		assert_true(length >= 20);
		/* Refused (an RST came) or connected would make it ready. */
		struct pollfd poller = {.fd = client, .events = POLLOUT};
		assert_int_equal(poll(&poller, 1, 100), 0);
		assert_false(readable(lanes[LANE_DATA], 0));
		close(client);
		close(lanes[LANE_SYN]);
		close(lanes[LANE_DATA]);
		close(guard);
	}
}

/* Whether another program gets LOCAL: on its own, and with SO_REUSEPORT. */
static void is_taken(struct endpoint local)
{
	for (int on = 0; on < 2; on++) {
		struct sockaddr_storage address;
		socklen_t length = endpoint_to_sockaddr(&local, &address);
		int fd =
			socket(local.address.version == IP_V4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
		assert_true(bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 1) < 0);
		assert_int_equal(errno, EADDRINUSE);
		close(fd);
	}
}

static void guards_of_ours_may_overlap_and_nobody_else_s(void **state)
{
	static const char *const narrow[] = {"127.0.0.1:2323", "[::1]:2323"};
	static const char *const wide[] = {"0.0.0.0:2323", "[::]:2323"};

	(void)state;
	need_namespace();
	for (int v = 0; v < 2; v++) {
		struct endpoint one = at(narrow[v]), any = at(wide[v]);
		int first = guard_open(&one, NULL, 0), second, third;

		assert_true(first >= 0);
		assert_int_equal(guard_open(&any, NULL, 0), -1);
		second = guard_open(&any, &first, 1);
		assert_true(second >= 0);
		is_taken(any);
		close(first);
		is_taken(one);
		third = guard_open(&one, &second, 1);
		assert_true(third >= 0);
		close(second);
		is_taken(any);
		is_taken(one);
		/* one of another program's is in the way as ever */
		any = at(wide[v]);
		assert_int_equal(guard_open(&any, NULL, 0), -1);
		assert_int_equal(errno, EADDRINUSE);
		close(third);
	}
}

static void a_guard_finds_a_free_port(void **state)
{
	struct endpoint local = at("127.0.0.1:1"), other = local;

	(void)state;
	need_namespace();
	local.port = other.port = 0;
	int one = guard_open(&local, NULL, 0), two = guard_open(&other, NULL, 0);
	assert_true(one >= 0 && two >= 0);
	assert_true(local.port != 0 && other.port != 0 && local.port != other.port);
	close(one);
	close(two);
	local = at("203.0.113.1:1");
	assert_int_equal(guard_open(&local, NULL, 0), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
}

static void not_even_root_can_widen_what_a_socket_hears(void **state)
{
	const struct filter_ports ports = {.count = 1, .local = {2323}};
	struct endpoint local = at("127.0.0.1:2323");
	const char *what = "";
	struct filter filter;
	int lanes[LANES];

	(void)state;
	need_namespace();
	assert_int_equal(raw_lanes_open(IP_V4, &ports, lanes, &what), 0);
	int fds[] = {lanes[LANE_SYN], lanes[LANE_DATA], guard_open(&local, NULL, 0),
	             raw_icmp_open(IP_V4), raw_icmp_open(IP_V6)};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		int zero = 0;
		assert_true(fds[i] >= 0);
		filter_drop_all(&filter);
		assert_int_equal(filter_attach(fds[i], &filter), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(
			setsockopt(fds[i], SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof(zero)), -1);
		assert_int_equal(
			setsockopt(fds[i], SOL_SOCKET, SO_LOCK_FILTER, &zero, sizeof(zero)), -1);
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		close(fds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_segment_is_for_exactly_one_lane),
		cmocka_unit_test(only_the_ports_of_the_set_pass),
		cmocka_unit_test(a_full_set_of_ports_works_to_its_last),
		cmocka_unit_test(a_call_s_lanes_hear_its_peer_s_port_alone),
		cmocka_unit_test(ip_options_are_stepped_over),
		cmocka_unit_test(a_header_cut_before_its_flags_is_the_data_lane_s),
		cmocka_unit_test(an_icmp_error_must_be_about_tcp),
		cmocka_unit_test(random_packets_reach_at_most_one_lane),
		cmocka_unit_test(a_guard_keeps_the_kernel_silent_and_the_lanes_hear),
		cmocka_unit_test(guards_of_ours_may_overlap_and_nobody_else_s),
		cmocka_unit_test(a_guard_finds_a_free_port),
		cmocka_unit_test(not_even_root_can_widen_what_a_socket_hears),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
