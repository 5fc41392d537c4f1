/*
 * Terminal speed (RFC 1079): "transmit,receive" in decimal, as the terminal sees
 * it. What it transmits is the pty's input.
 */
#include "shell/option.h"
#include "shell/telnet.h"

#define DIGITS_MAX 9u /* below 2^32, whatever they are */

/* Reads a number at *AT; false when there is none, or one too long. */
static bool read_number(const uint8_t *body, size_t length, size_t *at, uint32_t *number)
{
	size_t begin = *at;

	*number = 0;
	while (*at < length && body[*at] >= '0' && body[*at] <= '9' && *at - begin < DIGITS_MAX)
		*number = *number * 10 + body[(*at)++] - '0';
	return *at > begin;
}

void option_tspeed_receive(struct negotiation *negotiation, const uint8_t *body, size_t length)
{
	uint32_t in, out;
	size_t at = 1;

	if (body[0] != TELNET_IS)
		return;
	negotiation->speed_known = true;
	if (!read_number(body, length, &at, &in) || at == length || body[at++] != ',' ||
	    !read_number(body, length, &at, &out) || at != length)
		return;
	negotiation->speed_in = in;
	negotiation->speed_out = out;
}
