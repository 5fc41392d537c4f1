/*
 * The commands of the control socket: asks the engine, and has report.c put the
 * answer into JSON. What takes rights is asked of the supervisor, which does it
 * and answers with lines of text.
 */
#include "daemon/control_commands.h"

#include <string.h>
#include <unistd.h>

#include "daemon/call.h"
#include "daemon/control.h"
#include "daemon/control_sources.h"
#include "daemon/link.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"
#include "daemon/report.h"
#include "daemon/session_notes.h"

json_t *control_reply(json_t *result)
{
	return json_pack("{s:b, s:o}", "ok", 1, "result", result);
}

json_t *control_refusal(const char *text)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

static json_t *run_status(struct master *m, uint64_t now_us)
{
	struct report_status status = {
		.config = &m->config,
		.master_pid = getpid(),
		.uptime_s = (now_us - m->config.started_us) / 1000000u,
		.master_uptime_s = (now_us - m->started_us) / 1000000u,
		.ending = m->phase == PHASE_END,
		.quiet_left_us = stack_quiet_left(m->stack, now_us),
		.quiet_reason = stack_quiet_reason(m->stack),
	};
	struct pool_usage pool;

	pool_get_usage(m->pool, &pool);
	status.workers_idle = pool.idle;
	status.workers_busy = pool.busy;
	stack_usage(m->stack, &status.usage);
	return control_reply(report_status(&status));
}

static json_t *run_show(struct master *m, uint64_t id, uint64_t now_us)
{
	struct report_clock clock;
	struct conn_info info;

	if (!stack_info(m->stack, id, &info))
		return control_refusal("no such connection");
	report_clock_read(&clock, now_us);
	return control_reply(report_show(&info, session_notes_find(m->notes, id), &clock));
}

static json_t *run_end(struct master *m, uint64_t id, bool done)
{
	struct conn_info info;

	if (done)
		return control_reply(json_null());
	if (stack_info(m->stack, id, &info) && info.state == TCP_LISTEN)
		return control_refusal("a listener cannot be ended");
	return control_refusal("no such connection");
}

static json_t *run_call(struct master *m, uint64_t client, const struct control_request *request,
                        uint64_t now_us)
{
	const char *error = call_begin(m->calls, client, &request->peer, request->port,
	                               request->interface, now_us);

	return error != NULL ? control_refusal(error) : NULL;
}

/* Asks the supervisor for CLIENT, who waits for its answer. */
static json_t *ask_supervisor(struct master *m, uint64_t client, enum message_type type)
{
	const struct message_request request = {.client = client};

	if (m->phase == PHASE_END)
		return control_refusal("calmd is ending");
	master_tell(m, type, &request, sizeof(request));
	return NULL;
}

static json_t *priv_reload(struct master *m, uint64_t client)
{
	return ask_supervisor(m, client, MESSAGE_PRIV_RELOAD);
}

static json_t *priv_upgrade(struct master *m, uint64_t client)
{
	return ask_supervisor(m, client, MESSAGE_PRIV_UPGRADE);
}

static json_t *priv_drain(struct master *m, uint64_t client)
{
	return ask_supervisor(m, client, MESSAGE_PRIV_DRAIN);
}

static json_t *priv_resume(struct master *m, uint64_t client)
{
	return ask_supervisor(m, client, MESSAGE_PRIV_RESUME);
}

/* The lines of a text as an array. */
static json_t *lines_of(const char *text)
{
	json_t *lines = json_array();

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		json_array_append_new(lines, json_stringn(text, length));
		text += length + (text[length] == '\n');
	}
	return lines;
}

void control_supervisor_answer(struct master *m, const struct message_answer *answer, size_t length)
{
	char text[MESSAGE_ANSWER_TEXT_MAX + 1];
	json_t *reply;

	length -= sizeof(*answer);
	if (length > MESSAGE_ANSWER_TEXT_MAX)
		length = MESSAGE_ANSWER_TEXT_MAX;
	memcpy(text, answer + 1, length);
	text[length] = '\0';
	if (answer->done != 0)
		reply = control_reply(json_pack("{s:o}", "notes", lines_of(text)));
	else
		reply = control_refusal(text);
	control_answer(m->control, answer->client, reply);
}

json_t *control_run(struct master *m, uint64_t client, const struct control_request *request,
                    uint64_t now_us)
{
	switch (request->command) {
	case CONTROL_STATUS:
		return run_status(m, now_us);
	case CONTROL_SHOW:
		return run_show(m, request->id, now_us);
	case CONTROL_STATS:
		return control_reply(report_stats(stack_stats(m->stack), link_get_stats(m->link)));
	case CONTROL_CLOSE:
		return run_end(m, request->id, stack_close(m->stack, request->id, now_us));
	case CONTROL_ABORT:
		return run_end(m, request->id, stack_abort(m->stack, request->id, now_us));
	case CONTROL_CALL:
		return run_call(m, client, request, now_us);
	case CONTROL_RELOAD:
		return priv_reload(m, client);
	case CONTROL_UPGRADE:
		return priv_upgrade(m, client);
	case CONTROL_DRAIN:
		return priv_drain(m, client);
	case CONTROL_RESUME:
		return priv_resume(m, client);
	case CONTROL_BAN:
		return control_ban(m, request, now_us);
	case CONTROL_UNBAN:
		return control_unban(m, request, now_us);
	default:
		return control_refusal("unknown command");
	}
}

json_t *control_list_row(struct master *m, uint32_t *cursor, uint64_t now_us)
{
	struct report_clock clock;
	struct conn_info info;

	if (!stack_next(m->stack, cursor, &info))
		return NULL;
	report_clock_read(&clock, now_us);
	return report_list_row(&info, session_notes_find(m->notes, info.id), &clock);
}
