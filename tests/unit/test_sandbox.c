/*
 * daemon/sandbox_calls.c and daemon/sandbox.c: the filters are run on made-up system calls
 * by an interpreter of their instructions, and entered by children that then try.
 */
#include "tests/unit/random.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/sandbox_calls.h"

#define NATIVE ((uint32_t)seccomp_arch_native())

static struct sandbox_filter filters[ROLES];

/* ---- an interpreter ---- */

static bool jumps(const struct sock_filter *code, uint32_t a)
{
	switch (BPF_OP(code->code)) {
	case BPF_JEQ:
		return a == code->k;
	case BPF_JGT:
		return a > code->k;
	case BPF_JGE:
		return a >= code->k;
	default:
		assert_int_equal(BPF_OP(code->code), BPF_JSET);
		return (a & code->k) != 0;
	}
}

/* What the filter of ROLE says to CALL, and after how many instructions. */
static uint32_t run(enum role role, const struct seccomp_data *call, unsigned *steps)
{
	const struct sandbox_filter *filter = &filters[role];
	uint32_t a = 0;

	*steps = 0;
	for (uint32_t at = 0; at < filter->length; at++) {
		const struct sock_filter *code = &filter->code[at];
		++*steps;
		switch (BPF_CLASS(code->code)) {
		case BPF_LD:
			assert_int_equal(code->code, BPF_LD | BPF_W | BPF_ABS);
			assert_true(code->k <= sizeof(*call) - sizeof(a));
			memcpy(&a, (const char *)call + code->k, sizeof(a));
			break;
		case BPF_ALU:
			assert_int_equal(code->code, BPF_ALU | BPF_AND | BPF_K);
			a &= code->k;
			break;
		case BPF_JMP:
			if (BPF_OP(code->code) == BPF_JA)
				at += code->k;
			else
				at += jumps(code, a) ? code->jt : code->jf;
			break;
		default:
			assert_int_equal(code->code, BPF_RET | BPF_K);
			return code->k;
		}
	}
	fail_msg("the filter runs off its end");
	return 0;
}

struct arguments {
	uint64_t value[6];
};

static uint32_t answer(enum role role, const char *name, struct arguments arguments)
{
	int number = seccomp_syscall_resolve_name(name);
	struct seccomp_data call = {.nr = number, .arch = NATIVE};
	unsigned steps;

	assert_int_not_equal(number, __NR_SCMP_ERROR);
	memcpy(call.args, arguments.value, sizeof(call.args));
	/* a call that this architecture does not have cannot be made */
	return number < 0 ? SECCOMP_RET_TRAP : run(role, &call, &steps);
}

static void expect(enum role role, const char *name, struct arguments arguments, uint32_t wanted)
{
	uint32_t got = answer(role, name, arguments);

	if (got != wanted)
		fail_msg("%s, %s: %#x, not %#x", role_name(role), name, got, wanted);
}

#define CALL(...) ((struct arguments){{__VA_ARGS__}})

static const enum role roles[] = {ROLE_MASTER, ROLE_WORKER};

static int build(void **state)
{
	(void)state;
	if (!sandbox_exists())
		return 0;
	for (unsigned i = 0; i < 2; i++)
		if (sandbox_build(roles[i], &filters[roles[i]]) < 0)
			return -1;
	return 0;
}

static void need_sandbox(void)
{
	if (!sandbox_exists())
		skip();
}

/* ---- the list ---- */

static void neither_opens_connects_starts_traces_signals_or_mounts(void **state)
{
	static const char *const names[] = {"openat",
	                                    "openat2",
	                                    "creat",
	                                    "open_by_handle_at",
	                                    "memfd_create",
	                                    "name_to_handle_at",
	                                    "socket",
	                                    "socketpair",
	                                    "connect",
	                                    "bind",
	                                    "listen",
	                                    "pipe2",
	                                    "dup",
	                                    "dup2",
	                                    "dup3",
	                                    "execve",
	                                    "execveat",
	                                    "fork",
	                                    "vfork",
	                                    "clone",
	                                    "clone3",
	                                    "ptrace",
	                                    "process_vm_readv",
	                                    "process_vm_writev",
	                                    "process_madvise",
	                                    "kill",
	                                    "tkill",
	                                    "rt_sigqueueinfo",
	                                    "pidfd_open",
	                                    "pidfd_send_signal",
	                                    "pidfd_getfd",
	                                    "mount",
	                                    "umount2",
	                                    "pivot_root",
	                                    "move_mount",
	                                    "fsopen",
	                                    "chroot",
	                                    "chdir",
	                                    "unlinkat",
	                                    "mkdirat",
	                                    "fchmod",
	                                    "fchown",
	                                    "setuid",
	                                    "setresuid",
	                                    "setgid",
	                                    "setresgid",
	                                    "setgroups",
	                                    "capset",
	                                    "prctl",
	                                    "seccomp",
	                                    "prlimit64",
	                                    "setrlimit",
	                                    "unshare",
	                                    "setns",
	                                    "bpf",
	                                    "io_uring_setup",
	                                    "userfaultfd",
	                                    "perf_event_open",
	                                    "keyctl",
	                                    "add_key",
	                                    "init_module",
	                                    "reboot",
	                                    "shmget",
	                                    "msgget",
	                                    "personality",
	                                    "pkey_mprotect",
	                                    "vmsplice",
	                                    "splice",
	                                    "sendfile",
	                                    "ftruncate",
	                                    "fallocate",
	                                    "setitimer",
	                                    "timer_create",
	                                    "fanotify_init",
	                                    "inotify_init1"};

	(void)state;
	need_sandbox();
	for (unsigned i = 0; i < 2; i++)
		for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
			expect(roles[i], names[n], CALL(0), SECCOMP_RET_TRAP);
}

static void nothing_becomes_executable(void **state)
{
	const uint64_t write = PROT_READ | PROT_WRITE;

	(void)state;
	need_sandbox();
	expect(ROLE_MASTER, "mmap", CALL(0, 4096, write), SECCOMP_RET_ALLOW);
	for (unsigned i = 0; i < 2; i++) {
		expect(roles[i], "mmap", CALL(0, 4096, write | PROT_EXEC), SECCOMP_RET_TRAP);
		expect(roles[i], "mmap", CALL(0, 4096, PROT_EXEC), SECCOMP_RET_TRAP);
		expect(roles[i], "mprotect", CALL(0, 4096, PROT_EXEC), SECCOMP_RET_TRAP);
		expect(roles[i], "mprotect", CALL(0, 4096, write | PROT_EXEC), SECCOMP_RET_TRAP);
	}
}

static void a_worker_gets_no_more_memory(void **state)
{
	(void)state;
	need_sandbox();
#ifndef __SANITIZE_ADDRESS__
	expect(ROLE_WORKER, "mmap", CALL(0, 4096, PROT_READ), SECCOMP_RET_TRAP);
	expect(ROLE_WORKER, "brk", CALL(0), SECCOMP_RET_TRAP);
	expect(ROLE_WORKER, "madvise", CALL(0, 4096, MADV_DONTNEED), SECCOMP_RET_TRAP);
#endif
	expect(ROLE_WORKER, "madvise", CALL(0, 4096, MADV_REMOVE), SECCOMP_RET_ALLOW);
}

static void a_pty_gets_its_size_and_no_input(void **state)
{
	static const uint64_t allowed[] = {TIOCSWINSZ, TCGETS,  TCSETS,     TCFLSH,
	                                   TIOCSIG,    TIOCPKT, TIOCGPTPEER};
	static const uint64_t not_allowed[] = {TIOCSTI, TIOCSETD, TIOCCONS, TIOCSCTTY, FIOASYNC, 0};

	(void)state;
	need_sandbox();
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		expect(ROLE_WORKER, "ioctl", CALL(9, allowed[i]), SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < sizeof(not_allowed) / sizeof(not_allowed[0]); i++)
		for (unsigned r = 0; r < 2; r++)
			expect(roles[r], "ioctl", CALL(9, not_allowed[i]), SECCOMP_RET_TRAP);
	expect(ROLE_MASTER, "ioctl", CALL(9, FIONREAD), SECCOMP_RET_ALLOW);
	expect(ROLE_MASTER, "ioctl", CALL(9, TIOCSWINSZ), SECCOMP_RET_TRAP);
}

/* Flags are of the open file description: those of a bell would be changed for both. */
static void no_flag_of_a_shared_descriptor_is_changed(void **state)
{
	(void)state;
	need_sandbox();
	expect(ROLE_MASTER, "fcntl", CALL(5, F_GETFL), SECCOMP_RET_ALLOW);
	expect(ROLE_MASTER, "fcntl", CALL(5, F_GET_SEALS), SECCOMP_RET_ALLOW);
	for (unsigned i = 0; i < 2; i++) {
		expect(roles[i], "fcntl", CALL(5, F_SETFL), SECCOMP_RET_TRAP);
		expect(roles[i], "fcntl", CALL(5, F_SETOWN), SECCOMP_RET_TRAP);
		expect(roles[i], "fcntl", CALL(5, F_DUPFD), SECCOMP_RET_TRAP);
		expect(roles[i], "fcntl", CALL(5, F_ADD_SEALS), SECCOMP_RET_TRAP);
	}
}

static void a_lane_keeps_its_filter_and_marks(void **state)
{
	static const uint64_t names[] = {SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_MARK,  SO_PRIORITY,
	                                 SO_BINDTODEVICE,  SO_RCVBUFFORCE,   SO_RCVBUF};

	(void)state;
	need_sandbox();
	expect(ROLE_MASTER, "setsockopt", CALL(5, IPPROTO_IP, IP_HDRINCL), SECCOMP_RET_ALLOW);
	expect(ROLE_MASTER, "setsockopt", CALL(5, IPPROTO_IP, IP_RECVERR), SECCOMP_RET_TRAP);
	expect(ROLE_MASTER, "setsockopt", CALL(5, IPPROTO_IP, IP_MTU_DISCOVER), SECCOMP_RET_TRAP);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect(ROLE_MASTER, "setsockopt", CALL(5, SOL_SOCKET, names[i]), SECCOMP_RET_TRAP);
	expect(ROLE_WORKER, "setsockopt", CALL(5, IPPROTO_IP, IP_HDRINCL), SECCOMP_RET_TRAP);
}

/* The kernel looks at 32 bits of such an argument; the others must not make a difference. */
static void bits_that_the_kernel_ignores_are_ignored(void **state)
{
	const uint64_t high = 1ull << 32;

	(void)state;
	need_sandbox();
	expect(ROLE_MASTER, "fcntl", CALL(5, high | F_GETFL), SECCOMP_RET_ALLOW);
	expect(ROLE_MASTER, "fcntl", CALL(5, high | F_SETFL), SECCOMP_RET_TRAP);
	expect(ROLE_WORKER, "ioctl", CALL(5, high | TIOCSTI), SECCOMP_RET_TRAP);
	expect(ROLE_MASTER, "mmap", CALL(0, 4096, high | PROT_EXEC), SECCOMP_RET_TRAP);
}

static void the_master_may_abort_itself_and_nobody_else(void **state)
{
	const uint64_t us = (uint64_t)getpid();

	(void)state;
	need_sandbox();
	expect(ROLE_MASTER, "tgkill", CALL(us, us, SIGABRT), SECCOMP_RET_ALLOW);
	expect(ROLE_MASTER, "tgkill", CALL(us + 1, us + 1, SIGABRT), SECCOMP_RET_TRAP);
	expect(ROLE_MASTER, "tgkill", CALL(us, us, SIGSTOP), SECCOMP_RET_TRAP);
	expect(ROLE_WORKER, "tgkill", CALL(us, us, SIGABRT), SECCOMP_RET_TRAP);
}

static void calls_of_another_architecture_kill(void **state)
{
	uint32_t other = NATIVE == AUDIT_ARCH_X86_64 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
	struct seccomp_data call = {.nr = 3, .arch = other};
	unsigned steps;

	(void)state;
	need_sandbox();
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(run(roles[i], &call, &steps), SECCOMP_RET_KILL_PROCESS);
		if (NATIVE != AUDIT_ARCH_X86_64)
			continue;
		struct seccomp_data x32 = {.nr = 0x40000000 | SYS_read, .arch = NATIVE};
		assert_int_equal(run(roles[i], &x32, &steps), SECCOMP_RET_KILL_PROCESS);
	}
}

/* Whatever the arguments are, so that the kernel need not run the filter for it. */
static void a_keystrokes_calls_are_decided_by_their_number(void **state)
{
	static const struct {
		enum role role;
		const char *name;
	} hot[] = {
		{ROLE_MASTER, "recvmmsg"},    {ROLE_MASTER, "sendmmsg"},
		{ROLE_MASTER, "epoll_wait"},  {ROLE_MASTER, "write"},
		{ROLE_WORKER, "epoll_pwait"}, {ROLE_WORKER, "read"},
		{ROLE_WORKER, "write"},       {ROLE_WORKER, "epoll_ctl"},
	};
	struct random random = random_start();

	(void)state;
	need_sandbox();
	for (size_t i = 0; i < sizeof(hot) / sizeof(hot[0]); i++) {
		int number = seccomp_syscall_resolve_name(hot[i].name);
		struct seccomp_data call = {.nr = number, .arch = NATIVE};
		unsigned steps, others;

		if (number < 0)
			continue;
		assert_int_equal(run(hot[i].role, &call, &steps), SECCOMP_RET_ALLOW);
		for (int round = 0; round < 100; round++) {
			for (unsigned a = 0; a < 6; a++)
				call.args[a] = random_next(&random);
			assert_int_equal(run(hot[i].role, &call, &others), SECCOMP_RET_ALLOW);
			assert_int_equal(others, steps);
		}
		print_message("# %s, %s: %u instructions of %u\n", role_name(hot[i].role),
		              hot[i].name, steps, filters[hot[i].role].length);
		assert_in_range(steps, 1, 16);
	}
}

static void a_filter_fits_its_message(void **state)
{
	(void)state;
	need_sandbox();
	for (unsigned i = 0; i < 2; i++)
		assert_in_range(filters[roles[i]].length, 10, SANDBOX_FILTER_MAX / 2);
	assert_true(sizeof(struct message_worker_config) + sizeof(filters[0].code) <=
	            MESSAGE_PAYLOAD_MAX);
}

/* ---- entered ---- */

/* Runs TRY in a child in the sandbox of a worker; returns how it ended, and what it reported. */
static int in_sandbox(void (*try)(pid_t other), pid_t other, struct message_violation *violation)
{
	static struct message message;
	int pair[2], status;
	const char *what;

	assert_int_equal(message_channel(pair), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (sandbox_limit(32, &what) < 0 ||
		    sandbox_enter(filters[ROLE_WORKER].code, filters[ROLE_WORKER].length, pair[1]) <
		            0)
			_exit(99);
		try(other);
		_exit(0);
	}
	close(pair[1]);
	memset(violation, 0, sizeof(*violation));
	if (message_receive(pair[0], &message, 0) > 0 &&
	    message_allowed(&message, ROLE_WORKER, ROLE_SUPERVISOR, PHASE_RUN))
		memcpy(violation, message.payload, sizeof(*violation));
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void only_write(pid_t other)
{
	(void)other;
	if (write(STDOUT_FILENO, "", 0) < 0)
		_exit(1);
}

static void signal_other(pid_t other)
{
	kill(other, SIGKILL);
}

static void open_file(pid_t other)
{
	(void)other;
	syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static void replace_handler(pid_t other)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	(void)other;
	if (syscall(SYS_rt_sigaction, SIGSYS, &ignore, NULL, 8) == 0)
		_exit(1);
	kill(getppid(), 0);
}

static void what_is_in_the_list_works(void **state)
{
	struct message_violation violation;

	(void)state;
	need_sandbox();
	assert_int_equal(in_sandbox(only_write, 0, &violation), 0);
	assert_int_equal(violation.architecture, 0);
}

static void what_is_not_is_reported_by_name_and_ends_the_process(void **state)
{
	struct message_violation violation;
	char text[SANDBOX_CALL_MAX];

	(void)state;
	need_sandbox();
	assert_int_equal(WEXITSTATUS(in_sandbox(open_file, 0, &violation)), SANDBOX_EXIT);
	assert_memory_equal(sandbox_call_text(&violation, text), "openat (", 8);
}

/* Workers are one user: without the sandbox, the kernel would let one signal the other. */
static void one_worker_cannot_signal_another(void **state)
{
	struct message_violation violation;
	char text[SANDBOX_CALL_MAX];
	int status;

	(void)state;
	need_sandbox();
	pid_t other = fork();
	if (other == 0) {
		for (;;)
			pause();
	}
	assert_int_equal(WEXITSTATUS(in_sandbox(signal_other, other, &violation)), SANDBOX_EXIT);
	assert_memory_equal(sandbox_call_text(&violation, text), "kill (", 6);
	assert_int_equal(waitpid(other, &status, WNOHANG), 0);
	kill(other, SIGKILL);
	waitpid(other, &status, 0);
}

static int compare(const void *a, const void *b, void *context)
{
	(void)context;
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

/* Many connections are put in order by a new master; the C library then asks for memory and its size. */
static void a_master_may_sort_much(void **state)
{
	int pair[2], status;

	(void)state;
	need_sandbox();
	assert_int_equal(message_channel(pair), 0);
	pid_t pid = fork();
	if (pid == 0) {
		static int many[20000];
		for (int i = 0; i < 20000; i++)
			many[i] = i * 7919 % 20011;
		if (sandbox_enter(filters[ROLE_MASTER].code, filters[ROLE_MASTER].length, pair[1]) <
		    0)
			_exit(99);
		qsort_r(many, 20000, sizeof(many[0]), compare, NULL);
		_exit(many[0] <= many[1] ? 0 : 1);
	}
	close(pair[1]);
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void the_handler_stays(void **state)
{
	struct message_violation violation;

	(void)state;
	need_sandbox();
	assert_int_equal(WEXITSTATUS(in_sandbox(replace_handler, 0, &violation)), SANDBOX_EXIT);
}

static void a_made_up_violation_has_a_text(void **state)
{
	struct message_violation violation = {.call = 4000000000u, .architecture = 7};
	char text[SANDBOX_CALL_MAX];

	(void)state;
	need_sandbox();
	assert_string_equal(sandbox_call_text(&violation, text), "unknown (4000000000)");
}

static void one_that_is_too_long_is_refused(void **state)
{
	(void)state;
	assert_int_equal(sandbox_enter(filters[0].code, SANDBOX_FILTER_MAX + 1, -1), -1);
	assert_int_equal(errno, EINVAL);
}

static void limits_leave_no_child_no_core_and_no_descriptor_too_many(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		static const int resources[] = {RLIMIT_NPROC, RLIMIT_CORE, RLIMIT_NOFILE};
		static const rlim_t limits[] = {0, 0, 32};
		const char *what;
		struct rlimit limit;

		if (sandbox_limit(32, &what) < 0)
			_exit(1);
		for (int i = 0; i < 3; i++)
			if (getrlimit((__rlimit_resource_t)resources[i], &limit) < 0 ||
			    limit.rlim_cur != limits[i] || limit.rlim_max != limits[i])
				_exit(2 + i);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neither_opens_connects_starts_traces_signals_or_mounts),
		cmocka_unit_test(nothing_becomes_executable),
		cmocka_unit_test(a_worker_gets_no_more_memory),
		cmocka_unit_test(a_pty_gets_its_size_and_no_input),
		cmocka_unit_test(no_flag_of_a_shared_descriptor_is_changed),
		cmocka_unit_test(a_lane_keeps_its_filter_and_marks),
		cmocka_unit_test(bits_that_the_kernel_ignores_are_ignored),
		cmocka_unit_test(the_master_may_abort_itself_and_nobody_else),
		cmocka_unit_test(calls_of_another_architecture_kill),
		cmocka_unit_test(a_keystrokes_calls_are_decided_by_their_number),
		cmocka_unit_test(a_filter_fits_its_message),
		cmocka_unit_test(what_is_in_the_list_works),
		cmocka_unit_test(what_is_not_is_reported_by_name_and_ends_the_process),
		cmocka_unit_test(one_worker_cannot_signal_another),
		cmocka_unit_test(a_master_may_sort_much),
		cmocka_unit_test(the_handler_stays),
		cmocka_unit_test(a_made_up_violation_has_a_text),
		cmocka_unit_test(one_that_is_too_long_is_refused),
		cmocka_unit_test(limits_leave_no_child_no_core_and_no_descriptor_too_many),
	};

	return cmocka_run_group_tests(tests, build, NULL);
}
