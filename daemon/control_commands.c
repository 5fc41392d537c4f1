/*
 * The commands of the control socket: asks the engine, and has report.c put the
 * answer into JSON.
 */
#include "daemon/control_commands.h"

#include <unistd.h>

#include "daemon/call.h"
#include "daemon/link.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"
#include "daemon/report.h"

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
		.uptime_s = (now_us - m->started_us) / 1000000u,
		.ending = m->phase == PHASE_END,
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
	return control_reply(report_show(&info, &clock));
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
	return report_list_row(&info, &clock);
}
