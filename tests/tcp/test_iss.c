/*
 * First sequence numbers (RFC 6528), measured as a scanner does: the difficulty of nmap's
 * "TCP Sequence Prediction", from six SYNs to one port, a tenth of a second apart. The
 * kernel's numbers, uniform over the circle too, give about 260.
 */
#include "tests/tcp/harness.h"

#define PROBES 6

/* Eight times the logarithm to base 2 of VALUE, rounded down: what nmap calls an index. */
static unsigned index_of(uint64_t value)
{
	unsigned whole = 0;
	uint64_t mantissa;

	if (value == 0)
		return 0;
	while (value >> (whole + 1) != 0)
		whole++;
	/* 2^(n/8) in units of 2^-16, n from 1 to 7 */
	static const uint32_t eighths[] = {71468, 77936, 84990, 92682, 101070, 110218, 120194};
	mantissa = whole >= 16 ? value >> (whole - 16) : value << (16 - whole);
	for (unsigned n = 7; n >= 1; n--)
		if (mantissa >= eighths[n - 1])
			return 8 * whole + n;
	return 8 * whole;
}

static uint64_t square_root(uint64_t value)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit != 0; bit >>= 1)
		if ((root + bit) * (root + bit) <= value)
			root += bit;
	return root;
}

static uint32_t divisor(uint32_t a, uint32_t b)
{
	return b == 0 ? a : divisor(b, a % b);
}

/* From the numbers of PROBES SYN-ACKs a tenth of a second apart. */
static unsigned difficulty(const uint32_t *iss)
{
	uint32_t step[PROBES - 1], common = 0;
	uint64_t sum = 0, squares = 0, deviation;

	for (unsigned i = 0; i + 1 < PROBES; i++) {
		uint32_t up = iss[i + 1] - iss[i], down = iss[i] - iss[i + 1];

		step[i] = up < down ? up : down;
		common = divisor(common, step[i]);
		sum += step[i];
	}
	if (common <= 9)
		common = 1;
	for (unsigned i = 0; i + 1 < PROBES; i++) {
		int64_t off = ((int64_t)step[i] - (int64_t)(sum / (PROBES - 1))) / common;

		squares += (uint64_t)(off * off) / (PROBES - 2);
	}
	deviation = square_root(squares) * 10; /* numbers a second */
	return index_of(deviation);
}

static unsigned scan(struct bed *bed, uint16_t port)
{
	uint32_t iss[PROBES];

	for (uint16_t i = 0; i < PROBES; i++) {
		bed_peer(bed, 9, (uint16_t)(port + i));
		peer_syn(bed);
		iss[i] = bed->iss;
		bed->outs = bed->expected = 0;
		bed_pass(bed, 100 * MS);
		bed->outs = bed->expected = 0;
	}
	return difficulty(iss);
}

static void expect_hard_to_predict(enum stack_syn_cookies cookies)
{
	struct stack_config config = bed_config();
	unsigned sum = 0, hard = 0;
	struct bed bed;

	config.syn_cookies = cookies;
	bed_open(&bed, IP_V4, &config);
	for (uint16_t i = 0; i < 100; i++) {
		unsigned found = scan(&bed, (uint16_t)(20000 + 7 * i));

		sum += found;
		hard += found >= 250;
	}
	bed_close(&bed);
	print_message("difficulty %u on the average, 250 or more in %u of 100\n", sum / 100, hard);
	assert_in_range(sum / 100, 255, 265);
	assert_in_range(hard, 90, 100);
}

static void the_measure_knows_what_is_easy(void **state)
{
	uint32_t counting[PROBES], clock[PROBES];

	(void)state;
	for (uint32_t i = 0; i < PROBES; i++) {
		counting[i] = 64000 * i;
		clock[i] = 25000 * i + i % 2; /* a clock of 4 microseconds, all can see it */
	}
	assert_int_equal(difficulty(counting), 0);
	assert_in_range(difficulty(clock), 0, 40);
}

static void rfc_6528_first_numbers_are_as_hard_to_predict_as_the_kernels(void **state)
{
	(void)state;
	expect_hard_to_predict(STACK_COOKIES_OFF);
}

static void rfc_6528_those_of_cookies_are_too(void **state)
{
	(void)state;
	expect_hard_to_predict(STACK_COOKIES_ALWAYS);
}

/* Section 3: for the same pair of sockets the number follows a clock of 4 microseconds. */
static void rfc_6528_for_one_pair_the_number_follows_the_clock(void **state)
{
	struct bed *bed = *state;
	uint32_t first, later;

	first = iss_generate(bed->stack, &bed->flow, bed->now_us);
	for (uint64_t us = 4; us < 1000 * S; us *= 3) {
		later = iss_generate(bed->stack, &bed->flow, bed->now_us + us);
		assert_int_equal(later - first, us / 4);
	}
}

static void rfc_6528_every_part_of_the_flow_and_the_secret_count(void **state)
{
	struct bed *bed = *state;
	uint32_t first = iss_generate(bed->stack, &bed->flow, bed->now_us);

	for (int part = 0; part < 5; part++) {
		struct flow flow = bed->flow;

		if (part == 0)
			flow.local.address.bytes[3] ^= 1;
		else if (part == 1)
			flow.local.port ^= 1;
		else if (part == 2)
			flow.peer.address.bytes[3] ^= 1;
		else if (part == 3)
			flow.peer.port ^= 1;
		else
			bed->stack->table.header->secrets.sequence[15] ^= 0x80;
		assert_int_not_equal(iss_generate(bed->stack, &flow, bed->now_us), first);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_measure_knows_what_is_easy),
		cmocka_unit_test(rfc_6528_first_numbers_are_as_hard_to_predict_as_the_kernels),
		cmocka_unit_test(rfc_6528_those_of_cookies_are_too),
		with_bed(rfc_6528_for_one_pair_the_number_follows_the_clock),
		with_bed(rfc_6528_every_part_of_the_flow_and_the_secret_count),
	};

	return cmocka_run_group_tests_name("iss", tests, NULL, NULL);
}
