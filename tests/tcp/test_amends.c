/*
 * A peer that does all it may, and some that it may not, with numbers that are right: ACKs of
 * parts, SACK blocks that it takes back, DSACKs of anything, echoes of long ago, windows
 * that come and go, ICMP errors, ECN-Echo; beside it masters die. Then it makes amends, and takes
 * everything as a good receiver does. All must arrive, and in reasonable time: nothing that
 * went before may leave the sender waiting for what does not come.
 */
#include "tests/tcp/harness.h"
#include "tests/unit/random.h"

#define TOTAL   150000u
#define STEPS   80u
#define SEEDS   100u
#define PATIENT (400 * S) /* the time-out may have become a minute */

struct peer {
	struct bed bed;
	struct random random;
	uint32_t stamps[16]; /* echoes that would be right now or were some time */
	uint32_t stamp_count;
	bool have[TOTAL + 1]; /* by relative sequence number */
	uint32_t next;        /* cumulatively acknowledged: relative */
};

static uint32_t below(struct peer *p, uint32_t limit)
{
	return random_below(&p->random, limit);
}

static void keep_stamp(struct peer *p)
{
	if (p->bed.timestamps)
		p->stamps[p->stamp_count++ % 16] = p->bed.ts_echo;
}

/* ---- at first ---- */

static uint32_t flight_place(struct peer *p, const struct conn *c)
{
	uint32_t at = below(p, c->snd_nxt - c->snd_una + 1);

	if (below(p, 2))
		at -= at % c->snd_mss;
	return c->snd_una + at;
}

static void bad_ack(struct peer *p)
{
	struct bed *bed = &p->bed;
	const struct conn *c = bed_conn(bed);
	struct segment seg = peer_segment(bed, ACK);

	seg.ack = below(p, 3) ? c->snd_una : flight_place(p, c);
	seg.window = (uint16_t)(below(p, 3) ? 2000 : below(p, 3) ? 0 : below(p, 30));
	if (bed->timestamps && p->stamp_count > 0 && below(p, 2))
		seg.ts_echo = p->stamps[below(p, p->stamp_count < 16 ? p->stamp_count : 16)];
	if (bed->offer.sack && below(p, 3)) {
		seg.sack_count = (uint8_t)(1 + below(p, 3));
		for (unsigned i = 0; i < seg.sack_count; i++) {
			seg.sack[i].start = flight_place(p, c);
			seg.sack[i].end =
				seg.sack[i].start + (below(p, 2) ? c->snd_mss : 1 + below(p, 4000));
		}
		if (below(p, 4) == 0) { /* a DSACK */
			seg.sack[0].end = seg.ack - below(p, 3000);
			seg.sack[0].start = seg.sack[0].end - c->snd_mss;
		}
	}
	if (below(p, 10) == 0)
		seg.flags |= ECE;
	if (below(p, 10) == 0) {
		seg.data_length = 1;
		seg.data = (const uint8_t *)"x";
	}
	if (seq_gt(seg.ack, bed->ack))
		bed->ack = seg.ack;
	for (uint32_t times = below(p, 6) ? 1 : 4; times > 0; times--)
		peer_send(bed, &seg);
	bed->seq += seg.data_length;
}

static void bad_step(struct peer *p)
{
	struct bed *bed = &p->bed;
	const struct conn *c = bed_conn(bed);

	keep_stamp(p);
	bed->outs = bed->expected = 0;
	switch (below(p, 12)) {
	case 0:
		bed_pass(bed, below(p, 300) * MS);
		break;
	case 1:
		bed_pass(bed, below(p, 3000) * MS);
		break;
	case 2:
		bed_pass(bed, below(p, 10) ? below(p, 30) : below(p, 100) * S);
		break;
	case 3:
		if (bed->worker.tx_head < TOTAL && worker_room(&bed->worker) > 0) {
			uint32_t most = worker_room(&bed->worker), want = 1 + below(p, 20000);

			if (most > TOTAL - bed->worker.tx_head)
				most = (uint32_t)(TOTAL - bed->worker.tx_head);
			user_write(bed, want < most ? want : most);
		}
		break;
	case 4:
		if (c->snd_nxt != c->snd_una && below(p, 3) == 0)
			peer_icmp(bed, ICMP_TOO_BIG, flight_place(p, c) - bed->iss,
			          below(p, 2) ? below(p, 1500) : 0);
		break;
	case 5:
		if (below(p, 4) == 0)
			bed_take_over(bed);
		break;
	default:
		bad_ack(p);
		break;
	}
}

/* ---- and then ---- */

static void good_ack(struct peer *p)
{
	struct bed *bed = &p->bed;
	struct segment seg;

	bed->window = 65535;
	bed->ack = bed->iss + p->next;
	seg = peer_segment(bed, ACK);
	for (uint32_t at = p->next; bed->offer.sack && at <= TOTAL && seg.sack_count < 3; at++) {
		uint32_t end = at;

		if (!p->have[at])
			continue;
		while (end <= TOTAL && p->have[end])
			end++;
		seg.sack[seg.sack_count++] = (struct seq_range){bed->iss + at, bed->iss + end};
		at = end;
	}
	peer_send(bed, &seg);
}

static void good_take(struct peer *p)
{
	struct bed *bed = &p->bed;

	while (bed->expected < bed->outs) {
		const struct out *out = &bed->out[bed->expected++];

		for (uint32_t i = 0; i < out->seg.data_length; i++)
			p->have[out->seq + i] = true;
		while (p->next <= TOTAL && p->have[p->next])
			p->next++;
		if (out->seg.data_length > 0)
			good_ack(p);
	}
	bed->outs = bed->expected = 0;
}

/* Returns how long it took. */
static uint64_t make_amends(struct peer *p)
{
	struct bed *bed = &p->bed;
	uint64_t begin = bed->now_us;

	bed->outs = bed->expected = 0;
	p->next = bed->ack - bed->iss;
	good_ack(p);
	while (p->next <= TOTAL && bed->now_us - begin < PATIENT) {
		uint32_t room = worker_room(&bed->worker);

		if (room > TOTAL - bed->worker.tx_head)
			room = (uint32_t)(TOTAL - bed->worker.tx_head);
		if (room > 0)
			user_write(bed, room);
		bed_pass(bed, 50 * MS);
		good_take(p);
	}
	return bed->now_us - begin;
}

static uint64_t run(struct peer *p, uint64_t seed)
{
	struct bed *bed = &p->bed;
	struct stack_config config = bed_config();
	uint64_t took = 0;

	memset(p, 0, sizeof(*p));
	p->random.state = seed;
	config.congestion = below(p, CONGESTION_ALGORITHMS);
	config.ecn = below(p, 2);
	bed_open(bed, below(p, 2) ? IP_V6 : IP_V4, &config);
	bed->offer = (struct offer){
		.mss = (uint16_t)(below(p, 2) ? 1460 : 300 + below(p, 1000)),
		.scale = 4,
		.timestamps = below(p, 2),
		.sack = below(p, 3) != 0,
		.ecn = below(p, 2),
	};
	establish_with_worker(bed, 65536, 65536);
	for (uint32_t step = 0; step < STEPS && bed_state(bed) == TCP_ESTABLISHED; step++)
		bad_step(p);
	if (bed_state(bed) == TCP_ESTABLISHED)
		took = make_amends(p);
	bed_close(bed);
	return took;
}

static void who_makes_amends_gets_everything(void **state)
{
	struct random random = random_start();
	struct peer *p = malloc(sizeof(*p));
	uint64_t seed = random.state;

	(void)state;
	assert_non_null(p);
	for (unsigned i = 0; i < SEEDS; i++, seed++)
		if (run(p, seed) >= PATIENT)
			fail_msg("CALMD_SEED=%llu: %u of %u bytes have arrived",
			         (unsigned long long)seed, p->next - 1, TOTAL);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_makes_amends_gets_everything),
	};

	return cmocka_run_group_tests_name("amends", tests, NULL, NULL);
}
