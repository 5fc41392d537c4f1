/*
 * A worker's records: four for a connection at most, whatever its client does.
 */
#include "shell/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/log.h"
#include "shell/worker.h"

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void audit_begin(struct worker *worker)
{
	worker->audit = (struct audit){.status = -1};
	log_about(worker->conn_id, &worker->peer);
}

/* ---- options ---- */

static const char *const option_names[NEGOTIATE_SLOTS] = {
	[NEGOTIATE_BINARY] = "BINARY",     [NEGOTIATE_ECHO] = "ECHO",
	[NEGOTIATE_SGA] = "SGA",           [NEGOTIATE_TTYPE] = "TTYPE",
	[NEGOTIATE_NAWS] = "NAWS",         [NEGOTIATE_TSPEED] = "TSPEED",
	[NEGOTIATE_XDISPLOC] = "XDISPLOC", [NEGOTIATE_NEW_ENVIRON] = "NEW-ENVIRON",
	[NEGOTIATE_LFLOW] = "LFLOW",       [NEGOTIATE_STATUS] = "STATUS",
	[NEGOTIATE_CHARSET] = "CHARSET",   [NEGOTIATE_LINEMODE] = "LINEMODE",
	[NEGOTIATE_EOR] = "EOR",
};

/* Text that grows as far as it has room. */
struct text {
	size_t used;
	char bytes[LOG_DETAIL_MAX];
};

static void add(struct text *text, const char *word)
{
	size_t length = strlen(word);

	if (text->used + length >= sizeof(text->bytes))
		return;
	memcpy(text->bytes + text->used, word, length + 1);
	text->used += length;
}

/* The names of those that are on, as ON tells. */
static void add_options(struct text *text, const char *whose, const struct negotiation *negotiation,
                        bool (*on)(const struct negotiation *, enum negotiate_slot))
{
	const char *before = whose;

	for (unsigned i = 0; i < NEGOTIATE_SLOTS; i++) {
		if (!on(negotiation, (enum negotiate_slot)i) || option_names[i] == NULL)
			continue;
		add(text, before);
		add(text, option_names[i]);
		before = " ";
	}
	if (before == whose) {
		add(text, whose);
		add(text, "none");
	}
}

void audit_options(const struct worker *worker)
{
	const struct negotiation *negotiation = &worker->negotiation;
	struct text text = {0};
	char word[64];

	if (!log_wanted(LOG_LEVEL_INFO))
		return;
	add_options(&text, "server ", negotiation, negotiate_we_do);
	add_options(&text, "; client ", negotiation, negotiate_they_do);
	if (negotiation->terminal[0] != '\0') {
		add(&text, "; terminal ");
		add(&text, negotiation->terminal);
	}
	if (negotiation->window_known) {
		snprintf(word, sizeof(word), "; window %ux%u", negotiation->columns,
		         negotiation->rows);
		add(&text, word);
	}
	log_at(LOG_LEVEL_INFO,
	       LOG_FIELDS(.event = LOG_EVENT_OPTIONS, .user = negotiation->user,
	                  .detail = text.bytes),
	       "connection %" PRIu64 ": options: %s", worker->conn_id, text.bytes);
}

/* ---- the session ---- */

void audit_session_start(struct worker *worker)
{
	worker->audit.started_us = now_us();
	log_at(LOG_LEVEL_INFO, LOG_FIELDS(.event = LOG_EVENT_SESSION_START),
	       "connection %" PRIu64 ": a session begins", worker->conn_id);
}

void audit_login(const struct worker *worker)
{
	log_at(LOG_LEVEL_INFO, LOG_FIELDS(.event = LOG_EVENT_LOGIN, .user = worker->user),
	       "connection %" PRIu64 ": %s has logged in", worker->conn_id, worker->user);
}

void audit_reason(struct worker *worker, const char *reason)
{
	if (worker->audit.reason == NULL)
		worker->audit.reason = reason;
}

void audit_status(struct worker *worker, int status)
{
	worker->audit.status = status;
}

static const char *end_reason(const struct worker *worker)
{
	if (worker->audit.reason != NULL)
		return worker->audit.reason;
	return worker->ending != SESSION_GOES_ON ? session_ending_text(worker->ending)
	                                         : "the worker is ended";
}

/* How login ended, as far as that is known. */
static const char *login_end(const struct audit *audit, char *buffer, size_t size)
{
	if (audit->status == -1)
		return "";
	if (WIFSIGNALED(audit->status))
		snprintf(buffer, size, "login died of signal %d", WTERMSIG(audit->status));
	else
		snprintf(buffer, size, "login ended with status %d", WEXITSTATUS(audit->status));
	return buffer;
}

void audit_session_end(struct worker *worker)
{
	struct audit *audit = &worker->audit;
	const char *reason = end_reason(worker);
	char buffer[64];

	if (audit->started_us == 0)
		return;
	uint64_t lasted_us = now_us() - audit->started_us;
	audit->started_us = 0;
	log_at(LOG_LEVEL_INFO,
	       LOG_FIELDS(.event = LOG_EVENT_SESSION_END, .user = worker->user, .reason = reason,
	                  .detail = login_end(audit, buffer, sizeof(buffer)), .measured = true,
	                  .bytes_in = worker->rx_tail, .bytes_out = worker->tx_head,
	                  .duration_us = lasted_us),
	       "connection %" PRIu64 ": session of %s ended: %s; %" PRIu64 " bytes in, %" PRIu64
	       " out, %" PRIu64 ".%" PRIu64 " s",
	       worker->conn_id, worker->user[0] != '\0' ? worker->user : "nobody", reason,
	       worker->rx_tail, worker->tx_head, lasted_us / 1000000, lasted_us / 100000 % 10);
}
