/*
 * The table tests/sim/goodput.txt, measured again: each cell must come out within ten per
 * cent, since a change of loss recovery or congestion control that moves it should be
 * meant. A few cells in `make check`, all with CALMD_LONG (`make check-long`). `make
 * goodput` writes the table anew.
 */
#include "tests/unit/random.h"

#include <assert.h>
#include <malloc.h>

#include "tests/sim/goodput.h"

#define TOLERANCE 0.10
#define SMALLEST  0.05 /* Mbit/s: less than that is nothing */

static const uint32_t losses[] = {0, 1, 10, 50, 100};
static const uint32_t rtts[] = {1, 20, 100, 300};

#define LOSSES (sizeof(losses) / sizeof(losses[0]))
#define RTTS   (sizeof(rtts) / sizeof(rtts[0]))

static double measure(uint32_t loss, uint32_t rtt, unsigned algorithm)
{
	struct goodput_cell cell = {(enum congestion_algorithm)algorithm, loss, rtt};

	return goodput_measure(&cell);
}

static int write_table(const char *path)
{
	FILE *file = fopen(path, "w");

	if (file == NULL) {
		perror(path);
		return 1;
	}
	fprintf(file,
	        "# Goodput in Mbit/s of the first ten seconds of one connection over 100 Mbit/s with a\n"
	        "# queue of 256 KB, by the share of data segments that get lost and the round trip.\n"
	        "# Written by `make goodput`, checked by tests/sim/test_goodput.\n"
	        "#\n"
	        "#loss %%  rtt ms    reno   cubic     bbr\n");
	for (size_t l = 0; l < LOSSES; l++)
		for (size_t r = 0; r < RTTS; r++) {
			fprintf(file, "%7.1f %7u", losses[l] / 10.0, rtts[r]);
			for (unsigned a = 0; a < CONGESTION_ALGORITHMS; a++)
				fprintf(file, " %7.2f", measure(losses[l], rtts[r], a));
			fprintf(file, "\n");
		}
	if (fclose(file) != 0) {
		perror(path);
		return 1;
	}
	return 0;
}

/* A few cells that tell the most, and take little time. */
static bool is_quick(uint32_t loss, uint32_t rtt)
{
	return rtt == 20 && (loss == 0 || loss == 10);
}

static unsigned check_line(const char *line, unsigned *cells)
{
	double loss, told[CONGESTION_ALGORITHMS];
	unsigned rtt, wrong = 0;

	static_assert(CONGESTION_ALGORITHMS == 3, "the table has a column for each");
	if (sscanf(line, "%lf %u %lf %lf %lf", &loss, &rtt, &told[0], &told[1], &told[2]) != 5)
		fail_msg("not a line of the table: %s", line);
	if (getenv("CALMD_LONG") == NULL && !is_quick((uint32_t)(loss * 10 + 0.5), rtt))
		return 0;
	for (unsigned a = 0; a < CONGESTION_ALGORITHMS; a++) {
		struct congestion cc = {.algorithm = a};
		double now = measure((uint32_t)(loss * 10 + 0.5), rtt, a);
		double off = now > told[a] ? now - told[a] : told[a] - now;

		(*cells)++;
		if (off <= told[a] * TOLERANCE || off <= SMALLEST)
			continue;
		wrong++;
		printf("# loss %.1f %%, %u ms, %s: %.2f Mbit/s instead of %.2f\n", loss, rtt,
		       congestion_ops(&cc)->name, now, told[a]);
	}
	return wrong;
}

static void goodput_is_as_the_table_has_it(void **state)
{
	const char *top = getenv("CALMD_SRCDIR");
	unsigned cells = 0, wrong = 0;
	char path[4096], line[256];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/tests/sim/goodput.txt", top ? top : SRCDIR);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("%s cannot be read", path);
	while (fgets(line, sizeof(line), file) != NULL)
		if (line[0] != '#')
			wrong += check_line(line, &cells);
	fclose(file);
	printf("# %u cells measured, %u differ\n", cells, wrong);
	assert_true(cells > 0);
	if (wrong > 0)
		fail_msg("%u cells differ; if that is meant, `make goodput` writes the table anew",
		         wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goodput_is_as_the_table_has_it),
	};

	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (getenv("CALMD_GOODPUT_WRITE"))
		return write_table(getenv("CALMD_GOODPUT_WRITE"));
	return cmocka_run_group_tests_name("goodput", tests, NULL, NULL);
}
