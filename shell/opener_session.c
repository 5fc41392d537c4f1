/*
 * The privileged answer to a worker's one request.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "shell/banner.h"
#include "shell/opener.h"
#include "shell/session_data.h"

bool open_session_valid(const struct message_open_session *request)
{
	uint8_t version = request->peer.address.version;

	return (version == IP_V4 || version == IP_V6) &&
	       session_terminal_valid(request->terminal, sizeof(request->terminal)) &&
	       (request->user[0] == '\0' ||
	        session_user_valid(request->user, sizeof(request->user))) &&
	       (request->display[0] == '\0' ||
	        session_display_valid(request->display, sizeof(request->display))) &&
	       session_environment_valid(&request->environment);
}

/* Forks the keeper; returns its pid, or -1 with errno. */
static pid_t fork_keeper(const struct keeping *keeping)
{
	pid_t pid = fork();

	if (pid == 0)
		keeper_run(keeping);
	return pid;
}

/*
 * Opens the session; FDS gets the worker's descriptors, *PID the keeper, *NUMBER the N of pts/N.
 * Returns 0 or errno.
 */
static int open_session(const struct login *login, const struct message_open_session *request,
                        int fds[2], uint32_t *pid, unsigned *number)
{
	struct keeping keeping = {.login = login, .request = request};
	int pair[2];

	int error = pty_open(&keeping.pty, request);
	if (error != 0)
		return error;
	if (message_channel(pair) < 0) {
		error = errno;
		goto close_pty;
	}
	keeping.channel = pair[1];
	pid_t keeper = fork_keeper(&keeping);
	error = keeper < 0 ? errno : 0;
	close(pair[1]);
	close(keeping.pty.slave);
	if (error != 0) {
		close(pair[0]);
		close(keeping.pty.master);
		return error;
	}
	keepers_add(keeper, keeping.pty.number);
	fds[0] = keeping.pty.master;
	fds[1] = pair[0];
	*pid = (uint32_t)keeper;
	*number = keeping.pty.number;
	return 0;
close_pty:
	close(keeping.pty.slave);
	close(keeping.pty.master);
	return error;
}

void root_open_session(const struct login *login, const struct message_open_session *request,
                       int channel)
{
	struct {
		struct message_session session;
		char banner[SESSION_BANNER_MAX];
	} answer = {.session = {0}};
	int fds[2] = {-1, -1};
	size_t banner = 0;
	unsigned number = 0;

	int error = open_session(login, request, fds, &answer.session.pid, &number);
	answer.session.error = error;
	if (error != 0)
		log_error("cannot open a session: %s", strerror(error));
	else if (login->banner[0] != '\0')
		banner = banner_read(login->banner, number, answer.banner, sizeof(answer.banner));
	/* When the worker has gone meanwhile, closing these ends the session. */
	message_send(channel, MESSAGE_SESSION, &answer, sizeof(answer.session) + banner, fds,
	             error == 0 ? 2 : 0, MSG_DONTWAIT);
	if (error != 0)
		return;
	close(fds[0]);
	close(fds[1]);
}
