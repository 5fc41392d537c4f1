/*
 * daemon/pool_linger.c and what the supervisor does for it: a worker that outlives its
 * connection is told to end, and killed if it does not.
 */
#include "tests/unit/random.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"
#include "daemon/pool_worker.h"

#define SECOND UINT64_C(1000000)

static struct {
	struct master *master;
	struct pool *pool;
	int supervisor; /* its end of the master's channel */
} test;

static int begin(void **state)
{
	int pair[2];

	(void)state;
	test.master = calloc(1, sizeof(*test.master));
	test.master->base = event_base_new();
	assert_int_equal(message_channel(pair), 0);
	test.master->channel = pair[0];
	test.supervisor = pair[1];
	test.pool = pool_create(test.master);
	return test.pool != NULL ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	pool_destroy(test.pool);
	close(test.master->channel);
	close(test.supervisor);
	event_base_free(test.master->base);
	free(test.master);
	return 0;
}

static struct worker *new_worker(uint64_t number)
{
	struct worker *w = calloc(1, sizeof(*w));

	w->pool = test.pool;
	w->number = number;
	w->channel = -1;
	LIST_INSERT_HEAD(&test.pool->bucket[number % POOL_BUCKETS], w, bucket);
	test.pool->workers++;
	return w;
}

/* The worker whose end is asked for next; 0: of none. */
static uint64_t asked(void)
{
	static struct message message;

	if (message_receive(test.supervisor, &message, MSG_DONTWAIT) != 1)
		return 0;
	assert_int_equal(message.header.type, MESSAGE_PRIV_WORKER_END);
	return ((const struct message_worker *)message.payload)->worker;
}

static void one_that_stays_is_asked_for_again_and_again(void **state)
{
	struct worker *w = new_worker(7);

	(void)state;
	pool_linger(w, SECOND);
	pool_linger(new_worker(8), 2 * SECOND);
	pool_linger(w, 20 * SECOND); /* once is enough */
	assert_true(evtimer_pending(test.pool->linger_timer, NULL));
	pool_linger_look(test.pool, 30 * SECOND);
	assert_int_equal(asked(), 0);
	pool_linger_look(test.pool, 31 * SECOND);
	assert_int_equal(asked(), 7);
	assert_int_equal(asked(), 0);
	pool_linger_look(test.pool, 32 * SECOND);
	assert_int_equal(asked(), 8);
	pool_linger_look(test.pool, 61 * SECOND);
	assert_int_equal(asked(), 7);
	assert_int_equal(asked(), 0);
}

static void one_that_ends_is_forgotten(void **state)
{
	struct worker *w = new_worker(7);

	(void)state;
	pool_linger(w, SECOND);
	pool_linger_forget(w);
	pool_linger_forget(w);
	pool_linger_look(test.pool, 100 * SECOND);
	assert_int_equal(asked(), 0);
	pool_linger(w, 100 * SECOND); /* and freed with the pool */
}

#define LINGER_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINGER_TEST(one_that_stays_is_asked_for_again_and_again),
		LINGER_TEST(one_that_ends_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
