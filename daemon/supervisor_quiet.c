/*
 * Quiet time as the supervisor sees it: what the run before has left is read, what holds
 * is decided (stack/quiet.h) and told to the master, a sign of life is left each second,
 * and at the end what the next start has to know.
 *
 * The state file says "running" from before the first master starts, so before anything
 * can be sent, and until after the last one has ended. An orderly end is one in which the
 * master ended all connections and then itself; then its table has the pairs that are in
 * TIME-WAIT, and nobody writes to it any more.
 *
 * Two clocks: what is kept for the next start is CLOCK_BOOTTIME, which counts while the
 * machine sleeps; the engine's is CLOCK_MONOTONIC, which doesn't. A time of the one is
 * told on the other by how far away it is now.
 */
#include <bsd/string.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "daemon/engine_config.h"
#include "daemon/log.h"
#include "daemon/supervisor_state.h"
#include "stack/stack.h"

#define SECOND_US UINT64_C(1000000)

static uint64_t clock_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * SECOND_US + (uint64_t)ts.tv_nsec / 1000u;
}

/* AT of the clock FROM, as the clock TO has it. What is past is 0. */
static uint64_t convert_us(uint64_t at_us, clockid_t from, clockid_t to)
{
	uint64_t from_us = clock_us(from), to_us = clock_us(to);

	return at_us > from_us ? to_us + (at_us - from_us) : 0;
}

/* ---- signs of life ---- */

/* Writes what holds now; a row of failures is logged once. WHOLE: the file as a whole. */
static bool leave_stamp(struct supervisor *s, bool whole)
{
	struct supervisor_quiet *quiet = &s->quiet;
	int done;

	quiet->state.stamp_us = clock_us(CLOCK_BOOTTIME);
	done = whole ? state_file_write(&quiet->file, &quiet->state, NULL)
	             : state_file_stamp(&quiet->file, &quiet->state);
	if (done < 0 && !quiet->failing)
		log_warning("state-dir: %s; the next start may have to keep quiet longer",
		            quiet->file.error);
	quiet->failing = done < 0;
	return done == 0;
}

/* Whom the pairs were for has them. */
static void forget_pairs(struct supervisor_quiet *quiet)
{
	free(quiet->pairs);
	quiet->pairs = NULL;
	quiet->pair_count = 0;
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)fd;
	(void)what;
	leave_stamp(s, false);
	if ((s->master.channel.phase & PHASE_RUN) != 0)
		forget_pairs(&s->quiet);
}

/* ---- the start ---- */

/* Reads what the run before has left, and writes that this one runs. */
static void take_over_state(struct supervisor *s, struct quiet_facts *facts)
{
	char error[STATE_FILE_ERROR_MAX];
	struct supervisor_quiet *quiet = &s->quiet;
	struct state found = {0};
	bool booted = state_boot_id(NULL, quiet->state.boot_id);

	facts->file = state_file_read(&quiet->file, &found, &quiet->pairs);
	if (facts->file == QUIET_FILE_VALID && !booted) {
		snprintf(quiet->file.error, sizeof(quiet->file.error),
		         "this boot's id cannot be read");
		facts->file = QUIET_FILE_UNREADABLE;
	}
	strlcpy(error, quiet->file.error, STATE_FILE_ERROR_MAX);
	facts->same_boot = memcmp(found.boot_id, quiet->state.boot_id, STATE_BOOT_BYTES) == 0;
	facts->clean = found.clean;
	facts->stamp_us = found.stamp_us;
	facts->quiet_until_us = found.quiet_until_us;
	if (facts->file == QUIET_FILE_VALID && facts->same_boot)
		facts->table_until_us = found.quiet_until_us; /* if it was the one with the table */
	quiet->pair_count = found.pairs;
	facts->writable = leave_stamp(s, true); /* says so if not */
	if (facts->writable && facts->file == QUIET_FILE_UNREADABLE)
		log_warning("state-dir: %s", error);
	facts->now_us = clock_us(CLOCK_BOOTTIME);
}

static void announce(const struct supervisor *s, const struct quiet_decision *decision,
                     uint64_t now_us)
{
	const char *text = quiet_reason_text(decision->reason);
	size_t pairs = s->quiet.pair_count;

	if (decision->until_us != 0)
		log_info("quiet time of %.1f s: %s", (double)(decision->until_us - now_us) / 1e6,
		         text);
	else
		log_info("no quiet time: %s", text);
	if (pairs > 0)
		log_info("%zu pair%s of sockets stay%s in TIME-WAIT", pairs, pairs == 1 ? "" : "s",
		         pairs == 1 ? "s" : "");
}

int quiet_begin(struct supervisor *s, bool table_survived)
{
	static const struct timeval second = {.tv_sec = 1};
	struct supervisor_quiet *quiet = &s->quiet;
	struct quiet_facts facts = {
		.override = (enum quiet_override)s->config->quiet,
		.override_us = s->config->quiet_us,
		.msl_us = s->config->msl_us,
		.table_survived = table_survived,
	};
	struct quiet_decision decision;

	state_file_init(&quiet->file, s->config->state_dir);
	take_over_state(s, &facts);
	decision = quiet_decide(&facts, quiet->pairs, &quiet->pair_count);
	if (!table_survived || decision.until_us != 0)
		announce(s, &decision, facts.now_us);
	quiet->state.quiet_until_us = decision.until_us;
	s->master_config.quiet_until_us =
		convert_us(decision.until_us, CLOCK_BOOTTIME, CLOCK_MONOTONIC);
	s->master_config.quiet_reason = decision.reason;
	if (decision.until_us != 0 && facts.writable)
		leave_stamp(s, false);
	if (event_assign(&quiet->second, s->base, -1, EV_PERSIST, on_second, s) == 0 &&
	    event_add(&quiet->second, &second) == 0)
		return 0;
	log_error("no timer for signs of life");
	return -1;
}

void quiet_tell_pairs(struct supervisor *s)
{
	const struct supervisor_quiet *quiet = &s->quiet;
	struct message_barred_pairs message;

	for (size_t at = 0; at < quiet->pair_count; at += message.count) {
		memset(&message, 0, sizeof(message));
		for (; message.count < MESSAGE_PAIRS_MAX && at + message.count < quiet->pair_count;
		     message.count++) {
			struct quiet_pair *pair = &message.pair[message.count];

			*pair = quiet->pairs[at + message.count];
			pair->until_us =
				convert_us(pair->until_us, CLOCK_BOOTTIME, CLOCK_MONOTONIC);
		}
		channel_send(&s->master.channel, MESSAGE_BARRED_PAIRS, &message, sizeof(message),
		             NULL, 0);
	}
}

/* ---- the end ---- */

/* The pairs in TIME-WAIT of the table, which nobody has now; NULL when memory is short. */
static struct quiet_pair *save_pairs(const struct supervisor *s, uint32_t *count)
{
	struct stack_config config;
	struct quiet_pair *pairs;
	size_t bytes;
	void *table;

	engine_config(&s->master_config, &config);
	bytes = stack_table_bytes(&config);
	pairs = calloc(STATE_PAIRS_MAX, sizeof(*pairs));
	table = mmap(NULL, bytes, PROT_READ, MAP_SHARED, s->kept.table, 0);
	if (pairs == NULL || table == MAP_FAILED) {
		free(pairs);
		return NULL;
	}
	*count = (uint32_t)stack_barred_pairs(&config, table, bytes, clock_us(CLOCK_MONOTONIC),
	                                      pairs, STATE_PAIRS_MAX);
	munmap(table, bytes);
	for (uint32_t i = 0; i < *count; i++)
		pairs[i].until_us = convert_us(pairs[i].until_us, CLOCK_MONOTONIC, CLOCK_BOOTTIME);
	return pairs;
}

void quiet_end(struct supervisor *s)
{
	struct supervisor_quiet *quiet = &s->quiet;
	struct state *state = &quiet->state;
	struct quiet_pair *pairs;

	forget_pairs(quiet);
	if (quiet->drained) {
		pairs = save_pairs(s, &state->pairs);
		state->clean = pairs != NULL;
		state->stamp_us = clock_us(CLOCK_BOOTTIME);
		if (pairs == NULL || state_file_write(&quiet->file, state, pairs) < 0)
			log_warning("state-dir: %s; the next start keeps quiet for a while",
			            pairs == NULL ? strerror(errno) : quiet->file.error);
		else if (state->pairs > 0)
			log_info("%u in TIME-WAIT kept for the next start", state->pairs);
		free(pairs);
	}
	state_file_close(&quiet->file);
}
