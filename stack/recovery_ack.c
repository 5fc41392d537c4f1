/*
 * Loss recovery: one acceptable ACK is taken in, in the order that recovery.c tells.
 */
#include "engine.h"

/* ---- records ---- */

static void ack_record(void *arg, const struct sent_record *record)
{
	struct ack_news *news = arg;
	struct conn *c = slot_conn(news->stack, news->slot);

	news->delivered += record->end - record->start;
	rate_delivered(&c->rate, &news->gather, record, news->stack->event.now_us);
	rack_delivered(news->stack, news->slot, news->seg, record);
	if (record->flags & SENT_RETRANSMITTED) {
		if (record->sent_us > news->resent_us)
			news->resent_us = record->sent_us;
		return;
	}
	pmtu_delivered(news->stack, news->slot,
	               record->end - record->start -
	                       ((c->flags & CONN_FIN_SENT) && record->end == c->snd_nxt));
	if (seq_leq(record->end, c->recover))
		news->original = true;
	if (news->oldest_us == 0 || record->sent_us < news->oldest_us)
		news->oldest_us = record->sent_us;
	if (record->sent_us > news->newest_us)
		news->newest_us = record->sent_us;
}

/*
 * The first block tells of a duplicate when it lies below the ACK or inside the
 * second (RFC 2883, section 4). Takes the real blocks out, in ascending order.
 */
static unsigned ack_blocks(struct ack_news *news, struct seq_range *blocks)
{
	const struct conn *c = slot_conn(news->stack, news->slot);
	const struct segment *seg = news->seg;
	unsigned count = 0;

	for (unsigned i = 0; i < seg->sack_count; i++) {
		struct seq_range block = seg->sack[i];
		unsigned at = count;

		if (!seq_gt(block.end, block.start) || seq_gt(block.end, c->snd_nxt))
			continue;
		if (i == 0 && (seq_leq(block.end, c->snd_una) ||
		               (seg->sack_count > 1 && seq_geq(block.start, seg->sack[1].start) &&
		                seq_leq(block.end, seg->sack[1].end)))) {
			news->dsack = true;
			news->dsack_block = block;
			continue;
		}
		if (!seq_gt(block.start, c->snd_una))
			continue; /* a hole comes first */
		for (; at > 0 && seq_lt(block.start, blocks[at - 1].start); at--)
			blocks[at] = blocks[at - 1];
		blocks[at] = block;
		count++;
	}
	return count;
}

static void ack_records(struct ack_news *news)
{
	struct stack *s = news->stack;
	struct conn *c = event_conn(s, news->slot);
	struct recovery *r = slot_recovery(s, news->slot);
	struct seq_range blocks[TCP_SACK_BLOCKS_MAX];
	unsigned count;

	sent_ack(&r->sent, c->snd_una, ack_record, news);
	/* numbers that stand still would come around one day */
	r->rack.scanned = seq_max(r->rack.scanned, c->snd_una);
	r->rack.high_resent = seq_max(r->rack.high_resent, c->snd_una);
	if (seq_geq(c->snd_una, r->rack.dsack_round))
		r->rack.in_dsack_round = false;
	if (!(c->flags & CONN_SACK))
		return;
	count = ack_blocks(news, blocks);
	for (unsigned i = 0; i < count; i++)
		sent_sack(&r->sent, blocks[i], ack_record, news);
	/* the peer has taken back what it had SACKed: it acknowledges just up to it */
	if (r->sent.count > 0 && (sent_at(&r->sent, 0)->flags & SENT_SACKED))
		sent_clear_sacked(&r->sent);
}

/* ---- round trip, duplicates ---- */

/* When a segment that gives a valid sample was sent; 0: none does. */
static uint64_t ack_timed(const struct ack_news *news)
{
	if (news->oldest_us >= news->resent_us)
		return news->oldest_us;
	return news->newest_us >= news->resent_us ? news->newest_us : 0;
}

/*
 * The oldest segment that this ACK delivers gives the sample; but of one that was sent
 * again nobody knows which copy is acknowledged (Karn), and what was sent before that may
 * have waited for it at the peer. If nothing else is left, the timestamp echo is
 * unambiguous (RFC 7323, section 4).
 */
static void ack_round_trip(struct ack_news *news)
{
	struct conn *c = event_conn(news->stack, news->slot);
	uint64_t now = news->stack->event.now_us;
	const struct segment *seg = news->seg;

	if (ack_timed(news) != 0) {
		rtt_sample(&c->rtt, now - ack_timed(news));
		rtt_note_min(&c->rtt, now - news->newest_us);
	} else if (news->acked > 0 && (news->resent_us != 0 || c->retransmits > 0) &&
	           (c->flags & CONN_TIMESTAMPS) && seg->has_timestamps && seg->ts_echo != 0) {
		uint32_t ms = timestamp_now(c->ts_offset, now) - seg->ts_echo;
		uint64_t since_sent = now - c->last_data_us;

		/*
		 * After several retransmissions an older echo mostly means that ACKs
		 * were lost, too, and would raise the time-out for minutes.
		 */
		if (ms < RTO_MAX_US / 1000 && (c->retransmits < 2 || ms <= since_sent / 1000 + 1))
			rtt_sample(&c->rtt, (uint64_t)ms * 1000 + 500);
	}
}

/*
 * One more duplicate ACK without SACK: no more of them count than limited transmit
 * wants, or than were out when recovery began, whatever a peer makes up (RFC 5681, 3.2,
 * the note on bogus duplicates).
 */
static uint32_t ack_reno_duplicate(const struct conn *c, struct recovery *r)
{
	uint32_t before = r->reno_sacked;
	uint32_t most = c->recovery == RECOVERY_FAST ? c->recover - c->snd_una : 3 * c->snd_mss;

	if (c->recovery == RECOVERY_TIMEOUT || before >= most)
		return 0;
	r->reno_sacked += c->snd_mss < most - before ? c->snd_mss : most - before;
	recovery_cap_reno(r);
	return r->reno_sacked - before;
}

/*
 * Without SACK each duplicate ACK says that one segment has left the network, and an
 * ACK of many segments that it was these.
 */
static uint32_t ack_without_sack(struct ack_news *news)
{
	struct conn *c = event_conn(news->stack, news->slot);
	struct recovery *r = slot_recovery(news->stack, news->slot);
	uint32_t told = 0;

	if (news->duplicate)
		return ack_reno_duplicate(c, r);
	if (news->acked > c->snd_mss)
		told = news->acked - c->snd_mss;
	if (told > r->reno_sacked)
		told = r->reno_sacked;
	r->reno_sacked -= told;
	if (c->recovery == RECOVERY_OPEN && news->acked > 0)
		r->reno_sacked = 0;
	recovery_cap_reno(r);
	return news->delivered - (told < news->delivered ? told : news->delivered);
}

/* Counts duplicate ACKs; returns how many bytes have left the network, for PRR. */
static uint32_t ack_duplicates(struct ack_news *news)
{
	struct conn *c = event_conn(news->stack, news->slot);
	bool sack = (c->flags & CONN_SACK) != 0;

	if (news->acked > 0)
		c->dup_acks = 0;
	if (news->duplicate && (news->delivered > 0 || !sack)) {
		c->dup_acks++;
		c->counters.dup_acks_in++;
	}
	return sack ? news->delivered : ack_without_sack(news);
}

static void ack_dsack(struct ack_news *news)
{
	struct stack *s = news->stack;

	if (news->dsack)
		s->stats.dsacks_in++;
	if (probe_is_dsack(&slot_recovery(s, news->slot)->probe, news)) {
		probe_ack(s, news->slot, news);
		news->dsack = false; /* says nothing about losses */
		return;
	}
	if (news->dsack)
		rack_dsack(s, news->slot);
	probe_ack(s, news->slot, news);
}

/* ---- the window ---- */

static void ack_congestion(struct ack_news *news, bool in_recovery)
{
	struct conn *c = event_conn(news->stack, news->slot);
	uint64_t now = news->stack->event.now_us;
	struct congestion_ack ack = {
		.now_us = now,
		.acked_bytes = news->acked,
		.delivered_bytes = news->delivered,
		.lost_bytes = news->lost,
		.in_flight_before = news->before,
		.in_flight = recovery_pipe(news->stack, news->slot),
		.rtt_us = ack_timed(news) != 0 ? now - news->newest_us : 0,
		.cwnd_limited = validation_used(news->stack, news->slot, news->before),
		.in_recovery = in_recovery,
		.ece = ecn_echoed(c, news->seg),
		.rtt = &c->rtt,
		.rate = rate_take(&c->rate, &news->gather, c->rtt.min_us, now),
	};

	congestion_ops(&c->congestion)->on_ack(&c->congestion, &ack);
}

static void ack_window(struct ack_news *news, uint32_t left)
{
	struct stack *s = news->stack;
	struct conn *c = event_conn(s, news->slot);
	bool in_recovery = c->recovery == RECOVERY_FAST;

	recovery_reduce(s, news->slot, left, news->acked > 0 && news->lost == 0);
	if (news->delivered > 0)
		validation_acked(s, news->slot, news->delivered);
	if (news->acked > 0 || news->delivered > 0 || news->lost > 0)
		ack_congestion(news, in_recovery);
	if (c->recovery != RECOVERY_OPEN && seq_geq(c->snd_una, c->recover)) {
		recovery_leave(s, news->slot);
		/* what was sent since may have lost something, too */
		if (news->lost > 0 && slot_recovery(s, news->slot)->sent.lost > 0) {
			recovery_enter(s, news->slot, news->before);
			recovery_reduce(s, news->slot, left, false);
		}
	}
	/* the end of the last recovery is passed, and must not come around */
	if (c->recovery == RECOVERY_OPEN && seq_gt(c->snd_una, c->recover))
		c->recover = c->snd_una - 1;
}

void recovery_ack(struct stack *s, uint32_t slot, const struct segment *seg, uint32_t acked,
                  bool duplicate)
{
	struct ack_news news = {
		.stack = s,
		.slot = slot,
		.seg = seg,
		.acked = acked,
		.before = recovery_pipe(s, slot),
		.duplicate = duplicate,
	};
	uint32_t left;

	ack_records(&news);
	ack_round_trip(&news);
	left = ack_duplicates(&news);
	ack_dsack(&news);
	pmtu_acked(s, slot);
	undo_ack(s, slot, &news);
	recovery_detect(&news);
	ack_window(&news, left);
	if (acked > 0)
		probe_schedule(s, slot);
}
