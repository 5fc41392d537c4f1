/*
 * The path MTU (RFC 1191, 8201, 4821, 8899, 5927): what is believed about it, black holes that
 * nobody reports, and the search for a larger one.
 */
#include "tests/tcp/harness.h"

#include "stack/address.h"

#define STREAM 1000000u
#define BLOCKS 3

/* What lies between the engine and its peer, and the peer's receiving side. */
struct path {
	struct bed *bed;
	uint32_t mtu;
	uint8_t have[STREAM]; /* relative sequence numbers that have arrived */
	uint32_t next, end;   /* the first that has not, and the one behind the last that has */
	uint32_t largest;     /* packet that came out */
};

static struct path *path_open(struct bed *bed, uint32_t mtu)
{
	struct path *path = calloc(1, sizeof(*path));

	assert_non_null(path);
	path->bed = bed;
	path->mtu = mtu;
	path->have[0] = 1;
	return path;
}

static uint32_t packet_size(const struct out *out)
{
	const uint8_t *data = out->seg.data;
	size_t header = out->seg.data_length > 0 ? (size_t)(data - out->bytes) : TCP_HEADER_MIN;

	return (uint32_t)(address_ip_header(&out->dst) + header) + out->seg.data_length;
}

/* From AT on, the first number whose arrival is as asked; the end when there is none. */
static uint32_t path_find(const struct path *path, uint32_t at, uint8_t have)
{
	while (at < path->end && path->have[at] != have)
		at++;
	return at;
}

/* An ACK of all that has arrived without a gap, with the first ranges behind it. */
static void path_ack(struct path *path)
{
	struct bed *bed = path->bed;
	struct segment seg = peer_segment(bed, ACK);
	uint32_t at = path->next = path_find(path, path->next, 0);

	seg.ack = bed->ack = bed->iss + at;
	while (bed->offer.sack && seg.sack_count < BLOCKS) {
		struct seq_range *block = &seg.sack[seg.sack_count];

		at = path_find(path, at, 1);
		if (at == path->end)
			break;
		block->start = bed->iss + at;
		at = path_find(path, at, 0);
		block->end = bed->iss + at;
		seg.sack_count++;
	}
	peer_send(bed, &seg);
}

/* A round trip: what came out arrives, if it is not too large, and is acknowledged one by one. */
static void path_round(struct path *path)
{
	struct bed *bed = path->bed;
	unsigned end = bed->outs;

	bed_pass(bed, 20 * MS);
	for (unsigned i = bed->expected; i < end; i++) {
		const struct out *out = &bed->out[i];

		if (packet_size(out) > path->largest)
			path->largest = packet_size(out);
		if (packet_size(out) > path->mtu)
			continue;
		assert_true(out->seq + out->seg.data_length <= STREAM);
		memset(path->have + out->seq, 1, out->seg.data_length);
		if (path->end < out->seq + out->seg.data_length)
			path->end = out->seq + out->seg.data_length;
		if (out->seg.data_length == 0)
			continue;
		path_ack(path);
		bed_pass(bed, 10); /* what is sent for each ACK is sent after the other */
	}
	memmove(bed->out, bed->out + end, (bed->outs - end) * sizeof(*bed->out));
	for (unsigned i = 0; i < bed->outs - end; i++) /* what they point to has moved, too */
		if (bed->out[i].seg.data_length > 0)
			bed->out[i].seg.data -= end * sizeof(*bed->out);
	bed->outs -= end;
	bed->expected = 0;
}

/* The session writes LENGTH bytes, and rounds go by until the peer has them all. */
static void path_send(struct path *path, uint32_t length)
{
	uint64_t end;

	user_write(path->bed, length);
	end = path->bed->worker.tx_head;
	for (int i = 0; i < 5000 && worker_tx_tail(&path->bed->worker) < end; i++)
		path_round(path);
	assert_int_equal(worker_tx_tail(&path->bed->worker), end);
}

static void open_path(struct bed *bed)
{
	peer_syn(bed);
	bed_pass(bed, 20 * MS);
	peer_flags(bed, ACK);
	attach(bed, 65536, 262144);
	bed_pass(bed, 100 * MS);
	peer_take(bed);
	bed->outs = bed->expected = 0;
}

static void too_big(struct bed *bed, uint32_t seq, uint32_t mtu)
{
	peer_icmp(bed, ICMP_TOO_BIG, seq, mtu);
}

static bool v6(const struct bed *bed)
{
	return bed->flow.local.address.version == IP_V6;
}

/* ---- ICMP ---- */

static void rfc_5927_what_progress_refutes_is_not_believed(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1460);
	peer_ack(bed);
	assert_int_equal(info_of(bed).path_mtu_proven, 1500);
	user_write(bed, 1460);
	too_big(bed, 1461, 1200);
	assert_int_equal(info_of(bed).path_mtu, 1500);
	assert_int_equal(counter(bed, icmp_held), 1);
	peer_ack(bed); /* it arrived after all */
	user_write(bed, 1460);
	bed_pass(bed, 500 * MS); /* the next is lost, for whatever reason */
	assert_true(counter(bed, timeouts) > 0);
	assert_int_equal(info_of(bed).path_mtu, 1500);
}

static void rfc_5927_what_a_time_out_confirms_is_believed(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1460);
	peer_ack(bed);
	user_write(bed, 1460);
	too_big(bed, 1461, 1200);
	too_big(bed, 1461, 600); /* of several claims the one that harms least */
	peer_take(bed);
	while (counter(bed, timeouts) == 0)
		bed_pass(bed, 10 * MS);
	assert_int_equal(info_of(bed).path_mtu, 1200);
	assert_int_equal(bed->out[bed->outs - 1].seg.data_length, 1160);
	assert_int_equal(info_of(bed).send_mss, 1160);
	assert_int_equal(info_of(bed).receive_mss, 1460); /* the interface is as it was */
}

static void rfc_1191_a_router_that_names_no_mtu_means_the_next_smaller_plateau(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1460);
	too_big(bed, 1, 0);
	assert_int_equal(info_of(bed).path_mtu, 1492);
	too_big(bed, 1, 0);
	assert_int_equal(info_of(bed).path_mtu, 1006);
	too_big(bed, 1, 0);
	assert_int_equal(info_of(bed).path_mtu, 552);
	too_big(bed, 1, 0);
	assert_int_equal(info_of(bed).path_mtu, 552);
}

static void rfc_8201_less_than_1280_is_discarded(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 1440);
	peer_take(bed);
	too_big(bed, 1, 1279);
	too_big(bed, 1, 0);
	assert_int_equal(info_of(bed).path_mtu, 1500);
	expect_nothing(bed);
	too_big(bed, 1, 1280);
	assert_int_equal(info_of(bed).path_mtu, 1280);
	expect(bed, ACK, 1, 1, 1220);
}

static void what_the_interface_does_not_carry_is_not_tried(void **state)
{
	struct bed *bed = *state;
	struct path *path;

	bed->mtu = 1000;
	bed->offer.mss = 8960;
	open_path(bed);
	path = path_open(bed, 1500);
	path_send(path, 200000);
	assert_int_equal(info_of(bed).path_mtu, 1000);
	assert_int_equal(counter(bed, pmtu_probes), 0);
	free(path);
}

static void a_peers_small_mss_is_not_exceeded_by_probes(void **state)
{
	struct bed *bed = *state;
	struct path *path;

	bed->offer.mss = 700;
	open_path(bed);
	path = path_open(bed, 1500);
	path_send(path, 100000);
	assert_int_equal(counter(bed, pmtu_probes), 0);
	path->mtu = 600;
	path_send(path, 250000);
	assert_in_range(info_of(bed).path_mtu, 600 - 16, 600);
	path->mtu = 1500;
	path_send(path, 50000); /* what was left of the search */
	bed_pass(bed, 700 * S);
	path_send(path, 50000);
	assert_int_equal(info_of(bed).send_mss, 700);
	assert_int_equal(path->largest, 740);
	free(path);
}

/* ---- black holes ---- */

static void rfc_4821_a_black_hole_is_found_and_the_largest_size_that_passes(void **state)
{
	struct bed *bed = *state;
	struct path *path;
	uint32_t cwnd;

	open_path(bed);
	path = path_open(bed, 1400);
	path_send(path, 30000);
	assert_int_equal(info_of(bed).path_mtu_black_holes, 1);
	assert_true(counter(bed, timeouts) <= 3);
	cwnd = info_of(bed).cwnd;
	path_send(path, 250000);
	assert_in_range(info_of(bed).path_mtu, 1400 - 16, 1400);
	assert_int_equal(info_of(bed).path_mtu_search, 0);
	assert_int_equal(info_of(bed).path_mtu_black_holes, 1);
	/* probes were lost, but the network was not congested */
	assert_int_equal(counter(bed, pmtu_probes_lost), v6(bed) ? 7 : 5);
	assert_int_equal(counter(bed, fast_recoveries), 0);
	assert_true(info_of(bed).cwnd >= cwnd);
	free(path);
}

static void the_whole_connection_may_begin_in_a_black_hole(void **state)
{
	struct bed *bed = *state;
	struct path *path;

	if (v6(bed))
		bed->offer.timestamps = true;
	open_path(bed);
	path = path_open(bed, v6(bed) ? 1300 : 600);
	path_send(path, 200000);
	assert_in_range(info_of(bed).path_mtu, path->mtu - 16, path->mtu);
	free(path);
}

/* Less than a segment in flight, and yet too large. */
static void the_last_piece_of_a_stream_may_be_what_is_swallowed(void **state)
{
	struct bed *bed = *state;
	struct path *path;

	open_path(bed);
	path = path_open(bed, 600);
	path_send(path, 1300);
	assert_int_equal(info_of(bed).path_mtu_black_holes, 2); /* 1024 is still too much */
	assert_int_equal(info_of(bed).path_mtu, 552);
	free(path);
}

static void so_it_is_without_sack(void **state)
{
	struct bed *bed = *state;
	struct path *path;

	bed->offer.sack = false;
	open_path(bed);
	path = path_open(bed, 1400);
	path_send(path, 250000);
	assert_in_range(info_of(bed).path_mtu, 1400 - 16, 1400);
	free(path);
}

static void an_outage_costs_one_probe(void **state)
{
	struct bed *bed = *state;
	struct path *path;

	open_path(bed);
	path = path_open(bed, 1500);
	path_send(path, 50000);
	assert_int_equal(info_of(bed).path_mtu_proven, 1500);
	path->mtu = 0;
	user_write(bed, 20000);
	for (int i = 0; i < 500; i++)
		path_round(path);
	assert_true(info_of(bed).path_mtu < 1500);
	path->mtu = 1500;
	path_send(path, 50000);
	assert_int_equal(info_of(bed).path_mtu, 1500);
	assert_int_equal(counter(bed, pmtu_probes), 1);
	assert_int_equal(counter(bed, pmtu_probes_lost), 0);
	free(path);
}

static void small_segments_that_are_lost_say_nothing_about_large_ones(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	user_write(bed, 100);
	bed_pass(bed, 60 * S);
	assert_true(counter(bed, timeouts) > 4);
	assert_int_equal(info_of(bed).path_mtu, 1500);
}

/* ---- the search ---- */

static void rfc_8899_after_ten_minutes_a_larger_size_is_tried(void **state)
{
	struct bed *bed = *state;
	struct path *path;
	unsigned probes;

	open_path(bed);
	path = path_open(bed, 1400);
	path_send(path, 200000);
	probes = counter(bed, pmtu_probes);
	path->mtu = 1500; /* another way */
	bed_pass(bed, 300 * S);
	path_send(path, 50000);
	assert_int_equal(counter(bed, pmtu_probes), probes);
	bed_pass(bed, 300 * S);
	path_send(path, 50000);
	assert_int_equal(counter(bed, pmtu_probes), probes + 1);
	assert_int_equal(info_of(bed).path_mtu, 1500);
	bed_pass(bed, 3600 * S);
	path_send(path, 50000);
	assert_int_equal(counter(bed, pmtu_probes), probes + 1);
	free(path);
}

static void rfc_1191_so_it_is_after_what_icmp_said(void **state)
{
	struct bed *bed = *state;
	struct path *path;

	open_path(bed);
	path = path_open(bed, 1500);
	user_write(bed, 20000);
	too_big(bed, 1, 1300);
	path_send(path, 50000);
	assert_int_equal(info_of(bed).path_mtu, 1300);
	assert_int_equal(counter(bed, pmtu_probes), 0);
	bed_pass(bed, 600 * S);
	path_send(path, 50000);
	assert_int_equal(info_of(bed).path_mtu, 1500);
	free(path);
}

/* In the search, and a probe has just gone out; returns its place among what came out. */
static unsigned until_a_probe(struct path *path, uint32_t mtu)
{
	struct bed *bed = path->bed;

	user_write(bed, 20000);
	too_big(bed, 1, mtu);
	path_send(path, 20000);
	bed_pass(bed, 600 * S);
	bed->outs = bed->expected = 0;
	user_write(bed, 20000);
	for (unsigned i = 0; i < bed->outs; i++)
		if (packet_size(&bed->out[i]) > mtu)
			return i;
	fail_msg("no probe");
	return 0;
}

static void a_probe_is_real_data_and_others_follow_it(void **state)
{
	struct bed *bed = *state;
	struct path *path;
	unsigned at;

	open_path(bed);
	path = path_open(bed, 1500);
	at = until_a_probe(path, 1300);
	assert_int_equal(packet_size(&bed->out[at]), 1500);
	assert_true(at + 2 < bed->outs);
	assert_int_equal(bed->out[at + 1].seq, bed->out[at].seq + 1460);
	free(path);
}

static void what_a_router_says_about_a_probe_is_tried_next(void **state)
{
	struct bed *bed = *state;
	struct path *path;
	unsigned at;

	open_path(bed);
	path = path_open(bed, 1350);
	at = until_a_probe(path, 1300);
	bed_pass(bed, 10 * MS);
	too_big(bed, bed->out[at].seq, 1350);
	path_send(path, 20000);
	assert_int_equal(info_of(bed).path_mtu, 1350);
	assert_int_equal(counter(bed, pmtu_probes), 2);
	assert_int_equal(counter(bed, fast_recoveries), 0);
	assert_int_equal(counter(bed, timeouts), 0);
	free(path);
}

static void a_claim_that_a_probe_is_larger_than_zero_does_little(void **state)
{
	struct bed *bed = *state;
	struct path *path;
	unsigned at;

	open_path(bed);
	path = path_open(bed, 1500);
	at = until_a_probe(path, 1300);
	too_big(bed, bed->out[at].seq, 68);
	assert_int_equal(info_of(bed).path_mtu, 1300);
	path_send(path, 20000);
	assert_int_equal(info_of(bed).path_mtu, 1500);
	free(path);
}

static void a_probe_in_flight_is_forgotten_in_a_take_over(void **state)
{
	struct bed *bed = *state;
	struct path *path;

	open_path(bed);
	path = path_open(bed, 1500);
	(void)until_a_probe(path, 1300);
	bed_take_over(bed);
	assert_int_equal(bed_conn(bed)->pmtu.probe, 0);
	path_send(path, 100000);
	assert_int_equal(info_of(bed).path_mtu, 1500);
	free(path);
}

static void little_data_is_no_probe(void **state)
{
	struct bed *bed = *state;
	struct path *path;

	open_path(bed);
	path = path_open(bed, 1500);
	user_write(bed, 20000);
	too_big(bed, 1, 1300);
	path_send(path, 20000);
	bed_pass(bed, 600 * S);
	for (int i = 0; i < 100; i++)
		path_send(path, 2000);
	assert_int_equal(counter(bed, pmtu_probes), 0);
	free(path);
}

static void an_entry_whose_sizes_cannot_be_is_dropped(void **state)
{
	struct bed *bed = *state;

	reach(bed, TCP_ESTABLISHED);
	bed_conn(bed)->pmtu.mtu = 40;
	bed->attached = false;
	bed_take_over(bed);
	expect_state(bed, TCP_CLOSED);
	bed->attached = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bed(rfc_5927_what_progress_refutes_is_not_believed),
		with_bed(rfc_5927_what_a_time_out_confirms_is_believed),
		with_bed(rfc_1191_a_router_that_names_no_mtu_means_the_next_smaller_plateau),
		with_bed_v6(rfc_8201_less_than_1280_is_discarded),
		with_bed(what_the_interface_does_not_carry_is_not_tried),
		with_bed(a_peers_small_mss_is_not_exceeded_by_probes),
		with_bed(rfc_4821_a_black_hole_is_found_and_the_largest_size_that_passes),
		with_bed_v6(rfc_4821_a_black_hole_is_found_and_the_largest_size_that_passes),
		with_bed(the_whole_connection_may_begin_in_a_black_hole),
		with_bed_v6(the_whole_connection_may_begin_in_a_black_hole),
		with_bed(the_last_piece_of_a_stream_may_be_what_is_swallowed),
		with_bed(so_it_is_without_sack),
		with_bed(an_outage_costs_one_probe),
		with_bed(small_segments_that_are_lost_say_nothing_about_large_ones),
		with_bed(rfc_8899_after_ten_minutes_a_larger_size_is_tried),
		with_bed(rfc_1191_so_it_is_after_what_icmp_said),
		with_bed(a_probe_is_real_data_and_others_follow_it),
		with_bed(what_a_router_says_about_a_probe_is_tried_next),
		with_bed(a_claim_that_a_probe_is_larger_than_zero_does_little),
		with_bed(a_probe_in_flight_is_forgotten_in_a_take_over),
		with_bed(little_data_is_no_probe),
		with_bed(an_entry_whose_sizes_cannot_be_is_dropped),
	};

	return cmocka_run_group_tests_name("path MTU", tests, NULL, NULL);
}
