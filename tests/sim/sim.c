/* One run of the simulator, from its setup to its end: see sim.h. */
#include "tests/sim/sim.h"

#include "tests/sim/stranger.h"

#define VIRTUAL_US UINT64_C(6 * 3600 * 1000000)
#define EVENTS     1000000u
#define AT_ONCE    20000u /* events at one instant: the engine turns in a circle */

struct sim {
	const struct sim_setup *setup;
	struct random random;
	uint64_t now_us;
	uint64_t at_once;
	struct link link;
	struct party party[2];
	struct tap tap[PARTY_SESSIONS];
	struct sim_result result;
};

/* ---- making ---- */

static void set_address(struct ip_address *address, bool v6, uint8_t last)
{
	address->version = v6 ? IP_V6 : IP_V4;
	address->bytes[0] = v6 ? 0xfd : 10;
	address->bytes[v6 ? 15 : 3] = last;
}

/* For a look at one seed: every packet when CALMD_SIM_VERBOSE is 2. */
static void trace(const struct sim *sim, unsigned number, const struct packet_out *out)
{
	static int verbose = -1;
	size_t ip = address_ip_header(&out->dst);
	struct segment seg;

	if (verbose < 0)
		verbose = getenv("CALMD_SIM_VERBOSE") ? atoi(getenv("CALMD_SIM_VERBOSE")) : 0;
	if (verbose < 2 ||
	    segment_parse(out->header + ip, out->header_length - ip, &seg) != SEGMENT_OK)
		return;
	fprintf(stderr, "%.6f %u: %u>%u flags %02x seq %u ack %u length %u window %u sack %u\n",
	        (double)sim->now_us / 1e6, number, seg.src_port, seg.dst_port, seg.flags, seg.seq,
	        seg.ack, out->data_length, seg.window, seg.sack_count);
}

/* A cookie may have brought a connection twice: the second begins where the first did. */
static bool is_ghost(const struct party *p, const struct session *session)
{
	return session->let_go && p->config.syn_cookies != STACK_COOKIES_OFF;
}

/* What a party says: heard, checked, and on its way. */
static void on_send(void *arg, unsigned number, const struct packet_out *out)
{
	struct sim *sim = arg;
	const uint8_t *tcp = out->header + address_ip_header(&out->dst);
	struct session *session =
		party_session_of(&sim->party[number], (uint16_t)(tcp[0] << 8 | tcp[1]),
	                         (uint16_t)(tcp[2] << 8 | tcp[3]));
	const char *wrong;

	trace(sim, number, out);
	if (!address_equal(&out->dst, &sim->party[!number].local.address))
		return; /* to a stranger */
	if (session == NULL)
		fail_msg("party %u sends to nobody's port", number);
	/* the ACK of a FIN that comes twice finds nobody the second time */
	if ((tcp[13] & TCP_RST) && !session->let_go)
		sim->result.resets++;
	wrong = is_ghost(&sim->party[number], session)
	                ? NULL
	                : tap_hear(&sim->tap[session->number], number, out);
	if (wrong != NULL)
		fail_msg("party %u, session %u sends %s", number, session->number, wrong);
	link_send(&sim->link, out, !number, sim->now_us);
}

static void sim_sessions(struct sim *sim)
{
	const struct sim_setup *setup = sim->setup;

	for (unsigned i = 0; i < setup->sessions; i++) {
		uint64_t key[2] = {random_next(&sim->random), random_next(&sim->random)};

		sim->tap[i].unscaled = setup->link.strip & LINK_STRIP_SCALE;
		for (unsigned n = 0; n < 2; n++) {
			party_session(&sim->party[n], &setup->plan[i], key[n], key[!n]);
			sim->tap[i].side[n].key = key[n];
			sim->tap[i].side[n].total = setup->plan[i].send_total[n];
		}
	}
}

static void plan_death(struct sim *sim)
{
	if (sim->setup->death_at != 0)
		crash_plan(sim->setup->death_at);
	else
		crash_plan(sim->setup->deaths
		                   ? 1 + random_below(&sim->random, 2 * sim->setup->deaths)
		                   : 0);
}

static struct sim *sim_open(const struct sim_setup *setup)
{
	static struct sim *sim;

	if (sim == NULL)
		sim = malloc(sizeof(*sim));
	assert_non_null(sim);
	sim->setup = setup;
	sim->random.state = setup->seed;
	sim->now_us = setup->start_us;
	sim->at_once = 0;
	memset(sim->tap, 0, sizeof(sim->tap));
	memset(&sim->result, 0, sizeof(sim->result));
	link_open(&sim->link, &setup->link, &sim->random);
	for (unsigned i = 0; i < 2; i++) {
		struct party *p = &sim->party[i];

		party_open(p, &sim->random, i, &setup->config[i], &sim->now_us);
		set_address(&p->local.address, setup->v6, (uint8_t)(i + 1));
		set_address(&p->peer, setup->v6, (uint8_t)(2 - i));
		p->local.port = PARTY_PORT;
		p->send = on_send;
		p->send_arg = sim;
	}
	sim_sessions(sim);
	crash_verify_undo(setup->verify);
	plan_death(sim);
	party_listen(&sim->party[1]);
	return sim;
}

/* ---- events ---- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When party NUMBER opens session I. */
static uint64_t call_time(const struct sim *sim, unsigned number, unsigned i)
{
	const struct session_plan *plan = &sim->setup->plan[i];

	if (sim->party[number].session[i].called || (number == 1 && !plan->both_call))
		return UINT64_MAX;
	/* the second SYN leaves while the first is on its way */
	return sim->setup->start_us + plan->call_us + number * sim->setup->link.delay_us / 2;
}

static uint64_t next_call(const struct sim *sim)
{
	uint64_t next = UINT64_MAX;

	for (unsigned n = 0; n < 2; n++)
		for (unsigned i = 0; i < sim->setup->sessions; i++)
			next = earliest(next, call_time(sim, n, i));
	return next;
}

static void calls(struct sim *sim)
{
	for (unsigned n = 0; n < 2; n++) {
		struct party *p = &sim->party[n];

		for (unsigned i = 0; i < sim->setup->sessions; i++) {
			if (call_time(sim, n, i) > sim->now_us)
				continue;
			/* the other's SYN was faster, so there is a connection already */
			if (n == 1 && sim->tap[i].side[1].syn)
				p->session[i].called = true;
			else
				party_call(p, &p->session[i], sim->setup->mtu);
		}
	}
}

/* A router's word that a packet was too large: the packet itself is what it quotes. */
static void arrive_too_big(struct sim *sim, const struct link_packet *packet)
{
	const uint8_t *tcp = packet->tcp;
	struct icmp_error error = {
		.kind = ICMP_TOO_BIG,
		.mtu = packet->too_big,
		.seq = (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 |
	               tcp[7],
		.flow.local.address = packet->src,
		.flow.peer.address = packet->dst,
	};

	error.flow.local.port = (uint16_t)(tcp[0] << 8 | tcp[1]);
	error.flow.peer.port = (uint16_t)(tcp[2] << 8 | tcp[3]);
	party_icmp(&sim->party[packet->to], &error);
}

static void arrive(struct sim *sim)
{
	struct link_packet *packet = link_take(&sim->link);
	struct packet_in in = {
		.src = packet->src,
		.dst = packet->dst,
		.ifindex = 1,
		.mtu = sim->setup->mtu,
		.tos = packet->tos,
		.ttl = 64,
		.tcp = packet->tcp,
		.tcp_length = packet->length,
	};

	if (packet->too_big != 0)
		arrive_too_big(sim, packet);
	else
		party_input(&sim->party[packet->to], &in);
	free(packet);
}

static void fate(struct sim *sim)
{
	const struct sim_setup *setup = sim->setup;

	if (setup->deaths && random_below(&sim->random, setup->deaths) == 0)
		party_die(&sim->party[random_below(&sim->random, 2)]);
	if (setup->darkness && random_below(&sim->random, setup->darkness) == 0)
		sim->link.dark_until_us = sim->now_us + random_below(&sim->random, 5000000);
	if (setup->strangers && random_below(&sim->random, setup->strangers) == 0) {
		stranger_strikes(&sim->party[random_below(&sim->random, 2)], &sim->random);
		sim->result.attacks++;
	}
}

static bool over(const struct session *session)
{
	return session->attached && (session->let_go || session->fin || session->aborted);
}

static void note_end(struct sim *sim)
{
	for (unsigned n = 0; n < 2; n++)
		for (unsigned i = 0; i < sim->setup->sessions; i++)
			if (!over(&sim->party[n].session[i]))
				return;
	sim->result.done_us = sim->now_us - sim->setup->start_us;
}

static void tick(struct sim *sim, uint64_t next)
{
	if (next > sim->now_us) {
		sim->now_us = next;
		sim->at_once = 0;
	}
	if (++sim->at_once > AT_ONCE)
		fail_msg("the engines turn in a circle: party %u wants to be run at once",
		         party_next(&sim->party[0]) <= sim->now_us ? 0 : 1);
	sim->result.events++;
}

/* False when nothing will ever happen again. */
static bool step(struct sim *sim)
{
	uint64_t next = earliest(link_next(&sim->link), next_call(sim));
	uint64_t deaths = sim->party[0].deaths + sim->party[1].deaths;

	next = earliest(next, earliest(party_next(&sim->party[0]), party_next(&sim->party[1])));
	if (next == UINT64_MAX)
		return false;
	tick(sim, next);
	if (next_call(sim) <= sim->now_us)
		calls(sim);
	if (link_next(&sim->link) <= sim->now_us)
		arrive(sim);
	for (unsigned i = 0; i < 2; i++)
		if (party_next(&sim->party[i]) <= sim->now_us)
			party_run(&sim->party[i]);
	fate(sim);
	if (sim->setup->death_at == 0 && sim->party[0].deaths + sim->party[1].deaths != deaths)
		plan_death(sim);
	if (sim->result.done_us == 0)
		note_end(sim);
	return true;
}

/* ---- the end ---- */

static void check_empty(const struct sim *sim)
{
	for (int i = 0; i < 2; i++) {
		struct stack_usage usage;

		stack_usage(sim->party[i].stack, &usage);
		assert_int_equal(usage.open, 0);
		assert_int_equal(usage.queued, 0);
		assert_int_equal(usage.half_open, 0);
		assert_int_equal(usage.time_wait, 0);
		assert_int_equal(source_count(sim->party[i].stack->sources, &sim->party[i].peer),
		                 0);
	}
}

static bool was_reset(const struct session *const end[2])
{
	return worker_reset_reason(&end[0]->worker) != RING_RESET_NONE ||
	       worker_reset_reason(&end[1]->worker) != RING_RESET_NONE;
}

static void check_session(const struct sim *sim, unsigned number)
{
	const struct session *end[2] = {&sim->party[0].session[number],
	                                &sim->party[1].session[number]};
	bool aborted = end[0]->aborted || end[1]->aborted;
	bool early = end[0]->closes_early || end[1]->closes_early;

	if (!end[0]->attached || !end[1]->attached) {
		/* only a very bad network, or an abort that comes first, keeps them apart */
		if (!sim->setup->unreliable && !sim->setup->resets && !aborted && !early)
			fail_msg("session %u was never connected", number);
		return;
	}
	/* who closes early waits a minute for the peer, and then resets */
	if (aborted || ((early || sim->setup->resets) && was_reset(end)))
		return;
	for (int i = 0; i < 2; i++) {
		const struct session *s = end[i], *peer = end[!i];

		assert_true(s->let_go);
		assert_int_equal(worker_reset_reason(&s->worker), RING_RESET_NONE);
		assert_true(s->fin);
		assert_true(s->closes_early || s->worker.rx_tail == peer->send_total);
		if (!s->closes_early)
			assert_int_equal(worker_rx_urgent(&s->worker), peer->last_mark);
	}
}

static void count(struct sim *sim)
{
	struct sim_result *result = &sim->result;

	result->virtual_us = sim->now_us - sim->setup->start_us;
	for (unsigned n = 0; n < 2; n++) {
		result->deaths += sim->party[n].deaths;
		result->ghosts += sim->party[n].ghosts;
		result->bad_acks += stack_stats(sim->party[n].stack)->bad_ack;
		for (unsigned i = 0; i < sim->setup->sessions; i++) {
			const struct session *session = &sim->party[n].session[i];

			result->connected += n == 0 && session->attached;
			result->aborted += session->aborted;
			result->bytes += session->worker.rx_tail;
		}
	}
}

struct sim_result sim_run(const struct sim_setup *setup)
{
	struct sim *sim = sim_open(setup);
	uint64_t passed = crash_passed();

	while (step(sim) && sim->now_us - setup->start_us < VIRTUAL_US &&
	       sim->result.events < EVENTS)
		;
	if (sim->now_us - setup->start_us >= VIRTUAL_US || sim->result.events >= EVENTS)
		fail_msg("no end: %llu events, %llu s", (unsigned long long)sim->result.events,
		         (unsigned long long)(sim->now_us - setup->start_us) / 1000000);
	check_empty(sim);
	for (unsigned i = 0; i < setup->sessions; i++)
		check_session(sim, i);
	count(sim);
	sim->result.points = crash_passed() - passed;
	crash_plan(0);
	link_close(&sim->link);
	party_close(&sim->party[0]);
	party_close(&sim->party[1]);
	return sim->result;
}
