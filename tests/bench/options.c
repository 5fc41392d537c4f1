/*
 * Decides what the load client answers to a server's telnet commands.
 *
 * An answer goes out only when the state of an option changes or when a request is refused, so there
 * is no loop (RFC 1143). Option by option: RFC 856 (BINARY), 857 (ECHO), 858 (SGA), 859 (STATUS),
 * 860 (TIMING-MARK), 1073 (NAWS), 1079 (TSPEED), 1091 (TTYPE), 1184 (LINEMODE), 1372 (LFLOW), 1572
 * (NEW-ENVIRON).
 */
#include "tests/bench/telnet.h"

#include <string.h>

/* Body of a subnegotiation that asks for a value, and of the answer. */
enum {
	BODY_IS = 0,
	BODY_SEND = 1,
};

/* Bodies of LINEMODE (RFC 1184, section 2). */
enum {
	LINEMODE_MODE = 1,
	LINEMODE_SLC = 3,
	LINEMODE_MODE_ACK = 4,
};

static void answer(struct telnet *telnet, const void *bytes, size_t length)
{
	if (length > sizeof(telnet->answer) - telnet->answer_length) {
		telnet->answer_overflow = true;
		return;
	}
	memcpy(telnet->answer + telnet->answer_length, bytes, length);
	telnet->answer_length += length;
}

static void answer_option(struct telnet *telnet, uint8_t verb, uint8_t option)
{
	const uint8_t command[] = {TELNET_IAC, verb, option};

	answer(telnet, command, sizeof(command));
}

/* No body that is sent here holds a 255, so none is doubled. */
static void answer_body(struct telnet *telnet, uint8_t option, const void *body, size_t length)
{
	const uint8_t head[] = {TELNET_IAC, TELNET_SB, option};
	static const uint8_t tail[] = {TELNET_IAC, TELNET_SE};

	answer(telnet, head, sizeof(head));
	answer(telnet, body, length);
	answer(telnet, tail, sizeof(tail));
}

static void answer_window_size(struct telnet *telnet)
{
	static const uint8_t eighty_by_twenty_four[] = {0, 80, 0, 24};

	answer_body(telnet, TELNET_OPTION_NAWS, eighty_by_twenty_four,
	            sizeof(eighty_by_twenty_four));
}

/*
 * The keys that a terminal's editing functions are on: triplets of function, level with flags, and
 * character (RFC 1184, section 2.4). Level 2 is "this is my value", 0 is "not supported".
 */
static void answer_line_mode_keys(struct telnet *telnet)
{
	static const uint8_t keys[] = {
		LINEMODE_SLC,
		1,
		0x00,
		0, /* synch */
		3,
		0x62,
		0x03, /* interrupt: ^C, flushes both ways */
		4,
		0x02,
		0x0f, /* abort output: ^O */
		5,
		0x00,
		0, /* are you there */
		7,
		0x62,
		0x1c, /* abort: ^\ , flushes both ways */
		8,
		0x02,
		0x04, /* end of file: ^D */
		9,
		0x42,
		0x1a, /* suspend: ^Z, flushes input */
		10,
		0x02,
		0x7f, /* erase character */
		11,
		0x02,
		0x15, /* erase line: ^U */
		12,
		0x02,
		0x17, /* erase word: ^W */
		13,
		0x02,
		0x12, /* reprint line: ^R */
		14,
		0x02,
		0x16, /* literal next: ^V */
		15,
		0x02,
		0x11, /* start output: ^Q */
		16,
		0x02,
		0x13, /* stop output: ^S */
		17,
		0x00,
		0, /* forwarding character 1 */
		18,
		0x00,
		0, /* forwarding character 2 */
	};

	answer_body(telnet, TELNET_OPTION_LINEMODE, keys, sizeof(keys));
}

static bool is_wanted_of_server(const struct telnet *telnet, uint8_t option)
{
	switch (option) {
	case TELNET_OPTION_ECHO:
	case TELNET_OPTION_SGA:
		return true;
	case TELNET_OPTION_STATUS:
		return telnet->manners == TELNET_FULL;
	default:
		return false;
	}
}

static bool is_given_to_server(const struct telnet *telnet, uint8_t option)
{
	switch (option) {
	case TELNET_OPTION_SGA:
	case TELNET_OPTION_TTYPE:
	case TELNET_OPTION_NAWS:
		return true;
	case TELNET_OPTION_BINARY:
	case TELNET_OPTION_TSPEED:
	case TELNET_OPTION_LFLOW:
	case TELNET_OPTION_LINEMODE:
	case TELNET_OPTION_NEW_ENVIRON:
		return telnet->manners == TELNET_FULL;
	default:
		return false;
	}
}

static void take_will(struct telnet *telnet, uint8_t option)
{
	if (telnet->theirs[option])
		return;
	telnet->theirs[option] = is_wanted_of_server(telnet, option);
	answer_option(telnet, telnet->theirs[option] ? TELNET_DO : TELNET_DONT, option);
}

static void take_wont(struct telnet *telnet, uint8_t option)
{
	if (!telnet->theirs[option])
		return;
	telnet->theirs[option] = false;
	answer_option(telnet, TELNET_DONT, option);
}

static void take_do(struct telnet *telnet, uint8_t option)
{
	/* A timing mark is an event, not a state: each one asked for is answered (RFC 860). */
	if (option == TELNET_OPTION_TIMING_MARK) {
		answer_option(telnet, TELNET_WILL, option);
		return;
	}
	if (telnet->ours[option])
		return;
	telnet->ours[option] = is_given_to_server(telnet, option);
	answer_option(telnet, telnet->ours[option] ? TELNET_WILL : TELNET_WONT, option);
	if (!telnet->ours[option])
		return;
	if (option == TELNET_OPTION_NAWS)
		answer_window_size(telnet);
	else if (option == TELNET_OPTION_LINEMODE)
		answer_line_mode_keys(telnet);
}

static void take_dont(struct telnet *telnet, uint8_t option)
{
	if (!telnet->ours[option])
		return;
	telnet->ours[option] = false;
	answer_option(telnet, TELNET_WONT, option);
}

void telnet_take_option(struct telnet *telnet, uint8_t verb, uint8_t option)
{
	switch (verb) {
	case TELNET_WILL:
		take_will(telnet, option);
		break;
	case TELNET_WONT:
		take_wont(telnet, option);
		break;
	case TELNET_DO:
		take_do(telnet, option);
		break;
	default:
		take_dont(telnet, option);
		break;
	}
}

/* A new editing mode is confirmed once; a confirmation is not confirmed (RFC 1184, section 2.2). */
static void take_line_mode(struct telnet *telnet)
{
	uint8_t mode[] = {LINEMODE_MODE, 0};

	if (telnet->body_length < 3 || telnet->body[1] != LINEMODE_MODE ||
	    (telnet->body[2] & LINEMODE_MODE_ACK))
		return;
	mode[1] = telnet->body[2] | LINEMODE_MODE_ACK;
	answer_body(telnet, TELNET_OPTION_LINEMODE, mode, sizeof(mode));
}

void telnet_take_body(struct telnet *telnet)
{
	static const char terminal_type[] = "\0xterm";
	static const char terminal_speed[] = "\00038400,38400";
	static const uint8_t empty_environment[] = {BODY_IS};

	if (telnet->body_length < 2 || !telnet->ours[telnet->body[0]])
		return;
	if (telnet->body[0] == TELNET_OPTION_LINEMODE) {
		take_line_mode(telnet);
		return;
	}
	if (telnet->body[1] != BODY_SEND)
		return;
	switch (telnet->body[0]) {
	case TELNET_OPTION_TTYPE:
		answer_body(telnet, TELNET_OPTION_TTYPE, terminal_type, sizeof(terminal_type) - 1);
		break;
	case TELNET_OPTION_TSPEED:
		answer_body(telnet, TELNET_OPTION_TSPEED, terminal_speed,
		            sizeof(terminal_speed) - 1);
		break;
	case TELNET_OPTION_NEW_ENVIRON:
		answer_body(telnet, TELNET_OPTION_NEW_ENVIRON, empty_environment,
		            sizeof(empty_environment));
		break;
	default:
		break;
	}
}
