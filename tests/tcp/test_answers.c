/*
 * How often segments that nobody asked for are answered (stack/answer.c), and that the
 * limits tell nobody anything about others (RFC 5961, section 7; CVE-2016-5696).
 */
#include "tests/tcp/harness.h"

/* Answers to COUNT forged RSTs inside the window of the connection with PORT. */
static unsigned challenged(struct bed *bed, uint16_t port, unsigned count)
{
	unsigned before = counter(bed, challenge_acks);
	struct segment seg;

	bed->flow.peer.port = port;
	seg = peer_segment(bed, RST);
	seg.seq = PEER_ISS + 1 + 100;
	for (unsigned i = 0; i < count; i++) {
		peer_send(bed, &seg);
		bed->outs = bed->expected = 0;
	}
	return counter(bed, challenge_acks) - before;
}

static void open_many(struct bed *bed, uint16_t connections)
{
	struct stack_config config = bed_config();

	config.max_connections = connections;
	config.backlog = connections;
	bed_open(bed, IP_V4, &config);
	for (uint16_t i = 0; i < connections; i++) {
		bed_peer(bed, 0, (uint16_t)(10000 + i));
		establish(bed);
		bed->outs = bed->expected = 0;
	}
}

static void rfc_5961_challenges_on_one_connection_are_not_seen_on_another(void **state)
{
	struct bed bed;

	(void)state;
	open_many(&bed, 50);
	for (uint16_t i = 1; i < 50; i++)
		assert_int_equal(challenged(&bed, (uint16_t)(10000 + i), 1000), ANSWERS_PER_SECOND);
	/* who has one of his own counts as many as ever */
	assert_int_equal(challenged(&bed, 10000, 1000), ANSWERS_PER_SECOND);
	bed_close(&bed);
}

static void rfc_5961_all_challenges_together_are_limited_by_how_many_connections_there_are(
	void **state)
{
	struct bed bed;
	unsigned sent = 0;

	(void)state;
	open_many(&bed, 150);
	for (int round = 0; round < 50; round++) {
		for (uint16_t i = 0; i < 150; i++)
			sent += challenged(&bed, (uint16_t)(10000 + i), 2);
		bed_pass(&bed, 200 * MS);
	}
	/* ten seconds, and what each had saved up */
	assert_in_range(sent, 9 * ANSWERS_ALL_PER_SECOND, 11 * ANSWERS_ALL_PER_SECOND + 10 * 150);
	bed_close(&bed);
}

/* A rebooted peer's SYN is answered on the busiest server. */
static void the_first_answer_always_goes(void **state)
{
	struct bed bed;

	(void)state;
	open_many(&bed, 1500);
	for (uint16_t i = 0; i < 1500; i += 10)
		assert_in_range(challenged(&bed, (uint16_t)(10000 + i), 5), 1, 2);
	bed_close(&bed);
}

/* How many RSTs COUNT segments for nobody get from ADDRESS. */
static unsigned reset(struct bed *bed, uint8_t address, unsigned count)
{
	unsigned before = counter(bed, out_rsts);

	bed_peer(bed, address, 1234);
	for (unsigned i = 0; i < count; i++) {
		peer_flags(bed, ACK);
		bed->outs = bed->expected = 0;
	}
	return counter(bed, out_rsts) - before;
}

static void resets_for_one_source_are_not_seen_by_another(void **state)
{
	unsigned same = 0;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct stack_config config = bed_config();
		unsigned alone, beside;
		struct bed bed;

		bed_open(&bed, IP_V4, &config);
		bed.now_us += i * S;
		alone = reset(&bed, 10, 300);
		bed_close(&bed);
		bed_open(&bed, IP_V4, &config);
		bed.now_us += i * S;
		reset(&bed, 20, 300); /* in a victim's name */
		beside = reset(&bed, 10, 300);
		bed_close(&bed);
		same += alone == beside;
	}
	/* once in 256 seconds they are in one group */
	assert_in_range(same, 38, 40);
}

static void what_a_source_may_have_is_drawn_anew_each_second(void **state)
{
	struct bed *bed = *state;
	unsigned least = UINT32_MAX, most = 0, sum = 0;

	for (int i = 0; i < 60; i++) {
		unsigned sent = reset(bed, 10, 300);

		assert_in_range(sent, RESETS_PER_SECOND / 2, RESETS_PER_SECOND * 3 / 2);
		least = sent < least ? sent : least;
		most = sent > most ? sent : most;
		sum += sent;
		bed_pass(bed, S);
	}
	assert_in_range(least, RESETS_PER_SECOND / 2, RESETS_PER_SECOND * 3 / 4);
	assert_in_range(most, RESETS_PER_SECOND * 5 / 4, RESETS_PER_SECOND * 3 / 2);
	assert_in_range(sum / 60, RESETS_PER_SECOND * 8 / 10, RESETS_PER_SECOND * 12 / 10);
}

static void all_resets_together_are_limited(void **state)
{
	struct bed *bed = *state;

	for (uint32_t i = 0; i < 60000; i++) {
		bed_peer(bed, (uint8_t)(1 + i % 250), 1234);
		bed->flow.peer.address.bytes[1] = (uint8_t)(i >> 8);
		bed->flow.peer.address.bytes[2] = (uint8_t)(i >> 16);
		peer_flags(bed, ACK);
		bed->outs = bed->expected = 0;
	}
	assert_in_range(counter(bed, out_rsts), SOURCE_GROUPS * RESETS_PER_SECOND * 9 / 10,
	                SOURCE_GROUPS * RESETS_PER_SECOND * 11 / 10);
}

static void a_whole_ipv6_network_is_one_source_for_resets(void **state)
{
	struct bed *bed = *state;

	for (uint32_t i = 0; i < 1000; i++) {
		bed_peer(bed, 10, 1234);
		bed->flow.peer.address.bytes[14] = (uint8_t)(i >> 8);
		bed->flow.peer.address.bytes[15] = (uint8_t)i;
		peer_flags(bed, ACK);
		bed->outs = bed->expected = 0;
	}
	assert_in_range(counter(bed, out_rsts), 1, RESETS_PER_SECOND * 3 / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_5961_challenges_on_one_connection_are_not_seen_on_another),
		cmocka_unit_test(
			rfc_5961_all_challenges_together_are_limited_by_how_many_connections_there_are),
		cmocka_unit_test(the_first_answer_always_goes),
		cmocka_unit_test(resets_for_one_source_are_not_seen_by_another),
		with_bed(what_a_source_may_have_is_drawn_anew_each_second),
		with_bed(all_resets_together_are_limited),
		with_bed_v6(a_whole_ipv6_network_is_one_source_for_resets),
	};

	return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
