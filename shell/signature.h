/*
 * What is known as an attack on telnet daemons: which of it a subnegotiation has. None of
 * it does any harm here; whose source sends it again and again is banned for a while. Pure.
 */
#ifndef SHELL_SIGNATURE_H
#define SHELL_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/message.h"

/* The signature in the subnegotiation of OPTION, IACs undoubled; SIGNATURE_NONE. */
enum signature signature_of(uint8_t option, const uint8_t *body, size_t length);

#endif
