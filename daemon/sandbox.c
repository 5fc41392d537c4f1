/*
 * Entering the sandbox.
 *
 * The filter answers a call that is not in the list with SECCOMP_RET_TRAP: the call is
 * not made, SIGSYS comes instead, and its handler here says over the channel which
 * call it was, and exits. wait(2) would tell the supervisor no more than the signal.
 * rt_sigaction(2) is not in the list, so nobody can put another handler into this one's
 * place, and where SIGSYS is blocked or its stack is bad, the kernel kills. A
 * process that a stranger runs can keep the supervisor from hearing the name, by
 * damaging what the handler works with; it cannot have the call made, nor live on.
 * SECCOMP_FILTER_FLAG_LOG has the kernel write an audit record as well, where auditing
 * is on.
 *
 * System calls: seccomp, prctl, rt_sigaction, setrlimit, fstat.
 */
#include "daemon/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/message.h"

static int report_to = -1;

static void on_violation(int number, siginfo_t *info, void *context)
{
	const struct message_violation violation = {
		.call = (uint32_t)info->si_syscall,
		.architecture = info->si_arch,
	};

	(void)number;
	(void)context;
	message_send(report_to, MESSAGE_VIOLATION, &violation, sizeof(violation), NULL, 0,
	             MSG_DONTWAIT);
	_exit(SANDBOX_EXIT);
}

/* What a crashing process has to say goes to a file only where a debugging daemon has one. */
static int writes_to_file(void)
{
	struct stat status;

	return fstat(STDERR_FILENO, &status) == 0 && S_ISREG(status.st_mode);
}

int sandbox_limit(uint32_t files, const char **what)
{
	const struct rlimit none = {0, 0}, some = {files, files};

	*what = "limit of processes";
	if (setrlimit(RLIMIT_NPROC, &none) < 0)
		return -1;
	*what = "limit of core dumps";
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -1;
	*what = "limit of a file's size";
	if (!writes_to_file() && setrlimit(RLIMIT_FSIZE, &none) < 0)
		return -1;
	*what = "limit of descriptors";
	if (files != 0 && setrlimit(RLIMIT_NOFILE, &some) < 0)
		return -1;
	*what = "";
	return 0;
}

int sandbox_enter(const struct sock_filter *code, uint32_t length, int channel)
{
	struct sigaction action = {.sa_sigaction = on_violation, .sa_flags = SA_SIGINFO};
	const struct sock_fprog program = {
		.len = (unsigned short)length,
		.filter = (struct sock_filter *)(uintptr_t)code,
	};

	if (length == 0)
		return 0;
	if (length > SANDBOX_FILTER_MAX) {
		errno = EINVAL;
		return -1;
	}
	report_to = channel;
	sigfillset(&action.sa_mask);
	if (sigaction(SIGSYS, &action, NULL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG,
	                    &program);
}
