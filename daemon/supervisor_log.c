/*
 * What children have to say for the log, and how much of it is written.
 *
 * Each process has a limit, whoever it is: one that was taken over must not fill the
 * disk. Workers and the opener have one for each client that they speak of beside it
 * (log_limit.h), since a client can come again and again, with another worker each
 * time; the master sees to that itself (master_audit.c). What is left out costs
 * nothing but the reading of the message.
 */
#include <event2/event.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/address_text.h"
#include "daemon/clock.h"
#include "daemon/log_output.h"
#include "daemon/supervisor_state.h"

/* A connection has three records of its worker, and its oddities. */
static const struct log_rate of_worker = {40, 200000};
/* The master's own limits are below that. */
static const struct log_rate of_other = {4000, 5000};
static const struct log_rate of_one = {450, 200000};
static const struct log_rate of_all = {4000, 5000};

/* At debug level people want to see everything, for a while. */
#define DEBUG_FACTOR 40u

/* No more than once in so long it is said of one process that it says too much. */
#define SAID_US 10000000u

static struct log_rate rate_of(enum role role)
{
	struct log_rate rate = role == ROLE_WORKER ? of_worker : of_other;

	if (log_wanted(LOG_LEVEL_DEBUG)) {
		rate.burst *= DEBUG_FACTOR;
		rate.each_us /= DEBUG_FACTOR;
	}
	return rate;
}

static void tell(uint64_t count, const char *whose, const struct endpoint *peer)
{
	log_at(LOG_LEVEL_WARNING,
	       LOG_FIELDS(.event = LOG_EVENT_LEFT_OUT, .peer = peer, .left_out = count),
	       "%" PRIu64 " records %s were left out", count, whose);
}

void supervisor_log_report(struct supervisor *s, bool all)
{
	struct supervisor_log *log = &s->log;
	char source[PREFIX_TEXT_MAX], whose[PREFIX_TEXT_MAX + 32];
	struct log_limit_report left_out;
	struct endpoint peer = {0};
	uint64_t now_us = clock_now_us();

	while (log_limit_report(&log->limit, now_us, all, &left_out)) {
		bool known = left_out.source.version != IP_NONE;
		peer.address = left_out.source;
		snprintf(whose, sizeof(whose), "about sessions from %s",
		         known ? source_format(&left_out.source, source) : "everywhere");
		tell(left_out.count, whose, &peer);
	}
	if (log->processes > 0)
		tell(log->processes, "of processes that say too much", NULL);
	log->processes = 0;
}

static void report_later(struct supervisor *s);

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	s->log.reporting = false;
	supervisor_log_report(s, false);
	if (log_limit_due(&s->log.limit) != UINT64_MAX)
		report_later(s);
}

/* Something was left out, and will be told. */
static void report_later(struct supervisor *s)
{
	static const struct timeval wait = {LOG_LIMIT_REPORT_US / 1000000, 0};

	if (s->log.reporting)
		return;
	if (!event_initialized(&s->log.report))
		evtimer_assign(&s->log.report, s->base, on_report, s);
	s->log.reporting = evtimer_add(&s->log.report, &wait) == 0;
}

void supervisor_log_init(struct supervisor *s)
{
	s->log.limit.each = of_one;
	s->log.limit.all = of_all;
}

void supervisor_log_child(struct child_log *log, pid_t pid)
{
	*log = (struct child_log){.pid = pid};
}

/* The process has its own limit, and it is above that. */
static void too_much(struct child *child, uint64_t now_us)
{
	child->supervisor->log.processes++;
	report_later(child->supervisor);
	if (child->log.said_us != 0 && now_us - child->log.said_us < SAID_US)
		return;
	child->log.said_us = now_us;
	log_warning("%s %d says too much: what is beyond its limit is left out",
	            role_name(child->channel.peer), (int)child->log.pid);
}

void supervisor_log(struct child *child, const struct message *message)
{
	struct channel *channel = &child->channel;
	struct supervisor *s = child->supervisor;
	struct log_rate rate = rate_of(channel->peer);
	uint64_t now_us = clock_now_us();
	struct message_log record;

	memcpy(&record, message->payload, sizeof(record));
	if (!log_record_valid(&record)) {
		channel->handler->violation(channel, "a malformed record for the log");
		return;
	}
	if (!log_wanted((enum log_level)record.level))
		return;
	if (!log_bucket_take(&child->log.bucket, &rate, now_us)) {
		too_much(child, now_us);
		return;
	}
	if (channel->peer != ROLE_MASTER && record.level != LOG_LEVEL_DEBUG &&
	    !log_limit_take(&s->log.limit, &record.peer.address, now_us)) {
		report_later(s);
		return;
	}
	log_relay(channel->peer, (int)child->log.pid, &record,
	          (const char *)message->payload + sizeof(record),
	          message->header.length - sizeof(record));
}
