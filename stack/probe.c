/*
 * Tail loss probes (RFC 8985, section 7). RACK needs something delivered after what
 * is lost; when the end of a burst, or a keystroke's lone echo, is lost, nothing is.
 * So after about two round trips of silence one segment goes out that makes the
 * peer answer: a new one, or the last one again. Its SACK lets RACK see what is
 * missing, and no time-out with its single-segment window is needed.
 *
 * When the last segment itself was what was missing, the probe repairs the loss and
 * no ACK tells. The peer's DSACK, or its absence, does, and the congestion control
 * learns of that loss too (7.4).
 */
#include "engine.h"

/*
 * TLP.max_ack_delay. A lone segment's ACK may be delayed. Most hosts delay it by 40
 * ms; the RFC's 200 ms would be longer than the time-out. A host that delays it for
 * longer shows by its DSACKs.
 */
#define ACK_DELAY_US     40000ULL
#define ACK_DELAY_MAX_US 200000ULL
#define SLACK_US         5000ULL /* for a peer, or us, not running at once */
#define FIRST_US         1000000ULL

static bool probe_wanted(const struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	const struct recovery *r = slot_recovery(s, slot);

	return (c->flags & CONN_SACK) && (c->flags & CONN_SYN_ACKED) &&
	       c->recovery == RECOVERY_OPEN && c->retransmits == 0 &&
	       seq_geq(c->snd_una + c->snd_wnd, c->snd_nxt) && /* unless the window has shrunk */
	       r->sent.count > 0 && r->sent.sacked == 0 && r->sent.lost == 0 &&
	       !r->probe.outstanding && !r->probe.due;
}

/* TLP_calc_PTO() */
static uint64_t probe_wait(const struct stack *s, uint32_t slot)
{
	const struct rtt *rtt = &slot_conn(s, slot)->rtt;
	const struct recovery *r = slot_recovery(s, slot);
	uint64_t delay = ACK_DELAY_US << r->probe.needless;

	if (rtt->samples == 0)
		return FIRST_US;
	if (r->sent.count > 1)
		delay = 0;
	return 2 * rtt->srtt_us + SLACK_US + (delay < ACK_DELAY_MAX_US ? delay : ACK_DELAY_MAX_US);
}

void probe_schedule(struct stack *s, uint32_t slot)
{
	const struct conn *c = slot_conn(s, slot);
	uint64_t at;

	if (!probe_wanted(s, slot)) {
		conn_timer_stop(s, slot, CONN_TIMER_PROBE);
		return;
	}
	at = s->event.now_us + probe_wait(s, slot);
	if (at > c->timer_us[CONN_TIMER_RETRANSMIT])
		at = c->timer_us[CONN_TIMER_RETRANSMIT];
	conn_timer(s, slot, CONN_TIMER_PROBE, at);
}

void probe_timeout(struct stack *s, uint32_t slot)
{
	if (!probe_wanted(s, slot))
		return;
	slot_recovery(s, slot)->probe.due = true;
	/* the time-out waits for the probe's answer (7.3) */
	conn_timer(s, slot, CONN_TIMER_RETRANSMIT,
	           s->event.now_us + rtt_timeout(&slot_conn(s, slot)->rtt));
	conn_dirty(s, slot);
}

bool probe_due(const struct stack *s, uint32_t slot)
{
	return slot_recovery(s, slot)->probe.due;
}

bool probe_last(struct stack *s, uint32_t slot, struct seq_range *range)
{
	const struct conn *c = slot_conn(s, slot);
	struct sent *sent = &slot_recovery(s, slot)->sent;
	const struct sent_record *last;

	if (sent->count == 0)
		return false;
	last = sent_at(sent, sent->count - 1);
	if (last->end - last->start > c->snd_mss &&
	    sent_cut(sent, sent->count - 1, last->end - c->snd_mss))
		last = sent_at(sent, sent->count - 1);
	if (last->flags & (SENT_SACKED | SENT_LOST))
		return false;
	*range = (struct seq_range){last->start, last->end};
	if (range->end - range->start > c->snd_mss)
		range->start = range->end - c->snd_mss;
	return true;
}

void probe_sent(struct stack *s, uint32_t slot, bool retransmitted)
{
	const struct conn *c = slot_conn(s, slot);
	struct probe *probe = &slot_recovery(s, slot)->probe;

	probe->due = false;
	probe->outstanding = true;
	probe->retransmitted = retransmitted;
	probe->end = c->snd_nxt;
	conn_timer_stop(s, slot, CONN_TIMER_PROBE);
	s->stats.tail_probes++;
}

/* The probe was the lost segment: a loss like any other, but already repaired. */
static void probe_repaired(struct stack *s, uint32_t slot, uint32_t flight)
{
	struct conn *c = event_conn(s, slot);
	const struct congestion_ops *ops = congestion_ops(&c->congestion);

	if (c->recovery != RECOVERY_OPEN)
		return;
	ops->on_loss(&c->congestion, flight, s->event.now_us);
	recovery_window_end(c);
	ecn_reduced(c);
	ops->on_recovered(&c->congestion, s->event.now_us);
}

void probe_cancel(struct stack *s, uint32_t slot)
{
	slot_recovery(s, slot)->probe.due = false;
}

void probe_ack(struct stack *s, uint32_t slot, const struct ack_news *news)
{
	const struct conn *c = slot_conn(s, slot);
	struct probe *probe = &slot_recovery(s, slot)->probe;

	if (c->snd_una == c->snd_nxt)
		probe->due = false;
	if (!probe->outstanding || seq_lt(c->snd_una, probe->end))
		return;
	if (!probe->retransmitted) {
		probe->outstanding = false;
	} else if (probe_is_dsack(probe, news)) {
		probe->outstanding = false;
		if (ACK_DELAY_US << probe->needless < ACK_DELAY_MAX_US)
			probe->needless++;
	} else if (seq_gt(c->snd_una, probe->end)) {
		probe->outstanding = false;
		probe_repaired(s, slot, news->before);
	} else if (news->acked == 0 && news->seg->sack_count == 0 && news->seg->data_length == 0) {
		probe->outstanding = false; /* both copies arrived, at a peer without DSACK */
	}
}

bool probe_is_dsack(const struct probe *probe, const struct ack_news *news)
{
	return probe->outstanding && probe->retransmitted && news->dsack &&
	       news->dsack_block.end == probe->end;
}
