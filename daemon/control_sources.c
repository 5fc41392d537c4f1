/*
 * Sources as people see them, and bans by hand. The engine keeps both, in the connection
 * table: so a ban lasts over masters, versions and supervisors, as sessions do, and ends
 * with them.
 */
#include "daemon/control_sources.h"

#include <stdio.h>

#include "daemon/address_text.h"
#include "daemon/control_commands.h"
#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/report.h"

json_t *control_source_row(struct master *m, uint32_t *cursor, uint64_t now_us)
{
	struct report_clock clock;
	struct source_info info;

	if (!stack_next_source(m->stack, cursor, &info, now_us))
		return NULL;
	report_clock_read(&clock, now_us);
	return report_source_row(&info, &clock);
}

/* Connections from PREFIX that go on although it is banned. */
static uint32_t count_open(struct master *m, const struct ip_prefix *prefix)
{
	uint32_t cursor = 0, count = 0;
	struct conn_info info;

	while (stack_next(m->stack, &cursor, &info))
		count += state_synchronized(info.state) && info.state != TCP_TIME_WAIT &&
		         prefix_covers(prefix, &info.flow.peer.address);
	return count;
}

json_t *control_ban(struct master *m, const struct control_request *request, uint64_t now_us)
{
	uint64_t until_us = request->time_s != 0 ? now_us + request->time_s * 1000000u : UINT64_MAX;
	struct report_clock clock;
	char text[PREFIX_TEXT_MAX];

	if (!stack_ban(m->stack, &request->prefix, until_us, now_us))
		return control_refusal("there are as many bans as there can be: lift one, or ban "
		                       "a prefix that covers several");
	prefix_format(&request->prefix, text);
	if (request->time_s != 0)
		log_info("%s is banned by hand for %llu s", text,
		         (unsigned long long)request->time_s);
	else
		log_info("%s is banned by hand until it is lifted", text);
	report_clock_read(&clock, now_us);
	return control_reply(
		report_ban(&request->prefix, until_us, count_open(m, &request->prefix), &clock));
}

/* Why nothing was lifted: perhaps a ban by hand of more than was named. */
static json_t *not_banned(struct master *m, const struct ip_prefix *prefix, uint64_t now_us)
{
	char wanted[PREFIX_TEXT_MAX], wider[PREFIX_TEXT_MAX], why[CONTROL_ERROR_MAX];
	struct source_info info;
	uint32_t cursor = 0;

	prefix_format(prefix, wanted);
	snprintf(why, sizeof(why), "%s is not banned", wanted);
	while (stack_next_source(m->stack, &cursor, &info, now_us)) {
		if (!info.made || info.prefix.bits >= prefix->bits ||
		    !prefix_covers(&info.prefix, &prefix->address))
			continue;
		snprintf(why, sizeof(why), "%s is not banned by itself, but within %s", wanted,
		         prefix_format(&info.prefix, wider));
	}
	return control_refusal(why);
}

json_t *control_unban(struct master *m, const struct control_request *request, uint64_t now_us)
{
	uint32_t lifted = stack_unban(m->stack, &request->prefix, now_us);
	char text[PREFIX_TEXT_MAX];

	if (lifted == 0)
		return not_banned(m, &request->prefix, now_us);
	log_info("%s is not banned any more", prefix_format(&request->prefix, text));
	return control_reply(json_pack("{s:I}", "lifted", (json_int_t)lifted));
}
