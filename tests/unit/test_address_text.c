/*
 * daemon/address_text.c: what people write, what they read, what sockets want.
 */
#include "tests/unit/random.h"

#include <netinet/in.h>

#include "daemon/address_text.h"

#define PORT 23

static void reads(const char *text, const char *as)
{
	struct endpoint endpoint;
	char buffer[ENDPOINT_TEXT_MAX];

	assert_true(endpoint_parse(text, PORT, &endpoint));
	assert_string_equal(endpoint_format(&endpoint, buffer), as);
}

static void an_endpoint_is_read_with_and_without_port(void **state)
{
	(void)state;
	reads("1.2.3.4:2323", "1.2.3.4:2323");
	reads("1.2.3.4", "1.2.3.4:23");
	reads("0.0.0.0:65535", "0.0.0.0:65535");
	reads("::1", "[::1]:23");
	reads("[::1]", "[::1]:23");
	reads("[2001:db8::1]:99", "[2001:db8::1]:99");
	reads("2001:db8::1:99", "[2001:db8::1:99]:23");
}

static void anything_else_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		":23",
		"1.2.3:23",
		"1.2.3.4:",
		"1.2.3.4:0",
		"1.2.3.4:65536",
		"1.2.3.4:-1",
		"1.2.3.4:23x",
		"1.2.3.4:99999999999",
		"[::1",
		"[::1]23",
		"[::1]:",
		"[1.2.3.4]:23",
		"[]:23",
		"host:23",
		" 1.2.3.4",
		"1.2.3.4 ",
		"fe80::1%lo",
		"[::1]:23:24",
		"1.2.3.4:23:24",
		"[::1:23",
		"1111111111111111111111111111111111111111111111111111111111:23",
	};
	struct endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (endpoint_parse(wrong[i], PORT, &endpoint))
			fail_msg("\"%s\" was read as an endpoint", wrong[i]);
	}
}

static void no_address_is_a_star(void **state)
{
	const struct ip_address none = {0};
	char buffer[ADDRESS_TEXT_MAX];

	(void)state;
	assert_string_equal(address_format(&none, buffer), "*");
}

static void the_longest_address_fits(void **state)
{
	struct endpoint endpoint = {.address.version = IP_V6, .port = 65535};
	char buffer[ENDPOINT_TEXT_MAX];

	(void)state;
	for (int i = 0; i < 16; i++)
		endpoint.address.bytes[i] = 0xab;
	assert_string_equal(endpoint_format(&endpoint, buffer),
	                    "[abab:abab:abab:abab:abab:abab:abab:abab]:65535");
}

static void socket_addresses_go_both_ways(void **state)
{
	static const char *const texts[] = {"10.1.2.3:4", "[2001:db8::5]:6"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct endpoint endpoint, back;
		struct sockaddr_storage sa;
		assert_true(endpoint_parse(texts[i], PORT, &endpoint));
		socklen_t length = endpoint_to_sockaddr(&endpoint, &sa);
		assert_int_equal(length,
		                 i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		memset(&back, 0xff, sizeof(back));
		assert_true(endpoint_from_sockaddr(&sa, &back));
		assert_memory_equal(&endpoint, &back, sizeof(back));
	}
}

static void another_family_is_refused(void **state)
{
	const struct sockaddr_storage sa = {.ss_family = AF_UNIX};
	struct endpoint endpoint;

	(void)state;
	assert_false(endpoint_from_sockaddr(&sa, &endpoint));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_endpoint_is_read_with_and_without_port),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(no_address_is_a_star),
		cmocka_unit_test(the_longest_address_fits),
		cmocka_unit_test(socket_addresses_go_both_ways),
		cmocka_unit_test(another_family_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
