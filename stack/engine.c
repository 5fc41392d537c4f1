/*
 * The engine as a whole: made on a table, taken up from one, asked for packets
 * and deadlines; and the public calls that only dispatch (stack.h).
 */
#include "engine.h"

#include <stdlib.h>

#include "checksum.h"

/* ---- making ---- */

static const struct flow *engine_flow(const void *owner, uint32_t slot)
{
	return &slot_identity(owner, slot)->flow;
}

static bool queue_create(struct slot_queue *queue, uint32_t size)
{
	queue->size = size;
	queue->slot = calloc(size, sizeof(*queue->slot));
	return queue->slot != NULL;
}

static bool lists_create(struct stack *s)
{
	const struct table_shape *shape = &s->shape;

	return slot_list_create(&s->orphans, 0, shape->conns) &&
	       slot_list_create(&s->used_half_opens, shape->conns, shape->half_opens) &&
	       slot_list_create(&s->used_time_waits, shape->conns + shape->half_opens,
	                        shape->time_waits);
}

static bool pool_create(struct slot_pool *pool, uint32_t first, uint32_t size)
{
	pool->first = first;
	pool->size = size;
	pool->freed = calloc(size, sizeof(*pool->freed));
	return pool->freed != NULL;
}

/* Everything that is derived from the table, empty. */
static bool engine_allocate(struct stack *s)
{
	const struct table_shape *shape = &s->shape;
	uint32_t slots = shape->conns + shape->half_opens + shape->time_waits;
	const uint8_t *key = s->table.header->secrets.hash;

	s->timers = timer_heap_create(slots);
	s->lookup = lookup_create(slots, key, engine_flow, s);
	s->sources = source_create(&s->table, shape, key);
	s->private_data = calloc(shape->conns, sizeof(*s->private_data));
	return s->timers && s->lookup && s->sources && s->private_data &&
	       pool_create(&s->free_conns, 0, shape->conns) &&
	       pool_create(&s->free_half_opens, shape->conns, shape->half_opens) &&
	       pool_create(&s->free_time_waits, shape->conns + shape->half_opens,
	                   shape->time_waits) &&
	       lists_create(s) && queue_create(&s->accept_queue, shape->conns) &&
	       queue_create(&s->dirty, shape->conns) && queue_create(&s->header_news, shape->conns);
}

size_t stack_table_bytes(const struct stack_config *config)
{
	struct table_shape shape = stack_shape(config);

	return table_bytes(&shape);
}

uint32_t stack_table_version(void)
{
	return TABLE_VERSION;
}

struct stack *stack_create(const struct stack_config *config, const struct stack_hooks *hooks,
                           void *table, size_t bytes, const struct stack_secrets *secrets)
{
	struct stack *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->config = *config;
	configure_complete(&s->config);
	s->hooks = *hooks;
	s->shape = stack_shape(config);
	s->accepting = true;
	if (bytes < table_bytes(&s->shape)) {
		stack_destroy(s);
		return NULL;
	}
	if (secrets != NULL) {
		table_create(&s->table, table, &s->shape, secrets);
	} else if (!table_recover(&s->table, table, bytes, &s->shape)) {
		stack_destroy(s);
		return NULL;
	}
	if (!engine_allocate(s)) {
		stack_destroy(s);
		return NULL;
	}
	if (secrets == NULL) {
		poison_note(s);
		takeover_rebuild(s);
	}
	return s;
}

void stack_destroy(struct stack *s)
{
	if (s == NULL)
		return;
	free(s->free_conns.freed);
	free(s->free_half_opens.freed);
	free(s->free_time_waits.freed);
	free(s->used_half_opens.link);
	free(s->used_time_waits.link);
	free(s->orphans.link);
	free(s->accept_queue.slot);
	free(s->dirty.slot);
	free(s->header_news.slot);
	for (uint32_t slot = 0; s->private_data != NULL && slot < s->shape.conns; slot++)
		sent_release(&s->private_data[slot].recovery.sent);
	free(s->private_data);
	if (s->sources)
		source_destroy(s->sources);
	if (s->lookup)
		lookup_destroy(s->lookup);
	if (s->timers)
		timer_heap_destroy(s->timers);
	free(s);
}

/* ---- packets in ---- */

/* Reads and checks what can be checked without a connection; counts what does not hold. */
static bool engine_segment(struct stack *s, const struct packet_in *packet, struct segment *seg)
{
	enum segment_error error;

	s->stats.in_segs++;
	if (packet->tcp_length < TCP_HEADER_MIN) {
		error = SEGMENT_SHORT;
	} else if (!checksum_tcp_ok(&packet->src, &packet->dst, packet->tcp, packet->tcp_length)) {
		s->stats.in_errs++;
		s->stats.bad_checksum++;
		return false;
	} else {
		error = segment_parse(packet->tcp, packet->tcp_length, seg);
	}
	if (error == SEGMENT_OK) {
		if (address_is_unicast(&packet->src) && address_is_unicast(&packet->dst))
			return true;
		s->stats.bad_address++;
	} else if (error == SEGMENT_OPTION) {
		s->stats.bad_option++;
	} else if (error == SEGMENT_FLAGS) {
		s->stats.bad_flags++;
	} else {
		s->stats.bad_header++;
	}
	s->stats.in_errs++;
	return false;
}

void stack_input(struct stack *s, const struct packet_in *packet, uint64_t now_us)
{
	struct segment seg;
	struct flow flow = {0};
	uint32_t slot;

	if (quiet_holds(s, now_us)) {
		s->stats.in_segs++;
		s->stats.quiet_dropped++;
		return;
	}
	if (!engine_segment(s, packet, &seg))
		return;
	seg.ecn = packet->tos & IP_ECN_MASK;
	flow.local.address = packet->dst;
	flow.local.port = seg.dst_port;
	flow.peer.address = packet->src;
	flow.peer.port = seg.src_port;
	slot = lookup_find(s->lookup, &flow);
	if (slot == LOOKUP_NONE)
		listen_input(s, packet, &seg, &flow, NULL, now_us);
	else if (slot_is_conn(s, slot))
		conn_input(s, slot, &seg, now_us);
	else if (slot_is_half_open(s, slot))
		half_open_input(s, slot, packet, &seg, now_us);
	else
		time_wait_input(s, slot, packet, &seg, &flow, now_us);
}

/* ---- time ---- */

uint64_t stack_deadline(const struct stack *s)
{
	if (s->dirty.count > 0 || s->batch_count > 0 || s->condemned_count > 0)
		return 0;
	return timer_next(s->timers);
}

void stack_timers(struct stack *s, uint64_t now_us)
{
	uint32_t slot;

	while (!stack_output_pressing(s) &&
	       (slot = timer_pop(s->timers, now_us)) != TIMER_NO_SLOT) {
		if (slot_is_conn(s, slot))
			conn_timers_run(s, slot, now_us);
		else if (slot_is_half_open(s, slot))
			half_open_timer(s, slot, now_us);
		else
			time_wait_timer(s, slot, now_us);
	}
}

/* ---- packets out ---- */

bool stack_output_pressing(const struct stack *s)
{
	return s->batch_count > STACK_BATCH * 3 / 4;
}

/*
 * The batch handed over before is done with: makes the next. A connection that
 * has more than the batch holds stays in the list, at its end.
 */
size_t stack_output(struct stack *s, const struct packet_out **packets, uint64_t now_us)
{
	uint32_t rounds = s->dirty.count;
	uint32_t slot;

	if (s->batch_taken) {
		s->batch_count = 0;
		s->batch_taken = false;
	}
	takeover_reset(s, now_us);
	while (rounds-- > 0 && s->batch_count < STACK_BATCH - 1 &&
	       slot_queue_take(&s->dirty, &slot)) {
		slot_private(s, slot)->dirty = false;
		if (slot_conn(s, slot)->identity.id != 0)
			conn_output(s, slot, now_us);
	}
	*packets = s->batch;
	s->batch_taken = true;
	return s->batch_count;
}

void stack_count_bad_ip(struct stack *s)
{
	s->stats.in_segs++;
	s->stats.in_errs++;
	s->stats.bad_ip++;
}

const struct stack_stats *stack_stats(const struct stack *s)
{
	return &s->stats;
}
