/*
 * A crowd of sessions that must not notice that the master dies, and who kills it.
 *
 *   crowd [-d N] [-i N] [-v N] [-k KILLS | -a PLAN | -w DEATHS] [-t SECONDS] [-r RATE] [-s SEED] [-m ROUND]...
 *         [-c COMMAND] -p SUPERVISOR -f FAR ADDRESS PORT
 *
 *   -d  sessions that move data both ways at once, RATE bytes a second each way (8)
 *   -i  sessions that sit idle in a shell (2)
 *   -v  sessions that come, ask a shell once, and go, one after the other (0)
 *   -k  kills the master so often, at random moments, some while the next one takes over
 *   -a  makes the masters of daemon/calmd-killed kill themselves, at one point after the other
 *       (kill_points.h), all of them -k times (1)
 *   -w  kills nobody, but waits until so many masters have died
 *   -t  no longer than so many seconds
 *   -m  after so many deaths, when all sessions move again, says what supervisor and master hold
 *   -c  prints the same after all deaths as before the first one
 *   -p  the supervisor's pid
 *   -f  the program at the far end of a session: tests/crash/far.c
 *
 * At the end every session is closed in order. Prints what was seen, one thing a line, and exits 1
 * if a session ended early, a byte was lost, doubled or changed, or a shell did not answer.
 *
 * Time is measured from a death to the next byte of each session that moves data. What the dead
 * master had sent is read from the client's socket right after the death, and does not count.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/message.h"
#include "tests/crash/kill_points.h"
#include "tests/crash/near.h"
#include "tests/crash/victim.h"

#define SESSIONS_MAX 64u
#define ROUNDS_MAX   8u
#define SAMPLES_MAX  200000u
#define SILENCE_US   UINT64_C(60000000) /* what no session may be silent for */
#define TICK_MS      5
#define VISIT_US     UINT64_C(200000) /* between two visits of the same visitor */

struct crowd {
	unsigned moving, idle, visitors;
	struct sockaddr_storage to;
	socklen_t to_length;
	struct kill_plan *plan;              /* NULL: no points */
	unsigned first_point, point, cycles; /* how many of them have been tried */
	unsigned killed_before;
	bool prodded;
	unsigned reached[KILL_POINTS_ALL];
	uint64_t armed_us;
	unsigned kills; /* to do; 0: it waits for DEATHS */
	unsigned deaths_wanted;
	uint64_t seconds;
	uint64_t rate, seed, state;
	const char *far;
	const char *command;
	char said[4096]; /* by the command, before the first death */
	bool differs;
	unsigned round[ROUNDS_MAX], rounds;
	struct victim victim;
	struct near near[SESSIONS_MAX];
	unsigned deaths;
	bool early;         /* the next kill does not wait for the sessions */
	uint64_t kill_us;   /* when, 0: not drawn yet */
	uint64_t killed_us; /* the kill whose death is awaited */
	uint64_t sample[SAMPLES_MAX];
	unsigned samples;
	unsigned early_kills;
	unsigned visits;
	bool ending;
};

static struct crowd crowd;

static uint64_t draw(uint64_t below)
{
	crowd.state = crowd.state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (crowd.state >> 33) % below;
}

static unsigned sessions(void)
{
	return crowd.moving + crowd.idle + crowd.visitors;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

/* ---- the sessions ---- */

static void open_one(unsigned number)
{
	struct near *near = &crowd.near[number];

	memset(near, 0, sizeof(*near));
	near->number = number;
	near->kind = number < crowd.moving                ? NEAR_MOVES
	             : number < crowd.moving + crowd.idle ? NEAR_SITS
	                                                  : NEAR_VISITS;
	near->seed = crowd.seed * 1000 + 2 * number;
	near->rate = crowd.rate;
	near_open(near, &crowd.to, crowd.to_length);
	crowd.visits += near->kind == NEAR_VISITS;
}

static void work(void)
{
	uint64_t now_us = near_now_us();

	for (unsigned i = 0; i < sessions(); i++) {
		struct near *near = &crowd.near[i];
		uint64_t received = near->received;

		near_work(near, crowd.far, now_us);
		if (near->kind == NEAR_VISITS && near->stage == NEAR_OVER && !crowd.ending &&
		    now_us > near->last_us + VISIT_US)
			open_one(i);
		if (near->received == received || near->marked_us == 0)
			continue;
		if (near->kind == NEAR_MOVES && crowd.samples < SAMPLES_MAX)
			crowd.sample[crowd.samples++] = near->last_us - near->marked_us;
		near->marked_us = 0;
	}
}

static void wait_a_little(void)
{
	struct pollfd fds[SESSIONS_MAX + 1];
	unsigned count = 0;

	for (unsigned i = 0; i < sessions(); i++) {
		if (crowd.near[i].fd < 0)
			continue;
		fds[count].fd = crowd.near[i].fd;
		fds[count].events =
			(short)(POLLIN | (near_wants_write(&crowd.near[i]) ? POLLOUT : 0));
		count++;
	}
	if (crowd.victim.master != 0)
		fds[count++] = (struct pollfd){crowd.victim.pidfd, POLLIN, 0};
	poll(fds, count, TICK_MS);
}

static bool all_in(enum near_stage stage, enum near_stage or_stage)
{
	for (unsigned i = 0; i < sessions(); i++)
		if (crowd.near[i].stage != stage && crowd.near[i].stage != or_stage)
			return false;
	return true;
}

static bool under_way(void)
{
	for (unsigned i = 0; i < crowd.moving + crowd.idle; i++)
		if (crowd.near[i].stage < NEAR_MOVE)
			return false;
	return true;
}

static bool any_failed(void)
{
	for (unsigned i = 0; i < sessions(); i++)
		if (crowd.near[i].stage == NEAR_FAILED)
			return true;
	return false;
}

/* Every session that moves data has received something since the last death. */
static bool all_move(void)
{
	for (unsigned i = 0; i < crowd.moving; i++)
		if (crowd.near[i].marked_us != 0)
			return false;
	return true;
}

static void look_for_silence(void)
{
	uint64_t now_us = near_now_us();

	for (unsigned i = 0; i < sessions(); i++)
		if (crowd.near[i].fd >= 0 && crowd.near[i].kind != NEAR_SITS &&
		    now_us - crowd.near[i].last_us > SILENCE_US)
			near_fail(&crowd.near[i], "nothing has come for %.0f s",
			          (double)(now_us - crowd.near[i].last_us) / 1e6);
}

/* What COMMAND prints. */
static void ask(char *said, size_t room)
{
	FILE *pipe = popen(crowd.command, "r");
	size_t length = pipe != NULL ? fread(said, 1, room - 1, pipe) : 0;

	said[length] = '\0';
	if (pipe == NULL || pclose(pipe) != 0 || length == 0)
		snprintf(said, room, "%s failed", crowd.command);
}

static void ask_again(void)
{
	static char now[sizeof(crowd.said)];

	if (crowd.command == NULL)
		return;
	ask(now, sizeof(now));
	crowd.differs = strcmp(now, crowd.said) != 0;
	if (crowd.differs)
		say("before all deaths: %s\nafter them: %s", crowd.said, now);
}

/* ---- chosen points ---- */

/* A point that is passed often has been passed by then, or never will be. */
#define AIM_US  UINT64_C(4000000)
#define PROD_US UINT64_C(400000)

static void open_plan(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0 || ftruncate(fd, sizeof(*crowd.plan)) < 0) {
		perror(path);
		exit(2);
	}
	crowd.plan = mmap(NULL, sizeof(*crowd.plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (crowd.plan == MAP_FAILED) {
		perror(path);
		exit(2);
	}
}

static const char *point_name(unsigned point)
{
	static const char *const names[] = {
#define KILL_POINT_NAME(name, what) #name,
		KILL_POINTS(KILL_POINT_NAME)
#undef KILL_POINT_NAME
	};
	static char text[64];

	if (point < KILL_SENT)
		return names[point];
	snprintf(text, sizeof(text), "%s:%s", point < KILL_RECEIVED ? "sent" : "received",
	         message_name((point - KILL_SENT) % 64));
	return text;
}

/* A master has died while one was aimed at; did it kill itself? */
static void hit(void)
{
	if (crowd.plan->killed == crowd.killed_before)
		return;
	crowd.killed_before = crowd.plan->killed;
	crowd.reached[crowd.plan->point]++;
	crowd.armed_us = 0;
}

/* All so often as they should be, and then once more those that nobody had passed by their turn. */
static bool points_tried(void)
{
	return crowd.point >= (crowd.cycles + 1) * KILL_POINTS_ALL;
}

static bool worth_aiming_at(unsigned point)
{
	return crowd.plan->passed[point] > 0 &&
	       (crowd.point <= crowd.cycles * KILL_POINTS_ALL || crowd.reached[point] == 0);
}

/* One that died so soon that nobody had found it. */
static void on_unseen_death(void)
{
	crowd.deaths++;
	hit();
}

/*
 * The next point that masters pass at all kills, at one of its next passings. One that is not
 * passed for a while is perhaps passed by masters that take over: then this one is killed.
 */
static void aim(void)
{
	uint64_t armed_us = crowd.armed_us != 0 ? near_now_us() - crowd.armed_us : 0;
	unsigned point;

	if (crowd.plan->killed != crowd.killed_before)
		on_unseen_death();
	else if (armed_us > AIM_US) {
		crowd.plan->passes = 0;
		crowd.armed_us = 0;
	} else if (armed_us > PROD_US && !crowd.prodded) {
		crowd.prodded = true;
		crowd.plan->passes = 1;
		crowd.killed_us = near_now_us();
		victim_kill(&crowd.victim);
	}
	if (crowd.armed_us != 0 || !all_move() || !victim_find(&crowd.victim))
		return;
	do
		point = (crowd.first_point + crowd.point++) % KILL_POINTS_ALL;
	while (!points_tried() && !worth_aiming_at(point));
	if (!worth_aiming_at(point))
		return;
	crowd.plan->point = point;
	crowd.armed_us = near_now_us();
	crowd.prodded = false;
	crowd.plan->passes = 1 + (uint32_t)draw(point < KILL_SENT ? 50 : 1);
}

/* Where masters have died. False when one of the points was left out though there was time. */
static bool report_points(void)
{
	bool all = points_tried(), good = true;
	unsigned different = 0;

	for (unsigned i = 0; i < KILL_POINTS_ALL; i++) {
		different += crowd.reached[i] > 0;
		if (crowd.reached[i] > 0)
			printf("%s%s %u", different > 1 ? ", " : "killed at: ", point_name(i),
			       crowd.reached[i]);
	}
	printf("; %u points\n", different);
	for (unsigned i = 0; i < KILL_POINTS_ALL && all; i++) {
		if (crowd.reached[i] > 0 || (i >= KILL_SENT && crowd.plan->passed[i] == 0))
			continue;
		say("nobody died at %s, which was passed %" PRIu64 " times", point_name(i),
		    crowd.plan->passed[i]);
		good = good && i >= KILL_SENT;
	}
	if (!all)
		say("there was no time for all points");
	return good;
}

/* ---- deaths ---- */

static void report_holdings(void)
{
	struct holdings supervisor, master;
	bool wanted = false;

	for (unsigned i = 0; i < crowd.rounds; i++)
		wanted = wanted || crowd.round[i] == crowd.deaths;
	if (!wanted || !victim_find(&crowd.victim))
		return;
	supervisor = holdings_of(crowd.victim.supervisor);
	master = holdings_of(crowd.victim.master);
	say("after %u deaths: supervisor %u descriptors %u maps %lu kB and %lu kB shared, master %u "
	    "descriptors %u maps %lu kB and %lu kB shared",
	    crowd.deaths, supervisor.descriptors, supervisor.maps, supervisor.own_kb,
	    supervisor.shared_kb, master.descriptors, master.maps, master.own_kb, master.shared_kb);
	for (unsigned i = 0; i < crowd.rounds; i++)
		if (crowd.round[i] == crowd.deaths)
			crowd.round[i] = 0;
}

static void on_death(void)
{
	uint64_t at_us = crowd.killed_us != 0 ? crowd.killed_us : near_now_us();

	crowd.deaths++;
	if (crowd.armed_us != 0)
		hit();
	crowd.killed_us = crowd.kill_us = 0;
	work(); /* what the dead one had sent */
	for (unsigned i = 0; i < sessions(); i++)
		if (crowd.near[i].fd >= 0)
			near_mark(&crowd.near[i], at_us);
}

/* A moment for the next kill: soon after all move again, or soon after the next master is there. */
static void plan_kill(void)
{
	if (crowd.kill_us != 0 || crowd.deaths >= crowd.kills || !victim_find(&crowd.victim))
		return;
	if (!crowd.early && !all_move())
		return;
	if (all_move())
		report_holdings();
	crowd.kill_us = near_now_us() + draw(crowd.early ? 30000 : 100000) + 1;
}

static void kill_if_due(void)
{
	if (crowd.kill_us == 0 || near_now_us() < crowd.kill_us || crowd.killed_us != 0)
		return;
	crowd.early_kills += crowd.early;
	/* rounds at which something is reported are waited for */
	crowd.early = draw(4) == 0;
	for (unsigned i = 0; i < crowd.rounds; i++)
		if (crowd.round[i] == crowd.deaths + 1)
			crowd.early = false;
	crowd.killed_us = near_now_us();
	victim_kill(&crowd.victim);
}

static bool finished(uint64_t started_us)
{
	if (any_failed())
		return true;
	if (crowd.kills > 0)
		return crowd.deaths >= crowd.kills && all_move();
	if (crowd.plan != NULL)
		return (points_tried() || near_now_us() - started_us > crowd.seconds * 1000000) &&
		       crowd.armed_us == 0 && all_move();
	return (crowd.deaths >= crowd.deaths_wanted && all_move()) ||
	       near_now_us() - started_us > crowd.seconds * 1000000;
}

static void run(void)
{
	uint64_t started_us = near_now_us();

	while (!under_way() && !any_failed() && near_now_us() - started_us < SILENCE_US) {
		wait_a_little();
		work();
	}
	if (!under_way())
		return;
	say("all %u sessions are under way", sessions());
	if (crowd.command != NULL)
		ask(crowd.said, sizeof(crowd.said));
	started_us = near_now_us();
	while (!finished(started_us)) {
		(void)victim_find(&crowd.victim);
		wait_a_little();
		if (victim_dead(&crowd.victim, 0))
			on_death();
		work();
		if (crowd.kills > 0) {
			plan_kill();
			kill_if_due();
		} else if (crowd.plan != NULL) {
			aim();
		} else if (all_move()) {
			report_holdings();
		}
		look_for_silence();
	}
	report_holdings();
	ask_again();
}

static void end(void)
{
	uint64_t started_us = near_now_us();

	crowd.ending = true;
	for (unsigned i = 0; i < crowd.moving + crowd.idle; i++)
		near_end(&crowd.near[i]);
	while (!all_in(NEAR_OVER, NEAR_FAILED) && near_now_us() - started_us < SILENCE_US) {
		wait_a_little();
		work();
	}
	for (unsigned i = 0; i < sessions(); i++)
		near_fail(&crowd.near[i], "did not come to its end (stage %d)",
		          crowd.near[i].stage);
}

/* ---- what was seen ---- */

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int report(void)
{
	static const char *const kinds[] = {"moves data", "idle", "visits"};
	uint64_t in = 0, out = 0, silent_us = 0;
	unsigned failed = 0;

	for (unsigned i = 0; i < sessions(); i++) {
		const struct near *near = &crowd.near[i];

		in += near->in.offset;
		out += near->out;
		silent_us = near->longest_us > silent_us ? near->longest_us : silent_us;
		if (near->stage != NEAR_FAILED)
			continue;
		failed++;
		say("session %u (%s): %s", near->number, kinds[near->kind], near->why);
	}
	qsort(crowd.sample, crowd.samples, sizeof(crowd.sample[0]), compare);
	say("deaths %u, of them %u amid a take-over; bytes %" PRIu64 " out, %" PRIu64
	    " in; %u visits",
	    crowd.deaths, crowd.early_kills, in, out, crowd.visits);
	if (crowd.plan != NULL && failed == 0 && !report_points())
		return 1;
	if (crowd.samples > 0)
		say("from a death to the next byte: median %.1f ms, 90%% %.1f ms, maximum %.1f ms; "
		    "longest silence %.1f ms",
		    (double)crowd.sample[crowd.samples / 2] / 1e3,
		    (double)crowd.sample[crowd.samples * 9 / 10] / 1e3,
		    (double)crowd.sample[crowd.samples - 1] / 1e3, (double)silent_us / 1e3);
	say("%u of %u sessions are whole", sessions() - failed, sessions());
	return failed > 0 || crowd.differs ? 1 : 0;
}

/* ---- start ---- */

static bool parse_address(const char *address, const char *port, struct sockaddr_storage *to,
                          socklen_t *length)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		to->ss_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(port));
		*length = sizeof(*v4);
		return true;
	}
	to->ss_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)atoi(port));
	*length = sizeof(*v6);
	return inet_pton(AF_INET6, address, &v6->sin6_addr) == 1;
}

static bool parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "d:i:v:k:a:w:t:r:s:m:c:p:f:")) != -1) {
		unsigned long number = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;

		switch (option) {
		case 'd':
			crowd.moving = (unsigned)number;
			break;
		case 'i':
			crowd.idle = (unsigned)number;
			break;
		case 'v':
			crowd.visitors = (unsigned)number;
			break;
		case 'a':
			open_plan(optarg);
			break;
		case 'k':
			crowd.kills = (unsigned)number;
			break;
		case 'w':
			crowd.deaths_wanted = (unsigned)number;
			break;
		case 't':
			crowd.seconds = number;
			break;
		case 'r':
			crowd.rate = number;
			break;
		case 's':
			crowd.seed = number;
			break;
		case 'm':
			if (crowd.rounds < ROUNDS_MAX)
				crowd.round[crowd.rounds++] = (unsigned)number;
			break;
		case 'c':
			crowd.command = optarg;
			break;
		case 'p':
			crowd.victim.supervisor = (pid_t)number;
			break;
		case 'f':
			crowd.far = optarg;
			break;
		default:
			return false;
		}
	}
	return argc - optind == 2 && crowd.far != NULL && sessions() <= SESSIONS_MAX &&
	       crowd.victim.supervisor > 0;
}

int main(int argc, char **argv)
{
	crowd.moving = 8;
	crowd.idle = 2;
	crowd.rate = 100000;
	crowd.seed = 1;
	crowd.seconds = 600;
	if (!parse(argc, argv) ||
	    !parse_address(argv[optind], argv[optind + 1], &crowd.to, &crowd.to_length)) {
		fprintf(stderr, "usage: see the beginning of crowd.c\n");
		return 2;
	}
	crowd.state = crowd.seed;
	crowd.cycles = crowd.kills > 0 ? crowd.kills : 1;
	crowd.kills = crowd.plan != NULL ? 0 : crowd.kills;
	crowd.first_point = (unsigned)draw(KILL_POINTS_ALL);
	say("seed %" PRIu64, crowd.seed);
	for (unsigned i = 0; i < sessions(); i++)
		open_one(i);
	run();
	end();
	return report();
}
