/*
 * What all children have in common: how one is started, what every one of them
 * may say, how it is made to end, and what happens when it has.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/sandbox_calls.h"
#include "daemon/spawn.h"
#include "daemon/supervisor_opener.h"
#include "daemon/supervisor_state.h"

int child_start(struct child *child, struct supervisor *s, const struct spawn *how, int channel_fd,
                enum role role, const struct channel_handler *handler)
{
	child->supervisor = s;
	child->violated = false;
	child->channel.fd = -1;
	child->pidfd = -1;
	child->pid = spawn(how);
	supervisor_log_child(&child->log, child->pid);
	if (child->pid < 0) {
		child->pid = 0;
		return -1;
	}
	if (channel_open(&child->channel, s->base, channel_fd, role, handler) < 0) {
		int cause = errno;
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		child->pid = 0;
		errno = cause;
		return -1;
	}
	return 0;
}

static struct child *child_of(struct channel *channel)
{
	return (struct child *)((char *)channel - offsetof(struct child, channel));
}

void child_violation(struct channel *channel, const char *why)
{
	struct child *child = child_of(channel);

	log_error("%s %d is ended: %s", role_name(channel->peer), (int)child->pid, why);
	child->violated = true;
	child_kill(child);
	channel_close(channel);
}

/* It is about to end, or says so; its word is not relied upon. */
static void end_violator(struct child *child, const struct message_violation *violation)
{
	char text[SANDBOX_CALL_MAX];

	if (child->violated) /* and says it again, before it is dead */
		return;
	sandbox_call_text(violation, text);
	log_at(LOG_LEVEL_ERROR, LOG_FIELDS(.event = LOG_EVENT_VIOLATION, .reason = text),
	       "%s %d made the system call %s, which it may not, and is ended",
	       role_name(child->channel.peer), (int)child->log.pid, text);
	child->violated = true;
	child_kill(child);
}

bool child_message(struct child *child, const struct message *message)
{
	struct channel *channel = &child->channel;

	switch (message->header.type) {
	case MESSAGE_READY:
		channel->phase = (channel->phase & ~(unsigned)PHASE_START) | PHASE_RUN;
		return true;
	case MESSAGE_LOG:
		supervisor_log(child, message);
		return true;
	case MESSAGE_VIOLATION:
		end_violator(child, (const void *)message->payload);
		return true;
	default:
		return false;
	}
}

void child_terminate(struct child *child)
{
	if (child->channel.fd < 0)
		return;
	child->channel.phase |= PHASE_END;
	channel_send(&child->channel, MESSAGE_TERMINATE, NULL, 0, NULL, 0);
}

void child_kill(struct child *child)
{
	if (child->pid != 0 && child->pidfd >= 0)
		pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
	else if (child->pid != 0)
		kill(child->pid, SIGKILL); /* it is a zombie at worst: only we reap it */
}

const char *status_text(int status, char buffer[STATUS_TEXT_MAX])
{
	if (WIFSIGNALED(status))
		snprintf(buffer, STATUS_TEXT_MAX, "was ended by signal %d%s", WTERMSIG(status),
		         WCOREDUMP(status) ? ", with a core dump" : "");
	else
		snprintf(buffer, STATUS_TEXT_MAX, "exited with status %d", WEXITSTATUS(status));
	return buffer;
}

void children_reap(struct supervisor *s)
{
	struct worker *worker;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		/* What the master said before counts: that a worker was taken, above all. */
		channel_receive(&s->master.channel);
		if (pid == s->master.pid)
			master_ended(s, status);
		else if (pid == s->opener.pid)
			opener_ended(s, status);
		else if (pid == s->upgrade.checker)
			upgrade_checker_ended(s, status);
		else if ((worker = workers_find_pid(s, pid)) != NULL)
			worker_ended(s, worker, status);
	}
	end_step(s);
}
