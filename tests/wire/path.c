/*
 * One direction of the wire; see path.h for what it promises.
 *
 * A packet passes: loss, the rate limiter's queue, corruption, delay and jitter,
 * duplication, and at the far end the place where packets are held back. The
 * queue is a plain list, because a packet is never due before the one ahead of
 * it: the order changes in one place only, where packets are held back, and that
 * keeps jitter from reordering anything.
 */
#include "tests/wire/path.h"

#include <stdlib.h>
#include <string.h>

#define IPV4_HEADER_MIN 20
#define IPV6_HEADER     40

/* What chance has decided for one packet. */
struct fate {
	int lose;
	int corrupt;
	uint64_t corrupt_bit;
	int duplicate;
	int hold_back;
	double jitter;
};

void path_init(struct path *path, const struct path_settings *settings, uint64_t seed,
               unsigned direction)
{
	memset(path, 0, sizeof(*path));
	path->settings = *settings;
	prng_seed(&path->prng, seed, direction);
	STAILQ_INIT(&path->queue);
}

void path_clear(struct path *path)
{
	struct packet *packet;

	while ((packet = STAILQ_FIRST(&path->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&path->queue, next);
		path_release(path, packet);
	}
	while (path->held_count > 0)
		path_release(path, path->held[--path->held_count]);
}

/* Draws every number, needed or not: the n-th packet's fate must not depend on the settings. */
static struct fate fate_draw(struct path *path)
{
	const struct path_settings *settings = &path->settings;
	struct fate fate;

	fate.lose = prng_unit(&path->prng) < settings->loss;
	fate.corrupt = prng_unit(&path->prng) < settings->corrupt;
	fate.corrupt_bit = prng_next(&path->prng);
	fate.duplicate = prng_unit(&path->prng) < settings->duplicate;
	fate.hold_back = prng_unit(&path->prng) < settings->reorder;
	fate.jitter = prng_unit(&path->prng);
	return fate;
}

/* Where the IP payload begins; LENGTH when there is none. */
static size_t payload_offset(const uint8_t *bytes, size_t length)
{
	size_t offset;

	if (length >= IPV4_HEADER_MIN && bytes[0] >> 4 == 4)
		offset = (size_t)(bytes[0] & 0x0f) * 4;
	else if (length >= IPV6_HEADER && bytes[0] >> 4 == 6)
		offset = IPV6_HEADER;
	else
		return length;
	return offset < length ? offset : length;
}

static void corrupt_packet(struct path *path, struct packet *packet, uint64_t chosen)
{
	size_t offset = payload_offset(packet->bytes, packet->length);
	uint64_t bits = (uint64_t)(packet->length - offset) * 8;

	if (bits == 0)
		return;
	chosen %= bits;
	packet->bytes[offset + chosen / 8] ^= (uint8_t)(1u << (chosen % 8));
	path->counters.corrupted++;
}

/* When the packet has left the rate limiter; PATH_NEVER when its queue has no room. */
static uint64_t pass_limiter(struct path *path, uint64_t now_ns, size_t length)
{
	const struct path_settings *settings = &path->settings;
	uint64_t start_ns = now_ns;
	double waiting;

	if (settings->rate_bits <= 0)
		return now_ns;
	if (path->line_free_ns > now_ns) {
		waiting = (double)(path->line_free_ns - now_ns) * settings->rate_bits / 8e9;
		if (waiting + (double)length > (double)settings->queue_bytes)
			return PATH_NEVER;
		start_ns = path->line_free_ns;
	}
	path->line_free_ns = start_ns + (uint64_t)((double)length * 8e9 / settings->rate_bits);
	return path->line_free_ns;
}

static struct packet *packet_create(struct path *path, const uint8_t *bytes, size_t length)
{
	size_t size = sizeof(struct packet) + length;
	struct packet *packet;

	if (size > PATH_MEMORY_MAX - path->memory_used)
		return NULL;
	packet = calloc(1, size);
	if (packet == NULL)
		return NULL;
	path->memory_used += size;
	packet->length = length;
	memcpy(packet->bytes, bytes, length);
	return packet;
}

void path_release(struct path *path, struct packet *packet)
{
	path->memory_used -= sizeof(struct packet) + packet->length;
	free(packet);
}

static void queue_packet(struct path *path, struct packet *packet, uint64_t due_ns)
{
	if (due_ns < path->last_due_ns)
		due_ns = path->last_due_ns;
	path->last_due_ns = due_ns;
	packet->due_ns = due_ns;
	STAILQ_INSERT_TAIL(&path->queue, packet, next);
}

void path_submit(struct path *path, uint64_t now_ns, const uint8_t *bytes, size_t length)
{
	const struct path_settings *settings = &path->settings;
	struct fate fate = fate_draw(path);
	struct packet *packet, *copy;
	uint64_t due_ns;

	path->counters.in++;
	path->counters.bytes_in += length;
	if (fate.lose) {
		path->counters.lost++;
		return;
	}
	if (settings->largest != 0 && length > settings->largest) {
		path->counters.oversized++;
		return;
	}
	packet = packet_create(path, bytes, length);
	if (packet == NULL) {
		path->counters.memory_dropped++;
		return;
	}
	due_ns = pass_limiter(path, now_ns, length);
	if (due_ns == PATH_NEVER) {
		path->counters.queue_dropped++;
		path_release(path, packet);
		return;
	}
	if (fate.corrupt)
		corrupt_packet(path, packet, fate.corrupt_bit);
	packet->hold_back = fate.hold_back;
	due_ns += settings->delay_ns + (uint64_t)(fate.jitter * (double)settings->jitter_ns);
	queue_packet(path, packet, due_ns);
	if (!fate.duplicate)
		return;
	copy = packet_create(path, packet->bytes, length);
	if (copy == NULL)
		return;
	path->counters.duplicated++;
	queue_packet(path, copy, due_ns);
}

/* Takes a held packet that enough others have overtaken, or that has waited long enough. */
static struct packet *take_held(struct path *path, uint64_t now_ns)
{
	for (size_t i = 0; i < path->held_count; i++) {
		struct packet *packet = path->held[i];

		if (packet->gap > 0 && packet->due_ns > now_ns)
			continue;
		path->held_count--;
		memmove(&path->held[i], &path->held[i + 1],
		        (path->held_count - i) * sizeof(path->held[0]));
		return packet;
	}
	return NULL;
}

static void overtake_held(struct path *path)
{
	for (size_t i = 0; i < path->held_count; i++) {
		struct packet *packet = path->held[i];

		if (packet->gap > 0)
			packet->gap--;
		if (!packet->overtaken)
			path->counters.reordered++;
		packet->overtaken = 1;
	}
}

struct packet *path_take(struct path *path, uint64_t now_ns)
{
	struct packet *packet = take_held(path, now_ns);

	if (packet != NULL)
		return packet;
	while ((packet = STAILQ_FIRST(&path->queue)) != NULL && packet->due_ns <= now_ns) {
		STAILQ_REMOVE_HEAD(&path->queue, next);
		if (!packet->hold_back || path->held_count == PATH_HELD_MAX) {
			overtake_held(path);
			return packet;
		}
		packet->gap = path->settings.reorder_gap;
		packet->due_ns = now_ns + path->settings.reorder_hold_ns;
		path->held[path->held_count++] = packet;
		path->counters.held++;
	}
	return NULL;
}

uint64_t path_next(const struct path *path)
{
	const struct packet *packet = STAILQ_FIRST(&path->queue);
	uint64_t next_ns = packet != NULL ? packet->due_ns : PATH_NEVER;

	for (size_t i = 0; i < path->held_count; i++) {
		packet = path->held[i];
		if (packet->gap == 0)
			return 0;
		if (packet->due_ns < next_ns)
			next_ns = packet->due_ns;
	}
	return next_ns;
}

size_t path_in_flight(const struct path *path)
{
	const struct packet *packet;
	size_t count = path->held_count;

	STAILQ_FOREACH (packet, &path->queue, next)
		count++;
	return count;
}
