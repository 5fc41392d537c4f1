/* daemon/proxy.c: PROXY headers of both versions, whole, in pieces, and wrong. */
#include "tests/unit/random.h"

#include "daemon/address_text.h"
#include "daemon/proxy.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"

/* LENGTH bytes that end where the sanitizer looks. */
static enum proxy_result parse(const void *bytes, size_t length, struct proxy_header *header)
{
	uint8_t *exact = exact_copy(bytes, length);
	enum proxy_result result = proxy_parse(exact, length, header);

	assert_true(result != PROXY_BAD || header->why != NULL);
	assert_true(header->length <= length);
	free(exact);
	return result;
}

/* Cut off anywhere it is not whole, and with something behind it the same. */
static void assert_good(const void *bytes, size_t length, enum proxy_result result,
                        const char *client, const char *reached)
{
	uint8_t longer[600] = {0};
	char text[ENDPOINT_TEXT_MAX];
	struct proxy_header header;

	for (size_t cut = 0; cut < length; cut++)
		assert_int_equal(parse(bytes, cut, &header), PROXY_MORE);
	assert_int_equal(parse(bytes, length, &header), result);
	assert_int_equal(header.length, length);
	memcpy(longer, bytes, length);
	memcpy(longer + length, "PROXY \xff", 7);
	assert_int_equal(parse(longer, length + 7, &header), result);
	assert_int_equal(header.length, length);
	if (result != PROXY_CLIENT)
		return;
	assert_string_equal(endpoint_format(&header.client, text), client);
	assert_string_equal(endpoint_format(&header.reached, text), reached);
}

/* Bad in the end, and never good before. */
static void assert_bad(const void *bytes, size_t length, const char *why)
{
	struct proxy_header header = {0};

	for (size_t cut = 0; cut < length; cut++) {
		enum proxy_result result = parse(bytes, cut, &header);

		assert_true(result == PROXY_MORE || result == PROXY_BAD);
		if (result == PROXY_BAD)
			assert_string_equal(header.why, why);
	}
	assert_int_equal(parse(bytes, length, &header), PROXY_BAD);
	assert_string_equal(header.why, why);
}

#define GOOD(text, client, reached)                                                                \
	assert_good((text), sizeof(text) - 1, PROXY_CLIENT, (client), (reached))
#define ITSELF(text)   assert_good((text), sizeof(text) - 1, PROXY_ITSELF, NULL, NULL)
#define BAD(text, why) assert_bad((text), sizeof(text) - 1, (why))

/* ---- version 1 ---- */

static void a_line_names_the_client(void **state)
{
	(void)state;
	GOOD("PROXY TCP4 192.0.2.1 198.51.100.7 56324 23\r\n", "192.0.2.1:56324",
	     "198.51.100.7:23");
	GOOD("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", "[2001:db8::1]:1",
	     "[2001:db8::2]:65535");
	GOOD("PROXY TCP6 2001:0db8:ffff:ffff:ffff:ffff:255.255.255.254 ::1 65535 0\r\n",
	     "[2001:db8:ffff:ffff:ffff:ffff:ffff:fffe]:65535", "[::1]:0");
}

static void an_ipv4_client_is_one_whatever_the_family_says(void **state)
{
	(void)state;
	GOOD("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 7 23\r\n", "192.0.2.1:7", "10.0.0.1:23");
	GOOD(V2 "\x21\x21\0\x24"
	        "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
	        "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1"
	        "\0\7\0\x17",
	     "192.0.2.1:7", "10.0.0.1:23");
}

static void a_proxy_may_not_know(void **state)
{
	(void)state;
	ITSELF("PROXY UNKNOWN\r\n");
	ITSELF("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n");
}

static void a_line_is_as_it_must_be_or_none(void **state)
{
	static const char end[] = "the PROXY header does not end with CR and LF";
	static const char none[] = "it does not begin with a PROXY header";
	static const char family[] = "the PROXY header names a family that is not TCP4 or TCP6";
	static const char brief[] = "the PROXY header is too short";
	static const char address[] = "an address in the PROXY header is none of its family";
	static const char port[] = "a port in the PROXY header is none";

	(void)state;
	BAD("HELLO\r\n", none);
	BAD("proxy TCP4 192.0.2.1 198.51.100.7 1 2\r\n", none);
	BAD("PROXY\r\n", none);
	BAD("PROXY  TCP4 192.0.2.1 198.51.100.7 1 2\r\n", "the PROXY header names no family");
	BAD("PROXY \r\n", "the PROXY header names no family");
	BAD("PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", family);
	BAD("PROXY TCP5 192.0.2.1 198.51.100.7 1 2\r\n", family);
	BAD("PROXY TCP4\r\n", brief);
	BAD("PROXY TCP4 192.0.2.1\r\n", brief);
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n", brief);
	BAD("PROXY TCP4 192.0.2.1  198.51.100.7 1 2\r\n", brief);
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3\r\n",
	    "the PROXY header goes on behind its ports");
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n",
	    "the PROXY header goes on behind its ports");
	BAD("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", address);
	BAD("PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n", address);
	BAD("PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n", address);
	BAD("PROXY TCP4 localhost 198.51.100.7 1 2\r\n", address);
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n", port);
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 65536 2\r\n", port);
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 -1 2\r\n", port);
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 1 x\r\n", port);
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n", end);
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\rx", end);
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\r\n", end);
	BAD("PROXY TCP4 192.0.2.1\0", "the PROXY header has characters that are none");
	BAD("PROXY TCP4 192.0.2.1\xff\xfd", "the PROXY header has characters that are none");
}

static void a_client_must_be_one_that_can_connect(void **state)
{
	static const char none[] = "the client in the PROXY header is none";

	(void)state;
	BAD("PROXY TCP4 192.0.2.1 198.51.100.7 0 23\r\n", none);
	BAD("PROXY TCP4 0.0.0.0 198.51.100.7 1 23\r\n", none);
	BAD("PROXY TCP4 224.0.0.1 198.51.100.7 1 23\r\n", none);
	BAD("PROXY TCP6 ff02::1 ::1 1 23\r\n", none);
	BAD("PROXY TCP6 ::ffff:255.255.255.255 ::1 1 23\r\n", none);
}

static void a_line_has_an_end(void **state)
{
	char line[200];
	struct proxy_header header;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(parse(line, 106, &header), PROXY_MORE);
	assert_int_equal(parse(line, 107, &header), PROXY_BAD);
	assert_string_equal(header.why, "the PROXY header is too long");
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(parse(line, 107, &header), PROXY_ITSELF);
	memcpy(line + 105, "x\r\n", 3);
	assert_int_equal(parse(line, 108, &header), PROXY_BAD);
}

/* ---- version 2 ---- */

static void a_binary_header_names_the_client(void **state)
{
	(void)state;
	GOOD(V2 "\x21\x11\0\x0c"
	        "\xc0\0\2\1\xc6\x33\x64\7\xdc\x04\0\x17",
	     "192.0.2.1:56324", "198.51.100.7:23");
	GOOD(V2 "\x21\x21\0\x24"
	        "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
	        "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
	        "\xdc\x04\0\x17",
	     "[2001:db8::1]:56324", "[2001:db8::2]:23");
}

static void what_else_it_says_is_skipped(void **state)
{
	(void)state;
	GOOD(V2 "\x21\x11\0\x16"
	        "\xc0\0\2\1\xc6\x33\x64\7\xdc\x04\0\x17"
	        "\x04\0\3\0\0\0\x01\0\1x",
	     "192.0.2.1:56324", "198.51.100.7:23");
	/* even when it is cut off */
	GOOD(V2 "\x21\x11\0\x0d"
	        "\xc0\0\2\1\xc6\x33\x64\7\xdc\x04\0\x17"
	        "\x01",
	     "192.0.2.1:56324", "198.51.100.7:23");
}

static void a_proxy_may_speak_for_itself(void **state)
{
	(void)state;
	ITSELF(V2 "\x20\0\0\0"); /* LOCAL */
	ITSELF(V2 "\x20\x11\0\x0c"
	          "0123456789ab"); /* LOCAL, whatever follows */
	ITSELF(V2 "\x20\xff\0\3"
	          "abc");
	ITSELF(V2 "\x21\0\0\0"); /* UNSPEC */
	ITSELF(V2 "\x21\0\0\5"
	          "abcde");
}

static void a_binary_header_is_as_it_must_be_or_none(void **state)
{
	static const char family[] =
		"the PROXY header is of a family that is not TCP over IPv4 or IPv6";
	static const char brief[] = "the PROXY header is too short for its addresses";

	(void)state;
	BAD(V2 "\x31\x11\0\x0c", "the PROXY header is of an unknown version");
	BAD(V2 "\x11\x11\0\x0c", "the PROXY header is of an unknown version");
	BAD(V2 "\x22\x11\0\x0c", "the PROXY header has an unknown command");
	BAD(V2 "\x21\x12\0\x0c", family);
	BAD(V2 "\x21\x22\0\x24", family);
	BAD(V2 "\x21\x31\0\xd8", family);
	BAD(V2 "\x21\x13\0\x0c", family);
	BAD(V2 "\x21\x11\0\x0b", brief);
	BAD(V2 "\x21\x21\0\x23", brief);
	BAD(V2 "\x21\x21\0\x0c", brief);
	BAD(V2 "\x21\x11\xff\xff", "the PROXY header is too long");
	BAD(V2 "\x20\0\x0f\xf1", "the PROXY header is too long");
	BAD(V2 "\x21\x11\0\x0c"
	       "\0\0\0\0\xc6\x33\x64\7\xdc\x04\0\x17",
	    "the client in the PROXY header is none");
	BAD("\r\n\r\n\1\r\nQUIT\n\x21\x11\0\x0c", "it does not begin with a PROXY header");
}

/* A change of a good header is good, bad or not whole, and nothing is read beyond its end. */
static void any_change_of_a_header_is_read_within_its_bounds(void **state)
{
	static const char *const seeds[] = {
		"PROXY TCP4 192.0.2.1 198.51.100.7 56324 23\r\n",
		"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n",
	};
	static const char binary[] = V2 "\x21\x11\0\x0c"
					"\xc0\0\2\1\xc6\x33\x64\7\xdc\x04\0\x17";
	struct random random = random_start();

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint8_t bytes[128];
		size_t length = sizeof(binary) - 1;
		struct proxy_header header;
		uint32_t which = random_below(&random, 3);

		memcpy(bytes, binary, length);
		if (which < 2) {
			length = strlen(seeds[which]);
			memcpy(bytes, seeds[which], length);
		}
		for (uint32_t n = random_below(&random, 4); n > 0; n--)
			bytes[random_below(&random, (uint32_t)length)] =
				(uint8_t)random_below(&random, 256);
		if (parse(bytes, 1 + random_below(&random, (uint32_t)length), &header) ==
		    PROXY_CLIENT)
			assert_true(endpoint_valid(&header.client));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_names_the_client),
		cmocka_unit_test(an_ipv4_client_is_one_whatever_the_family_says),
		cmocka_unit_test(a_proxy_may_not_know),
		cmocka_unit_test(a_line_is_as_it_must_be_or_none),
		cmocka_unit_test(a_client_must_be_one_that_can_connect),
		cmocka_unit_test(a_line_has_an_end),
		cmocka_unit_test(a_binary_header_names_the_client),
		cmocka_unit_test(what_else_it_says_is_skipped),
		cmocka_unit_test(a_proxy_may_speak_for_itself),
		cmocka_unit_test(a_binary_header_is_as_it_must_be_or_none),
		cmocka_unit_test(any_change_of_a_header_is_read_within_its_bounds),
	};

	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
