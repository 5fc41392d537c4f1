/*
 * One session to measure: a shell behind a telnet server, or behind a pty alone.
 *
 * A session is used in the same way whichever it is, so that every measurement is one piece of code.
 * All waiting is bounded by watchdog_set(): a measurement that hangs ends the program with a message.
 */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "tests/bench/telnet.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is measured: a server's address, or a program to run on a pty of our own. */
struct target {
	bool is_pty;
	struct sockaddr_storage address;
	socklen_t address_length;
	const char *shell;
	enum telnet_manners manners;
};

#define SESSION_BUFFER (64 * 1024)

struct session {
	const struct target *target;
	int descriptor;
	pid_t child; /* the shell on our own pty, or 0 */
	bool ended;
	bool reset; /* the end was a RST instead of a FIN */
	struct telnet telnet;
	uint64_t passed; /* data bytes that were read and used up since the session began */
	size_t length;   /* data bytes in `buffer` that are not used up */
	uint8_t buffer[SESSION_BUFFER];
};

/* The prompt that the shell shows to root when nothing sets PS1. */
#define SESSION_PROMPT "# "

/*
 * Reads "pty" or "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6; numbers only) into `target`. `shell` is
 * what a pty of our own runs. Ends the program with a message if `text` is neither.
 */
void target_parse(struct target *target, const char *text, const char *shell);

/* Ends the program if nothing calls this again within `seconds`; 0 takes it back. */
void watchdog_set(unsigned int seconds, const char *doing);

/* Connects, or starts the shell on a pty. Ends the program on an error. */
void session_open(struct session *session, const struct target *target);

/*
 * Waits for more data and puts it behind what `buffer` holds; answers telnet commands on the way.
 * Returns how many bytes of data were added (at least 1), or 0 at the end of the session.
 */
size_t session_read(struct session *session);

/* Uses up the first `length` bytes of `buffer`. */
void session_consume(struct session *session, size_t length);

/* Uses up everything to the end of the next `text`. Returns false if the session ended before. */
bool session_await(struct session *session, const char *text);

/* As session_await(), but ends the program if the session ends before. */
void session_expect(struct session *session, const char *text);

/* Sends bytes as they are. Ends the program on an error. */
void session_send(struct session *session, const void *bytes, size_t length);

/* Types a line and the return key: CR NUL in telnet, CR on a pty and in telnet's BINARY. */
void session_type(struct session *session, const char *line);

/* Reads to the end of the session and uses all of it up. */
void session_await_end(struct session *session);

/* Lets go of the descriptor; waits for the shell of a pty of our own. */
void session_close(struct session *session);

#endif
