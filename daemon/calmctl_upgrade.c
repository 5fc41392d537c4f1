/*
 * calmctl upgrade.
 *
 * A refusal is an answer like any other. An upgrade that is done has none: the
 * master that was asked goes away, with our connection, and a new one answers on
 * the same socket. That it is the new version's is told by the number of upgrades
 * in its status; a master that follows another for any other reason has the number
 * that there was before.
 */
#include "daemon/calmctl_upgrade.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "daemon/calmctl_text.h"

#define STATUS_SECONDS 5

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static json_t *ask_status(const char *socket_path, char error[CALMCTL_ERROR_MAX])
{
	bool unanswered;

	return calmctl_ask_once(socket_path, json_pack("{s:s}", "command", "status"),
	                        STATUS_SECONDS, &unanswered, error);
}

/* The status after upgrade number BEFORE + 1, or NULL with ERROR. */
static json_t *wait_for_new(const char *socket_path, long long before,
                            char error[CALMCTL_ERROR_MAX])
{
	static const struct timespec pause = {.tv_nsec = 20000000};
	time_t deadline = seconds_now() + CALMCTL_UPGRADE_SECONDS;
	bool answered = false;

	while (seconds_now() < deadline) {
		json_t *status = ask_status(socket_path, error);

		if (status != NULL && calmctl_number(status, "upgrades") > before)
			return status;
		answered = status != NULL;
		json_decref(status);
		nanosleep(&pause, NULL);
	}
	if (answered)
		snprintf(error, CALMCTL_ERROR_MAX,
		         "calmd goes on as it was, %d s later; its log may say why",
		         CALMCTL_UPGRADE_SECONDS);
	return NULL;
}

json_t *calmctl_upgrade(const char *socket_path, char error[CALMCTL_ERROR_MAX])
{
	json_t *status = ask_status(socket_path, error), *answer;
	bool unanswered;

	if (status == NULL)
		return NULL;
	long long before = calmctl_number(status, "upgrades");
	json_decref(status);
	answer = calmctl_ask_once(socket_path, json_pack("{s:s}", "command", "upgrade"),
	                          CALMCTL_UPGRADE_SECONDS, &unanswered, error);
	if (answer == NULL && !unanswered)
		return NULL;
	json_decref(answer);
	return wait_for_new(socket_path, before, error);
}
