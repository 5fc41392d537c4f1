/*
 * Many connections at once, and more to send than a batch holds: what stack_output() and
 * stack_deadline() promise (stack/stack.h).
 */
#include "tests/tcp/harness.h"

#define CLIENTS 30

struct crowd {
	struct bed bed;
	struct worker worker[CLIENTS];
	struct conn_handle handle[CLIENTS];
	uint32_t iss[CLIENTS];
};

static void crowd_peer(struct crowd *crowd, int i)
{
	bed_peer(&crowd->bed, (uint8_t)(1 + i), (uint16_t)(50000 + i));
	crowd->bed.seq = PEER_ISS + 1;
	crowd->bed.iss = crowd->iss[i];
	crowd->bed.ack = crowd->iss[i] + 1;
	crowd->bed.handle = crowd->handle[i];
}

static void crowd_open(struct crowd *crowd)
{
	struct stack_config config = bed_config();
	struct bed *bed = &crowd->bed;

	config.max_connections = CLIENTS;
	config.backlog = CLIENTS;
	bed_open(bed, IP_V4, &config);
	for (int i = 0; i < CLIENTS; i++) {
		bed_peer(bed, (uint8_t)(1 + i), (uint16_t)(50000 + i));
		establish(bed);
		crowd->iss[i] = bed->iss;
		worker_open(&crowd->worker[i], 16384, 65536);
		assert_true(stack_accept_next(bed->stack, &crowd->handle[i]));
		bed->handle = crowd->handle[i];
		assert_true(stack_attach(bed->stack, bed->handle, BED_WORKER,
		                         &crowd->worker[i].ring, bed->now_us));
		bed_settle(bed);
	}
	bed_pass(bed, 100 * MS);
	bed->outs = bed->expected = 0;
}

static void crowd_close(struct crowd *crowd)
{
	bed_close(&crowd->bed);
	for (int i = 0; i < CLIENTS; i++)
		worker_close(&crowd->worker[i]);
}

static void more_than_a_batch_holds_is_sent_in_rounds(void **state)
{
	static uint8_t bytes[60000];
	struct crowd crowd;
	struct bed *bed = &crowd.bed;
	unsigned segments[CLIENTS] = {0};

	(void)state;
	crowd_open(&crowd);
	for (int i = 0; i < CLIENTS; i++) {
		worker_write(&crowd.worker[i], bytes, sizeof(bytes));
		stack_ring_changed(bed->stack, crowd.handle[i], bed->now_us);
	}
	assert_int_equal(stack_deadline(bed->stack), 0);
	bed_settle(bed);
	assert_true(stack_deadline(bed->stack) > bed->now_us);
	/* everybody has its first window */
	for (unsigned i = 0; i < bed->outs; i++)
		segments[bed->out[i].seg.dst_port - 50000]++;
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(segments[i], 10);
	assert_int_equal(counter(bed, out_full), 0);
	crowd_close(&crowd);
}

static void no_batch_is_larger_than_promised(void **state)
{
	static uint8_t bytes[60000];
	const struct packet_out *packets;
	struct crowd crowd;
	struct bed *bed = &crowd.bed;
	size_t count, sum = 0;

	(void)state;
	crowd_open(&crowd);
	for (int i = 0; i < CLIENTS; i++) {
		worker_write(&crowd.worker[i], bytes, sizeof(bytes));
		stack_ring_changed(bed->stack, crowd.handle[i], bed->now_us);
	}
	while ((count = stack_output(bed->stack, &packets, bed->now_us)) > 0) {
		assert_true(count <= STACK_BATCH);
		sum += count;
	}
	assert_int_equal(sum, 10 * CLIENTS);
	crowd_close(&crowd);
}

/* A caller that ignores stack_output_pressing() loses answers, nothing else. */
static void answers_beyond_a_full_batch_are_dropped_and_counted(void **state)
{
	struct crowd crowd;
	struct bed *bed = &crowd.bed;
	struct segment seg;
	uint8_t bytes[100];
	struct packet_in packet = {.tcp = bytes};

	(void)state;
	crowd_open(&crowd);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < CLIENTS; i++) {
			crowd_peer(&crowd, i);
			seg = peer_segment(bed, ACK);
			seg.seq += 100;
			seg.data = (const uint8_t *)"x";
			seg.data_length = 1;
			packet.src = bed->flow.peer.address;
			packet.dst = bed->flow.local.address;
			packet.tcp_length = peer_write(bed, &seg, bytes);
			stack_input(bed->stack, &packet, bed->now_us);
		}
	}
	assert_true(stack_output_pressing(bed->stack));
	assert_int_equal(bed->stack->batch_count, STACK_BATCH);
	assert_int_equal(counter(bed, out_full), 10 * CLIENTS - STACK_BATCH);
	bed_settle(bed);
	for (int i = 0; i < CLIENTS; i++) {
		crowd_peer(&crowd, i);
		bed->outs = bed->expected = 0;
		peer_data(bed, 200);
		assert_int_equal(bed->out[bed->outs - 1].ack, 201);
		assert_int_equal(worker_waiting(&crowd.worker[i]), 200);
	}
	crowd_close(&crowd);
}

static void timers_of_many_connections_run_when_they_are_due(void **state)
{
	uint8_t byte = 0;
	struct crowd crowd;
	struct bed *bed = &crowd.bed;

	(void)state;
	crowd_open(&crowd);
	for (int i = 0; i < CLIENTS; i++) {
		worker_write(&crowd.worker[i], &byte, 1);
		stack_ring_changed(bed->stack, crowd.handle[i], bed->now_us);
		bed_settle(bed);
		bed_pass(bed, 1 * MS);
	}
	bed->outs = bed->expected = 0;
	bed_pass(bed, 200 * MS);
	assert_int_equal(bed->outs, CLIENTS);
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(bed->out[i].seg.dst_port, 50000 + i);
		if (i > 0)
			assert_int_equal(bed->out[i].at_us - bed->out[i - 1].at_us, 1 * MS);
	}
	crowd_close(&crowd);
}

static void an_idle_engine_needs_no_waking(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(stack_deadline(bed->stack), UINT64_MAX);
	establish_with_worker(bed, 16384, 16384);
	user_write(bed, 10);
	assert_true(stack_deadline(bed->stack) < UINT64_MAX);
	peer_ack(bed);
	bed_pass(bed, 10 * S);
	assert_int_equal(stack_deadline(bed->stack), UINT64_MAX);
}

static void everything_in_use_is_listed_once(void **state)
{
	struct crowd crowd;
	struct conn_info info;
	struct stack_usage usage;
	uint32_t cursor = 0;
	unsigned count = 0;

	(void)state;
	crowd_open(&crowd);
	bed_peer(&crowd.bed, 200, 1);
	crowd.bed.flow.peer.address.bytes[1] = 7;
	peer_flags(&crowd.bed, SYN);
	while (stack_next(crowd.bed.stack, &cursor, &info)) {
		struct conn_info again;

		count++;
		assert_true(stack_info(crowd.bed.stack, info.id, &again));
		assert_int_equal(again.id, info.id);
	}
	/* the 31st was over max_connections */
	assert_int_equal(count, CLIENTS + 1);
	stack_usage(crowd.bed.stack, &usage);
	assert_int_equal(usage.connections, CLIENTS);
	assert_int_equal(usage.open, CLIENTS);
	assert_int_equal(usage.half_open, 0);
	crowd_close(&crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_a_batch_holds_is_sent_in_rounds),
		cmocka_unit_test(no_batch_is_larger_than_promised),
		cmocka_unit_test(answers_beyond_a_full_batch_are_dropped_and_counted),
		cmocka_unit_test(timers_of_many_connections_run_when_they_are_due),
		with_bed(an_idle_engine_needs_no_waking),
		cmocka_unit_test(everything_in_use_is_listed_once),
	};

	return cmocka_run_group_tests_name("batches", tests, NULL, NULL);
}
