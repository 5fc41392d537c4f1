/* In the places of calmd's functions, in daemon/calmd-killed alone: see kill_points.h. */
#include "tests/crash/kill_points.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/bell.h"
#include "daemon/message.h"
#include "daemon/ring_map.h"
#include "daemon/sandbox.h"
#include "stack/engine.h"
#include "stack/seal.h"
#include "tests/crash/poison.h"

/* NULL: this is no master, or there is no plan. */
static struct kill_plan *plan;

/* The supervisor starts its children without its environment; but root may look at it. */
static const char *plan_path(char *environment, size_t room)
{
	static const char name[] = "CALMD_KILL_POINTS=";
	char path[64];
	size_t length = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)getppid());
	file = fopen(path, "r");
	if (file != NULL) {
		length = fread(environment, 1, room - 1, file);
		fclose(file);
	}
	environment[length] = '\0';
	for (size_t at = 0; at < length; at += strlen(environment + at) + 1)
		if (strncmp(environment + at, name, sizeof(name) - 1) == 0)
			return environment + at + sizeof(name) - 1;
	return NULL;
}

__attribute__((constructor)) static void find_plan(int argc, char **argv)
{
	static char environment[65536];
	const char *path;
	void *memory = MAP_FAILED;
	int fd;

	if (argc < 2 || strcmp(argv[1], "--role=master") != 0)
		return;
	path = plan_path(environment, sizeof(environment));
	fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd >= 0)
		memory = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (memory != MAP_FAILED)
		plan = memory;
}

void kill_point(unsigned point)
{
	if (plan == NULL)
		return;
	plan->passed[point]++;
	if (plan->passes == 0 || plan->point != point || --plan->passes > 0)
		return;
	plan->killed++;
	kill(getpid(), SIGKILL);
}

/* ---- the table ---- */

void __real_table_begin(struct table *table);
void __wrap_table_begin(struct table *table);
void __wrap_table_begin(struct table *table)
{
	kill_point(KILL_event_begins);
	__real_table_begin(table);
	kill_point(KILL_busy);
}

void __real_table_touch(struct table *table, const void *object, size_t length);
void __wrap_table_touch(struct table *table, const void *object, size_t length);
void __wrap_table_touch(struct table *table, const void *object, size_t length)
{
	kill_point(KILL_touching);
	__real_table_touch(table, object, length);
	kill_point(KILL_touched);
}

struct conn *__real_event_conn(struct stack *stack, uint32_t slot);
struct conn *__wrap_event_conn(struct stack *stack, uint32_t slot);
struct conn *__wrap_event_conn(struct stack *stack, uint32_t slot)
{
	kill_point(KILL_worked);
	return __real_event_conn(stack, slot);
}

void __real_seal_set(void *object, size_t length);
void __wrap_seal_set(void *object, size_t length);
void __wrap_seal_set(void *object, size_t length)
{
	__real_seal_set(object, length);
	kill_point(KILL_sealed);
}

void __real_table_commit(struct table *table);
void __wrap_table_commit(struct table *table);
void __wrap_table_commit(struct table *table)
{
	kill_point(KILL_done);
	__real_table_commit(table);
	kill_point(KILL_committed);
}

/* ---- taking over ---- */

struct stack *__real_stack_create(const struct stack_config *config,
                                  const struct stack_hooks *hooks, void *table, size_t bytes,
                                  const struct stack_secrets *secrets);
struct stack *__wrap_stack_create(const struct stack_config *config,
                                  const struct stack_hooks *hooks, void *table, size_t bytes,
                                  const struct stack_secrets *secrets);
struct stack *__wrap_stack_create(const struct stack_config *config,
                                  const struct stack_hooks *hooks, void *table, size_t bytes,
                                  const struct stack_secrets *secrets)
{
	struct stack *stack = __real_stack_create(config, hooks, table, bytes, secrets);

	kill_point(KILL_taken_up);
	return stack;
}

bool __real_stack_attach(struct stack *stack, struct conn_handle conn, uint32_t worker,
                         const struct ring *ring, uint64_t now_us);
bool __wrap_stack_attach(struct stack *stack, struct conn_handle conn, uint32_t worker,
                         const struct ring *ring, uint64_t now_us);
bool __wrap_stack_attach(struct stack *stack, struct conn_handle conn, uint32_t worker,
                         const struct ring *ring, uint64_t now_us)
{
	bool done;

	kill_point(KILL_attaching);
	done = __real_stack_attach(stack, conn, worker, ring, now_us);
	kill_point(KILL_attached);
	return done;
}

int __real_ring_map(int fd, uint32_t rx_size, uint32_t tx_size, struct ring *ring);
int __wrap_ring_map(int fd, uint32_t rx_size, uint32_t tx_size, struct ring *ring);
int __wrap_ring_map(int fd, uint32_t rx_size, uint32_t tx_size, struct ring *ring)
{
	int status = __real_ring_map(fd, rx_size, tx_size, ring);

	kill_point(KILL_mapped);
	return status;
}

/* ---- what is said ---- */

void __real_bell_ring(int bell);
void __wrap_bell_ring(int bell);
void __wrap_bell_ring(int bell)
{
	kill_point(KILL_ringing);
	__real_bell_ring(bell);
	kill_point(KILL_rung);
}

int __real_message_send(int channel, enum message_type type, const void *payload, size_t length,
                        const int *fds, size_t count, int flags);
int __wrap_message_send(int channel, enum message_type type, const void *payload, size_t length,
                        const int *fds, size_t count, int flags);
int __wrap_message_send(int channel, enum message_type type, const void *payload, size_t length,
                        const int *fds, size_t count, int flags)
{
	int status = __real_message_send(channel, type, payload, length, fds, count, flags);

	kill_point(KILL_SENT + (unsigned)type % 64);
	return status;
}

int __real_message_receive(int channel, struct message *message, int flags);
int __wrap_message_receive(int channel, struct message *message, int flags);
int __wrap_message_receive(int channel, struct message *message, int flags)
{
	int got = __real_message_receive(channel, message, flags);

	if (got > 0)
		kill_point(KILL_RECEIVED + message->header.type % 64);
	return got;
}

/* One at a time, so that a death may fall between two packets of a batch. */
int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	for (unsigned i = 0; i < count; i++) {
		kill_point(KILL_packet_sending);
		if (__real_sendmmsg(fd, messages + i, 1, flags) < 1)
			return i > 0 ? (int)i : -1;
		kill_point(KILL_packet_sent);
	}
	return (int)count;
}

int __real_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                    struct timespec *timeout);
int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                    struct timespec *timeout);
int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                    struct timespec *timeout)
{
	int got = __real_recvmmsg(fd, messages, count, flags, timeout);

	if (got > 0)
		kill_point(KILL_packets_received);
	return got;
}

/* ---- a packet that the engine cannot bear ---- */

/* Payload that holds these words makes the engine abort, amid its event. */
void __real_input_process_data(struct stack *stack, uint32_t slot, const struct segment *seg);
void __wrap_input_process_data(struct stack *stack, uint32_t slot, const struct segment *seg);
void __wrap_input_process_data(struct stack *stack, uint32_t slot, const struct segment *seg)
{
	(void)event_conn(stack, slot);
	if (seg->data_length > 0 &&
	    memmem(seg->data, seg->data_length, POISON, strlen(POISON)) != NULL)
		abort();
	__real_input_process_data(stack, slot, seg);
}

/* ---- the sandbox, with one door more ---- */

/* As a process that is killed from outside, the master is to end by SIGKILL: kill(2) is let through. */
int __real_sandbox_enter(const struct sock_filter *code, uint32_t length, int channel);
int __wrap_sandbox_enter(const struct sock_filter *code, uint32_t length, int channel);
int __wrap_sandbox_enter(const struct sock_filter *code, uint32_t length, int channel)
{
	static const struct sock_filter door[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	static struct sock_filter all[SANDBOX_FILTER_MAX];
	const uint32_t more = sizeof(door) / sizeof(door[0]);

	if (length == 0 || length + more > SANDBOX_FILTER_MAX)
		return __real_sandbox_enter(code, length, channel);
	memcpy(all, door, sizeof(door));
	memcpy(all + more, code, length * sizeof(code[0]));
	return __real_sandbox_enter(all, length + more, channel);
}
