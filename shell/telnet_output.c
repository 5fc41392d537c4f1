/*
 * Escaping of output, in place, in the send ring. Text from a pty has CR LF at
 * its line ends already (ONLCR) and hardly ever a 255, so the usual case is one
 * pass that counts and finds nothing to do. A CR at the end of one read is sent
 * at once: whether it needs a NUL is known when the next read begins.
 */
#include "shell/telnet_output.h"

#include <string.h>

#include "shell/telnet.h"

/* Bytes counted at a time: a fixed number, few enough for a sum of one byte, becomes vector code. */
#define BLOCK 64u

/* How many of COUNT bytes are to be followed by another; one behind them is looked at, too. */
static inline uint8_t count_in(const uint8_t *bytes, size_t count, bool binary)
{
	uint8_t extra = 0;

	for (size_t i = 0; i < count; i++) {
		uint8_t bare = (uint8_t)((bytes[i] == '\r') & (bytes[i + 1] != '\n'));
		extra = (uint8_t)(extra + ((bytes[i] == TELNET_IAC) | (bare & !binary)));
	}
	return extra;
}

static size_t count_extra(const struct telnet_output *output, const uint8_t *bytes, size_t length)
{
	size_t last = length - 1, extra = 0, i = 0;

	for (; i + BLOCK <= last; i += BLOCK)
		extra += count_in(bytes + i, BLOCK, output->binary);
	extra += count_in(bytes + i, last - i, output->binary);
	/* A CR at the very end waits for the next read. */
	return extra + (bytes[last] == TELNET_IAC);
}

size_t telnet_output_expand(struct telnet_output *output, uint8_t *bytes, size_t length)
{
	if (length == 0)
		return 0;
	bool nul_first = output->cr_pending && bytes[0] != '\n';
	output->cr_pending = !output->binary && bytes[length - 1] == '\r';
	size_t extra = count_extra(output, bytes, length) + nul_first;
	size_t total = length + extra;

	/* From the end, until nothing is left to insert. */
	size_t to = total;
	for (size_t i = length; i > 0 && extra > nul_first; i--) {
		uint8_t byte = bytes[i - 1];
		if (byte == TELNET_IAC) {
			bytes[--to] = TELNET_IAC;
			extra--;
		} else if (!output->binary && byte == '\r' && i < length && bytes[to] != '\n') {
			bytes[--to] = '\0';
			extra--;
		}
		bytes[--to] = byte;
	}
	if (nul_first) {
		/* What has not moved yet moves by one. */
		memmove(bytes + 1, bytes, to - 1);
		bytes[0] = '\0';
	}
	return total;
}

size_t telnet_output_settle(struct telnet_output *output)
{
	size_t nul = output->cr_pending;

	output->cr_pending = false;
	return nul;
}

void telnet_output_binary(struct telnet_output *output, bool binary)
{
	output->binary = binary;
}
