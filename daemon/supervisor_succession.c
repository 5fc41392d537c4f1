/*
 * How one master follows another.
 *
 * Theory of operation
 *
 * Nothing that a session needs is in the master alone: connections are in the table,
 * their data in the rings, the sockets here (struct kept). So a master that has ended,
 * however it did, is followed by another that is given the same and goes on. It is
 * started only once waitpid(2) has said that the last one is dead: two must never work
 * on one table.
 *
 * A master that died of its own fault (a signal such as SEGV, an exit status that is not
 * 0, or one of 0 that nobody asked for; or it broke the rules of message.c) may do so again: from the second in a row on
 * there is a pause, which doubles up to five seconds, and which is forgotten once a
 * master has lived for STEADY_SECONDS. The engine is told of such a death, for it may
 * have been one connection's packet (stack/poison.c). A master that was killed
 * from outside counts for neither; only when many in a row never came to serve, as where
 * memory is short, is there a short pause, too.
 *
 * Who dies while everything ends is followed, too, by one that ends the connections in
 * order. The end of the daemon is for two cases: the first master could not begin, so that
 * there is nothing to lose, and the table cannot be taken up, so that nothing is left.
 */
#include <event2/event.h>
#include <signal.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/supervisor_state.h"

#define STEADY_SECONDS    10
#define HAND_OVER_SECONDS 3
#define UNSERVED_MAX      10
#define UNSERVED_MS       100
#define AT_END_MAX        3 /* masters that are started when everything ends already */

/* Nobody from outside sends these but to test what follows. */
static bool own_fault(const struct child *master, int status)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGSYS, SIGXFSZ};

	if (!WIFSIGNALED(status) || master->violated)
		return true;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (WTERMSIG(status) == faults[i])
			return true;
	}
	return false;
}

static struct timeval pause_before_start(const struct succession *succession)
{
	if (!succession->crashed && succession->unserved > UNSERVED_MAX)
		return (struct timeval){.tv_usec = 1000 * UNSERVED_MS};
	return supervisor_backoff(succession->crashed ? succession->failures - 1 : 0);
}

static void start(struct supervisor *s)
{
	static const struct timeval steady = {STEADY_SECONDS, 0};
	struct succession *succession = &s->succession;

	if (master_start(s) == 0) {
		evtimer_add(&succession->steady, &steady);
		workers_upkeep(s);
		return;
	}
	succession->failures++;
	struct timeval pause = supervisor_backoff(succession->failures);
	evtimer_add(&succession->restart, &pause);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	if (s->stage == END_NOT)
		start(s);
}

static void on_steady(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	s->succession.failures = 0;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	log_warning("the master did not hand over in time and is killed");
	child_kill(&s->master);
}

void succession_init(struct supervisor *s)
{
	struct succession *succession = &s->succession;

	evtimer_assign(&succession->restart, s->base, on_restart, s);
	evtimer_assign(&succession->steady, s->base, on_steady, s);
	evtimer_assign(&succession->deadline, s->base, on_deadline, s);
}

void succession_adopt(struct supervisor *s, uint32_t takeovers)
{
	s->succession.takeovers = takeovers;
	s->succession.began = s->succession.serving = true;
	s->told = WORKER_BUCKETS;
}

void succession_resume(struct supervisor *s, uint32_t takeovers)
{
	s->succession.takeovers = takeovers + 1;
	s->succession.serving = false;
	s->succession.ended_us = clock_now_us();
}

bool succession_is_settled(const struct supervisor *s)
{
	return s->succession.serving && !s->succession.replacing && s->told == WORKER_BUCKETS &&
	       s->master.channel.waiting == 0;
}

/* Counts the death, and says what follows it. */
static void log_death(struct supervisor *s, pid_t pid, int status)
{
	struct timeval pause = pause_before_start(&s->succession);
	char text[STATUS_TEXT_MAX];

	if (pause.tv_sec == 0 && pause.tv_usec == 0)
		log_error("master %d %s; another one takes over", (int)pid,
		          status_text(status, text));
	else
		log_error("master %d %s; another one takes over in %ld ms", (int)pid,
		          status_text(status, text),
		          (long)pause.tv_sec * 1000 + (long)pause.tv_usec / 1000);
}

/* Why nobody can follow; NULL: somebody can. */
static const char *hopeless(const struct supervisor *s, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == MASTER_EXIT_TABLE)
		return "the connection table cannot be taken up, and everything is lost";
	if (!s->succession.began && own_fault(&s->master, status))
		return "calmd cannot begin";
	return NULL;
}

static void follow(struct supervisor *s, pid_t pid, int status)
{
	struct succession *succession = &s->succession;
	bool asked = succession->replacing && WIFEXITED(status) && WEXITSTATUS(status) == 0;

	succession->crashed = !asked && own_fault(&s->master, status);
	if (succession->crashed)
		succession->failures++;
	if (!asked)
		log_death(s, pid, status);
	succession->replacing = false;
	succession->takeovers++;
	struct timeval pause = pause_before_start(succession);
	if (pause.tv_sec == 0 && pause.tv_usec == 0)
		start(s);
	else
		evtimer_add(&succession->restart, &pause);
}

/* Connections end in order even though their master did not. */
static void follow_at_end(struct supervisor *s, int status)
{
	bool late = !evtimer_pending(&s->deadline, NULL); /* it was killed for that */

	if (s->stage > END_MASTER || late || hopeless(s, status) != NULL ||
	    ++s->succession.at_end > AT_END_MAX)
		return;
	s->succession.takeovers++;
	if (master_start(s) == 0)
		child_terminate(&s->master);
}

void master_ended(struct supervisor *s, int status)
{
	struct succession *succession = &s->succession;
	char text[STATUS_TEXT_MAX];
	pid_t pid = s->master.pid;
	const char *why;

	s->master.pid = 0;
	channel_close(&s->master.channel);
	succession->unserved = succession->serving ? 0 : succession->unserved + 1;
	succession->serving = false;
	succession->ended_us = clock_now_us();
	evtimer_del(&succession->steady);
	evtimer_del(&succession->deadline);
	if (s->stage != END_NOT) {
		if (status != 0) {
			s->quiet.drained = false;
			log_error("master %d %s", (int)pid, status_text(status, text));
			follow_at_end(s, status);
		}
		return;
	}
	why = hopeless(s, status);
	if (why != NULL) {
		log_error("master %d %s; %s", (int)pid, status_text(status, text), why);
		end_begin(s, 1);
		return;
	}
	follow(s, pid, status);
}

void master_serves(struct supervisor *s, const struct message_taken_over *with)
{
	struct succession *succession = &s->succession;
	uint64_t took_us = clock_now_us() - succession->ended_us;

	if (succession->serving) {
		child_violation(&s->master.channel, "it took over twice");
		return;
	}
	succession->began = true;
	succession->serving = true;
	workers_end_former(s);
	supervisor_announce(s);
	if (succession->ended_us == 0)
		return;
	if (with->lost > 0)
		log_warning("master %d has taken over %u connections in %llu ms; %u were lost",
		            (int)s->master.pid, with->connections,
		            (unsigned long long)took_us / 1000, with->lost);
	else
		log_info("master %d has taken over %u connections in %llu ms", (int)s->master.pid,
		         with->connections, (unsigned long long)took_us / 1000);
}

void master_replace(struct supervisor *s, const char *why)
{
	static const struct timeval deadline = {HAND_OVER_SECONDS, 0};
	struct succession *succession = &s->succession;

	if (s->stage != END_NOT || s->master.pid == 0 || succession->replacing)
		return;
	log_info("master %d hands over: %s", (int)s->master.pid, why);
	succession->replacing = true;
	channel_send(&s->master.channel, MESSAGE_HAND_OVER, NULL, 0, NULL, 0);
	evtimer_add(&succession->deadline, &deadline);
}

void master_needed(struct supervisor *s)
{
	if (!evtimer_pending(&s->succession.restart, NULL))
		return;
	evtimer_del(&s->succession.restart);
	(void)master_start(s);
}
