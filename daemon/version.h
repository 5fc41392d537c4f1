/*
 * Which calmd this is, and which formats it speaks: all that two builds must agree
 * on before one can take over from the other. In a file of its own, so that a test
 * can link a calmd that says something else.
 */
#ifndef DAEMON_VERSION_H
#define DAEMON_VERSION_H

#include <stdint.h>

/* Versions of what outlives a process, or is said between two of them. */
struct version_formats {
	uint32_t message; /* daemon/message.h */
	uint32_t ring;    /* stack/ring.h */
	uint32_t table;   /* stack/table.h */
	uint32_t reserved;
};

/* The version of this program, such as "0.1.0". */
const char *version_text(void);

/* The formats of this program. */
struct version_formats version_formats(void);

#endif
