/* stack/sent.c against a model that keeps the fate of each byte by itself. */
#include "tests/unit/random.h"

#include "stack/sent.h"
#include "stack/seq.h"

#define SPAN 4000

enum fate {
	IN_FLIGHT,
	SACKED,
	LOST
};

struct model {
	struct sent sent;
	uint32_t base; /* sequence number of byte 0 */
	uint32_t una, nxt;
	uint8_t fate[SPAN];
	uint32_t told; /* bytes that the visitor was told of */
};

static void visit(void *arg, const struct sent_record *record)
{
	struct model *m = arg;

	for (uint32_t seq = record->start; seq != record->end; seq++)
		assert_int_not_equal(m->fate[seq - m->base], SACKED);
	m->told += record->end - record->start;
}

static uint32_t sum(const struct model *m, enum fate fate)
{
	uint32_t bytes = 0;

	for (uint32_t i = m->una; i < m->nxt; i++)
		bytes += m->fate[i] == fate;
	return bytes;
}

static void check(struct model *m)
{
	assert_true(sent_valid(&m->sent, m->base + m->una, m->base + m->nxt));
	assert_int_equal(m->sent.in_flight, sum(m, IN_FLIGHT));
	assert_int_equal(m->sent.sacked, sum(m, SACKED));
	assert_int_equal(m->sent.lost, sum(m, LOST));
	for (uint32_t i = 0; i < m->sent.count; i++) {
		const struct sent_record *r = sent_at(&m->sent, i);
		enum fate fate = (r->flags & SENT_SACKED) ? SACKED
		                 : (r->flags & SENT_LOST) ? LOST
		                                          : IN_FLIGHT;

		for (uint32_t seq = r->start; seq != r->end; seq++)
			assert_int_equal(m->fate[seq - m->base], fate);
	}
}

/* ---- the operations, on both ---- */

static void push(struct model *m, uint32_t length)
{
	if (m->nxt + length > SPAN || !sent_room(&m->sent))
		return;
	sent_push(&m->sent, m->base + m->nxt, m->base + m->nxt + length);
	memset(m->fate + m->nxt, IN_FLIGHT, length);
	m->nxt += length;
}

static void ack(struct model *m, uint32_t to)
{
	uint32_t expected = 0;

	for (uint32_t i = m->una; i < to; i++)
		expected += m->fate[i] != SACKED;
	m->told = 0;
	sent_ack(&m->sent, m->base + to, visit, m);
	assert_int_equal(m->told, expected);
	m->una = to;
}

static void sack(struct model *m, uint32_t from, uint32_t to)
{
	uint32_t expected = 0;

	for (uint32_t i = from; i < to; i++)
		expected += m->fate[i] != SACKED;
	m->told = 0;
	sent_sack(&m->sent, (struct seq_range){m->base + from, m->base + to}, visit, m);
	assert_int_equal(m->told, expected);
	memset(m->fate + from, SACKED, to - from);
}

static void lose(struct model *m, uint32_t i)
{
	const struct sent_record *r;

	if (i >= m->sent.count)
		return;
	r = sent_at(&m->sent, i);
	if (r->flags & (SENT_SACKED | SENT_LOST))
		return;
	memset(m->fate + (r->start - m->base), LOST, r->end - r->start);
	sent_mark_lost(&m->sent, i);
}

static void resend(struct model *m, uint32_t most)
{
	uint32_t first = m->una, i, length;

	while (first < m->nxt && m->fate[first] != LOST)
		first++;
	i = sent_first_lost(&m->sent);
	if (first == m->nxt) {
		assert_int_equal(i, m->sent.count);
		return;
	}
	assert_int_equal(sent_at(&m->sent, i)->start, m->base + first);
	length = sent_fit(&m->sent, i, most);
	assert_int_equal(length, sent_at(&m->sent, i)->end - sent_at(&m->sent, i)->start);
	assert_in_range(length, 1, most);
	/* as much as there is */
	assert_true(length == most || first + length == m->nxt || m->fate[first + length] != LOST);
	sent_again(&m->sent, i);
	assert_true(sent_at(&m->sent, i)->flags & SENT_RETRANSMITTED);
	memset(m->fate + first, IN_FLIGHT, length);
}

static void change(struct model *m, enum fate from, enum fate to)
{
	for (uint32_t i = m->una; i < m->nxt; i++)
		if (m->fate[i] == from)
			m->fate[i] = (uint8_t)to;
}

static void step(struct model *m, struct random *random)
{
	uint32_t flight = m->nxt - m->una;
	uint32_t from = m->una + random_below(random, flight + 1);
	uint32_t to = from + random_below(random, m->nxt - from + 1);

	switch (random_below(random, 20)) {
	case 0:
		ack(m, from);
		break;
	case 1:
		sent_clear_lost(&m->sent);
		change(m, LOST, IN_FLIGHT);
		break;
	case 2:
		sent_clear_sacked(&m->sent);
		change(m, SACKED, LOST);
		break;
	case 3:
	case 4:
	case 5:
		if (to > from)
			sack(m, from, to - random_below(random, to - from));
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		lose(m, random_below(random, m->sent.count + 1));
		break;
	case 10:
	case 11:
	case 12:
		resend(m, 1 + random_below(random, 100));
		break;
	default:
		push(m, 1 + random_below(random, 50));
		break;
	}
	check(m);
}

static void any_sequence_of_events_leaves_what_the_model_has(void **state)
{
	struct random random = random_start();

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct model *m = calloc(1, sizeof(*m));

		assert_non_null(m);
		m->base = (uint32_t)random_next(&random);
		while (m->nxt < SPAN - 50 && m->una < SPAN - 100)
			step(m, &random);
		ack(m, m->nxt);
		check(m);
		assert_null(m->sent.ring); /* nothing in flight: no memory */
		free(m);
	}
}

/* ---- bounds ---- */

static void count_bytes(void *arg, const struct sent_record *record)
{
	*(uint32_t *)arg += record->end - record->start;
}

static void two_segments_need_no_memory(void **state)
{
	struct sent sent = {0};

	(void)state;
	for (uint32_t i = 0; i < SENT_FEW; i++) {
		assert_true(sent_room(&sent));
		sent_push(&sent, i, i + 1);
	}
	assert_null(sent.ring);
	assert_true(sent_room(&sent));
	assert_non_null(sent.ring);
	sent_release(&sent);
}

static void when_all_records_are_used_new_data_waits_for_an_ack(void **state)
{
	struct sent sent = {0};
	uint32_t seq = 0xfffff000u, told = 0;

	(void)state;
	while (sent_room(&sent)) {
		sent_push(&sent, seq, seq + 10);
		seq += 10;
	}
	assert_int_equal(sent.count, SENT_MAX - SENT_SPARE);
	sent_ack(&sent, 0xfffff000u + 10, count_bytes, &told);
	assert_int_equal(told, 10);
	assert_true(sent_room(&sent));
	sent_release(&sent);
}

static void blocks_that_would_cut_too_many_records_are_taken_as_far_as_possible(void **state)
{
	struct sent sent = {0};
	uint32_t seq = 0, told = 0;

	(void)state;
	while (sent_room(&sent)) {
		sent_push(&sent, seq, seq + 10);
		seq += 10;
	}
	for (uint32_t at = 1; at + 4 < seq; at += 10)
		sent_sack(&sent, (struct seq_range){at, at + 4}, count_bytes, &told);
	assert_true(sent.count <= SENT_MAX);
	assert_true(sent_valid(&sent, 0, seq));
	assert_int_equal(sent.sacked, told);
	assert_in_range(told, SENT_SPARE / 2 * 4, SENT_SPARE * 4);
	sent_release(&sent);
}

/* Each ACK's block is longer by a segment: what was walked once is not walked again. */
static void a_block_that_grows_costs_a_step_an_ack(void **state)
{
	struct sent sent = {0};
	uint32_t told = 0, jump;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		assert_true(sent_room(&sent));
		sent_push(&sent, i * 10, i * 10 + 10);
	}
	for (uint32_t i = 2; i <= 1000; i++)
		sent_sack(&sent, (struct seq_range){10, i * 10}, count_bytes, &told);
	assert_int_equal(told, 9990);
	jump = sent_at(&sent, 1)->sacked_to;
	assert_int_equal(jump, 10000);
	sent_release(&sent);
}

static void what_a_former_master_sent_is_covered(void **state)
{
	struct sent sent = {0};

	(void)state;
	sent_cover(&sent, 100, 5000, 77, false);
	assert_true(sent_valid(&sent, 100, 5000));
	assert_int_equal(sent.count, 1);
	assert_int_equal(sent_at(&sent, 0)->flags, SENT_RETRANSMITTED);
	sent_cover(&sent, 100, 5000, 77, true);
	assert_true(sent_valid(&sent, 100, 5000));
	assert_int_equal(sent.count, 2);
	assert_int_equal(sent_at(&sent, 1)->start, 4999);
	assert_int_equal(sent_at(&sent, 1)->flags, 0);
	assert_int_equal(sent_at(&sent, 1)->sent_us, 77);
	assert_null(sent.ring);
	sent_release(&sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_sequence_of_events_leaves_what_the_model_has),
		cmocka_unit_test(two_segments_need_no_memory),
		cmocka_unit_test(when_all_records_are_used_new_data_waits_for_an_ack),
		cmocka_unit_test(
			blocks_that_would_cut_too_many_records_are_taken_as_far_as_possible),
		cmocka_unit_test(a_block_that_grows_costs_a_step_an_ack),
		cmocka_unit_test(what_a_former_master_sent_is_covered),
	};

	return cmocka_run_group_tests_name("sent", tests, NULL, NULL);
}
