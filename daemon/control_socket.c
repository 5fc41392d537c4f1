/*
 * The listening socket for calmctl.
 */
#include "daemon/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_BACKLOG 32

/* Makes the last directory of PATH; those above it must be there. */
static int make_directory(const char *path)
{
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return 0;
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	if (mkdir(directory, 0755) < 0)
		return errno == EEXIST ? 0 : -1;
	return chmod(directory, 0755); /* whatever the umask */
}

/* Removes a socket at ADDRESS that nobody serves. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat status;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(status.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	int connected = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	int cause = errno;
	close(fd);
	if (connected == 0 || cause != ECONNREFUSED) {
		errno = connected == 0 || cause == EAGAIN ? EADDRINUSE : cause;
		return -1;
	}
	return unlink(address->sun_path);
}

/* Binds; nobody but root can connect before its rights are set. */
static int bind_closed(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0177);
	int result = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(mask);
	return result;
}

static int set_rights(const char *path, uint32_t group, uint32_t read_group)
{
	mode_t mode = read_group != CONTROL_NO_GROUP ? 0666
	              : group != CONTROL_NO_GROUP    ? 0660
	                                             : 0600;

	if (chown(path, 0, group != CONTROL_NO_GROUP ? group : 0) < 0)
		return -1;
	return chmod(path, mode);
}

int control_socket_allow(const struct control_socket *control, uint32_t group, uint32_t read_group)
{
	return set_rights(control->path, group, read_group);
}

int control_socket_open(struct control_socket *control, const char *path, uint32_t group,
                        uint32_t read_group)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;

	*control = (struct control_socket){.fd = -1, .path = path};
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	if (make_directory(path) < 0 || remove_stale(&address) < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (bind_closed(fd, &address) < 0 || listen(fd, CONTROL_BACKLOG) < 0 ||
	    set_rights(path, group, read_group) < 0 || lstat(path, &status) < 0) {
		int cause = errno;
		close(fd);
		errno = cause;
		return -1;
	}
	control->fd = fd;
	control->device = status.st_dev;
	control->inode = status.st_ino;
	return 0;
}

void control_socket_close(struct control_socket *control)
{
	struct stat status;

	if (control->fd < 0)
		return;
	if (lstat(control->path, &status) == 0 && status.st_dev == control->device &&
	    status.st_ino == control->inode)
		unlink(control->path);
	close(control->fd);
	control->fd = -1;
}
