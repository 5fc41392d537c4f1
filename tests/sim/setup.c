/* What a run of the simulator depends on, drawn from its seed. */
#include "tests/sim/sim.h"

#define HOURS_US UINT64_C(3600000000)
#define OFTEN    300u /* crash points from one death to the next */

static uint32_t pick(struct random *random, const uint32_t *values, uint32_t count)
{
	return values[random_below(random, count)];
}

static void draw_bottleneck(struct random *random, struct link_config *link, uint32_t mtu)
{
	static const uint32_t rates[] = {20000, 125000, 1250000, 12500000};

	if (random_below(random, 3) != 0)
		return;
	link->rate = pick(random, rates, 4);
	link->queue = 4 * mtu + random_below(random, 200000);
	if (random_below(random, 2))
		link->mark = link->queue / 3;
}

/* Somewhere on the way the links are narrower than at the ends, and a router says so or not. */
static void draw_narrow(struct random *random, struct link_config *link, bool v6, uint32_t mtu)
{
	uint32_t least = v6 ? 1280 : 576;

	if (mtu <= least || random_below(random, 4) != 0)
		return;
	link->mtu = least + random_below(random, mtu - least);
	link->too_big = random_below(random, 2);
}

static void draw_link(struct random *random, struct link_config *link, bool v6, uint32_t mtu)
{
	static const uint32_t losses[] = {0, 0, 5, 20, 50, 150};
	static const uint32_t rare[] = {0, 0, 0, 10, 50};
	static const uint32_t delays[] = {50, 1000, 10000, 50000, 200000};
	static const unsigned strips[] = {0, 0, 0, 1, 2, 3, 4, 8, 15};

	*link = (struct link_config){
		.delay_us = pick(random, delays, 5),
		.loss = pick(random, losses, 6),
		.late = pick(random, rare, 5),
		.duplicate = pick(random, rare, 5),
		.corrupt = pick(random, rare, 5),
		.strip = strips[random_below(random, 9)],
		.mangle = pick(random, rare, 5),
	};
	link->jitter_us = random_below(random, 3) ? 0 : link->delay_us / 2;
	draw_bottleneck(random, link, mtu);
	draw_narrow(random, link, v6, mtu);
}

static struct stack_config draw_config(struct random *random)
{
	static const uint32_t sizes[] = {4096, 16384, 65536, 262144};

	return (struct stack_config){
		.max_connections = PARTY_SESSIONS,
		.backlog = PARTY_SESSIONS,
		.half_open = PARTY_SESSIONS,
		.time_wait = PARTY_SESSIONS,
		.receive_buffer = pick(random, sizes, 4),
		.busy = STACK_BUSY_DROP,
		.syn_cookies = (enum stack_syn_cookies)random_below(random, 3),
		.congestion = random_below(random, CONGESTION_ALGORITHMS),
		.ecn = random_below(random, 2),
		.user_timeout_option = random_below(random, 4) == 0,
		.msl_us = 30000000,
		.keepalive_us = 120000000,
		.call_timeout_us = 600000000,
	};
}

static void draw_plan(struct random *random, struct session_plan *plan, uint32_t most)
{
	static const uint32_t totals[] = {0, 1, 500, 5000, 20000, 80000};

	*plan = (struct session_plan){
		.call_us = random_below(random, 2) ? 0 : random_below(random, 3000000),
		.writes = 1 + random_below(random, random_below(random, 3) ? 8192 : 300),
		.both_call = random_below(random, 8) == 0,
		.answers = random_below(random, 4) == 0,
	};
	for (int i = 0; i < 2; i++) {
		uint32_t total = pick(random, totals, 6);

		plan->send_total[i] = total < most ? total : most;
		plan->abort_at[i] = UINT64_MAX;
		plan->tx_size[i] = 4096u << random_below(random, 6);
		plan->leaves_early[i] = random_below(random, 2);
		if (random_below(random, 16) == 0)
			plan->abort_at[i] = random_below(random, (uint32_t)plan->send_total[i] + 1);
	}
	/* many small writes make a long run and no new case */
	for (int i = 0; i < 2; i++)
		if (plan->writes < plan->send_total[i] / 20)
			plan->writes = (uint32_t)plan->send_total[i] / 20;
	if (random_below(random, 4) == 0)
		plan->closes_early[random_below(random, 2)] = true;
	/* both closing before the other's bytes are there needs no more than one of them */
	if (plan->closes_early[0])
		plan->answers = false;
}

/*
 * A cookie that is overtaken by the data behind it, or whose segment is lost with the
 * first data, brings a reset, as it must. And who has closed gives up in two minutes,
 * which a network that is very bad, or goes away again and again, can use up, and so can
 * engines that die with every few segments.
 */
static bool draws_resets(const struct sim_setup *setup)
{
	const struct link_config *link = &setup->link;
	bool shaky = link->loss + link->late + link->corrupt + link->duplicate > 0 ||
	             link->jitter_us > 0 || link->rate > 0 || link->mtu > 0;

	return setup->darkness > 0 || link->loss + link->corrupt >= 70 ||
	       (setup->deaths > 0 && setup->deaths < OFTEN) ||
	       (setup->config[1].syn_cookies != STACK_COOKIES_OFF && shaky);
}

void sim_setup_random(struct sim_setup *setup, uint64_t seed)
{
	static const uint32_t mtus[] = {576, 1280, 1500, 9000};
	struct random random = {seed};
	uint32_t most = 80000;

	memset(setup, 0, sizeof(*setup));
	setup->seed = random_next(&random);
	setup->v6 = random_below(&random, 2);
	setup->mtu = mtus[random_below(&random, 4)];
	if (setup->v6 && setup->mtu < 1280)
		setup->mtu = 1280;
	setup->start_us = random_next(&random) % (1000 * HOURS_US);
	draw_link(&random, &setup->link, setup->v6, setup->mtu);
	setup->config[0] = draw_config(&random);
	setup->config[1] = draw_config(&random);
	setup->sessions = random_below(&random, 3) ? 1 : 2 + random_below(&random, 3);
	if (setup->sessions > 1)
		most = 20000;
	for (unsigned i = 0; i < setup->sessions; i++)
		draw_plan(&random, &setup->plan[i], most);
	if (random_below(&random, 2))
		setup->deaths = 300 + random_below(&random, 3000);
	if (random_below(&random, 4) == 0)
		setup->darkness = 200 + random_below(&random, 2000);
	if (random_below(&random, 3) == 0)
		setup->strangers = 5 + random_below(&random, 50);
	setup->verify = 20;
	setup->unreliable = setup->link.loss >= 50 || setup->darkness > 0;
	setup->resets = draws_resets(setup);
}
