/* See fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include "stack/checksum.h"
#include "tests/tcp/invariants.h"

#define EVENTS_MAX 400
#define DATA_MAX   3000u

uint8_t fuzz_byte(struct fuzz *fuzz)
{
	if (fuzz->left == 0)
		return 0;
	fuzz->left--;
	return *fuzz->bytes++;
}

uint16_t fuzz_u16(struct fuzz *fuzz)
{
	uint8_t high = fuzz_byte(fuzz);

	return (uint16_t)(high << 8 | fuzz_byte(fuzz));
}

uint32_t fuzz_u32(struct fuzz *fuzz)
{
	uint16_t high = fuzz_u16(fuzz);

	return (uint32_t)high << 16 | fuzz_u16(fuzz);
}

uint32_t fuzz_near(struct fuzz *fuzz, uint32_t value)
{
	uint8_t how = fuzz_byte(fuzz);

	if (how < 160)
		return value;
	if (how < 200)
		return value + (uint32_t)(how - 180);
	if (how < 250)
		return value + fuzz_u16(fuzz) - 32768u;
	return fuzz_u32(fuzz);
}

void fuzz_open(struct fuzz *fuzz, struct bed *bed)
{
	struct stack_config config = bed_config();
	uint8_t choice = fuzz_byte(fuzz);
	uint8_t options = fuzz_byte(fuzz);
	bool ecn;

	config.congestion = choice % CONGESTION_ALGORITHMS;
	config.busy = (enum stack_busy)(choice / 4 % 3);
	config.syn_cookies = (enum stack_syn_cookies)(choice / 16 % 3);
	config.ecn = options & 1;
	config.keepalive_us = options & 2 ? 60 * S : 0;
	config.user_timeout_us = options & 4 ? 300 * S : 0;
	config.user_timeout_option = options & 4;
	bed_open(bed, choice & 128 ? IP_V6 : IP_V4, &config);
	/* a cookie keeps ECN only where there are timestamps: the harness does not know */
	ecn = (options & 8) && config.syn_cookies != STACK_COOKIES_ALWAYS;
	bed->offer = (struct offer){
		.mss = options & 16 ? 536 : 1460,
		.scale = options & 32 ? 7 : -1,
		.timestamps = options & 64,
		.sack = options & 128,
		.ecn = ecn,
	};
	bed->handle.id = BED_ANY;
}

void fuzz_settle(struct bed *bed)
{
	const struct packet_out *packets;
	const char *broken;
	unsigned batches = 0;
	size_t count;

	while ((count = stack_output(bed->stack, &packets, bed->now_us)) > 0) {
		volatile uint8_t sink = 0;

		for (size_t i = 0; i < count; i++) {
			for (uint32_t at = 0; at < packets[i].data_length; at++)
				sink ^= packets[i].data[at];
			sink ^= packets[i].header[packets[i].header_length - 1];
		}
		if (++batches > 1000)
			abort(); /* output without end */
	}
	broken = invariants_broken(bed->stack);
	if (broken != NULL) {
		fprintf(stderr, "broken: %s\n", broken);
		abort();
	}
}

/* The numbers around which the next segment's are chosen. */
struct expected {
	uint32_t rcv_nxt;
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t ts_recent;
};

static struct expected look(const struct bed *bed)
{
	struct expected e = {bed->seq, bed->ack, bed->ack, bed->ts_value};
	uint32_t slot = lookup_find(bed->stack->lookup, &bed->flow);

	if (slot == LOOKUP_NONE)
		return e;
	if (slot_is_conn(bed->stack, slot)) {
		const struct conn *c = slot_conn(bed->stack, slot);

		e = (struct expected){c->rcv_nxt, c->snd_una, c->snd_nxt, c->ts_recent};
	} else if (slot_is_half_open(bed->stack, slot)) {
		const struct half_open *half = slot_half_open(bed->stack, slot);

		e = (struct expected){half->irs + 1, half->iss, half->iss + 1, half->ts_recent};
	} else {
		const struct time_wait *wait = slot_time_wait(bed->stack, slot);

		e = (struct expected){wait->rcv_nxt, wait->snd_nxt, wait->snd_nxt, wait->ts_recent};
	}
	return e;
}

static void choose_options(struct fuzz *fuzz, const struct expected *e, struct segment *seg)
{
	uint8_t what = fuzz_byte(fuzz);

	seg->has_timestamps = what & 1;
	seg->ts_value = fuzz_near(fuzz, e->ts_recent + 1);
	seg->ts_echo = what & 2 ? fuzz_u32(fuzz) : 0;
	seg->has_mss = what & 4;
	seg->mss = what & 4 ? fuzz_u16(fuzz) : 0;
	seg->has_window_scale = what & 8;
	seg->window_scale = what & 8 ? fuzz_byte(fuzz) : 0;
	seg->sack_permitted = what & 16;
	seg->sack_count = (what >> 5) % (TCP_SACK_BLOCKS_MAX + 1);
	for (unsigned i = 0; i < seg->sack_count; i++) {
		seg->sack[i].start = fuzz_near(fuzz, e->snd_una + fuzz_u16(fuzz));
		seg->sack[i].end = fuzz_near(fuzz, seg->sack[i].start + fuzz_u16(fuzz));
	}
}

void fuzz_segment(struct fuzz *fuzz, struct bed *bed)
{
	static const uint8_t data[DATA_MAX];
	struct expected e = look(bed);
	struct segment seg = {
		.src_port = bed->flow.peer.port,
		.dst_port = bed->flow.local.port,
	};
	uint8_t shape = fuzz_byte(fuzz);
	uint8_t *bytes = malloc(TCP_HEADER_MAX + DATA_MAX);
	size_t length;

	if (bytes == NULL)
		abort();
	seg.flags = shape & 1 ? TCP_ACK : fuzz_byte(fuzz);
	seg.seq = fuzz_near(fuzz, e.rcv_nxt);
	seg.ack = fuzz_near(fuzz, shape & 2 ? e.snd_nxt : e.snd_una);
	seg.window = shape & 4 ? 65535 : fuzz_u16(fuzz);
	seg.urgent = shape & 8 ? fuzz_u16(fuzz) : 0;
	bed->ecn = shape & 16 ? fuzz_byte(fuzz) : 0;
	if (shape & 32)
		choose_options(fuzz, &e, &seg);
	if (shape & 64) {
		seg.data = data;
		seg.data_length = fuzz_u16(fuzz) % DATA_MAX;
	}
	length = peer_write(bed, &seg, bytes);
	if (shape & 128) { /* options that nobody has built: the checksum is made right again */
		size_t header = (size_t)(bytes[12] >> 4) * 4;
		uint16_t sum;

		for (size_t at = TCP_HEADER_MIN; at < header; at++)
			bytes[at] ^= fuzz_byte(fuzz);
		memset(bytes + 16, 0, 2);
		sum = checksum_tcp(&bed->flow.peer.address, &bed->flow.local.address, bytes, header,
		                   bytes + header, length - header);
		memcpy(bytes + 16, &sum, sizeof(sum));
	}
	bed->held = true; /* fuzz_settle() takes what comes out */
	peer_send_raw(bed, bytes, length);
	free(bytes);
}

static void give_worker(struct bed *bed)
{
	if (bed->attached || !stack_accept_next(bed->stack, &bed->handle))
		return;
	worker_open(&bed->worker, 4096, 16384);
	bed->attached =
		stack_attach(bed->stack, bed->handle, BED_WORKER, &bed->worker.ring, bed->now_us);
	if (!bed->attached)
		worker_close(&bed->worker);
	bed->handle.id = BED_ANY;
}

static struct conn_handle own_handle(const struct bed *bed)
{
	struct conn_handle handle = {0, 0};
	uint32_t slot = lookup_find(bed->stack->lookup, &bed->flow);

	if (slot != LOOKUP_NONE && slot_is_conn(bed->stack, slot)) {
		handle.slot = slot;
		handle.id = slot_conn(bed->stack, slot)->identity.id;
	}
	return handle;
}

static void worker_does(struct fuzz *fuzz, struct bed *bed)
{
	static const uint8_t data[16384];
	struct worker *worker = &bed->worker;
	uint8_t what = fuzz_byte(fuzz);

	if (!bed->attached || bed->detached > 0)
		return;
	switch (what % 8) {
	case 0:
	case 1:
	case 2:
		(void)worker_write(worker, data, fuzz_u16(fuzz) % sizeof(data));
		break;
	case 3:
	case 4:
		(void)worker_take(worker, NULL, fuzz_u16(fuzz) % 4096u);
		break;
	case 5:
		worker_urgent(worker);
		break;
	case 6:
		if (what & 64)
			worker_fin(worker);
		break;
	default: /* a worker that lies */
		if (what & 64)
			atomic_store(&worker->ring.worker->tx_head, fuzz_u32(fuzz));
		else if (what & 128)
			atomic_store(&worker->ring.worker->rx_tail, fuzz_u32(fuzz));
		break;
	}
	worker_sleep(worker, what & 8);
	stack_ring_changed(bed->stack, own_handle(bed), bed->now_us);
}

/* As a master: each connection gets its worker and ring back, or, if it has none, is ended. */
static void give_rings(struct bed *bed)
{
	struct conn_handle own = own_handle(bed);

	for (uint32_t slot = 0; slot_is_conn(bed->stack, slot); slot++) {
		const struct conn *c = slot_conn(bed->stack, slot);
		struct conn_handle handle = {slot, c->identity.id};

		if (handle.id == 0 || c->worker == CONN_NO_WORKER)
			continue;
		if (bed->attached && bed->detached == 0 && handle.id == own.id &&
		    stack_attach(bed->stack, handle, BED_WORKER, &bed->worker.ring, bed->now_us))
			continue;
		(void)stack_abort(bed->stack, handle.id, bed->now_us);
	}
}

bool fuzz_take_over(struct bed *bed)
{
	struct endpoint any = {.port = LOCAL_PORT};

	any.address.version = bed->flow.local.address.version;
	stack_destroy(bed->stack);
	bed->stack = NULL;
	bed->stack = stack_create(&bed->config, &bed->hooks, bed->memory, bed->bytes, NULL);
	if (bed->stack == NULL)
		return false;
	if (!stack_listen(bed->stack, &any))
		abort();
	give_rings(bed);
	return true;
}

static void time_passes(struct bed *bed, uint64_t us)
{
	uint64_t end = bed->now_us + us;
	unsigned turns = 0;

	while (stack_deadline(bed->stack) <= end) {
		if (stack_deadline(bed->stack) > bed->now_us)
			bed->now_us = stack_deadline(bed->stack);
		stack_timers(bed->stack, bed->now_us);
		fuzz_settle(bed);
		if (++turns > 100000)
			abort(); /* a timer without end */
	}
	bed->now_us = end;
	stack_timers(bed->stack, bed->now_us);
}

void fuzz_event(struct fuzz *fuzz, struct bed *bed)
{
	const char *error;

	switch (fuzz_byte(fuzz) % 16) {
	case 0:
		if (!fuzz_take_over(bed))
			abort();
		break;
	case 1:
		(void)stack_close(bed->stack, own_handle(bed).id, bed->now_us);
		break;
	case 2:
		(void)stack_call(bed->stack, &bed->flow.local, &bed->flow.peer, 2, bed->mtu, false,
		                 bed->now_us, &error);
		break;
	case 3:
		give_worker(bed);
		break;
	case 4:
		time_passes(bed, (uint64_t)fuzz_u16(fuzz) * MS);
		break;
	case 5:
		time_passes(bed, fuzz_byte(fuzz) * S);
		break;
	case 6:
		time_passes(bed, (uint64_t)fuzz_u16(fuzz));
		break;
	case 7:
		bed->flow.peer.port = (uint16_t)(PEER_PORT + fuzz_byte(fuzz) % 8);
		break;
	default:
		worker_does(fuzz, bed);
		break;
	}
}

void fuzz_run(struct fuzz *fuzz, struct bed *bed)
{
	for (unsigned i = 0; i < EVENTS_MAX && fuzz->left > 0; i++) {
		if (fuzz_byte(fuzz) < 144)
			fuzz_segment(fuzz, bed);
		else
			fuzz_event(fuzz, bed);
		fuzz_settle(bed);
	}
	time_passes(bed, 3600 * S);
	fuzz_settle(bed);
	bed_close(bed);
}
