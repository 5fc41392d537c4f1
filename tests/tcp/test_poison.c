/*
 * Entries that make one engine die after the other (stack/poison.c). A death is played:
 * an event is begun, touches the entry, and the engine is gone.
 */
#include "tests/tcp/harness.h"

/* An engine dies at work on SLOT, by its own fault: the IN_ROW-th. Another one takes over. */
static void die_at(struct bed *bed, uint32_t slot, uint32_t in_row)
{
	struct stack *s = bed->stack;

	event_begin(s, bed->now_us);
	if (slot_is_conn(s, slot)) {
		event_conn(s, slot)->snd_wnd = 7;
	} else if (slot_is_half_open(s, slot)) {
		struct half_open *half = slot_half_open(s, slot);

		table_touch(&s->table, half, sizeof(*half));
	} else {
		struct time_wait *wait = slot_time_wait(s, slot);

		table_touch(&s->table, wait, sizeof(*wait));
	}
	bed->config.crashed = in_row;
	bed_take_over(bed);
}

/* The same outside of any event. */
static void die_idle(struct bed *bed, uint32_t in_row)
{
	bed->config.crashed = in_row;
	bed_take_over(bed);
}

static uint32_t own_slot(struct bed *bed)
{
	uint32_t slot = lookup_find(bed->stack->lookup, &bed->flow);

	assert_true(slot != LOOKUP_NONE);
	return slot;
}

/* Another client, which waits for a worker; the bed's own peer stays what it was. */
static struct flow stand_by(struct bed *bed)
{
	const struct bed own = *bed;
	struct flow flow;

	bed_peer(bed, 7, 50000);
	establish(bed);
	flow = bed->flow;
	bed->flow = own.flow;
	bed->iss = own.iss;
	bed->seq = own.seq;
	bed->ack = own.ack;
	return flow;
}

static bool is_there(struct bed *bed, const struct flow *flow)
{
	return stack_find(bed->stack, flow) != 0;
}

static void the_third_death_at_work_on_a_connection_ends_it_and_no_other(void **state)
{
	struct bed *bed = *state;
	struct flow other;

	reach(bed, TCP_ESTABLISHED);
	other = stand_by(bed);
	bed->expected = bed->outs;
	die_at(bed, own_slot(bed), 1);
	die_at(bed, own_slot(bed), 2);
	expect_state(bed, TCP_ESTABLISHED);
	expect_nothing(bed);
	die_at(bed, own_slot(bed), 3);
	expect_state(bed, TCP_CLOSED);
	assert_int_equal(bed->dropped, 1);
	assert_true(bed->dropped_known);
	assert_true(is_there(bed, &other));
	assert_int_equal(next_out(bed)->seg.flags, RSTACK);
	/* the packet comes again, and there is nobody whom it could hurt */
	(void)next_out(bed);
	peer_data(bed, 4);
	expect(bed, RST, bed->ack - bed->iss, 0, 0);
}

static void half_open_and_time_wait_entries_can_be_poison_too(void **state)
{
	static const enum tcp_state kinds[] = {TCP_SYN_RECEIVED, TCP_TIME_WAIT};
	struct stack_config config = bed_config();

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct bed bed;

		bed_open(&bed, IP_V6, &config);
		reach(&bed, kinds[i]);
		for (uint32_t n = 1; n <= 3; n++) {
			expect_state(&bed, kinds[i]);
			die_at(&bed, own_slot(&bed), n);
		}
		expect_state(&bed, TCP_CLOSED);
		bed_close(&bed);
	}
}

static void engines_that_were_killed_accuse_nobody(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	for (unsigned i = 0; i < 10; i++)
		die_at(bed, own_slot(bed), 0);
	die_at(bed, own_slot(bed), 1);
	die_at(bed, own_slot(bed), 0);
	die_at(bed, own_slot(bed), 2);
	expect_state(bed, TCP_ESTABLISHED);
	die_at(bed, own_slot(bed), 3);
	expect_state(bed, TCP_CLOSED);
}

static void deaths_outside_of_events_accuse_nobody(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	for (uint32_t n = 1; n <= 10; n++)
		die_idle(bed, n);
	expect_state(bed, TCP_ESTABLISHED);
}

static void what_was_committed_before_the_death_accuses_nobody(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	for (uint32_t n = 1; n <= 10; n++) {
		peer_data(bed, 10);
		die_idle(bed, n);
	}
	expect_state(bed, TCP_ESTABLISHED);
}

static void two_that_take_turns_do_not_clear_each_other(void **state)
{
	struct bed *bed = *state;
	uint32_t row = 0, second;
	struct flow other;

	reach(bed, TCP_ESTABLISHED);
	other = stand_by(bed);
	for (unsigned i = 0; i < 2; i++) {
		die_at(bed, own_slot(bed), ++row);
		die_at(bed, lookup_find(bed->stack->lookup, &other), ++row);
	}
	die_at(bed, own_slot(bed), ++row);
	expect_state(bed, TCP_CLOSED);
	second = lookup_find(bed->stack->lookup, &other);
	assert_true(second != LOOKUP_NONE);
	die_at(bed, second, ++row);
	assert_false(is_there(bed, &other));
}

/* Long after the last one: a row of its own. */
static void a_new_row_clears_those_it_does_not_accuse(void **state)
{
	struct bed *bed = *state;
	struct flow other;

	reach(bed, TCP_ESTABLISHED);
	other = stand_by(bed);
	die_at(bed, own_slot(bed), 1);
	die_at(bed, own_slot(bed), 2);
	die_at(bed, lookup_find(bed->stack->lookup, &other), 1);
	die_at(bed, own_slot(bed), 2);
	die_at(bed, own_slot(bed), 3);
	expect_state(bed, TCP_ESTABLISHED);
	die_at(bed, own_slot(bed), 4);
	expect_state(bed, TCP_CLOSED);
}

/* A packet a minute that kills: never two deaths in one row, but always the same. */
static void one_that_kills_slowly_is_found_all_the_same(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	die_at(bed, own_slot(bed), 1);
	die_at(bed, own_slot(bed), 1);
	expect_state(bed, TCP_ESTABLISHED);
	die_at(bed, own_slot(bed), 1);
	expect_state(bed, TCP_CLOSED);
}

static void an_entry_that_the_event_only_began_to_make_is_no_suspect(void **state)
{
	struct bed *bed = *state;
	const struct table_header *header = bed->stack->table.header;

	for (uint32_t n = 1; n <= 3; n++) {
		event_begin(bed->stack, bed->now_us);
		(void)event_conn(bed->stack, 0);
		die_idle(bed, n);
	}
	for (unsigned i = 0; i < TABLE_SUSPECTS; i++)
		assert_int_equal(header->suspect[i].id, 0);
}

static void suspects_beyond_the_table_replace_those_with_the_fewest_deaths(void **state)
{
	struct bed *bed = *state;
	struct table_header *header = bed->stack->table.header;
	uint64_t id;

	reach(bed, TCP_ESTABLISHED);
	id = bed->stack->table.conn[own_slot(bed)].identity.id;
	for (uint32_t i = 0; i < TABLE_SUSPECTS; i++)
		header->suspect[i] =
			(struct table_suspect){.id = 1000 + i, .deaths = i == 5 ? 1 : 2};
	die_at(bed, own_slot(bed), 2);
	assert_int_equal(header->suspect[5].id, id);
	assert_int_equal(header->suspect[5].deaths, 1);
	assert_int_equal(header->suspect[4].id, 1004);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(the_third_death_at_work_on_a_connection_ends_it_and_no_other),
		cmocka_unit_test(half_open_and_time_wait_entries_can_be_poison_too),
		with_bed(engines_that_were_killed_accuse_nobody),
		with_bed(deaths_outside_of_events_accuse_nobody),
		with_bed(what_was_committed_before_the_death_accuses_nobody),
		with_bed(two_that_take_turns_do_not_clear_each_other),
		with_bed(a_new_row_clears_those_it_does_not_accuse),
		with_bed(one_that_kills_slowly_is_found_all_the_same),
		with_bed(an_entry_that_the_event_only_began_to_make_is_no_suspect),
		with_bed(suspects_beyond_the_table_replace_those_with_the_fewest_deaths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
