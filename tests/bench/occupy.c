/*
 * Occupies one CPU with a busy loop.
 *
 * Between the two ends of a pty works a kernel thread, which taskset(1) does not bind: with a second
 * CPU idle, the scheduler places it there in some runs and not in others, and a keystroke then costs
 * five times more or less for a reason that is neither server's. A CPU that carries a loop of the
 * highest weight attracts nobody, so that "all on one CPU" is true of the kernel's threads too, and no
 * setting of the host is touched.
 */
#include "tests/bench/occupy.h"

#include <err.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#define HIGHEST_WEIGHT (-20)

/* A virtual machine's CPUs may be threads of one core: leave the other thread its share of it. */
static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("pause" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

static void bind_to_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		err(1, "moving to CPU %u", cpu);
}

void occupy_cpu(unsigned int cpu)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		err(1, "making a pipe");
	pid_t parent = getpid();
	pid_t child = fork();

	if (child < 0)
		err(1, "starting a busy loop");
	if (child > 0) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "CPU %u could not be occupied", cpu);
		close(ready[0]);
		return;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	bind_to_cpu(cpu);
	if (setpriority(PRIO_PROCESS, 0, HIGHEST_WEIGHT) < 0)
		err(1, "setting the priority of a busy loop");
	if (write(ready[1], "", 1) != 1)
		_exit(1);
	for (;;)
		relax();
}
