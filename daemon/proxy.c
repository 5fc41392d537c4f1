/*
 * Reading PROXY headers: section 2.1 of the specification is version 1, a line of text,
 * section 2.2 version 2, binary. Strict where the specification is: one space, CR and LF,
 * decimal ports without leading zeros, no family but TCP over IPv4 and IPv6. TLVs of version
 * 2 are skipped.
 */
#include "daemon/proxy.h"

#include <stdbool.h>
#include <string.h>

#include "daemon/address_text.h"

/* Version 1: the whole line with CR and LF, at most (section 2.1). */
#define V1_LINE_MAX 107u

/* Version 2 */
#define V2_FIXED   16u /* signature, version and command, family, length */
#define V2_VERSION 2u
#define V2_LOCAL   0u
#define V2_PROXY   1u
#define V2_UNSPEC  0x00u
#define V2_TCP4    0x11u
#define V2_TCP6    0x21u

static const uint8_t v1_signature[] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const uint8_t v2_signature[] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                       '\n', 'Q',  'U',  'I',  'T', '\n'};

static enum proxy_result bad(struct proxy_header *header, const char *why)
{
	header->why = why;
	return PROXY_BAD;
}

/* An IPv4 address that is written as an IPv6 one (RFC 4291, 2.5.5.2) is counted as what it is. */
static void unmap(struct ip_address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (address->version != IP_V6 || memcmp(address->bytes, mapped, sizeof(mapped)) != 0)
		return;
	memcpy(address->bytes, address->bytes + 12, 4);
	memset(address->bytes + 4, 0, 12);
	address->version = IP_V4;
}

/* The endpoints are read: a client must be one that can connect. */
static enum proxy_result found(struct proxy_header *header, size_t length)
{
	header->length = length;
	unmap(&header->client.address);
	unmap(&header->reached.address);
	if (!endpoint_valid(&header->client))
		return bad(header, "the client in the PROXY header is none");
	return PROXY_CLIENT;
}

/* ---- version 1 ---- */

/* The next word of the line, up to a space or the end, into WORD with NUL; false: none, or too long. */
static bool next_word(const char **at, char *word, size_t size)
{
	size_t length = strcspn(*at, " ");

	if (length == 0 || length >= size)
		return false;
	memcpy(word, *at, length);
	word[length] = '\0';
	*at += length;
	if (**at == ' ')
		(*at)++;
	return true;
}

/* In one way only: without zeroes in front. */
static bool read_port(const char *word, uint16_t *port)
{
	return (word[0] != '0' || word[1] == '\0') && port_parse(word, port);
}

static bool read_address(const char *word, enum ip_version version, struct ip_address *address)
{
	return address_parse(word, address) && address->version == version;
}

/* What stands between "PROXY " and CR LF, as text. */
static enum proxy_result read_line(const char *line, size_t length, struct proxy_header *header)
{
	char family[8], words[4][ADDRESS_TEXT_MAX];
	enum ip_version version;

	if (!next_word(&line, family, sizeof(family)))
		return bad(header, "the PROXY header names no family");
	if (strcmp(family, "UNKNOWN") == 0) { /* what follows is to be ignored */
		header->length = length;
		return PROXY_ITSELF;
	}
	if (strcmp(family, "TCP4") != 0 && strcmp(family, "TCP6") != 0)
		return bad(header, "the PROXY header names a family that is not TCP4 or TCP6");
	version = family[3] == '4' ? IP_V4 : IP_V6;
	for (int i = 0; i < 4; i++) {
		if (!next_word(&line, words[i], sizeof(words[i])))
			return bad(header, "the PROXY header is too short");
	}
	if (*line != '\0' || line[-1] == ' ')
		return bad(header, "the PROXY header goes on behind its ports");
	if (!read_address(words[0], version, &header->client.address) ||
	    !read_address(words[1], version, &header->reached.address))
		return bad(header, "an address in the PROXY header is none of its family");
	if (!read_port(words[2], &header->client.port) ||
	    !read_port(words[3], &header->reached.port))
		return bad(header, "a port in the PROXY header is none");
	return found(header, length);
}

static enum proxy_result parse_v1(const uint8_t *bytes, size_t length, struct proxy_header *header)
{
	size_t most = length < V1_LINE_MAX ? length : V1_LINE_MAX;
	char line[V1_LINE_MAX + 1];

	for (size_t i = sizeof(v1_signature); i < most; i++) {
		if (bytes[i] == '\n' && bytes[i - 1] == '\r') {
			size_t text = i - 1 - sizeof(v1_signature);

			memcpy(line, bytes + sizeof(v1_signature), text);
			line[text] = '\0';
			return read_line(line, i + 1, header);
		}
		if (bytes[i] == '\n' || (bytes[i - 1] == '\r' && i > sizeof(v1_signature)))
			return bad(header, "the PROXY header does not end with CR and LF");
		if (bytes[i] != '\r' && (bytes[i] < ' ' || bytes[i] > '~'))
			return bad(header, "the PROXY header has characters that are none");
	}
	if (length >= V1_LINE_MAX)
		return bad(header, "the PROXY header is too long");
	return PROXY_MORE;
}

/* ---- version 2 ---- */

static uint16_t read_16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Source and destination address, each of WIDTH bytes, then their ports. */
static enum proxy_result read_addresses(const uint8_t *at, size_t width, size_t length,
                                        struct proxy_header *header)
{
	uint8_t version = width == 4 ? IP_V4 : IP_V6;

	header->client.address.version = header->reached.address.version = version;
	memcpy(header->client.address.bytes, at, width);
	memcpy(header->reached.address.bytes, at + width, width);
	header->client.port = read_16(at + 2 * width);
	header->reached.port = read_16(at + 2 * width + 2);
	return found(header, length);
}

/* The fixed part is there: what is wrong with it, or NULL. */
static const char *v2_wrong(const uint8_t *bytes)
{
	uint8_t command = bytes[12] & 0x0f, family = bytes[13];
	uint16_t rest = read_16(bytes + 14);

	if (bytes[12] >> 4 != V2_VERSION)
		return "the PROXY header is of an unknown version";
	if (command != V2_LOCAL && command != V2_PROXY)
		return "the PROXY header has an unknown command";
	if (rest > PROXY_HEADER_MAX - V2_FIXED)
		return "the PROXY header is too long";
	if (command == V2_LOCAL)
		return NULL; /* whatever the rest says */
	if (family != V2_UNSPEC && family != V2_TCP4 && family != V2_TCP6)
		return "the PROXY header is of a family that is not TCP over IPv4 or IPv6";
	if ((family == V2_TCP4 && rest < 2 * 4 + 4) || (family == V2_TCP6 && rest < 2 * 16 + 4))
		return "the PROXY header is too short for its addresses";
	return NULL;
}

static enum proxy_result parse_v2(const uint8_t *bytes, size_t length, struct proxy_header *header)
{
	const char *wrong;
	size_t whole;

	if (length < V2_FIXED)
		return PROXY_MORE;
	wrong = v2_wrong(bytes);
	if (wrong != NULL)
		return bad(header, wrong);
	whole = V2_FIXED + read_16(bytes + 14);
	if (length < whole)
		return PROXY_MORE;
	if ((bytes[12] & 0x0f) == V2_LOCAL || bytes[13] == V2_UNSPEC) {
		header->length = whole;
		return PROXY_ITSELF;
	}
	return read_addresses(bytes + V2_FIXED, bytes[13] == V2_TCP4 ? 4 : 16, whole, header);
}

/* ---- both ---- */

/* What there is begins as SIGNATURE does. */
static bool begins(const uint8_t *bytes, size_t length, const uint8_t *signature, size_t size)
{
	return memcmp(bytes, signature, length < size ? length : size) == 0;
}

enum proxy_result proxy_parse(const uint8_t *bytes, size_t length, struct proxy_header *header)
{
	*header = (struct proxy_header){0};
	if (length == 0)
		return PROXY_MORE;
	if (begins(bytes, length, v1_signature, sizeof(v1_signature)))
		return length <= sizeof(v1_signature) ? PROXY_MORE
		                                      : parse_v1(bytes, length, header);
	if (begins(bytes, length, v2_signature, sizeof(v2_signature)))
		return parse_v2(bytes, length, header);
	return bad(header, "it does not begin with a PROXY header");
}
