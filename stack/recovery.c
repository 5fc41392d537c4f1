/*
 * Loss recovery: what an ACK says about the segments in flight, and which of them
 * to send again.
 *
 * Theory of operation
 *
 * snd_nxt never moves back. Each segment in flight has a record (sent.h): in the
 * network, SACKED, or LOST and to be sent again, after which it is in the network
 * once more. What is in the network is the pipe (RFC 6675), kept as a sum; output.c
 * sends while it is below cwnd, first what recovery_next() names, then new data.
 *
 * Who finds out what is lost: RACK (rack.c) from the times of what was delivered;
 * three duplicate ACKs where the peer has no SACK (RFC 5681, 6582); the retransmission
 * timer. A probe (probe.c) makes a silent peer answer before that timer has to.
 *
 * Three phases: OPEN; FAST from the first loss until snd_una reaches recover; TIMEOUT,
 * from an expired timer until then. The congestion control (congestion.h) is told of
 * each; in FAST, PRR (prr.c) says what may go, unless the algorithm does itself. When
 * it turns out that nothing had been lost, undo.c takes all of it back.
 *
 * An ACK is taken in in this order: records (delivered bytes, rate and RTT samples,
 * RACK), duplicates, probe, undo, losses (on_segment_lost, on_loss), window (PRR,
 * on_ack), end of recovery (on_recovered), timers.
 */
#include "engine.h"

void recovery_init(struct conn *c)
{
	c->recovery = RECOVERY_OPEN;
	c->recover = c->snd_una;
	c->dup_acks = 0;
}

/* The first sequence number that a record can have: behind the SYN. */
static uint32_t recovery_base(const struct conn *c)
{
	return (c->flags & CONN_SYN_ACKED) ? c->snd_una : c->iss + 1;
}

/*
 * Nothing bursts: what was in flight still counts so until a probe, the timer or the
 * peer's SACKs show what is missing. Of a fast recovery the window is its end's, and the
 * first segment goes again, since the former master may have died before it sent it.
 * After a time-out all goes again, in slow start as before.
 */
void recovery_take_over(struct stack *s, uint32_t slot)
{
	struct conn *c = slot_conn(s, slot);
	struct recovery *r = slot_recovery(s, slot);
	uint32_t base = recovery_base(c);

	c->recover = c->snd_nxt;
	c->dup_acks = 0;
	c->rate.app_limited = 0;
	if (!seq_lt(base, c->snd_nxt)) {
		c->recovery = RECOVERY_OPEN;
		return;
	}
	sent_cover(&r->sent, base, c->snd_nxt, c->last_data_us,
	           c->recovery == RECOVERY_OPEN && c->retransmits == 0);
	r->rack.scanned = base;
	r->rack.high_resent = c->snd_nxt;
	if (c->recovery == RECOVERY_FAST) {
		recovery_window_end(c);
		c->recovery = RECOVERY_OPEN;
		if (c->snd_nxt - base > c->snd_mss)
			(void)sent_cut(&r->sent, 0, base + c->snd_mss);
		sent_mark_lost(&r->sent, 0);
	} else if (c->recovery == RECOVERY_TIMEOUT) {
		uint32_t most = congestion_initial_window(c->congestion.mss);

		if (c->congestion.cwnd > most)
			c->congestion.cwnd = most;
		for (uint32_t i = 0; i < r->sent.count; i++)
			sent_mark_lost(&r->sent, i);
	}
}

uint32_t recovery_pipe(const struct stack *s, uint32_t slot)
{
	const struct recovery *r = slot_recovery(s, slot);

	return r->sent.in_flight > r->reno_sacked ? r->sent.in_flight - r->reno_sacked : 0;
}

void recovery_cap_reno(struct recovery *r)
{
	if (r->reno_sacked > r->sent.in_flight)
		r->reno_sacked = r->sent.in_flight;
}

/* ---- sending ---- */

bool recovery_room(struct stack *s, uint32_t slot)
{
	return sent_room(&slot_recovery(s, slot)->sent);
}

void recovery_sent(struct stack *s, uint32_t slot, uint32_t start, uint32_t end)
{
	struct conn *c = event_conn(s, slot);
	struct recovery *r = slot_recovery(s, slot);
	const struct congestion_ops *ops = congestion_ops(&c->congestion);
	uint32_t pipe = recovery_pipe(s, slot);

	if (r->sent.count == 0)
		r->rack.scanned = r->rack.high_resent = start;
	ops->on_transmit(&c->congestion, pipe, c->rate.app_limited != 0, s->event.now_us);
	rate_sent(&c->rate, sent_push(&r->sent, start, end), pipe, s->event.now_us);
	r->prr.out += end - start;
}

bool recovery_next(struct stack *s, uint32_t slot, struct seq_range *range)
{
	struct sent *sent = &slot_recovery(s, slot)->sent;
	uint32_t i;

	if (sent->lost == 0 || undo_holds_back(s, slot))
		return false;
	i = sent_first_lost(sent);
	range->start = sent_at(sent, i)->start;
	range->end = range->start + sent_fit(sent, i, slot_conn(s, slot)->snd_mss);
	return true;
}

void recovery_resent(struct stack *s, uint32_t slot, struct seq_range range)
{
	struct conn *c = event_conn(s, slot);
	struct recovery *r = slot_recovery(s, slot);
	uint32_t i = sent_find(&r->sent, range.start);
	struct sent_record *record = sent_at(&r->sent, i);

	rate_sent(&c->rate, record, recovery_pipe(s, slot), s->event.now_us);
	sent_again(&r->sent, i);
	r->rack.high_resent = seq_max(r->rack.high_resent, record->end);
	r->prr.out += range.end - range.start;
	undo_resent(s, slot, range);
	/* the timer is the first segment's, which has only now been sent */
	if (i == 0)
		conn_timer(s, slot, CONN_TIMER_RETRANSMIT, s->event.now_us + rtt_timeout(&c->rtt));
}

void recovery_probed(struct stack *s, uint32_t slot)
{
	struct recovery *r = slot_recovery(s, slot);

	if (r->sent.count == 0)
		return;
	sent_at(&r->sent, 0)->flags |= SENT_RETRANSMITTED;
	r->rack.high_resent = seq_max(r->rack.high_resent, sent_at(&r->sent, 0)->end);
}

void recovery_resend(struct stack *s, uint32_t slot, uint32_t most)
{
	struct conn *c = event_conn(s, slot);
	struct sent *sent = &slot_recovery(s, slot)->sent;

	conn_dirty(s, slot);
	if (!(c->flags & CONN_SYN_ACKED)) {
		c->flags |= CONN_SYN_OWED; /* the SYN has no record */
		return;
	}
	for (uint32_t i = 0; i < sent->count; i++) {
		const struct sent_record *record = sent_at(sent, i);

		if (record->end - record->start > most &&
		    !(record->flags & (SENT_SACKED | SENT_LOST)))
			sent_mark_lost(sent, i);
	}
	recovery_cap_reno(slot_recovery(s, slot));
}

/* ---- an ACK: records ---- */

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
	if (!(c->flags & CONN_SACK))
		return;
	count = ack_blocks(news, blocks);
	for (unsigned i = 0; i < count; i++)
		sent_sack(&r->sent, blocks[i], ack_record, news);
	/* the peer has taken back what it had SACKed: it acknowledges just up to it */
	if (r->sent.count > 0 && (sent_at(&r->sent, 0)->flags & SENT_SACKED))
		sent_clear_sacked(&r->sent);
}

/* ---- an ACK: round trip, duplicates ---- */

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

/* ---- an ACK: the window ---- */

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
