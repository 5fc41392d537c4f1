/*
 * Delivery-rate samples: see rate.h. The names of the draft stand in comments.
 */
#include "rate.h"

#include "seq.h"

void rate_sent(struct rate *rate, struct sent_record *record, uint32_t in_flight, uint64_t now_us)
{
	if (in_flight == 0) {
		rate->first_sent_us = now_us;
		rate->delivered_us = now_us;
	}
	record->sent_us = now_us;
	record->first_sent_us = rate->first_sent_us;
	record->delivered_us = rate->delivered_us;
	record->delivered = rate->delivered;
	record->lost = (uint32_t)rate->lost;
	record->tx_in_flight = in_flight + (record->end - record->start);
	record->flags &= ~SENT_APP_LIMITED;
	if (rate->app_limited != 0)
		record->flags |= SENT_APP_LIMITED;
}

/* IsNewestPacket() */
static bool newer(const struct rate_gather *gather, const struct sent_record *record)
{
	if (!gather->any || record->sent_us > gather->sent_us)
		return true;
	return record->sent_us == gather->sent_us && seq_gt(record->end, gather->end);
}

void rate_delivered(struct rate *rate, struct rate_gather *gather, const struct sent_record *record,
                    uint64_t now_us)
{
	rate->delivered += record->end - record->start;
	rate->delivered_us = now_us;
	if (record->delivered_us == 0 || !newer(gather, record))
		return; /* another master sent it: nobody knows when */
	gather->any = true;
	gather->app_limited = (record->flags & SENT_APP_LIMITED) != 0;
	gather->end = record->end;
	gather->tx_in_flight = record->tx_in_flight;
	gather->lost = record->lost;
	gather->sent_us = record->sent_us;
	gather->send_elapsed_us = record->sent_us - record->first_sent_us;
	gather->prior_us = record->delivered_us;
	gather->prior_delivered = record->delivered;
}

struct rate_sample rate_take(struct rate *rate, const struct rate_gather *gather,
                             uint64_t min_rtt_us, uint64_t now_us)
{
	struct rate_sample sample = {.total_delivered = rate->delivered};
	uint64_t ack_elapsed;

	if (rate->app_limited != 0 && rate->delivered > rate->app_limited)
		rate->app_limited = 0;
	if (!gather->any)
		return sample;
	rate->first_sent_us = gather->sent_us;
	ack_elapsed = now_us - gather->prior_us;
	/* ACKs may come compressed, and segments may have gone out in a burst: the longer holds */
	sample.interval_us =
		gather->send_elapsed_us > ack_elapsed ? gather->send_elapsed_us : ack_elapsed;
	sample.prior_delivered = gather->prior_delivered;
	sample.delivered = rate->delivered - gather->prior_delivered;
	sample.tx_in_flight = gather->tx_in_flight;
	sample.lost = (uint32_t)rate->lost - gather->lost;
	sample.is_app_limited = gather->app_limited;
	if (sample.interval_us > 0 && sample.interval_us >= min_rtt_us &&
	    sample.delivered < UINT64_MAX / 1000000)
		sample.delivery_rate = sample.delivered * 1000000 / sample.interval_us;
	return sample;
}

void rate_app_limited(struct rate *rate, uint32_t in_flight)
{
	uint64_t until = rate->delivered + in_flight;

	rate->app_limited = until > 0 ? until : 1;
}
