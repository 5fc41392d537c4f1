/* Canned runs of the simulator: see scenario.h. */
#include "tests/sim/scenario.h"

/* What each begins with: a client that calls, sends a little and gets a little. */
static void plain(struct sim_setup *setup)
{
	memset(setup, 0, sizeof(*setup));
	setup->seed = 1;
	setup->mtu = 1500;
	setup->start_us = UINT64_C(1000000000);
	setup->link.delay_us = 5000;
	setup->sessions = 1;
	setup->plan[0] = (struct session_plan){
		.send_total = {300, 300},
		.abort_at = {UINT64_MAX, UINT64_MAX},
		.tx_size = {16384, 16384},
		.writes = 2000,
	};
	for (int i = 0; i < 2; i++)
		setup->config[i] = (struct stack_config){
			.max_connections = 2,
			.backlog = 2,
			.half_open = 2,
			.time_wait = 2,
			.receive_buffer = 16384,
			.busy = STACK_BUSY_DROP,
			.syn_cookies = STACK_COOKIES_OFF,
			.congestion = CONGESTION_CUBIC,
			.ecn = true,
			.msl_us = 2000000,
			.keepalive_us = 120000000,
			.call_timeout_us = 75000000,
		};
}

static void both_ways(struct sim_setup *setup)
{
	setup->plan[0].send_total[0] = setup->plan[0].send_total[1] = 12000;
	setup->plan[0].writes = 8192;
}

static void down(struct sim_setup *setup)
{
	setup->plan[0].send_total[1] = 40000;
	setup->plan[0].writes = 8192;
	setup->plan[0].tx_size[1] = 65536;
	setup->config[0].receive_buffer = 65536;
}

static void down_bbr(struct sim_setup *setup)
{
	down(setup);
	setup->config[1].congestion = CONGESTION_BBR;
	setup->link.rate = 1250000;
	setup->link.queue = 30000;
}

static void down_v6(struct sim_setup *setup)
{
	down(setup);
	setup->v6 = true;
	setup->config[1].congestion = CONGESTION_RENO;
	setup->link.strip = LINK_STRIP_TIMESTAMPS | LINK_STRIP_SACK;
}

static void half_close(struct sim_setup *setup)
{
	setup->plan[0].send_total[1] = 5000;
	setup->plan[0].closes_early[0] = true;
	setup->plan[0].leaves_early[1] = true;
}

static void both_close(struct sim_setup *setup)
{
	setup->plan[0].send_total[0] = setup->plan[0].send_total[1] = 0;
}

static void both_call(struct sim_setup *setup)
{
	setup->plan[0].both_call = true;
}

static void answer(struct sim_setup *setup)
{
	setup->plan[0].answers = true;
	setup->plan[0].leaves_early[0] = setup->plan[0].leaves_early[1] = true;
}

static void shut_window(struct sim_setup *setup)
{
	setup->seed = 3;
	setup->plan[0].send_total[0] = 15000;
	setup->plan[0].writes = 8192;
	setup->config[1].receive_buffer = 4096;
	setup->plan[0].tx_size[0] = 32768;
}

static void lossy(struct sim_setup *setup)
{
	both_ways(setup);
	setup->link.loss = 60;
	setup->link.jitter_us = 4000;
	setup->link.duplicate = 30;
}

static void lossy_without_sack(struct sim_setup *setup)
{
	lossy(setup);
	setup->seed = 5;
	setup->link.strip = LINK_STRIP_SACK;
}

static void abort_client(struct sim_setup *setup)
{
	setup->plan[0].abort_at[0] = 200;
}

static void abort_server(struct sim_setup *setup)
{
	setup->plan[0].abort_at[1] = 200;
}

static void another_worker(struct sim_setup *setup)
{
	setup->plan[0].first_worker_leaves = true;
	setup->plan[0].answers = true;
}

static void cookies(struct sim_setup *setup)
{
	setup->config[1].syn_cookies = STACK_COOKIES_ALWAYS;
}

static void narrow(struct sim_setup *setup)
{
	both_ways(setup);
	setup->link.mtu = 800;
	setup->link.too_big = true;
}

static void crowd(struct sim_setup *setup)
{
	setup->sessions = 2;
	setup->plan[1] = setup->plan[0];
	setup->plan[1].both_call = true;
	setup->plan[1].send_total[1] = 3000;
}

static const struct {
	const char *name;
	void (*change)(struct sim_setup *setup);
} scenarios[] = {
	{"data both ways", both_ways},
	{"a download", down},
	{"a download, paced", down_bbr},
	{"a download, IPv6, bare", down_v6},
	{"a half-close", half_close},
	{"both close at once", both_close},
	{"both open at once", both_call},
	{"a question and its answer", answer},
	{"a shut window", shut_window},
	{"loss, reordering, copies", lossy},
	{"the same without SACK", lossy_without_sack},
	{"an abort by the client", abort_client},
	{"an abort by the server", abort_server},
	{"a second worker", another_worker},
	{"SYN cookies", cookies},
	{"a narrow path", narrow},
	{"two sessions", crowd},
};

const char *scenario_name(unsigned number)
{
	return number < sizeof(scenarios) / sizeof(scenarios[0]) ? scenarios[number].name : NULL;
}

void scenario_setup(unsigned number, struct sim_setup *setup)
{
	plain(setup);
	scenarios[number].change(setup);
}
