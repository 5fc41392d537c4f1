/*
 * calmctl's side of the control socket, and the addresses of hosts to call.
 */
#ifndef DAEMON_CALMCTL_CLIENT_H
#define DAEMON_CALMCTL_CLIENT_H

#include <stdbool.h>

#include <jansson.h>

#define CALMCTL_ERROR_MAX 256

/*
 * Sends REQUEST, which is given up, to the daemon at SOCKET and returns its
 * result; NULL with a line in ERROR when it refuses or cannot be reached.
 */
json_t *calmctl_ask(const char *socket_path, json_t *request, char error[CALMCTL_ERROR_MAX]);

/*
 * The same, asking once and waiting SECONDS for the answer. *UNANSWERED is true when the
 * daemon was reached, but has hung up or is silent.
 */
json_t *calmctl_ask_once(const char *socket_path, json_t *request, int seconds, bool *unanswered,
                         char error[CALMCTL_ERROR_MAX]);

/*
 * Splits "HOST", "HOST:PORT", "[ADDRESS]:PORT" or "ADDRESS" (IPv6, bare) in
 * place: PORT is "23" when there is none. False for anything else.
 */
bool calmctl_split(char *text, const char **host, const char **port);

#endif
