/*
 * Measures how many whole sessions a second a server gives, and holds idle ones open.
 *
 * Each client is a process of its own that runs one session after the other; the counts are in memory
 * that all share. What is counted is a session from connect to the end of the connection, so a server
 * cannot look fast by putting the end off.
 */
#include "tests/bench/measure.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAXIMUM_CLIENTS 256

struct tally {
	unsigned int sessions;
	unsigned int resets;
};

static void run_one_session(struct session *session, const struct target *target,
                            struct tally *tally)
{
	session_open(session, target);
	session_expect(session, SESSION_PROMPT);
	session_type(session, "exit");
	session_await_end(session);
	session_close(session);
	tally->sessions++;
	if (session->reset)
		tally->resets++;
}

static void run_sessions(const struct target *target, uint64_t until, struct tally *tally)
{
	struct session *session = malloc(sizeof(*session));

	if (!session)
		err(1, "making a session");
	do {
		watchdog_set(30, "setting up a session");
		run_one_session(session, target, tally);
	} while (measure_now() < until);
	free(session);
}

static void start_client(const struct target *target, uint64_t until, struct tally *tally)
{
	pid_t child = fork();

	if (child < 0)
		err(1, "starting a client");
	if (child > 0)
		return;
	run_sessions(target, until, tally);
	_exit(0);
}

static void await_clients(void)
{
	int status;
	pid_t child;

	while ((child = wait(&status)) > 0 || errno == EINTR)
		if (child > 0 && status != 0)
			errx(1, "a client failed");
}

void measure_setup(const struct target *target, unsigned int clients, unsigned int seconds)
{
	struct tally warm_up = {0};
	struct tally total = {0};

	if (clients == 0 || clients > MAXIMUM_CLIENTS)
		errx(2, "between 1 and %d clients, not %u", MAXIMUM_CLIENTS, clients);
	struct tally *tally = mmap(NULL, clients * sizeof(*tally), PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (tally == MAP_FAILED)
		err(1, "making memory that clients share");
	run_sessions(target, 0, &warm_up);
	watchdog_set(0, "waiting for clients");
	uint64_t start = measure_now();

	for (unsigned int i = 0; i < clients; i++)
		start_client(target, start + seconds * UINT64_C(1000000000), &tally[i]);
	await_clients();
	uint64_t took = measure_now() - start;

	for (unsigned int i = 0; i < clients; i++) {
		total.sessions += tally[i].sessions;
		total.resets += tally[i].resets;
	}
	printf("sessions_per_s=%.2f sessions=%u resets=%u\n",
	       (double)total.sessions * 1e9 / (double)took, total.sessions, total.resets);
	munmap(tally, clients * sizeof(*tally));
}

static void await_end_of_input(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0 || errno == EINTR)
		errno = 0;
}

void measure_hold(const struct target *target, size_t sessions)
{
	struct session *held = calloc(sessions, sizeof(*held));

	if (!held)
		err(1, "making room for %zu sessions", sessions);
	watchdog_set(60, "opening sessions to hold");
	for (size_t i = 0; i < sessions; i++) {
		session_open(&held[i], target);
		session_expect(&held[i], SESSION_PROMPT);
	}
	printf("held=%zu\n", sessions);
	fflush(stdout);
	watchdog_set(0, "holding sessions");
	await_end_of_input();
	watchdog_set(60, "closing the sessions that were held");
	for (size_t i = 0; i < sessions; i++) {
		session_type(&held[i], "exit");
		session_await_end(&held[i]);
		session_close(&held[i]);
	}
	printf("left=%zu\n", sessions);
	free(held);
}
