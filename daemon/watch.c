/*
 * Whether the master still does its work.
 *
 * A master that answers turns its loop. One that does not is one of these:
 *
 *   stopped, or asleep over something that never comes: it does not want a
 *            processor, look after look, though a question waits for it
 *   looping  it has had a processor for HANGS_CPU_US since it was asked
 *   starved  it wants a processor and gets next to nothing: a machine under load.
 *            Another master would fare no better, so this one is left alone.
 *
 * Looks are counted rather than seconds, and only those that were on time: after a
 * machine was suspended, or a virtual one paused, everybody is late, we are too.
 */
#include "daemon/watch.h"

#define LATE_US      (WATCH_PERIOD_US / 2)
#define HANGS_LOOKS  5u
#define HANGS_CPU_US UINT64_C(4000000)
#define WELL_LOOKS   15u

void watch_begin(struct watch *watch)
{
	watch->asked = false;
	watch->asleep = 0;
}

static bool is_late(struct watch *watch, uint64_t now_us)
{
	uint64_t before_us = watch->looked_us;

	watch->looked_us = now_us;
	return before_us != 0 && now_us - before_us > WATCH_PERIOD_US + LATE_US;
}

enum watch_verdict watch_look(struct watch *watch, const struct watch_sample *sample)
{
	bool late = is_late(watch, sample->now_us);

	if (!late && watch->unheard < WELL_LOOKS)
		watch->unheard++;
	if (!sample->master)
		return WATCH_WAIT;
	if (!watch->asked)
		return WATCH_ASK;
	if (sample->cpu_us > watch->asked_cpu_us &&
	    sample->cpu_us - watch->asked_cpu_us >= HANGS_CPU_US)
		return WATCH_HANGS;
	if (!late && !sample->runnable)
		watch->asleep++;
	return watch->asleep >= HANGS_LOOKS ? WATCH_HANGS : WATCH_WAIT;
}

void watch_asked(struct watch *watch, const struct watch_sample *sample)
{
	watch->asked = true;
	watch->asleep = 0;
	watch->asked_cpu_us = sample->cpu_us;
}

void watch_heard(struct watch *watch)
{
	watch->asked = false;
	watch->unheard = 0;
}

bool watch_is_well(const struct watch *watch)
{
	return watch->unheard < WELL_LOOKS;
}
