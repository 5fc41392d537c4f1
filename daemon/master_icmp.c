/*
 * ICMP errors: read from the raw ICMP sockets and handed to the engine, which
 * believes them only when they quote data in flight (RFC 5927). The sockets' own
 * filters let only errors through.
 */
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/master_state.h"

/* An error quotes at most the smallest packet that everyone takes (RFC 1812, RFC 4443). */
#define ICMP_BYTES 2048

/* Messages a turn. */
#define ICMP_TURN 16

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	uint64_t now_us = master_now_us();
	uint8_t bytes[ICMP_BYTES];
	struct icmp_error error;

	(void)what;
	for (int i = 0; i < ICMP_TURN; i++) {
		ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		bool parsed;

		if (got <= 0)
			break;
		parsed = fd == m->icmp_fd[0] ? icmp4_parse(bytes, (size_t)got, &error)
		                             : icmp6_parse(bytes, (size_t)got, &error);
		if (parsed)
			stack_icmp(m->stack, &error, now_us);
	}
	master_settle(m, now_us);
}

bool master_icmp_create(struct master *m)
{
	for (int i = 0; i < 2; i++) {
		if (m->icmp_fd[i] < 0) /* a host without IPv6 */
			continue;
		m->icmp_event[i] =
			event_new(m->base, m->icmp_fd[i], EV_READ | EV_PERSIST, on_readable, m);
		if (m->icmp_event[i] == NULL || event_add(m->icmp_event[i], NULL) != 0) {
			log_error("cannot watch the ICMP sockets");
			return false;
		}
	}
	return true;
}

void master_icmp_destroy(struct master *m)
{
	for (int i = 0; i < 2; i++) {
		if (m->icmp_event[i] != NULL)
			event_free(m->icmp_event[i]);
		if (m->icmp_fd[i] >= 0)
			close(m->icmp_fd[i]);
	}
}
