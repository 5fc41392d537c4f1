/* Workers of the simulator: see session.h. */
#include "tests/sim/session.h"

#include "tests/sim/rings.h"
#include "tests/sim/stream.h"

#define CHUNK 8192u

void session_attach(struct party *p, struct session *session)
{
	rings_get(&session->worker, p->config.receive_buffer, session->tx_size);
	session->attached = true;
	memset(session->seen, 0, sizeof(session->seen));
	if (session->quits)
		atomic_store(&session->worker.ring.worker->conn_id, 0);
	if (p->foreign) {
		free(session->shadow);
		session->shadow = malloc(p->config.receive_buffer);
		assert_non_null(session->shadow);
		session->shadow_head = 0;
	}
}

void session_detach(struct session *session)
{
	rings_put(&session->worker);
	session->attached = false;
	session->let_go = false;
	session->gone = false;
	session->wake_us = UINT64_MAX;
}

void session_requeued(struct party *p, struct session *session)
{
	struct conn_info info;

	if (!session->quits)
		return;
	session->quits = false;
	if (session->attached && stack_info(p->stack, session->id, &info) &&
	    info.state != TCP_TIME_WAIT &&
	    slot_conn(p->stack, session->handle.slot)->worker == CONN_NO_WORKER)
		session_detach(session);
}

/* ---- what the page says ---- */

static bool watch_values(struct session *session, const struct ring_master_page *page)
{
	const uint64_t now[PARTY_VIEW] = {
		atomic_load(&page->rx_urgent), atomic_load(&page->rx_head),
		atomic_load(&page->tx_tail),   atomic_load(&page->tx_sent),
		atomic_load(&page->rx_fin),    atomic_load(&page->reset_reason),
	};

	for (unsigned i = 0; i < PARTY_VIEW; i++) {
		if (now[i] < session->seen[i])
			return false;
		session->seen[i] = now[i];
	}
	return true;
}

/* The bytes published since the last time, as they must stay. */
static void watch_bytes(struct session *session)
{
	const struct ring *ring = &session->worker.ring;
	uint64_t head = session->seen[1];

	for (; session->shadow_head < head; session->shadow_head++)
		session->shadow[session->shadow_head % ring->rx_size] =
			*ring_rx_at(ring, session->shadow_head);
}

const char *session_watch(struct session *session)
{
	const struct worker *w = &session->worker;

	if (!session->attached || session->mad)
		return NULL;
	if (!watch_values(session, w->ring.master))
		return "the master's page takes back what it said";
	/* what comes once it has closed is acknowledged and thrown away */
	if (!session->fin && session->seen[1] - w->rx_tail > w->ring.rx_size)
		return "more is published than the ring holds";
	if (session->seen[2] > w->tx_head || session->seen[3] > w->tx_head)
		return "more is sent or acknowledged than was written";
	if (session->seen[2] > session->seen[3])
		return "more is acknowledged than sent";
	if (session->shadow != NULL)
		watch_bytes(session);
	return NULL;
}

/* ---- what the worker does ---- */

static bool work_write(struct party *p, struct session *session)
{
	struct worker *w = &session->worker;
	uint64_t left = session->send_total - w->tx_head;
	uint32_t room = worker_room(w);
	uint32_t length =
		1 + random_below(p->random, random_below(p->random, 4) ? session->writes / 8 + 1
	                                                               : session->writes);

	if (length > left)
		length = (uint32_t)left;
	if (length > room)
		length = room;
	if (length == 0)
		return false;
	stream_fill(session->key, w->tx_head, ring_tx_at(&w->ring, w->tx_head), length);
	w->tx_head += length;
	atomic_store(&w->ring.worker->tx_head, w->tx_head);
	if (random_below(p->random, 50) == 0) {
		worker_urgent(w);
		session->last_mark = w->tx_head;
	}
	return true;
}

static void take_check(const struct party *p, const struct session *session, uint32_t length)
{
	const struct worker *w = &session->worker;
	const uint8_t *bytes = ring_rx_at(&w->ring, w->rx_tail);

	if (session->mad)
		return;
	if (session->shadow != NULL) {
		for (uint32_t i = 0; i < length; i++)
			if (bytes[i] != session->shadow[(w->rx_tail + i) % w->ring.rx_size])
				fail_msg("party %u: a byte was changed after it was published",
				         p->number);
		return;
	}
	if (stream_compare(session->peer_key, w->rx_tail, bytes, length) != length)
		fail_msg("party %u, session %u received a wrong byte near %llu", p->number,
		         session->number, (unsigned long long)w->rx_tail);
	assert_true(w->rx_tail + length <= session->peer_total);
}

static bool work_take(struct party *p, struct session *session)
{
	struct worker *w = &session->worker;
	uint32_t length = 1 + random_below(p->random, 4 * CHUNK);
	uint32_t waiting = worker_waiting(w);

	if (length > waiting)
		length = waiting;
	take_check(p, session, length);
	w->rx_tail += length;
	atomic_store(&w->ring.worker->rx_tail, w->rx_tail);
	return length > 0;
}

static bool work_may_write(const struct session *session)
{
	return !session->answers || session->worker.rx_tail == session->peer_total;
}

static bool work_done(const struct session *session)
{
	if (session->until_fin && worker_rx_fin(&session->worker))
		return true;
	if (session->worker.tx_head < session->send_total)
		return false;
	return session->closes_early || session->worker.rx_tail == session->peer_total;
}

static bool work_once(struct party *p, struct session *session)
{
	bool did = false;

	if (random_below(p->random, 3))
		did |= work_take(p, session);
	if (work_may_write(session) && random_below(p->random, 3))
		did |= work_write(p, session);
	return did;
}

static enum session_end work_end(struct session *session)
{
	if (session->worker.tx_head >= session->abort_at) {
		worker_abort(&session->worker);
		session->aborted = true;
	} else if (work_done(session)) {
		worker_fin(&session->worker);
		session->fin = true;
	}
	return session->fin && session->leaves_early && !session->gone ? SESSION_LEAVES
	                                                               : SESSION_GOES_ON;
}

/* Does it wait for nothing but the engine? Then a doorbell must come. */
static bool work_waits(const struct session *session)
{
	const struct worker *w = &session->worker;

	if (worker_waiting(w) > 0)
		return false;
	return !work_may_write(session) || w->tx_head == session->send_total || worker_room(w) == 0;
}

enum session_end session_work(struct party *p, struct session *session)
{
	enum session_end end;
	bool did;

	session->wake_us = UINT64_MAX;
	if (session->let_go || session->fin || session->aborted || !session->attached)
		return SESSION_GOES_ON;
	if (session->quits)
		return SESSION_LEAVES;
	worker_sleep(&session->worker, false);
	did = work_once(p, session);
	end = work_end(session);
	if (session->fin || session->aborted)
		return end;
	if (did) {
		session->wake_us = *p->now_us + random_below(p->random, 5000);
		return end;
	}
	worker_sleep(&session->worker, true);
	if (!work_waits(session))
		session->wake_us = *p->now_us + random_below(p->random, 100000);
	return end;
}
