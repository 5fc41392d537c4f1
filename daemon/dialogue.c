/*
 * Waiting awake for a client that answers at once: see dialogue.h.
 */
#include "daemon/dialogue.h"

void dialogue_asked(struct dialogue *d, uint32_t worker)
{
	d->asked = worker;
}

void dialogue_answered(struct dialogue *d, uint32_t worker, uint64_t bytes, uint64_t now_us)
{
	d->awake = false;
	if (worker == d->asked && bytes > 0 && bytes <= DIALOGUE_BYTES) {
		d->answered_us = now_us;
	} else {
		d->answered_us = 0;
		d->short_waits = 0;
	}
}

/* A wait was slept through. */
static void note_sleep(struct dialogue *d, uint64_t waited_us)
{
	if (waited_us > DIALOGUE_US) {
		d->short_waits = 0;
		return;
	}
	d->usual_us = d->short_waits == 0 ? waited_us : (3 * d->usual_us + waited_us) / 4;
	d->short_waits++;
}

void dialogue_heard(struct dialogue *d, uint64_t now_us)
{
	if (d->answered_us == 0)
		return;
	uint64_t waited_us = now_us - d->answered_us;

	if (d->awake)
		d->bar_us = 0;
	else
		note_sleep(d, waited_us);
	d->answered_us = 0;
	d->awake = false;
}

static void bar(struct dialogue *d, uint64_t now_us)
{
	d->bar_us = d->bar_us == 0 ? DIALOGUE_BAR_MIN_US : 2 * d->bar_us;
	if (d->bar_us > DIALOGUE_BAR_MAX_US)
		d->bar_us = DIALOGUE_BAR_MAX_US;
	d->barred_us = now_us + d->bar_us;
	d->short_waits = 0;
	d->answered_us = 0;
	d->awake = false;
}

bool dialogue_waits(struct dialogue *d, uint64_t now_us)
{
	if (d->answered_us == 0 || d->short_waits < DIALOGUE_SHORT_WAITS || now_us < d->barred_us)
		return false;
	if (now_us - d->answered_us <= d->usual_us)
		d->awake = true;
	else if (d->awake)
		bar(d, now_us);
	return d->awake;
}
