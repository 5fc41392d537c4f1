/*
 * Takes telnet commands out of what a server sends (RFC 854). What is answered to them is decided in
 * options.c.
 *
 * A session's output may be a hundred megabytes: runs of plain data are found with memchr(3) and left
 * where they are, so that decoding costs little of what is measured.
 */
#include "tests/bench/telnet.h"

#include <string.h>

void telnet_begin(struct telnet *telnet, enum telnet_manners manners)
{
	memset(telnet, 0, sizeof(*telnet));
	telnet->manners = manners;
}

static void keep_body_byte(struct telnet *telnet, uint8_t byte)
{
	if (telnet->body_length < sizeof(telnet->body))
		telnet->body[telnet->body_length++] = byte;
}

/* One byte after IAC. Returns true where it stands for a data byte of value 255. */
static bool take_command(struct telnet *telnet, uint8_t byte)
{
	telnet->place = TELNET_DATA;
	if (byte >= TELNET_WILL && byte <= TELNET_DONT) {
		telnet->verb = byte;
		telnet->place = TELNET_AFTER_VERB;
	} else if (byte == TELNET_SB) {
		telnet->body_length = 0;
		telnet->place = TELNET_IN_BODY;
	}
	return byte == TELNET_IAC;
}

/* One byte that is not plain data. Returns true where it yields itself as data. */
static bool take_byte(struct telnet *telnet, uint8_t byte)
{
	switch (telnet->place) {
	case TELNET_AFTER_IAC:
		return take_command(telnet, byte);
	case TELNET_AFTER_VERB:
		telnet_take_option(telnet, telnet->verb, byte);
		telnet->place = TELNET_DATA;
		return false;
	case TELNET_IN_BODY:
		if (byte == TELNET_IAC)
			telnet->place = TELNET_IN_BODY_AFTER_IAC;
		else
			keep_body_byte(telnet, byte);
		return false;
	case TELNET_IN_BODY_AFTER_IAC:
		telnet->place = TELNET_IN_BODY;
		if (byte == TELNET_SE) {
			telnet_take_body(telnet);
			telnet->place = TELNET_DATA;
		} else {
			keep_body_byte(telnet, byte);
		}
		return false;
	case TELNET_AFTER_CR:
		telnet->place = TELNET_DATA;
		if (byte == 0)
			return false;
		break;
	case TELNET_DATA:
		break;
	}
	if (byte == TELNET_IAC) {
		telnet->place = TELNET_AFTER_IAC;
		return false;
	}
	if (byte == '\r')
		telnet->place = TELNET_AFTER_CR;
	return true;
}

/*
 * Where plain data without any byte to act on ends: IAC, or CR NUL. A CR before anything else is
 * data, so a run of text lines is skipped at the speed of memchr(3).
 */
static size_t plain_length(const uint8_t *bytes, size_t length)
{
	const uint8_t *end = memchr(bytes, TELNET_IAC, length);
	size_t plain = end ? (size_t)(end - bytes) : length;

	end = memchr(bytes, 0, plain);
	if (end)
		plain = (size_t)(end - bytes);
	/* A CR at the very end may be followed by NUL in the next buffer. */
	if (plain > 0 && bytes[plain - 1] == '\r')
		plain--;
	return plain;
}

size_t telnet_decode(struct telnet *telnet, uint8_t *bytes, size_t length)
{
	size_t kept = 0;
	size_t at = 0;

	while (at < length) {
		if (telnet->place == TELNET_DATA) {
			size_t plain = plain_length(bytes + at, length - at);

			if (kept != at)
				memmove(bytes + kept, bytes + at, plain);
			kept += plain;
			at += plain;
			if (at == length)
				break;
		}
		uint8_t byte = bytes[at++];

		if (take_byte(telnet, byte))
			bytes[kept++] = byte;
	}
	return kept;
}
