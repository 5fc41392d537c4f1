/*
 * One request and its reply over the control socket.
 *
 * A master that is replaced while it works on a request hangs up. The next one answers
 * on the same socket, so what only looks is asked again; what acts may have been done or
 * not, which is for people to find out.
 */
#include "daemon/calmctl_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/calmctl_text.h"

#define TRIES_MAX 10 /* masters that may be replaced while one request is asked */

static int connect_to(const char *path, char error[CALMCTL_ERROR_MAX])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(error, CALMCTL_ERROR_MAX, "%s: the path is too long for a socket", path);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	snprintf(error, CALMCTL_ERROR_MAX, "cannot reach calmd at %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool send_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return false;
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
	return true;
}

/* A refused client finds the answer there although it could not send: so always read. */
static json_t *exchange(int fd, const json_t *request)
{
	char *line = json_dumps(request, JSON_COMPACT);
	FILE *stream = fdopen(fd, "r");
	json_t *reply = NULL;

	if (line != NULL && stream != NULL) {
		if (send_all(fd, line, strlen(line)))
			send_all(fd, "\n", 1);
		reply = json_loadf(stream, JSON_DISABLE_EOF_CHECK, NULL);
	}
	free(line);
	if (stream != NULL)
		fclose(stream);
	else
		close(fd);
	return reply;
}

/* True when it does no harm to ask for this twice. */
static bool only_looks(const json_t *request)
{
	static const char *const looks[] = {"status", "list", "show", "stats", "sources"};
	const char *command = json_string_value(json_object_get(request, "command"));

	for (size_t i = 0; command != NULL && i < sizeof(looks) / sizeof(looks[0]); i++) {
		if (strcmp(command, looks[i]) == 0)
			return true;
	}
	return false;
}

/* The reply, or NULL with ERROR. */
static json_t *ask_again(const char *socket_path, const json_t *request,
                         char error[CALMCTL_ERROR_MAX])
{
	int tries = only_looks(request) ? TRIES_MAX : 1;
	json_t *reply = NULL;

	for (int i = 0; i < tries && reply == NULL; i++) {
		int fd = connect_to(socket_path, error);

		if (fd < 0)
			return NULL;
		reply = exchange(fd, request);
	}
	if (reply == NULL)
		snprintf(error, CALMCTL_ERROR_MAX, "calmd did not answer%s",
		         tries > 1 ? "" : ": it may have done what was asked, or not");
	return reply;
}

/* The result in REPLY, which is given up, or NULL with ERROR. */
static json_t *result_of(json_t *reply, char error[CALMCTL_ERROR_MAX])
{
	json_t *result = NULL;

	if (reply == NULL)
		return NULL;
	if (json_is_true(json_object_get(reply, "ok"))) {
		result = json_incref(json_object_get(reply, "result"));
		if (result == NULL)
			result = json_null();
	} else {
		calmctl_escape(error, CALMCTL_ERROR_MAX,
		               json_string_value(json_object_get(reply, "error")));
	}
	json_decref(reply);
	return result;
}

json_t *calmctl_ask(const char *socket_path, json_t *request, char error[CALMCTL_ERROR_MAX])
{
	json_t *reply = ask_again(socket_path, request, error);

	json_decref(request);
	return result_of(reply, error);
}

json_t *calmctl_ask_once(const char *socket_path, json_t *request, int seconds, bool *unanswered,
                         char error[CALMCTL_ERROR_MAX])
{
	const struct timeval patience = {.tv_sec = seconds};
	json_t *reply = NULL;
	int fd = connect_to(socket_path, error);

	*unanswered = false;
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		reply = exchange(fd, request);
		*unanswered = reply == NULL;
	}
	if (*unanswered)
		snprintf(error, CALMCTL_ERROR_MAX, "calmd did not answer");
	json_decref(request);
	return result_of(reply, error);
}

bool calmctl_split(char *text, const char **host, const char **port)
{
	char *colon = strrchr(text, ':'), *end;

	*host = text;
	*port = "23";
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		*host = text + 1;
		if (end[1] == ':')
			*port = end + 2;
		*end = '\0';
	} else if (colon != NULL && strchr(text, ':') == colon) {
		*port = colon + 1;
		*colon = '\0';
	}
	return **host != '\0' && **port != '\0';
}
