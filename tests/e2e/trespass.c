/*
 * A calmd, or a worker, in which somebody else has come to power: it is otherwise as built, but
 * one function of it is wrapped (ld --wrap), and makes a system call that the sandbox does
 * not allow when a port says so. TRESPASS_FIRST + n is the n-th of the attempts below:
 *
 *   the master   at `calmctl call ADDRESS:PORT`
 *   a worker     when its client's port is that
 *
 * What the call gave is logged: a process that is in the sandbox never comes to that.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/log.h"
#include "stack/address.h"

#define TRESPASS_FIRST 7001

static long open_file(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
}

static long open_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long execute(void)
{
	static char *const nothing[] = {NULL};

	return execve("/bin/sh", nothing, nothing);
}

static long trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long mount_something(void)
{
	return mount("none", "/", "tmpfs", 0, NULL);
}

static long signal_someone(void)
{
	return kill(1, 0); /* no signal: only whether one might */
}

/* A worker that outlives its connection, and does not listen to the supervisor either. */
static long stay(void)
{
	while (poll(NULL, 0, -1) <= 0)
		;
	return 0;
}

static const struct {
	const char *name;
	long (*make)(void);
} attempts[] = {
	{"openat", open_file}, {"socket", open_socket},    {"execve", execute},
	{"ptrace", trace},     {"mount", mount_something}, {"kill", signal_someone},
	{"stay", stay},
};

/* Makes the attempt that PORT stands for, if any. */
static void trespass(uint16_t port)
{
	unsigned number = port - (unsigned)TRESPASS_FIRST;

	if (number >= sizeof(attempts) / sizeof(attempts[0]))
		return;
	errno = 0;
	long result = attempts[number].make();
	log_error("trespass: %s gave %ld, %s", attempts[number].name, result, strerror(errno));
}

#ifdef TRESPASS_MASTER

#include "daemon/call.h"

const char *__real_call_begin(struct call_table *calls, uint64_t client,
                              const struct endpoint *peer, uint16_t local_port, uint32_t ifindex,
                              uint64_t now_us);
const char *__wrap_call_begin(struct call_table *calls, uint64_t client,
                              const struct endpoint *peer, uint16_t local_port, uint32_t ifindex,
                              uint64_t now_us);

const char *__wrap_call_begin(struct call_table *calls, uint64_t client,
                              const struct endpoint *peer, uint16_t local_port, uint32_t ifindex,
                              uint64_t now_us)
{
	trespass(peer->port);
	return __real_call_begin(calls, client, peer, local_port, ifindex, now_us);
}

#else

#include "shell/worker.h"

void __real_session_begin(struct worker *worker);
void __wrap_session_begin(struct worker *worker);

void __wrap_session_begin(struct worker *worker)
{
	trespass(worker->peer.port);
	__real_session_begin(worker);
}

#endif
