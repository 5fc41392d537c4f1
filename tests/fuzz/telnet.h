/*
 * What the telnet targets share: a client's bytes to a worker that has a session, whole
 * and cut into pieces.
 */
#ifndef TESTS_FUZZ_TELNET_H
#define TESTS_FUZZ_TELNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The first bytes say how the session's terminal is and where the rest is cut; the rest is
 * what the client sends. BINARY: it has agreed to send and get that (RFC 856).
 */
int fuzz_telnet(const uint8_t *bytes, size_t length, bool binary);

#endif
