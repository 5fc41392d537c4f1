/*
 * A master's first act, and its last one in favour of another.
 *
 * The supervisor tells everything that it keeps (supervisor_master.c) before the loop
 * begins: until MESSAGE_TAKE_OVER it is only taken in, since what a connection needs may
 * be in any of these messages. Then rings and calls get their connections back, every
 * ring is looked at and every worker rung once, and what is due is sent. Packets have
 * waited in the raw sockets meanwhile. For the first master all of it is empty.
 *
 * A master that hands over has nothing to pack: its turn ends as every turn does.
 */
#include "daemon/call.h"
#include "daemon/master_state.h"
#include "daemon/pool.h"

bool master_take_in(struct master *m)
{
	m->taking_in = true;
	while (m->taking_in && !m->stopped)
		(void)master_receive(m, 0, master_now_us());
	return !m->stopped;
}

void master_take_over(struct master *m)
{
	struct message_taken_over with = {0};
	uint64_t now_us = master_now_us();

	with.connections = pool_take_over(m->pool, &with.lost, now_us);
	master_settle(m, now_us);
	master_tell(m, MESSAGE_TAKEN_OVER, &with, sizeof(with));
	if (m->hand_over_asked)
		master_hand_over(m);
	if (m->terminate_asked) {
		master_terminate(m, now_us);
		master_settle(m, now_us);
	}
}

void master_hand_over(struct master *m)
{
	if (m->taking_in)
		m->hand_over_asked = true;
	else
		master_stop(m, 0);
}
