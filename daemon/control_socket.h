/*
 * The listening socket for calmctl: made by the supervisor, served by the master.
 */
#ifndef DAEMON_CONTROL_SOCKET_H
#define DAEMON_CONTROL_SOCKET_H

#include <stdint.h>
#include <sys/types.h>

#define CONTROL_NO_GROUP UINT32_MAX

struct control_socket {
	int fd; /* -1: none */
	const char *path;
	dev_t device; /* of the file that we made, so that we remove no other */
	ino_t inode;
};

/*
 * Makes the directory if it is missing and listens on PATH. Who may connect: root
 * and GROUP; everybody when READ_GROUP is set, since a socket has but one group:
 * the master asks each client for its groups anyway. A socket that nobody serves
 * any more is replaced. Returns 0, or -1 with errno: EADDRINUSE when a daemon
 * answers there, EEXIST when something that is no socket is there.
 */
int control_socket_open(struct control_socket *control, const char *path, uint32_t group,
                        uint32_t read_group);

/* Other groups may connect from now on. 0, or -1 with errno. */
int control_socket_allow(const struct control_socket *control, uint32_t group, uint32_t read_group);

/* Closes it and removes the file, if it still is ours. */
void control_socket_close(struct control_socket *control);

#endif
