/*
 * daemon/route.c, asked about interfaces and routes of a network namespace of the
 * test's own; skipped where none can be made.
 */
#include "tests/unit/random.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "daemon/address_text.h"
#include "daemon/route.h"

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s failed", command);
}

static int make_namespace(void **state)
{
	int fd;

	if (unshare(CLONE_NEWNET) != 0) {
		*state = NULL;
		return 0;
	}
	run("ip link set lo up && ip link add one type veth peer name two &&"
	    " ip link set one up mtu 1400 && ip link set two up &&"
	    " ip addr add 192.0.2.1/24 dev one && ip -6 addr add 2001:db8::1/64 dev one nodad &&"
	    " ip route add 198.51.100.0/24 via 192.0.2.9 mtu 1300 &&"
	    " ip route add unreachable 203.0.113.0/24");
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	*state = route_create(NULL, fd);
	return *state != NULL ? 0 : -1;
}

static int end_namespace(void **state)
{
	route_destroy(*state);
	return 0;
}

static struct route *need(void **state)
{
	if (*state == NULL)
		skip();
	return *state;
}

static bool look_up(struct route *route, const char *text, struct route_answer *answer)
{
	struct ip_address to;

	assert_true(address_parse(text, &to));
	return route_lookup(route, &to, 0, answer);
}

static void assert_source(const struct route_answer *answer, const char *text)
{
	char buffer[ADDRESS_TEXT_MAX];

	assert_string_equal(address_format(&answer->source, buffer), text);
}

static void a_neighbour_is_reached_from_the_interface_s_address(void **state)
{
	struct route *route = need(state);
	struct route_answer answer;

	assert_true(look_up(route, "192.0.2.7", &answer));
	assert_source(&answer, "192.0.2.1");
	assert_int_equal(answer.mtu, 1400);
	assert_int_equal(route_mtu(route, answer.ifindex), 1400);
	assert_true(look_up(route, "2001:db8::7", &answer));
	assert_source(&answer, "2001:db8::1");
	assert_int_equal(answer.mtu, 1400);
}

static void the_host_itself_is_reached_over_loopback(void **state)
{
	struct route *route = need(state);
	struct route_answer answer;

	assert_true(look_up(route, "127.0.0.1", &answer));
	assert_source(&answer, "127.0.0.1");
	assert_int_equal(answer.mtu, 65536);
	assert_true(look_up(route, "::1", &answer));
	assert_source(&answer, "::1");
	assert_true(look_up(route, "192.0.2.1", &answer));
	assert_source(&answer, "192.0.2.1");
}

static void a_route_s_own_mtu_counts(void **state)
{
	struct route *route = need(state);
	struct route_answer answer;

	assert_true(look_up(route, "198.51.100.5", &answer));
	assert_source(&answer, "192.0.2.1");
	assert_int_equal(answer.mtu, 1300);
}

static void no_way_is_an_error(void **state)
{
	struct route *route = need(state);
	struct route_answer answer;

	assert_false(look_up(route, "203.0.113.1", &answer));
	assert_int_equal(errno, EHOSTUNREACH);
	assert_false(look_up(route, "8.8.8.8", &answer));
	assert_int_equal(errno, ENETUNREACH);
	assert_false(look_up(route, "2001:db9::1", &answer));
}

static void a_changed_mtu_is_noticed(void **state)
{
	struct route *route = need(state);
	struct route_answer answer;

	run("ip link set one mtu 1280");
	/* The notification is in the queue before the answer. */
	assert_true(look_up(route, "192.0.2.7", &answer));
	assert_int_equal(answer.mtu, 1280);
}

static void an_interface_that_is_gone_has_no_mtu(void **state)
{
	struct route *route = need(state);
	struct route_answer answer;
	uint32_t ifindex;

	assert_true(look_up(route, "192.0.2.7", &answer));
	ifindex = answer.ifindex;
	run("ip link del one");
	assert_false(look_up(route, "192.0.2.7", &answer));
	assert_int_equal(route_mtu(route, ifindex), 0);
	assert_int_equal(route_mtu(route, 4000000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_neighbour_is_reached_from_the_interface_s_address),
		cmocka_unit_test(the_host_itself_is_reached_over_loopback),
		cmocka_unit_test(a_route_s_own_mtu_counts),
		cmocka_unit_test(no_way_is_an_error),
		cmocka_unit_test(a_changed_mtu_is_noticed),
		cmocka_unit_test(an_interface_that_is_gone_has_no_mtu),
	};

	return cmocka_run_group_tests(tests, make_namespace, end_namespace);
}
