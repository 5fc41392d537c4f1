/*
 * The list: every system call that a process in the sandbox may make, and why.
 *
 * What is not here is not allowed; in particular no role can open a file or a socket,
 * connect, start or trace a process, send a signal to one, mount, or have memory
 * that it can write and then execute. Where an argument matters it is compared;
 * what lies behind a pointer cannot be. Several lines for one call are alternatives.
 * A call that another architecture does not have is left out there.
 *
 * The worker links libc only, so its filter is made here, in the supervisor, and goes to it as
 * data. It has all its memory before it enters, and gets no more.
 *
 * Of the cost: the kernel remembers which calls a filter lets through whatever their
 * arguments are (since Linux 5.11), and then does not run it. All calls of a keystroke's
 * way are such, so they stand without arguments. For all others libseccomp makes a
 * binary tree: some ten instructions.
 *
 * To add one: a line with its reason, in the role that needs it; with the arguments that it is
 * made with, where others would do harm. A test that misses a call finds a line such as
 * "worker 4711 made the system call socket (41), which it may not" in the log.
 */
#include "daemon/sandbox_calls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef HAVE_SECCOMP

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MASTER (1u << ROLE_MASTER)
#define WORKER (1u << ROLE_WORKER)
#define BOTH   (MASTER | WORKER)

#define ARGUMENTS_MAX 2

enum comparison {
	NOTHING,
	IS,      /* the value, all of the 32 bits that the kernel looks at */
	WITHOUT, /* these bits */
	OUR_PID,
};

struct argument {
	unsigned index;
	enum comparison comparison;
	uint32_t value;
};

struct call {
	const char *name;
	unsigned roles;
	struct argument arguments[ARGUMENTS_MAX];
};

/* clang-format off */
#define ANY                     {{0, NOTHING, 0}}
#define ARG(index, what, value) {index, what, (uint32_t)(value)}
#define OPTION(level, name)     {ARG(1, IS, level), ARG(2, IS, name)}

static const struct call calls[] = {
	/* A keystroke's way. No descriptor is made here: all have come as messages. */
	{"read",            WORKER, ANY}, /* the pty */
	{"readv",           BOTH,   ANY}, /* the same, in packet mode; control clients */
	{"write",           BOTH,   ANY}, /* the pty; a bell */
	{"epoll_pwait",     BOTH,   ANY}, /* sleep, in musl's epoll_wait() and where there is no other */
	{"epoll_wait",      BOTH,   ANY}, /* the same, in glibc's */
	{"recvmmsg",        MASTER, ANY}, /* packets in, in batches */
	{"sendmmsg",        MASTER, ANY}, /* packets out */
	{"timerfd_settime", MASTER, ANY}, /* pacing's near deadlines */
	{"epoll_ctl",       BOTH,   ANY}, /* a pty is watched for what can be used; clients come and go */
	{"clock_gettime",   BOTH,   ANY}, /* where the clock cannot be read in user space */
	{"gettimeofday",    MASTER, ANY}, /* the same, in libevent */

	/* Messages: the process that receives one checks it (message.c). */
	{"recvmsg",         BOTH,   ANY},
	{"sendmsg",         BOTH,   ANY},
	{"close",           BOTH,   ANY}, /* what came with a message and is done with */
	{"shutdown",        BOTH,   ANY}, /* a keeper, or a worker, is to end */

	/* Control clients (control.c). */
	{"accept4",         MASTER, ANY}, /* of the one socket that can */
	{"writev",          MASTER, ANY},
	{"ioctl",           MASTER, {ARG(1, IS, FIONREAD)}}, /* libevent: how much is there? */
	{"fcntl",           MASTER, {ARG(1, IS, F_GETFL)}},  /* libevent, of the listening socket */
	{"getsockopt",      MASTER, OPTION(SOL_SOCKET, SO_PEERCRED)}, /* who asks */
	{"getsockopt",      MASTER, OPTION(SOL_SOCKET, SO_PEERGROUPS)},

	/* Lanes (link.c): what a packet comes with. Nothing else of a socket can be changed. */
	{"setsockopt",      MASTER, OPTION(IPPROTO_IP, IP_HDRINCL)},
	{"setsockopt",      MASTER, OPTION(IPPROTO_IP, IP_PKTINFO)},
	{"setsockopt",      MASTER, OPTION(IPPROTO_IPV6, IPV6_HDRINCL)},
	{"setsockopt",      MASTER, OPTION(IPPROTO_IPV6, IPV6_RECVPKTINFO)},
	{"setsockopt",      MASTER, OPTION(IPPROTO_IPV6, IPV6_RECVTCLASS)},
	{"setsockopt",      MASTER, OPTION(IPPROTO_IPV6, IPV6_RECVHOPLIMIT)},

	/* The kernel's routing (route.c), by a socket that may ask and nothing else. */
	{"setsockopt",      MASTER, OPTION(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP)},
	{"sendto",          MASTER, ANY},
	{"recvfrom",        MASTER, ANY}, /* and recv() of ICMP (master_icmp.c) */
	{"poll",            BOTH,   ANY}, /* for the answer, at the start; a worker: whether a line is read */
	{"ppoll",           BOTH,   ANY}, /* the same, where there is no other */

	/* Memory: the master's table, rings and heap, never executable. The worker has all it needs. */
	{"mmap",            MASTER, {ARG(2, WITHOUT, PROT_EXEC)}},
	{"munmap",          MASTER, ANY},
	{"mremap",          MASTER, ANY}, /* what memory may be used for stays */
	{"brk",             MASTER, ANY},
	{"fcntl",           MASTER, {ARG(1, IS, F_GET_SEALS)}}, /* a ring cannot be cut short */
	{"fstat",           MASTER, ANY},                       /* how big is it? */
	{"newfstatat",      MASTER, {ARG(3, IS, AT_EMPTY_PATH)}}, /* the same, in glibc's fstat() */
	{"madvise",         WORKER, {ARG(2, IS, MADV_REMOVE)}}, /* an empty ring's is given back */

	/* The pty (session.c, relay_command.c, terminal.c). It cannot be typed into (TIOCSTI). */
	{"ioctl",           WORKER, {ARG(1, IS, TIOCSWINSZ)}}, /* window size */
	{"ioctl",           WORKER, {ARG(1, IS, TCGETS)}},     /* settings: characters, modes */
	{"ioctl",           WORKER, {ARG(1, IS, TCSETS)}},     /* LINEMODE: EXTPROC, characters */
	{"ioctl",           WORKER, {ARG(1, IS, TIOCPKT)}},    /* to be told that settings change */
	{"ioctl",           WORKER, {ARG(1, IS, TCFLSH)}},     /* Abort Output */
	{"ioctl",           WORKER, {ARG(1, IS, TIOCSIG)}},    /* Interrupt Process */
	{"ioctl",           WORKER, {ARG(1, IS, TIOCGPTPEER)}}, /* its other side: is a line read? */

	/* The process itself. */
	{"timerfd_create",  MASTER, ANY}, /* one, at the start */
	{"getrandom",       MASTER, ANY}, /* secrets of a new table */
	{"getpid",          MASTER, ANY}, /* calmctl status */
	{"sysinfo",         MASTER, ANY}, /* glibc's qsort_r() asks, for more than a kilobyte */
	{"restart_syscall", BOTH,   ANY}, /* goes on with what SIGSTOP has interrupted */
	{"exit_group",      BOTH,   ANY},
	{"exit",            BOTH,   ANY},

	/* abort(3), so that an assertion that fails is told from a violation. */
	{"rt_sigprocmask",  MASTER, ANY},
	{"gettid",          MASTER, ANY},
	{"tgkill",          MASTER, {ARG(0, OUR_PID, 0), ARG(2, IS, SIGABRT)}},

#ifdef __SANITIZE_ADDRESS__
	/* Sanitizers: memory of their own, and what they report. Only in a build that has them. */
	{"mmap",            WORKER, {ARG(2, WITHOUT, PROT_EXEC)}},
	{"munmap",          WORKER, ANY},
	{"mremap",          WORKER, ANY},
	{"brk",             WORKER, ANY},
	{"madvise",         BOTH,   ANY},
	{"mprotect",        BOTH,   {ARG(2, WITHOUT, PROT_EXEC)}},
	{"getpid",          WORKER, ANY},
	{"gettid",          WORKER, ANY},
	{"rt_sigprocmask",  WORKER, ANY},
	{"sigaltstack",     BOTH,   ANY},
	{"futex",           BOTH,   ANY},
	{"sched_yield",     BOTH,   ANY},
	{"getrandom",       WORKER, ANY},
	{"writev",          WORKER, ANY},
	{"fstat",           WORKER, ANY},
	{"newfstatat",      WORKER, {ARG(3, IS, AT_EMPTY_PATH)}},
	{"ioctl",           BOTH,   {ARG(1, IS, TCGETS)}}, /* is standard error a terminal? */
#endif
};
/* clang-format on */

/* What a report of a sanitizer tries, and does without in an empty root anyway. */
static const char *const refused[] = {
#ifdef __SANITIZE_ADDRESS__
	"open", "readlink", "access", "getrusage", "rt_sigaction",
#endif
	NULL,
};

static struct scmp_arg_cmp compare(const struct argument *argument)
{
	const uint64_t low = UINT32_MAX;

	switch (argument->comparison) {
	case WITHOUT:
		return SCMP_CMP64(argument->index, SCMP_CMP_MASKED_EQ, argument->value, 0);
	case OUR_PID:
		return SCMP_CMP64(argument->index, SCMP_CMP_MASKED_EQ, low, (uint32_t)getpid());
	default: /* IS: the upper half is not looked at by the kernel, and may be anything */
		return SCMP_CMP64(argument->index, SCMP_CMP_MASKED_EQ, low, argument->value);
	}
}

/* 0 or a negative errno. */
static int allow(scmp_filter_ctx context, const struct call *call)
{
	struct scmp_arg_cmp arguments[ARGUMENTS_MAX];
	unsigned count = 0;
	int number = seccomp_syscall_resolve_name(call->name);

	if (number < 0)
		return 0; /* not on this architecture */
	while (count < ARGUMENTS_MAX && call->arguments[count].comparison != NOTHING) {
		arguments[count] = compare(&call->arguments[count]);
		count++;
	}
	return seccomp_rule_add_exact_array(context, SCMP_ACT_ALLOW, number, count, arguments);
}

static int add_rules(scmp_filter_ctx context, unsigned role)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && error == 0; i++) {
		if ((calls[i].roles & role) != 0)
			error = allow(context, &calls[i]);
	}
	for (size_t i = 0; refused[i] != NULL && error == 0; i++) {
		int number = seccomp_syscall_resolve_name(refused[i]);
		if (number >= 0)
			error = seccomp_rule_add_exact(context, SCMP_ACT_ERRNO(EACCES), number, 0);
	}
	return error;
}

/* What libseccomp writes into a file, read back. 0 or a negative errno. */
static int export(scmp_filter_ctx context, struct sandbox_filter *filter)
{
	int fd = memfd_create("calmd-filter", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	int error = seccomp_export_bpf(context, fd);
	if (error == 0) {
		ssize_t length = pread(fd, filter->code, sizeof(filter->code), 0);
		char more;
		if (length <= 0)
			error = length < 0 ? -errno : -ENODATA;
		else if (pread(fd, &more, 1, length) != 0)
			error = -EMSGSIZE;
		else
			filter->length = (uint32_t)((size_t)length / sizeof(filter->code[0]));
	}
	close(fd);
	return error;
}

int sandbox_build(enum role role, struct sandbox_filter *filter)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_TRAP);
	int error = context == NULL ? -ENOMEM : 0;

	filter->length = 0;
	if (error == 0)
		error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (error == 0)
		error = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (error == 0)
		error = add_rules(context, 1u << role);
	if (error == 0)
		error = export(context, filter);
	if (context != NULL)
		seccomp_release(context);
	errno = -error;
	return error == 0 ? 0 : -1;
}

const char *sandbox_call_text(const struct message_violation *violation,
                              char buffer[SANDBOX_CALL_MAX])
{
	char *name =
		seccomp_syscall_resolve_num_arch(violation->architecture, (int)violation->call);

	snprintf(buffer, SANDBOX_CALL_MAX, "%.32s (%u)", name != NULL ? name : "unknown",
	         violation->call);
	free(name);
	return buffer;
}

bool sandbox_exists(void)
{
	return true;
}

#else /* configure --disable-seccomp */

int sandbox_build(enum role role, struct sandbox_filter *filter)
{
	(void)role;
	filter->length = 0;
	return 0;
}

const char *sandbox_call_text(const struct message_violation *violation,
                              char buffer[SANDBOX_CALL_MAX])
{
	snprintf(buffer, SANDBOX_CALL_MAX, "%u", violation->call);
	return buffer;
}

bool sandbox_exists(void)
{
	return false;
}

#endif
