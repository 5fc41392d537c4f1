/*
 * What the session writes, as it must look on the network: a data byte 255 is
 * doubled, and on the network virtual terminal a CR is followed by LF or NUL
 * (RFC 854). Pure.
 */
#ifndef SHELL_TELNET_OUTPUT_H
#define SHELL_TELNET_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct telnet_output {
	bool binary;     /* we send BINARY: no rule for CR. Set by telnet_output_binary */
	bool cr_pending; /* the last byte was a CR that has nothing behind it yet */
};

/*
 * Expands LENGTH bytes in place and returns the new length, which is at most
 * 2 * LENGTH + 1: that much room must be at BYTES.
 */
size_t telnet_output_expand(struct telnet_output *output, uint8_t *bytes, size_t length);

/*
 * Nothing follows for now (the end, a command that must not come between CR and
 * what belongs to it, a change to BINARY): returns 1 when a NUL must be sent
 * first, else 0.
 */
size_t telnet_output_settle(struct telnet_output *output);

/* From now on we do, or do not, send BINARY. Call telnet_output_settle before. */
void telnet_output_binary(struct telnet_output *output, bool binary);

#endif
