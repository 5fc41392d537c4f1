/* stack/address.c: kinds of addresses and what they count as. */
#include "tests/unit/random.h"

#include "stack/address.h"

static struct ip_address v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct ip_address){.bytes = {a, b, c, d}, .version = IP_V4};
}

static struct ip_address v6(uint8_t first, uint8_t eighth, uint8_t last)
{
	struct ip_address address = {.version = IP_V6};

	address.bytes[0] = first;
	address.bytes[7] = eighth;
	address.bytes[15] = last;
	return address;
}

static void zero_addresses_and_none_are_any(void **state)
{
	struct ip_address none = {0}, any4 = v4(0, 0, 0, 0), any6 = v6(0, 0, 0);

	(void)state;
	assert_true(address_is_any(&none));
	assert_true(address_is_any(&any4));
	assert_true(address_is_any(&any6));
}

static void one_set_bit_makes_an_address_not_any(void **state)
{
	struct ip_address a = v4(0, 0, 0, 1), b = v6(0, 0, 1), c = v6(0x80, 0, 0);

	(void)state;
	assert_false(address_is_any(&a));
	assert_false(address_is_any(&b));
	assert_false(address_is_any(&c));
}

static void hosts_and_loopback_are_unicast(void **state)
{
	struct ip_address hosts[] = {
		v4(127, 0, 0, 1), v4(192, 0, 2, 1), v4(223, 255, 255, 255), v4(240, 0, 0, 1),
		v6(0, 0, 1),      v6(0x20, 1, 1),   v4(255, 255, 255, 254), v6(0xfe, 0, 1)};

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		assert_true(address_is_unicast(&hosts[i]));
}

static void any_multicast_and_broadcast_are_not_unicast(void **state)
{
	struct ip_address others[] = {{.version = IP_NONE},
	                              v4(0, 0, 0, 0),
	                              v6(0, 0, 0),
	                              v4(224, 0, 0, 1),
	                              v4(239, 255, 255, 255),
	                              v4(255, 255, 255, 255),
	                              v6(0xff, 0, 1),
	                              {.bytes = {1}, .version = 5}};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(address_is_unicast(&others[i]));
}

static void the_source_of_an_ipv4_address_is_the_address(void **state)
{
	struct ip_address a = v4(192, 0, 2, 7), source = address_source(&a);

	(void)state;
	assert_true(address_equal(&a, &source));
}

static void the_source_of_an_ipv6_address_is_its_64(void **state)
{
	struct ip_address a = v6(0x20, 1, 1), b = v6(0x20, 1, 2), c = v6(0x20, 2, 1);
	struct ip_address source_a = address_source(&a), source_b = address_source(&b),
			  source_c = address_source(&c);

	(void)state;
	assert_true(address_equal(&source_a, &source_b));
	assert_false(address_equal(&source_a, &source_c));
}

static void flows_are_equal_only_in_all_four_parts(void **state)
{
	struct flow a = {.local = {v4(10, 0, 0, 1), 23, 0}, .peer = {v4(10, 0, 0, 2), 4000, 0}};
	struct flow b = a;

	(void)state;
	assert_int_equal(sizeof(struct flow), 48); /* no padding for memcmp to trip over */
	assert_true(flow_equal(&a, &b));
	b.peer.port++;
	assert_false(flow_equal(&a, &b));
	b = a;
	b.local.address.bytes[3]++;
	assert_false(flow_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_addresses_and_none_are_any),
		cmocka_unit_test(one_set_bit_makes_an_address_not_any),
		cmocka_unit_test(hosts_and_loopback_are_unicast),
		cmocka_unit_test(any_multicast_and_broadcast_are_not_unicast),
		cmocka_unit_test(the_source_of_an_ipv4_address_is_the_address),
		cmocka_unit_test(the_source_of_an_ipv6_address_is_its_64),
		cmocka_unit_test(flows_are_equal_only_in_all_four_parts),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
