/*
 * wire: joins two network namespaces through TUN devices and impairs what passes,
 * for kernels that have no netem. What can be asked of it is in options.c and in
 * README.md; what happens to a packet is in path.c.
 *
 * One thread: it reads what either end sends until there is no more (or a batch is
 * full), writes what is due, and sleeps until the next packet is due or arrives.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/wire/options.h"
#include "tests/wire/path.h"
#include "tests/wire/tun.h"

#define NANOSECONDS UINT64_C(1000000000)
#define PACKET_MAX  65536
/* After this many reads the other end and the due packets have their turn. */
#define READ_BATCH 128

struct wire {
	int ends[2]; /* A, B; path i goes from ends[i] to ends[1 - i] */
	int signals;
	struct path paths[WIRE_DIRECTIONS];
	uint64_t seed;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

/*
 * Multicast is the hosts' own chatter (MLD reports, router solicitations). Nothing here
 * needs it on the far side, and it would shift which packet of a test meets which fate.
 */
static int is_multicast(const uint8_t *bytes, size_t length)
{
	if (length >= 20 && bytes[0] >> 4 == 4)
		return bytes[16] >> 4 == 0xe;
	return length >= 40 && bytes[0] >> 4 == 6 && bytes[24] == 0xff;
}

static void read_end(struct wire *wire, int direction)
{
	static uint8_t bytes[PACKET_MAX];
	uint64_t now = now_ns();

	for (int i = 0; i < READ_BATCH; i++) {
		ssize_t length = read(wire->ends[direction], bytes, sizeof(bytes));

		if (length < 0) {
			if (errno == EAGAIN || errno == EINTR)
				return;
			err(EXIT_FAILURE, "reading from end %c", "AB"[direction]);
		}
		if (length > 0 && !is_multicast(bytes, (size_t)length))
			path_submit(&wire->paths[direction], now, bytes, (size_t)length);
	}
}

static void write_due(struct wire *wire, int direction)
{
	struct path *path = &wire->paths[direction];
	uint64_t now = now_ns();
	struct packet *packet;

	while ((packet = path_take(path, now)) != NULL) {
		if (write(wire->ends[1 - direction], packet->bytes, packet->length) < 0) {
			path->counters.write_failed++;
		} else {
			path->counters.out++;
			path->counters.bytes_out += packet->length;
		}
		path_release(path, packet);
	}
}

static void print_direction(const struct path *path, const char *name)
{
	const struct path_counters *c = &path->counters;

	printf("\"%s\":{\"in\":%" PRIu64 ",\"out\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"oversized\":%" PRIu64 ",\"held\":%" PRIu64 ",\"reordered\":%" PRIu64
	       ",\"duplicated\":%" PRIu64 ",\"corrupted\":%" PRIu64 ",\"queue_dropped\":%" PRIu64
	       ",\"memory_dropped\":%" PRIu64 ",\"write_failed\":%" PRIu64
	       ",\"in_flight\":%zu,\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64 "}",
	       name, c->in, c->out, c->lost, c->oversized, c->held, c->reordered, c->duplicated,
	       c->corrupted, c->queue_dropped, c->memory_dropped, c->write_failed,
	       path_in_flight(path), c->bytes_in, c->bytes_out);
}

static void print_counters(const struct wire *wire)
{
	printf("{\"seed\":%" PRIu64 ",", wire->seed);
	print_direction(&wire->paths[WIRE_A_TO_B], "a_to_b");
	putchar(',');
	print_direction(&wire->paths[WIRE_B_TO_A], "b_to_a");
	printf("}\n");
	fflush(stdout);
}

/* Prints the counters that a signal asks for; 0 when the signal also ends the wire. */
static int read_signal(struct wire *wire)
{
	struct signalfd_siginfo info;

	if (read(wire->signals, &info, sizeof(info)) != sizeof(info))
		return 1;
	print_counters(wire);
	return info.ssi_signo == SIGUSR1;
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		err(EXIT_FAILURE, "blocking signals");
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "opening a signal descriptor");
	return fd;
}

/* How long to sleep; NULL when nothing is on its way. */
static const struct timespec *time_to_sleep(const struct wire *wire, struct timespec *wait)
{
	uint64_t next = path_next(&wire->paths[0]), other = path_next(&wire->paths[1]);
	uint64_t now, left;

	if (other < next)
		next = other;
	if (next == PATH_NEVER)
		return NULL;
	now = now_ns();
	left = next > now ? next - now : 0;
	wait->tv_sec = (time_t)(left / NANOSECONDS);
	wait->tv_nsec = (long)(left % NANOSECONDS);
	return wait;
}

static void run(struct wire *wire)
{
	struct pollfd polled[3] = {
		{.fd = wire->ends[0], .events = POLLIN},
		{.fd = wire->ends[1], .events = POLLIN},
		{.fd = wire->signals, .events = POLLIN},
	};
	struct timespec wait;

	for (;;) {
		if (ppoll(polled, 3, time_to_sleep(wire, &wait), NULL) < 0 && errno != EINTR)
			err(EXIT_FAILURE, "waiting for packets");
		if (polled[2].revents != 0 && !read_signal(wire))
			return;
		for (int i = 0; i < WIRE_DIRECTIONS; i++) {
			if (polled[i].revents != 0)
				read_end(wire, i);
			write_due(wire, i);
		}
	}
}

int main(int argc, char **argv)
{
	struct wire_options options;
	struct wire wire;

	options_parse(&options, argc, argv);
	wire.seed = options.seed;
	wire.signals = open_signals();
	for (int i = 0; i < WIRE_DIRECTIONS; i++) {
		path_init(&wire.paths[i], &options.paths[i], options.seed, (unsigned)i);
		wire.ends[i] = tun_open(&options.ends[i]);
	}
	/* The default slack of 50 microseconds would show in every delay. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	printf("wire ready seed=%" PRIu64 "\n", wire.seed);
	fflush(stdout);
	run(&wire);
	for (int i = 0; i < WIRE_DIRECTIONS; i++) {
		path_clear(&wire.paths[i]);
		close(wire.ends[i]);
	}
	return EXIT_SUCCESS;
}
