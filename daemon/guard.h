/*
 * Guards: kernel TCP sockets that hold a port which calmd serves over raw
 * sockets, so that the kernel does not answer there (design: the kernel sends RST
 * for a port nobody listens on) and no other program can take it.
 */
#ifndef DAEMON_GUARD_H
#define DAEMON_GUARD_H

#include "stack/address.h"

/*
 * Guards *LOCAL (address set; port 0: any free one, which is then put there). BESIDE are
 * COUNT guards of ours that may stay although they have a part of it, or it of them.
 * Returns the socket, which guards until it is closed, or -1 with errno:
 * EADDRINUSE when another program listens there, EADDRNOTAVAIL when the host has
 * no such address.
 */
int guard_open(struct endpoint *local, const int *beside, unsigned count);

/*
 * Logs a warning for every kernel connection that is established on one of the
 * ports: calmd's raw sockets see its packets, too, and leave them alone.
 */
void guard_warn_established(const struct endpoint *listens, unsigned count);

#endif
